"""What makes a trace of an RDD inexact, as far as its operators tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bigdebug.lineage.rdd.annotator import contributing, has_fixed_order
from bigdebug.lineage.rdd.chains import chain_below
from bigdebug.lineage.rdd.chance import chance_in
from bigdebug.lineage.rdd.kinds import (
    BY_SETTINGS,
    EXTREME_ROWS,
    FIRST_ROWS,
    NUMBERING,
    SAMPLING,
    SORTING,
)
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.record_wise import is_opaque
from bigdebug.lineage.rdd.rows import RddRows

_OPAQUE = (
    "what {} made an element of, only its function knows: the trace holds all that it had read of the "
    "partition by then"
)
_POSITION = "{} goes by position, and after a shuffle elements may come in another order"
_SPLIT_ANEW = "{} goes by partition, and {} comes in other partitions than it came in when the run read it"
_VARIES = "{} uses {}, which {}"
_READ_ANEW = "{} was read anew, and nothing tells whether it holds what it held when the run read it"

_TAKEN = "{} takes elements by position, and they may come in another order"

_BY_POSITION = SAMPLING | NUMBERING | {"zip", "glom"}


def doubts_about_keys(boundaries: Iterable[RddOperator]) -> list[str]:
    """Why a trace isn't exact that came by keys that aren't equal to themselves.

    Args:
        boundaries: that have such keys on the trace.
    """
    return [
        f"{operator.described()} has keys that aren't equal to themselves (not a number): "
        "the trace holds all elements with such keys"
        for operator in sorted(boundaries, key=lambda each: each.serial)
    ]


def doubts_about_taken(rows: RddRows) -> list[str]:
    """Why the elements that an action took may be others the next time; empty where it took the same.

    Args:
        rows: what the action was about.
    """
    if rows.action in EXTREME_ROWS and rows.arguments is not None:
        return _varying(rows.action, rows.arguments.thawed().values())
    if rows.action not in FIRST_ROWS | {"takeSample"} or _is_sorted(rows.operator):
        return []
    return [_TAKEN.format(rows.action)]


def _varying(told: str, arguments: Iterable[Any]) -> list[str]:
    """What functions use that gives something else each time.

    Args:
        told: what they were given to.
        arguments: they, and what else it was given.
    """
    found: dict[str, str] = {}
    for each in arguments:
        if callable(each) or isinstance(each, list):
            found |= chance_in(each)
    return [_VARIES.format(told, name, what) for name, what in found.items()]


def _is_sorted(operator: RddOperator) -> bool:
    """Whether its elements come in a fixed order, or in one that the program asked for."""
    return chain_below(operator, {}).bottom.kind in SORTING or has_fixed_order(operator)


def _split_anew(operator: RddOperator) -> RddOperator | None:
    """A source below it that is split otherwise than the run split it."""
    return next((below for below in operator.walk() if below.split_anew), None)


def doubts_about(root: RddOperator, *, opaque: bool = True) -> list[str]:
    """Why a trace of an operator's elements isn't exact, the latest operator first; empty where it is.

    Args:
        root: whose elements are traced.
        opaque: count that only functions know what they made elements of.
    """
    # What only decides about elements varies them, too. A sample has its seed, from the program or from Spark.
    given = (each for each in root.walk() if each.inputs and each.kind not in SAMPLING)
    found = [(each, text) for each in given for text in _varying(each.described(), each.arguments.values())]
    seen = {root}
    waiting = [root]
    while waiting:
        operator = waiting.pop()
        told = operator.described()
        if operator.kind in BY_SETTINGS and operator.listed == []:
            found.append((operator, _READ_ANEW.format(told)))
        if is_opaque(operator):
            found += [(operator, _OPAQUE.format(told))] if opaque else []
        anew = _split_anew(operator) if is_opaque(operator) or operator.kind in _BY_POSITION else None
        if anew is not None:
            found.append((operator, _SPLIT_ANEW.format(told, anew.described())))
        elif operator.kind in _BY_POSITION and not all(map(has_fixed_order, operator.inputs)):
            found.append((operator, _POSITION.format(told)))
        for below in contributing(operator):
            if below not in seen:
                seen.add(below)
                waiting.append(below)
    return [text for _, text in sorted(found, key=lambda pair: -pair[0].serial)]
