"""Which of a group's rows are there when just some of its records are."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import FrozenBitMap

from bigdebug.isolation.groups import Group
from bigdebug.isolation.ids import numbered
from bigdebug.isolation.measures import Sum


@given(st.data())
def test_rows_whose_records_are_all_there(data: st.DataObject) -> None:
    size, first, ids = data.draw(st.integers(1, 60)), 0, []
    for _ in range(data.draw(st.integers(1, 3))):
        records = data.draw(st.integers(1, 40))
        column = data.draw(st.lists(st.integers(-1, records - 1), min_size=size, max_size=size))
        column = sorted(column) if data.draw(st.booleans()) else column
        ids.append(np.array([-1 if each < 0 else each + first for each in column]))
        first += records
    subset = FrozenBitMap(data.draw(st.sets(st.integers(0, first - 1))))
    group = Group(ids, [Sum(np.arange(size), np.ones(size, bool))], 0, False)
    part = group.part(subset)
    there = [i for i in range(size) if all(column[i] < 0 or int(column[i]) in subset for column in ids)]
    assert part.kept(size).tolist() == there
    for number in group.candidates:
        left = group.part(group.candidates - FrozenBitMap([number]))
        assert group.without(number).kept(size).tolist() == left.kept(size).tolist()


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 20), st.booleans())), st.booleans())
def test_ids_are_numbered_in_their_order(rows: list[tuple[int, int, bool]], pairs: bool) -> None:
    rows = sorted(rows) if rows and rows[0][2] else rows
    columns = [np.array([row[i] for row in rows], dtype=np.int64) for i in ((0, 1) if pairs else (1,))]
    there = np.array([row[2] for row in rows], dtype=bool)
    unique, places = numbered(columns, there)
    names = list(zip(*(part.tolist() for part in unique), strict=True))
    assert names == sorted(set(names))
    for i, place in enumerate(places):
        assert (place >= 0) == there[i]
        assert place < 0 or names[place] == tuple(int(column[i]) for column in columns)
