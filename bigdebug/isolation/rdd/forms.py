"""Elements of RDDs as columns: the parts that all of them have. Travels by value: workers need not have bigdebug."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

MOST_PARTS = 40
_DEEPEST = 3
_LEAST_SHARE = 0.8
"""Of the elements, how many must have a part for it to be one of all."""
_WHOLE_NUMBERS = range(-(2**63), 2**63)


class Part(NamedTuple):
    """A part of an element.

    Attributes:
        label: as an expression in Python of an element `x`.
        steps: indexes and keys that lead to it.
        kind: Spark's name of its type.
    """

    label: str
    steps: tuple[Any, ...]
    kind: str


def parts_of(elements: Sequence[Any]) -> tuple[Part, ...]:
    """The parts that nearly all of some elements have; an element that has none is told by its text."""
    found = tuple(_parts(elements, "x", (), len(elements) * _LEAST_SHARE, _DEEPEST))[:MOST_PARTS]
    return found or (Part("x", (), "text"),)


def _parts(
    values: Sequence[Any], label: str, steps: tuple[Any, ...], least: float, depth: int
) -> Iterator[Part]:
    there = [value for value in values if value is not None]
    for kind, types in _KINDS.items():
        fitting = sum(isinstance(value, types) and _is(kind, value) for value in there)
        if there and fitting == len(there):
            yield Part(label, steps, kind)
            return
    if not depth:
        return
    names = _names_of(there)
    for step, name in names.items():
        below = [found for found in (_step(value, step) for value in there) if found is not _MISSING]
        if len(below) >= least:
            yield from _parts(below, f"{label}{name}", (*steps, step), least, depth - 1)


_KINDS: Mapping[str, Any] = {
    "boolean": bool,
    "bigint": int,
    "double": (int, float),
    "string": str,
    "timestamp": datetime.datetime,
    "date": datetime.date,
}
_MISSING = object()


def _is(kind: str, value: Any) -> bool:
    if kind in ("bigint", "double"):
        return not isinstance(value, bool) and (isinstance(value, float) or value in _WHOLE_NUMBERS)
    if kind == "timestamp":
        return value.tzinfo is not None or bool(1 < value.year < 9999)
    return kind != "date" or not isinstance(value, datetime.datetime)


def _names_of(values: Iterable[Any]) -> dict[Any, str]:
    """What leads to the parts of values, with the text that does so in Python."""
    found: dict[Any, str] = {}
    for value in values:
        if isinstance(value, dict):
            found.update({key: f"[{key!r}]" for key in value if isinstance(key, str | int)})
        elif isinstance(value, tuple):
            fields = getattr(value, "__fields__", None) or getattr(value, "_fields", None)
            for index in range(len(value)):
                named = fields is not None and index < len(fields) and str(fields[index]).isidentifier()
                found.setdefault(index, f".{fields[index]}" if named and fields else f"[{index}]")
        elif isinstance(value, list) and len(value) <= MOST_PARTS:
            found.update({index: f"[{index}]" for index in range(len(value))})
        if len(found) > MOST_PARTS:
            break
    return found


def _step(value: Any, step: Any) -> Any:
    if isinstance(value, dict):
        return value.get(step, _MISSING)
    if isinstance(value, tuple | list) and isinstance(step, int) and step < len(value):
        return value[step]
    return _MISSING


def valued(parts: Sequence[Part]) -> Callable[[Any], list[Any]]:
    """Tells the parts of an element, None for those that it hasn't."""

    def values(element: Any) -> list[Any]:
        found = []
        for part in parts:
            value = element
            for step in part.steps:
                value = _step(value, step)
            found.append(_as(part.kind, value))
        return found

    return values


def _as(kind: str, value: Any) -> Any:
    if kind == "text":
        return repr(value)
    if value is _MISSING or not isinstance(value, _KINDS[kind]) or not _is(kind, value):
        return None
    return float(value) if kind == "double" else value


def numbered_parts(
    parts: Sequence[Part],
    firsts: Mapping[int, int],
    candidates: Mapping[int, bytes],
    sets: Sequence[Mapping[int, bytes]],
    files: Mapping[int, tuple[str | None, int]],
) -> Callable[[int, Iterable[Any]], Iterator[tuple[Any, ...]]]:
    """Of some candidates the parts, the number, which set it is of, and where a person finds it.

    Args:
        parts: of the elements.
        firsts: by partition the number of its first candidate.
        candidates: by partition a bit for each place of one.
        sets: the same of those that are asked for; a candidate is of the last that has it.
        files: by partition its file and the position of its first record; none for what isn't in files.
    """

    def numbered(partition: int, elements: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
        values = valued(parts)
        for place, element, number, where in _placed(partition, elements, firsts, candidates, files):
            if number is None:
                continue
            mine = [i for i, each in enumerate(sets) if _has(each, partition, place)]
            if mine:
                yield (*values(element), number, mine[-1], where)

    return numbered


def all_parts(
    parts: Sequence[Part],
    firsts: Mapping[int, int],
    candidates: Mapping[int, bytes],
    culprits: Mapping[int, bytes],
    files: Mapping[int, tuple[str | None, int]],
) -> Callable[[int, Iterable[Any]], Iterator[tuple[Any, ...]]]:
    """The same of all elements; those that are no candidates have any numbers below 0.

    Args:
        parts: of the elements.
        firsts: by partition the number of its first candidate.
        candidates: by partition a bit for each place of one.
        culprits: the same of the culprits.
        files: by partition its file and the position of its first record; none for what isn't in files.
    """

    def numbered(partition: int, elements: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
        values = valued(parts)
        for place, element, number, where in _placed(partition, elements, firsts, candidates, files):
            other = -1 - (partition << 40 | place)
            culprit = int(_has(culprits, partition, place))
            yield (*values(element), other if number is None else number, culprit, where)

    return numbered


def _placed(
    partition: int,
    elements: Iterable[Any],
    firsts: Mapping[int, int],
    candidates: Mapping[int, bytes],
    files: Mapping[int, tuple[str | None, int]],
) -> Iterator[tuple[int, Any, int | None, tuple[str | None, int, int | None]]]:
    """Elements with their place, their number if they are candidates, and where a person finds them."""
    number = firsts.get(partition, 0)
    file, start = files.get(partition, (None, 0))
    alone = None if files else partition
    for place, element in enumerate(elements):
        is_one = _has(candidates, partition, place)
        yield place, element, number if is_one else None, (file, start + place, alone)
        number += is_one


def _has(bits: Mapping[int, bytes], partition: int, place: int) -> bool:
    mine = bits.get(partition, b"")
    return place >> 3 < len(mine) and bool(mine[place >> 3] >> (place & 7) & 1)


def parts_alone(parts: Sequence[Part]) -> Callable[[Any], tuple[Any, ...]]:
    """The parts of any element."""
    values = valued(parts)
    return lambda element: tuple(values(element))
