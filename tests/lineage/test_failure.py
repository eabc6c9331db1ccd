"""What is told of an exception in one line."""

import pytest
from pyspark.errors import AnalysisException, PythonException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from bigdebug.lineage.failure import error_text, first_line


class ComplaintError(Exception):
    """One of the user's own."""


@pytest.mark.parametrize(
    ("error", "line", "text"),
    [
        (ComplaintError("no good"), "no good", "ComplaintError: no good"),
        (ComplaintError("\n\n  no good  \nat all"), "no good", "ComplaintError: no good"),
        (ComplaintError(), "ComplaintError", "ComplaintError"),
        (ComplaintError(" \n "), "ComplaintError", "ComplaintError"),
        (KeyError("a"), "'a'", "KeyError: 'a'"),
        (KeyboardInterrupt(), "KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_one_line_that_is_never_empty(error: BaseException, line: str, text: str) -> None:
    assert (first_line(error), error_text(error)) == (line, text)


def test_a_long_line_is_cut() -> None:
    assert len(first_line(ComplaintError("x" * 2_000))) == len(error_text(ComplaintError("x" * 2_000))) == 500
    assert first_line(ComplaintError("x" * 2_000)).endswith("x…")


def test_sparks_own_message_without_the_trace_of_java(spark: SparkSession) -> None:
    with pytest.raises(AnalysisException) as caught:
        spark.range(1).select("nope")
    assert first_line(caught.value).startswith("[UNRESOLVED_COLUMN.WITH_SUGGESTION] ")
    assert "\n" not in first_line(caught.value)


def test_a_function_of_the_users_says_its_own_error(spark: SparkSession) -> None:
    @F.udf("int")
    def picky(value: int) -> int:
        raise ValueError(f"no {value}")

    with pytest.raises(PythonException) as caught:
        spark.range(1).select(picky("id")).collect()
    assert first_line(caught.value) == "ValueError: no 0"
    assert error_text(caught.value) == "PythonException: ValueError: no 0"
