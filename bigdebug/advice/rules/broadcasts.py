"""Relations that are broadcast and shouldn't be, and those that aren't and could."""

from collections.abc import Iterator

from bigdebug.advice.application import Application
from bigdebug.advice.findings import Finding, place_of_execution
from bigdebug.advice.thresholds import Thresholds
from bigdebug.wording.quantities import size


def large_broadcast(app: Application, limits: Thresholds) -> Iterator[Finding]:
    """What passes through the driver and is held by every executor."""
    for execution in app.executions.values():
        for sent in execution.facts.broadcasts:
            severity = limits.severity("broadcast.size", sent.bytes)
            if severity:
                rows = "" if sent.rows is None else f" ({sent.rows:,} rows)"
                yield Finding(
                    "broadcast",
                    severity,
                    f"{size(sent.bytes)}{rows} were collected by the driver and sent to every executor",
                    "take the hint broadcast(…) away, or set spark.sql.autoBroadcastJoinThreshold lower; "
                    "or leave columns and rows out before the join",
                    execution=execution.id,
                    place=place_of_execution(app, execution),
                    figures={"bytes": sent.bytes},
                )


def missed_broadcast(app: Application, limits: Thresholds) -> Iterator[Finding]:
    """A large side that was shuffled and sorted for the sake of a small one."""
    for execution in app.executions.values():
        for join in execution.facts.joins:
            if join.small is None:
                continue
            small, large = join.bytes[join.small] or 0, join.bytes[1 - join.small] or 0
            severity = limits.severity("no-broadcast.large", large)
            if severity and small <= limits.least("no-broadcast.small"):
                settings = app.settings | execution.settings
                off = settings.get("spark.sql.autoBroadcastJoinThreshold", "").startswith("-")
                yield Finding(
                    "no-broadcast",
                    severity,
                    f"{size(large)} were shuffled and sorted to join {size(small)} ({join.text[:80]})",
                    "broadcast(…) the small side: then the large one needn't be shuffled"
                    + ("; spark.sql.autoBroadcastJoinThreshold is switched off" if off else ""),
                    execution=execution.id,
                    place=place_of_execution(app, execution),
                    figures={"large_bytes": large, "small_bytes": small},
                )
