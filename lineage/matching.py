"""Follow a condition down a dataflow, and count in one job the rows it holds for at every operator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bigdebug.lineage.barrier import behind_barrier, holds_sessions
from bigdebug.lineage.carrying import carry
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.conditions import Conjunct, guarded
from bigdebug.lineage.lateral import DOMAIN
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.pushdown import unpushed

# Counts of one job; a plan of hundreds of branches takes Spark longer to plan than to run.
_AT_ONCE = 24
# Operators that give each row of their input once.
_KEEPING = frozenset(
    {
        "Project", "Sort", "Window", "Repartition", "RepartitionByExpression", "RebalancePartitions",
        "ResolvedHint", "EventTimeWatermark",
    }
)  # fmt: skip


@dataclass(eq=False, frozen=True)
class Followed:
    """An operator that a condition was carried to.

    Attributes:
        operator: of the dataflow.
        conjuncts: the conditions on its rows.
        inputs: for each of its inputs the same; None where the conditions don't speak of it.
        stopped: the conditions that can't be carried further down.
        needs_all: whether a matching row takes a row of each of these inputs.
        by_own: the same rows by those conditions alone that the question asks of them itself, where there are
            others.
    """

    operator: Operator
    conjuncts: tuple[Conjunct, ...]
    inputs: tuple[Followed | None, ...] = ()
    stopped: tuple[Conjunct, ...] = ()
    needs_all: bool = True
    by_own: Followed | None = None

    @property
    def entering(self) -> list[Followed]:
        """Those of its inputs that the conditions speak of."""
        return [below for below in self.inputs if below is not None]

    @property
    def is_source(self) -> bool:
        """Whether its rows come from nothing further down."""
        return not self.operator.children

    @property
    def is_blameless(self) -> bool:
        """Whether it only gives what a subquery is asked with."""
        return self.operator.kind == DOMAIN

    def lacks_records(self, counts: Mapping[Followed, int]) -> bool:
        """Whether it is a source that would have to hold a record that matches, and holds none."""
        # What a join's partner lacks is no fault of the source that the partner would have come from.
        is_asked = not self.conjuncts or any(each.own for each in self.conjuncts)
        return counts[self.by_own or self] == 0 and is_asked


def follow(catalyst: Catalyst, operator: Operator, conjuncts: Sequence[Conjunct]) -> Followed:
    """Carry conditions on an operator's rows down to the sources."""
    carried = carry(catalyst, operator, conjuncts)
    inputs = tuple(
        None if below is None else follow(catalyst, _whole(operator, child), below)
        for child, below in zip(operator.children, carried.inputs, strict=True)
    )
    own = tuple(each for each in conjuncts if each.own)
    by_own = None
    if not operator.children and 0 < len(own) < len(conjuncts):
        by_own = Followed(operator, own)
    return Followed(operator, tuple(conjuncts), inputs, carried.stopped, carried.needs_all, by_own)


def _whole(operator: Operator, child: Operator) -> Operator:
    """A limit is a limit of each partition and one of all, which are one operator to the user."""
    return child.child if (operator.kind, child.kind) == ("GlobalLimit", "LocalLimit") else child


def matching(catalyst: Catalyst, each: Followed) -> Any:
    """The plan of an operator's rows that fulfil the conditions on them."""
    return fulfilling(catalyst, each.operator, each.conjuncts)


def fulfilling(catalyst: Catalyst, operator: Operator, conjuncts: Iterable[Conjunct]) -> Any:
    """The plan of those rows of an operator for which conditions of ours hold."""
    conditions = [guarded(catalyst, unpushed(catalyst, each.expression)) for each in conjuncts]
    if not conditions:
        return operator.plan
    plan = operator.plan
    if holds_sessions(catalyst, operator):
        plan = behind_barrier(catalyst, plan)
    return catalyst.filter(catalyst.all_of(conditions), plan)


def count_matching(catalyst: Catalyst, order: Sequence[Followed]) -> dict[Followed, int]:
    """How many rows match at each operator.

    Args:
        catalyst: of the session to count in.
        order: the operators, inputs before those who read them.
    """
    counted = {one: 0 for each in order for one in (each, each.by_own) if one is not None}
    looked_at = [each for each in counted if not _is_told(each)]
    for start in range(0, len(looked_at), _AT_ONCE):
        some = looked_at[start : start + _AT_ONCE]
        for number, count in _counted(catalyst, some):
            counted[some[number]] = count
    for each in order:
        if _is_told(each):
            counted[each] = sum(counted[below] for below in each.entering)
    return counted


def _is_told(each: Followed) -> bool:
    """Whether as many rows match as in the inputs, so that none need be counted."""
    if each.stopped or not each.inputs:
        return False
    return each.operator.kind in _KEEPING or (each.operator.kind == "Union" and None not in each.inputs)


def _counted(catalyst: Catalyst, some: Sequence[Followed]) -> Iterator[tuple[int, int]]:
    frames = [
        _count(catalyst, each).select(F.lit(number).alias("number"), "count")
        for number, each in enumerate(some)
    ]
    for row in reduce(DataFrame.union, frames).collect():
        yield row["number"], row["count"]


def _count(catalyst: Catalyst, each: Followed) -> DataFrame:
    rows = catalyst.frame(catalyst.project([], matching(catalyst, each)))
    return rows.agg(F.count(F.lit(1)).alias("count"))
