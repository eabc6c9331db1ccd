"""What is wrong with a subject's input, known because we put it there: the culprits, and what each of them spoils.

Written beside the input, in a folder that no pipeline reads. It is for scoring answers, never for finding them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

Key = tuple[Any, ...]


class Place(NamedTuple):
    """Where a record stands.

    Attributes:
        file: path within the input's folder.
        line: in that file, counted from 0, whatever is in it.
    """

    file: str
    line: int


@dataclass(frozen=True)
class Bad:
    """A failing row of the output, and the culprits that it was made of.

    This kind fails as long as any of the culprits is there.

    Attributes:
        key: the row's key, in the order of the output's columns.
        culprits: how much each one adds, where that matters.
    """

    key: Key
    culprits: Mapping[Place, float]

    def fails(self, left: Collection[Place]) -> bool:
        """Whether the row fails if of its culprits these are left in the input, and all innocent records."""
        return len(left) > 0

    def right(self, removed: Collection[Place]) -> bool:
        """Whether an answer is right: nothing but culprits, without them the row is well, and none is too many."""
        left = self.culprits.keys() - set(removed)
        return (
            self.culprits.keys() >= set(removed)
            and not self.fails(left)
            and all(self.fails(left | {place}) for place in removed)
        )

    def an_answer(self) -> list[Place]:
        """One right answer."""
        return sorted(self.culprits)

    @property
    def several(self) -> bool:
        """Whether other answers than all the culprits are right."""
        return len(self.an_answer()) < len(self.culprits)


class Bearing(Bad):
    """A failing row that can be well with some of its culprits still there; its kinds tell how many."""

    def an_answer(self) -> list[Place]:
        """One right answer: the culprits that add most, as few as will do."""
        removed = sorted(self.culprits, key=lambda place: (-abs(self.culprits[place]), place))
        left: set[Place] = set()
        for place in reversed(removed):
            if not self.fails(left | {place}):
                left.add(place)
        return [place for place in removed if place not in left]


@dataclass(frozen=True)
class SumAbove(Bearing):
    """A row that fails while what its records add up to is above a limit.

    Attributes:
        innocent: sum over the innocent records.
        limit: the largest sum that is well.
    """

    innocent: float
    limit: float

    def fails(self, left: Collection[Place]) -> bool:
        return self.innocent + sum(self.culprits[place] for place in left) > self.limit


@dataclass(frozen=True)
class MeanOutside(Bearing):
    """A row that fails while the mean of its records is outside some bounds. Without records there is no row.

    Attributes:
        total, count: sum and number of the innocent records.
        least, most: the bounds, both well.
    """

    total: float
    count: int
    least: float
    most: float

    def fails(self, left: Collection[Place]) -> bool:
        count = self.count + len(left)
        if count == 0:
            return False
        mean = (self.total + sum(self.culprits[place] for place in left)) / count
        return not self.least <= mean <= self.most


@dataclass(frozen=True)
class LowestBelow(Bearing):
    """A department that fails while the mean of its lowest courses is below a limit; its culprits are zeros.

    Attributes:
        total, count: sum and number of the innocent grades of the course that has the zeros.
        others: the means of the department's other courses.
        lowest: how many courses are looked at.
        limit: the lowest mean that is well.
    """

    total: float
    count: int
    others: tuple[float, ...]
    lowest: int
    limit: float

    def fails(self, left: Collection[Place]) -> bool:
        means = sorted([*self.others, self.total / (self.count + len(left))])[: self.lowest]
        return sum(means) / len(means) < self.limit


_KINDS: dict[str, type[Bad]] = {kind.__name__: kind for kind in (Bad, SumAbove, MeanOutside, LowestBelow)}


@dataclass(frozen=True)
class Truth:
    """All that is wrong with an input.

    Attributes:
        culprits: the seeded records, and what was done to each.
        failing: the rows that fail, each with its own culprits.
    """

    _version: ClassVar[int] = 1

    culprits: Mapping[Place, str] = field(default_factory=dict)
    failing: tuple[Bad, ...] = ()

    def save(self, file: Path) -> None:
        """Write it as JSON."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            json.dumps(
                {
                    "version": self._version,
                    "culprits": [[*place, done] for place, done in sorted(self.culprits.items())],
                    "failing": [_written(bad) for bad in self.failing],
                }
            )
        )

    @classmethod
    def load(cls, file: Path) -> Truth:
        """Read what `save` wrote."""
        read = json.loads(file.read_text())
        culprits = {Place(name, line): done for name, line, done in read["culprits"]}
        return cls(culprits, tuple(_read(bad) for bad in read["failing"]))


def bad(truth: Truth) -> dict[Key, Bad]:
    """What is right: for the key of each failing row its culprits, and which sets of them are an answer."""
    return {each.key: each for each in truth.failing}


def every_one(keyed: Iterable[tuple[Key, Place]]) -> tuple[Bad, ...]:
    """Rows that fail as long as any of their culprits is there."""
    found: dict[Key, dict[Place, float]] = {}
    for key, place in keyed:
        found.setdefault(key, {})[place] = 1
    return tuple(Bad(key, places) for key, places in sorted(found.items()))


def _written(bad: Bad) -> dict[str, Any]:
    culprits = [[*place, weight] for place, weight in sorted(bad.culprits.items())]
    return {**asdict(Bad(bad.key, {})), **_own(bad), "kind": type(bad).__name__, "culprits": culprits}


def _own(bad: Bad) -> dict[str, Any]:
    return {name: value for name, value in vars(bad).items() if name not in ("key", "culprits")}


def _read(written: dict[str, Any]) -> Bad:
    kind = _KINDS[written.pop("kind")]
    culprits = {Place(name, line): weight for name, line, weight in written.pop("culprits")}
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in written.items()}
    return kind(culprits=culprits, **fields)
