"""Many small files, read or written."""

from collections.abc import Iterator

from bigdebug.advice.application import Application
from bigdebug.advice.findings import Finding, Place, place_of_execution
from bigdebug.advice.thresholds import Thresholds
from bigdebug.wording.quantities import size

_READ = (
    "let what writes them write fewer and larger ones, or compact them once (a rewrite, OPTIMIZE of Delta Lake, "
    "rewrite_data_files of Iceberg); each costs a request and a footer"
)
_WRITTEN = (
    "repartition or coalesce before the write, by the columns of partitionBy where there are such; "
    "who reads them pays for each"
)


def small_files(app: Application, limits: Thresholds) -> Iterator[Finding]:
    """One finding for each scan and each write of them."""
    for execution in app.executions.values():
        place = place_of_execution(app, execution)
        for scan in execution.facts.read:
            where = f" of {scan.place}" if scan.place else ""
            yield from _judged(
                limits, scan.files, scan.bytes, f"read {{}}{where}", _READ, execution.id, place
            )
        for write in execution.facts.written:
            where = f" to {write.place}" if write.place else ""
            yield from _judged(
                limits, write.files, write.bytes, f"wrote {{}}{where}", _WRITTEN, execution.id, place
            )


def _judged(
    limits: Thresholds, files: int, total: int, told: str, advice: str, execution: int, place: Place | None
) -> Iterator[Finding]:
    mean = total / max(files, 1)
    severity = limits.severity("small-files.count", files)
    if severity and mean < limits.least("small-files.size"):
        yield Finding(
            "small-files",
            severity,
            told.format(f"{files:,} files") + f", {size(mean)} each on average",
            advice,
            execution=execution,
            place=place,
            figures={"files": files, "mean_bytes": mean},
        )
