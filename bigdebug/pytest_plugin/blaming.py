"""From failing rows of a frame to the input records behind them, as a failed assertion tells them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.failure import first_line
from bigdebug.pytest_plugin.failure import Blame, Failure, Place, shown

if TYPE_CHECKING:
    from bigdebug.isolation.found import IsolatedRecords, Isolation
    from bigdebug.lineage.location import TracedRecord
    from bigdebug.lineage.operators import Operator
    from bigdebug.lineage.questions import Question
    from bigdebug.session import Session

MOST_ROWS = 5
"""Failing rows that are shown."""
MOST_RECORDS = 5
"""Records that are shown of each."""
MOST_PATTERNS = 3
MOST_WAY = 12
_MOST_TEXT = 80


def blame(
    failure: Failure,
    session: Session,
    frame: DataFrame,
    failing: str | Column | DataFrame,
    budget: float,
    *,
    reproduction_only: bool = False,
) -> None:
    """Find the records behind the failing rows of a frame, and tell them in the failure. Never raises.

    Args:
        failure: what is known by now.
        session: of the frame.
        frame: whose rows fail.
        failing: which do.
        budget: seconds.
        reproduction_only: of several records that are alike any one would be the culprit: none is.
    """
    if budget <= 0:
        failure.notes.append("culprits weren't looked for: the budget is 0")
        return
    try:
        found = session.isolate(frame, failing, budget=budget)
    except Exception as error:  # the assertion fails as it would; this only couldn't be told
        failure.notes.append(f"the culprits can't be told: {reason(error)}")
        if not isinstance(failing, DataFrame):
            show_rows(failure, frame, failing)
            _trace(failure, session, frame, failing)
        return
    try:
        _tell(failure, found, reproduction_only)
        tell_way(failure, session, frame, _sources_of(found))
    except Exception as error:
        failure.notes.append(f"not all of it can be told: {reason(error)}")
    finally:
        found.release()


def show_rows(failure: Failure, frame: DataFrame, failing: str | Column) -> None:
    """Tell the first failing rows by themselves."""
    rows = frame.where(failing).limit(MOST_ROWS).collect()
    failure.detail += [f"  {shown(values(row.asDict()))}" for row in rows]


def _tell(failure: Failure, found: Isolation, reproduction_only: bool) -> None:
    for row in found.rows[:MOST_ROWS]:
        culprits = () if reproduction_only else _places(row.culprits)
        failure.blames.append(
            Blame(
                values(row.value),
                culprits,
                0 if reproduction_only else row.culprits.total,
                _places(row.reproduction),
                row.reproduction.total,
                row.candidates,
                row.notes,
                row.vanishes,
                raw=row.value if isinstance(row.value, dict) else None,
            )
        )
    failure.more += max(found.matched - len(found.rows[:MOST_ROWS]), 0)
    # How many rows were looked into is told by how many are shown.
    failure.notes += [note for note in found.notes if "the answer is about" not in note]
    if not reproduction_only:
        telling = [each for each in found.explanation if each.others[1]]
        failure.patterns += map(str, telling[:MOST_PATTERNS])


def _sources_of(found: Isolation) -> set[str]:
    return {record.source for row in found.rows for record in (*row.culprits[:50], *row.reproduction[:50])}


def _trace(failure: Failure, session: Session, frame: DataFrame, failing: str | Column) -> None:
    """What the failing rows come from, where the culprits among it can't be told."""
    try:
        trace = session.trace(frame, failing)
        records = trace.collect(MOST_RECORDS)
        count = sum(source.count for source in trace.sources)
        behind = tuple(map(place_of, records[: 2 * MOST_RECORDS]))
        failure.blames.append(Blame({}, candidates=count, behind=behind, notes=tuple(trace.notes)))
        tell_way(failure, session, frame, {record.source for record in records})
    except Exception as error:
        failure.notes.append(f"what it comes from can't be told: {reason(error)}")


def tell_way(failure: Failure, session: Session, frame: DataFrame, sources: set[str]) -> None:
    """Tell the operators between a frame and the sources of the records to blame.

    Args:
        failure: gets them.
        session: of the frame.
        frame: whose rows fail.
        sources: their names.
    """
    from bigdebug.lineage.live import live_question

    question = live_question(frame.sparkSession, session._recorder, frame)
    way = list(dict.fromkeys(_way(question, question.root, sources)))
    if way != failure.way:
        failure.way += [*way[:MOST_WAY], *(["…"] if len(way) > MOST_WAY else [])]


def _way(question: Question, operator: Operator, sources: set[str]) -> Iterator[str]:
    """The operators between the output and the sources of the records, with their lines."""
    leaf = question.sources.get(operator)
    below = [line for child in operator.children for line in _way(question, child, sources)]
    if leaf is not None and leaf.name not in sources:
        return
    site = operator.call_site
    if operator.children and (not below or site is None):  # without one it is of our own making
        yield from below
        return
    name = operator.kind if leaf is None else leaf.name
    code = f"  {_cut(site.brief)}" if site is not None and site.text else ""
    at = f" at {site.label}" if site is not None and site.label != name else ""
    yield f"{name}{at}{code}"
    yield from below


def _places(records: IsolatedRecords) -> tuple[Place, ...]:
    return tuple(map(place_of, records[:MOST_RECORDS]))


def place_of(record: TracedRecord) -> Place:
    """A record as a failure tells it."""
    location = record.location
    return Place(record.source, location.file, location.position, location.partition, values(record.value))


def values(value: Any) -> dict[str, str]:
    """Columns by name, each as Python prints it."""
    columns = value if isinstance(value, dict) else {"value": value}
    return {str(name): _cut(_text(each)) for name, each in columns.items()}


def _text(value: Any) -> str:
    if value is None:
        return "NULL"
    try:
        return repr(value) if isinstance(value, str | bytes | dict | list | tuple) else str(value)
    except Exception as error:
        return f"<a {type(value).__name__} that can't be printed: {type(error).__name__}>"


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"


def reason(error: Exception) -> str:
    """Why something can't be told, in one line."""
    return str(error) if isinstance(error, BigDebugError) else f"{type(error).__name__}: {first_line(error)}"
