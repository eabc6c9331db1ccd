"""Lineage as an assertion: what the records behind rows must be like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bigdebug.lineage.finding import find_source
from bigdebug.pytest_plugin.blaming import MOST_RECORDS, place_of, tell_way
from bigdebug.pytest_plugin.failure import Blame, Failure

if TYPE_CHECKING:
    from bigdebug.lineage.trace import Trace
    from bigdebug.session import Session


def check_sources(
    session: Session, frame: DataFrame, where: str | Column | None, sources: Mapping[str, str | Column]
) -> Failure | None:
    """Compare the records that rows come from with conditions; None where all fulfil them.

    Args:
        session: of the frame.
        frame: whose rows.
        where: which of them; None for all.
        sources: by source a condition over its columns.

    Raises:
        BigDebugError: the lineage can't be told, or there is no such source.
    """
    trace = session.trace(frame, where)
    if not trace.matched:
        told = "there are no rows" if where is None else f"no row fulfils {where}"
        return Failure(f"nothing to tell the lineage of: {told}")
    rows = f"{trace.matched:,} row{'' if trace.matched == 1 else 's'}"
    failure = Failure("")
    wrong: list[str] = []
    names: set[str] = set()
    for wanted, condition in sources.items():
        name = find_source(trace.sources, wanted).name
        blame, count, every = _strangers(trace, name, condition)
        if blame is not None:
            of = f"{count:,} of {every:,} record{'' if every == 1 else 's'} of {name}"
            wrong.append(
                f"{of} behind {rows}{'' if where is None else f' ({where})'} {_fails(count)}: {condition}"
            )
            failure.blames.append(blame)
            names.add(name)
    if not wrong:
        return None
    failure.headline = wrong[0]
    failure.detail = wrong[1:]
    failure.notes += trace.notes
    tell_way(failure, session, frame, names)
    return failure


def _strangers(trace: Trace, source: str, condition: str | Column) -> tuple[Blame | None, int, int]:
    """The records of a source that don't fulfil a condition, how many these are, and of how many."""
    records = trace.records(source)
    fulfilled = F.expr(condition) if isinstance(condition, str) else condition
    apart = records.where(~F.coalesce(fulfilled, F.lit(False)))
    count = apart.count()
    if not count:
        return None, 0, 0
    first = apart.orderBy("_record").limit(MOST_RECORDS).collect()
    places = tuple(place_of(_traced(source, row.asDict())) for row in first)
    every = find_source(trace.sources, source).count
    return Blame({}, culprits=places, culprit_count=count, strangers=True), count, every


def _traced(source: str, row: dict[str, Any]) -> Any:
    from bigdebug.lineage.location import Location, TracedRecord, readable_path

    place = row.pop("_record")
    file = None if place.file is None else readable_path(place.file)
    return TracedRecord(source, Location(file, place.position, place.partition), row)


def _fails(count: int) -> str:
    return "doesn't fulfil" if count == 1 else "don't fulfil"
