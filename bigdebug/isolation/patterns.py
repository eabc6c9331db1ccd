"""Patterns: what culprits have in common and others don't, as short conjunctions of predicates.

A small beam of our own, in the manner of subgroup discovery (Klösgen, "Explora", 1996), judged by description length
(Rissanen, 1978): a predicate is worth having where it tells more bits of who the culprits are than it takes to choose
it. So a few records are never told by what any record is the only one to have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import lgamma, log, log2

import numpy as np

from bigdebug.isolation.features import Feature
from bigdebug.isolation.predicates import Predicate, proposed
from bigdebug.isolation.values import Mask, Table

LONGEST = 3
_BEAM = 24
_JOINED = 150
"""Predicates that patterns are made longer with."""
_FORMS = ("value", "null", "holds", "shape", "ends", "starts", "number", "length", "size")
"""The plainest first."""
_HANDFUL = 100
_WORTH = 3.0
"""Bits that a pattern, and each predicate in it, must tell more than it takes."""


@dataclass(frozen=True)
class Conjunction:
    """Predicates that all hold.

    Attributes:
        predicates: those over values first, then those over places; in the order of features.
        gain: bits that it tells of who the culprits are, less those that it takes.
        surprise: bits by which its values are rarer than values of their kind usually are.
        told: bits that it tells of who the culprits are, as if no other terms had been looked at.
        sure: it tells more than chance would among as many terms.
        found: which of the culprits that were looked at fulfil it.
    """

    predicates: tuple[Predicate, ...]
    gain: float
    surprise: float
    told: float
    sure: bool
    found: frozenset[int]

    @property
    def text(self) -> str:
        return " and ".join(each.text for each in self.predicates)

    @property
    def inner(self) -> str:
        return " AND ".join(f"({each.inner})" for each in self.predicates)

    @property
    def condition(self) -> str | None:
        """As SQL over the source's columns; None where one of them can't be told by these."""
        parts = [each.condition for each in self.predicates]
        if None in parts:
            return None
        return str(parts[0]) if len(parts) == 1 else " AND ".join(f"({part})" for part in parts)

    @property
    def placed(self) -> bool:
        """Whether it says where records stand."""
        return any(each.feature.term.place for each in self.predicates)

    @property
    def features(self) -> tuple[Feature, ...]:
        return tuple(each.feature for each in self.predicates)

    @property
    def terms(self) -> frozenset[str]:
        """What it speaks of."""
        terms = [each.feature.term for each in self.predicates]
        return frozenset(label for term in terms for label in term.about or (term.label,))

    @cached_property
    def worth(self) -> float:
        """The better of what it tells of culprits, and how rare it is in any case."""
        return max(self.told, self.surprise)

    def mask(self, table: Table) -> Mask:
        found = self.predicates[0].mask(table)
        for each in self.predicates[1:]:
            found = found & each.mask(table)
        return found


@dataclass(frozen=True)
class Counted:
    """A conjunction with how many records fulfil it.

    Attributes:
        conjunction: it.
        culprits, of_culprits: of the culprits, so many fulfil it of so many.
        others, of_others: of the other candidates.
    """

    conjunction: Conjunction
    culprits: int
    of_culprits: int
    others: int
    of_others: int

    @property
    def risk_ratio(self) -> float:
        """How many times likelier a culprit fulfils it than another candidate; infinite where none of these does."""
        if not self.others:
            return float("inf") if self.culprits else 0.0
        return (self.culprits / self.of_culprits) / (self.others / self.of_others)

    @property
    def rank(self) -> tuple[float, ...]:
        """The smaller, the better: by support, risk ratio, shortness; then by how rare it is in any case."""
        support = self.culprits / self.of_culprits
        found = self.conjunction
        plain = sum(_FORMS.index(each.feature.form) for each in found.predicates)
        return (-support, -self.risk_ratio, len(found.predicates), -round(found.surprise, 1), plain)


def search(table: Table) -> list[Conjunction]:
    """Patterns of culprits, to be counted and ranked.

    Args:
        table: the records, or a sample of them.
    """
    if not table.culprit.any():
        return []
    return _Search(table).run()


def best(counted: Sequence[Counted], most: int) -> list[Counted]:
    """The patterns to show, the best first: none that says less than another of the same terms, or than some others."""
    lifting = [each for each in counted if each.culprits and each.risk_ratio > 1]
    ranked = sorted(lifting, key=lambda each: each.rank)
    shown: list[Counted] = []
    for each in ranked:
        if len(shown) == most:
            break
        if not _is_told_better(each, lifting) and not any(_says_no_more(each, other) for other in shown):
            shown.append(max((other for other in ranked if _alike(other, each)), key=_values_named))
    return [each for each in shown if each.conjunction.sure or _is_needed(each, shown)]


def _is_told_better(one: Counted, every: Sequence[Counted]) -> bool:
    """Whether others tell far more of each of a pattern's culprits; or, where it isn't sure, whether sure ones are."""
    found = one.conjunction
    others = [each for each in every if each is not one]
    if not found.sure and found.found <= _found(each for each in others if each.conjunction.sure):
        return True
    better = (
        each
        for each in others
        if each.conjunction.worth > 2 * found.worth and each.risk_ratio > one.risk_ratio
    )
    return not found.placed and found.found <= _found(better)


def _found(some: Iterable[Counted]) -> frozenset[int]:
    """The culprits that fulfil any of some patterns, of those that were looked at."""
    return frozenset().union(*(each.conjunction.found for each in some))


def _is_needed(one: Counted, shown: Sequence[Counted]) -> bool:
    """Whether a pattern that isn't sure is as good as any other of its culprits that isn't, either."""
    others = [each for each in shown if each is not one and one.conjunction.found & each.conjunction.found]
    return all(each.conjunction.sure or each.risk_ratio <= one.risk_ratio for each in others)


def _says_no_more(one: Counted, other: Counted) -> bool:
    """Whether a pattern is of no culprits but those of a better one, and of the same things or far less telling."""
    found, better = one.conjunction, other.conjunction
    if not found.found <= better.found:
        return False
    if found.terms & better.terms:
        return True
    return found.worth < better.worth / 2 and not found.placed


def _alike(one: Counted, other: Counted) -> bool:
    """Whether two patterns are of the same features and fit the same records."""
    found, like = one.conjunction, other.conjunction
    counted = (one.culprits, one.others) == (other.culprits, other.others)
    return counted and (found.found, found.features) == (like.found, like.features)


def _values_named(one: Counted) -> int:
    """A number is told by itself rather than by a range, where that fits the same records."""
    return sum(each.operator == "=" and each.feature.ordered for each in one.conjunction.predicates)


class _Search:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._culprits = int(table.culprit.sum())
        self._others = float(table.other.sum()) * table.weight
        self._of_feature = log2(max(len(table.values), 1))
        self._nothing_known = _bits(self._culprits, self._others)
        numbers = table.numbers[table.culprit]
        self._before = table.other & (table.numbers < numbers.min())
        self._after = table.other & (table.numbers > numbers.max())

    def run(self) -> list[Conjunction]:
        masks = {each: each.mask(self._table) for each in self._singles()}
        judged = (self._judged((each,), masks) for each in masks if self._lifts(masks[each]))
        singles = [each for each in judged if each is not None]
        singles.sort(key=lambda each: -each.gain)
        found = dict.fromkeys(singles)
        joined = [each.predicates[0] for each in singles[:_JOINED]]
        beam = singles[:_BEAM]
        for _ in range(LONGEST - 1):
            longer: dict[Conjunction, None] = {}
            for conjunction in beam:
                for each in joined:
                    made = self._longer(conjunction, each, masks)
                    if made is not None:
                        longer[made] = None
            beam = sorted(longer, key=lambda each: -each.gain)[:_BEAM]
            found |= dict.fromkeys(beam)
        telling = [each for each in found if each.worth > _WORTH]
        if telling or len(self._table.culprit) > _HANDFUL:
            return telling
        # Of so few records nothing is sure: what is rarer than its kind usually is will do.
        return [each for each in singles if each.worth > 0]

    def _singles(self) -> Iterator[Predicate]:
        for feature in self._table.values:
            yield from proposed(self._table, feature)

    def _lifts(self, mask: Mask) -> bool:
        """Whether more of the culprits fulfil it than of the others."""
        table = self._table
        mine = float((mask & table.culprit).sum()) / self._culprits
        others = float(table.other.sum())
        return mine > 0 and (not others or mine > float((mask & table.other).sum()) / others)

    def _longer(
        self, conjunction: Conjunction, more: Predicate, masks: dict[Predicate, Mask]
    ) -> Conjunction | None:
        if conjunction.terms.intersection(more.feature.term.about or (more.feature.term.label,)):
            return None
        made = self._judged((*conjunction.predicates, more), masks)
        if made is None or made.gain <= conjunction.gain + _WORTH:
            return None
        without = (
            self._judged(tuple(each for each in made.predicates if each is not gone), masks)
            for gone in made.predicates
        )
        least = max((each.gain for each in without if each is not None), default=0.0)
        return made if made.gain > least + _WORTH and self._placed_for_sure(made, masks) else None

    def _placed_for_sure(self, made: Conjunction, masks: dict[Predicate, Mask]) -> bool:
        """Whether places tell anything of records whose values are alike.

        Of such records a search names as many as it needs, the first or the last of them: the rest that lies on one
        side tells nothing of places.
        """
        valued = tuple(each for each in made.predicates if not each.feature.term.place)
        if not made.placed or not valued:
            return True
        table = self._table
        alike = self._all_of(valued, masks)
        sides = (alike & self._before, alike & self._after)
        counted = self._all_of(made.predicates, masks) & table.other | max(sides, key=np.count_nonzero)
        whole = self._judged(valued, masks)
        assert whole is not None
        return self._gain(len(made.found), counted, made.predicates) > whole.gain + _WORTH

    def _judged(self, predicates: tuple[Predicate, ...], masks: dict[Predicate, Mask]) -> Conjunction | None:
        """None where no culprit fulfils it."""
        table = self._table
        order = {feature: i for i, feature in enumerate(table.values)}
        ordered = tuple(sorted(predicates, key=lambda each: (each.feature.term.place, order[each.feature])))
        mask = self._all_of(ordered, masks)
        found = frozenset(np.flatnonzero(mask & table.culprit).tolist())
        if not found:
            return None
        gain = self._gain(len(found), mask & table.other, ordered)
        rare = log2(len(mask) / float(mask.sum())) - sum(each.cost for each in ordered)
        if any(each.feature.term.place for each in ordered):
            rare = 0.0
        chance = self._of_feature * len(ordered)
        sure = gain > _WORTH or rare > chance + _WORTH
        return Conjunction(ordered, gain, rare, gain + chance, sure, found)

    def _gain(self, mine: int, others: Mask, predicates: Sequence[Predicate]) -> float:
        """Bits that a part of the culprits and of the others tells of all."""
        theirs = float(others.sum()) * self._table.weight
        cost = sum(each.cost + self._of_feature for each in predicates)
        left = _bits(mine, theirs) + _bits(self._culprits - mine, self._others - theirs)
        return self._nothing_known - left - cost

    @staticmethod
    def _all_of(predicates: Sequence[Predicate], masks: dict[Predicate, Mask]) -> Mask:
        found = masks[predicates[0]]
        for each in predicates[1:]:
            found = found & masks[each]
        return found


def _bits(few: float, many: float) -> float:
    """Bits that tell which of some records are these few."""
    if few <= 0 or many <= 0:
        return 0.0
    return (lgamma(few + many + 1) - lgamma(few + 1) - lgamma(many + 1)) / log(2)
