"""A store that is cut short, damaged, in the hands of somebody else, or can't be written."""

import json
import logging
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_samples import NODES, a_recipe, an_output

from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.errors import RecipeError, UnreachableError
from bigdebug.lineage.store import RunWriter, Store
from bigdebug.lineage.store.local import LocalFiles

ROOT = Path(__file__).parents[2]


def a_run(path: Path, **changes: object) -> RunWriter:
    writer = Store(str(path)).create_run(name="a run")
    for node in NODES:
        writer.node(node)
    writer.output(an_output(writer.run_id, recipe="stored", **changes))
    writer.put_recipe(1, a_recipe())
    return writer


def test_cutting_the_log_at_any_byte_leaves_what_came_before(tmp_path: Path) -> None:
    writer = a_run(tmp_path)
    writer.close("done")
    log = tmp_path / writer.run_id / "events.jsonl"
    whole = log.read_bytes()
    ends = [index + 1 for index, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        log.write_bytes(whole[:cut])
        run = Store(str(tmp_path)).find("last")
        lines = sum(end - 1 <= cut for end in ends)  # a line counts when only its line end is missing
        assert list(run.nodes.values()) == NODES[:lines]
        assert len(run.outputs) == (lines > 3)
        assert run.status == ("done" if lines > 4 else "running")
        assert run.problem is None


def test_a_damaged_line_costs_only_itself(tmp_path: Path) -> None:
    writer = a_run(tmp_path)
    writer.close("done")
    log = tmp_path / writer.run_id / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    lines[1:2] = [
        b'{"node": {"id": 2, "ope\n',
        b"\xff\xfe\n",
        b"[1, 2]\n",
        b'{"node": 3}\n',
        b'{"later": 1}\n',
    ]
    log.write_bytes(b"".join(lines))
    run = Store(str(tmp_path)).find("last")
    assert list(run.nodes) == [1, 3]
    assert run.status == "done"
    assert run.problem is not None
    assert run.problem == "4 damaged lines in the event log were left out"
    log.write_bytes(b"".join([*lines[:1], *lines[4:]]))
    assert Store(str(tmp_path)).find("last").problem == "1 damaged line in the event log was left out"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "run.json is missing"),
        (b"", "run.json is damaged"),
        (b'{"format": 1, "run_id": "', "run.json is damaged"),
        (b"[]", "run.json is damaged"),
        (b'{"format": 1}', "run.json is damaged"),
        (b'{"format": 2, "what": "ever"}', "newer bigdebug"),
    ],
)
def test_a_broken_run_is_shown_as_such_and_hides_no_other(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    good = a_run(tmp_path)
    good.close("done")
    broken = a_run(tmp_path)
    broken.close("done")
    head = tmp_path / broken.run_id / "run.json"
    head.unlink() if content is None else head.write_bytes(content)
    runs = {run.run_id: run for run in Store(str(tmp_path)).runs()}
    assert runs[good.run_id].problem is None
    assert problem in str(runs[broken.run_id].problem)
    assert runs[broken.run_id].status == "lost"
    assert abs(runs[broken.run_id].started - time.time()) < 60
    assert runs[broken.run_id].outputs == []
    Store(str(tmp_path)).remove(runs[broken.run_id])
    assert [run.run_id for run in Store(str(tmp_path)).runs()] == [good.run_id]


def test_a_missing_log_is_told(tmp_path: Path) -> None:
    writer = a_run(tmp_path)
    writer.close("done")
    (tmp_path / writer.run_id / "events.jsonl").unlink()
    assert Store(str(tmp_path)).find("last").problem == "the event log is missing"


def test_other_folders_are_no_runs(tmp_path: Path) -> None:
    a_run(tmp_path).close("done")
    (tmp_path / "notes").mkdir()
    (tmp_path / "20260101-000000-abc").touch()
    assert len(Store(str(tmp_path)).runs()) == 1


RECORD_AND_DIE = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from bigdebug.lineage.store import Store
from bigdebug.lineage.output import Output
writer = Store(sys.argv[1]).create_run()
writer.output(Output(writer.run_id, 1, "collect", None, None, 0.0))
print(Store(sys.argv[1]).find("last").status, flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_is_lost_and_keeps_its_outputs(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RECORD_AND_DIE, str(tmp_path), str(ROOT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline().strip() == "running"
        assert Store(str(tmp_path)).find("last").status == "running"
        process.stdin.close()
        while Store(str(tmp_path)).find("last").status == "running":
            time.sleep(0.05)  # also as long as the remains of the process are there
    run = Store(str(tmp_path)).find("last")
    assert (run.status, len(run.outputs)) == ("lost", 1)
    assert run.ended is not None
    assert run.ended >= run.started - 1
    Store(str(tmp_path)).remove(run)


def test_a_run_of_another_machine_goes_by_its_heartbeat(tmp_path: Path) -> None:
    writer = a_run(tmp_path)
    head = tmp_path / writer.run_id / "run.json"
    content = json.loads(head.read_text())
    content["process"]["machine"] = "elsewhere"
    content["started"] -= 7200
    head.write_text(json.dumps(content))
    assert Store(str(tmp_path)).find("last").status == "running"
    long_ago = time.time() - 3600
    os.utime(tmp_path / writer.run_id / "events.jsonl", (long_ago, long_ago))
    run = Store(str(tmp_path)).find("last")
    assert run.status == "lost"
    assert run.ended == pytest.approx(long_ago, abs=1)
    writer.close("done")


def test_a_run_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalFiles, "beat_seconds", 0.1)
    writer = a_run(tmp_path)
    log = tmp_path / writer.run_id / "events.jsonl"
    os.utime(log, (0, 0))
    for _ in range(100):
        if log.stat().st_mtime > 0:
            break
        time.sleep(0.05)
    assert log.stat().st_mtime > time.time() - 60
    writer.close("done")


def test_a_store_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in ("file", "file/store"):
        with pytest.raises(UnreachableError, match=r"can't be written: .* \(name another place with --store"):
            Store(str(tmp_path / place)).create_run()


@pytest.fixture
def forbidden(tmp_path: Path) -> Iterator[Path]:
    """A folder in which the test may not write, also when it is root's."""
    user = os.geteuid()
    tmp_path.chmod(0o500)
    if user == 0:
        os.seteuid(65534)
    yield tmp_path
    os.seteuid(user)
    tmp_path.chmod(0o700)


def test_a_store_without_permission_is_a_clear_error(forbidden: Path) -> None:
    with pytest.raises(UnreachableError, match="can't be written: Permission denied"):
        Store(str(forbidden / "store")).create_run()


def test_a_store_that_vanishes_does_not_disturb_the_program(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = a_run(tmp_path / "store")
    folder = tmp_path / "store" / writer.run_id
    folder.rename(tmp_path / "away")
    with caplog.at_level(logging.WARNING, "bigdebug"):
        writer.node(Node(4, "filter", None))
        writer.output(an_output(writer.run_id, 2))
        writer.output(an_output(writer.run_id, 2, status="done"))
        with pytest.raises(UnreachableError, match="recipe of output 2"):
            writer.put_recipe(2, a_recipe())
    assert [record.name for record in caplog.records] == ["bigdebug"]
    assert "can't be recorded" in caplog.text

    (tmp_path / "away").rename(folder)
    writer.output(an_output(writer.run_id, 3))
    run = Store(str(tmp_path / "store")).find("last")
    assert [(output.number, output.status) for output in run.outputs] == [
        (1, "running"),
        (2, "done"),
        (3, "running"),
    ]
    assert 4 in run.nodes
    writer.close("done")


def test_a_full_disk_tears_one_line_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = a_run(tmp_path)
    append = LocalFiles.append_events

    def full(files: LocalFiles, run_id: str, data: bytes) -> None:
        append(files, run_id, data[:40])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(LocalFiles, "append_events", full)
        writer.output(an_output(writer.run_id, 2))
    writer.output(an_output(writer.run_id, 3))
    writer.close("done")
    assert [output.number for output in Store(str(tmp_path)).find("last").outputs] == [1, 2, 3]


def test_what_cannot_be_written_as_json_disturbs_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("odd")

    writer = a_run(tmp_path)
    writer.output(an_output(writer.run_id, 2, rows=Odd()))
    writer.output(an_output(writer.run_id, 3))
    writer.close("done")
    assert [output.number for output in Store(str(tmp_path)).find("last").outputs] == [1, 3]
    assert "odd" in caplog.text


def test_a_forked_child_writes_nothing(tmp_path: Path) -> None:
    writer = a_run(tmp_path)

    def child() -> None:
        writer.output(an_output(writer.run_id, 2))
        writer.put_recipe(2, a_recipe())
        writer.close("failed")

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    assert process.exitcode == 0
    run = Store(str(tmp_path)).find("last")
    assert (run.status, len(run.outputs)) == ("running", 1)
    assert not (tmp_path / writer.run_id / "recipes" / "2.zip").exists()
    writer.close("done")


def test_a_recipe_cut_short_at_any_byte_is_refused(tmp_path: Path) -> None:
    writer = a_run(tmp_path)
    writer.close("done")
    path = tmp_path / writer.run_id / "recipes" / "1.zip"
    whole = path.read_bytes()
    run = Store(str(tmp_path)).find("last")
    assert run.recipe(1) == whole
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with pytest.raises(RecipeError, match=r"damaged or cut short .* \(run the program again"):
            run.recipe(1)
    path.write_bytes(whole.replace(b"plan", b"evil"))
    with pytest.raises(RecipeError, match="damaged"):
        run.recipe(1)


def test_a_missing_recipe_says_why(tmp_path: Path) -> None:
    writer = a_run(tmp_path)
    writer.output(an_output(writer.run_id, 2))
    writer.output(
        an_output(writer.run_id, 3, recipe="unavailable", recipe_problem="streaming isn't recorded")
    )
    (tmp_path / writer.run_id / "recipes" / "1.zip").unlink()

    def why(number: int) -> str:
        with pytest.raises(RecipeError) as caught:
            Store(str(tmp_path)).find("last").recipe(number)
        return str(caught.value)

    assert "still going" in why(2)
    writer.close("done")
    assert "its file is missing" in why(1)
    assert "run the program again" in why(2)
    assert "streaming isn't recorded" in why(3)


def test_a_recipe_that_others_could_have_written_is_not_opened(tmp_path: Path) -> None:
    writer = a_run(tmp_path / "store")
    writer.close("done")
    run = Store(str(tmp_path / "store")).find("last")
    folder = tmp_path / "store" / writer.run_id
    for path in (tmp_path / "store", folder, folder / "recipes", folder / "recipes" / "1.zip"):
        mode = path.stat().st_mode
        for bit in (0o020, 0o002):
            path.chmod(mode | bit)
            with pytest.raises(RecipeError, match=r"others may write to .* chmod -R go-w"):
                run.recipe(1)
        path.chmod(mode)
        assert run.recipe(1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_recipe_of_another_user_is_not_opened(tmp_path: Path) -> None:
    writer = a_run(tmp_path / "store")
    writer.close("done")
    run = Store(str(tmp_path / "store")).find("last")
    folder = tmp_path / "store" / writer.run_id
    for path in (tmp_path / "store", folder, folder / "recipes", folder / "recipes" / "1.zip"):
        os.chown(path, 12345, -1)
        with pytest.raises(RecipeError, match="another user"):
            run.recipe(1)
        os.chown(path, os.geteuid(), -1)
        assert run.recipe(1)


def test_a_recipe_behind_a_link_is_not_opened(tmp_path: Path) -> None:
    writer = a_run(tmp_path / "store")
    writer.close("done")
    folder = tmp_path / "store" / writer.run_id
    shutil.move(folder / "recipes", tmp_path / "recipes")
    (folder / "recipes").symlink_to(tmp_path / "recipes")
    with pytest.raises(RecipeError, match="symbolic link"):
        Store(str(tmp_path / "store")).find("last").recipe(1)
    (tmp_path / "link").symlink_to(tmp_path / "store")
    (folder / "recipes").unlink()
    shutil.move(tmp_path / "recipes", folder / "recipes")
    assert Store(str(tmp_path / "link")).find("last").recipe(1)


def test_a_removal_that_was_cut_short_is_finished_by_the_next(tmp_path: Path) -> None:
    for _ in range(2):
        a_run(tmp_path).close("done")
    newest, oldest = Store(str(tmp_path)).runs()
    (tmp_path / newest.run_id).rename(tmp_path / f".removing-{newest.run_id}")
    assert [run.run_id for run in Store(str(tmp_path)).runs()] == [oldest.run_id]
    Store(str(tmp_path)).remove(oldest)
    assert [path.name for path in tmp_path.iterdir()] == [".gitignore"]
