"""Operators stand where the user's own code asked for them."""

import functools
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType, SimpleNamespace

import pytest
from pyspark import InheritableThread
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.callsite import CallSite, capture, mask_literals


def here(offset: int = 0) -> int:
    """The line number of the caller."""
    return sys._getframe(1).f_lineno + offset


def sites(session: bigdebug.Session) -> dict[str, CallSite]:
    """Operator to call site, of the operators recorded last."""
    return {data["operator"]: data["call_site"] for _, data in session.graph.nodes(data=True)}


def only_adults(people: DataFrame) -> DataFrame:
    return people.filter(people.age >= 18)


class Pipeline:
    def clean(self, people: DataFrame) -> DataFrame:
        return people.dropna().withColumn(
            "double",
            F.col("age") * 2,
        )


@pytest.fixture
def people(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([("ann", 20), ("bob", 10)], "name string, age int")


def test_a_call_names_its_own_line_and_statement(session: bigdebug.Session, spark: SparkSession) -> None:
    spark.range(3).filter("id > 1")
    site = sites(session)["filter"]
    assert (site.file, site.line) == (__file__, here(-2))
    assert site.text == 'spark.range(3).filter("id > 1")'
    assert site.function == "test_a_call_names_its_own_line_and_statement"
    assert site.label == f"test_call_sites.py:{here(-5)}"


def test_helper_functions_and_methods(session: bigdebug.Session, people: DataFrame) -> None:
    Pipeline().clean(only_adults(people))
    found = sites(session)
    assert (found["filter"].function, found["filter"].text) == (
        "only_adults",
        "return people.filter(people.age >= 18)",
    )
    assert found["dropna"].function == "clean"
    assert found["withColumn"].text == (
        'return people.dropna().withColumn(\n    "double",\n    F.col("age") * 2,\n)'
    )


def test_each_call_of_a_chain_names_its_own_line(session: bigdebug.Session, people: DataFrame) -> None:
    (
        people
        .filter("age > 1")
        .select("name")
        .distinct()
    )  # fmt: skip
    found = sites(session)
    assert [found[name].line for name in ("filter", "select", "distinct")] == [here(-5), here(-4), here(-3)]


def test_transform_records_what_the_function_does_and_not_itself(
    session: bigdebug.Session, people: DataFrame
) -> None:
    people.transform(only_adults)
    people.transform(lambda frame: frame.limit(1))
    people.transform(DataFrame.distinct)
    found = sites(session)
    assert found["filter"].function == "only_adults"
    assert found["limit"].line == here(-4)
    assert found["distinct"].line == here(-4)
    assert "transform" not in found


def test_calls_through_other_ways_in(session: bigdebug.Session, people: DataFrame) -> None:
    first = here(1)
    functools.reduce(DataFrame.union, [people, people])
    people[people.age > 3]
    people[["name"]]
    DataFrame.limit(people, 3)
    found = sites(session)
    assert [found[name].line for name in ("union", "filter", "select", "limit")] == [
        first, first + 1, first + 2, first + 3,
    ]  # fmt: skip


def test_what_pyspark_calls_for_itself_is_no_operator(session: bigdebug.Session, people: DataFrame) -> None:
    people.where("age > 1")
    people.unionAll(people)
    people.agg(F.max("age"))
    people.na.drop()
    people.groupBy("name").pivot("age").count()
    people.melt("name", ["age"], "k", "v")
    assert [data["operator"] for _, data in session.graph.nodes(data=True)][1:] == [
        "where", "unionAll", "agg", "na.drop", "groupBy.pivot.count", "melt",
    ]  # fmt: skip


def test_a_bare_thread_has_no_call_site(session: bigdebug.Session, people: DataFrame) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(people.count).result() == 2
        assert pool.submit(lambda: people.count()).result() == 2
    thread = InheritableThread(target=people.count)
    thread.start()
    thread.join()
    bare, through_lambda, inherited = session.outputs
    assert bare.call_site is None
    assert through_lambda.call_site is not None
    assert through_lambda.call_site.function == "<lambda>"
    assert inherited.action == "count"


def test_parents(session: bigdebug.Session, people: DataFrame, spark: SparkSession) -> None:
    left = people.filter("age > 1")
    right = people.select("name")
    left.join(right, "name")
    left.createOrReplaceTempView("left_people")
    spark.sql("select * from left_people where age > 2")
    spark.table("left_people").groupBy("name").count()
    graph = session.graph
    named = {data["operator"]: id for id, data in graph.nodes(data=True)}

    def parents(operator: str) -> set[int]:
        return set(graph.predecessors(named[operator]))

    assert parents("join") == {named["filter"], named["select"]}
    assert parents("sql") == {named["filter"]}
    assert parents("table") == {named["filter"]}
    assert parents("groupBy.count") == {named["table"]}


def test_readers_remember_paths_as_written(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spark.range(2).write.parquet(str(tmp_path / "a.parquet"))
    spark.range(2).write.csv(str(tmp_path / "b"))
    spark.read.parquet(str(tmp_path / "a.parquet"), f"{tmp_path}/a.parquet/")
    spark.read.format("csv").load(f"{tmp_path}/b", "csv", "id long")
    spark.read.csv(path=[f"{tmp_path}/b"])
    paths = [data["paths"] for _, data in session.graph.nodes(data=True) if "read" in data["operator"]]
    assert paths == [
        (f"{tmp_path}/a.parquet", f"{tmp_path}/a.parquet/"),
        (f"{tmp_path}/b",),
        (f"{tmp_path}/b",),
    ]


def test_every_plan_keeps_the_tag_of_the_operator_that_made_it(
    session: bigdebug.Session, people: DataFrame
) -> None:
    base = people.filter("age > 0")
    for again in (
        base.hint("nonsense"),
        base.withColumnRenamed("nothing", "z"),
        base.drop("nothing"),
        base.toDF("name", "age"),
        base.cache(),
        base.withColumn("t", F.current_timestamp()).withWatermark("t", "1 hour"),
    ):
        assert again is not None
    value = base._jdf.queryExecution().analyzed().getTagValue(session._attachment.tag).get()
    node = session._recorder.node_of(value)
    assert node is not None
    assert node.operator == "filter"
    base.unpersist()


def cell(name: str) -> FrameType:
    """A frame that runs code of that file name."""
    kept = SimpleNamespace()
    exec(compile("import sys\nkept.frame = sys._getframe()", name, "exec"), {"kept": kept})
    return kept.frame  # type: ignore[no-any-return]


def test_notebook_cells() -> None:
    site = capture(cell("<ipython-input-7-0123abcd>"))
    assert site is not None
    assert (site.file, site.line, site.label) == ("cell 7", 2, "cell 7:2")


def test_a_real_ipython_names_cells_by_their_number() -> None:
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    shell = interactive.InteractiveShell.instance()
    try:
        shell.user_ns["capture"] = capture
        shell.run_cell("import sys\ndef f():\n    return capture(sys._getframe())", store_history=True)
        shell.run_cell("\nfound = f()", store_history=True)
        site = shell.user_ns["found"]
        assert (site.file, site.line, site.text) == ("cell 1", 3, "return capture(sys._getframe())")
    finally:
        interactive.InteractiveShell.clear_instance()


def test_the_standard_library_is_not_the_users() -> None:
    found: list[CallSite | None] = []
    thread = threading.Thread(target=lambda: found.append(capture(sys._getframe().f_back)))
    thread.start()
    thread.join()
    assert found == [None]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('df.filter(df.ssn == "123-45")', "df.filter(df.ssn == …)"),
        ("df.limit(5)  # five", "df.limit(…)"),
        ("df.filter(\n    f'a = {b}'\n)", "df.filter(\n    …\n)"),
        ("df.filter('''a", "…"),
        ("for row in df.take(3):", "for row in df.take(…):"),
    ],
)
def test_masked_text(text: str, masked: str) -> None:
    if "f'" in text and sys.version_info >= (3, 12):
        assert "a =" not in mask_literals(text)
    else:
        assert mask_literals(text) == masked


def test_text_that_speaks_of_a_secret_is_masked(session: bigdebug.Session, spark: SparkSession) -> None:
    spark.range(1).withColumn("password", F.lit("hunter2"))
    site = sites(session)["withColumn"]
    assert "hunter2" not in site.text
    assert site.text == "spark.range(…).withColumn(…, F.lit(…))"
