"""Python functions in a plan: what of them can't be carried into another process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import RecipeError
from bigdebug.lineage.python_functions import functions_in, may_call


def require_portable_functions(catalyst: Catalyst, plan: Any) -> None:
    """Make sure that a plan's Python functions use nothing that lives in this process only.

    Raises:
        RecipeError: one uses a Spark broadcast variable; names it.
    """
    for function in _functions(catalyst, plan):
        variables = function.func().broadcastVars()
        if variables is not None and not variables.isEmpty():
            raise RecipeError(
                f"the function {function.name()} uses a Spark broadcast variable, "
                "whose value ends with the program",
                hint="trace in the running program with session.trace",
            )


def _functions(catalyst: Catalyst, plan: Any) -> Iterator[Any]:
    if not may_call(catalyst, plan):
        return
    nodes = [plan]
    while nodes:
        node = nodes.pop()
        nodes += catalyst.items(node.children()) + catalyst.items(node.subqueries())
        for expression in catalyst.items(node.expressions()):
            yield from functions_in(catalyst, expression)
