"""Opening files of relations: what isn't looked at isn't read, where the store is a folder of this machine."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def opened_file(filesystem: Any, path: str) -> Any:
    """A file, to be read here and there."""
    return pa.memory_map(path) if _is_here(filesystem) else filesystem.open_input_file(path)


def opened_stream(filesystem: Any, path: str) -> Any:
    """A file, to be read from its beginning to its end."""
    return pa.memory_map(path) if _is_here(filesystem) else filesystem.open_input_stream(path)


def _is_here(filesystem: Any) -> bool:
    return bool(filesystem.type_name == "local")
