"""The conditions that a question about elements consists of, and which parts of an element each is about."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from bigdebug.lineage.rdd.conditions import ElementCondition, predicate_of
from bigdebug.lineage.rdd.held import Path, Test

_NAMES: dict[str, Path] = {"x": (), "key": (0,), "value": (1,)}
_BINDING = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.NamedExpr)


@dataclass(frozen=True, eq=False)
class Conjunct:
    """One of the conditions that have to hold.

    Attributes:
        text: as the user wrote it.
        path: where in an element the part stands that it is about.
        test: whether it holds, of that part.
        own: the question itself asks it of these elements; not of the partners that they need.
        of_tuple: the same where what stands there is a tuple for sure: where in that the part stands that it is
            about, and whether it holds of that part.
    """

    text: str
    path: Path
    test: Test
    own: bool = True
    of_tuple: tuple[Path, Test] | None = None

    @property
    def condition(self) -> tuple[Path, Test]:
        return self.path, self.test

    def at(self, path: Path) -> Conjunct:
        """The same on a part that stands elsewhere."""
        return replace(self, path=path)

    def in_tuple(self) -> Conjunct:
        """The same on a part of the tuple that stands there."""
        if self.of_tuple is None:
            return self
        path, test = self.of_tuple
        return Conjunct(self.text, (*self.path, *path), test, self.own)

    def of_partners(self) -> Conjunct:
        """The same as a condition on partners of the elements that are asked about."""
        return replace(self, own=False)


def conjuncts_of(where: str | Callable[[Any], Any]) -> list[Conjunct]:
    """The conditions of a question.

    Args:
        where: a function of an element, of which only it knows what it is about, or an expression in Python.

    Raises:
        BigDebugError: it is neither, or no Python.
    """
    predicate = predicate_of(where)
    assert predicate is not None
    if not isinstance(predicate, ElementCondition):
        name = getattr(predicate, "__name__", "")
        return [Conjunct(name if name.isidentifier() else "the condition", (), predicate)]
    return list(map(_conjunct, _flat(ast.parse(predicate.text.strip(), mode="eval").body)))


def about_x(text: str) -> str:
    """An expression in which parts of elements have no names of their own.

    Args:
        text: in Python, without functions and comprehensions, whose names might be the same.
    """
    return ast.unparse(_Moved(0).visit(ast.parse(text.strip(), mode="eval").body))


def _flat(expression: ast.expr) -> Iterator[ast.expr]:
    if isinstance(expression, ast.BoolOp) and isinstance(expression.op, ast.And):
        for value in expression.values:
            yield from _flat(value)
    else:
        yield expression


def _conjunct(expression: ast.expr) -> Conjunct:
    text = ast.unparse(expression)
    paths = list(_references(expression))
    if not paths or any(isinstance(node, _BINDING) for node in ast.walk(expression)):
        return Conjunct(text, (), ElementCondition(text))
    shared = paths[0]
    for path in paths[1:]:
        alike = [n for n, (one, other) in enumerate(zip(shared, path, strict=False)) if one != other]
        shared = shared[: min([len(shared), len(path), *alike])]
    asked = ast.unparse(_Moved(len(shared)).visit(expression))
    return Conjunct(text, shared, ElementCondition(asked))


def _references(node: ast.AST) -> Iterator[Path]:
    """The parts that an expression speaks of."""
    path = _path(node)
    if path is not None:
        yield path
        return
    for below in ast.iter_child_nodes(node):
        yield from _references(below)


def _path(node: ast.AST) -> Path | None:
    if isinstance(node, ast.Name):
        return _NAMES.get(node.id)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        place = node.slice.value
        above = _path(node.value)
        if above is not None and type(place) is int and place >= 0:
            return (*above, place)
    return None


class _Moved(ast.NodeTransformer):
    """Has an expression speak of a part of an element as `x`.

    Args:
        depth: how deep that part stands.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth

    def visit(self, node: ast.AST) -> Any:
        path = _path(node)
        if path is None:
            return self.generic_visit(node)
        moved: ast.expr = ast.Name("x", ast.Load())
        for place in path[self._depth :]:
            moved = ast.Subscript(moved, ast.Constant(place), ast.Load())
        return moved
