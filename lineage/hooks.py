"""What is hung into the recording of actions: protocols of what rewrites them, and of what guards their functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol


@dataclass(frozen=True)
class GuardedCall:
    """A call of an RDD's method with a guard in it.

    Attributes:
        method, args, kwargs: what to call in its place.
        kind, recorded, recorded_args: the operator, method and arguments by which questions compute it again.
        label: the operator, as the user called it.
        made: is told of the operator when it is recorded.
    """

    method: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    kind: str
    recorded: Callable[..., Any]
    recorded_args: tuple[Any, ...]
    label: str
    made: Callable[[Any], None]


class CrashGuard(Protocol):
    """What knows what is to become of records that crash functions. Faults of its own never get in a job's way."""

    def failed(self, number: int, spark: Any, error: BaseException, acted: Any = None) -> None:
        """An action has failed; never raises.

        Args:
            number: of its output.
            spark: the PySpark session; None for a bare context.
            error: what it raises, which only notes may be added to.
            acted: an RDD's action as an operator over that of the RDD.
        """

    def guarded_call(
        self, kind: str, args: tuple[Any, ...], kwargs: dict[str, Any], method: Any, frame: FrameType
    ) -> GuardedCall | None:
        """A call of an RDD's method with a guard in it; None where nothing is to be guarded."""

    def guarded_plan(self, attachment: Any, label: str, frame: Any) -> Any:
        """The JVM plan of a DataFrame with guards in it; None where nothing is to be guarded, or can be.

        Args:
            attachment: of its session.
            label: the action's, as users write it.
            frame: the DataFrame.
        """

    def guarded_action(self, running: Any, label: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Begin an action that has guards in it.

        Args:
            running: the action.
            label: the action's, as users write it.
            args, kwargs: it is called with.

        Returns:
            A method to call in the action's place and its arguments, or None to call the action itself.
        """

    def ended(self, running: Any) -> None:
        """An action with guards in it is over; never raises."""


class Rewriter(Protocol):
    """Has an action compute a dataflow that gives the same, and that something of ours is in."""

    def rewritten(self, output: Any, subject: Any) -> Any | None:
        """What an action shall be called on in the place of its frame, writer or RDD; None for that itself."""
