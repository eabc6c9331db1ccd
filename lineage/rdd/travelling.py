"""Functions of ours that travel to Spark's workers by value: these need not have bigdebug."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from bigdebug.lineage.rdd import (
    conditions,
    descending,
    few_names,
    flags,
    held,
    joining,
    known_keys,
    likeness,
    packing,
    parts,
    passing,
    placing,
    sql_logic,
    standins,
    summary,
    tallies,
    workers,
)
from bigdebug.lineage.rdd.capture import carried, heads, joined, notes, pairs, taps
from bigdebug.lineage.rdd.index import (
    arrays,
    coding,
    elements,
    keyed,
    names,
    placed,
    relation_file,
    task_file,
    writing,
)

_MODULES = (
    workers,
    few_names,
    known_keys,
    joining,
    packing,
    passing,
    summary,
    tallies,
    placing,
    standins,
    conditions,
    likeness,
    flags,
    held,
    sql_logic,
    descending,
    parts,
    names,
    arrays,
    coding,
    task_file,
    elements,
    relation_file,
    placed,
    keyed,
    writing,
    carried,
    heads,
    notes,
    pairs,
    taps,
    joined,
)


def travel_from_now_on() -> None:
    """Have the same pickled by value for good: taps are in the program's own functions, whenever Spark takes these."""
    from pyspark import cloudpickle

    for module in _MODULES:
        cloudpickle.register_pickle_by_value(module)


@contextmanager
def travelling(*more: ModuleType) -> Iterator[None]:
    """Have what runs in Spark's workers pickled by value.

    Args:
        more: other modules of which something runs there.
    """
    from pyspark import cloudpickle

    fresh = [
        each
        for each in (*_MODULES, *more)
        if each.__name__ not in cloudpickle.list_registry_pickle_by_value()
    ]
    for module in fresh:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in fresh:
            cloudpickle.unregister_pickle_by_value(module)
