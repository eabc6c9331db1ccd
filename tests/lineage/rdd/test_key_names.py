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
from bigdebug.lineage.rdd.packing import both, named, place_id, without_doubles


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


_places = st.tuples(
    st.integers(0, 9),
    st.one_of(st.integers(0, 3), st.just(2**31 - 1)),
    st.one_of(st.integers(0, 3), st.just(2**40 - 1)),
)


@given(one=_places, other=_places)
def test_places_come_back_from_being_numbers(one: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    leaf, partition, position = one
    of_one, of_other = place_id(*one), place_id(*other)
    assert (of_one == of_other) is (one == other)
    assert of_one, "elements without ids are told from those that have one"
    assert list(named(of_one)) == [(leaf, (partition, position))]
    of_key = (leaf, "key")
    together = both(both(of_one, of_other), (of_key, of_key))
    assert [each for each, _ in named(together)] == [leaf, other[0], leaf, leaf]
    assert len(list(named(without_doubles(together)))) == 2 + (one != other)
    assert place_id(leaf, partition) + position == of_one


def test_nothing_is_the_ids_of_what_no_record_went_into() -> None:
    assert list(named(())) == []
    assert both((), 7) == (7,)
