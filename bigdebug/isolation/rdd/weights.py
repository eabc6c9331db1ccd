"""What Spark's workers do to weigh groups and their records. Travels by value: they need not have bigdebug."""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pyspark import cloudpickle

from bigdebug.lineage.rdd.packing import named, without_doubles

Weigh = Callable[[Any], float]


def one(_: Any) -> float:
    """The weight of an element where they are counted."""
    return 1.0


def pickled_size(element: Any) -> float:
    """The bytes that an element takes when Spark moves it."""
    try:
        return float(len(pickle.dumps(element, protocol=5)))
    except Exception:  # of a class that can't be imported: that goes by value
        return float(len(cloudpickle.dumps(element)))


class Evaluated:
    """What an expression in Python gives for an element `x`, or for the `key` and `value` of a pair.

    Args:
        text: the expression.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._code: Any = None

    def __call__(self, x: Any) -> float:
        if self._code is None:
            self._code = compile(self.text.strip(), "<by>", "eval")
        names = {"x": x}
        if isinstance(x, tuple) and len(x) == 2:
            names["key"], names["value"] = x
        return float(eval(self._code, names))

    def __getstate__(self) -> dict[str, Any]:
        return {"text": self.text, "_code": None}


def weighed(key: Callable[[Any], Any], weigh: Weigh) -> Callable[[Any], tuple[Any, tuple[float, int]]]:
    """Of an annotated element its key, its weight, and that it is one."""

    def pair(annotated: Any) -> tuple[Any, tuple[float, int]]:
        return key(annotated[0]), (weigh(annotated[0]), 1)

    return pair


def added(one: tuple[float, int], other: tuple[float, int]) -> tuple[float, int]:
    """Two weights and counts together."""
    return one[0] + other[0], one[1] + other[1]


def weight_alone(pair: tuple[Any, tuple[float, int]]) -> tuple[float]:
    """A group's weight as a row."""
    return (pair[1][0],)


def is_heavier(limit: float) -> Callable[[tuple[Any, tuple[float, int]]], bool]:
    """Whether a group has more than so much."""
    return lambda pair: pair[1][0] > limit


def lightest_last(pair: tuple[Any, tuple[float, int]]) -> float:
    return -pair[1][0]


def of_groups(
    groups: Mapping[Any, int], key: Callable[[Any], Any], weigh: Weigh
) -> Callable[[Iterable[Any]], Iterator[tuple[int, int, int, bytes, bytes]]]:
    """What annotated elements of some groups add to them.

    Gives the group's number, the leaf and the partition that the records are of, their places there (64-bit numbers)
    and what each adds (doubles).

    Args:
        groups: number by key.
        key: of an element.
        weigh: what an element adds.
    """

    def found(elements: Iterable[Any]) -> Iterator[tuple[int, int, int, bytes, bytes]]:
        parts: dict[tuple[int, int, int], tuple[array[int], array[float]]] = {}
        for element, ids in elements:
            number = groups.get(key(element))
            if number is None:
                continue
            weight = weigh(element)
            for leaf, name in named(without_doubles(ids)):
                partition, place = name if _is_place(name) else (-1, -1)
                part = parts.setdefault((number, leaf, partition), (array("q"), array("d")))
                part[0].append(place)
                part[1].append(weight)
        for (number, leaf, partition), (places, weights) in parts.items():
            yield number, leaf, partition, places.tobytes(), weights.tobytes()

    return found


def _is_place(name: Any) -> bool:
    """Whether an id names a record; what names a group is no matter, as it is refused."""
    return isinstance(name, tuple) and len(name) == 2 and all(isinstance(each, int) for each in name)


def of_leaf(leaf: int, groups: Mapping[Any, int]) -> Callable[[Any], Iterator[tuple[int, Any]]]:
    """The output's annotated elements that groups went into, by the group's number."""

    def found(annotated: Any) -> Iterator[tuple[int, Any]]:
        element, ids = annotated
        for number, name in named(ids):
            if number == leaf and name in groups:
                yield groups[name], element

    return found
