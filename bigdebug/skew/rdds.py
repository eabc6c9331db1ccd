"""How lopsided the shuffles of an RDD's program are: one pass over the inputs of all of them."""

from __future__ import annotations

import pickle
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from typing import Any

from pyspark.core.rdd import portable_hash
from pyspark.sql import types as T

from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.rdd.annotator import Annotator, contributing
from bigdebug.lineage.rdd.freezing import Frozen, frozen_for
from bigdebug.lineage.rdd.kinds import COGROUPS, JOINS, KEYED, OF_FRAME
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.questions import RddQuestion
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.trace import RddTrace
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.skew import counters
from bigdebug.skew.counting import Counted, KeyCount, PartitionCount
from bigdebug.skew.finding import Advice, Finding, HotKey
from bigdebug.skew.hot_trace import KeyTrace
from bigdebug.skew.judging import Judge
from bigdebug.skew.measures import FINALISTS, MEASURES, QUANTILES
from bigdebug.skew.report import SkewReport
from bigdebug.skew.shuffles import Shuffle, Side
from bigdebug.skew.thresholds import SEVERITIES, Thresholds
from bigdebug.skew.what_if import Gains
from bigdebug.skew.what_if_rdds import KeyCounts, RddForetelling

_COMBINING = frozenset({"reduceByKey", "foldByKey", "aggregateByKey", "combineByKey", "distinct"})
"""Put the elements of a key together before these are shuffled."""
_SHUFFLING = KEYED | COGROUPS | JOINS | {"groupBy", "distinct", "partitionBy"}
_JOIN_KINDS = {
    "join": "Inner",
    "leftOuterJoin": "LeftOuter",
    "rightOuterJoin": "RightOuter",
    "fullOuterJoin": "FullOuter",
}


@dataclass(frozen=True, eq=False)
class _Operator:
    """An RDD's operator as findings are made of: named as Spark names those of plans."""

    kind: str
    call_site: CallSite | None
    join_kind: str = ""


def skew_of_rdd(
    question: RddQuestion, thresholds: Thresholds | None = None, seconds: float | None = None
) -> SkewReport:
    """How lopsided the shuffles of an RDD's program are, and by which keys.

    Args:
        question: about the RDD.
        thresholds: from when on something is called skewed.
        seconds: that the output took, where that is known.

    Raises:
        BigDebugError: the program itself fails on its data.
    """
    began = time.monotonic()
    thresholds = thresholds or Thresholds()
    rows = question.rows
    context = rows.operator.context
    operators = [each for each in rows.operator.walk() if each.kind in _SHUFFLING]
    notes = tuple(question.notes)
    if not operators:
        return SkewReport((), notes, time.monotonic() - began, thresholds)
    with jobs_of_ours(context, "skew of shuffles"), travelling(counters):
        counting = _Counting(context, rows, operators)
        counted = counting.fetch()
    judge = Judge(None, thresholds, seconds, context.defaultParallelism, counted)
    findings = []
    for number, each in enumerate(counted, 1):
        found = judge.finding(number, each)
        operator = operators[number - 1]
        trace = partial(counting.trace, operator, each)
        findings.append(replace(found, advice=_advice(found, operator), _trace=trace))
    findings.sort(key=lambda each: (-SEVERITIES.index(each.severity), -each.ratio, each.number))
    foretelling = RddForetelling(counting.counts, Gains(counted, seconds, context.defaultParallelism))
    return SkewReport(tuple(findings), notes, time.monotonic() - began, thresholds, foretelling)


class _Counting:
    def __init__(self, context: Any, rows: RddRows, operators: Sequence[RddOperator]) -> None:
        self._context = context
        self._annotator = _Plain(context)
        self._operators = operators
        self._given = _functions_of(rows)
        self.counts: KeyCounts

    def fetch(self) -> list[Counted]:
        """What was counted of each operator."""
        every, targets = [], {}
        for number, operator in enumerate(self._operators):
            given = self._given[operator]
            inputs = [self._annotator.plain(below, frozen_for(operator, given)) for below in operator.inputs]
            key_of = self._key_of(operator)
            for side, rdd in enumerate(inputs[:2]):
                every.append(rdd.mapPartitions(counters.keyed(number, side, key_of)))
            targets[number] = self._target(operator, inputs)
        pairs = self._context.union(every)
        counts = pairs.reduceByKey(counters.added, max(2, self._context.defaultParallelism))
        self.counts = KeyCounts(counts, self._operators, targets)
        parts = counts.mapPartitions(counters.summed(targets, FINALISTS)).collect()
        return [
            self._counted(operator, targets[number][0], [part[number] for part in parts if number in part])
            for number, operator in enumerate(self._operators)
        ]

    def trace(self, operator: RddOperator, counted: Counted, key: HotKey) -> KeyTrace:
        """Where the records of a key come from."""
        given = frozen_for(operator, self._given[operator])
        same = counters.SameKey(pickle.dumps(counted.finalists[key.place].texts[0]), self._key_of(operator))
        traces: dict[str, Any] = {}
        sides = zip(
            counted.shuffle.sides, operator.inputs, counted.finalists[key.place].records, strict=False
        )
        for side, below, held in sides:
            if held:
                traces[side.name] = _travelling_trace(RddRows(below, given), same)
        return KeyTrace(None, key, traces)

    def _key_of(self, operator: RddOperator) -> Any:
        if operator.kind in JOINS or operator.kind == "partitionBy":
            return counters.first_of
        return self._annotator.input_keys(operator, self._given[operator])

    def _target(self, operator: RddOperator, inputs: Sequence[Any]) -> tuple[int, Any]:
        arguments = operator.arguments
        count = arguments.get("numPartitions")
        if count is None:
            count = operator.rdd.getNumPartitions() if operator.rdd is not None else None
        if count is None:
            count = max(each._defaultReducePartitions() for each in inputs)
        return max(int(count), 1), arguments.get("partitionFunc") or portable_hash

    def _counted(self, operator: RddOperator, count: int, parts: Sequence[Any]) -> Counted:
        joined = operator.kind in JOINS
        names = ("left", "right") if len(operator.inputs) > 1 else ("input",)
        named = _Operator(
            "Join" if joined else operator.label, operator.call_site, _JOIN_KINDS.get(operator.kind, "")
        )
        side = Side("input", named, (), (), ())  # type: ignore[arg-type]
        shuffle = Shuffle(
            named,  # type: ignore[arg-type]
            tuple(replace(side, name=name) for name in names),
            ("key",),
            (True,),
            count,
            operator.kind in _COMBINING,
        )
        sides = range(len(names))
        places: dict[int, list[int]] = {}
        counts: list[Counter[int]] = [Counter() for _ in MEASURES]
        tops: dict[tuple[str, bytes], Any] = {}
        for part in parts:
            for place, sums in part["partitions"].items():
                known = places.setdefault(place, [0] * len(MEASURES))
                places[place] = [a + b for a, b in zip(known, sums, strict=True)]
            for mine, theirs in zip(counts, part["counts"], strict=True):
                mine.update(theirs)
        for i in range(len(MEASURES)):
            best = sorted((entry for part in parts for entry in part["top"][i]), reverse=True)
            tops |= {(entry[1], entry[2]): entry for entry in best[:FINALISTS]}
        return Counted(
            shuffle,
            (T.NullType(),),
            count,
            tuple(
                PartitionCount(
                    place, tuple(sums[2 * i] for i in sides), tuple(sums[2 * i + 1] for i in sides), sums[4]
                )
                for place, sums in sorted(places.items())
            ),
            tuple(
                KeyCount(
                    (pickle.loads(data),),
                    place,
                    False,
                    tuple(held[2 * i] for i in sides),
                    tuple(held[2 * i + 1] for i in sides),
                    held[4],
                )
                for _, _, data, place, held in tops.values()
            ),
            tuple(sum(part["keys"][i] for part in parts) for i in sides),
            {name: _quantiles(each) for name, each in zip(MEASURES, counts, strict=True)},
            (0,) * len(names),
            (0,) * len(names),
            tuple(sum(part["alone"][i] for part in parts) for i in sides),
        )


class _Plain(Annotator):
    """Makes the program's RDDs again; those of DataFrames are the program's own."""

    def _own(self, operator: RddOperator) -> Any | None:
        return operator.rdd if operator.kind == OF_FRAME else super()._own(operator)


def _functions_of(rows: RddRows) -> dict[RddOperator, Frozen]:
    """By operator the functions that it is given, as far as it hasn't its own."""
    found: dict[RddOperator, Frozen] = {}
    waiting = [(rows.operator, rows.frozen)]
    while waiting:
        operator, given = waiting.pop()
        if operator not in found:
            found[operator] = given
            waiting += [(below, frozen_for(operator, given)) for below in contributing(operator)]
            waiting += [(below, frozen_for(operator, given)) for below in operator.inputs]
    return found


def _travelling_trace(rows: RddRows, same: Any) -> RddTrace:
    return _KeyTraced(rows, same)


class _KeyTraced(RddTrace):
    """A trace whose condition is of a module that travels with it."""

    def _asking(self, what: str) -> Any:
        from contextlib import ExitStack

        stack = ExitStack()
        stack.enter_context(travelling(counters))
        stack.enter_context(super()._asking(what))
        return stack


def _quantiles(counts: Counter[int]) -> list[int] | None:
    total = sum(counts.values())
    if not total:
        return None
    found: list[int] = []
    seen = 0
    ordered = sorted(counts.items())
    wanted = [max(ceil(each * total), 1) for each in QUANTILES]
    for value, times in ordered:
        seen += times
        while len(found) < len(wanted) and wanted[len(found)] <= seen:
            found.append(value)
    return found


def _advice(finding: Finding, operator: RddOperator) -> tuple[Advice, ...]:
    """What to do about a lopsided shuffle of an RDD."""
    if not finding.is_skewed or not finding.hot_keys:
        return ()
    held = "; ".join(
        f"{key.text}: {key.records:,} elements, {key.share:.0%} of all" for key in finding.hot_keys[:3]
    )
    if operator.kind in _COMBINING:
        what = "leave it: Spark puts the elements of a key together before it shuffles them"
        return (Advice("nothing", what, held),)
    found = []
    if operator.kind in ("groupByKey", "groupBy"):
        found.append(
            Advice(
                "combine first",
                "add up with reduceByKey or aggregateByKey in place of lists of all values, where that will do",
                held,
                "rdd.aggregateByKey(zero, add_value, add_sums)",
            )
        )
    if operator.kind == "join":
        small = min(finding.sides, key=lambda side: side.bytes)
        found.append(
            Advice(
                "broadcast",
                f"broadcast the {small.name} side as a dict, if it has one element a key, and map over the other",
                f"the {small.name} side has {small.records:,} elements, {small.bytes:,} bytes",
                f"known = sc.broadcast({small.name}.collectAsMap())",
            )
        )
    found.append(
        Advice(
            "salt",
            "split hot keys by a salt, and put the parts together in a second step",
            held,
            f"rdd.map(lambda pair: ((pair[0], random.randrange(16) if pair[0] in "
            f"{[key.key['key'] for key in finding.hot_keys]!r} else 0), pair[1]))",
        )
    )
    return tuple(found)
