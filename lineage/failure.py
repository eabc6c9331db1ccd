"""What is kept of an exception: one line."""

import re
from typing import Any

_MOST_TEXT = 500
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
    message = _message(error).strip()
    lines = message.splitlines() or [""]
    first = lines[0]
    if name == "PythonException":
        # Spark's first line says only that a Python worker failed; the last of the traceback says why.
        first = next((line.strip() for line in reversed(lines) if _ERROR_LINE.match(line)), first)
    text = f"{name}: {first}" if first else name
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"


def _message(error: BaseException) -> str:
    captured = getattr(error, "_desc", None)  # PySpark's, without the JVM's stack trace
    if isinstance(captured, str):
        return captured
    java: Any = getattr(error, "java_exception", None)
    if java is not None:
        try:
            return str(java.toString())
        except Exception:  # the JVM is gone, which is why it failed
            return "the JVM can't be reached"
    return str(error)


def _condition(error: BaseException) -> str | None:
    try:
        condition = getattr(error, "getCondition", lambda: None)()
    except Exception:  # asks the JVM, which may be gone
        return None
    return condition if isinstance(condition, str) else None
