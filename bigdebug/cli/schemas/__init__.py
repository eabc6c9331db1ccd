"""JSON Schemas of what the commands print with `--json`, one file a command."""

import json
from importlib.resources import files
from typing import Any


def schema(command: str) -> dict[str, Any]:
    """The JSON Schema of a command's `--json`: `runs`, `show`, `trace`, `trace-dry-run`, `why-not`, `isolate`, ….

    Args:
        command: its name; `removed` for `rm` and `prune`.
    """
    text = files(__name__).joinpath(f"{command}.json").read_text("utf-8")
    content: dict[str, Any] = json.loads(text)
    return content
