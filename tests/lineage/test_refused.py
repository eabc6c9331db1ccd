"""What isn't understood is refused, by its name and its place in the program."""

from collections.abc import Callable, Iterator

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.errors import UnsupportedOperatorError
from tests.lineage.origins import Frames


class Counting:
    """A table function whose last row is made of all that it was given."""

    def __init__(self) -> None:
        self.count = 0

    def eval(self, value: int) -> Iterator[tuple[int]]:
        self.count += 1
        yield (value,)

    def terminate(self) -> Iterator[tuple[int]]:
        yield (self.count,)


REFUSED: dict[str, tuple[Callable[[Frames], DataFrame], str]] = {
    "mapInPandas": (
        lambda f: f["orders"].mapInPandas(lambda parts: parts, "n int, k string, v int"),
        "MapInPandas",
    ),
    "lateral join": (
        lambda f: f["orders"].sparkSession.sql(
            "select * from orders o, lateral (select max(city) from customers c where c.k = o.k)"
        ),
        "LateralJoin",
    ),
    "table function in Python": (
        lambda f: (
            f["orders"].createOrReplaceTempView("counted"),
            f["orders"].sparkSession.udtf.register("counting", F.udtf(Counting, returnType="n int")),
            f["orders"].sparkSession.sql("select * from counted, lateral counting(v)"),
        )[-1],
        "LateralJoin",  # what it gives at its end is made of all rows, and stands beside the last
    ),
    "map key": (lambda f: f["orders"].groupBy(F.create_map("k", "v")).count(), "map<"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_isnt_understood_is_refused_by_name_and_place(
    session: bigdebug.Session, frames: Frames, case: tuple[Callable[[Frames], DataFrame], str]
) -> None:
    make, name = case
    frame = make(frames)
    with pytest.raises(UnsupportedOperatorError) as refused:
        session.trace(frame.limit(3))
    assert name in refused.value.message
    assert "test_refused.py:" in refused.value.message
    assert refused.value.hint
