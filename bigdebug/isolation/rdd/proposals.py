"""Which candidates to suspect first: those with the most extreme numbers in what functions of groups take.

They only propose: replays decide.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from bigdebug.isolation.proposals import MOST_CANDIDATES, MOST_COLUMNS
from bigdebug.isolation.ranking import Order
from bigdebug.lineage.rdd.kinds import COGROUPS, KEYED, KEYED_VALUES, VALUE_ACTIONS

if TYPE_CHECKING:
    from bigdebug.isolation.rdd.replays import RddReplays

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
        for operator in replays.asked(_GROUPING):
            for given in replays.given(operator):
                if len(found) < 3 * MOST_COLUMNS:
                    pairs = operator.kind in _OF_PAIRS
                    values = [element[1] for element in given.values] if pairs else given.values
                    found += orders_among(values, given.leaves, given.numbers, replays.sources)
    except Exception:
        return found  # they only propose
    return found


def orders_among(
    values: Sequence[Any],
    leaves: np.ndarray[Any, Any],
    numbers: np.ndarray[Any, Any],
    sources: frozenset[int],
) -> Iterator[Order]:
    """Orders of candidates by the numbers in what is made of them.

    Args:
        values: what is made of them.
        leaves, numbers: of each by which leaves and numbers it names them, as many as the most has.
        sources: the leaves that count.
    """
    columns = _columns(values)
    places = np.repeat(np.arange(len(values)), leaves.shape[1])
    leaves, numbers = leaves.ravel(), numbers.ravel()
    # A record of one source that many elements are made of has the extremes of all of them: each has its own orders.
    for leaf in np.unique(leaves).tolist():
        if leaf in sources:
            own = leaves == leaf
            for column in columns:
                yield from _by_extremes(numbers[own], column[places[own]])


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


def _columns(values: Sequence[Any]) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    """The numbers in values; not a number where there is none."""
    names = list(dict.fromkeys(name for value in values[:_LOOKED_AT] for name in _parts(value)))
    return [column_of(values, name) for name in names[:MOST_COLUMNS]]


def column_of(values: Sequence[Any], name: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The numbers of one name; not a number where there is none."""
    try:
        found = values if name is None else [value[name] for value in values]
        # Of very many it counts that none is looked at by itself.
        if set(map(type, found)) <= {int, float}:
            return np.array(found, dtype=float)
    except (KeyError, IndexError, TypeError, OverflowError):
        pass
    return np.array([_number(value, name) for value in values], dtype=float)


def _number(value: Any, name: Any) -> float:
    try:
        found = value if name is None else value[name[1]] if isinstance(name, tuple) else value[name]
        return float(found) if _is_number(found) else np.nan
    except (KeyError, IndexError, TypeError, OverflowError):
        return np.nan


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
