"""Records `spark.sql`: an operator always, an output too where the text writes at once."""

import re
import time
from functools import partial
from types import FrameType
from typing import Any

from pyspark.sql.classic.dataframe import DataFrame

from bigdebug.lineage.actions import Running, rows_of
from bigdebug.lineage.attachments import Attachment, attachments
from bigdebug.lineage.capturing import capture
from bigdebug.lineage.catalyst import class_name
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.failed_query import failed_query
from bigdebug.lineage.nodes import Operation, call_site, mark, node_id_of, record_operator
from bigdebug.lineage.table_location import note_location

_SQL = Operation("sql", "sql")

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_NAME = r"((?:`[^`]+`|[\w{}]+)(?:\.(?:`[^`]+`|[\w{}]+))*)"
# What a text writes to, by the words around the name; only the first counts.
_WRITES = (
    (
        "INSERT",
        re.compile(rf"\bINSERT\s+(?:INTO|OVERWRITE)\s+(?:TABLE\s+)?(?!DIRECTORY\b|LOCAL\b){_NAME}", re.I),
    ),
    ("INSERT", re.compile(r"\bINSERT\s+OVERWRITE\s+(?:LOCAL\s+)?DIRECTORY\s+'([^']+)'", re.I)),
    ("MERGE", re.compile(rf"\bMERGE\s+(?:WITH\s+SCHEMA\s+EVOLUTION\s+)?INTO\s+{_NAME}", re.I)),
    (
        "CREATE TABLE AS",
        re.compile(
            rf"^\s*(?:CREATE|REPLACE|CREATE\s+OR\s+REPLACE)\s+(?:EXTERNAL\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}"
            r".*?(?:\bAS\b|\))\s*\(?\s*(?:SELECT|WITH|FROM|TABLE|VALUES)\b",
            re.I | re.DOTALL,
        ),
    ),
)
_BEGINS = re.compile(r"^\s*(INSERT|MERGE|CREATE|REPLACE|WITH|FROM)\b", re.IGNORECASE)

# Commands whose query is written somewhere, by a part of their class's name.
_VERBS = (
    ("Merge", "MERGE"),
    ("AsSelect", "CREATE TABLE AS"),
    ("Insert", "INSERT"),
    ("AppendData", "INSERT"),
    ("Overwrite", "INSERT"),
    ("SaveIntoDataSource", "INSERT"),
)
_QUERIES = ("query", "sourceTable", "source")
_MOST_WRAPPERS = 3
_MOST_ABOVE_JOIN = 8


def record_command(
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    result: Any,
    began: tuple[float, float],
    frame: FrameType,
) -> None:
    """Record what `spark.sql` returned, and the output it made if the text was an INSERT, a CTAS or a MERGE.

    Args:
        args: of the call, the session first.
        kwargs: of the call.
        result: what it returned.
        began: when, as seconds since the epoch and of the performance counter.
        frame: of the caller.
    """
    took = time.perf_counter() - began[1]
    record_operator(_SQL, args, kwargs, result, frame)
    if not isinstance(result, DataFrame):
        return
    attachment = attachments.of(result._session)
    if attachment is None or result._jdf.logicalPlan().nodeName() != "CommandResult":
        return
    text = _text(args, kwargs)
    found = _written_query(result._jdf.queryExecution().analyzed(), text)
    if found is None:
        return
    verb, query = found
    node = node_id_of(attachment, result)
    recorded = None if node is None else attachment.recorder.dataflow.get(node)
    if recorded is not None:
        _link(attachment, recorded, query)
    target = _target(text)
    output = attachment.recorder.add_output(
        f"sql {verb}",
        node=node,
        call_site=call_site(attachment, frame),
        started=began[0],
        rows=rows_of(attachment, query),
        spark=attachment.spark,
        target=target,
    )
    output.end("done", seconds=took)
    note_location(output, attachment.spark, target)
    capture(attachment.recorder, attachment.spark, output.number)


def record_failed_command(
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    error: BaseException,
    began: tuple[float, float],
    frame: FrameType,
) -> None:
    """Record the output that a text would have made that begins like an INSERT, a CTAS or a MERGE.

    Args:
        args: of the call, the session first.
        kwargs: of the call.
        error: what it raised.
        began: when, as seconds since the epoch and of the performance counter.
        frame: of the caller.
    """
    attachment: Attachment | None = attachments.of(args[0]) if args else None
    text = _text(args, kwargs)
    verb = _verb_in(text)
    if attachment is None or verb is None:
        return
    took = time.perf_counter() - began[1]
    site = call_site(attachment, frame)
    node = query = None
    problem: str | None = "the command was interrupted"
    if isinstance(error, Exception):
        query = failed_query(args, kwargs, partial(_query_in, text=text))
        problem = None if query is not None else "the command failed, and Spark can't analyze its query"
    if query is not None:
        recorded = attachment.recorder.add_node(_SQL.label, site)
        node = recorded.id
        _link(attachment, recorded, query)
    output = attachment.recorder.add_output(
        f"sql {verb}",
        node=node,
        call_site=site,
        started=began[0],
        rows=None if query is None else rows_of(attachment, query),
        spark=attachment.spark,
        target=_target(text),
        problem=problem,
    )
    Running(attachment.recorder, output, attachment.spark).failed(error, seconds=took)


def _link(attachment: Attachment, recorded: Node, query: Any) -> None:
    """Have the query that a command writes found as what the recorded `sql` asked for."""
    mark(attachment, query, attachment.recorder.tag(recorded))
    attachment.recorder.find_parents(recorded, attachment.tag, [query])


def _text(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    given = args[1] if len(args) > 1 else kwargs.get("sqlQuery")
    return _COMMENT.sub(" ", given) if isinstance(given, str) else ""


def _verb_in(text: str) -> str | None:
    if not _BEGINS.match(text):
        return None
    return next((verb for verb, pattern in _WRITES if pattern.search(text)), None)


def _target(text: str) -> str | None:
    for _, pattern in _WRITES:
        found = pattern.search(text)
        if found:
            return found.group(1).replace("`", "")
    return None


def _query_in(plan: Any, text: str) -> Any | None:
    found = _written_query(plan, text)
    return None if found is None else found[1]


def _written_query(plan: Any, text: str) -> tuple[str, Any] | None:
    """The verb and the query of a command that writes one; None for any other command."""
    for _ in range(_MOST_WRAPPERS):
        kind = class_name(plan)
        merged = _merged(plan) if _verb_in(text) == "MERGE" else None
        if merged is not None:
            return "MERGE", merged
        if kind in ("ReplaceData", "WriteDelta", "WriteIceberg"):
            # What Spark makes of a MERGE, and of an UPDATE or a DELETE, which are no outputs.
            verb = "MERGE" if _verb_in(text) == "MERGE" else None
        elif kind.startswith("Cache"):
            verb = None
        else:
            verb = next((verb for part, verb in _VERBS if part in kind), None)
        if verb is not None:
            fields = [plan.productElementName(i) for i in range(plan.productArity())]
            for name in _QUERIES:
                if name in fields:
                    return verb, plan.productElement(fields.index(name))
            return None
        children = plan.children()
        if children.size() != 1:
            return None
        plan = children.apply(0)
    return None


def _merged(plan: Any) -> Any | None:
    """What a MERGE merges, where Spark made of it a join with the table, to write the table's rows anew.

    That join holds the rows that stay as they are, too; what was merged is what its source gave.
    """
    for _ in range(_MOST_ABOVE_JOIN):
        kind = class_name(plan)
        if kind == "Join":
            if plan.joinType().toString() == "LeftAnti":
                return plan.left()  # nothing is updated: what isn't there yet is appended
            marked = [side for side in (plan.left(), plan.right()) if _is_source_of_merge(side)]
            return marked[0].children().apply(0) if marked else None
        if kind in ("ReplaceData", "WriteDelta", "WriteIceberg", "AppendData"):
            plan = plan.query()
        elif plan.children().size() == 1:
            plan = plan.children().apply(0)
        else:
            return None
    return None


def _is_source_of_merge(plan: Any) -> bool:
    """Whether Spark has marked the rows as those of a MERGE's source, in a column behind all others."""
    output = plan.output()
    return not output.isEmpty() and output.last().name() == "__row_from_source"
