"""How little is replayed: there a job's cost is that of its stages and tasks, not of its records."""

from collections.abc import Mapping

LIGHT = 100_000
"""So few records at most are replayed with these settings."""
LIGHT_SETTINGS: Mapping[str, str | None] = {
    "spark.sql.adaptive.enabled": "false",  # each stage would be a job of its own
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
}
