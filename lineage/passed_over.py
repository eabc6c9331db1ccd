"""Files that a reader was told to pass over: missing ones (`ignoreMissingFiles`) and corrupt ones."""

from __future__ import annotations

from collections.abc import Mapping

from bigdebug.lineage.catalyst import Catalyst

MISSING, CORRUPT = "ignoreMissingFiles", "ignoreCorruptFiles"


def passes_over(catalyst: Catalyst, options: Mapping[str, str], which: str) -> bool:
    """Whether a reader passes over such files.

    Args:
        catalyst: of a session with the settings that it reads with.
        options: of the reader, which go before these.
        which: `MISSING` or `CORRUPT`.
    """
    told = {key.lower(): value for key, value in options.items()}.get(which.lower())
    told = told or catalyst.spark.conf.get(f"spark.sql.files.{which}")
    return str(told).lower() == "true"


def may_have_been_read(change: str, since: str) -> str:
    """What is said of a missing file, which may have been there when the action ran."""
    return f"{change} since {since}, and missing files are passed over: what the run may have read of it isn't found"
