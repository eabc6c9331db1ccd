"""The public methods of readers and writers, each called as users call it."""

from typing import Any

from api_env import Cases, Env
from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def _jdbc_options(env: Env, url: str) -> dict[str, str]:
    return {"driver": "org.apache.derby.iapi.jdbc.AutoloadedDriver"}


def _jdbc(env: Env) -> DataFrame:
    url = env.database()
    env.df.write.jdbc(url, "t", properties=_jdbc_options(env, url))
    return env.spark.read.jdbc(url, "t", properties=_jdbc_options(env, url))


def _wrote(env: Env, method: str, written: str, **options: Any) -> DataFrame:
    path = env.path()
    frame = env.df.select("b") if written == "text" else env.df
    assert getattr(frame.write, method)(path, **options) is None
    reader = env.spark.read.format(written)
    return (reader.option("rowTag", "ROW") if written == "xml" else reader).load(path)


def _insert_into(env: Env) -> DataFrame:
    name = env.saved_table()
    assert env.df.write.insertInto(name) is None
    return env.spark.table(name)


def _save_as_table(env: Env) -> DataFrame:
    return env.spark.table(env.saved_table())


def _write_v2(env: Env, method: str, *args: Any, existing: bool = True) -> DataFrame:
    """On a catalog of version 2 (a database over JDBC), the only one that stock Spark brings."""
    url = env.database()
    catalog = f"spark.sql.catalog.same_catalog{next(env.names)}"
    name = catalog.rsplit(".", 1)[-1]
    env.spark.conf.set(catalog, "org.apache.spark.sql.execution.datasources.v2.jdbc.JDBCTableCatalog")
    env.spark.conf.set(f"{catalog}.url", url)
    env.spark.conf.set(f"{catalog}.driver", _jdbc_options(env, url)["driver"])
    table = f"{name}.APP.t"
    if existing:
        env.df.writeTo(table).create()
    getattr(env.df.writeTo(table), method)(*args)
    return env.spark.table(table)


def _merge(env: Env) -> None:
    target = env.saved_table()
    writer = env.other.alias("s").mergeInto(target, F.col(f"{target}.a") == F.col("s.a"))
    writer.whenMatched().delete().merge()


def _v2(env: Env) -> Any:
    return env.df.writeTo(env.table())


CASES: Cases = {
    # -- readers ------------------------------------------------------------------------------------
    "DataFrameReader.csv": lambda e: e.spark.read.csv(e.written("csv", header="true"), header=True),
    "DataFrameReader.csv#missing": lambda e: e.spark.read.csv("/nowhere/at/all"),
    "DataFrameReader.csv#several": lambda e: e.spark.read.csv(
        [e.written("csv"), e.written("csv")], "a int, b string"
    ),
    "DataFrameReader.changes": lambda e: e.spark.read.changes(e.saved_table()),
    "DataFrameReader.format": lambda e: e.spark.read.format("json").load(e.written("json")),
    "DataFrameReader.jdbc": _jdbc,
    "DataFrameReader.json": lambda e: e.spark.read.json(e.written("json")),
    "DataFrameReader.load": lambda e: e.spark.read.load(e.written("parquet")),
    "DataFrameReader.option": lambda e: e.spark.read.option("sep", ";").csv(e.written("csv", sep=";")),
    "DataFrameReader.options": lambda e: e.spark.read.options(header=True).csv(
        e.written("csv", header="true")
    ),
    "DataFrameReader.orc": lambda e: e.spark.read.orc(e.written("orc")),
    "DataFrameReader.parquet": lambda e: e.spark.read.parquet(e.written("parquet"), e.written("parquet")),
    "DataFrameReader.schema": lambda e: e.spark.read.schema("a long").json(e.written("json")),
    "DataFrameReader.table": lambda e: e.spark.read.table(e.saved_table()),
    "DataFrameReader.table#missing": lambda e: e.spark.read.table("no_such_table"),
    "DataFrameReader.text": lambda e: e.spark.read.text(e.written("text")),
    "DataFrameReader.xml": lambda e: e.spark.read.xml(e.written("xml", rowTag="r"), rowTag="r"),
    # -- writers ------------------------------------------------------------------------------------
    "DataFrameWriter.bucketBy": lambda e: e.df.write.bucketBy(2, "a").sortBy("a").saveAsTable(e.table()),
    "DataFrameWriter.clusterBy": lambda e: type(e.df.write.clusterBy("a")),
    "DataFrameWriter.csv": lambda e: _wrote(e, "csv", "csv", sep=";"),
    "DataFrameWriter.format": lambda e: e.df.write.format("noop").mode("overwrite").save(),
    "DataFrameWriter.insertInto": _insert_into,
    "DataFrameWriter.insertInto#missing": lambda e: e.df.write.insertInto("no_such_table"),
    "DataFrameWriter.jdbc": _jdbc,
    "DataFrameWriter.json": lambda e: _wrote(e, "json", "json"),
    "DataFrameWriter.mode": lambda e: e.df.write.mode("ignore").parquet(e.written("parquet")),
    "DataFrameWriter.mode#error": lambda e: e.df.write.parquet(e.written("parquet")),
    "DataFrameWriter.option": lambda e: type(e.df.write.option("k", "v")),
    "DataFrameWriter.options": lambda e: type(e.df.write.options(k="v")),
    "DataFrameWriter.orc": lambda e: _wrote(e, "orc", "orc"),
    "DataFrameWriter.parquet": lambda e: _wrote(e, "parquet", "parquet"),
    "DataFrameWriter.partitionBy": lambda e: _wrote(e, "json", "json", compression="gzip"),
    "DataFrameWriter.save": lambda e: _wrote(e, "save", "json", format="json"),
    "DataFrameWriter.saveAsTable": _save_as_table,
    "DataFrameWriter.sortBy": lambda e: e.df.write.sortBy("a").saveAsTable(e.table()),
    "DataFrameWriter.text": lambda e: _wrote(e, "text", "text"),
    "DataFrameWriter.xml": lambda e: _wrote(e, "xml", "xml", rowTag="ROW"),
    "DataFrameWriterV2.append": lambda e: _write_v2(e, "append"),
    "DataFrameWriterV2.append#missing": lambda e: e.df.writeTo("no_such_table").append(),
    "DataFrameWriterV2.clusterBy": lambda e: type(_v2(e).clusterBy("a")),
    "DataFrameWriterV2.create": lambda e: _write_v2(e, "create", existing=False),
    "DataFrameWriterV2.createOrReplace": lambda e: _write_v2(e, "createOrReplace", existing=False),
    "DataFrameWriterV2.option": lambda e: type(_v2(e).option("k", "v")),
    "DataFrameWriterV2.options": lambda e: type(_v2(e).options(k="v")),
    "DataFrameWriterV2.overwrite": lambda e: _write_v2(e, "overwrite", F.lit(True)),
    "DataFrameWriterV2.overwritePartitions": lambda e: _write_v2(e, "overwritePartitions"),
    "DataFrameWriterV2.partitionedBy": lambda e: type(_v2(e).partitionedBy(F.col("a"))),
    "DataFrameWriterV2.replace": lambda e: _write_v2(e, "replace"),
    "DataFrameWriterV2.tableProperty": lambda e: type(_v2(e).tableProperty("k", "v")),
    "DataFrameWriterV2.using": lambda e: _v2(e).using("parquet").create(),
    "MergeIntoWriter.merge": _merge,
}
