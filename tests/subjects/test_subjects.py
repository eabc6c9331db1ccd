"""The subjects: their faults show and go with their culprits, both forms agree, and what is said of them is true."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from benchmarks.subjects import SUBJECTS, Made, Place, Subject, bad, flat
from tests.settings import settings
from tests.thinned import thinned

RECORDS = 4_000
SEEDS = range(10)
FORMS = ("rdd", "frame")
GIVING = [name for name, subject in SUBJECTS.items() if not subject.crashes]

Row = tuple[Any, ...]


class Answers:
    """What the programs give of their inputs, and of these without some records; each is computed once.

    Args:
        spark: the session.
        folder: for the inputs.
    """

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self._spark = spark
        self._folder = folder
        self._rows: dict[Any, tuple[list[Row], list[Row]]] = {}

    def made(self, name: str, seed: int) -> Made:
        return SUBJECTS[name].make(self._folder / "inputs", RECORDS, seed)

    def rows(
        self, name: str, seed: int, form: str, removed: Collection[Place] = ()
    ) -> tuple[list[Row], list[Row]]:
        """All rows of the output, and the failing ones, in order. Raises what the program raises."""
        asked = (name, seed, form, frozenset(removed))
        if asked not in self._rows:
            path = self._input(name, seed, frozenset(removed))
            self._rows[asked] = _computed(self._spark, SUBJECTS[name], form, path)
        return self._rows[asked]

    def _input(self, name: str, seed: int, removed: frozenset[Place]) -> str:
        made = self.made(name, seed)
        if not removed:
            return made.path
        folder = self._folder / "parts" / f"{made.folder.name}-{hash(removed)}"
        return str(folder) if folder.exists() else made.without(removed, folder)


def _computed(spark: SparkSession, subject: Subject, form: str, path: str) -> tuple[list[Row], list[Row]]:
    if form == "rdd":
        elements = subject.rdd(spark.sparkContext, path).collect()
        failing = [each for each in elements if subject.failing_rdd and subject.failing_rdd(each)]
        return sorted(map(flat, elements)), sorted(map(flat, failing))
    frame = subject.frame(spark, path)
    assert tuple(frame.columns) == subject.columns
    judged = frame.withColumn("failing", F.expr(subject.failing_sql or "false")).collect()
    rows = sorted((tuple(row)[:-1], row.failing) for row in judged)
    return [row for row, _ in rows], [row for row, failing in rows if failing]


@pytest.fixture(scope="module")
def answers(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    """For so few records Spark takes longest to prepare: it makes no code and few tasks."""
    quick = {"spark.sql.codegen.wholeStage": "false", "spark.sql.shuffle.partitions": "2"}
    with settings(spark, quick):
        yield Answers(spark, tmp_path_factory.mktemp("subjects"))


def keys(rows: list[Row], name: str) -> set[Row]:
    return {row[: SUBJECTS[name].keys] for row in rows}


@pytest.mark.parametrize(
    ("name", "form"), thinned(itertools.product(GIVING, FORMS), "the truths of all subjects")
)
def test_just_the_rows_fail_that_the_truth_tells_and_none_without_the_culprits(
    answers: Answers, name: str, form: str
) -> None:
    truth = answers.made(name, 0).truth
    assert truth.culprits
    rows, failing = answers.rows(name, 0, form)
    assert keys(failing, name) == bad(truth).keys() != set()
    assert len(keys(rows, name)) == len(rows)
    well, failing = answers.rows(name, 0, form, truth.culprits)
    assert well
    assert failing == []


@pytest.mark.parametrize("name", thinned(GIVING, "both forms of all subjects", 2))
def test_both_forms_give_the_same(answers: Answers, name: str) -> None:
    for removed in ((), answers.made(name, 0).truth.culprits):
        one, other = (answers.rows(name, 0, form, removed)[0] for form in FORMS)
        assert len(one) == len(other)
        for row, alike in zip(one, other, strict=True):
            assert list(map(_near, row)) == list(map(_near, alike))


def _near(value: Any) -> Any:
    """Sums of floats differ in their last digits, by the order of what is added."""
    return round(value, 9) if isinstance(value, float) else value


@pytest.mark.parametrize("name", thinned(GIVING, "answers of all subjects", 2))
def test_an_answer_repairs_its_row_and_nothing_of_it_can_be_put_back(answers: Answers, name: str) -> None:
    found = bad(answers.made(name, 0).truth).values()
    chosen = {place for each in found for place in each.an_answer()}
    assert answers.rows(name, 0, "rdd", chosen)[1] == []
    # One culprit of each row is put back, that which adds least.
    back = {each.an_answer()[-1] for each in found}
    assert keys(answers.rows(name, 0, "rdd", chosen - back)[1], name) == {each.key for each in found}


@pytest.mark.parametrize("form", FORMS)
def test_students_crash_by_either_kind_of_culprit(answers: Answers, form: str) -> None:
    name = "crashing students"
    culprits = answers.made(name, 0).truth.culprits
    assert len(answers.rows(name, 0, form, culprits)[0]) == 4
    for kind, error in (('age with "yr"', "ValueError|CAST_INVALID_INPUT"), ("grade as a digit", "KeyError")):
        others = [place for place, done in culprits.items() if done != kind]
        with pytest.raises(Exception, match=error):
            answers.rows(name, 0, form, others)
    (both,) = bad(answers.made(name, 0).truth).values()
    assert (both.key, set(both.culprits)) == ((), set(culprits))
    assert answers.rows(name, 0, "rdd", culprits) == answers.rows(name, 0, "frame", culprits)


@pytest.mark.parametrize("name", SUBJECTS)
def test_what_is_right_is_told_from_what_is_not(answers: Answers, name: str) -> None:
    seeds = SEEDS if name != "flights" else (0,)  # real ones have no seed
    for each in (each for seed in seeds for each in answers.made(name, seed).truth.failing):
        answer = each.an_answer()
        assert each.fails(each.culprits.keys())
        assert not each.fails([])
        assert each.right(answer)
        assert not each.right([])
        assert not each.right(answer[1:])
        assert not each.right([*answer, Place("part-00000.txt", 10**9)])
        assert each.right(list(each.culprits)) != each.several


def test_several_answers_are_right_for_a_term_and_for_zeros(answers: Answers) -> None:
    (term,) = bad(answers.made("term vector", 0).truth).values()
    thrice, twice, once, again = sorted(term.culprits, key=lambda place: -term.culprits[place])[:4]
    assert term.right([thrice])
    assert term.right([twice])
    assert term.right([once, again])
    assert not term.right([once])
    assert not term.right([twice, once])
    for zeros in bad(answers.made("course averages", 0).truth).values():
        some = list(zeros.culprits)[-len(zeros.an_answer()) :]
        assert len(zeros.culprits) == 15
        assert 3 < len(some) < 12
        assert zeros.right(some)


@pytest.mark.parametrize("name", SUBJECTS)
def test_an_input_is_told_by_its_seed(answers: Answers, name: str, tmp_path: Path) -> None:
    one, other = answers.made(name, 0), SUBJECTS[name].make(tmp_path, RECORDS, 0)
    assert one.folder != other.folder
    assert _files(one) == _files(other)
    assert len(_files(one)) > 2
    assert _files(SUBJECTS[name].make(tmp_path, RECORDS, 1)) != _files(one) or name == "flights"


def _files(made: Made) -> dict[str, bytes]:
    files = (file for file in made.folder.rglob("*") if file.is_file())
    return {str(file.relative_to(made.folder)): file.read_bytes() for file in files}


def test_culprits_come_at_their_rates(tmp_path: Path) -> None:
    def planted(name: str) -> Counter[str]:
        return Counter(SUBJECTS[name].make(tmp_path, 200_000).truth.culprits.values())

    assert planted("college students") == {
        "age of 18000": 2,
        "age of 99999999": 10,
        "age and grade swapped": 20,
    }
    assert planted("crashing students") == {'age with "yr"': 20, "grade as a digit": 200}
    assert planted("commute") == {"600 times the time added to the distance": 2}
    assert sum(planted("weather").values()) == 1


def test_of_the_real_flights_10633_seem_to_land_before_they_leave(tmp_path: Path) -> None:
    made = SUBJECTS["flights"].make(tmp_path, 400_000)
    lines = sum(len(file.read_text().splitlines()) for file in Path(made.path).iterdir())
    assert lines - 4 == 336_776
    assert len(made.truth.culprits) == 10_633
    worst = bad(made.truth)["PSE", 10]
    assert worst.fails(worst.culprits.keys())
    total, count = worst.total + sum(worst.culprits.values()), worst.count + len(worst.culprits)
    assert (round(total / count), count) == (-1_023, 31)


@pytest.mark.parametrize(
    ("name", "form"),
    thinned(itertools.product(GIVING, FORMS), "traces of the failing rows of all subjects"),
)
def test_a_trace_of_the_failing_rows_holds_their_culprits(
    answers: Answers, spark: SparkSession, tmp_path: Path, name: str, form: str
) -> None:
    subject, made = SUBJECTS[name], answers.made(name, 1)
    with bigdebug.attach(spark, store=str(tmp_path)) as session:
        where: Callable[[Any], bool] | str | None
        if form == "rdd":
            data, where = subject.rdd(spark.sparkContext, made.path), subject.failing_rdd
        else:
            data, where = subject.frame(spark, made.path), subject.failing_sql
        trace = session.trace(data, where)
        assert trace.matched == len(made.truth.failing)
        heads = subject.heads if form == "frame" else 0
        found = {
            Place(str(Path(record.location.file).relative_to(made.path)), record.location.position + heads)
            for record in trace.collect(limit=1_000_000)
        }
    assert found >= {place for each in made.truth.failing for place in each.culprits}
    assert len(found) < RECORDS
