"""What isn't understood is refused, by its name and its place in the program."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql.classic.dataframe import DataFrame as ClassicDataFrame
from pyspark.sql.types import (
    DataType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    UserDefinedType,
)

import bigdebug
from bigdebug.lineage.errors import UnsupportedOperatorError
from tests.lineage.origins import Frames


def transposed_out_of_sight(frame: DataFrame) -> DataFrame:
    """Transposed, as by a program before it is attached: Spark keeps no more of it than its rows."""
    return ClassicDataFrame(frame.select("n", "v")._jdf.transpose(), frame.sparkSession)  # type: ignore[arg-type]


class Bag(UserDefinedType):
    """A map of the program's own, of which nobody knows when two are equal."""

    @classmethod
    def sqlType(cls) -> DataType:  # noqa: N802
        return MapType(StringType(), LongType())

    @classmethod
    def module(cls) -> str:
        return __name__

    def serialize(self, obj: Any) -> Any:
        return obj

    def deserialize(self, datum: Any) -> Any:
        return datum


def bags(frame: DataFrame) -> DataFrame:
    schema = StructType([StructField("bag", Bag())])
    return frame.sparkSession.createDataFrame([(None,)], schema)


REFUSED: dict[str, tuple[Callable[[Frames], DataFrame], str]] = {
    "transposed out of sight": (lambda f: transposed_out_of_sight(f["orders"]), "Transpose"),
    "a key of the program's own type": (lambda f: bags(f["orders"]).groupBy("bag").count(), "map<"),
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
    assert "\n" not in refused.value.message  # of a long statement how it begins
    assert refused.value.hint
