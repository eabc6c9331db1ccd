"""One trace through RDDs and DataFrames, to the sources on either side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from pyspark import RDD, SparkContext
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.session import _monkey_patch_RDD
from pyspark.sql.types import IntegerType

import bigdebug
from bigdebug.cli.element_table import element_table
from bigdebug.lineage.errors import BigDebugError, SourceChangedError, UnknownNameError
from bigdebug.lineage.index.reading import open_index
from bigdebug.lineage.nodes import FROM_RDD
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.rows_again import rows_indexed
from bigdebug.lineage.store import Store
from tests.thinned import thinned


@pytest.fixture
def orders(spark: SparkSession, session: bigdebug.Session, tmp_path: Path) -> DataFrame:
    """Twelve orders in a file: n, and k = n modulo 3."""
    (tmp_path / "orders.csv").write_text("n,k\n" + "".join(f"{n},{n % 3}\n" for n in range(12)))
    return spark.read.csv(str(tmp_path / "orders.csv"), header=True, schema="n int, k int")


@pytest.fixture
def lines(context: SparkContext, tmp_path: Path) -> Any:
    """Twelve lines of text: k n."""
    (tmp_path / "lines.txt").write_text("".join(f"{n % 3} {n}\n" for n in range(12)))
    return context.textFile(str(tmp_path / "lines.txt"), 3)


def places(trace: Any) -> list[tuple[str, int | None]]:
    return [(record.source, record.location.position) for record in trace.collect()]


def later(session: bigdebug.Session, spark: SparkSession, output: Any, where: Any) -> Any:
    """The trace of an output from its recipe."""
    session._recorder.drain()
    output = session.outputs[output.number - 1]
    assert output.recipe == "stored", output.recipe_problem
    run = Store(session._recorder.store).find(session.run_id)
    return open_output(run, output, spark=spark).trace(where)


def told(trace: Any) -> Any:
    """All that a trace says, but for its steps."""
    return (
        trace.matched,
        trace.exact,
        trace.notes,
        [
            (s.name, s.kind, s.call_site, s.count, s.files, s.columns, s.deciding_columns)
            for s in trace.sources
        ],
        trace.collect(),
    )


def judge_index(session: bigdebug.Session, output: Any, where: Any, trace: Any) -> None:
    """The index of an output tells what a trace tells; of its steps those that change the groups, in order."""
    index = session.index(session.outputs[output.number - 1])
    assert index.rows == output.rows
    found = index.trace(where)
    assert told(found) == told(trace)
    steps = iter([(s.operator, s.count, s.call_site) for s in trace.steps])
    assert all((s.operator, s.count, s.call_site) in steps for s in found.steps)


def numbers(line: str) -> tuple[int, ...]:
    return tuple(map(int, line.split()))


def reached(forward: Any) -> dict[str, list[Any]]:
    """By output the rows that a forward trace reached."""
    return {
        source.name: [record.value for record in forward.collect_source(source.name)]
        for source in forward.sources
    }


@pytest.mark.compat
def test_forward_through_a_joint(
    session: bigdebug.Session, spark: SparkSession, orders: DataFrame, lines: Any
) -> None:
    first = len(session.outputs) + 1
    names = [f"output {number}" for number in range(first, first + 3)]
    orders.rdd.map(lambda row: row.n).collect()
    pairs = lines.map(numbers)
    spark.createDataFrame(pairs, "k int, n int").where("n > 2").collect()
    pairs.toDF(["k", "n"]).join(orders, "n").select("n").collect()
    forward = session.trace(orders, "n = 4", direction="forward")
    assert (forward.matched, forward.notes, forward.exact) == (1, [], True)
    assert reached(forward) == {names[0]: [4], names[2]: [{"n": 4}]}
    forward = session.trace(lines, where=lambda line: line == "1 4", direction="forward")
    assert (forward.matched, forward.notes, forward.exact) == (1, [], True)
    assert reached(forward) == {names[1]: [{"k": 1, "n": 4}], names[2]: [{"n": 4}]}
    assert [(step.operator, step.count) for step in forward.steps][:2] == [("map", 1), ("Filter", 1)]
    session._recorder.drain()
    run = Store(session._recorder.store).find(session.run_id)
    through = open_output(run, session.outputs[first - 1], spark=spark).forward("n = 4")
    assert (through.source, reached(through)) == ("orders.csv", {names[0]: [4]})


@pytest.mark.proof("forward traces through RDDs and DataFrames, to eight outputs, live and later")
def test_forward_to_all_outputs_on_either_side(
    session: bigdebug.Session, spark: SparkSession, orders: DataFrame, lines: Any
) -> None:
    first = len(session.outputs) + 1
    names = [f"output {number}" for number in range(first, first + 8)]
    orders.rdd.map(lambda row: row.n).collect()
    frame = spark.createDataFrame(orders.rdd.map(lambda row: (row.k, row.n)), "k int, n int")
    frame.where("n < 9").groupBy("k").agg(F.sum("n").alias("total")).collect()
    orders.groupBy("k").count().collect()
    pairs = lines.map(numbers)
    spark.createDataFrame(pairs, "k int, n int").where("n > 2").collect()
    spark.createDataFrame(pairs, "k int, n int").rdd.map(tuple).reduceByKey(lambda a, b: a + b).collect()
    pairs.count()
    pairs.toDF(["k", "n"]).join(orders, "n").select("n").collect()
    spark.range(3).collect()
    assert len(session.outputs) == first + 7
    forward = session.trace(orders, "n = 4", direction="forward")
    assert (forward.matched, forward.notes, forward.exact) == (1, [], True)
    assert reached(forward) == {
        names[0]: [4], names[1]: [{"k": 1, "total": 12}], names[2]: [{"k": 1, "count": 4}], names[6]: [{"n": 4}]
    }  # fmt: skip
    steps = [(step.operator, step.count) for step in forward.steps]
    assert steps[:2] == [("rdd", 1), ("map", 1)]
    assert steps[2:6] == [("rdd", 1), ("map", 1), ("Filter", 1), ("Aggregate", 1)]
    assert forward.steps[3].records().collect() == [(1, 4)]
    assert forward.records(names[0]).map(lambda record: record.value).collect() == [4]
    assert [row.total for row in forward.records(names[1]).collect()] == [12]
    forward = session.trace(lines, where=lambda line: line == "1 4", direction="forward")
    assert (forward.matched, forward.notes, forward.exact) == (1, [], True)
    assert reached(forward) == {
        names[3]: [{"k": 1, "n": 4}], names[4]: [(1, 22)], names[5]: [(1, 4)], names[6]: [{"n": 4}]
    }  # fmt: skip
    assert [(step.operator, step.count) for step in forward.steps][:2] == [("map", 1), ("Filter", 1)]
    none = session.trace(lines, where="x == '2 2'", direction="forward")
    assert [source.count for source in none.sources] == [0, 1, 1, 1]
    run = Store(session._recorder.store).find(session.run_id)
    session._recorder.drain()
    last = open_output(run, session.outputs[first + 5], spark=spark)
    assert reached(last.forward("x == '1 4'", "lines")) == {names[6]: [{"n": 4}]}
    assert reached(last.forward("n = 4", "orders")) == {names[6]: [{"n": 4}]}
    with pytest.raises(UnknownNameError, match="of which source") as error:
        last.forward("n = 4")
    assert error.value.hint is not None
    assert error.value.hint.endswith("orders.csv, lines.txt")
    through = open_output(run, session.outputs[first - 1], spark=spark).forward("n = 4")
    assert (through.source, reached(through)) == ("orders.csv", {names[0]: [4]})


@pytest.mark.proof("rows of the operators on either side of a joint")
def test_the_operators_on_either_side_are_counted(
    session: bigdebug.Session, spark: SparkSession, orders: DataFrame, lines: Any
) -> None:
    """They are one graph, too."""
    few = orders.where("n < 6").rdd.map(lambda row: (row.k, row.n)).toDF("k int, n int")
    few.union(lines.map(numbers).toDF("k int, n int")).where("n > 4").collect()
    few.rdd.filter(lambda row: row.k).count()
    graph = session.graph
    names = nx.get_node_attributes(graph, "operator")
    session._recorder.drain()
    run = Store(session._recorder.store).find(session.run_id)
    counts = []
    for output in session.outputs[-2:]:
        found = open_output(run, output, spark=spark).rows_of_operators()
        assert output.node is not None
        assert set(found) == {output.node, *nx.ancestors(graph, output.node)}
        counts.append([(names[number], found[number]) for number in sorted(found)])
    assert counts == [
        [("read.csv", 12), ("textFile", 12), ("where", 6), ("rdd", 6), ("map", 6), (FROM_RDD, 6),
         ("map", 12), (FROM_RDD, 12), ("union", 18), ("where", 8)],
        [("read.csv", 12), ("where", 6), ("rdd", 6), ("map", 6), (FROM_RDD, 6), ("rdd", 6), ("filter", 4)],
    ]  # fmt: skip


@pytest.mark.proof("forward traces that can not judge what is on the other side")
def test_a_forward_trace_says_what_it_cannot_judge(
    session: bigdebug.Session, spark: SparkSession, context: SparkContext, tmp_path: Path
) -> None:
    """Also what is chosen by the order of rows that come in another order each time."""
    ones = context.parallelize([(n % 2, n) for n in range(6)], 2)
    first = len(session.outputs) + 1
    spark.read.json(ones.map(lambda pair: f'{{"n": {pair[1]}}}')).collect()
    context.parallelize([1], 1).barrier().mapPartitions(lambda part: part).collect()
    ones.toDF(["k", "n"]).groupBy("k").count().rdd.zipWithIndex().map(lambda pair: pair[1]).toDF(
        "long"
    ).collect()
    (tmp_path / "gone.csv").write_text("n\n1\n")
    gone = spark.read.csv(str(tmp_path / "gone.csv"), schema="n int").rdd.map(lambda row: (0, row.n))
    gone.union(ones).toDF(["k", "n"]).collect()
    (tmp_path / "gone.csv").unlink()
    forward = session.trace(ones, where="x[1] == 3", direction="forward")
    assert [source.name for source in forward.sources] == [f"output {first + 2}"]
    told = [note.partition(" (collect) may be made")[0] for note in forward.notes]
    assert told[:3] == [f"output {number}" for number in (first + 3, first, first + 1)]
    assert "made of an RDD's elements" in forward.notes[1]
    assert "barrier stage" in forward.notes[2]
    assert "gone.csv" in forward.notes[0]
    assert "goes by position" in forward.notes[3]
    assert not forward.exact


@pytest.mark.compat
def test_an_index_whose_lower_part_fails_is_none(
    session: bigdebug.Session, spark: SparkSession, lines: Any
) -> None:
    pairs = lines.map(lambda line: (complex(line.partition(" ")[0]), 1)).reduceByKey(lambda a, b: a + b)
    spark.createDataFrame(pairs.map(lambda pair: (pair[1],)), "n int").where("n > 3").collect()
    output = session.outputs[-1]
    with pytest.raises(BigDebugError, match=r"can't be written down: keys of type builtins\.complex"):
        session.index(output)
    assert open_index(session._recorder.tables, output.number) is None


@pytest.mark.compat
def test_from_the_texts_of_rows_to_the_file_of_a_dataframe(
    session: bigdebug.Session, spark: SparkSession, orders: DataFrame
) -> None:
    texts = orders.where("n > 2").toJSON()
    texts.filter(lambda text: '"k":1' in text).collect()
    output = session.outputs[-1]
    trace = session.trace(output, where=lambda text: '"n":4' in text)
    assert (places(trace), trace.exact) == ([("orders.csv", 4)], True)
    assert [step.operator for step in trace.steps][:3] == ["filter", "toJSON", "rdd"]
    assert repr(later(session, spark, output, "'\"n\":4' in x").collect()) == repr(trace.collect())
    assert places(session.trace(texts, where=lambda text: '"n":7' in text)) == [("orders.csv", 7)]
    odd = spark.sql("select 1 as `a.b`, null as `a.b`, interval 1 day as ``")
    assert odd.toJSON().collect() == odd.toJSON().map(str).collect()


def test_the_way_ends_at_what_a_reader_made_of_an_rdd(
    session: bigdebug.Session, spark: SparkSession, context: SparkContext
) -> None:
    trace = session.trace(spark.read.json(context.parallelize(['{"k": 1}', '{"k": 2}'], 1)), "k = 2")
    assert [record.value for record in trace.collect()] == [{"k": 2}]
    (note,) = trace.notes
    assert note.endswith("the trace ends at the rows that read.json made of an RDD's elements")


def test_from_an_rdd_to_the_file_of_a_dataframe(
    session: bigdebug.Session, spark: SparkSession, orders: DataFrame
) -> None:
    totals = orders.groupBy("k").agg(F.sum("n").alias("total"))
    pairs = totals.rdd.map(lambda row: (row.k, row["total"]))
    assert sorted(pairs.collect()) == [(0, 18), (1, 22), (2, 26)]
    output = session.outputs[-1]
    trace = session.trace(output, where="key == 1")
    assert trace.matched == 1
    assert places(trace) == [("orders.csv", n) for n in (1, 4, 7, 10)]
    assert trace.collect()[3].value == {"n": 10, "k": 1}
    assert [(s.name, s.kind, s.count) for s in trace.sources] == [("orders.csv", "csv", 4)]
    assert [Path(f).name for f in trace.sources[0].files] == ["orders.csv"]
    assert [(s.operator, s.count) for s in trace.steps] == [("map", 1), ("rdd", 1), ("Aggregate", 1)]
    assert [row.total for row in trace.steps[1].records().collect()] == [22]
    assert [row.total for row in trace.steps[2].records().collect()] == [22]
    assert sorted(row.n for row in trace.records().collect()) == [1, 4, 7, 10]
    assert (trace.exact, trace.notes) == (True, [])
    judge_index(session, output, "key == 1", trace)
    again = later(session, spark, output, "key == 1")
    assert repr(again.collect()) == repr(trace.collect())
    assert [(s.operator, s.count, s.call_site) for s in again.steps] == [
        (s.operator, s.count, s.call_site) for s in trace.steps
    ]


def test_from_a_dataframe_to_the_file_of_an_rdd(
    session: bigdebug.Session, spark: SparkSession, lines: Any
) -> None:
    totals = lines.map(numbers).toDF(["k", "n"]).groupBy("k").agg(F.sum("n").alias("total"))
    assert {row.k: row.total for row in totals.collect()} == {0: 18, 1: 22, 2: 26}
    output = session.outputs[-1]
    trace = session.trace(output, "k = 2")
    assert trace.matched == 1
    assert places(trace) == [("lines.txt", n) for n in (2, 5, 8, 11)]
    assert trace.collect()[0].value == "2 2"
    assert [(s.name, s.kind, s.count) for s in trace.sources] == [("lines.txt", "text", 4)]
    assert [(s.operator, s.count) for s in trace.steps] == [("Aggregate", 1), ("map", 4)]
    assert sorted(r.location.position for r in trace.records().collect()) == [2, 5, 8, 11]
    assert (trace.exact, trace.notes) == (True, [])
    judge_index(session, output, "k = 2", trace)
    again = later(session, spark, output, "k = 2")
    assert repr(again.collect()) == repr(trace.collect())
    assert [(s.name, s.kind, s.count) for s in again.sources] == [("lines.txt", "text", 4)]


@pytest.mark.proof("missing rows of a DataFrame of an RDD, and a table of the records behind others")
def test_missing_rows_and_a_table_of_records(
    session: bigdebug.Session, spark: SparkSession, lines: Any
) -> None:
    totals = lines.map(numbers).toDF(["k", "n"]).groupBy("k").agg(F.sum("n").alias("total"))
    totals.collect()
    missing = session.why_not(totals, "k = 7")
    assert missing.notes == ["no record matches in lines.txt"]
    assert [step.operator.partition(":")[0] for step in missing.steps] == [
        "lines.txt", "map", "test_joints.py", "Aggregate",
    ]  # fmt: skip
    again = later(session, spark, session.outputs[-1], "k = 2")
    table = element_table(spark, again, "lines.txt").collect()
    assert sorted(row.position for row in table) == [2, 5, 8, 11]


@pytest.mark.proof("a program that goes through three DataFrames and four RDDs, live and later")
def test_to_and_fro(session: bigdebug.Session, spark: SparkSession, orders: DataFrame, lines: Any) -> None:
    """File to RDD to DataFrame to RDD, joined with another file, to DataFrame to RDD; shuffled each time."""
    sums = lines.map(numbers).reduceByKey(lambda a, b: a + b).toDF("k int, total int")
    joined = sums.join(orders.where("n < 6"), "k").groupBy("k", "total").agg(F.count("*").alias("many"))
    keyed = joined.rdd.map(lambda row: (row.k % 2, row.total)).groupByKey().mapValues(sum)
    last = keyed.toDF(["odd", "sum"]).where("sum > 0").rdd.map(tuple)
    assert sorted(last.collect()) == [(0, 44), (1, 22)]
    output = session.outputs[-1]
    trace = session.trace(last, where=lambda pair: pair[0] == 1)
    assert places(trace) == [("lines.txt", n) for n in (1, 4, 7, 10)] + [("orders.csv", n) for n in (1, 4)]
    assert trace.exact, trace.notes
    names = [step.operator for step in trace.steps]
    assert names[:3] == ["map", "rdd", "Filter"]
    assert "Join" in names
    frame = keyed.toDF(["odd", "sum"])
    of_frame = session.trace(frame, "odd = 1")
    assert places(of_frame) == places(trace)
    assert [source.count for source in of_frame.sources] == [4, 2]
    frame.collect()
    judge_index(session, output, "key == 1", trace)
    judge_index(session, session.outputs[-1], "odd = 1", of_frame)
    again = later(session, spark, output, "key == 1")
    assert places(again) == places(trace)
    assert [source.name for source in again.sources] == ["lines.txt", "orders.csv"]


@pytest.mark.parametrize(
    ("make", "schema"),
    thinned(
        [
            (lambda n: (n % 3, n), "k int, n long"),
            (lambda n: Row(k=n % 3, n=n), None),
            (lambda n: {"n": n, "k": n % 3}, ["k", "n"]),
            (lambda n: n, IntegerType()),
        ],
        "ways to make a DataFrame of an RDD",
    ),
    ids=["DDL", "inferred", "names for dicts", "no struct"],
)
def test_ways_to_make_a_dataframe(
    session: bigdebug.Session, spark: SparkSession, context: SparkContext, make: Any, schema: Any
) -> None:
    """Also where the elements come in another order each time: then rows are made of them once more."""
    for moved in (False, True):
        numbers = context.parallelize(range(9), 3)
        rdd = (numbers.repartition(2) if moved else numbers).map(make)
        frame = spark.createDataFrame(rdd, schema, samplingRatio=None if schema else 0.9)
        frame = frame.withColumnRenamed("value", "n")
        trace = session.trace(frame, "n = 7")
        assert trace.matched == 1
        assert [record.value for record in trace.collect()] == [7]


def test_a_dataframe_that_another_session_made(
    session: bigdebug.Session, spark: SparkSession, lines: Any
) -> None:
    """PySpark's `toDF` uses the session that was made last, attached or not."""
    spark.newSession()
    try:
        made = lines.map(numbers).toDF(["k", "n"]).where("n = 7")
    finally:
        _monkey_patch_RDD(spark)
    assert made.sparkSession is not spark
    assert places(session.trace(made)) == [("lines.txt", 7)]


@pytest.mark.proof("missing rows of a DataFrame that was made by toDF")
def test_missing_rows_of_a_dataframe_by_to_df(session: bigdebug.Session, lines: Any) -> None:
    missing = session.why_not(lines.filter(lambda line: line != "1 7").map(numbers).toDF(["k", "n"]), "n = 7")
    assert missing.culprit is not None
    assert missing.culprit.operator == "filter"


@pytest.mark.proof("a DataFrame of an RDD that is joined with itself, live and from an index")
def test_a_dataframe_with_itself(session: bigdebug.Session, lines: Any) -> None:
    frame = lines.map(numbers).toDF(["k", "n"])
    pairs = frame.alias("a").join(frame.alias("b"), F.expr("a.n = b.n + 1")).selectExpr("a.n", "b.n m")
    pairs.collect()
    trace = session.trace(pairs, "n = 8")
    assert places(trace) == [("lines.txt", 7), ("lines.txt", 8)]
    judge_index(session, session.outputs[-1], "n = 8", trace)


def test_what_pyspark_gives_stays_as_it_is(
    session: bigdebug.Session, spark: SparkSession, orders: DataFrame
) -> None:
    assert type(orders.rdd) is RDD
    assert orders.rdd is orders.rdd
    frame = spark.range(3)
    frame.foreach(print)  # PySpark itself asks for the RDD first
    rdd = frame.rdd.map(lambda row: row.id)
    assert rdd.collect() == [0, 1, 2]
    assert [record.value for record in session.trace(rdd, where="x == 2").collect()] == [{"id": 2}]
    nodes = session.graph.nodes(data=True)
    assert [data["operator"] for _, data in nodes][-2:] == ["rdd", "map"]


def test_functions_of_partitions_and_positions_are_marked(
    session: bigdebug.Session, orders: DataFrame
) -> None:
    numbered = orders.rdd.zipWithIndex().map(lambda pair: (pair[1], pair[0].n))
    trace = session.trace(numbered, where="key == 5")
    assert (places(trace), trace.exact) == ([("orders.csv", 5)], True)
    shuffled = orders.groupBy("k").count().rdd.zipWithIndex()
    trace = session.trace(shuffled, where=lambda pair: pair[0].k == 1)
    assert (len(trace.collect()), trace.exact) == (4, False)


@pytest.mark.proof(
    "DataFrames of functions of partitions: live, from an index, their rows again, and narrowed"
)
def test_dataframes_of_functions_of_partitions_are_marked(
    session: bigdebug.Session, orders: DataFrame
) -> None:
    shuffled = orders.groupBy("k").count().rdd.zipWithIndex()
    shuffled.mapPartitions(lambda part: ((pair[1], 1) for pair in part)).toDF(["n", "one"]).collect()
    output = session.outputs[-1]
    judge_index(session, output, "n = 1", session.trace(output, "n = 1"))
    lazy = orders.rdd.mapPartitions(lambda part: (row.n for row in part)).map(lambda n: (n,)).toDF(["n"])
    trace = session.trace(lazy, "n = 2")
    assert (places(trace), trace.exact) == ([("orders.csv", n) for n in (0, 1, 2)], False)
    lazy.join(orders, "n").collect()
    output = session.outputs[-1]
    both = session.trace(output, "n = 2")
    assert places(both) == [("orders.csv", 2), *(("orders.csv#2", n) for n in (0, 1, 2))]
    judge_index(session, output, "n = 2", both)
    again = rows_indexed(orders.sparkSession, session._recorder.tables, output.number)
    assert again is not None
    assert (again.frame.count(), list(again.notes)) == (12, both.notes)
    assert places(trace.narrow()) == [("orders.csv", 2)]


def test_what_cannot_be_gone_through(
    session: bigdebug.Session, context: SparkContext, orders: DataFrame, tmp_path: Path
) -> None:
    barrier = context.parallelize([(1,)], 1).barrier().mapPartitions(lambda part: part)
    frame = barrier.map(tuple).toDF(["n"])
    trace = session.trace(frame)
    assert ([source.kind for source in trace.sources], len(trace.collect())) == (["memory"], 1)
    assert any("the trace ends at a DataFrame of an RDD" in note for note in trace.notes)
    rdd = orders.rdd.map(tuple)
    rdd.count()
    (tmp_path / "orders.csv").write_text("n,k\n1,1\n")
    with pytest.raises(SourceChangedError, match=r"orders\.csv"):
        session.trace(session.outputs[-1])


def test_through_groups_of_maps(session: bigdebug.Session, context: SparkContext) -> None:
    maps = context.parallelize([({"a": n % 2},) for n in range(4)], 1).toDF("m map<string,int>")
    trace = session.trace(maps.groupBy("m").count().rdd.map(tuple), where=lambda row: row[0] == {"a": 1})
    assert [record.value for record in trace.collect()] == [({"a": 1},), ({"a": 1},)]
    assert [record.location.position for record in trace.collect()] == [1, 3]
