"""Which operators to suspect: those whose branches the culprits took and other records didn't.

Spectrum-based fault localization, with records for tests: a branch's score is the similarity coefficient of Ochiai
(Abreu, Zoeteweij and van Gemund, "On the Accuracy of Spectrum-based Fault Localization", TAICPART 2007).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from math import sqrt
from typing import Any

import numpy as np
import pyarrow as pa
from pyroaring import FrozenBitMap
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bigdebug.isolation.branches import Branch, branches_of
from bigdebug.isolation.candidate_set import CandidateSet
from bigdebug.isolation.candidates import Candidates
from bigdebug.isolation.groups import as_array
from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.annotated import Annotated, Boundary
from bigdebug.lineage.asking import asking
from bigdebug.lineage.barrier import is_session_window
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.errors import UnsupportedOperatorError
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.keys import hashed_key
from bigdebug.lineage.natural_key import ROW_BY_ROW
from bigdebug.lineage.operators import Operator

MOST_BRANCHES = 100
_ALL = ("number", "key1", "key2")


@dataclass(frozen=True)
class Suspect:
    """A branch of an operator, and how much it is the culprits' own.

    Attributes:
        operator: as the user called it, where that is known.
        call_site: where it stands in the user's code.
        score: Ochiai's coefficient: 1 where all culprits took it and nobody else did.
        branch: which of its branches, in SQL.
        culprits: how many culprits took it, of how many.
        others: how many other records behind the failing rows, of how many; of very many, how many of a sample.
    """

    operator: str
    call_site: CallSite | None
    score: float
    branch: str
    culprits: tuple[int, int]
    others: tuple[int, int]


def ochiai(culprits: int, of_culprits: int, others: int) -> float:
    """The similarity of who took a branch and who is a culprit, from 0 to 1.

    Args:
        culprits: that took it.
        of_culprits: all there are.
        others: that took it.
    """
    taken = of_culprits * (culprits + others)
    return culprits / sqrt(taken) if taken else 0.0


@dataclass(frozen=True)
class Taken:
    """A branch, and how many records took it.

    Attributes:
        operator: as the user called it, where that is known.
        call_site: where it stands in the user's code.
        branch: which of its branches.
        culprits: how many culprits took it.
        others: how many others.
    """

    operator: str
    call_site: CallSite | None
    branch: str
    culprits: int
    others: int


def ranked(taken: Iterable[Taken], culprits: int, others: int) -> tuple[Suspect, ...]:
    """The branches that some records took and others didn't, the most suspicious first.

    Args:
        taken: the branches; of those that are equally suspicious the first comes first.
        culprits: how many there are.
        others: how many other records.
    """
    found = [
        Suspect(
            each.operator,
            each.call_site,
            round(ochiai(each.culprits, culprits, each.others), 4),
            each.branch,
            (each.culprits, culprits),
            (each.others, others),
        )
        for each in taken
        if each.culprits and (each.culprits, each.others) != (culprits, others)
    ]
    return tuple(sorted(found, key=lambda suspect: -suspect.score))


def suspects(
    catalyst: Catalyst,
    root: Operator,
    sources: dict[Operator, SourceLeaf],
    candidates: CandidateSet,
    culprits: FrozenBitMap,
    behind: FrozenBitMap,
) -> tuple[Suspect, ...]:
    """The branches that some candidates took and others didn't, the most suspicious first.

    Of very many candidates a sample is asked, and only up to the first operator that makes one row of several.

    Args:
        catalyst: of the pinned session.
        root: the dataflow of the output.
        sources: its sources.
        candidates: of all rows.
        culprits: their numbers.
        behind: numbers of the candidates of the rows that the culprits are of.
    """
    with asking(catalyst, "the operators to suspect"):
        kept, others = candidates.some(culprits, behind - culprits)
        spoiled = [stand.numbers for stand in kept.stands if stand.numbers & culprits]
        if not spoiled:
            return ()
        asked = (others | culprits) & FrozenBitMap().union(*spoiled)
        return _Spectrum(catalyst, root, sources, kept, culprits, asked).ranked()


def _is_by_record(operator: Operator) -> bool:
    """Whether no row of a dataflow is made of several records of a source."""
    rowwise = (
        not operator.children or operator.kind in ROW_BY_ROW or operator.kind in ("Join", "ResolvedHint")
    )
    return rowwise and all(map(_is_by_record, operator.children))


class _Spectrum:
    """Who took which branch."""

    def __init__(
        self,
        catalyst: Catalyst,
        root: Operator,
        sources: dict[Operator, SourceLeaf],
        candidates: Candidates,
        culprits: FrozenBitMap,
        asked: FrozenBitMap,
    ) -> None:
        self._catalyst = catalyst
        self._culprits, self._asked = culprits, asked
        self._sampled = candidates.sampled
        self._leaves: dict[Operator, Operator] = {}
        self._root, moved = self._numbered(root, sources, candidates)
        self._annotator = Annotator(catalyst, moved)
        self._pairs: dict[Operator, DataFrame | None] = {}

    def ranked(self) -> tuple[Suspect, ...]:
        branches: list[Branch] = []
        taken: list[DataFrame] = []
        for operator in self._root.walk():
            if self._sampled and not all(_is_by_record(child) for child in operator.children):
                continue
            mine = self._branches(operator, len(branches), taken)
            branches += mine
            if len(branches) >= MOST_BRANCHES:
                break
        if not taken:
            return ()
        found = []
        for branch, (culprits, others) in sorted(self._counted(taken).items()):
            of = branches[branch]
            name = of.operator.node.operator if of.operator.node else of.operator.kind
            found.append(Taken(name, of.operator.call_site, of.text, culprits, others))
        of_culprits = len(self._culprits)
        return ranked(found, of_culprits, len(self._asked) - of_culprits)

    # -- the dataflow -------------------------------------------------------------------------------

    def _numbered(
        self, root: Operator, sources: dict[Operator, SourceLeaf], candidates: Candidates
    ) -> tuple[Operator, dict[Operator, SourceLeaf]]:
        """The dataflow over nothing but the candidates, whose ids are their numbers, and its sources."""
        catalyst = self._catalyst
        moved = dict(sources)
        stands = {point.stand.leaf.operator: point.stand for point in candidates.points}

        def rebuilt(operator: Operator) -> Operator:
            stand = stands.get(operator)
            if stand is not None:
                own = catalyst.output(operator.plan)
                stored = catalyst.project([*own, stand.number], stand.plan)
                plan = catalyst.project(own, stored)
                leaf = Operator(plan, "LocalRelation", (), operator.node, stored=stored)
                del moved[operator]
                moved[leaf] = stand.leaf.moved_to(leaf)
                self._leaves[leaf] = operator
                return leaf
            if not operator.children:
                return operator
            children = tuple(rebuilt(child) for child in operator.children)
            plan = operator.plan.withNewChildren(catalyst.seq([child.plan for child in children]))
            return Operator(plan, operator.kind, children, operator.node, operator.tag)

        return rebuilt(root), moved

    def _branches(self, operator: Operator, first: int, taken: list[DataFrame]) -> list[Branch]:
        """The branches of an operator, if it can be told who takes them; these are added to `taken`."""
        try:
            if operator.kind == "Join" and "Outer" in operator.join_kind:
                annotated = self._annotator.annotate(operator)
                branches = self._partners(operator, annotated)
            else:
                branches = branches_of(self._catalyst, operator)
                annotated = self._annotator.annotate(operator.child) if branches else Annotated(None, ())
            if not branches:
                return []
            marks = [self._catalyst.alias(branch.taken, fresh_name("taken")) for branch in branches]
            frame = self._records(annotated, marks)
        except UnsupportedOperatorError:
            return []  # the branches of other operators can be told all the same
        if frame is None:
            return []
        numbers = [F.when(F.col(str(mark.name())), F.lit(first + i)) for i, mark in enumerate(marks)]
        taken.append(frame.select(F.explode(F.array_compact(F.array(*numbers))).alias("branch"), "number"))
        return branches

    def _partners(self, operator: Operator, joined: Annotated) -> list[Branch]:
        """Whether rows of an outer join found a partner."""
        catalyst, expressions = self._catalyst, self._catalyst.expressions
        left = len(self._annotator.annotate(operator.children[0]).ids)
        kind = operator.join_kind
        found = []
        for side, ids in (("right", joined.ids[left:]), ("left", joined.ids[:left])):
            if not ids or (kind, side) in (("LeftOuter", "left"), ("RightOuter", "right")):
                continue
            there = catalyst.any_of([expressions.IsNotNull(column.id) for column in ids])
            found.append(Branch(operator, f"with a partner on the {side}", there))
            found.append(Branch(operator, f"without a partner on the {side}", expressions.Not(there)))
        return found

    # -- the records --------------------------------------------------------------------------------

    def _records(self, annotated: Annotated, named: Sequence[Any]) -> DataFrame | None:
        """Numbers of the candidates behind annotated rows, with named expressions over these; None if it has none."""
        catalyst = self._catalyst
        names = [str(each.name()) for each in named]
        parts: list[Any] = []
        reading: list[tuple[Boundary | None, list[str]]] = []
        for column in annotated.ids:
            if isinstance(column.origin, Boundary):
                keys = [catalyst.field(column.id, i) for i in range(len(column.origin.grouping))]
                aliases = self._hashed(keys)
                reading.append((column.origin, [str(each.name()) for each in aliases]))
            elif column.origin.operator in self._leaves:
                aliases = [catalyst.alias(column.id, fresh_name("number"))]
                reading.append((None, [str(aliases[0].name())]))
            else:
                continue
            parts += aliases
        if not reading:
            return None
        frame = catalyst.frame(catalyst.project([*parts, *named], annotated.plan))
        found = []
        for boundary, columns in reading:
            if boundary is None:
                one = frame.select(F.col(columns[0]).alias("number"), *names)
                found.append(one.where("number is not null"))
                continue
            below = self._below(boundary)
            if below is not None:
                keyed = frame.select(
                    *(F.col(c).alias(k) for c, k in zip(columns, _ALL[1:], strict=True)), *names
                )
                found.append(keyed.join(below, ["key1", "key2"]).select("number", *names))
        return reduce(DataFrame.unionAll, found) if found else None

    def _below(self, boundary: Boundary) -> DataFrame | None:
        """Numbers of the candidates behind the rows of a boundary, by key."""
        told = boundary.kept is None and boundary.lookup is None and boundary.whole is None
        if not told or any(is_session_window(each) for each in boundary.grouping):
            return None
        known = boundary.operator
        if known not in self._pairs:
            annotated = self._annotator.annotate(boundary.input)
            keys = self._hashed(list(boundary.grouping))
            frame = self._records(annotated, keys)
            if frame is not None:
                frame = frame.toDF(*_ALL).distinct()
            self._pairs[known] = frame
        return self._pairs[known]

    def _hashed(self, keys: list[Any]) -> list[Any]:
        catalyst = self._catalyst
        zero = catalyst.as_long(catalyst.literal(0))
        parts = hashed_key(catalyst, keys) if keys else [zero, zero]
        return [catalyst.alias(each, fresh_name("key")) for each in parts]

    def _counted(self, taken: Sequence[DataFrame]) -> dict[int, tuple[int, int]]:
        """By branch, how many culprits and how many others took it."""
        numbers = as_array(self._asked)
        culprit = np.isin(numbers, as_array(self._culprits)).astype(np.int64)
        known = self._catalyst.spark.createDataFrame(pa.table({"number": numbers, "culprit": culprit}))
        rows = (
            reduce(DataFrame.unionAll, taken)
            .distinct()
            .join(F.broadcast(known), "number")
            .groupBy("branch")
            .agg(F.sum("culprit").alias("culprits"), F.count("*").alias("all"))
            .collect()
        )
        return {row["branch"]: (int(row["culprits"]), int(row["all"] - row["culprits"])) for row in rows}
