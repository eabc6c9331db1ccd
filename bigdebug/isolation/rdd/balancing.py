"""The records of RDDs behind groups that hold too much; one pass over those that are left confirms it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pyroaring import FrozenBitMap
from pyspark.sql import functions as F

from bigdebug.isolation.at_once import AtOnce
from bigdebug.isolation.behind import shown_as_records, told_of_rows
from bigdebug.isolation.blamed import together
from bigdebug.isolation.cost import Cost
from bigdebug.isolation.found import IsolatedRecords, IsolatedRow, Isolation
from bigdebug.isolation.rdd import weights
from bigdebug.isolation.rdd.asked_of_rows import asked_of_rows
from bigdebug.isolation.rdd.candidates import MOST_CANDIDATES, Places, RddCandidates, session_of
from bigdebug.isolation.rdd.explaining_skew import explain_rdd_skew
from bigdebug.isolation.skew import Skew
from bigdebug.isolation.weighing import MOST_ROWS, Heavy, fewest
from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.pinned import pinned_session
from bigdebug.lineage.rdd import workers
from bigdebug.lineage.rdd.annotator import contributing, is_boundary, within
from bigdebug.lineage.rdd.freezing import Frozen, frozen_for
from bigdebug.lineage.rdd.kinds import GROUPING
from bigdebug.lineage.rdd.known_keys import known_key_of
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.questions import RddQuestion
from bigdebug.lineage.rdd.trace import RddTrace
from bigdebug.lineage.rdd.travelling import travelling


def isolate_rdd_skew(question: RddQuestion, skew: Skew) -> Isolation:
    """The records behind groups that hold too much.

    Args:
        question: about the output.
        skew: what is too much. What is added up is an expression in Python of an element `x` that the grouping
            operator takes, or of the `key` and `value` of a pair.

    Raises:
        BigDebugError: the output's elements aren't groups of records, or what is added up can't be evaluated.
    """
    return _Balancing(question, skew).run()


class _Groups(NamedTuple):
    """The heaviest groups.

    Attributes:
        keys: by key, the number of each.
        elements: by number, what they became in the output; absent where that has nothing of them.
    """

    keys: dict[Any, int]
    elements: dict[int, Any]


class _Balancing:
    def __init__(self, question: RddQuestion, skew: Skew) -> None:
        self._began = time.monotonic()
        over = asked_of_rows(question)
        self._rows = over.rows
        self._skew = skew
        self._weigh = _weight_by(skew.by)
        self._trace = RddTrace(over.rows, None, (*question.notes, *over.doubts))
        self._behind = over.behind_sources(self._trace.found_sources)
        self._annotator = self._trace.walk.annotator
        self._boundary, self._frozen = self._grouping()
        key = self._annotator.input_keys(self._boundary, self._frozen)
        self._key = known_key_of(key)

    def run(self) -> Isolation:
        context = self._trace.context
        with jobs_of_ours(context, "the groups that hold too much") as group, travelling(weights):
            heavy, groups = self._heavy()
            found = self._weighed(groups)
            candidates = RddCandidates(self._trace, _places(found))
            shown = AtOnce(shown_as_records(candidates, self._behind, session_of(self._trace)))
            answers = self._balanced(found, groups, candidates, shown, heavy)
            shown.expect(answers)
            cost = Cost(context, self._began, group)
        notes = [*self._trace.static_notes, str(heavy), *told_of_rows(self._behind)]
        if heavy.count > len(answers):
            notes.append(f"{heavy.count:,} groups hold too much; the answer is about {len(answers)} of them")
        return Isolation(
            failing=str(self._skew),
            matched=heavy.count,
            culprits=together([answer.culprits for answer in answers], shown),
            reproduction=IsolatedRecords(shown, FrozenBitMap(), "none"),
            rows=tuple(answers),
            exact=not self._trace.static_notes,
            notes=tuple(notes),
            replays=1 if answers else 0,
            _cost=cost,
            _explain=cost.counting(
                "what the records of heavy groups share",
                lambda: explain_rdd_skew(candidates, self._by_key(groups, found), heavy.limit),
            ),
        )

    # -- the groups ---------------------------------------------------------------------------------

    def _grouping(self) -> tuple[RddOperator, Frozen]:
        """The operator that made the groups that the output's elements are of, and its functions."""
        root = self._rows.operator
        boundaries = [each for each in within(root) if is_boundary(each)]
        if len(boundaries) != 1 or boundaries[0].kind not in GROUPING:
            raise BigDebugError(
                f"{root.described()} doesn't give the groups of one grouping operator: what they hold isn't told",
                hint="give the RDD that reduceByKey, groupByKey, groupBy, distinct or cogroup made, "
                "or say which elements are wrong by a condition",
            )
        waiting: list[tuple[RddOperator, Frozen]] = [(root, self._rows.frozen)]
        while waiting:
            operator, given = waiting.pop()
            frozen = frozen_for(operator, given)
            if operator is boundaries[0]:
                return operator, frozen
            waiting += [(below, frozen) for below in contributing(operator)]
        raise AssertionError(boundaries[0])

    def _heavy(self) -> tuple[Heavy, _Groups]:
        inputs = self._annotator.inputs(self._boundary, self._frozen)
        every = self._trace.context.union(inputs) if len(inputs) > 1 else inputs[0]
        held = every.map(weights.weighed(self._key, self._weigh)).reduceByKey(weights.added).persist()
        try:
            # A session aside: what is asked here is none of the program's outputs.
            spark = pinned_session(session_of(self._trace)).spark
            weighed = spark.createDataFrame(
                held.map(weights.weight_alone), "weight double", verifySchema=False
            )
            median, total, groups = weighed.agg(F.median("weight"), F.sum("weight"), F.count("*")).collect()[
                0
            ]
            limit = self._skew.factor * float(median or 0)
            too_heavy = held.filter(weights.is_heavier(limit))
            count = too_heavy.count()
            heaviest = too_heavy.takeOrdered(MOST_ROWS, weights.lightest_last)
        finally:
            held.unpersist()
        records = sum(number for _, (_, number) in heaviest)
        if records > MOST_CANDIDATES:
            raise BigDebugError(
                f"the groups that hold too much have {records:,} records, more than the {MOST_CANDIDATES:,} that "
                "can be weighed here",
                hint="ask with a larger factor, or about a part of the output",
            )
        keys = {key: number for number, (key, _) in enumerate(heaviest)}
        heavy = Heavy(self._skew, count, groups, float(median or 0), float(total or 0), limit)
        return heavy, _Groups(keys, self._elements(keys) if keys else {})

    def _elements(self, keys: dict[Any, int]) -> dict[int, Any]:
        leaf = self._annotator.leaf(self._boundary)
        annotated = self._annotator.annotated(self._rows.operator, self._rows.frozen)
        return dict(annotated.flatMap(weights.of_leaf(leaf, keys)).reduceByKey(workers.left_of).collect())

    def _by_key(
        self, groups: _Groups, found: dict[tuple[int, RddOperator], pd.DataFrame]
    ) -> dict[tuple[Any, RddOperator], pd.DataFrame]:
        keys = {number: key for key, number in groups.keys.items()}
        return {(keys[number], source): table for (number, source), table in found.items()}

    # -- their records ------------------------------------------------------------------------------

    def _weighed(self, groups: _Groups) -> dict[tuple[int, RddOperator], pd.DataFrame]:
        """By group and source: `partition`, `place` and `weight` of each record."""
        weigh = weights.of_groups(groups.keys, self._key, self._weigh)
        parts: dict[tuple[int, RddOperator], list[pd.DataFrame]] = {}
        for rdd in self._annotator.inputs(self._boundary, self._frozen) if groups.keys else ():
            for number, leaf, partition, places, held in rdd.mapPartitions(weigh).collect():
                operator = self._annotator.of_leaf(leaf)
                if operator.inputs:
                    raise BigDebugError(
                        f"{self._boundary.described()} takes elements that aren't single records: what each of "
                        "these adds isn't told",
                        hint="ask about a grouping operator right above the sources, or say which elements are "
                        "wrong by a condition",
                    )
                part = {"place": np.frombuffer(places, dtype=np.int64), "weight": np.frombuffer(held)}
                parts.setdefault((number, operator), []).append(
                    pd.DataFrame({"partition": partition, **part})
                )
        return {
            of: pd.concat(each).groupby(["partition", "place"], as_index=False).sum()
            for of, each in parts.items()
        }

    def _balanced(
        self,
        found: dict[tuple[int, RddOperator], pd.DataFrame],
        groups: _Groups,
        candidates: RddCandidates,
        shown: AtOnce,
        heavy: Heavy,
    ) -> list[IsolatedRow]:
        """Where several sources go into a group, its records are those of the one of which the most do."""
        answers = []
        for key, number in groups.keys.items():
            mine = {operator: table for (of, operator), table in found.items() if of == number}
            source = max(mine, key=lambda operator: len(mine[operator]))
            (stand,) = (each for each in candidates.every if each.leaf.operator is source)
            numbers = stand.numbers_of(*mine[source][["partition", "place"]].to_numpy().T)
            held = mine[source]["weight"].to_numpy()
            taken, of_records = fewest(numbers, held, heavy.limit)
            rest = float(held[~np.isin(numbers, taken.to_array())].sum())
            answers.append(
                IsolatedRow(
                    value=groups.elements.get(number, key),
                    candidates=len(numbers),
                    culprits=IsolatedRecords(
                        shown, taken, "1-minimal" if rest <= heavy.limit else "none", of_records
                    ),
                    reproduction=IsolatedRecords(shown, FrozenBitMap(), "none"),
                    notes=(heavy.note(float(held.sum()), rest),),
                )
            )
        return sorted(answers, key=lambda answer: -answer.candidates)


def _places(found: dict[tuple[int, RddOperator], pd.DataFrame]) -> dict[RddOperator, Places]:
    """By source and partition the places of the records of all groups."""
    every: dict[RddOperator, list[pd.DataFrame]] = {}
    for (_, operator), table in found.items():
        every.setdefault(operator, []).append(table[["partition", "place"]])
    return {operator: _by_partition(pd.concat(tables)) for operator, tables in every.items()}


def _by_partition(table: pd.DataFrame) -> Places:
    partitions, places = table.to_numpy().T
    return {
        partition: np.unique(places[partitions == partition]) for partition in np.unique(partitions).tolist()
    }


def _weight_by(by: str) -> Callable[[Any], float]:
    if by == "records":
        return weights.one
    if by == "bytes":
        return weights.pickled_size
    try:
        compile(by.strip(), "<by>", "eval")
    except (SyntaxError, ValueError) as error:
        raise BigDebugError(
            f"by={by!r} is no expression in Python ({error.args[0]})",
            hint='of an RDD what is added up is Python, of an element x: by="x[1]" or by="len(value)"',
        ) from None
    return weights.Evaluated(by)
