"""How logs are found and read: compressed, rolling, in progress, cut anywhere, damaged, or none at all."""

import gzip
import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from bigdebug.advice.advising import advise
from bigdebug.advice.thresholds import Thresholds
from bigdebug.advice.unpacking import lines_of
from bigdebug.cli.advise_view import advice_json
from bigdebug.cli.schemas import schema
from bigdebug.lineage.errors import BigDebugError, UnreachableError
from bigdebug.lineage.value_text import json_text

DATA = Path(__file__).parent / "data"
KILLED = (DATA / "spark-4.3-killed.zstd").read_bytes()
PLAIN = zstandard.ZstdDecompressor().decompress((DATA / "spark-4.0-failed.zstd").read_bytes())
TASKS = PLAIN.count(b'{"Event":"SparkListenerTaskEnd"')


def tasks(place: Path) -> int:
    stages = advise(str(place)).app.stages.values()
    return sum(stage.done + stage.failed_tasks for stage in stages)


@pytest.mark.compat
@pytest.mark.parametrize("codec", ["zstd", "lz4", "snappy", "none"])
def test_each_codec_is_read_as_spark_writes_it(
    spark: SparkSession, logged: Callable[..., Any], codec: str
) -> None:
    compress = str(codec != "none").lower()
    with logged(compress=compress, compression_codec="zstd" if codec == "none" else codec) as folder:
        assert spark.range(0, 1000, 1, 7).count() == 1000
    (log,) = folder.glob("local-17*")
    advice = advise(str(log))
    assert sum(stage.done for stage in advice.app.stages.values()) == 8
    assert advice.app.damaged == 0
    assert advice.app.cut is None


def test_an_unknown_codec_is_named(spark: SparkSession, logged: Callable[..., Any]) -> None:
    with logged(compress="true", compression_codec="lzf") as folder:
        spark.range(10).count()
    with pytest.raises(BigDebugError, match="lzf"):
        advise(str(folder))


def test_a_log_is_read_while_spark_writes_it(spark: SparkSession, logged: Callable[..., Any]) -> None:
    with logged(compress="true") as folder:
        spark.range(0, 1000, 1, 7).count()
        spark.sparkContext._jsc.sc().listenerBus().waitUntilEmpty()
        advice = advise(str(folder))
        assert advice.log.in_progress
        assert advice.app.status == "unfinished"
        assert sum(stage.done for stage in advice.app.stages.values()) == 8
        final = str(advice.log.path).removesuffix(".inprogress")
        assert advise(final).log.path == advice.log.path


def test_a_rolling_log_is_read_in_order(spark: SparkSession, logged: Callable[..., Any]) -> None:
    with logged(rolling_enabled="true", rolling_maxFileSize="10m", compress="false") as folder:
        spark.range(0, 1000, 1, 7).count()
    (log,) = folder.glob("eventlog_v2_*")
    assert tasks(log) == tasks(folder) == tasks(next(log.glob("events_*"))) == 8


def rolled(folder: Path, *parts: tuple[str, bytes]) -> Path:
    log = folder / "eventlog_v2_local-1"
    log.mkdir()
    for name, data in parts:
        (log / name).write_bytes(data)
    return log


def halves() -> tuple[bytes, bytes]:
    lines = PLAIN.splitlines(keepends=True)
    return b"".join(lines[: len(lines) // 2]), b"".join(lines[len(lines) // 2 :])


def test_files_of_a_rolling_log_go_by_their_numbers(tmp_path: Path) -> None:
    first, second = halves()
    log = rolled(
        tmp_path, ("events_10_local-1", second), ("events_9_local-1", first), ("appstatus_local-1", b"")
    )
    advice = advise(str(log))
    assert tasks(log) == TASKS
    assert advice.app.ended is not None
    assert [path.name for path in advice.log.files] == ["events_9_local-1", "events_10_local-1"]
    assert "missing: 1, 2" in advice.notes[0]


def test_a_compacted_file_stands_for_those_before_it(tmp_path: Path) -> None:
    first, second = halves()
    log = rolled(
        tmp_path,
        ("events_1_local-1", first[:100]),
        ("events_2_local-1.compact", first),
        ("events_2_local-1", first),
        ("events_3_local-1", second),
    )
    assert tasks(log) == TASKS
    assert advise(str(log)).notes == []


def test_a_gap_in_a_rolling_log_is_told(tmp_path: Path) -> None:
    first, second = halves()
    log = rolled(tmp_path, ("events_1_local-1", first), ("events_3_local-1", second))
    assert advise(str(log)).notes == ["files of the rolling log are missing: 2"]


def test_a_log_that_somebody_zipped_is_read(tmp_path: Path) -> None:
    (tmp_path / "local-1.gz").write_bytes(gzip.compress(PLAIN))
    assert tasks(tmp_path / "local-1.gz") == TASKS


def test_of_several_logs_one_must_be_named(tmp_path: Path) -> None:
    for name in ("local-1", "local-2"):
        (tmp_path / name).write_bytes(PLAIN)
    with pytest.raises(BigDebugError, match="holds 2 event logs") as raised:
        advise(str(tmp_path))
    assert "local-2" in str(raised.value.hint)
    (tmp_path / "local-2").unlink()
    assert tasks(tmp_path) == TASKS


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("nothing", b"", "is empty"),
        ("text", b"a\nb\n" * 5000, "is no event log"),
        ("json", b'{"a": 1}\n', "is no event log"),
        ("bytes", bytes(range(256)) * 1000, "is no event log"),
        ("zstd", b"\x28\xb5\x2f\xfd garbage", "is no event log|is empty"),
        ("zeros", b"\0" * 100_000, "is no event log"),
    ],
)
def test_what_is_no_log_is_told(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BigDebugError, match=told):
        advise(str(tmp_path / name))


def test_a_place_where_nothing_is_is_told() -> None:
    with pytest.raises(UnreachableError, match="no event log /nowhere/at/all"):
        advise("/nowhere/at/all")
    with pytest.raises(UnreachableError, match="isn't on this machine"):
        advise("s3://bucket/logs/app-1")


def judge(place: Path, data: bytes) -> None:
    """An answer, or a clear error: never another exception."""
    place.write_bytes(data)
    try:
        advice = advise(str(place))
    except BigDebugError as error:
        refused = error
    else:
        jsonschema.validate(json.loads(json_text(advice_json(advice, Thresholds()))), schema("advise"))
        assert advice.app.ended is not None or any("no end" in note for note in advice.notes)
        return
    assert refused.message
    assert refused.hint


@pytest.mark.parametrize("data", [PLAIN, KILLED], ids=["plain", "zstd"])
def test_a_log_may_be_cut_at_any_byte(tmp_path: Path, data: bytes) -> None:
    @settings(max_examples=15)
    @given(st.integers(0, len(data)))
    def cut(end: int) -> None:
        judge(tmp_path / "cut", data[:end])

    cut()


@pytest.mark.parametrize("data", [PLAIN, KILLED], ids=["plain", "zstd"])
def test_any_byte_may_be_damaged(tmp_path: Path, data: bytes) -> None:
    @settings(max_examples=15)
    @given(st.integers(0, len(data) - 1), st.binary(min_size=1, max_size=8))
    def damage(place: int, with_what: bytes) -> None:
        judge(tmp_path / "damaged", data[:place] + with_what + data[place + len(with_what) :])

    damage()


@pytest.mark.proof("event logs cut at some 1,500 places each")
def test_proof_a_log_is_cut_at_very_many_bytes(tmp_path: Path) -> None:
    for data in (PLAIN, KILLED):
        for end in range(0, len(data), max(len(data) // 1500, 1)):
            judge(tmp_path / "cut", data[:end])


def test_the_tasks_before_a_cut_count(tmp_path: Path) -> None:
    place = tmp_path / "local-1.inprogress"
    shutil.copyfile(DATA / "spark-4.0-failed.zstd", place)
    ends = [at for at in range(len(PLAIN)) if PLAIN.startswith(b'{"Event":"SparkListenerTaskEnd"', at)]
    place.write_bytes(PLAIN[: ends[10] + 60])
    assert tasks(place) == 10


def test_values_of_a_wrong_kind_damage_a_line_only(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(PLAIN.replace(b'"Stage ID":3,', b'"Stage ID":"three",'))
    advice = advise(str(tmp_path / "log"))
    assert any("couldn't be read" in note for note in advice.notes)


def test_a_log_that_repeats_itself_is_unpacked_piece_by_piece(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(zstandard.ZstdCompressor().compress((b"x" * 4000 + b"\n") * 25_000))
    tracemalloc.start()
    assert sum(map(len, lines_of(tmp_path / "log"))) == 100_000_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000
