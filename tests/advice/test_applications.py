"""Logs of whole applications of Spark 4.0 and 4.3, one that failed and one that was killed: what is found."""

import json
from pathlib import Path

import pytest
import zstandard

from bigdebug.advice.advising import Advice, advise
from bigdebug.advice.findings import Finding
from bigdebug.advice.thresholds import Thresholds

DATA = Path(__file__).parent / "data"
LOW = Thresholds(
    {
        "skew.longest": [1],
        "small-files.count": [10],
        "no-broadcast.large": [100_000],
        "broadcast.size": [10_000],
        "driver-only.seconds": [1],
        "idle-cores.seconds": [1],
        "idle-cores.share": [0.01],
        "driver-only.share": [0.01],
        "large-tasks.largest": [10_000],
    }
)


@pytest.fixture(params=["4.0", "4.3"], scope="module")
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def failed(version: str) -> Advice:
    return advise(str(DATA / f"spark-{version}-failed.zstd"), LOW)


@pytest.fixture(scope="module")
def killed(version: str) -> Advice:
    return advise(str(DATA / f"spark-{version}-killed.zstd"), LOW)


def line_of(text: str) -> int:
    lines = (DATA / "program.py").read_text().splitlines()
    (number,) = (number for number, line in enumerate(lines, start=1) if text in line)
    return number


def found(advice: Advice, rule: str) -> list[Finding]:
    return [finding for finding in advice.findings if finding.rule == rule]


def at(finding: Finding) -> str | None:
    return finding.place and finding.place.label


def test_the_application_is_told(failed: Advice, version: str) -> None:
    app = failed.app
    assert (app.name, app.spark.startswith(version), app.cores) == ("shop", True, 2)
    assert app.id is not None
    assert app.id.startswith("local-")
    assert app.started is not None
    assert app.ended is not None
    assert 5 < app.milliseconds / 1000 < 600
    assert app.status == "failed"
    assert failed.notes == []


def test_a_killed_application_is_told_as_far_as_it_went(killed: Advice) -> None:
    assert killed.app.status == "unfinished"
    assert any("no end" in note for note in killed.notes)
    assert found(killed, "small-files")
    assert not found(killed, "failed-tasks")


def test_failed_tasks_are_told_with_their_cause_and_the_line_that_raised(failed: Advice) -> None:
    (finding,) = found(failed, "failed-tasks")
    assert finding.severity == 4
    assert "ZeroDivisionError: integer division or modulo by zero" in finding.evidence
    assert "2 tasks failed" in finding.evidence
    assert at(finding) == f"program.py:{line_of('1 // (x - 2)')}"


def test_a_slow_task_is_told_with_the_line_of_its_action(failed: Advice) -> None:
    site = f"program.py:{line_of('F.udf(slow')}"
    (finding,) = (finding for finding in found(failed, "skew") if at(finding) == site)
    assert finding.figures["longest_seconds"] >= 2
    assert finding.figures["ratio"] > 1.33
    assert "the sizes don't explain it" in finding.advice


def test_small_files_are_told_where_they_are_read_and_written(failed: Advice) -> None:
    told = {finding.evidence.partition(",")[0] for finding in found(failed, "small-files")}
    assert told == {
        "read 20 files of file:/home/ann/shop/shops",
        "wrote 20 files to file:/home/ann/shop/shops",
    }
    reads = [finding for finding in found(failed, "small-files") if "read" in finding.evidence]
    assert at(reads[0]) == f"program.py:{line_of('groupBy')}"


def test_broadcasts_are_told(failed: Advice) -> None:
    (finding,) = found(failed, "broadcast")
    assert "(50 rows)" in finding.evidence
    assert at(finding) == f"program.py:{line_of('groupBy')}"


def test_a_join_that_could_have_been_a_broadcast_is_told(failed: Advice) -> None:
    (finding,) = found(failed, "no-broadcast")
    assert finding.figures["small_bytes"] < 10_000 < finding.figures["large_bytes"]
    assert "is switched off" in finding.advice
    assert at(finding) == f"program.py:{line_of('F.sum')}"


def test_idle_cores_and_a_driver_at_work_alone_are_told(failed: Advice) -> None:
    (idle,), (alone,) = found(failed, "idle-cores"), found(failed, "driver-only")
    assert 0 < idle.figures["share"] < 1
    assert 0 < alone.figures["share"] < 1


def test_by_their_own_numbers_such_small_applications_have_few_faults(version: str) -> None:
    advice = advise(str(DATA / f"spark-{version}-failed.zstd"))
    assert {finding.rule for finding in advice.findings} <= {
        "failed-tasks",
        "driver-only",
        "idle-cores",
        "skew",
    }


def test_the_worst_is_told_first(failed: Advice) -> None:
    severities = [finding.severity for finding in failed.findings]
    assert severities == sorted(severities, reverse=True)


def test_what_lies_here_tells_nothing_of_the_machine_it_was_made_on(version: str) -> None:
    for ending in ("failed", "killed"):
        packed = (DATA / f"spark-{version}-{ending}.zstd").read_bytes()
        text = zstandard.ZstdDecompressor().decompress(packed).decode()
        assert "/tmp/" not in text
        assert "root" not in {json.loads(line).get("User") for line in text.splitlines()[:-1]}
