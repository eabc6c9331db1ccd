"""Answers of commands, and texts that could break a page or a reader."""

from typing import Any

NASTY = [
    "<script>alert('x')</script>",
    "<img src=http://example.com/x.png onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "\x1b[2J\x07\x00",
    "\u202eevil",
    "שלום עולם",
    "日本語のとても長いテキスト",
    "{{ 7 * 7 }}",
    "\ud83d",
]


def a_trace(run: str, values: list[dict[str, Any]]) -> dict[str, Any]:
    """The JSON of a trace that leads to records of these values."""
    records = [
        {"file": "in/a.csv", "position": n, "partition": None, "value": value}
        for n, value in enumerate(values)
    ]
    source = {
        "name": "a.csv",
        "kind": "csv",
        "files": ["in/a.csv"],
        "count": len(records) + 5,
        "records": records,
    }
    source |= {"columns": ["name"], "deciding_columns": []}
    question = {"run": run, "output": 1, "where": "name = 'Ann Other'", "matched": 1, "exact": False}
    return question | {"notes": ["why it isn't"], "sources": [source]}


def an_isolation(run: str) -> dict[str, Any]:
    """The JSON of an isolation."""
    record = {"source": "a.csv", "file": "in/a.csv", "position": 3, "partition": None, "influence": -31.5}
    records = {"proof": "1-minimal", "records": [record | {"value": {"name": "Ann Other", "minutes": -9}}]}
    return {
        "run": run,
        "output": 1,
        "failing": "minutes < 0",
        "culprits": records,
        "reproduction": records,
        "explanation": [{"pattern": "name = 'Ann Other'", "culprits": 1, "others": 0}],
        "operators": [{"operator": "CASE", "call_site": {"file": "/x/etl.py", "line": 3}, "score": 0.5}],
        "replays": 4,
        "jobs": 9,
        "seconds": 3.25,
    }
