"""Run in a process of its own: opens the recipes of a folder and prints what their traces give, a line each."""

import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from bigdebug.lineage.java import ensure_java
from bigdebug.lineage.questions import trace_rows
from bigdebug.lineage.recipe.archive import Recipe
from bigdebug.lineage.recipe.building import open_recipe


def main(folder: Path) -> None:
    ensure_java()
    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    for path in sorted(folder.glob("*.recipe")):
        opened = open_recipe(spark.newSession(), Recipe.from_bytes(path.read_bytes()))
        where = path.with_suffix(".where").read_text(encoding="utf-8")
        trace = trace_rows(spark, opened.rows, lambda _: None, where, names=opened.names)
        print(json.dumps([path.stem, trace.matched, [str(record) for record in trace.collect()]]))
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
