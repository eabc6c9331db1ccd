"""What differs between two runs, for people."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from bigdebug.cli.diff_answer import DiffAnswer, OutputAnswer
from bigdebug.cli.diff_rows_view import show_rows
from bigdebug.cli.rendering import a_table, add_column, show_line, show_table
from bigdebug.cli.runs import run_name
from bigdebug.lineage.output import Output
from bigdebug.lineage.rundiff import AskedOperator, Change, OperatorChange
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import visible
from bigdebug.wording.commands import for_a_shell
from bigdebug.wording.quantities import moment, plural, size

if TYPE_CHECKING:
    from bigdebug.lineage.sourcediff import SourceChange

_MOST_FILES = 5


def show_diff(console: Console, answer: DiffAnswer) -> None:
    """Print what differs: settings first, then output by output its sources, operators and rows."""
    _show_run(console, "first", answer.first)
    _show_run(console, "second", answer.second)
    if not answer.same_program:
        names = visible(f"{run_name(answer.first)} and {run_name(answer.second)}")
        show_line(console, f"note: these are runs of two programs, {names}")
    console.print()
    _show_heads(console, answer)
    for output in answer.outputs:
        _show_output(console, output)
    for which, outputs in (("first", answer.only_first), ("second", answer.only_second)):
        if outputs:
            console.print()
        for each in outputs:
            show_line(console, Text(f"only the {which} run has {_name(each)}", style="bold"))
    if not answer.outputs:
        console.print()
        show_line(console, "the runs have no output in common")


def _show_run(console: Console, which: str, run: StoredRun) -> None:
    script = shlex.join(run.argv) or run_name(run)
    told = f"{run.run_id}  {moment(run.started)}  {run.status}  {visible(script)}"
    show_line(console, Text(f"{which:<7}", style="bold"), told)


def _show_heads(console: Console, answer: DiffAnswer) -> None:
    found = [(change, "") for change in answer.heads]
    every = len(answer.outputs)
    for change, numbers in answer.settings:
        which = "" if len(numbers) == every else f" (output {', '.join(map(str, numbers))})"
        found.append((change, which))
    if found:
        table = a_table()
        for title in ("differs", "first", "second"):
            add_column(table, title)
        for change, which in found:
            table.add_row(visible(f"{change.name}{which}"), _value(change.first), _value(change.second))
        show_table(console, table)
    else:
        show_line(console, "settings, versions and arguments: no difference")
    show_line(console, Text(f"not recorded: {'; '.join(answer.not_recorded)}", style="italic"))


def _value(value: str | None) -> str:
    return "not set" if value is None else visible(value) or '""'


def _name(output: Output) -> str:
    at = f", {output.call_site.label}" if output.call_site else ""
    return visible(f"output {output.number} ({output.target or output.action}{at})")


def _show_output(console: Console, answer: OutputAnswer) -> None:
    first, second = answer.pair.first, answer.pair.second
    name = _name(first)
    if _name(second) != name:
        name += f" and {_name(second)}"
    console.print()
    show_line(console, Text(name, style="bold"), _counts(answer))
    if answer.pair.by == "order" and first.call_site != second.call_site:
        show_line(console, "note: they are matched by their order alone")
    if first.status != second.status:
        show_line(console, f"the first run's {_ended(first)}, the second's {_ended(second)}")
    if answer.sources is not None:
        _show_sources(console, answer.sources)
    _show_operators(console, answer)
    for note in answer.notes:
        show_line(console, Text("note: ", style="yellow"), visible(note))
    if answer.rows is not None:
        show_rows(console, answer.rows, answer.traced)


def _counts(answer: OutputAnswer) -> str:
    first, second = answer.pair.first.rows, answer.pair.second.rows
    if answer.rows is not None or first is None or second is None:
        return ""
    told = (
        f": {plural(first, 'row')} in both"
        if first == second
        else f": {plural(first, 'row')}, then {second:,}"
    )
    hashes = [output.content_hash for output in (answer.pair.first, answer.pair.second)]
    if None in hashes or len({str(each).partition(":")[0] for each in hashes}) > 1:
        return told
    return f"{told}, {'the same' if len(set(hashes)) == 1 else 'other'} values"


def _ended(output: Output) -> str:
    error = f": {visible(output.error)}" if output.error else ""
    return f"{'is' if output.status == 'running' else ''} {output.status}{error}".strip()


# -- sources ----------------------------------------------------------------------------------------


def _show_sources(console: Console, sources: Sequence[SourceChange]) -> None:
    same = [each for each in sources if each.same]
    for source in sources:
        if source.same:
            continue
        lines = list(_of_source(source))
        show_line(console, f"source {visible(source.name)}: {lines[0]}")
        for line in lines[1:]:
            show_line(console, f"  {line}")
    if same:
        names = ", ".join(visible(each.name) for each in same)
        show_line(console, f"source{'s' if len(same) > 1 else ''} {names}: the same files")


def _of_source(source: SourceChange) -> Iterator[str]:
    """What became of a source, in words; the first line says it all in short."""
    if source.first is None or source.second is None:
        yield f"only the {'second' if source.first is None else 'first'} run reads it"
        return
    records = _of_records(source)
    if source.same is None:
        yield f"{source.first.kind}{records}, whose values aren't compared"
        return
    counts = {
        "the same": source.kept,
        "rewritten": len(source.rewritten),
        "gone": len(source.gone),
        "added": len(source.added),
    }
    told = [f"{count:,} {what}" for what, count in counts.items() if count]
    yield (f"files: {', '.join(told)}" if told else source.first.kind) + records
    for each in source.rewritten[:_MOST_FILES]:
        (size_then, then), (size_now, now) = each.first, each.second
        sizes = f"{size_then:,} bytes, then {size_now:,}" if size_then != size_now else f"{size_now:,} bytes"
        yield f"rewritten: {visible(each.file)} ({sizes}; of {_time(then)}, then {_time(now)})"
    for what, files, recorded in (
        ("gone", source.gone, source.first),
        ("added", source.added, source.second),
    ):
        for file in files[:_MOST_FILES]:
            yield f"{what}: {visible(file)} ({size(recorded.files[file][0])})"
    hidden = sum(max(len(each) - _MOST_FILES, 0) for each in (source.rewritten, source.gone, source.added))
    if hidden:
        yield f"and {plural(hidden, 'file')} more"
    yield from (_of_change(change) for change in source.changes)


def _of_records(source: SourceChange) -> str:
    first, second = source.records
    if first is None or second is None:
        return ""
    return f"; {plural(first, 'record')}" + ("" if first == second else f", then {second:,}")


def _of_change(change: Change) -> str:
    what = change.what if change.what == change.name else f"{change.what} {change.name}"
    if change.first is None:
        return visible(f"{what} added: {change.second}")
    if change.second is None:
        return visible(f"{what} gone: {change.first}")
    return visible(f"{what}: {change.first}, then {change.second}")


def _time(milliseconds: int) -> str:
    return moment(milliseconds / 1000)


# -- operators --------------------------------------------------------------------------------------


def _show_operators(console: Console, answer: OutputAnswer) -> None:
    if not answer.operators:
        how = "" if answer.expressions else ", by their code"
        show_line(console, f"operators: no difference{how}")
    for change in answer.operators:
        _show_operator(console, change)


def _show_operator(console: Console, change: OperatorChange) -> None:
    first, second = change.first, change.second
    if first is None or second is None:
        known = first or second
        assert known is not None
        mark, style, run = ("-", "red", "first") if second is None else ("+", "green", "second")
        name = Text(f"{mark} {visible(known.node.operator)}", style=style)
        show_line(console, name, f" only in the {run} run{_at(known)}")
        show_line(console, f"    {_code(known)}")
        return
    name = Text(f"~ {visible(first.node.operator)}", style="yellow")
    places = _at(first) if _at(first) == _at(second) else f"{_at(first)}, then{_at(second)}"
    show_line(console, name, f" changed{places}")
    if _code(first) == _code(second):
        show_line(console, f"    {_code(first)}")
    else:
        show_line(console, f"    - {_code(first)}")
        show_line(console, f"    + {_code(second)}")
    for sign, asked, other in (("-", first, second), ("+", second, first)):
        # Where the line itself is another, it says what changed; where it is the same, what it asks for isn't.
        same_code = first.code == second.code
        for text in (asked.expressions or ()) if same_code else ():
            if text not in (other.expressions or ()):
                show_line(console, f"    {sign} {visible(text)}")


def _at(asked: AskedOperator) -> str:
    return f" at {asked.node.call_site.label}" if asked.node.call_site else ""


def _code(asked: AskedOperator) -> str:
    return visible(asked.code or " ".join((asked.node.operator, *asked.node.paths)))


def show_next(console: Console, answer: DiffAnswer, place: str) -> None:
    """Print the exact next command to type.

    Args:
        console: where to.
        answer: what was shown.
        place: what a command must add to reach the same store.
    """
    for output in answer.outputs:
        for traced in output.traced:
            run, number, where = answer.second, output.pair.second.number, traced.pair.where_second
            if traced.pair.second is None:
                run, number, where = answer.first, output.pair.first.number, traced.pair.where_first
            if where is not None:
                show_line(console, "\nall records behind such a row:")
                show_line(
                    console, f"  bigdebug trace {run.run_id} {number}{place} --where {for_a_shell(where)}"
                )
                return
