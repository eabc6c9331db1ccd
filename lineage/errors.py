"""What bigdebug raises: one base class, a message that says what and where, a hint that says what to do."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the `bigdebug` command exits with."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    INTERRUPTED = 130


class BigDebugError(Exception):
    """A question that can't be answered, or a command that can't be carried out.

    Args:
        message: what happened, and to what.
        hint: what the user can do about it.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    @property
    def page(self) -> str:
        """Where the documentation tells of it, as seen from its home."""
        kind = next(each for each in type(self).__mro__ if not each.__name__.startswith("_"))
        return f"reference/errors/#{kind.__name__.lower()}"


class UnreachableError(BigDebugError):
    """Spark, Java or the store can't be reached."""

    exit_code = ExitCode.UNREACHABLE


class UnsupportedOperatorError(BigDebugError):
    """The dataflow holds an operator whose lineage isn't understood; names it and its call site."""


class UnknownNameError(BigDebugError):
    """A run, output, source or column of that name doesn't exist, or the name is ambiguous."""


class RecipeError(BigDebugError):
    """An output's recipe is missing, damaged, or of another version."""


class DamagedIndexError(BigDebugError):
    """An output's index is damaged, can't be read, or is of another version of bigdebug."""


class SourceChangedError(BigDebugError):
    """A source isn't what it was when the run read it."""
