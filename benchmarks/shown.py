"""The README's table of isolation, out of what was measured: `python -m benchmarks.shown` writes it there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

README = Path(__file__).parents[1] / "README.md"
MEASURED = Path(__file__).parent / "results" / "isolation.jsonl"
BEGIN, END = "<!-- isolation, measured -->\n", "<!-- end of isolation, measured -->\n"
_FORMS = "DataFrame", "RDD"
_HEAD = (
    "| program | records | job, s | isolation ÷ job | precision and recall | behind the row, by a trace alone "
    "| times faster than plain delta debugging | its Spark jobs ÷ ours |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


def table(rows: Iterable[dict[str, Any]]) -> str:
    """A line for each program at the largest size that both of its forms were measured at.

    Args:
        rows: what was measured, by `benchmarks.isolation`.
    """
    by_program: dict[str, dict[int, dict[str, dict[str, Any]]]] = {}
    for row in rows:
        by_program.setdefault(row["program"], {}).setdefault(row["rows"], {})[row["form"]] = row
    lines = []
    for program, sizes in by_program.items():
        whole = [size for size, forms in sizes.items() if set(forms) == set(_FORMS)]
        if whole:
            lines.append(_line(program, max(whole), sizes[max(whole)]))
    return _HEAD + "".join(sorted(lines))


def written(text: str, rows: Iterable[dict[str, Any]]) -> str:
    """A text with the table between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(rows)}\n{END}{after}"


def rows_in(kept: Path) -> list[dict[str, Any]]:
    """What was measured and is kept in a file; nothing where there is none."""
    return [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []


def at_least(row: dict[str, Any]) -> str:
    """What stands before a figure of plain delta debugging: it may not have come to its end."""
    return "" if row["ended"] else "≥ "


def times_faster(row: dict[str, Any]) -> str:
    """How many times longer plain delta debugging takes."""
    return f"{at_least(row)}{row['plain'] / row['isolation']:.0f}"


def times_fewer_jobs(row: dict[str, Any]) -> str:
    """How many times more Spark jobs it takes."""
    return f"{at_least(row)}{row['tests'] / row['jobs']:.0f}"


def _line(program: str, size: int, forms: dict[str, dict[str, Any]]) -> str:
    def each(of: Any) -> str:
        return " · ".join(of(forms[form]) for form in _FORMS)

    cells = [
        program,
        f"{size:,}",
        each(lambda row: f"{row['job']:.1f}"),
        each(lambda row: f"{row['ratio']:.2f}"),
        each(lambda row: f"{row['precision']:.2f}, {row['recall']:.2f}"),
        each(lambda row: f"{row['traced']:,}"),
        each(times_faster),
        each(times_fewer_jobs),
    ]
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    README.write_text(written(README.read_text(), rows_in(MEASURED)))
