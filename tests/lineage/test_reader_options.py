"""Formats and options of readers: the same records live, from a recipe and from an index, each in its place."""

import bz2
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.index.reading import open_index
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from tests.settings import settings
from tests.thinned import thinned

SCHEMA = "k int, n int, t string"
Made = tuple[DataFrame, set[tuple[str, int]]]
"""A frame with the column `k`, and of the records with `k = 1` the file's name and the position in it."""


def lines(first: int, count: int, write: Callable[[int], str], end: str = "\n") -> str:
    return "".join(write(n) + end for n in range(first, first + count))


def as_csv(n: int) -> str:
    return f"{n % 3},{n},t{n}"


def as_json(n: int) -> str:
    return json.dumps({"k": n % 3, "n": n, "t": f"t{n}"})


def ones(name: str, first: int, count: int) -> set[tuple[str, int]]:
    return {(name, n - first) for n in range(first, first + count) if n % 3 == 1}


def xml(spark: SparkSession, folder: Path) -> Made:
    for part in range(2):
        rows = lines(9 * part, 9, lambda n: f"<row><k>{n % 3}</k><n>{n}</n><t>t{n}</t></row>")
        (folder / f"{part}.xml").write_text(f"<rows>\n{rows}</rows>")
    frame = spark.read.xml(str(folder), rowTag="row", schema=SCHEMA)
    return frame, ones("0.xml", 0, 9) | ones("1.xml", 9, 9)


def malformed_xml(spark: SparkSession, folder: Path) -> Made:
    (folder / "a.xml").write_text("<r><e><k>1</k></e><e><k>x</k></e><e><k>1</k></e></r>")
    return spark.read.xml(str(folder), rowTag="e", schema=SCHEMA, mode="DROPMALFORMED"), {
        ("a.xml", 0),
        ("a.xml", 1),
    }


def packed_json_with_bad_lines(spark: SparkSession, folder: Path) -> Made:
    text = "\n".join([as_json(1), "{bad", as_json(3), "", as_json(4)])
    (folder / "a.json.gz").write_bytes(gzip.compress(text.encode()))
    frame = spark.read.json(str(folder), schema=f"{SCHEMA}, _corrupt_record string")
    return frame, {("a.json.gz", 0), ("a.json.gz", 3)}


def json_in_utf_16(spark: SparkSession, folder: Path) -> Made:
    (folder / "a.json").write_bytes(lines(0, 9, as_json, "|").encode("utf-16le"))
    return spark.read.json(str(folder), SCHEMA, encoding="UTF-16LE", lineSep="|"), ones("a.json", 0, 9)


def csv_in_latin_1(spark: SparkSession, folder: Path) -> Made:
    text = "k;n;t\n" + lines(0, 9, lambda n: f"{n % 3};{n};\xe9{n}")
    (folder / "a.csv.bz2").write_bytes(bz2.compress(text.encode("latin-1")))
    frame = spark.read.csv(str(folder), SCHEMA, header=True, sep=";", encoding="ISO-8859-1")
    return frame, ones("a.csv.bz2", 0, 9)


def globs_and_paths(spark: SparkSession, folder: Path) -> Made:
    for part in range(4):
        (folder / f"s-{part}.csv").write_text(lines(10 * part, 5, as_csv))
    frame = spark.read.csv([str(folder / "s-3.csv"), str(folder / "s-[01].csv")], SCHEMA)
    return frame, ones("s-3.csv", 30, 5) | ones("s-0.csv", 0, 5) | ones("s-1.csv", 10, 5)


def folders_within_folders(spark: SparkSession, folder: Path) -> Made:
    (folder / "x" / "y").mkdir(parents=True)
    (folder / "x" / "y" / "a.csv").write_text(lines(0, 5, as_csv))
    (folder / "x" / "b.txt").write_text("1,no,record")
    (folder / "c.csv").write_text(lines(50, 5, as_csv))
    frame = spark.read.csv(str(folder), SCHEMA, recursiveFileLookup=True, pathGlobFilter="*.csv")
    return frame, ones("a.csv", 0, 5) | ones("c.csv", 50, 5)


def empty_files(spark: SparkSession, folder: Path) -> Made:
    for name, text in {"0": "", "1": "k,n,t\n", "2": "k,n,t\n0,1,x\n1,5,x\n", "3": ""}.items():
        (folder / f"{name}.csv").write_text(text)
    return spark.read.csv(str(folder), SCHEMA, header=True), {("2.csv", 1)}


def merged_schemas(spark: SparkSession, folder: Path) -> Made:
    for part, columns in enumerate((["k"], ["k", "n"])):
        frame = spark.range(6).selectExpr("id % 3 k", "id n").select(*columns).coalesce(1)
        frame.write.parquet(str(folder / f"part={part}"))
    files = {path.name for path in folder.glob("*/*.parquet")}
    read = spark.read.option("mergeSchema", True).parquet(str(folder))
    return read, {(name, position) for name in files for position in (1, 4)}


def values_of_folders(spark: SparkSession, folder: Path) -> Made:
    for k in range(3):
        (folder / f"k={k}").mkdir()
        (folder / f"k={k}" / f"{k}.json").write_text(lines(0, 3, lambda n: json.dumps({"n": n})))
    frame = spark.read.json(str(folder), "n int, k int")
    return frame, {("1.json", n) for n in range(3)}


def whole_texts(spark: SparkSession, folder: Path) -> Made:
    for n in range(3):
        (folder / f"{n}.txt").write_text(f"{n}\nand more")
    frame = spark.read.text(str(folder), wholetext=True)
    return frame.select(F.substring("value", 1, 1).cast("int").alias("k")), {("1.txt", 0)}


def whole_files(spark: SparkSession, folder: Path) -> Made:
    for n in range(3):
        (folder / f"{n}.bin").write_bytes(b"x" * n)
    frame = spark.read.format("binaryFile").load(str(folder))
    return frame.select(F.col("length").cast("int").alias("k")), {("1.bin", 0)}


def under_a_base_path(spark: SparkSession, folder: Path) -> Made:
    for k in range(3):
        spark.range(3 * k, 3 * k + 3).selectExpr("int(id) n").coalesce(1).write.orc(str(folder / f"k={k}"))
    places = [str(folder / "k=1"), str(folder / "k=2")]
    (file,) = (folder / "k=1").glob("*.orc")
    return spark.read.option("basePath", str(folder)).orc(places), {(file.name, n) for n in range(3)}


CASES = (
    under_a_base_path, xml, malformed_xml, packed_json_with_bad_lines, json_in_utf_16, csv_in_latin_1, globs_and_paths,
    folders_within_folders, empty_files, merged_schemas, values_of_folders, whole_texts, whole_files,
)  # fmt: skip


def places(trace: Any) -> list[tuple[str, int | None]]:
    return sorted((Path(r.location.file or "").name, r.location.position) for r in trace.collect())


@pytest.mark.parametrize("case", thinned(CASES, "options of readers"), ids=lambda case: case.__name__)
def test_live_from_a_recipe_and_from_an_index(
    case: Callable[[SparkSession, Path], Made], spark: SparkSession, tmp_path: Path
) -> None:
    judge(case, spark, tmp_path)


def judge(
    case: Callable[[SparkSession, Path], Made],
    spark: SparkSession,
    tmp_path: Path,
    second_kind: bool = False,
    doubt: str | None = None,
) -> None:
    (tmp_path / "data").mkdir()
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as session:
        frame, expected = case(spark, tmp_path / "data")
        assert ("RelationV2" in frame._jdf.queryExecution().analyzed().toString()) == second_kind
        frame.groupBy("k").agg(F.count("*").alias("c")).collect()
        output = session.outputs[-1]
        live = session.trace(output, "k = 1")
        assert places(live) == sorted(expected)
        assert live.exact == (doubt is None)
        assert doubt is None or doubt in live.notes[0]
        assert live.sources[0].kind in {"binaryfile", "csv", "json", "orc", "parquet", "text", "xml"}
        assert not any("tried" in note for note in live.notes)
        session.index(output)
        found = live.collect()
    run = Store(str(tmp_path / "store")).find("last")
    index = open_index(run.tables, output.number)
    assert index is not None
    indexed, replayed = index.trace("k = 1"), open_output(run, output, spark=spark).trace("k = 1")
    assert places(indexed) == sorted(expected)
    assert replayed.collect() == found
    assert (indexed.exact, replayed.exact) == (live.exact, live.exact)


def orc_in_parts(spark: SparkSession, folder: Path) -> Made:
    for part in range(2):
        numbers = spark.range(9 * part, 9 * part + 9).selectExpr("int(id % 3) k", "int(id) n", "'t' t")
        numbers.coalesce(1).write.orc(str(folder / f"{part}.orc"))
    names = {int(path.parent.name[0]): path.name for path in folder.glob("*/*.orc")}
    frame = spark.read.orc([str(folder / "0.orc"), str(folder / "1.orc")])
    return frame, ones(names[0], 0, 9) | ones(names[1], 9, 9)


SECOND_KIND = (
    csv_in_latin_1, packed_json_with_bad_lines, values_of_folders, merged_schemas, whole_texts, orc_in_parts,
)  # fmt: skip


@pytest.mark.compat
@pytest.mark.parametrize(
    "case", thinned(SECOND_KIND, "the second kind of sources"), ids=lambda case: case.__name__
)
def test_files_read_by_the_second_kind_of_sources(
    case: Callable[[SparkSession, Path], Made], spark: SparkSession, tmp_path: Path
) -> None:
    with settings(spark, {"spark.sql.sources.useV1SourceList": ""}):
        judge(case, spark, tmp_path, second_kind=True)


def in_two_files(spark: SparkSession, folder: Path, format: str) -> set[tuple[str, int]]:
    """Some records in each; gives the places of those with `k = 1`."""
    expected: set[tuple[str, int]] = set()
    for part in range(2):
        numbers = spark.range(240 * part, 240 * part + 240)
        numbers = numbers.selectExpr("int(id % 3) k", "int(id) n", "sha2(string(id), 256) t")
        numbers.coalesce(1).write.format(format).save(str(folder / str(part)))
        (file,) = (folder / str(part)).glob("part-*")
        file = file.rename(folder / f"{part}.{format}")
        expected |= ones(file.name, 240 * part, 240)
    return expected


@pytest.mark.compat
@pytest.mark.parametrize(
    ("format", "told"),
    thinned([("parquet", "by an option"), ("orc", "by a setting")], "files that are passed over", 2),
)
def test_files_that_are_passed_over(format: str, told: str, spark: SparkSession, tmp_path: Path) -> None:
    by_option = told == "by an option"

    def read(spark: SparkSession, folder: Path, which: str) -> DataFrame:
        files = [str(path) for path in folder.glob(f"*.{format}")]
        reader = spark.read.schema(SCHEMA).options(**{which: True} if by_option else {})
        return reader.format(format).load(files)

    def corrupt(spark: SparkSession, folder: Path) -> Made:
        expected = in_two_files(spark, folder, format)
        (folder / f"none.{format}").write_bytes(b"no such file")
        # One whose column `t`, which the program doesn't read, is damaged: it read the others.
        data = bytearray((folder / f"1.{format}").read_bytes())
        at = len(data) // 2
        data[at - 100 : at + 100] = b"\xff" * 200
        (folder / f"1.{format}").write_bytes(data)
        return read(spark, folder, "ignoreCorruptFiles"), expected

    def missing(spark: SparkSession, folder: Path) -> Made:
        expected = in_two_files(spark, folder, format)
        (folder / f"gone.{format}").write_bytes((folder / f"1.{format}").read_bytes())
        frame = read(spark, folder, "ignoreMissingFiles")
        (folder / f"gone.{format}").unlink()
        return frame, expected

    for case, doubt in ((corrupt, "corrupt files of"), (missing, "missing files are passed over")):
        (tmp_path / case.__name__).mkdir()
        set_to = {} if by_option else {f"spark.sql.files.ignore{case.__name__.title()}Files": "true"}
        with settings(spark, set_to):
            judge(case, spark, tmp_path / case.__name__, doubt=doubt)


@pytest.mark.parametrize("format", thinned(["parquet", "json"], "tables in buckets", 2))
def test_tables_in_buckets(format: str, spark: SparkSession, tmp_path: Path) -> None:
    def bucketed(spark: SparkSession, folder: Path) -> Made:
        numbers = spark.range(40).selectExpr("int(id % 5) k", "int(id) n")
        writer = numbers.write.format(format).bucketBy(2, "k").sortBy("k", "n")
        writer.option("path", str(folder)).saveAsTable("bucketed")
        expected = {
            (file.name, place)
            for file in folder.glob("part-*")
            for place, row in enumerate(spark.read.format(format).load(str(file)).collect())
            if row.k == 1
        }
        # Spark reads it by its buckets, for it needs no shuffle then.
        ranked = spark.table("bucketed").selectExpr("k", "rank() over (partition by k order by n) as r")
        frame = ranked.where("r > 0")
        assert "SelectedBucketsCount: 2" in frame._jdf.queryExecution().executedPlan().toString()
        return frame, expected

    try:
        judge(bucketed, spark, tmp_path)
    finally:
        spark.sql("drop table if exists bucketed")
