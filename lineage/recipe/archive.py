"""A recipe as one file: a zip of the JSON description and the Java pieces."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from bigdebug.lineage.errors import RecipeError

FORMAT = 1


@dataclass(frozen=True)
class Recipe:
    """What is needed to compute an output again.

    Attributes:
        spark: Spark's version when it was recorded.
        python: Python's version, which pickled functions depend on.
        settings: `spark.sql.*` settings, no secrets.
        skeleton: the plan, see `codec.py`.
        leaves: its sources, see `leaves.py`.
        names: the sources' names, in the plan's order.
        all_names: the same, with those that subqueries read; None where there are none, or none to ask about.
        columns: the output's columns.
        limit, tail: which of the rows the action gave, see `OutputRows`.
        uses_python: the plan calls pickled Python functions.
        libraries: settings of the Spark it ran in that say where Java classes are: drivers, formats.
        folder: the script's folder, where modules that functions refer to are found.
        pieces: Java-serialized objects the skeleton refers to.
        below: the recipe of the RDDs that DataFrames among its leaves were made of, if any were.
    """

    spark: str
    python: str
    settings: dict[str, str]
    skeleton: dict[str, Any]
    leaves: list[dict[str, Any]]
    names: list[str]
    columns: list[str]
    limit: int | None = None
    tail: int | None = None
    uses_python: bool = False
    folder: str | None = None
    all_names: list[str] | None = None
    libraries: dict[str, str] = field(default_factory=dict)
    pieces: bytes = field(default=b"", repr=False)
    below: bytes = field(default=b"", repr=False)

    def description(self) -> dict[str, Any]:
        """All but the pieces, as it is written."""
        described = {"format": FORMAT, **asdict(self)}
        del described["pieces"], described["below"]
        return described

    def to_bytes(self) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("recipe.json", json.dumps(self.description()))
            archive.writestr("pieces.bin", self.pieces)
            if self.below:
                archive.writestr("below.zip", self.below)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Recipe:
        """Raises RecipeError where the file is damaged or of another format."""
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                description = json.loads(archive.read("recipe.json"))
                pieces = archive.read("pieces.bin")
                below = archive.read("below.zip") if "below.zip" in archive.namelist() else b""
        except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
            raise RecipeError(
                f"the recipe is damaged ({error})", hint="run the script again to record a new one"
            ) from None
        known = {each.name for each in fields(cls)} - {"pieces", "below"}
        description = (
            {"all_names": None, "libraries": {}, **description}
            if isinstance(description, dict)
            else description
        )
        if (
            not isinstance(description, dict)
            or description.pop("format", None) != FORMAT
            or set(description) != known
        ):
            raise RecipeError(
                "the recipe was written by another version of bigdebug",
                hint="open it with that version, or run the script again",
            )
        return cls(**description, pieces=pieces, below=below)
