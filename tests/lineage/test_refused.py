"""What isn't understood is refused, by its name and its place in the program."""

from collections.abc import Callable

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.errors import UnsupportedOperatorError
from tests.lineage.origins import Frames

REFUSED: dict[str, tuple[Callable[[Frames], DataFrame], str]] = {
    "grouping sets of a recursion": (
        lambda f: f["orders"].sparkSession.range(1).transpose(),
        "Transpose",
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
