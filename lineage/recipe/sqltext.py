"""Keep the SQL text that expressions were parsed from out of recipes: comments and options may hold secrets.

Spark hangs the whole text on every expression, for its error messages. In the serialized pieces it is
overwritten in place, with as many blanks, so that nothing else moves.
"""

from __future__ import annotations

from typing import Any

from bigdebug.lineage.recipe.javastream import Instance, Text, read_instances

# The text itself, and what error messages quote of it.
_HOLDERS = {
    "org.apache.spark.sql.catalyst.trees.Origin": ("sqlText",),
    "org.apache.spark.sql.catalyst.trees.SQLQueryContext": ("sqlText", "fragment", "summary"),
}


def without_sql_text(data: bytes) -> bytes:
    """Serialized expressions with blanks where the SQL text they came from was.

    Raises:
        StreamError: the data can't be understood, so it can't be made sure.
    """
    cleaned = bytearray(data)
    for instance in read_instances(data):
        for name in _HOLDERS.get(instance.class_name, ()):
            text = _unwrapped(instance.fields.get(name))
            if isinstance(text, Text):
                cleaned[text.start : text.end] = b" " * (text.end - text.start)
    return bytes(cleaned)


def _unwrapped(value: Any) -> Any:
    """What stands in a `Some`."""
    if isinstance(value, Instance) and value.class_name == "scala.Some":
        return value.fields.get("value")
    return value
