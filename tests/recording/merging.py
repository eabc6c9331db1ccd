"""Merge into a table in some ways, recorded, in a Spark of its own: `python merging.py JAR STORE ANSWERS NAME…`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.java import ensure_java

TABLE = "rows.db.t"
CLAUSES = {
    "both": "when matched then update set v = s.v when not matched then insert *",
    "update": "when matched then update set v = s.v",
    "delete": "when matched then delete",
    "insert": "when not matched then insert *",
    "insert twice": "when not matched and s.id > 6 then insert * when not matched then insert (id) values (s.id)",
    "not in the source": "when matched then update set v = s.v when not matched by source then delete",
    "fails": "when matched then update set v = string(cast(s.v as int))",
}


def made(spark: SparkSession, store: str, do: Any) -> dict[str, Any]:
    """What is recorded of a merge, what it made of the table, and where row 6 of its output came from."""
    spark.sql(f"create table {TABLE} (id bigint, v string)")
    spark.sql(f"insert into {TABLE} select id, 'old' from range(5)")
    with bigdebug.attach(spark, store=store) as session:
        try:
            do()
        except (PySparkException, Py4JError) as error:
            failed = type(error).__name__
        else:
            failed = None
        session._recorder.drain()
        outputs = session.outputs
        traced = [record.value for each in outputs for record in session.trace(each, "id = 6").collect()]
    content = sorted(f"{row.id} {row.v}" for row in spark.table(TABLE).collect())
    spark.sql(f"drop table {TABLE}")
    return {
        "outputs": [[each.action, each.target, each.status, each.recipe] for each in outputs],
        "traced": traced,
        "content": ", ".join(content),
        "failed": failed,
    }


def main(jar: str, store: str, answers: str, *names: str) -> None:
    ensure_java()
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.extraClassPath", jar)
        .config("spark.sql.catalog.rows", "RowLevelCatalog")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    values = ", ".join(f"({number}L, 'new')" for number in range(3, 8))
    spark.sql(f"create temporary view news as select * from values {values} as news(id, v)")
    ways: dict[str, Callable[[], Any]] = {}
    for name, clauses in CLAUSES.items():
        text = f"merge into {TABLE} t using (select * from news where id < :top) s on t.id = s.id {clauses}"
        ways[name] = lambda text=text: spark.sql(text, {"top": 9})

    def in_python() -> None:
        merge = spark.table("news").mergeInto(TABLE, F.expr(f"{TABLE}.id = news.id"))
        merge.whenMatched().update({"v": F.col("news.v")}).merge()

    ways["python"] = in_python
    ways["update of rows"] = lambda: spark.sql(f"update {TABLE} set v = 'x' where id = 1")
    ways["delete of rows"] = lambda: spark.sql(f"delete from {TABLE} where id > 1")
    found = {name: made(spark, store, do) for name, do in ways.items() if name in names}
    Path(answers).write_text(json.dumps(found))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
