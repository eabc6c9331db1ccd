"""All records of a trace, written to one file by Spark: however many they are, this process never holds them."""

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from bigdebug.lineage.errors import BigDebugError, UnreachableError
from bigdebug.lineage.failure import first_line, unwritable

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import DataType

FORMATS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "json"}
_PLACE = "_record"
_SETTINGS = {
    "spark.sql.caseSensitive": "true",  # a source's columns may differ in that alone
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
}


class SavedFile(click.Path):
    """A file to be written whose name says in what format."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(str(super().convert(value, param, ctx)))  # type: ignore[arg-type]
        if path.suffix.lower() not in FORMATS:
            self.fail(f"{path.name} must end in {', '.join(FORMATS)}", param, ctx)
        if not path.absolute().parent.is_dir():
            self.fail(f"there is no folder {path.absolute().parent}", param, ctx)
        return path


def save_records(frame: "DataFrame", target: Path, by: Sequence[str] = (_PLACE,)) -> int:
    """Write records to a file, by file and position; a file that is there is replaced when all is written.

    Args:
        frame: as `Trace.records` gives them: the columns, and the struct `_record` where they have a place.
        target: the file; its ending tells the format.
        by: the columns that tell the order, where there are such.

    Returns:
        How many bytes it has.

    Raises:
        UnreachableError: Spark's executors write where this process can't see it.
        BigDebugError: it can't be written.
    """
    with _settings(frame.sparkSession):
        return _save(frame, target.absolute(), by)


@contextmanager
def _settings(spark: "SparkSession") -> Iterator[None]:
    """The settings for the length of a write: the session may be a program's, which goes on with its own."""
    before = {name: spark.conf.get(name, None) for name in _SETTINGS}
    for name, value in _SETTINGS.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            spark.conf.unset(name) if value is None else spark.conf.set(name, value)


def _save(frame: "DataFrame", target: Path, by: Sequence[str]) -> int:
    from py4j.protocol import Py4JJavaError

    kind = FORMATS[target.suffix.lower()]
    folder = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    writer = _shown(_ordered(frame, by), kind).write.format(kind)
    writer = writer.option("compression", "zstd" if kind == "parquet" else "none")
    options: dict[str, Any] = (
        {"header": True, "escape": '"'} if kind == "csv" else {"ignoreNullFields": False}
    )
    try:
        writer.options(**options).save(folder.as_uri())
        parts = sorted(folder.glob("part-*"))
        if not folder.is_dir():
            raise UnreachableError(
                f"Spark's executors wrote the records to {folder} where this process can't see it",
                hint="name a file in a folder that all machines share",
            )
        (part,) = parts  # the one partition's
        os.replace(part, target)
    except (Py4JJavaError, OSError) as error:
        why = unwritable(error) if isinstance(error, Py4JJavaError) else error.strerror
        raise BigDebugError(
            f"{target} can't be written: {why or first_line(error)}",
            hint="name a file elsewhere with -o, or make room there",
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return target.stat().st_size


def _ordered(frame: "DataFrame", by: Sequence[str]) -> "DataFrame":
    """In one partition, sorted by place: on disk, where that takes more than Spark's memory."""
    whole = frame.repartition(1)
    return whole.sortWithinPartitions(*by) if set(by) <= set(frame.columns) else whole


def _shown(frame: "DataFrame", kind: str) -> "DataFrame":
    """The columns by names that a file can hold, what the format has no type for as text."""
    from pyspark.sql.types import NullType, StructType

    from bigdebug.lineage.finding import numbered

    names = numbered(frame.columns)
    plain = frame.toDF(
        *(f"c{i}" for i in range(len(names)))
    )  # any other name may be two columns', or an expression
    columns: list[Column] = []
    shown: list[str] = []
    for name, field in zip(names, plain.schema, strict=True):
        column = plain[field.name]
        if kind == "csv" and name == _PLACE and isinstance(field.dataType, StructType):
            parts = field.dataType.fieldNames()
            columns += [column[part] for part in parts]
            shown += [f"{_PLACE}_{part}" for part in parts]
            continue
        if isinstance(field.dataType, NullType) or "interval" in field.dataType.typeName():
            column = column.cast("string")
        elif kind == "csv":
            column = _as_text(column, field.dataType)
        columns.append(column)
        shown.append(name)
    return plain.select(*columns).toDF(*shown)


def _as_text(column: "Column", kind: "DataType") -> "Column":
    """A value as one field of a line."""
    from pyspark.sql import functions as F

    if kind.typeName() == "binary":
        return F.base64(column)
    nested = kind.typeName() in ("array", "map", "struct", "variant", "udt")
    return F.to_json(column) if nested else column
