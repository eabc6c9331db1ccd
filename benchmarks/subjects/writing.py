"""Text files of many lines, made in columns: a part at a time, each part from random numbers of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.subjects.truth import Place

_LARGEST_PART = 500_000
_FEWEST_PARTS = 2


@dataclass(frozen=True)
class Part:
    """A part of an input.

    Attributes:
        file: its path within the input's folder.
        first: number of its first record in the whole input.
        size: how many records it holds.
        drawn: its random numbers.
    """

    file: str
    first: int
    size: int
    drawn: np.random.Generator

    @property
    def numbers(self) -> np.ndarray:
        """Of its records, in the whole input."""
        return np.arange(self.first, self.first + self.size)

    def place(self, index: int) -> Place:
        return Place(self.file, int(index))

    def here(self, chosen: np.ndarray) -> np.ndarray:
        """Which of some records are in this part: their indices in it, in order."""
        mine = chosen[(chosen >= self.first) & (chosen < self.first + self.size)]
        return np.sort(mine) - self.first


@dataclass(frozen=True)
class Input:
    """What a generator writes to.

    Attributes:
        folder: for the files; `path/part-….txt` under it are written.
        records: how many to write, in all parts.
        seed: two inputs of one seed and size are the same to the byte.
    """

    folder: Path
    records: int
    seed: int
    drawn: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "drawn", np.random.default_rng([self.seed, 1_000_000]))

    def choose(self, rates: Mapping[str, float], among: int | None = None) -> dict[str, np.ndarray]:
        """Choose the culprits, at these rates and at least one of each: numbers of records, all different.

        Args:
            rates: by kind of culprit.
            among: the first so many records; all if not given.
        """
        sizes = {kind: max(1, round(rate * self.records)) for kind, rate in rates.items()}
        chosen = self.drawn.choice(among or self.records, sum(sizes.values()), replace=False)
        bounds = np.cumsum(list(sizes.values()))[:-1]
        return dict(zip(sizes, np.split(chosen, bounds), strict=True))

    def parts(self, path: str = "") -> Iterator[Part]:
        """The parts, all but the last of one even size."""
        size = min(_LARGEST_PART, -(-self.records // _FEWEST_PARTS))
        size += size % 2
        for number, first in enumerate(range(0, self.records, size)):
            drawn = np.random.default_rng([self.seed, number])
            file = str(Path(path, f"part-{number:05}.txt"))
            yield Part(file, first, min(size, self.records - first), drawn)

    def write(self, file: str, *pieces: Any) -> None:
        """Write lines.

        Args:
            file: path within the folder.
            pieces: what each line is made of: arrays of strings, and texts that are the same in all lines.
        """
        target = self.folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        lines = joined(*pieces, "\n")
        offsets = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset : lines.offset + len(lines) + 1]
        # The strings of an array lie one behind the other: they are the file.
        target.write_bytes(memoryview(lines.buffers()[2])[offsets[0] : offsets[-1]])


def joined(*pieces: Any) -> pa.StringArray:
    """Arrays of strings, and texts, put together line by line."""
    return pc.binary_join_element_wise(*pieces, "")


def texts(numbers: np.ndarray) -> pa.StringArray:
    """Whole numbers, as people write them."""
    return pa.array(numbers).cast(pa.string())


def picked(table: list[str], indices: np.ndarray) -> pa.StringArray:
    """Strings of a table."""
    return pa.array(table, pa.string()).take(pa.array(indices))


def listed(items: pa.StringArray, sizes: np.ndarray, between: str) -> pa.StringArray:
    """Strings put together to lines, so many to each."""
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(offsets, items), between)


def changed(column: pa.StringArray, indices: np.ndarray, values: list[str]) -> pa.StringArray:
    """A column with other strings in some places, which are in order."""
    mask = np.zeros(len(column), bool)
    mask[indices] = True
    return pc.replace_with_mask(column, pa.array(mask), pa.array(values, pa.string()))
