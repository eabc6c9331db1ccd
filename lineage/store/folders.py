"""What lies in a folder that others may just be making."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pyarrow.fs import FileSelector


def entries(filesystem: Any, path: str, *, recursive: bool = False) -> list[Any]:
    """The files and folders in a folder; none where there is no such folder.

    Args:
        filesystem: of pyarrow's.
        path: in it.
        recursive: with those in its folders.

    Raises:
        OSError: the filesystem can't be read.
    """
    selector = FileSelector(path, allow_not_found=True, recursive=recursive)
    # It looks a second time where it found nothing, and raises where somebody made the folder in between.
    with suppress(FileNotFoundError):
        return list(filesystem.get_file_info(selector))
    return []
