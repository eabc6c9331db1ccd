"""The JSON of `bigdebug diff`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bigdebug.cli.diff_answer import DiffAnswer, Missing, OutputAnswer, TracedPair
from bigdebug.cli.run_json import json_time
from bigdebug.lineage.output import Output
from bigdebug.lineage.rundiff import AskedOperator, Change, OperatorChange
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import json_value

if TYPE_CHECKING:
    from bigdebug.lineage.location import TracedRecord
    from bigdebug.lineage.recipe.facts import RecordedSource
    from bigdebug.lineage.rowdiff import RowDiff
    from bigdebug.lineage.sourcediff import SourceChange
    from bigdebug.lineage.tracediff import TracedSourceDiff

_MOST_RECORDS = 20
"""Records of a kind that are listed for each source."""


def diff_json(answer: DiffAnswer) -> dict[str, Any]:
    """All that is told of two runs."""
    return {
        "first": _run(answer.first),
        "second": _run(answer.second),
        "same_program": answer.same_program,
        "differences": [
            *(asdict(change) | {"outputs": None} for change in answer.heads),
            *(asdict(change) | {"outputs": numbers} for change, numbers in answer.settings),
        ],
        "not_recorded": list(answer.not_recorded),
        "outputs": [_output(each) for each in answer.outputs],
        "only_first": [_action(output) for output in answer.only_first],
        "only_second": [_action(output) for output in answer.only_second],
    }


def _run(run: StoredRun) -> dict[str, Any]:
    return {
        "run": run.run_id,
        "name": run.name,
        "argv": list(run.argv),
        "started": json_time(run.started),
        "status": run.status,
    }


def _action(output: Output) -> dict[str, Any]:
    return {
        "output": output.number,
        "action": output.action,
        "target": output.target,
        "call_site": None if output.call_site is None else asdict(output.call_site),
        "status": output.status,
        "rows": output.rows,
    }


def _output(answer: OutputAnswer) -> dict[str, Any]:
    return {
        "first": _action(answer.pair.first),
        "second": _action(answer.pair.second),
        "matched_by": answer.pair.by,
        "notes": list(answer.notes),
        "sources": None if answer.sources is None else [_source(each) for each in answer.sources],
        "operators": [_operator(each) for each in answer.operators],
        "operators_by": "plan" if answer.expressions else "code",
        "rows": None if answer.rows is None else _rows(answer.rows, answer.traced),
    }


def _source(change: SourceChange) -> dict[str, Any]:
    return {
        "name": change.name,
        "same": change.same,
        "first": _recorded(change.first, change.records[0]),
        "second": _recorded(change.second, change.records[1]),
        "kept": change.kept,
        "gone": list(change.gone),
        "added": list(change.added),
        "rewritten": [
            {"file": each.file, "first": _stamp(each.first), "second": _stamp(each.second)}
            for each in change.rewritten
        ],
        "changes": [asdict(each) for each in change.changes],
    }


def _recorded(source: RecordedSource | None, records: int | None) -> dict[str, Any] | None:
    if source is None:
        return None
    return {
        "name": source.name,
        "kind": source.kind,
        "paths": list(source.paths),
        "files": len(source.files),
        "bytes": source.bytes,
        "records": records,
    }


def _stamp(stamp: tuple[int, int]) -> dict[str, Any]:
    size, modified = stamp
    return {"bytes": size, "modified": json_time(modified / 1000)}


def _operator(change: OperatorChange) -> dict[str, Any]:
    return {"change": change.kind, "first": _asked(change.first), "second": _asked(change.second)}


def _asked(asked: AskedOperator | None) -> dict[str, Any] | None:
    if asked is None:
        return None
    node = asked.node
    return {
        "operator": node.operator,
        "paths": list(node.paths),
        "call_site": None if node.call_site is None else asdict(node.call_site),
        "code": asked.code,
        "expressions": None if asked.expressions is None else list(asked.expressions),
    }


def _rows(rows: RowDiff, traced: Sequence[TracedPair]) -> dict[str, Any]:
    return {
        "paired_by": rows.paired_by,
        "key": list(rows.key),
        "first": rows.first,
        "second": rows.second,
        "equal": rows.equal,
        "differing": rows.differing,
        "only_first": rows.only_first,
        "only_second": rows.only_second,
        "columns": [_change(each) for each in rows.columns],
        "by_column": dict(rows.by_column),
        "examples": [_traced(each) for each in traced],
    }


def _change(change: Change) -> dict[str, Any]:
    return asdict(change)


def _traced(traced: TracedPair) -> dict[str, Any]:
    pair = traced.pair
    return {
        "kind": pair.kind,
        "first": json_value(pair.first),
        "second": json_value(pair.second),
        "columns": list(pair.columns),
        "where_first": pair.where_first,
        "where_second": pair.where_second,
        "exact": traced.exact,
        "problem": traced.problem,
        "sources": [_traced_source(each) for each in traced.sources],
        "missing": None if traced.missing is None else _missing(traced.missing),
    }


def _traced_source(source: TracedSourceDiff) -> dict[str, Any]:
    return {
        "name": source.name,
        "first": source.first,
        "second": source.second,
        "compared": source.compared,
        "only_first": _records(source.only_first),
        "only_second": _records(source.only_second),
        "changed": [
            {"first": _record(one), "second": _record(other)} for one, other in source.changed[:_MOST_RECORDS]
        ],
        "changed_count": len(source.changed),
        "moved": source.moved,
    }


def _records(records: Sequence[TracedRecord]) -> dict[str, Any]:
    return {"count": len(records), "records": [_record(each) for each in records[:_MOST_RECORDS]]}


def _record(record: TracedRecord) -> dict[str, Any]:
    return {
        "file": record.location.file,
        "position": record.location.position,
        "partition": record.location.partition,
        "value": json_value(record.value),
    }


def _missing(missing: Missing) -> dict[str, Any]:
    return {
        "run": missing.run,
        "culprit": None if missing.culprit is None else asdict(missing.culprit),
        "dropped": [{"row": json_value(each.row), "reasons": list(each.reasons)} for each in missing.dropped],
        "problem": missing.problem,
    }
