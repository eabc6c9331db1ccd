"""Which candidates to suspect first: those with the most extreme numbers in what functions of groups take.

They only propose: replays decide.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from numbers import Real
from typing import Any

import numpy as np

from bigdebug.isolation.proposals import MOST_CANDIDATES, MOST_COLUMNS
from bigdebug.isolation.ranking import Order
from bigdebug.isolation.rdd.replays import Elements, RddReplays
from bigdebug.lineage.rdd.kinds import COGROUPS, KEYED, KEYED_VALUES, VALUE_ACTIONS
from bigdebug.lineage.rdd.packing import each_id, named

_OF_PAIRS = KEYED | COGROUPS | KEYED_VALUES
_GROUPING = _OF_PAIRS | VALUE_ACTIONS | {"groupBy"}
_LOOKED_AT = 200


def orders_of(replays: RddReplays, candidates: int) -> list[Order]:
    """Orders of the candidates, by the numbers that groups are made of; none where there are none.

    Args:
        replays: of the program.
        candidates: how many there are.
    """
    if candidates > MOST_CANDIDATES:
        return []
    found: list[Order] = []
    try:
        for operator, elements in replays.inputs(_GROUPING):
            if len(found) >= 3 * MOST_COLUMNS:
                break
            found += _orders(replays, elements, of_pairs=operator.kind in _OF_PAIRS)
    except Exception:
        return found  # they only propose
    return found


def _orders(replays: RddReplays, elements: Elements, *, of_pairs: bool) -> Iterator[Order]:
    values = [element[1] if of_pairs else element for element, _ in elements]
    names = list(dict.fromkeys(name for value in values[:_LOOKED_AT] for name in _parts(value)))
    columns = [_column(values, name) for name in names[:MOST_COLUMNS]]
    widths = np.fromiter((len(each_id(ids)) for _, ids in elements), np.int64, len(elements))
    pairs = np.fromiter(
        (part for _, ids in elements for leaf, number in named(ids) for part in (leaf, _as_number(number))),
        np.int64,
    ).reshape(-1, 2)
    places = np.repeat(np.arange(len(elements)), widths)
    # A record of one source that many elements are made of has the extremes of all of them: each has its own orders.
    for leaf in np.unique(pairs[:, 0]).tolist():
        if replays.is_source(leaf):
            own = pairs[:, 0] == leaf
            for column in columns:
                yield from _by_extremes(pairs[own, 1], column[places[own]])


def _as_number(name: Any) -> int:
    """The number of a candidate; keys of groups, which boundaries below name elements with, don't count."""
    return name if type(name) is int and name >= 0 else 0


def _by_extremes(numbers: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> Iterator[Order]:
    """By the value furthest from the middle first, by the least, and by the greatest.

    Where removals of several records would do, that of the first order is found: of two readings, the odd one.
    """
    there = ~np.isnan(values)
    numbers, values = numbers[there], values[there]
    if not len(values) or values.min() == values.max():
        return
    each, place = np.unique(numbers, return_inverse=True)
    low, high = np.full(len(each), np.inf), np.full(len(each), -np.inf)
    np.minimum.at(low, place, values)
    np.maximum.at(high, place, values)
    middle = np.median(high)
    out = np.maximum(np.abs(low - middle), np.abs(high - middle))
    for score in (-out, low, -high):
        yield each[np.argsort(score, kind="stable")].astype(np.uint32)


def _parts(value: Any) -> Iterator[Hashable]:
    """The names of the numbers in a value: None where it is one itself."""
    if _is_number(value):
        yield None
    elif isinstance(value, tuple | list):
        yield from (place for place, part in enumerate(value) if _is_number(part))
    elif isinstance(value, dict):
        yield from (("key", key) for key, part in value.items() if _is_number(part))


def _column(values: list[Any], name: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The numbers of one name; not a number where there is none."""
    if name is None and all(type(value) in (int, float) for value in values):
        return np.array(values, dtype=float)
    return np.array([_number(value, name) for value in values], dtype=float)


def _number(value: Any, name: Any) -> float:
    try:
        found = value if name is None else value[name[1]] if isinstance(name, tuple) else value[name]
        return float(found) if _is_number(found) else np.nan
    except (KeyError, IndexError, TypeError, OverflowError):
        return np.nan


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
