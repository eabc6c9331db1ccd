"""What is copied: rows as text, CSV or JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from bigdebug.lineage.value_text import json_text, json_value, text_value


@dataclass(frozen=True)
class Shown:
    """A table that can be copied.

    Attributes:
        names: of its columns.
        rows: their values.
    """

    names: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def as_(self, form: str) -> str:
        """The table as `text`, `csv` or `json`."""
        return {"text": self.text, "csv": self.csv, "json": self.json}[form]()

    def text(self) -> str:
        """In columns, as it stands on the screen."""
        table = [list(self.names), *([text_value(value) for value in row] for row in self.rows)]
        widths = [max(cell_len(row[place]) for row in table) for place in range(len(self.names))]
        lines = (
            "  ".join(text + " " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True))
            for row in table
        )
        return "".join(f"{line.rstrip()}\n" for line in lines)

    def csv(self) -> str:
        """With a header; null is empty."""
        target = io.StringIO()
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(self.names)
        for row in self.rows:
            writer.writerow(["" if value is None else _plain(value) for value in row])
        return target.getvalue()

    def json(self) -> str:
        """A list of objects; of two columns of one name the later one is `name#2`."""
        names: list[str] = []
        for name in self.names:
            seen = sum(each == name or each.startswith(f"{name}#") for each in names)
            names.append(name if not seen else f"{name}#{seen + 1}")
        return json_text([dict(zip(names, map(json_value, row), strict=True)) for row in self.rows]) + "\n"


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else text_value(value)
