"""The guard that goes by time. Travels by value to Spark's Python workers."""

from __future__ import annotations

import ast


class Slow:
    """A guard for records that a function takes far longer over than over those before, or doesn't come to an end with.

    `session.watch(rdd, bigdebug.Slow())` times the function that makes `rdd` (of `map`, `flatMap`, `filter` …), and
    catches what it was given. A record that the function is still busy with after a second is caught while it is.

    Args:
        deviations: a record is slow if it takes longer than so many standard deviations above the moving average,
        seconds: and at least so long.
    """

    def __init__(self, deviations: float = 3.0, seconds: float = 0.01) -> None:
        self.deviations = deviations
        self.seconds = seconds

    @classmethod
    def of_text(cls, text: str) -> Slow:
        """The guard that a text of it says, such as `Slow(seconds=0.5)`.

        Raises:
            ValueError: it says none.
        """
        try:
            call = ast.parse(text.strip(), mode="eval").body
            if not isinstance(call, ast.Call) or ast.unparse(call.func) != "Slow":
                raise ValueError
            given = [ast.literal_eval(each) for each in call.args]
            return cls(*given, **{str(each.arg): ast.literal_eval(each.value) for each in call.keywords})
        except (SyntaxError, ValueError, TypeError):
            raise ValueError(f"{text!r} isn't a guard by time") from None

    def __repr__(self) -> str:
        return f"Slow(deviations={self.deviations:g}, seconds={self.seconds:g})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slow) and (other.deviations, other.seconds) == (
            self.deviations,
            self.seconds,
        )

    __hash__ = None  # type: ignore[assignment]


def took_text(seconds: float, *, running: bool) -> str:
    """`4 s so far`."""
    return f"{seconds:.3g} s{' so far' if running else ''}"
