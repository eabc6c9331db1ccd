"""Which records of a batch a function fails with, told by calls with parts of the batch."""

from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigdebug.breakpoints.crashes.workers import blamed


class Calls:
    """A function of records, of which some crash it, alone or two together. It counts its calls and their records."""

    def __init__(self, crashing: set[int], pairs: Collection[tuple[int, int]] = ()) -> None:
        self.crashing, self.pairs = crashing, pairs
        self.count = self.records = 0

    def of(self, records: list[int]) -> None:
        self.count += 1
        self.records += len(records)
        held = set(records)
        if held & self.crashing or any(held >= {*pair} for pair in self.pairs):
            raise ValueError(str(sorted(held & self.crashing)))

    def part(self, low: int, high: int) -> None:
        self.of(list(range(low, high)))


@given(st.integers(0, 40), st.data())
def test_those_that_crash_alone_are_blamed(size: int, data: st.DataObject) -> None:
    crashing = data.draw(st.sets(st.integers(0, size - 1)) if size else st.just(set()))
    known, without = data.draw(st.booleans()), data.draw(st.booleans())
    calls = Calls(crashing)
    raised: dict[int, Exception] = {}
    error = ValueError("all of them") if known and crashing else None
    found = blamed(calls.part, size, raised, known=error, without=calls.of if without else None)
    assert found.keys() == raised.keys() == crashing


@given(st.integers(2, 24), st.data())
def test_of_those_that_crash_together_some_are_blamed(size: int, data: st.DataObject) -> None:
    numbers = st.integers(0, size - 1)
    pair = data.draw(st.tuples(numbers, numbers).filter(lambda two: two[0] != two[1]))
    found = blamed(Calls(set(), {pair}).part, size)
    assert found.keys() >= {*pair}


@pytest.mark.parametrize("place", [0, 1, 4_999, 9_999])
def test_one_of_many_takes_little_more_than_the_batch_again(place: int) -> None:
    calls = Calls({place})
    left: list[list[int]] = []
    found = blamed(calls.part, 10_000, known=ValueError("all"), without=left.append)
    assert found.keys() == {place}
    assert [len(each) for each in left] == [9_999]
    assert calls.count <= 16
    assert calls.records <= 10_001


def test_what_does_not_fail_again_is_nobodys_fault() -> None:
    assert blamed(lambda low, high: None, 100, known=ValueError("it was the network")) == {}
