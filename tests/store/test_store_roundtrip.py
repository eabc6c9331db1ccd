"""What is written to a store is there again, on a local folder and on file systems that can't append."""

import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem, _MockFileSystem
from store_samples import NODES, SITE, a_recipe, an_output

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.errors import RecipeError, UnknownNameError, UnreachableError
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import Store
from bigdebug.lineage.store.format import RunEnd, event_line, read_events
from bigdebug.lineage.store.remote import TRUSTED, RemoteFiles


def local(path: Path) -> Callable[[], Store]:
    return lambda: Store(str(path / "store"))


def remote(filesystem: object) -> Callable[[], Store]:
    def open_store() -> Store:
        store = Store("test://bucket/store")
        assert isinstance(store._files, RemoteFiles)
        store._files._opened = (filesystem, "bucket/store")
        return store

    return open_store


@pytest.fixture(params=["local", "subtree", "mock"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    if request.param == "local":
        return local(tmp_path)
    if request.param == "subtree":
        return remote(SubTreeFileSystem(str(tmp_path), LocalFileSystem()))
    return remote(_MockFileSystem())


def test_a_run_comes_back_as_it_was_recorded(
    open_store: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRUSTED, "s3://other/place,test://bucket/store/")
    writer = open_store().create_run(
        name="nightly",
        argv=["etl.py", "--day", "ünï"],
        redact=["ssn"],
        versions={"spark": "4.0.0"},
        settings={"spark.sql.ansi.enabled": "true"},
    )
    for node in NODES:
        writer.node(node)
    first = an_output(writer.run_id)
    writer.output(first)
    writer.output(first.updated(status="done", seconds=1.5, rows=7, recipe="stored", content_hash="ab12"))
    writer.output(an_output(writer.run_id, 2, status="failed", error="ValueError: \ud800 odd", target="out"))
    writer.put_recipe(1, a_recipe())
    writer.close("done")
    writer.close("failed")

    store = open_store()
    run = store.find("last")
    assert (run.run_id, run.name, run.argv) == (writer.run_id, "nightly", ("etl.py", "--day", "ünï"))
    assert (run.redact, run.versions, run.settings) == (
        ("ssn",),
        {"spark": "4.0.0"},
        {"spark.sql.ansi.enabled": "true"},
    )
    assert run.nodes == {node.id: node for node in NODES}
    assert run.outputs == [
        first.updated(status="done", seconds=1.5, rows=7, recipe="stored", content_hash="ab12"),
        an_output(writer.run_id, 2, status="failed", error="ValueError: \ud800 odd", target="out"),
    ]
    assert run.recipe(1) == a_recipe()
    assert (run.status, run.problem) == ("done", None)
    assert run.ended is not None
    assert run.ended >= run.started
    store.remove(run)
    assert store.runs() == []


def test_a_run_can_be_followed_while_it_goes_on(open_store: Callable[[], Store]) -> None:
    writer = open_store().create_run()
    writer.node(NODES[0])
    writer.output(an_output(writer.run_id))
    writer.flush()
    run = open_store().find(writer.run_id)
    assert run.status == "running"
    assert run.ended is None
    assert list(run.nodes) == [1]
    assert [output.number for output in run.outputs] == [1]
    with pytest.raises(Exception, match="still going"):
        open_store().remove(run)
    writer.close("failed")
    assert open_store().find(writer.run_id).status == "failed"


def test_an_operator_is_written_without_being_asked(tmp_path: Path) -> None:
    writer = local(tmp_path)().create_run()
    writer.node(NODES[0])
    waiting = threading.Event()
    for _ in range(100):
        if local(tmp_path)().find("last").nodes:
            break
        waiting.wait(0.05)
    assert local(tmp_path)().find("last").nodes == {1: NODES[0]}
    writer.close("done")


def test_an_output_is_on_disk_when_the_call_returns(tmp_path: Path) -> None:
    writer = local(tmp_path)().create_run()
    writer.node(NODES[0])
    writer.output(an_output(writer.run_id))
    lines = (tmp_path / "store" / writer.run_id / "events.jsonl").read_bytes().splitlines()
    assert [next(iter(json.loads(line))) for line in lines] == ["node", "output"]
    writer.close("done")


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    writer = local(tmp_path)().create_run()

    def record(start: int) -> None:
        for number in range(start, start + 50):
            writer.node(Node(number, "filter" * 50, SITE))
            writer.output(an_output(writer.run_id, number))

    threads = [threading.Thread(target=record, args=(start,)) for start in range(1, 400, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close("done")
    run = local(tmp_path)().find("last")
    assert run.problem is None
    assert len(run.nodes) == len(run.outputs) == 400


def test_only_the_owner_can_read_it_and_git_does_not_see_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        writer = local(tmp_path)().create_run()
        writer.node(NODES[0])
        writer.put_recipe(1, a_recipe())
        writer.close("done")
    finally:
        os.umask(before)
    root = tmp_path / "store"
    assert (root / ".gitignore").read_text() == "*\n"
    for path in [root, *root.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_folder_that_holds_other_things_keeps_its_own_gitignore(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "etl.py").touch()
    writer = local(tmp_path)().create_run()
    writer.close("done")
    assert not (tmp_path / "store" / ".gitignore").exists()
    assert (tmp_path / "store" / writer.run_id / ".gitignore").read_text() == "*\n"
    assert [run.run_id for run in local(tmp_path)().runs()] == [writer.run_id]


def test_the_store_stays_where_it_was_when_the_program_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    writer = Store(".bigdebug").create_run()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    writer.output(an_output(writer.run_id))
    writer.close("done")
    assert len(Store(str(tmp_path / ".bigdebug")).find("last").outputs) == 1
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_file_uri_is_a_local_store(tmp_path: Path) -> None:
    folder = tmp_path / "a store"
    Store(folder.as_uri()).create_run().close("done")
    assert Store(str(folder)).find("last").status == "done"


def test_an_address_that_nothing_opens_is_refused() -> None:
    store = Store("gopher://host/store")
    for ask in (store.runs, store.create_run):
        with pytest.raises(UnreachableError, match=r"gopher.* can't be reached"):
            ask()


def test_opening_a_store_creates_nothing(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UnreachableError, match="no store"):
        store.runs()
    with pytest.raises(UnreachableError, match="no store"):
        store.find("last")


def test_an_object_store_gets_immutable_segments(tmp_path: Path) -> None:
    writer = remote(SubTreeFileSystem(str(tmp_path), LocalFileSystem()))().create_run()
    for number in (1, 2, 3):
        writer.output(an_output(writer.run_id, number))
        writer.flush()
    writer.close("done")
    segments = sorted((tmp_path / "bucket/store" / writer.run_id / "events").iterdir())
    assert [path.name for path in segments][:3] == ["00000001.jsonl", "00000002.jsonl", "00000003.jsonl"]
    assert all(path.read_bytes().endswith(b"\n") for path in segments)


def test_a_remote_recipe_is_opened_only_from_a_store_that_is_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(TRUSTED, raising=False)
    store = remote(_MockFileSystem())()
    writer = store.create_run()
    writer.put_recipe(1, a_recipe())
    writer.close("done")
    with pytest.raises(RecipeError, match=f"export {TRUSTED}=test://bucket/store"):
        store.find("last").recipe(1)


@given(
    st.lists(
        st.builds(
            Node,
            st.integers(1, 5),
            st.text(),
            st.none() | st.builds(CallSite, st.text(), st.integers(1, 9), st.text(), st.text()),
            st.lists(st.integers(1, 5)).map(tuple),
            st.lists(st.text()).map(tuple),
        )
        | st.builds(
            Output,
            st.just("r"),
            st.integers(1, 5),
            st.text(),
            st.none(),
            st.none(),
            st.floats(0, 2e9),
            error=st.none() | st.text(),
        )
        | st.builds(RunEnd, st.sampled_from(["done", "failed"]), st.floats(0, 2e9))
    )
)
def test_any_text_survives_the_log(events: list[Node | Output | RunEnd]) -> None:
    found = read_events(b"".join(map(event_line, events)))
    assert found.damaged == 0
    assert found.nodes == {event.id: event for event in events if isinstance(event, Node)}
    assert found.outputs == {event.number: event for event in events if isinstance(event, Output)}
    assert found.end == next((event for event in reversed(events) if isinstance(event, RunEnd)), None)


def test_finding_a_run(tmp_path: Path) -> None:
    store = local(tmp_path)()
    with pytest.raises(UnreachableError):
        store.find("last")
    (tmp_path / "store").mkdir()
    with pytest.raises(UnknownNameError, match="no runs yet"):
        store.find("last")
    ids = []
    for _ in range(3):
        writer = store.create_run()
        writer.close("done")
        ids.append(writer.run_id)
    assert [run.run_id for run in store.runs()] == ids[::-1]
    assert store.find("last").run_id == ids[-1]
    assert store.find(ids[0]).run_id == ids[0]
    assert store.find(ids[1][-3:]).run_id == ids[1]
    with pytest.raises(UnknownNameError, match=f"3 runs begin with .* {max(ids)}"):
        store.find(ids[0][:8])
    with pytest.raises(UnknownNameError, match=f"no run 'nope' .* {max(ids)}"):
        store.find("nope")
    with pytest.raises(UnknownNameError, match="no run ''"):
        store.find("")


def test_finding_an_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    writer = local(tmp_path)().create_run()
    targets = [None, "out/a.parquet", "db.Totals", "out/a.parquet", "file:///data/b.csv", "s3://x/c/"]
    for number, target in enumerate(targets, start=1):
        writer.output(an_output(writer.run_id, number, target=target))
    writer.close("done")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    run = local(tmp_path)().find("last")
    found = {
        "1": 1,
        "last": 6,
        "out/a.parquet": 4,
        "../out/a.parquet": 4,
        f"{tmp_path}/out/a.parquet": 4,
        f"file://{tmp_path}/out/a.parquet/": 4,
        "a.parquet": 4,
        "db.totals": 3,
        "/data/b.csv": 5,
        "file:/data/b.csv": 5,
        "s3://x/c": 6,
        "c": 6,
    }
    assert {ref: run.output(ref).number for ref in found} == found
    for ref in ("0", "7", "-1", "other", ""):
        with pytest.raises(UnknownNameError, match=r"1 \(collect\), 2 \(out/a.parquet\)"):
            run.output(ref)


def test_a_run_without_outputs_says_so(tmp_path: Path) -> None:
    writer = local(tmp_path)().create_run()
    writer.close("done")
    with pytest.raises(UnknownNameError, match="no outputs"):
        local(tmp_path)().find("last").output("last")
