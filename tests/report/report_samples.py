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


def a_trace(run: str, values: list[Any]) -> dict[str, Any]:
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


def a_skew(run: str) -> dict[str, Any]:
    """The JSON of skew: one lopsided shuffle, and an even one."""
    spread = {
        "count": 8,
        "least": 10,
        "median": 100,
        "p90": 400,
        "p99": 4000,
        "most": 41_234,
        "total": 50_000,
    }
    finding = {
        "number": 1,
        "operator": "Aggregate",
        "call_site": {"file": "/x/etl.py", "line": 7, "text": "groupBy('name')", "function": "<module>"},
        "keys": ["name"],
        "severity": "critical",
        "partitions": 8,
        "records_of_partitions": spread,
        "largest": [{"key": {"name": "Ann Other"}, "records": 40_000, "share": 0.8}],
        "notes": ["why it may differ"],
        "advice": [
            {"action": "salt", "text": "salt the key", "evidence": "one key holds 80 %", "change": "…"}
        ],
    }
    answer = {
        "run": run,
        "output": 1,
        "skewed": 1,
        "seconds": 1.5,
        "notes": [],
        "thresholds": {},
        "what_if": None,
    }
    return answer | {"findings": [finding, finding | {"severity": "none", "number": 2}]}
