"""The rows of a recorded output once more: computed by its recipe, or as an index of it has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.failure import first_line
from bigdebug.lineage.finding import numbered
from bigdebug.lineage.index.manifest import Manifest
from bigdebug.lineage.natural_key import natural_key
from bigdebug.lineage.pinned import pinned_session
from bigdebug.lineage.questions import Question
from bigdebug.lineage.row_names import condition
from bigdebug.lineage.sql_names import quoted
from bigdebug.lineage.store.tables import TableStore


@dataclass(frozen=True)
class RowsAgain:
    """An output's rows.

    Attributes:
        catalyst: of the session that they are computed in.
        frame: the rows; of two columns with one name the second is `name#2`.
        key: the columns that they are grouped by, none where they aren't; None where that isn't known.
        notes: why they may not be those that the run gave.
        condition: makes a condition on columns that names a row, of their names, types and values as text; None
            where that can't be written.
    """

    catalyst: Catalyst
    frame: DataFrame
    key: tuple[str, ...] | None
    notes: tuple[str, ...] = ()
    condition: Callable[[Sequence[str], Mapping[str, DataType], Sequence[str | None]], str | None] = condition


def rows_computed(question: Question) -> RowsAgain:
    """The rows as the recipe computes them, in a session with the run's settings.

    Where something in the dataflow can vary, they are compared with what is known of those that the run gave.
    """
    catalyst, root = question.catalyst, question.root
    notes = question.doubts()
    if notes and question.comparison is not None:
        notes += question.comparison.notes
    frame = catalyst.frame(root.plan)
    key = natural_key(catalyst, root)
    return RowsAgain(catalyst, frame.toDF(*numbered(frame.columns)), key, tuple(notes))


def rows_indexed(spark: SparkSession, tables: TableStore, output: int) -> RowsAgain | None:
    """The rows as an index wrote them down; None where there is no index.

    Args:
        spark: any session.
        tables: where the run's indexes lie.
        output: the output's number; of a DataFrame.

    Raises:
        BigDebugError: the index is damaged, or of another version.
        RecipeError: somebody else could have written it.
    """
    data = tables.manifest(output)
    if data is None:
        return None
    tables.check_trusted(output)
    manifest = Manifest.from_bytes(data)
    catalyst = pinned_session(spark)
    place = tables.hadoop_uri(f"{manifest.folder}/{manifest.segments[0].folder}")
    names = numbered([column.name for column in manifest.columns])
    # Redacted columns, and those that a file can't hold, aren't in it.
    kept = [
        F.col(quoted(column.stored)).cast(column.type).alias(name)
        for column, name in zip(manifest.columns, names, strict=True)
        if column.stored is not None
    ]
    try:
        frame = catalyst.spark.read.parquet(place).select(*kept)
    except AnalysisException as error:
        raise BigDebugError(
            f"the index of output {output} can't be read by Spark: {first_line(error)}",
            hint="make it anew while the sources are what they were: bigdebug index",
        ) from error
    return RowsAgain(catalyst, frame, None, manifest.all_notes())
