"""The tests that an isolation writes: they fail with the fault, and pass once it is mended."""

import datetime
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest
from pyspark import cloudpickle
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.isolation.builders import Builder, NoBuilderError, Read, find_builder
from bigdebug.isolation.isolating import isolate
from bigdebug.isolation.literals import source_of
from bigdebug.isolation.writing import Origin
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.live import live_question
from bigdebug.pytest_plugin.dataflow import Dataflow
from tests.thinned import thinned

PROGRAM = '''\
"""Mean lengths of flights."""

import sys

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F


def minutes(clock: str) -> Column:
    return F.floor(F.col(clock) / 100) * 60 + F.col(clock) % 100


def means(spark: SparkSession, path: str) -> DataFrame:
    flights = spark.read.csv(path, header=True, inferSchema=True)
    took = minutes("arrived") - minutes("left")
    timed = flights.withColumn("took", took)
    return timed.groupBy("dest").agg(F.avg("took").alias("took"))


if __name__ == "__main__":
    means(SparkSession.builder.getOrCreate(), sys.argv[1]).show()
'''
FAULT, MENDED = 'minutes("arrived") - minutes("left")', '(minutes("arrived") - minutes("left") + 1440) % 1440'
FAILING = "took < 0"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with a program and its data: one flight lands after midnight."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "mean_lengths.py").write_text(PROGRAM)
    lines = [f"BOS,{900 + n},{1000 + n}" for n in range(30)] + ["BDL,2304,3", "BDL,1000,1040"]
    (folder / "flights.csv").write_text("\n".join(["dest,left,arrived", *lines, ""]))
    return folder


def module_at(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ran(spark: SparkSession, written: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run a written test in this process; whether it passes."""
    with monkeypatch.context() as patched:
        patched.setattr(sys, "path", list(sys.path))
        module = module_at(written)
        given: list[object] = [spark]
        if hasattr(module, "records"):
            module.records.__wrapped__(spark, patched)
            given.append(None)
        of_rows = hasattr(module, "test_no_row_is_wrong")
        test = module.test_no_row_is_wrong if of_rows else module.test_no_element_is_wrong
        try:
            test(*given, *([Dataflow(None, 0)] if of_rows else []))
        except AssertionError:
            return False
        return True


def test_a_written_test_fails_with_the_fault_and_passes_without(
    app: Path, session: bigdebug.Session, spark: SparkSession
) -> None:
    frame = module_at(app / "mean_lengths.py").means(spark, str(app / "flights.csv"))
    written = session.isolate(frame, FAILING).to_pytest(app / "tests" / "test_lengths.py")
    text = written.read_text()
    assert "from mean_lengths import means" in text
    assert '("BDL", 2304, 3)' in text
    assert "BOS" not in text
    mended = app / "mean_lengths_mended.py"
    mended.write_text(PROGRAM.replace(FAULT, MENDED))
    again = written.with_name("test_mended.py")
    again.write_text(text.replace("from mean_lengths ", "from mean_lengths_mended "))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    ran = subprocess.run(
        [*command, str(written), str(again)], cwd=app, capture_output=True, text=True, timeout=300
    )
    assert "1 failed, 1 passed" in ran.stdout, ran.stdout + ran.stderr
    assert "FAILED tests/test_lengths.py::test_no_row_is_wrong" in ran.stdout
    assert "1 of 1 row fulfils: took < 0" in ran.stdout
    assert "dest='BDL', took=-1381.0" in ran.stdout
    assert "record 0 of partition 1: dest='BDL', left=2304, arrived=3" in ran.stdout


def test_frames_that_a_function_takes_are_made_of_the_records(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "totals_of.py"
    program.write_text(
        "from pyspark.sql import functions as F\n\n\n"
        "def totals(orders, names):\n"
        '    joined = orders.join(names, "k")\n'
        '    total = joined.groupBy("name").agg(F.sum("amount").alias("total"), F.max("at").alias("at"))\n'
        "    return total\n"
    )
    at = datetime.datetime(2024, 5, 1, 12, 30)
    rows = [(n % 3, Decimal(n), at, b"\x00") for n in range(1, 20)]
    rows[7] = (1, Decimal("-999.50"), at, None)
    orders = spark.createDataFrame(rows, "k int, amount decimal(10,2), at timestamp, raw binary")
    orders.write.json(str(tmp_path / "orders.json"))
    orders = spark.read.schema(orders.schema).json(str(tmp_path / "orders.json"))
    spark.createDataFrame([(n, f"it's {n}") for n in range(3)], "k int, name string").write.csv(
        str(tmp_path / "names.csv")
    )
    names = spark.read.csv(str(tmp_path / "names.csv"), schema="k int, name string")
    found = session.isolate(module_at(program).totals(orders, names), F.col("total") < 0)
    written = found.to_pytest(tmp_path / "test_totals.py")
    text = written.read_text()
    assert 'Decimal("-999.50")' in text
    assert "from totals_of import totals" in text
    assert "totals(" in text
    assert text.index("ORDERS, ORDERS_SCHEMA") < text.index("NAMES, NAMES_SCHEMA")
    assert not ran(spark, written, monkeypatch)
    monkeypatch.delitem(sys.modules, "totals_of", raising=False)
    program.write_text(program.read_text().replace('F.sum("amount")', 'F.sum(F.abs("amount"))'))
    assert ran(spark, written, monkeypatch)


THROUGH = """\
from operator import add

from pyspark.sql import functions as F


def parsed(line):
    key, value = line.split(",")
    return key, int(value)


def of_lines(spark, path):
    lines = spark.sparkContext.textFile(path, 2)
    pairs = spark.createDataFrame(lines.map(parsed), "k string, v int")
    return pairs.groupBy("k").agg(F.sum("v").alias("v"))


def of_given_lines(spark, lines):
    pairs = spark.createDataFrame(lines.map(parsed), "k string, v int")
    return pairs.groupBy("k").agg(F.sum("v").alias("v"))


def of_rows(spark, path):
    rows = spark.read.csv(path, schema="k string, v int")
    pairs = rows.rdd.map(lambda row: (row.k, int(row.v)))
    return pairs.reduceByKey(add)
"""


@pytest.mark.parametrize(
    ("function", "failing", "constant"),
    thinned(
        [
            ("of_rows", "value < 0", '("b", -90)'),
            ("of_lines", "v < 0", '"b,-90"'),
            ("of_given_lines", "v < 0", '"b,-90"'),
        ],
        "written tests of programs that begin with lines",
    ),
)
def test_programs_through_rdds_and_dataframes_run_on_their_records(
    function: str,
    failing: str,
    constant: str,
    session: bigdebug.Session,
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = tmp_path / f"through_{function}.py"
    program.write_text(THROUGH)
    path = tmp_path / "values.csv"
    path.write_text("".join(f"{'ab'[n % 2]},{n}\n" for n in range(12)) + "b,-90\n")
    given = spark.sparkContext.textFile(str(path), 2) if function == "of_given_lines" else str(path)
    made = getattr(module_at(program), function)(spark, given)
    written = session.isolate(made, failing).to_pytest(tmp_path / f"test_{function}.py")
    text = written.read_text()
    assert f"from {program.stem} import {function}" in text
    assert constant in text
    assert "11" not in text
    assert not ran(spark, written, monkeypatch)
    monkeypatch.delitem(sys.modules, program.stem, raising=False)
    program.write_text(THROUGH.replace("int(value)", "abs(int(value))").replace("int(row.v)", "abs(row.v)"))
    assert ran(spark, written, monkeypatch)
    monkeypatch.delitem(sys.modules, program.stem, raising=False)


def test_without_a_function_the_recipe_is_run_on_the_records(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = spark.createDataFrame([(n % 3, float(n)) for n in range(90)], "k int, v double")
    bad = F.when(F.col("v") == 40, -1e6).otherwise(F.col("v"))
    before = data.select(F.col("v").alias("w"))  # one source, read twice
    totals = data.join(before, F.col("w") == F.col("v") - 1).groupBy("k").agg(F.sum(bad).alias("total"))
    with pytest.raises(BigDebugError, match="no function builds this frame"):
        session.isolate(totals, "total < 0").to_pytest(tmp_path / "test_none.py")
    totals.collect()
    written = session.isolate(totals, "total < 0").to_pytest(tmp_path / "test_totals.py")
    text = written.read_text()
    assert "# No function of the program could be called here: " in text
    assert f'"{session.run_id}", {session.outputs[-1].number}\n' in text
    assert "(1, 40.0)" in text
    assert not ran(spark, written, monkeypatch)
    for record, other in (("(1, 40.0)", "(1, 41.0)"), ("(0, 39.0)", "(0, 37.0)")):
        written.write_text(text.replace(record, other))
        assert ran(spark, written, monkeypatch)


def test_many_records_stand_in_a_file_beside_the_test(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = spark.createDataFrame([(n, "x") for n in range(90)], "n int, x string").agg(
        F.count("*").alias("n")
    )
    counted.collect()
    written = session.isolate(session.outputs[-1], "n > 70").to_pytest(tmp_path / "test_count.py")
    (beside,) = tmp_path.glob("test_count_*.parquet")
    assert spark.read.parquet(str(beside)).count() == 71
    assert not ran(spark, written, monkeypatch)


def test_redacted_values_are_not_written(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    data = spark.createDataFrame([(n, n) for n in range(9)], "secret int, n int")
    question = live_question(spark, session._recorder, data.agg(F.max("n").alias("most")))
    origin = Origin("store", session.run_id, 1, redact=("secret",))
    found = isolate(question, "most > 7", origin=origin)
    with pytest.raises(BigDebugError, match="values of secret are redacted"):
        found.to_pytest(tmp_path / "test_secret.py")
    assert not list(tmp_path.iterdir())


def site(file: Path, line: int) -> CallSite:
    return CallSite(str(file), line)


def found_in(tmp_path: Path, code: str, top: int, reads: Sequence[Read], lines: Sequence[int]) -> Builder:
    file = tmp_path / "program.py"
    file.write_text(code)
    placed = [
        Read(each.name, site(file, each.call_site.line) if each.call_site else None, each.paths, each.made)
        for each in reads
    ]
    return find_builder(site(file, top), [site(file, line) for line in lines], placed)


def test_a_function_that_calls_others_is_found(tmp_path: Path) -> None:
    code = (
        "def read(spark, folder):\n"
        "    return spark.read.csv(f'{folder}/a.csv')\n"
        "def mean(frame):\n"
        "    return frame.groupBy('k').agg()\n"
        "def build(spark, folder, most=3):\n"
        "    frame = read(spark, folder)\n"
        "    return mean(frame)\n"
    )
    read = Read("a.csv", CallSite("", 2), ("/data/a.csv",))
    built = found_in(tmp_path, code, 4, [read], [2, 4])
    assert (built.name, built.arguments) == ("build", (("spark", "spark"), ("path", "/data")))


@pytest.mark.parametrize(
    ("code", "top", "why"),
    [
        ("frame = spark.read.csv('a.csv')\n\n\n", 1, "to import program.py would run it, from line 1 on"),
        ("def build(spark):\n    spark.read.csv('a').count()\n    return 1\n", 2, "no function returns it"),
        (
            "def build(spark, most):\n\n    return spark.read.csv('a').where('n')\n",
            3,
            "what it takes as most",
        ),
        ("def broken(:\n\n\n", 1, "can't be read"),
    ],
)
def test_why_there_is_no_function(code: str, top: int, why: str, tmp_path: Path) -> None:
    read = Read("a", CallSite("", top), ("a",))
    with pytest.raises(NoBuilderError, match=why):
        found_in(tmp_path, code, top, [read], [top])


def test_values_have_sources_that_give_them_again() -> None:
    zone = datetime.UTC
    values = [
        None, True, -5, "it's \"so\"\n", b"\x00a", 1.5, Decimal("1.20"), datetime.date(2024, 1, 2),
        datetime.datetime(2024, 1, 2, 3, 4, 5, 678, tzinfo=zone), (1, ("a",)), [1, None], {"k": [2.5]},
    ]  # fmt: skip
    for value in values:
        assert eval(source_of(value)) == value
    assert source_of(float("nan")) == 'float("nan")'


RDD_PROGRAM = '''\
"""How much each customer paid."""

from operator import add

from pyspark import RDD, SparkContext
from pyspark import cloudpickle
from pyspark.sql import SparkSession


def cents(text: str) -> int:
    return int(float(text) * 100)


def paid(sc: SparkContext, path: str) -> "RDD[tuple[str, int]]":
    lines = sc.textFile(path, 3)
    pairs = lines.map(lambda line: line.split(","))
    totals = pairs.map(lambda parts: (parts[0], cents(parts[1]))).reduceByKey(add)
    return totals


if __name__ == "__main__":
    print(paid(SparkSession.builder.getOrCreate().sparkContext, "paid.csv").collect())
'''


def test_a_test_of_an_rdd_fails_with_the_fault_and_passes_without(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = tmp_path / "app"
    app.mkdir()
    program = app / "payments.py"
    program.write_text(RDD_PROGRAM)
    (app / "paid.csv").write_text("".join(f"ann,{n}\n" for n in range(30)) + "bob,5\nbob,-7\n")
    monkeypatch.syspath_prepend(str(app))
    import payments

    cloudpickle.register_pickle_by_value(payments)
    totals = payments.paid(spark.sparkContext, str(app / "paid.csv"))
    totals.collect()
    found = session.isolate(totals, "value < 0")
    written = found.to_pytest(app / "test_payments.py")
    text = written.read_text()
    assert "from payments import paid" in text
    assert 'paid(spark.sparkContext, "paid.csv")' in text
    assert "bob,-7" in text
    assert "ann" not in text
    assert not passes(spark, written, monkeypatch)
    program.write_text(RDD_PROGRAM.replace("* 100)", "* 100) if not text.startswith('-') else 0"))
    sys.modules.pop("payments")
    assert passes(spark, written, monkeypatch)


def test_a_test_of_a_recorded_rdd_runs_what_was_recorded(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = spark.sparkContext.parallelize([(0, 1), (0, -9), (1, 4)], 2)
    totals = numbers.reduceByKey(lambda one, other: one + other)
    totals.collect()
    found = session.isolate(session.outputs[-1], "x[1] < 0")
    written = found.to_pytest(tmp_path / "test_recorded.py")
    assert f"STORE, RUN, OUTPUT = {source_of(session._recorder.store)}" in written.read_text()
    assert not passes(spark, written, monkeypatch)
    written.write_text(written.read_text().replace("(0, -9)", "(0, 9)"))
    assert passes(spark, written, monkeypatch)
    with pytest.raises(BigDebugError, match="not of a function"):
        session.isolate(totals, lambda pair: pair[1] < 0).to_pytest(tmp_path / "test_no.py")


def passes(spark: SparkSession, written: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run the written test of an RDD in this process; whether it passes."""
    with monkeypatch.context() as patched:
        patched.setattr(sys, "path", list(sys.path))
        module = module_at(written)
        given: list[object] = [spark]
        if hasattr(module, "records"):
            module.records.__wrapped__(spark, patched)
            given.append(None)
        try:
            module.test_no_element_is_wrong(*given)
        except AssertionError:
            return False
    return True
