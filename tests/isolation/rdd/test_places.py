"""Where candidates of RDDs stand, and their numbers: whether they are many among the records or few."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigdebug.isolation.rdd.candidates import Places, RddStand, bits_of, each_once


@st.composite
def placed(draw: st.DrawFn) -> Places:
    """By partition some places, far apart or close together."""
    high = draw(st.sampled_from([5, 40, 2_000]))
    partitions = sorted(draw(st.sets(st.integers(0, 6), min_size=1)))
    each = st.sets(st.integers(0, high), min_size=1, max_size=20)
    return {partition: np.array(sorted(draw(each)), dtype=np.int64) for partition in partitions}


@given(placed(), st.integers(0, 100), st.data())
def test_each_place_has_its_number(places: Places, first: int, data: st.DataObject) -> None:
    every = [(partition, int(place)) for partition, mine in places.items() for place in mine]
    stand = RddStand(None, places, first, len(every))  # type: ignore[arg-type]
    asked = data.draw(st.lists(st.sampled_from(range(len(every)))))
    partitions, ordinals = np.array([every[i] for i in asked], dtype=np.int64).reshape(-1, 2).T
    assert stand.numbers_of(partitions, ordinals).tolist() == [first + i for i in asked]


@given(st.lists(st.integers(0, 1_000), min_size=1))
def test_places_come_once_and_go_up(places: list[int]) -> None:
    assert each_once(np.array(places, dtype=np.int64)).tolist() == sorted(set(places))


@given(placed())
def test_bits_say_which_places_are_there(places: Places) -> None:
    for partition, bits in bits_of(places).items():
        flags = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), bitorder="little")
        assert np.flatnonzero(flags).tolist() == places[partition].tolist()


@pytest.mark.parametrize("apart", [1, 1_000])
def test_what_is_held_grows_with_the_candidates_alone(apart: int) -> None:
    places = {0: np.arange(1_000, dtype=np.int64) * apart}
    stand = RddStand(None, places, 0, 1_000)  # type: ignore[arg-type]
    assert stand.numbers_of(np.array([0]), np.array([500 * apart])).tolist() == [500]
    held = [value for value in vars(stand).values() if isinstance(value, tuple)]
    assert sum(part.nbytes for value in held for part in value if isinstance(part, np.ndarray)) < 20_000
