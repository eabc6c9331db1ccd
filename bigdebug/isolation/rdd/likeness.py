"""Whether two replays gave the same."""

from __future__ import annotations

import math
from typing import Any

from bigdebug.lineage.rdd.likeness import digest

_ROUNDED = 1e-9
"""How far two floating-point numbers may be apart, relatively, that were added up in different orders."""


def alike(one: Any, other: Any) -> bool:
    """Whether two values are the same but for the rounding of sums; what can't be compared counts as the same."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=_ROUNDED) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    try:
        return digest(one) == digest(other)
    except Exception:  # it can't be pickled
        return True
