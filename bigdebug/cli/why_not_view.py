"""Why a row is missing, for people and for programs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bigdebug.cli.rendering import a_table, add_column, room_beside, shortened, show_line, show_table
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import json_value, text_value, visible
from bigdebug.wording.commands import for_a_shell
from bigdebug.wording.quantities import plural

if TYPE_CHECKING:
    from bigdebug.lineage.sampling import Dropped
    from bigdebug.lineage.whynot import WhyNotStep

_LEAST_CODE = 20


@dataclass(frozen=True)
class CountedStep:
    """What is shown of an operator.

    Attributes:
        step: with its counts.
        code: the user's line that asks for it.
    """

    step: "WhyNotStep"
    code: str = ""


@dataclass(frozen=True)
class WhyNotAnswer:
    """All that is shown, fetched.

    Attributes:
        run: the run asked about.
        output: its output.
        where: what the missing rows would fulfil.
        exact: whether a second run gives these rows for sure.
        notes: why not, and what else there is to know.
        not_carried: the conditions that couldn't be carried further down, and where.
        steps: the operators, from the sources up.
        culprit: which of them dropped the rows; None where nothing is missing.
        dropped: some of the rows that it dropped.
    """

    run: StoredRun
    output: Output
    where: str
    exact: bool
    notes: Sequence[str]
    not_carried: Sequence[str]
    steps: Sequence[CountedStep]
    culprit: int | None
    dropped: "Sequence[Dropped]"

    @property
    def matched(self) -> int:
        """How many rows of the output fulfil the condition."""
        return self.steps[-1].step.rows_out


def why_not_json(answer: WhyNotAnswer) -> dict[str, Any]:
    """The JSON of `bigdebug why-not`."""
    return {
        "run": answer.run.run_id,
        "output": answer.output.number,
        "where": answer.where,
        "matched": answer.matched,
        "exact": answer.exact,
        "notes": list(answer.notes),
        "not_carried": list(answer.not_carried),
        "steps": [asdict(each.step) for each in answer.steps],
        "culprit": answer.culprit,
        "dropped": [
            {
                "row": json_value(each.row),
                "reasons": list(each.reasons),
                "near": [json_value(key) for key in each.near],
            }
            for each in answer.dropped
        ],
    }


def show_why_not(console: Console, answer: WhyNotAnswer) -> None:
    """Print how many rows are there, the operators with the culprit marked, and what it dropped."""
    output = answer.output
    at = f", {output.call_site.label}" if output.call_site else ""
    name = f"output {output.number} ({output.target or output.action}{at})"
    count = plural(answer.matched, "row") if answer.matched else "no row"
    show_line(console, Text(f"{count} of {name} where {visible(answer.where)}", style="bold"))
    if not answer.exact:
        show_line(console, Text("inexact: a second run may give other rows", "yellow"))
    for note in answer.notes:
        show_line(console, f"{'note: ' if answer.exact else '  - '}{visible(note)}")
    for line in answer.not_carried:
        show_line(console, f"note: {visible(line)}")
    console.print()
    _show_steps(console, answer)
    if answer.culprit is not None:
        _show_dropped(console, answer, answer.steps[answer.culprit].step)


def _show_steps(console: Console, answer: WhyNotAnswer) -> None:
    table = _steps(console, answer, [])
    codes = [visible(each.code) for each in answer.steps]
    width = room_beside(console, table)
    if any(codes) and width >= _LEAST_CODE:
        table = _steps(console, answer, [shortened(code, width) for code in codes])
    show_table(console, table)


def _steps(console: Console, answer: WhyNotAnswer, codes: Sequence[str]) -> Table:
    table = a_table()
    mark = ">" if console.options.ascii_only else "→"
    add_column(table, "")
    add_column(table, "operator")
    add_column(table, "at", whole=True)
    add_column(table, "rows in", right=True, whole=True)
    add_column(table, "rows out", right=True, whole=True)
    if codes:
        add_column(table, "code", whole=True)
    for row, each in enumerate(answer.steps):
        step, blamed = each.step, row == answer.culprit
        table.add_row(
            mark if blamed else "",
            visible(step.operator),
            step.call_site.label if step.call_site else "",
            f"{step.rows_in:,}",
            f"{step.rows_out:,}",
            *codes[row : row + 1],
            style="bold red" if blamed else "",
        )
    return table


def _show_dropped(console: Console, answer: WhyNotAnswer, culprit: "WhyNotStep") -> None:
    at = f" at {culprit.call_site.label}" if culprit.call_site else ""
    name = f"{visible(culprit.operator)}{at}"
    console.print()
    if culprit.rows_in == 0:
        show_line(console, Text(f"{name} has no such record", style="bold"))
        title = "nearly"
    else:
        counted = plural(culprit.rows_in, "row")
        show_line(console, Text(f"{name} dropped {counted}", style="bold"))
        title = "why"
    if not answer.dropped:
        return
    table = a_table()
    for column in answer.dropped[0].row:
        add_column(table, visible(column))
    add_column(table, title)
    for each in answer.dropped:
        table.add_row(*(text_value(value) for value in each.row.values()), visible("; ".join(_told(each))))
    show_table(console, table)


def _told(dropped: "Dropped") -> list[str]:
    near = [", ".join(f"{name} = {_quoted(value)}" for name, value in key.items()) for key in dropped.near]
    return [*dropped.reasons, *(f"near: {key}" for key in near)]


def _quoted(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else text_value(value)


def show_next(console: Console, answer: WhyNotAnswer, place: str) -> None:
    """Print the exact next command to type.

    Args:
        console: where to.
        answer: what was shown.
        place: what a command must add to reach the same store.
    """
    chosen = f"{answer.run.run_id} {answer.output.number}{place}"
    if answer.culprit is None:
        show_line(console, "\nnothing is missing; where do these rows come from?")
        show_line(console, f"  bigdebug trace {chosen} --where {for_a_shell(answer.where)}")
    else:
        show_line(console, "\nhow did the output come about?")
        show_line(console, f"  bigdebug show {answer.run.run_id}{place} --graph")
