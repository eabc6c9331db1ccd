"""Commands that ask about the outputs of a program of RDDs."""

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jsonschema
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from bigdebug.cli.schemas import schema
from tests.cli.asking import Answer, Asking

ROOT = Path(__file__).parents[2]
PROGRAM = """
from operator import add
from pyspark import SparkContext

context = SparkContext("local[2]", "words")
lines = context.textFile("lines.txt", 2)
words = lines.flatMap(str.split).map(lambda word: (word, 1))
words.reduceByKey(add).collect()
lines.mapPartitions(lambda part: [line.upper() for line in part]).collect()
context.parallelize([(1, None), ("a", {"b": 2.5})], 1).saveAsTextFile("out")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("words")
    (place / "lines.txt").write_text('to be\nor not\nto "be, or"\n')
    (place / "words.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "bigdebug", "run", "words.py"],
        cwd=place, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return place


@pytest.fixture(scope="module")
def answers(spark: SparkSession, folder: Path) -> dict[str, Answer]:
    """What several command lines gave."""
    to = ["trace", "last", "1", "--where", "key == 'to'"]
    lines = {
        "parquet": [*to, "-o", "to.parquet", "--json"],
        "csv": [*to, "-o", "to.csv"],
        "values": ["trace", "last", "3", "--where", "True", "-o", "values.jsonl"],
        "forward": [
            "trace",
            "last",
            "1",
            "--forward",
            "--where",
            "'not' in x",
            "-o",
            "reached.jsonl",
            "--json",
        ],
        "narrow": ["trace", "last", "2", "--narrow", "--where", "x == 'OR NOT'", "--json"],
        "why": ["why-not", "last", "1", "--where", "key == 'be' and value > 3", "--json"],
        "why not": ["why-not", "last", "1", "--where", "key == 'be' and value > 3"],
        "rows": ["show", "last", "--rows", "--json"],
        "isolate": ["isolate", "last", "1", "--failing", "key == 'to' and value > 1", "--json"],
        "skew": ["skew", "last", "1", "--json"],
        "isolated": ["isolate", "last", "1", "--failing", "value > 1"],
    }
    asking = Asking(spark, folder)
    return {name: asking(*line) for name, line in lines.items()}


def test_records_are_written_with_their_places(folder: Path, answers: dict[str, Answer]) -> None:
    file = str(folder / "lines.txt")
    assert answers["parquet"].code == 0, answers["parquet"].err
    assert "wrote 2 records of lines.txt to to.parquet" in answers["parquet"].err
    assert pq.read_table(folder / "to.parquet").to_pylist() == [
        {"file": file, "position": 0, "partition": None, "value": "to be"},
        {"file": file, "position": 2, "partition": None, "value": 'to "be, or"'},
    ]
    with (folder / "to.csv").open(newline="") as opened:
        rows = list(csv.reader(opened))
    assert rows == [
        ["file", "position", "partition", "value"],
        [file, "0", "", "to be"],
        [file, "2", "", 'to "be, or"'],
    ]


def test_values_that_are_no_text_are_written_as_json(folder: Path, answers: dict[str, Answer]) -> None:
    assert answers["values"].code == 0, answers["values"].err
    rows = [json.loads(line) for line in (folder / "values.jsonl").read_text().splitlines()]
    assert [(row["file"], row["partition"], row["position"]) for row in rows] == [(None, 0, 0), (None, 0, 1)]
    assert [json.loads(row["value"]) for row in rows] == [[1, None], ["a", {"b": 2.5}]]


def test_forward_to_the_elements_of_an_output(folder: Path, answers: dict[str, Answer]) -> None:
    answer = answers["forward"]
    assert answer.code == 0, answer.err
    content = json.loads(answer.out)
    jsonschema.validate(content, schema("trace"))
    assert (content["matched"], content["exact"]) == (1, True)
    (output,) = content["sources"]
    assert (output["name"], output["kind"], output["count"]) == ("output 1", "output", 2)
    assert sorted(record["value"] for record in output["records"]) == [["not", 1], ["or", 1]]
    rows = [json.loads(line) for line in (folder / "reached.jsonl").read_text().splitlines()]
    assert sorted(json.loads(row["value"]) for row in rows) == [["not", 1], ["or", 1]]


def test_a_trace_is_narrowed(answers: dict[str, Answer]) -> None:
    answer = answers["narrow"]
    assert answer.code == 0, answer.err
    content = json.loads(answer.out)
    jsonschema.validate(content, schema("trace"))
    assert [record["value"] for record in content["sources"][0]["records"]] == ["or not"]
    assert "give the rows again; none of them can be left out" in content["notes"][-1]


def test_the_keys_of_a_shuffle_are_counted(folder: Path, answers: dict[str, Answer]) -> None:
    answer = answers["skew"]
    assert answer.code == 0, answer.err
    content = json.loads(answer.out)
    jsonschema.validate(content, schema("skew"))
    (finding,) = content["findings"]
    assert (finding["operator"], finding["call_site"]["line"]) == ("reduceByKey", 8)
    counted = {each["key"]["key"]: each["records"] for each in finding["largest"]}
    words = Counter((folder / "lines.txt").read_text().split())
    assert counted
    assert counted == {word: words[word] for word in counted}


def test_why_an_element_is_missing(answers: dict[str, Answer]) -> None:
    assert answers["why"].code == 0, answers["why"].err
    content = json.loads(answers["why"].out)
    jsonschema.validate(content, schema("why-not"))
    assert [(step["operator"], step["rows_out"]) for step in content["steps"]] == [
        ("lines.txt", 1), ("flatMap", 1), ("map", 1), ("reduceByKey", 0),
    ]  # fmt: skip
    assert (content["culprit"], content["exact"]) == (3, True)
    assert content["dropped"] == [
        {"row": {"value": ["be", 1]}, "reasons": ["value > 3 is false"], "near": []}
    ]
    assert '["be", 1]  value > 3 is false' in answers["why not"].out


def test_elements_of_each_operator_are_counted(answers: dict[str, Answer]) -> None:
    answer = answers["rows"]
    assert answer.code == 0, answer.err
    content = json.loads(answer.out)
    jsonschema.validate(content, schema("show"))
    names = {str(each["id"]): each["operator"] for each in content["operators"]}
    counts = [
        [(names[node], count) for node, count in output["operator_rows"].items()]
        for output in content["outputs"]
    ]
    assert counts == [
        [("textFile", 3), ("flatMap", 7), ("map", 7), ("reduceByKey", 6)],
        [("textFile", 3), ("mapPartitions", 3)],
        [("parallelize", 2)],
    ]


def test_the_records_to_blame_are_found_from_the_recipe(folder: Path, answers: dict[str, Answer]) -> None:
    answer = answers["isolate"]
    assert answer.code == 0, answer.err
    content = json.loads(answer.out)
    jsonschema.validate(content, schema("isolate"))
    assert (content["failing"], content["matched"], content["exact"]) == (
        "key == 'to' and value > 1",
        1,
        True,
    )
    (row,) = content["rows"]
    assert (row["value"], row["candidates"], row["notes"]) == (["to", 2], 2, [])
    assert (row["culprits"]["proof"], row["reproduction"]["proof"]) == ("1-minimal", "1-minimal")
    (culprit,) = row["culprits"]["records"]
    assert (culprit["source"], culprit["file"]) == ("lines.txt", str(folder / "lines.txt"))
    assert culprit["value"] in ("to be", 'to "be, or"')
    assert [record["position"] for record in row["reproduction"]["records"]] == [0, 2]
    assert content["replays"] > 2


def test_the_screen_shows_failing_elements_and_the_records_to_blame(answers: dict[str, Answer]) -> None:
    answer = answers["isolated"]
    assert answer.code == 0, answer.err
    lines = [line.rstrip() for line in answer.out.splitlines()]
    assert lines[0].startswith("1 row of output 1 (collect, words.py:8) fails: value > 1")
    assert lines.count("1 culprit of 2 candidates") == 1
    assert lines.count("without it the row passes; put it back and it fails again") == 1
    assert lines.count("reproduction with 2 records") == 1
    assert answer.err.splitlines()[-1].endswith(' 1 --where "value > 1"')
