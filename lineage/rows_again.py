"""The rows of a recorded output once more: computed by its recipe, or as an index of it has them."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.finding import numbered
from bigdebug.lineage.index.manifest import Manifest
from bigdebug.lineage.natural_key import natural_key
from bigdebug.lineage.pinned import pinned_session
from bigdebug.lineage.questions import Question
from bigdebug.lineage.store.tables import TableStore
from bigdebug.lineage.unlike import quoted


@dataclass(frozen=True)
class RowsAgain:
    """An output's rows.

    Attributes:
        catalyst: of the session that they are computed in.
        frame: the rows; of two columns with one name the second is `name#2`.
        key: the columns that they are grouped by, none where they aren't; None where that isn't known.
    """

    catalyst: Catalyst
    frame: DataFrame
    key: tuple[str, ...] | None


def rows_computed(question: Question) -> RowsAgain:
    """The rows as the recipe computes them, in a session with the run's settings."""
    frame = question.catalyst.frame(question.root.plan)
    key = natural_key(question.catalyst, question.root)
    return RowsAgain(question.catalyst, frame.toDF(*numbered(frame.columns)), key)


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
    return RowsAgain(catalyst, catalyst.spark.read.parquet(place).select(*kept), None)
