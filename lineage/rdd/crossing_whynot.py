"""Why rows of DataFrames are missing, where these were made of RDDs: the question goes on through the RDDs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import Column

from bigdebug.lineage.asking import asking
from bigdebug.lineage.conditions import Conjunct
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.matching import Followed, fulfilling
from bigdebug.lineage.operators import NodeLookup
from bigdebug.lineage.questions import Question
from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.asked_columns import translated
from bigdebug.lineage.rdd.joints import joints_among
from bigdebug.lineage.rdd.mixed import followed, frames_below
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.whynot import RddWhyNot
from bigdebug.lineage.sampling import Dropped
from bigdebug.lineage.whynot import WhyNot, WhyNotStep


@dataclass(frozen=True)
class _Below:
    """What was found below a DataFrame that was made of an RDD.

    Attributes:
        asked: why elements like its rows are missing; None where no condition could be carried there.
        not_carried: the conditions that couldn't.
    """

    asked: RddWhyNot | None
    not_carried: tuple[str, ...]


class CrossingWhyNot(WhyNot):
    """Why rows are missing, below the RDDs that DataFrames were made of, too.

    Args:
        question: about the rows.
        where: what the missing rows would fulfil.
        lookup: gives the recorded node of a tag's value.
        called: how the condition reads where it isn't the user's own SQL.

    Raises:
        UnknownNameError: `where` names a column that the rows don't have.
        BigDebugError: `where` isn't a condition on one row.
    """

    def __init__(
        self, question: Question, where: str | Column, lookup: NodeLookup, called: str | None = None
    ) -> None:
        super().__init__(question, where, called)
        self._lookup = lookup

    @cached_property
    def steps(self) -> list[WhyNotStep]:
        below = [step for each in self._below.values() if each.asked for step in each.asked.steps]
        return [*below, *super().steps]

    @cached_property
    def culprit(self) -> WhyNotStep | None:
        return super().culprit if self._to_blame is None else self._to_blame.culprit

    @cached_property
    def dropped(self) -> list[Dropped]:
        return super().dropped if self._to_blame is None else self._to_blame.dropped

    @cached_property
    def not_carried(self) -> list[str]:
        below = [
            told
            for each in self._below.values()
            for told in (*each.not_carried, *(each.asked.not_carried if each.asked else ()))
        ]
        return list(dict.fromkeys([*super().not_carried, *below]))

    @property
    def exact(self) -> bool:
        return super().exact and all(each.asked.exact for each in self._below.values() if each.asked)

    @cached_property
    def notes(self) -> list[str]:
        if self._to_blame is None:
            return super().notes
        return list(dict.fromkeys([*self._to_blame.notes, *self._doubts]))

    # -- how it gets there --------------------------------------------------------------------------

    @cached_property
    def _below(self) -> dict[Followed, _Below]:
        """What is known below the DataFrames made of RDDs that the conditions were carried to."""
        context = self._catalyst.spark.sparkContext
        leaves = [self._sources[each.operator] for each in self._order if each.operator in self._sources]
        joints = followed(joints_among(context, leaves))
        return {
            each: self._asked_of(each, joints[self._sources[each.operator]])
            for each in self._order
            if (each.conjuncts or not self._counts[each]) and self._sources.get(each.operator) in joints
        }

    def _asked_of(self, each: Followed, joint: RddOperator) -> _Below:
        (source,) = joint.inputs
        frozen = joint.frozen or {}
        functions = Annotator(joint.context).arguments(joint, frozen)["functions"]
        mine, others = translated(self._catalyst, each.operator.plan, functions, each.conjuncts)
        not_carried = [
            f"{other.text} isn't asked of the elements of {source.described()}: of them only comparisons of a "
            "column with constants are"
            for other in others
        ]
        if each.conjuncts and not mine:
            return _Below(None, tuple(not_carried))
        found = RddWhyNot(
            RddRows(source, frozen), mine, frames_below([joint], self._lookup), lookup=self._lookup
        )
        if found.matching != self._rows_of(each, others):
            told = " and ".join(one.text for one in mine)
            return _Below(None, (f"{told} holds of other elements of {source.described()} than of rows",))
        return _Below(found, tuple(not_carried))

    def _rows_of(self, each: Followed, without: Sequence[Conjunct]) -> int:
        """How many rows fulfil the conditions on them but for some."""
        if not without:
            return self._counts[each]
        rest = [one for one in each.conjuncts if one not in without]
        with asking(self._catalyst, "matching rows"), deep_plans():
            return int(self._catalyst.frame(fulfilling(self._catalyst, each.operator, rest)).count())

    def _is_asked_below(self, each: Followed) -> bool:
        return each in self._below and self._below[each].asked is not None

    def _drops_below(self, each: Followed) -> bool:
        asked = self._below[each].asked if each in self._below else None
        return asked is not None and asked.names_an_operator

    @cached_property
    def _to_blame(self) -> RddWhyNot | None:
        """What tells of an RDD's elements, where none of the rows made of them matches and they are to blame."""
        if not self._culprits:
            return None
        below = self._below.get(self._culprits[0])
        return below.asked if below and below.asked and below.asked.culprit else None
