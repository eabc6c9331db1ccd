"""What is kept of an exception: one line."""

import re
from typing import Any

_MOST_TEXT = 500
_TRACEBACK = "Traceback (most recent call last):"
_UNREADABLE = re.compile(
    r"Encountered error while reading file (?P<file>\S+?)\.(?: (?P<rest>[^\n]*?))? *SQLSTATE"
)
# A write says only that it failed, whatever the reason.
_WRAPPER = re.compile(r"\[TASK_WRITE_FAILED\]|Job aborted due to stage failure|Writing job aborted")
# What the file systems of Java and Hadoop throw.
_STORING = re.compile(r"java\.(io|nio\.file)\.\w+|org\.apache\.hadoop\.|.*\bAccessDenied")
_ERROR_LINE = re.compile(r"(?!SQLSTATE)[A-Za-z_][\w.]*(: .*)?$")


def error_text(error: BaseException, *, masked: bool = False) -> str:
    """Class and first line of an exception; of one of the user's functions its own last line.

    Args:
        error: what was raised.
        masked: only the class and Spark's error condition: messages can hold values.
    """
    name = type(error).__name__
    if masked:
        condition = _condition(error)
        return f"{name}: {condition}" if condition else name
    reason = _reason(error)
    return _cut(f"{name}: {reason}" if reason else name)


def first_line(error: BaseException) -> str:
    """Why an exception was raised, in one line that is never empty: what `error_text` tells without the class.

    Of an exception without a message the class is all that can be told.
    """
    return _cut(_reason(error) or type(error).__name__)


def unreadable_file(error: BaseException) -> tuple[str, str] | None:
    """The file that Spark couldn't read, as it writes its address, and why; None where that isn't what failed."""
    found = _UNREADABLE.search(_message(error))
    if found is None:
        return None
    java: Any = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    return found["file"], _cut(_root_cause(java) or found["rest"].strip() or "it is damaged")


def is_too_deep(error: BaseException) -> bool:
    """Whether Java's stack overflowed: Spark walks the RDDs that a job needs by recursion."""
    java: Any = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    return java is not None and str(java.getClass().getName()) == "java.lang.StackOverflowError"


def unwritable(error: BaseException) -> str | None:
    """Why Spark couldn't write a file; None where that isn't what failed."""
    if unreadable_file(error) is not None:
        return None
    cause = _root_cause(getattr(error, "java_exception", None))
    return _cut(cause) if cause and _STORING.match(cause) else None


def _root_cause(java: Any) -> str | None:
    try:
        while java is not None and java.getCause() is not None:
            java = java.getCause()
        # Spark's own first line would say again which file it is.
        lines = str(java.toString()).splitlines() if java is not None else []
    except Exception:  # the JVM is gone
        return None
    return lines[0] if lines and _UNREADABLE.search(lines[0]) is None else None


def _reason(error: BaseException) -> str:
    lines = _message(error).strip().splitlines()
    if not lines:
        return ""
    if type(error).__name__ == "PythonException" or lines[0].rstrip().endswith(_TRACEBACK):
        # Spark's first line says only that Python code failed; the last of the traceback says why.
        return next((line.strip() for line in reversed(lines) if _ERROR_LINE.match(line)), lines[0].strip())
    return lines[0].strip()


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"


def _message(error: BaseException) -> str:
    captured = getattr(error, "_desc", None)  # PySpark's, without the JVM's stack trace
    if isinstance(captured, str):
        return captured
    java: Any = getattr(error, "java_exception", None)
    if java is not None:
        try:
            text = str(java.toString())
            while _WRAPPER.search(text) and java.getCause() is not None:
                java = java.getCause()
                text = str(java.toString())
            return text
        except Exception:  # the JVM is gone, which is why it failed
            return "the JVM can't be reached"
    return str(error)


def _condition(error: BaseException) -> str | None:
    try:
        condition = getattr(error, "getCondition", lambda: None)()
    except Exception:  # asks the JVM, which may be gone
        return None
    return condition if isinstance(condition, str) else None
