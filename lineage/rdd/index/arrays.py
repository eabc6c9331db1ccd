"""Arrow's arrays of what Python and numpy hold.

Made by hand: to make an array of anything, Arrow loads pandas first, which takes longer than most questions, and than
most tasks. Travels by value to Spark's Python workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def numbers(values: Any) -> Any:
    """An array of numpy's numbers, as they lie in memory."""
    import numpy as np
    import pyarrow as pa

    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def texts(values: Sequence[bytes]) -> Any:
    """An array of bytes.

    Raises:
        OverflowError: they are more than one array can hold.
    """
    import numpy as np
    import pyarrow as pa

    ends = np.cumsum([0, *map(len, values)], dtype=np.int64)
    if ends[-1] > np.iinfo(np.int32).max:
        raise OverflowError(f"{ends[-1]:,} bytes of names are more than an array holds")
    return pa.Array.from_buffers(
        pa.binary(), len(values), [None, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(b"".join(values))]
    )
