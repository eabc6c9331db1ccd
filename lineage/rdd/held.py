"""Whether conditions hold on parts of elements. Travels by value: Spark's workers need not have bigdebug.

What a condition asks may fail on elements that the program itself never gave to the functions in it: those that a
filter dropped, say. It doesn't hold then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Path = tuple[int, ...]
"""Where in an element a part stands: `(1, 0)` is the first part of its second."""

Test = Callable[[Any], Any]


def holds(path: Path, test: Test) -> Callable[[Any], bool]:
    """Whether a condition holds on the part of an element that it is about."""

    def held(element: Any) -> bool:
        try:
            for place in path:
                element = element[place]
            return bool(test(element))
        except Exception:
            return False

    return held


def all_hold(conditions: Sequence[tuple[Path, Test]]) -> Callable[[Any], bool]:
    """Whether conditions hold on an element."""
    each = [holds(path, test) for path, test in conditions]

    def held(element: Any) -> bool:
        return all(one(element) for one in each)

    return held


def of_result(function: Callable[[Any], Any], test: Test) -> Test:
    """A condition on what a function gives, as one on what it is given."""

    def held(given: Any) -> Any:
        return test(function(given))

    return held


def of_any_result(function: Callable[[Any], Any], conditions: Sequence[tuple[Path, Test]]) -> Test:
    """Conditions on one of the things that a function gives, as one on what it is given."""
    test = all_hold(conditions)

    def held(given: Any) -> bool:
        return any(map(test, function(given)))

    return held
