"""A debugger for PySpark dataflows: from a wrong row to the source records it came from.

>>> import bigdebug
>>> session = bigdebug.attach(spark)  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bigdebug.attaching import attach, current
    from bigdebug.breakpoints.watch.slow import Slow
    from bigdebug.isolation.skew import Skew
    from bigdebug.lineage.errors import BigDebugError
    from bigdebug.lineage.rdd.record_wise import record_wise
    from bigdebug.session import Session

__all__ = ["BigDebugError", "Session", "Skew", "Slow", "attach", "current", "record_wise"]
_MODULES = {
    "BigDebugError": "lineage.errors",
    "Session": "session",
    "Skew": "isolation.skew",
    "Slow": "breakpoints.watch.slow",
    "attach": "attaching",
    "current": "attaching",
    "record_wise": "lineage.rdd.record_wise",
}


def __getattr__(name: str) -> Any:
    """Load what a program asks for when it does: the command needs little of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"bigdebug.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
