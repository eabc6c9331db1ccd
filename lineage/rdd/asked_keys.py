"""Questions about keys alone, which can be asked of what groups are made of before the groups are.

Where a group has an element of the output to itself, and the condition is about its key, what the group was made of
is found in the pass in which it would else be found which groups there are.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.rdd.annotator import is_boundary
from bigdebug.lineage.rdd.conditions import ElementCondition, KeyCondition
from bigdebug.lineage.rdd.conjuncts import about_x, conjuncts_of
from bigdebug.lineage.rdd.freezing import Frozen, frozen_for
from bigdebug.lineage.rdd.kinds import COGROUPS, KEYED, KEYED_VALUES, MOVING
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.rows import RddRows

Test = Callable[[Any], Any]

_GROUPS = KEYED | COGROUPS | KEYED_VALUES | {"groupBy"}
_KEEP_KEYS = MOVING | {"mapValues"}

# What Python says alike of keys that are equal, though one be 1 and the other 1.0 or True.
_LIKE = (
    ast.And, ast.BoolOp, ast.Compare, ast.Constant, ast.Eq, ast.Gt, ast.GtE, ast.In, ast.List, ast.Load, ast.Lt,
    ast.LtE, ast.Name, ast.Not, ast.NotEq, ast.NotIn, ast.Or, ast.Set, ast.Subscript, ast.Tuple, ast.UnaryOp,
    ast.USub,
)  # fmt: skip
_OF_TEXTS = frozenset({"casefold", "endswith", "lower", "startswith", "strip", "upper"})


@dataclass(frozen=True)
class AskedKeys:
    """A question about the keys of groups.

    Attributes:
        operator: that makes the groups.
        frozen: the functions to use for it.
        of_key: the condition on a key.
        of_keyed: the same on what has the key as its first part; of `distinct`, on what is the key.
    """

    operator: RddOperator
    frozen: Frozen
    of_key: Test
    of_keyed: Test


def asked_of_keys(rows: RddRows, where: Test | None) -> AskedKeys | None:
    """The question about keys that a question about elements is.

    Args:
        rows: what is asked about.
        where: which of its elements.

    Returns:
        None where it is about more than the keys of groups that have an element each.
    """
    if not isinstance(where, ElementCondition) or rows.action is not None:
        return None
    operator, frozen = rows.operator, rows.frozen
    moved = True
    while operator.kind in _KEEP_KEYS:
        moved = moved and operator.kind in MOVING
        frozen = frozen_for(operator, frozen)
        (operator,) = operator.inputs
    if not is_boundary(operator) or not _says_alike(where.text):
        return None
    frozen = frozen_for(operator, frozen)
    if operator.kind == "distinct":
        return AskedKeys(operator, frozen, where, where) if moved else None
    conjuncts = conjuncts_of(where)
    if operator.kind not in _GROUPS or any(each.path[:1] != (0,) for each in conjuncts):
        return None
    of_key = KeyCondition([(each.path[1:], each.test) for each in conjuncts])
    return AskedKeys(operator, frozen, of_key, ElementCondition(about_x(where.text)))


def _says_alike(text: str) -> bool:
    """Whether a condition holds of a key just where it holds of all keys that are equal to it."""
    return all(map(_is_alike, _parts(ast.parse(text.strip(), mode="eval").body)))


def _parts(expression: ast.AST) -> list[ast.AST]:
    """An expression's nodes, but for the names of functions: these are told by their call."""
    found, waiting = [], [expression]
    while waiting:
        node = waiting.pop()
        found.append(node)
        if isinstance(node, ast.Call):
            waiting += [*node.args, *node.keywords]
            if isinstance(node.func, ast.Attribute):
                waiting.append(node.func.value)
        else:
            waiting += ast.iter_child_nodes(node)
    return found


def _is_alike(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            return node.func.attr in _OF_TEXTS
        return isinstance(node.func, ast.Name) and node.func.id == "len"
    if isinstance(node, ast.Name):
        return node.id in ("x", "key")
    return isinstance(node, _LIKE)
