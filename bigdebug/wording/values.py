"""Values of records as the commands print them."""

from bigdebug.lineage.value_text import json_text, json_value, text_value, visible

__all__ = ["json_text", "json_value", "text_value", "visible"]
