"""Why elements of an RDD are missing: how many like them enter and leave each operator, and which one dropped them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pyspark.sql import functions as F

from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.culprits import culprits
from bigdebug.lineage.described import Described, Description, why_not_description
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.operators import NodeLookup
from bigdebug.lineage.rdd import held, workers
from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.conjuncts import Conjunct, conjuncts_of
from bigdebug.lineage.rdd.descending import carried_down, in_pairs
from bigdebug.lineage.rdd.doubts import doubts_about, doubts_about_taken
from bigdebug.lineage.rdd.frames import Frame
from bigdebug.lineage.rdd.freezing import Frozen, frozen_for
from bigdebug.lineage.rdd.kinds import COGROUPS, JOINS, OF_FRAME, SAMPLING
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import sources_in
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.some_rows import only_given
from bigdebug.lineage.rdd.trace import contributing_in_order, require_understood
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.sampling import MOST, Dropped
from bigdebug.lineage.sql_names import quoted
from bigdebug.lineage.whynot import WhyNot, WhyNotStep

MOST_OPERATORS = 300
"""So many operators at most lie between an output and a source; each is counted by a job of its own."""

_REASONS = {
    "filter": "its function is false of it",
    "join": "no element of the other input has its key",
    "subtract": "the other input holds it",
    "subtractByKey": "the other input holds its key",
    "intersection": "not all inputs hold it",
    **dict.fromkeys(SAMPLING, "it isn't in the sample"),
}


@dataclass(eq=False, frozen=True)
class _Followed:
    """An operator that conditions were carried to; what `Followed` is for DataFrames.

    Attributes:
        operator: of the program.
        given: the functions given to it.
        conjuncts: the conditions on its elements.
        entering: the same of the inputs that the conditions speak of.
        stopped: the conditions that can't be carried further down.
        needs_all: whether an element that matches takes one of each of these inputs.
        action: it is what the action took of the elements, not the operator's.
    """

    operator: RddOperator
    given: Frozen
    conjuncts: tuple[Conjunct, ...]
    entering: tuple[_Followed, ...] = ()
    stopped: tuple[Conjunct, ...] = ()
    needs_all: bool = False
    action: bool = False

    @property
    def is_source(self) -> bool:
        return not self.entering

    @property
    def is_blameless(self) -> bool:
        return False

    def lacks_records(self, counts: Mapping[_Followed, int]) -> bool:
        # What a join's partner lacks is no fault of the source that the partner would have come from.
        is_asked = not self.conjuncts or any(each.own for each in self.conjuncts)
        return counts[self] == 0 and is_asked


class RddWhyNot(Described):
    """Why elements that should be there are missing. Immutable; runs its jobs when it is first asked.

    Has the face of the `WhyNot` of DataFrames.

    Args:
        rows: what was asked about.
        where: what the missing elements would fulfil: a function of an element, an expression in Python, or
            conditions.
        frames: the DataFrames below, by the operators that give their rows.
        notes: what is already known to make the answer inexact.
        lookup: gives the recorded node of a tag's value, for the RDDs that these are made of.

    Raises:
        UnsupportedOperatorError: an operator isn't understood.
        BigDebugError: `where` is no condition, or the program is too long.
    """

    def __init__(
        self,
        rows: RddRows,
        where: str | Callable[[Any], Any] | Sequence[Conjunct],
        frames: Mapping[RddOperator, Frame],
        notes: tuple[str, ...] = (),
        lookup: NodeLookup | None = None,
    ) -> None:
        require_understood(rows.operator)
        self._rows = rows
        self._frames = frames
        self._static = notes
        self._lookup = lookup
        self._context = rows.operator.context
        self._annotator = Annotator(self._context)
        order = contributing_in_order(rows.operator)
        if len(order) > MOST_OPERATORS:
            raise BigDebugError(
                f"the program has {len(order):,} operators, and each would be counted by a job of its own",
                hint="ask about an RDD nearer to the sources: session.why_not(rdd, where)",
            )
        self._names = {source.operator: source.name for source in sources_in(order)}
        self._known: dict[tuple[RddOperator, tuple[Conjunct, ...]], _Followed] = {}
        with travelling():
            asked = conjuncts_of(where) if isinstance(where, str) or callable(where) else where
            self._top = self._beginning(tuple(asked))
        self._order = _upwards(self._top)

    # -- the public face ----------------------------------------------------------------------------

    @cached_property
    def steps(self) -> list[WhyNotStep]:
        """The operators, from the sources up, as far down as the condition could be carried."""
        return [
            step
            for each, own in self._steps.items()
            for step in (*(self._frames_asked[each].steps if each in self._frames_asked else ()), own)
        ]

    @cached_property
    def culprit(self) -> WhyNotStep | None:
        """The operator that matching elements entered and none left.

        Of a source: none of its records matches. None where the elements aren't missing.
        """
        if self._below is not None:
            return self._below.culprit
        return self._steps[self._culprits[0]] if self._culprits else None

    @cached_property
    def dropped(self) -> list[Dropped]:
        """Up to five of the elements that the culprit dropped, each with the reason."""
        if not self._culprits:
            return []
        if self._below is not None:
            return self._below.dropped
        with self._asking("elements that were dropped"):
            return self._dropped_at(self._culprits[0])

    @cached_property
    def not_carried(self) -> list[str]:
        """The conditions that couldn't be carried further down, and where."""
        found = [
            f"{stopped.text} isn't told by the elements that enter {each.operator.described()}"
            for each in reversed(self._order)
            for stopped in each.stopped
        ]
        beyond = [told for asked in self._frames_asked.values() for told in asked.not_carried]
        return list(dict.fromkeys([*found, *beyond]))

    @property
    def exact(self) -> bool:
        """Whether a second run gives these elements for sure."""
        return not self._doubts

    @cached_property
    def notes(self) -> list[str]:
        """Why the answer isn't exact, and what else a person must know about it."""
        told = self._below.notes if self._below is not None else self._told
        return list(dict.fromkeys([*told, *self._doubts]))

    @property
    def matching(self) -> int:
        """How many of the elements asked about match."""
        return self._counts[self._top]

    @property
    def bytes(self) -> int:
        """The most that one pass over the sources reads."""
        return sum(size for each in self._rows.operator.walk() for _, size, _ in each.listed or ())

    def _description(self) -> Description:
        return why_not_description(self, "elements like it")

    def __repr__(self) -> str:
        return f"<RddWhyNot of {self._rows.operator.described()}>"

    # -- how it gets there --------------------------------------------------------------------------

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        with jobs_of_ours(self._context, what), travelling():
            yield

    def _beginning(self, conjuncts: tuple[Conjunct, ...]) -> _Followed:
        rows = self._rows
        if rows.action is None:
            return self._followed(rows.operator, rows.frozen, conjuncts)
        # `lookup` gives the values of pairs, all others the elements themselves.
        below = (
            tuple(each.at((1, *each.path)) for each in conjuncts) if rows.action == "lookup" else conjuncts
        )
        entering = self._followed(rows.operator, rows.frozen, below)
        return _Followed(rows.operator, rows.frozen, conjuncts, (entering,), action=True)

    def _followed(self, operator: RddOperator, given: Frozen, conjuncts: tuple[Conjunct, ...]) -> _Followed:
        known = self._known.get((operator, conjuncts))
        if known is not None:
            return known
        asked, conjuncts = conjuncts, in_pairs(operator.kind, conjuncts)
        frozen = frozen_for(operator, given)
        if operator.inputs:
            arguments = self._annotator.arguments(operator, frozen)
            carried = carried_down(operator, arguments, list(conjuncts))
            entering = tuple(self._followed(each, frozen, tuple(below)) for each, below in carried.inputs)
            found = _Followed(
                operator, frozen, conjuncts, entering, tuple(carried.stopped), carried.needs_all
            )
        else:
            found = _Followed(operator, frozen, conjuncts)
        self._known[operator, asked] = found
        return found

    def _elements(self, each: _Followed) -> Any:
        """All elements of an operator, or those that the action gave."""
        plain = self._annotator.plain(each.operator, each.given)
        if not each.action:
            return plain
        given = only_given(self._rows, plain.map(workers.with_no_ids, True))
        return given.elements.map(workers.element_of)

    def _fulfilling(self, each: _Followed, conjuncts: tuple[Conjunct, ...]) -> Any:
        elements = self._elements(each)
        if not conjuncts:
            return elements
        return elements.filter(held.all_hold([one.condition for one in conjuncts]))

    @cached_property
    def _counts(self) -> dict[_Followed, int]:
        with self._asking("matching elements"):
            return {each: int(self._fulfilling(each, each.conjuncts).count()) for each in self._order}

    @cached_property
    def _steps(self) -> dict[_Followed, WhyNotStep]:
        counts = self._counts
        found = {}
        for each in self._order:
            operator = each.operator
            entering = sum(counts[below] for below in each.entering) if each.entering else counts[each]
            name = self._names.get(operator, operator.label)
            if each.action:
                name = self._rows.action or name
            found[each] = WhyNotStep(name, operator.call_site, entering, counts[each])
        return found

    @cached_property
    def _frames_asked(self) -> dict[_Followed, WhyNot]:
        """Why rows like the elements asked about are missing in DataFrames, by the operators that give their rows."""
        return {
            each: self._asked_of(self._frames[each.operator], each.conjuncts)
            for each in self._order
            if each.operator.kind == OF_FRAME and (each.conjuncts or not self._counts[each])
        }

    def _asked_of(self, frame: Frame, conjuncts: tuple[Conjunct, ...]) -> WhyNot:
        """The same question of a DataFrame's rows: what is asked in Python is a function of all their columns."""
        question = frame.question
        with travelling():
            asked = held.all_hold([one.condition for one in conjuncts])
            test = F.udf(asked, "boolean", useArrow=False)
            columns = [F.col(quoted(name)) for name in question.catalyst.names(question.root.plan)]
            condition = test(F.struct(*columns)) if conjuncts else F.lit(True)
            called = " and ".join(one.text for one in conjuncts)
            if self._lookup is None:
                return WhyNot(question, condition, called)
            # Each asks the other: a program may go to and fro.
            from bigdebug.lineage.rdd.crossing_whynot import CrossingWhyNot

            return CrossingWhyNot(question, condition, self._lookup, called)

    @cached_property
    def _below(self) -> WhyNot | None:
        """What tells of a DataFrame's rows, where none of them matches and they are to blame."""
        return self._frames_asked.get(self._culprits[0]) if self._culprits else None

    @cached_property
    def _culprits(self) -> list[_Followed]:
        """All that dropped matching elements, those of other branches too; the sources where none had any."""
        if self._counts[self._top]:
            return []
        found = culprits(self._top, self._counts, self._drops_below)
        if found:
            return found
        sources = [each for each in self._order if each.is_source]
        return [each for each in sources if self._drops_below(each)] or sources

    def _drops_below(self, each: _Followed) -> bool:
        """Whether the DataFrame whose rows an operator gives had rows like it, and dropped them."""
        return each in self._frames_asked and self._frames_asked[each].names_an_operator

    @property
    def names_an_operator(self) -> bool:
        """Whether the culprit is an operator that dropped something, and no source that never had it."""
        return any(not each.is_source or self._drops_below(each) for each in self._culprits[:1])

    def _dropped_at(self, each: _Followed) -> list[Dropped]:
        if each.is_source:
            return []
        rest = tuple(one for one in each.conjuncts if one not in each.stopped)
        if each.stopped:
            found = self._fulfilling(each, rest).take(MOST)
            reasons = [f"{one.text} is false" for one in each.stopped]
            if found:
                return [Dropped({"value": element}, reasons) for element in found]
        entering = next((below for below in each.entering if self._counts[below]), None)
        if entering is None:
            return []
        reason = f"it isn't among the elements that {self._rows.action} gave"
        if not each.action:
            alive = all(self._counts[below] for below in each.entering)
            paired = each.operator.kind in JOINS and alive
            reason = "no pair of it matches" if paired else _reason(each.operator)
        found = self._fulfilling(entering, entering.conjuncts).take(MOST)
        return [Dropped({"value": element}, [reason]) for element in found]

    @cached_property
    def _told(self) -> list[str]:
        if not self._culprits:
            return [f"nothing is missing: {self._counts[self._top]:,} of the elements match"]
        first, *others = self._culprits
        if first.is_source:
            names = [self._steps[each].operator for each in self._culprits if each.is_source]
            return [f"no record matches in {', '.join(names)}"]
        return [
            f"{each.operator.described()} dropped elements that match, too"
            for each in others
            if not each.is_source
        ]

    @cached_property
    def _doubts(self) -> list[str]:
        root = self._rows.operator
        found = [*self._static, *doubts_about(root, opaque=False), *doubts_about_taken(self._rows)]
        for frame in self._frames.values():
            found += frame.question.doubts()
        return list(dict.fromkeys(found))


def _reason(operator: RddOperator) -> str:
    if operator.kind in JOINS or operator.kind in COGROUPS:
        return _REASONS["join"]
    return _REASONS.get(operator.kind, f"{operator.label} makes no such element of it")


def _upwards(top: _Followed) -> list[_Followed]:
    """All operators that conditions were carried to, each once, inputs before those who read them."""
    found: dict[_Followed, None] = {}
    waiting = [(top, False)]
    while waiting:
        each, entered = waiting.pop()
        if each in found:
            continue
        if entered:
            found[each] = None
        else:
            waiting.append((each, True))
            waiting += [(below, False) for below in reversed(each.entering)]
    return list(found)
