"""Every number that a rule goes by, in one table: whose it is, and what it is called where it is set."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bigdebug.lineage.errors import BigDebugError

KB, MB, GB = 1_000, 1_000_000, 1_000_000_000
MIB, GIB = 1 << 20, 1 << 30


@dataclass(frozen=True)
class Threshold:
    """One number, or the four at which a finding is low, moderate, severe and critical.

    Attributes:
        name: `rule.what`.
        values: one or four, growing.
        unit: `times`, `bytes`, `seconds`, `share` (0 to 1) or `count`.
        meaning: what is held against it.
        source: whose number it is.
    """

    name: str
    values: tuple[float, ...]
    unit: str
    meaning: str
    source: str


_ELEPHANT_RATIO = (1.33, 1.78, 3.16, 10.0)

TABLE = (
    Threshold("skew.ratio", _ELEPHANT_RATIO, "times", "longest task to the median one", "Dr. Elephant"),
    Threshold("skew.longest", (5,), "seconds", "shorter longest tasks are left out", "DataFlint"),
    Threshold(
        "skew.stage-share", (0.75,), "share", "longest task to its stage; less is left out", "Dr. Elephant"
    ),
    Threshold("skew.bytes.ratio", (5, 5, 10, 20), "times", "largest task to the median one", "Spark AQE"),
    Threshold("skew.bytes.largest", (256 * MIB,), "bytes", "smaller largest tasks are left out", "Spark AQE"),
    Threshold(
        "executors.ratio", _ELEPHANT_RATIO, "times", "busiest executor to the median one", "Dr. Elephant"
    ),
    Threshold("executors.busiest", (300,), "seconds", "less task time is left out", "Dr. Elephant"),
    Threshold(
        "spill.share", (0.01, 0.1, 0.25, 0.5), "share", "spilled, of what the stage handled", "Dr. Elephant"
    ),
    Threshold("spill.bytes", (100 * MB,), "bytes", "less on disk is left out", "bigdebug"),
    Threshold(
        "gc.share", (0.08, 0.09, 0.1, 0.15), "share", "garbage collection, of the run time", "Dr. Elephant"
    ),
    Threshold("gc.run", (60,), "seconds", "less run time is left out", "bigdebug"),
    Threshold("small-tasks.median", (0.5,), "seconds", "longer median tasks are left out", "DataFlint"),
    Threshold(
        "small-tasks.count", (1_000, 5_000, 20_000, 100_000), "count", "tasks of a stage", "DataFlint: 5,000"
    ),
    Threshold(
        "large-tasks.largest", (GB, 2 * GB, 5 * GIB, 20 * GB), "bytes", "largest task", "DataFlint: 5 GiB"
    ),
    Threshold("small-files.size", (3 * MIB,), "bytes", "larger mean files are left out", "DataFlint"),
    Threshold(
        "small-files.count", (100, 1_000, 10_000, 100_000), "count", "files read or written", "DataFlint: 100"
    ),
    Threshold(
        "broadcast.size", (250 * MB, 500 * MB, GIB, 4 * GIB), "bytes", "sent to everyone", "DataFlint: 1 GiB"
    ),
    Threshold(
        "no-broadcast.small", (10 * MIB,), "bytes", "a side up to it could be broadcast", "Spark, DataFlint"
    ),
    Threshold(
        "no-broadcast.large", (100 * MB, GB, 10 * GB, 100 * GB), "bytes", "the side sorted for it", "bigdebug"
    ),
    Threshold(
        "idle-cores.share", (0.5, 0.6, 0.75, 0.9), "share", "core time without a task", "DataFlint: 0.5"
    ),
    Threshold("idle-cores.seconds", (60,), "seconds", "shorter applications are left out", "bigdebug"),
    Threshold(
        "driver-only.share",
        (0.2, 0.35, 0.5, 0.75),
        "share",
        "time without a stage",
        "bigdebug, as Sparklens asks",
    ),
    Threshold("driver-only.seconds", (60,), "seconds", "shorter applications are left out", "bigdebug"),
    Threshold(
        "few-tasks.seconds",
        (30, 120, 600, 1800),
        "seconds",
        "of a stage with fewer tasks than cores",
        "bigdebug",
    ),
    Threshold(
        "failed-tasks.share",
        (0.0, 0.05, 0.1, 0.2),
        "share",
        "failed, of a stage's tasks",
        "Dr. Elephant, and any",
    ),
)


class Thresholds:
    """The table, some of it set otherwise.

    Args:
        changes: by name the values: one for all severities, or all of them.

    Raises:
        BigDebugError: there is no threshold of that name, or it has another number of values.
    """

    def __init__(self, changes: Mapping[str, Iterable[float]] | None = None) -> None:
        self._by_name = {threshold.name: threshold.values for threshold in TABLE}
        for name, values in (changes or {}).items():
            self._by_name[name] = _checked(name, tuple(values))

    def severity(self, name: str, value: float) -> int:
        """How many of its values are exceeded or met: 0 for none, 4 for critical; above 0 counts at 0."""
        return sum(value > 0 and value >= each for each in self._by_name[name])

    def least(self, name: str) -> float:
        """The only value, or the lowest."""
        return self._by_name[name][0]

    def as_json(self) -> dict[str, list[float]]:
        """All values by name."""
        return {name: list(values) for name, values in self._by_name.items()}


def _checked(name: str, values: tuple[float, ...]) -> tuple[float, ...]:
    known = {threshold.name: threshold for threshold in TABLE}
    if name not in known:
        raise BigDebugError(f"there is no threshold {name!r}", hint=f"there are: {', '.join(known)}")
    wanted = len(known[name].values)
    if len(values) == 1:
        return values * wanted
    if len(values) != wanted or list(values) != sorted(values):
        raise BigDebugError(
            f"the threshold {name} takes {'one value' if wanted == 1 else 'one value, or four that grow'}",
            hint=f"{name}={','.join(f'{each:g}' for each in known[name].values)} is what it is now",
        )
    return values


def parse_change(text: str) -> tuple[str, tuple[float, ...]]:
    """`skew.ratio=2` or `skew.ratio=2,4,8,16` as a name and its values.

    Raises:
        ValueError: it isn't of this form.
    """
    name, equals, values = text.partition("=")
    if not equals or not name.strip():
        raise ValueError(text)
    return name.strip(), tuple(float(each) for each in values.split(","))
