"""A recorded run with everything that a report tells of, and with what could break a page or a reader."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bigdebug.breakpoints.channel.values import told
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.crash import CrashEvent
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import Store

sys.path.insert(0, str(Path(__file__).parent))

from report_samples import NASTY


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., tuple[Path, str]]:
    """Records a run that uses these texts as names and values; gives the store and the run."""

    def record(texts: list[str] = NASTY) -> tuple[Path, str]:
        store = tmp_path / "store"
        writer = Store(str(store)).create_run(name=texts[0], argv=["etl.py", *texts])
        at = [
            CallSite(f"/home/ann/{text}/etl.py", n, f"frame.map({text!r})")
            for n, text in enumerate(texts, start=1)
        ]
        writer.node(Node(1, "read.csv", at[0], paths=(f"in/{texts[0]}.csv",)))
        for number, text in enumerate(texts, start=2):
            writer.node(Node(number, f"op {text}", at[number - 2], parents=(number - 1, max(number - 3, 1))))
        last = len(texts) + 1
        writer.output(
            Output(writer.run_id, 1, "collect", last, at[0], 1.8e9, status="done", seconds=2.5, rows=1234)
        )
        writer.output(
            Output(
                writer.run_id,
                2,
                "write.csv",
                2,
                None,
                1.8e9,
                status="failed",
                target=texts[-1],
                error=f"E: {texts[0]}",
            )
        )
        records = tuple(
            {
                "value": {"name": text, "n": 1},
                "file": f"in/{text}.csv",
                "position": 7,
                "error": f"ValueError: {text}",
            }
            | {"traceback": f"Traceback\n  {text}", "before": None, "after": None}
            for text in texts
        )
        writer.crash(CrashEvent(2, "map", at[0], "skip", f"ValueError: {texts[0]}", 99, records, (texts[0],)))
        watch = {
            "number": 1,
            "operator": "map",
            "call_site": "etl.py:3",
            "guard": texts[0],
            "hits": 5,
            "notes": [],
        }
        caught = [
            {"output": 1, "partition": 0, "position": 4, "value": told({"name": text})} for text in texts
        ]
        writer.put_capture("watch-1.json", json.dumps(watch | {"records": caught}).encode("ascii"))
        writer.close("failed")
        return store, writer.run_id

    return record
