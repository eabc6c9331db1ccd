"""Files as they are now, however they are called and however many they are."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from bigdebug.lineage import listing
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.listing import files_now, listed_files

ODD = [
    "plain.csv",
    "with blank.csv",
    "ü%20 {x}.csv",
    "a; isDirectory=true; length=5; modification_time=7;.csv",
    "b\nc.csv",
]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    found = [tmp_path / name for name in ODD]
    for number, file in enumerate(found):
        file.write_text("1\n" * (number + 1))
    return found


def _known(files: list[Path]) -> list[list[object]]:
    return sorted(
        [f"file:{file}", file.stat().st_size, file.stat().st_mtime_ns // 1_000_000] for file in files
    )


@pytest.mark.compat
@pytest.mark.parametrize("many", [1, 1_000])
def test_sizes_and_times_are_those_of_the_files(
    many: int, files: list[Path], spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_MANY", many)
    catalyst = Catalyst(spark)
    assert files_now(catalyst, [f"file:{file}" for file in files]) == _known(files)
    plan = spark.read.csv(str(files[0].parent))._jdf.queryExecution().analyzed()
    assert listed_files(catalyst, plan.relation()) == _known(files)


@pytest.mark.parametrize("now", ["gone", "a folder"])
def test_a_file_that_is_no_more_is_left_out(now: str, files: list[Path], spark: SparkSession) -> None:
    files[1].unlink()
    left = [*files[:1], *files[2:]]
    if now == "a folder":
        files[1].mkdir()
        (files[1] / "inside.csv").write_text("1\n")
    found = files_now(Catalyst(spark), [f"file:{file}" for file in files])
    assert [entry for entry in found if entry[0] != f"file:{files[1]}"] == _known(left)
    assert len(found) == len(left) + (now == "a folder")


def test_many_files_take_few_calls(
    tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / f"part-{number}.csv" for number in range(300)]
    for file in files:
        file.write_text("1\n")
    catalyst = Catalyst(spark)
    relation = spark.read.csv(str(tmp_path))._jdf.queryExecution().analyzed().relation()
    client = spark.sparkContext._gateway._gateway_client
    calls = 0
    send = client.send_command

    def counting(*arguments, **named):  # type: ignore[no-untyped-def]
        nonlocal calls
        calls += 1
        return send(*arguments, **named)

    monkeypatch.setattr(client, "send_command", counting)
    assert len(listed_files(catalyst, relation)) == 300
    assert len(files_now(catalyst, [f"file:{file}" for file in files])) == 300
    assert calls < 150
