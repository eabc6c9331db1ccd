"""What isn't understood is refused, by its name and its place in the program."""

from collections.abc import Callable

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.classic.dataframe import DataFrame as ClassicDataFrame

import bigdebug
from bigdebug.lineage.errors import UnsupportedOperatorError
from tests.lineage.origins import Frames


def transposed_out_of_sight(frame: DataFrame) -> DataFrame:
    """Transposed, as by a program before it is attached: Spark keeps no more of it than its rows."""
    return ClassicDataFrame(frame.select("n", "v")._jdf.transpose(), frame.sparkSession)  # type: ignore[arg-type]


REFUSED: dict[str, tuple[Callable[[Frames], DataFrame], str]] = {
    "transposed out of sight": (lambda f: transposed_out_of_sight(f["orders"]), "Transpose"),
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
