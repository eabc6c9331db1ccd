"""What elements stem from, as it is collected from the files of a relation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_SPARSE = 64
"""Numbers so far apart on average are sorted; what is closer is ticked off in a list of all between."""


@dataclass
class Stems:
    """What elements stem from, by the numbers of leaves.

    Attributes:
        places: of each leaf the places of records, as sorted numbers, each once.
        keys: of each leaf the names of keys.
    """

    places: dict[int, Any] = field(default_factory=dict)
    keys: dict[int, set[bytes]] = field(default_factory=dict)

    def add(self, other: Stems) -> None:
        """Take in what other elements stem from."""
        for leaf, places in other.places.items():
            mine = self.places.get(leaf)
            self.places[leaf] = places if mine is None else distinct([mine, places])
        for leaf, keys in other.keys.items():
            self.keys.setdefault(leaf, set()).update(keys)


class Collected:
    """Gathers what elements stem from, some at a time."""

    def __init__(self) -> None:
        self._places: dict[int, list[Any]] = {}
        self._keys: dict[int, set[bytes]] = {}

    def add_places(self, leaf: int, places: Any) -> None:
        """Take in the places of records of a leaf, as numbers in any order."""
        self._places.setdefault(leaf, []).append(places)

    def add_keys(self, leaf: int, codes: Any, known: Any) -> None:
        """Take in keys of a leaf: codes, and an Arrow array of the names of all keys."""
        names = (known[code].as_py() for code in np.unique(codes).tolist())
        self._keys.setdefault(leaf, set()).update(names)

    def add(self, stems: Stems) -> None:
        """Take in what was gathered elsewhere."""
        for leaf, places in stems.places.items():
            self.add_places(leaf, places)
        for leaf, keys in stems.keys.items():
            self._keys.setdefault(leaf, set()).update(keys)

    def stems(self) -> Stems:
        """All of it."""
        return Stems({leaf: distinct(found) for leaf, found in self._places.items()}, self._keys)


def distinct(parts: Iterable[Any]) -> Any:
    """The numbers of some arrays, sorted, each once."""
    numbers = np.concatenate([np.asarray(part, dtype=np.int64) for part in parts])
    if not len(numbers):
        return numbers
    first, last = int(numbers.min()), int(numbers.max())
    if last - first < _SPARSE * len(numbers):
        seen = np.zeros(last - first + 1, dtype=bool)
        seen[numbers - first] = True
        return np.flatnonzero(seen) + first
    numbers.sort(kind="stable")  # quick where parts are sorted already
    return numbers[np.append(True, numbers[1:] != numbers[:-1])]


def as_numpy(numbers: Any) -> Any:
    """An Arrow array of numbers without nulls, as it lies in memory; its own `to_numpy` loads pandas, too."""
    return np.from_dlpack(numbers)
