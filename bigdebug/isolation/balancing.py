"""The records of DataFrames behind groups that hold too much; one pass over those that are left confirms it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import FrozenBitMap
from pyspark.errors import AnalysisException
from pyspark.sql import Column
from pyspark.sql import functions as F

from bigdebug.isolation.at_once import AtOnce
from bigdebug.isolation.behind import behind_frames, doubts_of_rows, shown_as_records, told_of_rows
from bigdebug.isolation.blamed import together
from bigdebug.isolation.cost import Cost
from bigdebug.isolation.explaining_skew import explain_skew
from bigdebug.isolation.failing import FailingGroups, Identity
from bigdebug.isolation.found import IsolatedRecords, IsolatedRow, Isolation, Proof
from bigdebug.isolation.output_key import looked_up
from bigdebug.isolation.replays import Replays
from bigdebug.isolation.skew import Skew
from bigdebug.isolation.weighing import MOST_ROWS, Heavy, Numbers, Weights, fewest
from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.asking import asking
from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.failure import first_line
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.keys import hashed_key
from bigdebug.lineage.natural_key import natural_key, top_aggregate
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.questions import Question
from bigdebug.lineage.trace import Trace
from bigdebug.lineage.where import rows_where

MOST_RECORDS = 10_000_000
"""Records of these whose weights are fetched, some 32 bytes each."""


def isolate_skew(question: Question, skew: Skew) -> Isolation:
    """The records behind groups that hold too much.

    Args:
        question: about the output.
        skew: what is too much.

    Raises:
        BigDebugError: the output's rows aren't groups of records, or what is added up can't be evaluated.
    """
    began = time.monotonic()
    catalyst = question.catalyst
    behind = behind_frames(question)
    with asking(catalyst, "the groups that hold too much") as group:
        heavy, heaviest = _heavy(question, skew)
        trace = Trace(catalyst, question.root, question.sources, heaviest, question.notes)
        condition = rows_where(catalyst, question.root, heaviest).condition
        replays = Replays(catalyst, question.root, question.sources, condition)
        groups = replays.failing_groups(MOST_ROWS, closed=False) or replays.traced_groups(trace, MOST_ROWS)
        if groups.candidates.count > MOST_RECORDS:
            groups.candidates.release()
            raise BigDebugError(
                f"the groups that hold too much have {groups.candidates.count:,} records, more than the "
                f"{MOST_RECORDS:,} that can be weighed here",
                hint="ask with a larger factor, or about a part of the output",
            )
        held: dict[Identity, tuple[Numbers, Weights]] = {}
        try:
            if groups.rows:
                held = _held_by(replays, groups, heavy.skew)
            shown = AtOnce(shown_as_records(groups.candidates, behind, catalyst.spark))
            answers = _balanced(replays, groups, heavy, held, shown) if held else []
            shown.expect(answers)
        except BaseException:
            groups.candidates.release()
            raise
        cost = Cost(catalyst.spark.sparkContext, began, group)
        doubts = doubts_of_rows(behind)
        notes = [*dict.fromkeys([*trace.notes, *doubts]), *replays.notes, str(heavy), *told_of_rows(behind)]
        if heavy.count > len(answers):
            notes.append(f"{heavy.count:,} groups hold too much; the answer is about {len(answers)} of them")
        return Isolation(
            failing=str(skew),
            matched=heavy.count,
            culprits=together([answer.culprits for answer in answers], shown),
            reproduction=IsolatedRecords(shown, FrozenBitMap(), "none"),
            rows=tuple(answers),
            exact=trace.exact and not doubts,
            notes=tuple(notes),
            replays=1 if answers else 0,
            _cost=cost,
            _release=groups.candidates.release,
            _explain=cost.counting(
                "what the records of heavy groups share",
                lambda: explain_skew(
                    catalyst, groups.candidates.full, held, heavy.limit, _key_columns(question)
                ),
            ),
        )


def _key_columns(question: Question) -> set[str]:
    """Names of the sources' columns that are grouped by as they are."""
    catalyst = question.catalyst
    aggregate = top_aggregate(question.root)
    assert aggregate is not None
    grouping = catalyst.items(aggregate.plan.groupingExpressions())
    keys = {catalyst.attribute_key(each) for each in grouping if class_name(each) == "AttributeReference"}
    return {
        str(column.name())
        for leaf in question.sources
        for column in catalyst.output(leaf.plan)
        if catalyst.attribute_key(column) in keys
    }


def _heavy(question: Question, skew: Skew) -> tuple[Heavy, Column]:
    """The groups that hold too much, and a condition over the output's columns that is true of the heaviest."""
    catalyst, root = question.catalyst, question.root
    aggregate, key = top_aggregate(root), natural_key(catalyst, root)
    if aggregate is None or not key:
        raise BigDebugError(
            f"{root.described()} isn't an aggregate that shows its grouping columns: what its groups hold isn't told",
            hint="give the frame that groupBy(…).agg(…) made, or say which rows are wrong by a condition",
        )
    columns = [f"k{i}" for i in range(len(key))]
    grouping = catalyst.items(aggregate.plan.groupingExpressions())
    named = [catalyst.alias(each, name) for each, name in zip(grouping, columns, strict=True)]
    held_by = _weight(catalyst, aggregate, skew)
    weight = str(held_by.name())
    weighed = catalyst.frame(catalyst.project([*named, held_by], aggregate.child.plan))
    held = weighed.groupBy(*columns).agg(F.sum(weight).alias(weight)).persist()
    try:
        median, total, groups = held.agg(F.median(weight), F.sum(weight), F.count("*")).first()
        limit = skew.factor * float(median or 0)
        heavy = held.where(F.col(weight) > limit)
        count = heavy.count()
        heaviest = heavy.orderBy(F.desc(weight)).limit(MOST_ROWS)
        named_key = (F.col(column).alias(name) for column, name in zip(columns, key, strict=True))
        entries = heaviest.select(F.struct(F.struct(*named_key).alias("key"), F.lit(True).alias("there")))
        condition = looked_up(catalyst, catalyst.frame(root.plan), entries, key).isNotNull()
    finally:
        held.unpersist()
    return Heavy(skew, count, groups, float(median or 0), float(total or 0), limit), condition


def _weight(catalyst: Catalyst, aggregate: Operator, skew: Skew) -> Any:
    """What a row that an aggregate takes adds to its group, as a named JVM expression over the row's columns."""
    frame = catalyst.frame(aggregate.child.plan)
    if skew.by == "records":
        column = F.lit(1.0)
    elif skew.by == "bytes":
        column = F.octet_length(F.struct("*").cast("string")).cast("double")
    else:
        column = F.expr(skew.by).cast("double")
    try:
        plan = catalyst.analyzed(frame.select(column.alias(fresh_name("weight"))))
    except AnalysisException as error:
        raise BigDebugError(
            f"by={skew.by!r} can't be added up: {first_line(error)}",
            hint=f"the columns that the aggregate takes are: {', '.join(frame.columns)}",
        ) from None
    return plan.projectList().head()


def _balanced(
    replays: Replays,
    groups: FailingGroups,
    heavy: Heavy,
    held: Mapping[Identity, tuple[Numbers, Weights]],
    shown: AtOnce,
) -> list[IsolatedRow]:
    taken = {row.identity: fewest(*held[row.identity], heavy.limit) for row in groups.rows}
    gone = FrozenBitMap().union(*(records for records, _ in taken.values()))
    left = _held_by(replays, groups, heavy.skew, without=gone)
    # A record that is read twice may weigh more than where it was weighed.
    proof: Proof = "sufficient" if replays.reads_again else "1-minimal"
    answers = []
    for row in groups.rows:
        numbers, weights = held[row.identity]
        records, of_records = taken[row.identity]
        now = float(left[row.identity][1].sum())
        answers.append(
            IsolatedRow(
                value=row.value,
                candidates=len(numbers),
                culprits=IsolatedRecords(shown, records, proof if now <= heavy.limit else "none", of_records),
                reproduction=IsolatedRecords(shown, FrozenBitMap(), "none"),
                notes=(heavy.note(float(weights.sum()), now),),
            )
        )
    return sorted(answers, key=lambda answer: -answer.candidates)


def _held_by(
    replays: Replays, groups: FailingGroups, skew: Skew, without: FrozenBitMap | None = None
) -> dict[Identity, tuple[Numbers, Weights]]:
    """Of each group the numbers of its records and what each adds to it.

    Where several sources are joined, the records are those of the one of which the most take part.
    """
    catalyst = replays.catalyst
    candidates = groups.candidates.full
    root, sources = replays.of_candidates(candidates.everything - (without or FrozenBitMap()), candidates)
    aggregate = top_aggregate(root)
    assert aggregate is not None
    below = Annotator(catalyst, sources).annotate(aggregate.child)
    if not below.ids or not all(isinstance(column.origin, SourceLeaf) for column in below.ids):
        raise BigDebugError(
            f"{aggregate.described()} takes rows that aren't single records: what each of these adds isn't told",
            hint="ask about an aggregate right above the sources, or say which rows are wrong by a condition",
        )
    grouping = catalyst.items(aggregate.plan.groupingExpressions())
    hashes = [catalyst.alias(each, fresh_name("hash")) for each in hashed_key(catalyst, grouping)]
    ids = [column.id for column in below.ids]
    plan = catalyst.project([*hashes, _weight(catalyst, aggregate, skew), *ids], below.plan)
    table = catalyst.frame(plan).toArrow()
    one, two = (table.column(i).to_numpy() for i in (0, 1))
    found = {}
    for row in groups.rows:
        mine = table.filter(pa.array((one == row.identity[0]) & (two == row.identity[1])))
        columns = [mine.column(3 + i) for i in range(len(ids))]
        main = max(columns, key=lambda column: pc.count_distinct(column).as_py())
        pairs = pa.table({"number": main, "weight": pc.fill_null(mine.column(2), 0.0)})
        sums = pairs.filter(pc.is_valid(pairs["number"])).group_by("number").aggregate([("weight", "sum")])
        found[row.identity] = (sums["number"].to_numpy(), sums["weight_sum"].to_numpy())
    return found
