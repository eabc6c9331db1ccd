"""Functions are told apart by what they do, not by where they stand."""

from collections.abc import Callable
from typing import Any

import pytest

from bigdebug.lineage.recipe.function_digest import function_digest

PLAIN = "def f(x):\n    return x * 2\n"


def function(code: str, **known: Any) -> Callable[..., Any]:
    names: dict[str, Any] = {"__name__": "__main__", **known}
    exec(compile(code, "script.py", "exec"), names)
    found: Callable[..., Any] = names["f"]
    return found


@pytest.mark.parametrize(
    "same",
    [
        PLAIN,
        "\n\n# It stands elsewhere.\n" + PLAIN,
        "def f(x):\n    # It says why.\n    return (x * 2)\n",
    ],
)
def test_the_same_function(same: str) -> None:
    assert function_digest(function(same)) == function_digest(function(PLAIN))


@pytest.mark.parametrize(
    "other",
    [
        "def f(x):\n    return x * 3\n",
        "def f(x, y=1):\n    return x * 2\n",
        "def f(x):\n    return x + 2\n",
        "def f(x):\n    return (lambda: x * 2)()\n",
    ],
)
def test_another_function(other: str) -> None:
    assert function_digest(function(other)) != function_digest(function(PLAIN))


def test_what_a_function_uses_counts() -> None:
    code = "def f(x):\n    return g(x) + LEAST\ndef g(x):\n    return x * {}\n"

    def told(factor: int, least: int) -> str:
        return function_digest(function(code.format(factor), LEAST=least))

    assert told(2, 1) == told(2, 1)
    assert len({told(2, 1), told(3, 1), told(2, 2)}) == 3
    made = "def make(n):\n    return lambda x: x * n\nf = make({})\n"
    assert function_digest(function(made.format(2))) != function_digest(function(made.format(3)))


def test_functions_that_call_themselves_come_to_an_end() -> None:
    code = "def f(x):\n    return g(x - 1) if x else 0\ndef g(x):\n    return f(x)\n"
    assert function_digest(function(code)) == function_digest(function(code))
