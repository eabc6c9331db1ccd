"""What is told of an index that can't be read: by then the output's recipe may answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from bigdebug.lineage.errors import DamagedIndexError

ANEW = "make it anew, bigdebug index RUN OUTPUT, or trace with --no-index"


@contextmanager
def reading_index(what: str) -> Iterator[None]:
    """Around what reads files of an index.

    Args:
        what: is read.

    Raises:
        DamagedIndexError: it can't be.
    """
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        first, _, _ = str(error).partition("\n")
        raise DamagedIndexError(f"{what} can't be read: {first.rstrip('.')}", hint=ANEW) from error
