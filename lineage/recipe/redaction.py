"""Keep the values of redacted columns out of recipes.

A redacted column is followed through the plan, back to the columns it is made of and on to what is made of it.
In-memory data is hashed before it is kept (see `leaves.py`); a plan that names a value itself, as a literal
beside such a column or in a pickled function, isn't kept at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.errors import RecipeError

_COMPARING = frozenset(
    {
        "EqualTo", "EqualNullSafe", "LessThan", "LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual",
        "In", "InSet", "Between", "Like", "ILike", "RLike", "LikeAll", "LikeAny", "NotLikeAll", "NotLikeAny",
        "StartsWith", "EndsWith", "Contains", "ArrayContains", "NullIf", "RegExpReplace",
    }
)  # fmt: skip
_CONNECTING = frozenset({"And", "Or", "Not"})

# Shorter texts and smaller numbers are parts of a calculation (`substring(ssn, 1, 3)`), not values.
_SHORTEST = 4
_SMALLEST = 1000
# Bytes times lengths of values that are looked for one by one.
_MOST_WORK = 200_000_000


@dataclass(frozen=True)
class _Flow:
    """A column that is made of others."""

    made: str
    of: frozenset[str]


class RedactedColumns:
    """The columns of a plan that hold values of redacted columns, whatever they are called there.

    Args:
        catalyst: of the session the plan lives in.
        plan: an analyzed plan, set operations and CTEs rewritten.
        names: the columns to redact.
    """

    def __init__(self, catalyst: Catalyst, plan: Any, names: Iterable[str]) -> None:
        self._catalyst = catalyst
        self._names = frozenset(name.casefold() for name in names)
        self._nodes = list(self._walk(plan)) if self._names else []
        self._keys = self._followed()

    @property
    def names(self) -> frozenset[str]:
        """The columns to redact, case folded."""
        return self._names

    def holds(self, attribute: Any) -> bool:
        """Whether an attribute holds values of a redacted column, itself or in a field of it."""
        return bool(self._names) and (self._key(attribute) in self._keys or self._named(attribute))

    def require_no_values(self) -> None:
        """Make sure that no expression names a value of such a column.

        Raises:
            RecipeError: one does.
        """
        for node in self._nodes:
            for expression in self._catalyst.items(node.expressions()):
                self._check(expression)

    def require_no_paths(self, paths: Iterable[str]) -> None:
        """Make sure that no folder is called after a value (`ssn=123-45-6789/`).

        Raises:
            RecipeError: one is.
        """
        for path in paths:
            for name in self._names:
                if re.search(rf"(?i)(^|/){re.escape(name)}=", path):
                    raise RecipeError(f"its files lie in folders named after the redacted column {name}")

    # -- following columns --------------------------------------------------------------------------

    def _walk(self, plan: Any) -> Iterator[Any]:
        stack = [plan]
        while stack:
            node = stack.pop()
            yield node
            stack += self._catalyst.items(node.children())
            stack += self._catalyst.items(node.subqueries())

    def _followed(self) -> frozenset[str]:
        flows = [flow for node in self._nodes for flow in self._flows(node)]
        keys = {
            self._key(attribute)
            for node in self._nodes
            for attribute in self._catalyst.output(node)
            if self._named(attribute)
        }
        sources = _closed(keys, [(flow.made, source) for flow in flows for source in flow.of])
        return frozenset(_closed(sources, [(source, flow.made) for flow in flows for source in flow.of]))

    def _flows(self, node: Any) -> Iterator[_Flow]:
        catalyst = self._catalyst
        made = {}
        for expression in catalyst.items(node.expressions()):
            for alias in self._instances(expression, "Alias"):
                made[self._key(alias)] = self._references(alias)
        output = catalyst.output(node)
        children = catalyst.items(node.children())
        kind = class_name(node)
        if kind in ("Union", "Expand"):
            rows = (
                [
                    [self._references(e) for e in catalyst.items(row)]
                    for row in catalyst.items(node.projections())
                ]
                if kind == "Expand"
                else [[{self._key(a)} for a in catalyst.output(child)] for child in children]
            )
            for i, attribute in enumerate(output):
                made[self._key(attribute)] = set().union(*(row[i] for row in rows))
        elif children:
            below = {self._key(a) for child in children for a in catalyst.output(child)}
            for attribute in output:
                key = self._key(attribute)
                if key not in made and key not in below:
                    made[key] = {self._key(a) for a in catalyst.items(node.references().toSeq())} or below
        for key, of in made.items():
            yield _Flow(key, frozenset(of - {key}))

    def _references(self, expression: Any) -> set[str]:
        found = {self._key(a) for a in self._catalyst.items(expression.references().toSeq())}
        for query in self._instances(expression, "ScalarSubquery"):
            found |= {self._key(a) for a in self._catalyst.output(query.plan())}
        return found

    def _instances(self, expression: Any, kind: str) -> Iterator[Any]:
        stack = [expression]
        while stack:
            each = stack.pop()
            if class_name(each) == kind:
                yield each
            stack += self._catalyst.items(each.children())

    def _key(self, attribute: Any) -> str:
        return self._catalyst.attribute_key(attribute)

    def _named(self, attribute: Any) -> bool:
        if str(attribute.name()).casefold() in self._names:
            return True
        kind = str(attribute.dataType().catalogString()).casefold()
        return "<" in kind and any(re.search(rf"[<,]{re.escape(name)}:", kind) for name in self._names)

    # -- looking for literals -----------------------------------------------------------------------

    def _check(self, expression: Any, made: bool = False) -> None:
        """Refuse a literal that is compared with such a column, goes into it, or is beside it in a function.

        Args:
            made: the expression's value goes into such a column.
        """
        kind = class_name(expression)
        children = self._catalyst.items(expression.children())
        if kind == "Alias":
            self._check(children[0], made or self._key(expression) in self._keys)
            return
        if kind == "Literal":
            if made and self._is_value(expression):
                self._refuse()
            return
        touched = made or bool(self._references(expression) & self._keys)
        if not touched and not self._holds_alias(expression):
            return
        if kind in _COMPARING and touched and not made:
            literals = list(self._instances(expression, "Literal"))
            if kind == "InSet" or any(not self._is_nothing(literal) for literal in literals):
                self._refuse()
            return
        for child in children:
            beside = touched and kind not in _CONNECTING and class_name(child) == "Literal"
            self._check(child, made or beside)

    def _holds_alias(self, expression: Any) -> bool:
        return any(True for _ in self._instances(expression, "Alias"))

    def _is_nothing(self, literal: Any) -> bool:
        return str(literal.toString()) in ("null", "", "true", "false")

    def _is_value(self, literal: Any) -> bool:
        text = str(literal.toString())
        if self._is_nothing(literal) or text.casefold() in self._names:
            return False
        kind = str(literal.dataType().catalogString())
        if kind.startswith(("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")):
            return abs(float(text)) >= _SMALLEST
        return len(text) >= _SHORTEST

    def _refuse(self) -> None:
        raise RecipeError(
            f"the plan names a value of a redacted column ({', '.join(sorted(self._names))})",
            hint="trace in the running program with session.trace",
        )


def require_absent(values: Iterable[str], *stored: bytes) -> None:
    """Make sure that none of the values stands in what is to be stored.

    Raises:
        RecipeError: one does, or there is too much to look through.
    """
    by_length: dict[int, set[bytes]] = {}
    for value in values:
        if len(value) >= _SHORTEST:
            text = value.encode("utf-8", "surrogatepass")
            by_length.setdefault(len(text), set()).add(text)
    if sum(map(len, stored)) * len(by_length) > _MOST_WORK:
        raise RecipeError("there is too much data to make sure that no redacted value is in it")
    for data in stored:
        for length, wanted in by_length.items():
            few = len(wanted) <= 20
            if few and any(value in data for value in wanted):
                _refuse_found()
            if not few and any(data[i : i + length] in wanted for i in range(len(data) - length + 1)):
                _refuse_found()


def _refuse_found() -> None:
    raise RecipeError(
        "the plan, or another column, holds a value of a redacted column",
        hint="trace in the running program with session.trace",
    )


def _closed(keys: set[str], edges: list[tuple[str, str]]) -> set[str]:
    """All that can be reached from some keys along the edges."""
    onward: dict[str, list[str]] = {}
    for start, end in edges:
        onward.setdefault(start, []).append(end)
    reached, waiting = set(keys), list(keys)
    while waiting:
        for key in onward.get(waiting.pop(), ()):
            if key not in reached:
                reached.add(key)
                waiting.append(key)
    return reached
