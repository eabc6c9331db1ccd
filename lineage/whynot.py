"""Why a row is missing: how many rows like it enter and leave each operator, and which operator dropped them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import Column

from bigdebug.lineage.asking import asking
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.conditions import Conjunct, conjuncts_of, text_of
from bigdebug.lineage.culprits import culprits, upwards
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.described import Described, Description, why_not_description
from bigdebug.lineage.dropped import dropped_at
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.estimate import bytes_read
from bigdebug.lineage.matching import Followed, count_matching, follow
from bigdebug.lineage.questions import Question
from bigdebug.lineage.rdd.joints import joints_among
from bigdebug.lineage.reading_alike import reading_alike
from bigdebug.lineage.sampling import Dropped
from bigdebug.lineage.set_operations import with_set_operations
from bigdebug.lineage.where import rows_where


@dataclass(frozen=True)
class WhyNotStep:
    """An operator on the way from the sources to the rows asked about.

    Attributes:
        operator: the plan operator's name; of a source, the source's.
        call_site: the user's line that asked for it.
        rows_in: how many rows that match enter it; of a join, those of the sides that the condition speaks of.
        rows_out: how many rows that match leave it; of a source, how many of its records match.
    """

    operator: str
    call_site: CallSite | None
    rows_in: int
    rows_out: int


class WhyNot(Described):
    """Why rows that should be there are missing. Immutable; runs its jobs when it is first asked.

    Args:
        question: about the rows.
        where: what the missing rows would fulfil.
        called: how the condition reads where it isn't the user's own SQL.

    Raises:
        UnknownNameError: `where` names a column that the rows don't have.
        BigDebugError: `where` isn't a condition on one row.
    """

    def __init__(self, question: Question, where: str | Column, called: str | None = None) -> None:
        self._question = question
        self._catalyst = catalyst = question.catalyst
        self._sources = dict(question.sources)
        with deep_plans():
            found = rows_where(catalyst, question.root, where)
            if found.condition is None:
                raise BigDebugError(
                    f"where={str(where)!r} is no condition on one row",
                    hint="leave window functions, generators and hidden columns out of it",
                )
            root = with_set_operations(catalyst, reading_alike(catalyst, question.root, self._sources))
            asked = [
                Conjunct(each, called or text_of(catalyst, each))
                for each in conjuncts_of(catalyst, found.condition)
            ]
            self._top = follow(catalyst, root, asked)
        self._order = upwards(self._top)

    # -- the public face ----------------------------------------------------------------------------

    @cached_property
    def steps(self) -> list[WhyNotStep]:
        """The operators, from the sources up, as far down as the condition could be carried."""
        return list(self._steps.values())

    @cached_property
    def culprit(self) -> WhyNotStep | None:
        """The operator that matching rows entered and none left.

        Of a source: none of its records matches. None where the rows aren't missing.
        """
        return self._steps[self._culprits[0]] if self._culprits else None

    @cached_property
    def dropped(self) -> list[Dropped]:
        """Up to five of the rows that the culprit dropped, each with the reasons."""
        if not self._culprits:
            return []
        with asking(self._catalyst, "rows that were dropped"), deep_plans():
            return dropped_at(self._catalyst, self._culprits[0], self._counts)

    @cached_property
    def not_carried(self) -> list[str]:
        """The conditions that couldn't be carried further down, and where."""
        return [
            f"{stopped.text} isn't told by the rows that enter {_described(each)}"
            for each in reversed(self._order)
            for stopped in each.stopped
            if stopped.own and each.operator.children
        ]

    @property
    def exact(self) -> bool:
        """Whether a second run gives these rows for sure."""
        return not self._doubts

    @cached_property
    def notes(self) -> list[str]:
        """Why the answer isn't exact, and what else a person must know about it."""
        comparison = self._question.comparison
        compared = comparison.notes if comparison is not None and self._doubts else []
        return [*self._told, *dict.fromkeys([*self._doubts, *compared])]

    @property
    def bytes(self) -> int:
        """The most that one pass over the sources reads."""
        return bytes_read(self._question.catalyst, self._question.sources.values())

    def _description(self) -> Description:
        return why_not_description(self, "rows like it")

    def __repr__(self) -> str:
        return f"<WhyNot of {self._question.root.described()}>"

    # -- how it gets there --------------------------------------------------------------------------

    @cached_property
    def _counts(self) -> dict[Followed, int]:
        with asking(self._catalyst, "matching rows"), deep_plans():
            return count_matching(self._catalyst, self._order)

    @cached_property
    def _steps(self) -> dict[Followed, WhyNotStep]:
        counts = self._counts
        found = {}
        for each in self._order:
            source = self._sources.get(each.operator)
            entering = counts[each] if source else sum(counts[below] for below in each.entering)
            name = source.name if source else each.operator.kind
            found[each] = WhyNotStep(name, each.operator.call_site, entering, counts[each])
        return found

    @cached_property
    def _culprits(self) -> list[Followed]:
        """All that dropped matching rows, those of other branches too; the sources where none had any."""
        if self._counts[self._top]:
            return []
        with deep_plans():
            found = culprits(self._top, self._counts, self._drops_below)
        if found:
            return found
        sources = [each for each in self._order if each.operator in self._sources]
        return [each for each in sources if self._drops_below(each)] or sources

    def _is_asked_below(self, each: Followed) -> bool:
        """Whether the question went on to what a source was made of: of other kinds of why-not."""
        return False

    def _drops_below(self, each: Followed) -> bool:
        """Whether what a source was made of had rows like it, and dropped them: of other kinds of why-not."""
        return False

    @property
    def names_an_operator(self) -> bool:
        """Whether the culprit is an operator that dropped something, and no source that never had it."""
        return any(each.operator.children or self._drops_below(each) for each in self._culprits[:1])

    @cached_property
    def _told(self) -> list[str]:
        if not self._culprits:
            return [f"nothing is missing: {self._counts[self._top]:,} of the rows match"]
        first, *others = self._culprits
        if not first.operator.children:
            names = [self._steps[each].operator for each in self._culprits if not each.operator.children]
            return [f"no record matches in {', '.join(names)}", *self._below_joints]
        return [
            f"{_described(each)} dropped rows that match, too" for each in others if each.operator.children
        ]

    @property
    def _below_joints(self) -> list[str]:
        """Where sources that are to blame were made of RDDs that aren't looked into."""
        blamed = [
            self._sources[each.operator]
            for each in self._culprits
            if each.operator in self._sources and not self._is_asked_below(each)
        ]
        joints = joints_among(self._catalyst.spark.sparkContext, blamed)
        return [
            f"{leaf.name} was made of the elements of an RDD ({joint.described()}), below which nothing is asked: "
            "ask why these are missing, in Python"
            for leaf, joint in joints.items()
        ]

    @cached_property
    def _doubts(self) -> list[str]:
        found = self._question.doubts()
        if not found and self._question.comparison is not None:
            found += self._question.comparison.python_doubts
        return found


def _described(each: Followed) -> str:
    return each.operator.described()
