"""How conditions on an operator's elements are carried down to conditions on those that it reads.

What a function is called on matches if what it gives does; so conditions go down through any function of one element.
Through operators that move, join or group elements they go as far as these leave the part alone that they are about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bigdebug.lineage.rdd.conjuncts import Conjunct
from bigdebug.lineage.rdd.held import of_any_result, of_result
from bigdebug.lineage.rdd.kinds import (
    COGROUPS,
    JOINS,
    KEYED,
    MOVING,
    NUMBERING,
    SAMPLING,
    SUBTRACTING,
    UNIONS,
)
from bigdebug.lineage.rdd.operator import RddOperator

_KEEPING = SAMPLING | MOVING | UNIONS | SUBTRACTING | {"filter", "distinct", "intersection"}
_BY_KEY = KEYED | COGROUPS | {"countByKey", "reduceByKeyLocally"}
_GIVING_PAIRS = _BY_KEY | JOINS | NUMBERING | {
    "mapValues", "flatMapValues", "keyBy", "groupBy", "zip", "cartesian", "countByValue",
}  # fmt: skip
_NEEDING_ALL = {"join", "intersection", "zip", "cartesian"}

Conjuncts = list[Conjunct]


@dataclass(frozen=True)
class Carried:
    """Conditions on what an operator reads.

    Attributes:
        inputs: the operators that elements which match come from, with the conditions on theirs.
        stopped: the conditions that nothing tells of what enters.
        needs_all: whether an element that matches takes one of each of the inputs.
    """

    inputs: list[tuple[RddOperator, Conjuncts]]
    stopped: Conjuncts
    needs_all: bool = False


def in_pairs(kind: str, conjuncts: Sequence[Conjunct]) -> tuple[Conjunct, ...]:
    """Conditions on the elements of an operator, those that are about a part of a pair that it makes as such.

    Args:
        kind: of the operator.
        conjuncts: on its elements.
    """
    if kind not in _GIVING_PAIRS:
        return tuple(conjuncts)
    paths = [(), (1,)] if kind in JOINS else [()]  # the value that a join gives is a pair, too
    return tuple(each.in_tuple() if each.path in paths else each for each in conjuncts)


def carried_down(operator: RddOperator, arguments: dict[str, Any], conjuncts: Conjuncts) -> Carried:
    """Carry conditions down through an operator.

    Args:
        operator: that isn't a source.
        arguments: of it, as they were.
        conjuncts: on its elements.
    """
    kind, inputs = operator.kind, operator.inputs
    if kind in _KEEPING:
        asked = inputs[:1] if kind in SUBTRACTING else inputs
        partners = [each.of_partners() for each in conjuncts] if kind == "intersection" else conjuncts
        carried = [(below, partners if number else conjuncts) for number, below in enumerate(asked)]
        return Carried(carried, [], kind in _NEEDING_ALL)
    if kind in JOINS:
        sides = [
            (below, [moved for each in conjuncts for moved in _of_side(kind, each, number)])
            for number, below in enumerate(inputs)
        ]
        stopped = [each for each in conjuncts if each.path[:1] != (0,) and len(each.path) < 2]
        return Carried(_spoken_of(sides), stopped, kind == "join")
    if kind in ("zip", "cartesian"):
        sides = [
            (below, [each.at(each.path[1:]) for each in conjuncts if each.path[:1] == (number,)])
            for number, below in enumerate(inputs)
        ]
        return Carried(_spoken_of(sides), [each for each in conjuncts if not each.path], True)
    below, stopped = _of_one_input(kind, arguments.get("f"), conjuncts)
    return Carried([(each, below) for each in inputs], stopped)


def _of_one_input(
    kind: str, function: Callable[[Any], Any] | None, conjuncts: Conjuncts
) -> tuple[Conjuncts, Conjuncts]:
    """The conditions on the elements of the inputs, and those that stopped."""
    if kind == "map" and function is not None:
        return [_result(each, function, ()) for each in conjuncts], []
    if kind == "flatMap" and function is not None:
        return _given(function, (), conjuncts), []
    if kind in ("keys", "values"):
        place = 0 if kind == "keys" else 1
        return [each.at((place, *each.path)) for each in conjuncts], []
    key = [each for each in conjuncts if each.path[:1] == (0,)]
    value = [each.at(each.path[1:]) for each in conjuncts if each.path[:1] == (1,)]
    others = [each for each in conjuncts if not each.path]
    if kind in ("mapValues", "flatMapValues") and function is not None:
        if others:  # about key and value at once: only on the whole pair
            return _given(_pairs_of(function, kind == "flatMapValues"), (), conjuncts), []
        if kind == "mapValues":
            return [*key, *(_result(each, function, (1,)) for each in value)], []
        return [*key, *_given(function, (1,), value)], []
    if kind == "keyBy" and function is not None:
        whole = [_result(each, _keyed_by(function), ()) for each in others]
        return [*(_result(each.at(each.path[1:]), function, ()) for each in key), *value, *whole], []
    stopped = [each for each in conjuncts if each.path[:1] != (0,)]
    if kind in _BY_KEY:
        return key, stopped
    if kind == "groupBy" and function is not None:
        return [_result(each.at(each.path[1:]), function, ()) for each in key], stopped
    if kind == "countByValue" or kind in NUMBERING:
        return [each.at(each.path[1:]) for each in key], stopped
    return [], conjuncts


def _whole(conjunct: Conjunct) -> Callable[[Any], Any]:
    """A condition on a part as one on the element."""
    path, test = conjunct.condition

    def held(element: Any) -> Any:
        for place in path:
            element = element[place]
        return test(element)

    return held


def _result(conjunct: Conjunct, function: Callable[[Any], Any], path: tuple[int, ...]) -> Conjunct:
    """A condition on what a function gives, as one on what it is given, which stands at a path."""
    return replace(conjunct, path=path, test=of_result(function, _whole(conjunct)), of_tuple=None)


def _given(function: Callable[[Any], Any], path: tuple[int, ...], conjuncts: Conjuncts) -> Conjuncts:
    """Conditions on one of the things that a function gives."""
    if not conjuncts:
        return []
    text = " and ".join(each.text for each in conjuncts)
    own = any(each.own for each in conjuncts)
    return [Conjunct(text, path, of_any_result(function, [each.condition for each in conjuncts]), own)]


def _pairs_of(function: Callable[[Any], Any], several: bool) -> Callable[[Any], Any]:
    def pairs(pair: Any) -> Any:
        made = function(pair[1])
        return [(pair[0], value) for value in made] if several else [(pair[0], made)]

    return pairs


def _keyed_by(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def keyed(element: Any) -> Any:
        return function(element), element

    return keyed


def _of_side(kind: str, conjunct: Conjunct, number: int) -> list[Conjunct]:
    """A condition on what a join gives as one on an element of a side."""
    if conjunct.path[:1] == (0,):
        preserved = 1 if kind == "rightOuterJoin" else 0
        return [conjunct if number == preserved else conjunct.of_partners()]
    if conjunct.path[:2] == (1, number):
        return [conjunct.at((1, *conjunct.path[2:]))]
    return []


def _spoken_of(sides: Sequence[tuple[RddOperator, Conjuncts]]) -> list[tuple[RddOperator, Conjuncts]]:
    """The sides that conditions speak of; both where none speaks of any."""
    return [side for side in sides if side[1]] or list(sides)
