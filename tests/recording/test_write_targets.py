"""An output that is written is named by where to, however the writer was told."""

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.readwriter import DataFrameWriter

import bigdebug


def plain_save(writer: DataFrameWriter, place: str) -> None:
    writer.option("path", place).save()


def with_format(writer: DataFrameWriter, place: str) -> None:
    writer.format("csv").option("path", place).option("header", True).save()


def in_capitals(writer: DataFrameWriter, place: str) -> None:
    writer.mode("overwrite").options(PATH=place).save(format="json")


def the_last_one_counts(writer: DataFrameWriter, place: str) -> None:
    writer.option("path", f"{place}-not").option("Path", place).save()


@pytest.mark.compat
@pytest.mark.parametrize("write", [plain_save, with_format, in_capitals, the_last_one_counts])
def test_the_path_of_an_option(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path, write: Any
) -> None:
    place = str(tmp_path / "written")
    write(spark.range(3).write, place)
    assert [(o.action, o.target, o.status) for o in session.outputs] == [("write.save", place, "done")]
    assert (tmp_path / "written").is_dir()


def test_an_output_is_found_by_the_path_of_an_option(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    from bigdebug.lineage.store import Store

    spark.range(3).write.option("path", str(tmp_path / "first.parquet")).save()
    spark.range(3).count()
    session.detach()
    run = Store(str(tmp_path / "store")).find(session.run_id)
    assert run.output("first.parquet").number == 1


def test_without_any_path_there_is_no_target(session: bigdebug.Session, spark: SparkSession) -> None:
    frame: DataFrame = spark.range(3)
    frame.write.format("noop").mode("overwrite").save()
    with pytest.raises(Exception, match="path"):
        frame.write.format("csv").save()
    assert [(o.action, o.target, o.status) for o in session.outputs] == [
        ("write.save", None, "done"),
        ("write.save", None, "failed"),
    ]


def test_a_table_keeps_its_name(session: bigdebug.Session, spark: SparkSession, tmp_path: Path) -> None:
    spark.range(3).write.option("path", str(tmp_path / "files")).saveAsTable("with_files_elsewhere")
    spark.sql("drop table with_files_elsewhere")
    assert session.outputs[0].target == "with_files_elsewhere"
