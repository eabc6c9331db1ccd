"""A subject: a program with a fault that its input brings out, as the systems of this field are measured on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark import SparkContext
from pyspark.sql import DataFrame, SparkSession

from benchmarks.subjects.truth import Place, Truth
from benchmarks.subjects.writing import Input


@dataclass(frozen=True)
class Made:
    """An input that stands ready.

    Attributes:
        folder: of it all.
    """

    folder: Path

    @property
    def path(self) -> str:
        """What the pipelines read."""
        return str(self.folder / "input")

    @property
    def truth(self) -> Truth:
        return Truth.load(self.folder / "truth" / "truth.json")

    def without(self, places: Collection[Place], folder: Path) -> str:
        """Write the input again with some records left out; the path of that.

        Args:
            places: of these records.
            folder: for it, which isn't there yet.
        """
        for file in Path(self.path).rglob("*.*"):
            name = str(file.relative_to(self.path))
            lines = file.read_text().splitlines(keepends=True)
            kept = (line for number, line in enumerate(lines) if Place(name, number) not in places)
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("".join(kept))
        return str(folder)


@dataclass(frozen=True)
class Subject:
    """A faulty program in both forms, with what makes its input.

    Attributes:
        name: of the program.
        generate: writes an input; gives what is wrong with it.
        rdd: the program as an RDD, of a context and the input's path.
        frame: the same as a DataFrame, of a session and the input's path.
        columns: the DataFrame's. An element of the RDD has the same values in the same order, in nested tuples.
        keys: how many of the columns, from the left, name a row.
        failing_sql: which rows fail; None where the failure is that the program raises.
        failing_rdd: the same, of an element.
        note: where several answers are right, and what else a reader of an answer should know.
        heads: lines at the head of each file that the DataFrame doesn't count as records.
        most: how many records there are to be had; None where they are made up.
    """

    name: str
    generate: Callable[[Input], Truth]
    rdd: Callable[[SparkContext, str], Any]
    frame: Callable[[SparkSession, str], DataFrame]
    columns: tuple[str, ...]
    keys: int = 1
    failing_sql: str | None = None
    failing_rdd: Callable[[Any], bool] | None = None
    note: str = ""
    heads: int = 0
    most: int | None = None

    @property
    def crashes(self) -> bool:
        """Whether the program raises, rather than giving rows that are wrong."""
        return self.failing_sql is None

    def make(self, folder: Path, records: int, seed: int = 0) -> Made:
        """Write an input and its truth, unless they are there.

        Args:
            folder: for inputs of all subjects, sizes and seeds.
            records: how many the input has, of those that are to be had.
            seed: of all that is random in it.
        """
        place = folder / f"{self.name.replace(' ', '-')}-{records}-{seed}"
        if not (place / "truth" / "truth.json").exists():
            shutil.rmtree(place, ignore_errors=True)
            self.generate(Input(place / "input", records, seed)).save(place / "truth" / "truth.json")
        return Made(place)


def flat(element: Any) -> tuple[Any, ...]:
    """An element of an RDD as the row of a DataFrame would be: nested tuples opened up."""
    if not isinstance(element, tuple):
        return (element,)
    return tuple(value for part in element for value in flat(part))
