"""Elements of RDDs as text. Travels by value to Spark's Python workers."""

import json
from typing import Any

from bigdebug.lineage import value_text as values


def shown(element: Any) -> tuple[str]:
    """An element as a row of one text: text as it is, all else JSON."""
    if isinstance(element, str):
        return (element,)
    return (json.dumps(values.json_value(element), ensure_ascii=False),)
