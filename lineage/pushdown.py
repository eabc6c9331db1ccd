"""Conditions of ours that files must not be filtered by, since that would drop rows for which they hold.

Spark pushes `d = 0.0` down to Parquet files, whose dictionaries and statistics know -0.0 for another value and
nothing of NaN: row groups that hold such values are skipped, though the rows that come out of them are equal.
Of `s = struct(0.0, 'a')`, later versions push `s.d = 0.0`.
"""

from __future__ import annotations

import re
from typing import Any

from bigdebug.lineage.catalyst import Catalyst, class_name

_READ_FROM_FILES = frozenset({"AttributeReference", "GetStructField"})
_FLOATING = re.compile(
    r"\b(float|double)\b"
)  # also within a struct, an array; a field of that name does no harm


def unpushed(catalyst: Catalyst, condition: Any) -> Any:
    """The same expression, its floating-point columns in a form that isn't pushed down to files."""
    if class_name(condition) in _READ_FROM_FILES:
        if _FLOATING.search(str(condition.dataType().catalogString())):
            return catalyst.expressions.KnownFloatingPointNormalized(condition)
        return condition
    children = catalyst.items(condition.children())
    changed = [unpushed(catalyst, child) for child in children]
    if all(new is old for new, old in zip(changed, children, strict=True)):
        return condition
    return condition.withNewChildren(catalyst.seq(changed))
