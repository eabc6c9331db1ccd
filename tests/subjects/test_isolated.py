"""Isolation on the subjects: of each failing row just the culprits are named, as few as repair it."""

from __future__ import annotations

import os
from pathlib import Path
from shutil import rmtree

import pytest
from pyspark.sql import SparkSession

import bigdebug
from benchmarks.subjects import SUBJECTS, Made, Place, bad, flat
from bigdebug.isolation import candidates as isolation_candidates
from bigdebug.isolation import gathering
from bigdebug.isolation.found import IsolatedRecords
from bigdebug.lineage import segments
from tests.thinned import thinned

GIVING = [name for name, subject in SUBJECTS.items() if not subject.crashes]
QUICK = ("weather", "airport transit", "course averages", "term vector")


def places(records: IsolatedRecords, made: Made, heads: int) -> set[Place]:
    """Where culprits stand, as the truth tells places."""
    assert records.total == len(records)
    found = set()
    for record in records:
        file, position = record.location.file, record.location.position
        assert file is not None
        assert position is not None
        found.add(Place(os.path.relpath(file, made.path), position + heads))
    return found


def judge(spark: SparkSession, folder: Path, name: str, records: int, seed: int, form: str) -> None:
    subject = SUBJECTS[name]
    made = subject.make(folder / "inputs", records, seed)
    right = bad(made.truth)
    with bigdebug.attach(spark, store=str(folder / "store")) as session:
        assert subject.failing_sql is not None
        if form == "frame":
            found = session.isolate(subject.frame(spark, made.path), subject.failing_sql)
        else:
            found = session.isolate(subject.rdd(spark.sparkContext, made.path), subject.failing_rdd)
    heads = subject.heads if form == "frame" else 0
    assert found.matched == len(right)
    assert len(found.rows) == min(len(right), 20)
    for row in found.rows:
        key = (tuple(row.value.values()) if form == "frame" else flat(row.value))[: subject.keys]
        assert row.culprits.proof == row.reproduction.proof == "1-minimal"
        assert right[key].right(places(row.culprits, made, heads)), key
        assert 0 < row.reproduction.total <= row.candidates


@pytest.mark.parametrize(
    "name", thinned(QUICK, "isolation on the quick subjects", among=["weather", "airport transit"])
)
def test_the_culprits_are_named_and_nobody_else(name: str, spark: SparkSession, tmp_path: Path) -> None:
    judge(spark, tmp_path, name, records=4_000, seed=3, form="frame")


@pytest.mark.parametrize("name", QUICK)
def test_the_culprits_of_elements_are_named_and_nobody_else(
    name: str, spark: SparkSession, tmp_path: Path
) -> None:
    judge(spark, tmp_path, name, records=10_000, seed=3, form="rdd")


@pytest.mark.parametrize(
    "name", thinned(["inverted index", "term vector"], "candidates that stay in Spark", 2)
)
def test_the_culprits_are_named_where_candidates_stay_in_spark(
    name: str, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "FETCHED", 30)
    monkeypatch.setattr(segments, "FETCHED_VALUES", 20)
    monkeypatch.setattr(gathering, "FETCHED", 30)
    monkeypatch.setattr(gathering, "_FETCHED", 20)
    monkeypatch.setattr(isolation_candidates, "_LISTED", 25)
    judge(spark, tmp_path, name, records=4_000, seed=3, form="frame")


@pytest.mark.proof("isolation on the subjects, 100,000 records, three seeds")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", GIVING)
@pytest.mark.parametrize("form", ["frame", "rdd"])
def test_of_many_records(form: str, name: str, seed: int, spark: SparkSession, tmp_path: Path) -> None:
    judge(spark, tmp_path, name, records=100_000, seed=seed, form=form)


@pytest.mark.proof("isolation on the subjects, ten million records")
@pytest.mark.parametrize("name", GIVING)
@pytest.mark.parametrize("form", ["frame", "rdd"])
def test_of_very_many_records(form: str, name: str, spark: SparkSession, tmp_path: Path) -> None:
    judge(spark, tmp_path, name, records=10_000_000, seed=1, form=form)
    rmtree(tmp_path)  # gigabytes
