"""Where two frames differ: the records behind each differing row, of both frames, and what dropped missing rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame

from bigdebug.isolation.expected import MOST_MISSING, Differing, condition_of, differing
from bigdebug.lineage.asking import asking
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.live import live_question
from bigdebug.pytest_plugin.blaming import MOST_RECORDS, MOST_ROWS, blame, place_of, reason, values
from bigdebug.pytest_plugin.failure import Blame, Failure

if TYPE_CHECKING:
    from bigdebug.session import Session

_MISSING = "an expected row is missing"


def tell_difference(
    failure: Failure, session: Session, actual: DataFrame, expected: Any, budget: float
) -> None:
    """Tell the records behind rows that differ, and why rows are missing. Never raises.

    Args:
        failure: what is known by now.
        session: of the actual frame.
        actual: what the pipeline gave.
        expected: a DataFrame, or a list of Rows.
        budget: seconds for the isolation.
    """
    try:
        wanted = (
            expected
            if isinstance(expected, DataFrame)
            else actual.sparkSession.createDataFrame(expected, actual.schema)
        )
        found = _differing(session, actual, wanted)
        if not found.count and not found.missing:
            failure.notes.append(
                "the rows are the same, but for their order or for less than isolation tells apart"
            )
            return
        if found.count:
            blame(failure, session, actual, wanted, budget)
            failure.notes[:] = [note for note in failure.notes if _MISSING not in note]
        _tell_other_side(failure, session, wanted, found.key)
        for row in found.missing[:MOST_ROWS]:
            failure.blames.append(_missing(session, actual, wanted, found.key, row))
        more = found.missing_count - min(found.missing_count, MOST_ROWS, MOST_MISSING)
        if more:
            failure.notes.append(f"{more:,} more expected rows are missing")
    except Exception as error:
        failure.notes.append(f"the records behind the difference can't be told: {reason(error)}")


def _differing(session: Session, actual: DataFrame, wanted: DataFrame) -> Differing:
    question = live_question(actual.sparkSession, session._recorder, actual)
    with asking(question.catalyst, "the rows that aren't as expected"):
        return differing(question.catalyst, question.root, wanted, MOST_ROWS)


def _missing(
    session: Session, actual: DataFrame, wanted: DataFrame, key: Sequence[str], row: dict[str, Any]
) -> Blame:
    """An expected row that isn't there: the operator that dropped what would have made it."""
    where = condition_of(row, key)
    try:
        why = session.why_not(actual, where)
        culprit = why.culprit
        if culprit is None:
            notes = ["why it is missing can't be told"]
        elif not culprit.rows_in:
            notes = [f"no record of {culprit.operator} would have made it"]
        else:
            at = f" at {culprit.call_site.label}" if culprit.call_site else ""
            notes = [f"{culprit.operator}{at} dropped what would have made it"]
            notes += [f"dropped: {_shown(each)}" for each in why.dropped[:MOST_RECORDS]]
    except BigDebugError as error:
        notes = [f"why it is missing can't be told: {error}"]
    return Blame(
        {}, expected=values(row), expected_behind=_behind(session, wanted, where), notes=tuple(notes)
    )


def _tell_other_side(failure: Failure, session: Session, wanted: DataFrame, key: Sequence[str]) -> None:
    """Add what was expected in place of each failing row, and what that comes from."""
    from dataclasses import replace

    for number, each in enumerate(failure.blames):
        if each.raw is None:
            continue
        where = condition_of(each.raw, key)
        rows = wanted.where(where).limit(1).collect()
        if rows:
            failure.blames[number] = replace(
                each, expected=values(rows[0].asDict()), expected_behind=_behind(session, wanted, where)
            )


def _behind(session: Session, wanted: DataFrame, where: str) -> tuple[Any, ...]:
    try:
        return tuple(map(place_of, session.trace(wanted, where).collect(MOST_RECORDS)[:MOST_RECORDS]))
    except BigDebugError:
        return ()  # rows at hand of another session, say: their place adds little


def _shown(dropped: Any) -> str:
    from bigdebug.pytest_plugin.failure import shown

    reasons = f" ({'; '.join(dropped.reasons)})" if dropped.reasons else ""
    return f"{shown(values(dropped.row))}{reasons}"
