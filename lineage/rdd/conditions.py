"""Which elements of an RDD a question is about: a function of an element, or an expression in Python.

Elements of RDDs are Python objects of any kind, and the program that made them is Python: so is the condition.
SQL has no words for an object's attributes, for a tuple's third part, for `None in x`.
"""

from __future__ import annotations

import ast
import pickle
from collections.abc import Callable, Sequence
from typing import Any

from bigdebug.lineage.errors import BigDebugError

_HINT = "a condition on the elements of an RDD is Python, of an element x: x[0] == 'spark'"


class ElementCondition:
    """A condition in Python over an element.

    The element is `x`; the parts of a pair are `key` and `value`, too.

    Args:
        text: the expression.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._of_pair: Any = None
        self._of_others: Any = None

    def __call__(self, x: Any) -> bool:
        if self._of_pair is None:
            self._compile()
        if isinstance(x, tuple) and len(x) == 2:
            return bool(self._of_pair(x, *x))
        return bool(self._of_others(x))

    def function(self) -> Callable[[Any], Any]:
        """The same as a function of Python's own, where it knows elements by `x` alone."""
        if any(
            isinstance(node, ast.Name) and node.id in ("key", "value")
            for node in ast.walk(ast.parse(self.text.strip()))
        ):
            return self
        self._compile()
        function: Callable[[Any], Any] = self._of_others
        return function

    def _compile(self) -> None:
        # Functions: an expression that gets its names anew for each element takes twice as long.
        of_pair, of_others = (
            eval(compile(f"lambda {names}: ({self.text.strip()}\n)", "<where>", "eval"), {})
            for names in ("x, key, value", "x")
        )
        self._of_pair, self._of_others = of_pair, of_others

    def __getstate__(self) -> dict[str, Any]:
        return {"text": self.text, "_of_pair": None, "_of_others": None}


class KeyCondition:
    """Conditions on parts of a key, in their order.

    Args:
        conditions: of each where in the key the part stands, and the condition on it.
    """

    def __init__(self, conditions: Sequence[tuple[tuple[int, ...], Callable[[Any], Any]]]) -> None:
        self._conditions = conditions

    def __call__(self, key: Any) -> bool:
        for path, holds in self._conditions:
            part = key
            for place in path:
                part = part[place]
            if not holds(part):
                return False
        return True


class SameValue:
    """True of what is equal to a value.

    Args:
        data: the value as a pickle.
        of_pair: it is asked of the second part of pairs.
        spread: it is a tuple whose parts are given one by one.
    """

    def __init__(self, data: bytes, *, of_pair: bool = False, spread: bool = False) -> None:
        self._data = data
        self._of_pair = of_pair
        self._spread = spread
        self._wanted: list[Any] = []

    def __call__(self, *given: Any) -> bool:
        if not self._wanted:
            self._wanted.append(pickle.loads(self._data))
        value = given if self._spread else given[0]
        return _equal(value[1] if self._of_pair else value, self._wanted[0])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_wanted": []}


def _equal(one: Any, other: Any) -> bool:
    """Whether two values are the same to a program: nothing is like not a number, which pandas makes of it."""
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return all(_equal(a, b) for a, b in zip(one, other, strict=True))
    if one is None or other is None:
        left = other if one is None else one
        return left is None or (isinstance(left, float) and left != left)
    try:
        return bool(one == other) or bool(one != one and other != other)
    except Exception:  # arrays have no one truth
        return pickle.dumps(one) == pickle.dumps(other)


def predicate_of(where: Any) -> Callable[[Any], Any] | None:
    """The function that says whether to trace an element; None for all.

    Args:
        where: a function, an expression, or None.

    Raises:
        BigDebugError: it is neither, or no Python.
    """
    if where is None or (callable(where) and not isinstance(where, str)):
        predicate: Callable[[Any], Any] | None = where
        return predicate
    if not isinstance(where, str):
        raise BigDebugError(
            f"where can't be {type(where).__name__} for an RDD", hint="pass a function of an element"
        )
    condition = ElementCondition(where)
    try:
        compile(where.strip(), "<where>", "eval")
    except (SyntaxError, ValueError) as error:
        raise BigDebugError(f"{where!r} is no expression in Python ({error.args[0]})", hint=_HINT) from None
    return condition
