"""What is said of the culprits of the subjects."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from benchmarks.subjects import SUBJECTS
from bigdebug.isolation.found import Isolation


@pytest.fixture(scope="module")
def session(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[bigdebug.Session]:
    """The shared SparkSession, attached while a file's tests run."""
    with bigdebug.attach(spark, store=str(tmp_path_factory.mktemp("store"))) as attached:
        yield attached


def weather(folder: Path) -> str:
    """Readings of three states in four years, one of them in inches, in two files."""
    dice = random.Random(1)
    folder.mkdir()
    for part in range(2):
        lines = [
            f"{dice.randrange(10_000, 90_000, 50) + dice.randrange(3)},{dice.randrange(1, 4)}/"
            f"{dice.randrange(1, 4)}/{dice.randrange(1990, 1994)},"
            + dice.choice([f"{dice.randrange(5_000)}mm", f"{dice.randrange(1, 16)}ft"])
            for _ in range(500)
        ]
        if part:
            lines[123] = lines[123].rsplit(",", 1)[0] + ",90in"
        (folder / f"part-{part}.txt").write_text("\n".join(lines) + "\n")
    return str(folder)


def said(found: Isolation) -> dict[str, tuple[int, int]]:
    """By text, how many culprits and others fit."""
    return {each.text: (each.culprits[0], each.others[0]) for each in found.explanation}


@pytest.mark.compat
def test_weather_is_explained_by_its_unit(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    path = weather(tmp_path / "weather")
    found = session.isolate(SUBJECTS["weather"].frame(spark, path), "delta > 6000")
    assert len(found.rows) == 2
    first = found.explanation[0]
    assert (first.text, first.culprits, first.others[0]) == ("snow ends with 'in'", (1, 1), 0)
    assert first.others[1] > 30
    assert str(first) == f"snow ends with 'in': 1 of 1 culprit, 0 of {first.others[1]} others"
    read = spark.read.csv(path, schema="zip int, date string, snow string")
    assert [row.snow for row in read.where(first.condition).collect()] == ["90in"]
    assert not any("zip" in text or "90in'" in text for text in said(found))
    suspect = found.operators[0]
    assert suspect.branch.startswith("ELSE CAST(substring(snow, 1, (length(snow) - 2)) AS DOUBLE) * 304.8")
    assert suspect.operator == "select"
    assert suspect.call_site is not None
    assert suspect.call_site.file.endswith("weather.py")
    assert 0 < suspect.others[0] < suspect.others[1]


def test_lines_of_text_are_explained_by_their_fields(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    path = weather(tmp_path / "weather")
    field = F.split("value", ",")
    value = F.expr("substring(snow, 1, length(snow) - 2)").cast("double")
    snow = spark.read.text(path).select((field[0].cast("int") % 50).alias("state"), field[2].alias("snow"))
    feet = F.when(F.col("snow").endswith("mm"), value).otherwise(value * 304.8)
    found = session.isolate(snow.groupBy("state").agg(F.max(feet).alias("most")), "most > 6000")
    texts = list(said(found))
    assert texts[0] in ("field 3 ends with 'in'", "value ends with 'in'")
    condition = found.explanation[0].condition
    assert [row.value[-4:] for row in spark.read.text(path).where(condition).collect()] == ["90in"]


@pytest.mark.proof("the explanation of students by ages and grades")
def test_students_are_explained_by_ages_and_grades(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    subject = SUBJECTS["college students"]
    path = subject.make(tmp_path, 2_000, 1).path
    assert subject.failing_sql is not None
    found = session.isolate(subject.frame(spark, path), subject.failing_sql)
    texts = said(found)
    assert any(text.startswith(("age >= ", "age = ")) and fits[1] == 0 for text, fits in texts.items())
    swapped = [each for each in found.culprits if each.value["grade"] > 3]
    assert len(swapped) == 1
    (values,) = (each.value for each in swapped)
    assert texts.keys() & {f"grade = {values['grade']}", f"age = {values['age']}"}
    assert not any(name in text for text in texts for name in ("first", "last", "major"))


@pytest.mark.proof("the explanation of zeros of which not all were needed")
def test_zeros_that_were_not_needed_are_counted_with_those_that_were(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    subject = SUBJECTS["course averages"]
    path = subject.make(tmp_path, 2_000, 1).path
    assert subject.failing_sql is not None
    found = session.isolate(subject.frame(spark, path), subject.failing_sql)
    first = found.explanation[0]
    assert first.text == first.condition == "grade = 0"
    assert first.culprits == (found.culprits.total, found.culprits.total)
    assert first.culprits[0] + first.others[0] == 30
    grades = spark.read.csv(path, schema="student string, course string, grade int")
    assert grades.where(first.condition).count() == 30
