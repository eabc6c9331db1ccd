"""Which records are to blame, for people and for programs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from bigdebug.cli.record_view import show_records
from bigdebug.cli.rendering import show_line
from bigdebug.lineage.location import Location, TracedRecord
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import json_value, visible
from bigdebug.wording.commands import for_a_shell
from bigdebug.wording.proofs import of_culprits, of_reproduction
from bigdebug.wording.quantities import duration, plural

if TYPE_CHECKING:
    from bigdebug.isolation.explaining import Pattern
    from bigdebug.isolation.found import IsolatedRecords, IsolatedRow, Isolation
    from bigdebug.isolation.suspects import Suspect

_OF_CULPRITS = 20
_OF_REPRODUCTION = 3
"""Records of a source that are shown where nobody says how many."""
_OF_SUSPECTS = 3


@dataclass(frozen=True)
class IsolateAnswer:
    """All that is shown.

    Attributes:
        run: the run asked about.
        output: its output.
        failing: which rows of it are wrong.
        isolation: what was found.
    """

    run: StoredRun
    output: Output
    failing: str
    isolation: "Isolation"


# -- for programs -----------------------------------------------------------------------------------


def isolate_json(answer: IsolateAnswer, limit: int | None = None) -> dict[str, Any]:
    """The JSON of `bigdebug isolate`.

    Args:
        answer: to be told.
        limit: records of each source at most; None for all that the isolation lists.
    """
    found = answer.isolation
    return {
        "run": answer.run.run_id,
        "output": answer.output.number,
        "failing": answer.failing,
        "matched": found.matched,
        "exact": found.exact,
        "notes": list(found.notes),
        "culprits": _records_json(found.culprits, limit),
        "reproduction": _records_json(found.reproduction, limit),
        "rows": [
            {
                "value": json_value(row.value),
                "candidates": row.candidates,
                "culprits": _records_json(row.culprits, limit),
                "reproduction": _records_json(row.reproduction, limit),
                "notes": list(row.notes),
            }
            for row in found.rows
        ],
        "explanation": [_pattern_json(pattern) for pattern in found.explanation],
        "operators": [_suspect_json(suspect) for suspect in found.operators],
        "replays": found.replays,
        "jobs": found.jobs,
        "seconds": found.seconds,
    }


def _pattern_json(pattern: "Pattern") -> dict[str, Any]:
    return {
        "pattern": pattern.text,
        "source": pattern.source,
        "condition": pattern.condition,
        "culprits": pattern.culprits[0],
        "of_culprits": pattern.culprits[1],
        "others": pattern.others[0],
        "of_others": pattern.others[1],
    }


def _suspect_json(suspect: "Suspect") -> dict[str, Any]:
    return {
        "operator": suspect.operator,
        "call_site": None if suspect.call_site is None else asdict(suspect.call_site),
        "score": suspect.score,
        "branch": suspect.branch,
        "culprits": suspect.culprits[0],
        "of_culprits": suspect.culprits[1],
        "others": suspect.others[0],
        "of_others": suspect.others[1],
    }


def _records_json(records: "IsolatedRecords", limit: int | None) -> dict[str, Any]:
    listed = [
        {
            "source": record.source,
            "file": record.location.file,
            "position": record.location.position,
            "partition": record.location.partition,
            "value": json_value(record.value),
            "influence": json_value(weight),
        }
        for record, weight in zip(records, records.influence, strict=True)
    ]
    if limit is not None:
        listed = list(_first(listed, limit))
    return {"proof": records.proof, "count": records.total, "records": listed}


def _first(listed: Sequence[dict[str, Any]], limit: int) -> Iterator[dict[str, Any]]:
    seen: dict[str, int] = {}
    for each in listed:
        seen[each["source"]] = seen.get(each["source"], 0) + 1
        if seen[each["source"]] <= limit:
            yield each


# -- for people -------------------------------------------------------------------------------------


def show_isolation(console: Console, answer: IsolateAnswer, limit: int | None = None) -> None:
    """Print each failing row with the records to blame for it, and what that took.

    Args:
        console: where to.
        answer: to be shown.
        limit: records of each source at most; None for 20 culprits, and a few of a reproduction.
    """
    output, found = answer.output, answer.isolation
    at = f", {output.call_site.label}" if output.call_site else ""
    name = f"output {output.number} ({output.target or output.action}{at})"
    fail = "fails" if found.matched == 1 else "fail"
    title = f"{plural(found.matched, 'row')} of {name} {fail}: {visible(answer.failing)}"
    show_line(console, Text(title, style="bold"))
    if not found.exact:
        show_line(console, Text("inexact: a second run may give other rows", "yellow"))
    for note in found.notes:
        show_line(console, f"{'note: ' if found.exact else '  - '}{visible(note)}")
    for number, row in enumerate(found.rows, 1):
        console.print()
        if found.rows[1:]:
            show_line(console, Text(f"failing row {number} of {len(found.rows)}", style="bold"))
        _show_row(console, row, limit)
    _show_explanation(console, found)
    _show_operators(console, found)
    console.print()
    took = f"{plural(found.replays, 'replay')} in {plural(found.jobs, 'job')}, {duration(found.seconds)}"
    show_line(console, Text(took, style="italic"))


def _of(counted: tuple[int, int], noun: str) -> str:
    """So many of so many."""
    return f"{counted[0]:,} of {plural(counted[1], noun)}"


def _show_explanation(console: Console, found: "Isolation") -> None:
    """Print what the culprits share, each pattern with its condition in SQL where that reads otherwise."""
    if not found.explanation:
        return
    console.print()
    one = found.culprits.total == 1
    title = "what tells the culprit from the others" if one else "what the culprits share"
    show_line(console, Text(title, style="bold"))
    of_several = len({pattern.source for pattern in found.explanation}) > 1
    for pattern in found.explanation:
        source = f"{visible(pattern.source)}: " if of_several else ""
        show_line(console, f"{source}{visible(str(pattern))}")
        if pattern.condition is not None and pattern.condition != pattern.text:
            show_line(console, Text(f"  in SQL: {visible(pattern.condition)}", style="dim"))


def _show_operators(console: Console, found: "Isolation") -> None:
    """Print the most suspicious branches, a line for each place in the code and one for each branch there."""
    suspects = found.operators[:_OF_SUSPECTS]
    if not suspects:
        return
    console.print()
    show_line(console, Text("operators to suspect, by score", style="bold"))
    for suspect in suspects:
        at = f" at {visible(suspect.call_site.label)}" if suspect.call_site else ""
        fits = f"{_of(suspect.culprits, 'culprit')}, {_of(suspect.others, 'other')}"
        show_line(console, f"{suspect.score:.2f}  {visible(suspect.operator)}{at}: {visible(suspect.branch)}")
        show_line(console, Text(f"      taken by {fits}", style="dim"))


def _show_row(console: Console, row: "IsolatedRow", limit: int | None) -> None:
    show_records(console, [TracedRecord("", Location(None, None), row.value)], ())
    console.print()
    culprits, reproduction = row.culprits, row.reproduction
    of = f"of {plural(row.candidates, 'candidate')}"
    shown: list[TracedRecord] = []
    if culprits.total:
        show_line(console, Text(f"{plural(culprits.total, 'culprit')} {of}", style="bold red"))
        show_line(console, of_culprits(row))
        shown = _show_by_source(console, culprits, _OF_CULPRITS if limit is None else limit)
    else:
        show_line(console, Text(f"no culprits {of}", style="bold"))
        if not row.notes:
            show_line(console, "no removal that makes the row pass was found")
    for note in row.notes:
        show_line(console, f"note: {visible(note)}")
    if not reproduction.total:
        return
    console.print()
    same = reproduction.numbers == culprits.numbers
    counted = plural(reproduction.total, "record")
    which = f"the same {counted.removeprefix('1 ')}" if same else counted
    show_line(console, Text(f"reproduction with {which}", style="bold"))
    show_line(console, of_reproduction(reproduction))
    if not same:
        _show_by_source(console, reproduction, _OF_REPRODUCTION if limit is None else limit, shown)


def _show_by_source(
    console: Console, records: "IsolatedRecords", limit: int, above: Sequence[TracedRecord] = ()
) -> list[TracedRecord]:
    """Print the records of each source, but for a source whose records all stand above. Gives those printed."""
    printed: list[TracedRecord] = []
    for source, listed, count in _by_source(records):
        console.print()
        name, counted = Text(visible(source), style="bold"), plural(count, "record")
        if len(listed) == count and all(record in above for record in listed):
            show_line(console, name, f": {counted}, shown above")
            continue
        shown = listed[:limit]
        printed += shown
        if len(shown) < count:
            counted += f", the first {len(shown):,} shown" if shown else ", none shown"
            counted += " (more with --limit)" if len(shown) < len(listed) else ""
        show_line(console, name, f": {counted}")
        show_records(console, shown, _files(listed))
    return printed


def _by_source(records: "IsolatedRecords") -> Iterator[tuple[str, list[TracedRecord], int]]:
    """Of each source its name, the records of it that are listed, and how many there are."""
    from bigdebug.isolation.found import SHOWN

    listed: dict[str, list[TracedRecord]] = {}
    for record in records:
        listed.setdefault(record.source, []).append(record)
    for source, some in listed.items():
        count = len(some) if len(some) < SHOWN else records.dataframe(source).count()
        yield source, some, count


def _files(records: Sequence[TracedRecord]) -> list[str]:
    files: Mapping[str | None, None] = dict.fromkeys(record.location.file for record in records)
    return [file for file in files if file is not None]


def show_next(console: Console, answer: IsolateAnswer, place: str) -> None:
    """Print the exact next command to type.

    Args:
        console: where to.
        answer: what was shown.
        place: what a command must add to reach the same store.
    """
    chosen = f"{answer.run.run_id} {answer.output.number}{place}"
    rows = "the failing row" if answer.isolation.matched == 1 else "the failing rows"
    show_line(console, f"\nall records behind {rows}:")
    show_line(console, f"  bigdebug trace {chosen} --where {for_a_shell(answer.failing)}")
