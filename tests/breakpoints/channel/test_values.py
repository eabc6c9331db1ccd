"""Values that workers tell."""

import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import Row

from bigdebug.breakpoints.channel.values import Shown, heard, text_of, told

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=8,
)


def _through(value: Any) -> Any:
    return heard(json.loads(json.dumps(told(value))))


@given(_VALUES)
@settings(max_examples=60)
def test_pythons_own_values_come_back_as_they_were(value: Any) -> None:
    again = _through(value)
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        frozenset("ab"),
        bytearray(b"x"),
        float("inf"),
        datetime(2024, 1, 1, tzinfo=UTC),
        Row(a=1, b=Row(c="x")),
        Row(1, 2),
        "\ud800",
        [date.min, time.max, timedelta.max, Decimal("1E+3")],
    ],
)
def test_others_too(value: Any) -> None:
    again = _through(value)
    assert again == value
    assert type(again) is type(value)


def test_not_a_number_stays_that() -> None:
    assert math.isnan(_through(float("nan")))


class Odd:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __reduce__(self) -> Any:
        raise RuntimeError("no")


def test_what_is_no_plain_value_comes_as_text() -> None:
    assert isinstance(_through(Odd()), Shown)
    assert "Odd instance" in repr(_through(Odd()))
    assert _through(object).text == "<class 'object'>"
    itself: list[Any] = []
    itself.append(itself)
    assert isinstance(_through(itself), Shown)


def test_a_large_value_comes_as_its_beginning() -> None:
    for large in ("x" * 100_000_000, b"x" * 100_000_000, ["x" * 1000] * 100_000, 10**100_000):
        found = _through(large)
        assert isinstance(found, Shown)
        assert len(found.text) <= 40_000
        assert len(text_of(large)) < 40_000
