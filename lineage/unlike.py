"""Which values count as different: floating-point numbers only where they are further apart than by rounding."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

_RELATIVE, _ABSOLUTE = 1e-5, 1e-8
"""How far floating-point numbers may differ, as in `pyspark.testing.assertDataFrameEqual`."""


def is_floating(kind: T.DataType) -> bool:
    """Whether values of a type are floating-point numbers."""
    return isinstance(kind, T.FloatType | T.DoubleType)


def unlike(have: Column, want: Column, kind: T.DataType) -> Column:
    """True of two values of a type that are different.

    Args:
        have: the one.
        want: the other, which the distance is measured by.
        kind: the type of both.
    """
    same = have.eqNullSafe(want)
    if is_floating(kind):
        near = F.abs(have - want) <= F.lit(_ABSOLUTE) + F.lit(_RELATIVE) * F.abs(want)
        same = same | F.coalesce(near, F.lit(False))
    return ~same
