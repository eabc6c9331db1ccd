"""How the columns of a source differ from those that a recipe recorded."""

from __future__ import annotations

import json
from typing import Any


def types_by_column(schema: Any) -> dict[str, str]:
    """The columns of a schema, as Spark writes it in JSON, and their types as text."""
    return {field["name"]: json.dumps(field["type"]) for field in schema["fields"]}


def column_changes(before: Any, after: Any) -> list[str]:
    """What has changed, a sentence's beginning each: `column k is gone`.

    Args:
        before, after: schemas, as Spark writes them in JSON.
    """
    then, now = types_by_column(before), types_by_column(after)
    gone = [f"column {column} is gone" for column in then if column not in now]
    new = [f"column {column} is new" for column in now if column not in then]
    other = [
        f"column {column} was {then[column]} and is {now[column]}".replace('"', "")
        for column in then
        if column in now and then[column] != now[column]
    ]
    return gone + other + new
