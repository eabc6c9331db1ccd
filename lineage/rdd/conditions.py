"""Which elements of an RDD a question is about: a function of an element, or an expression in Python.

Elements of RDDs are Python objects of any kind, and the program that made them is Python: so is the condition.
SQL has no words for an object's attributes, for a tuple's third part, for `None in x`.
"""

from __future__ import annotations

from collections.abc import Callable
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
        self._code: Any = None

    def __call__(self, x: Any) -> bool:
        if self._code is None:
            self._code = compile(self.text.strip(), "<where>", "eval")
        names = {"x": x}
        if isinstance(x, tuple) and len(x) == 2:
            names["key"], names["value"] = x
        return bool(eval(self._code, names))

    def __getstate__(self) -> dict[str, Any]:
        return {"text": self.text, "_code": None}


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
