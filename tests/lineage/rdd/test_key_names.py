"""Names of keys in files, equal just where Python takes the keys for equal; ids that are packed to travel."""

from __future__ import annotations

import datetime
import enum
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigdebug.lineage.rdd.index.names import UNEQUAL, UnnameableError, name_of
from bigdebug.lineage.rdd.packing import packed, unpacked


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


_atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from([0.5, Fraction(1, 2), Decimal("0.5"), Decimal("0.1"), 0.1, np.int64(2), np.float32(0.5)]),
    st.decimals(allow_nan=False),
    st.text(max_size=3),
    st.sampled_from(["", "1", "s1", b"", b"1", "\ud800"]),
    st.binary(max_size=3),
    st.dates(),
    st.datetimes(
        timezones=st.sampled_from([None, datetime.UTC, datetime.timezone(datetime.timedelta(hours=2))])
    ),
    st.timedeltas(),
    st.sampled_from(Colour),
)
_keys = st.recursive(
    _atoms,
    lambda inner: st.one_of(st.tuples(inner), st.tuples(inner, inner), st.frozensets(inner, max_size=2)),
    max_leaves=4,
)


@given(left=_keys, right=_keys)
def test_equal_keys_and_equal_names(left: Any, right: Any) -> None:
    assert (name_of(left) == name_of(right)) == (left == right)


def test_keys_that_hashes_mix_up() -> None:
    assert hash(-1) == hash(-2)
    assert name_of(-1) != name_of(-2)
    assert name_of((1, "a")) == name_of((1.0, "a")) == name_of((True, "a"))
    assert name_of(("a", "b")) != name_of(("ab", ""))


def test_keys_that_are_not_equal_to_themselves() -> None:
    assert name_of(math.nan).startswith(UNEQUAL)
    assert name_of(("a", math.nan)).startswith(UNEQUAL)
    assert not name_of("a").startswith(UNEQUAL)


def test_equality_of_a_class_of_its_own() -> None:
    with pytest.raises(UnnameableError, match=r"keys of type .*Thing have an equality of their own"):
        name_of(Thing())


class Thing:
    """Nobody knows which others it is equal to."""


_places = st.one_of(st.integers(0, 5), st.integers(), st.booleans(), st.integers(2**39, 2**41), st.none())
_ids = st.lists(
    st.tuples(st.integers(-2, 3), st.one_of(_places, st.tuples(_places, _places), st.just("key"))), max_size=2
)


@given(ids=_ids.map(tuple))
def test_ids_come_back_from_being_packed(ids: tuple[tuple[int, Any], ...]) -> None:
    assert repr(unpacked(packed(ids))) == repr(ids)


def test_one_place_is_packed() -> None:
    assert packed(((0, (0, 7)),)) == 7
    assert isinstance(packed(((3, (2, 7)),)), int)
