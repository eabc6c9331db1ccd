"""Questions that a report asks by itself: as their commands do, and with the JSON that these print."""

from typing import Any

from bigdebug.cli.isolate import answer_isolation
from bigdebug.cli.isolate_view import isolate_json
from bigdebug.cli.rendering import stage
from bigdebug.cli.replaying import replaying
from bigdebug.cli.trace import answer_trace, indexed_answer
from bigdebug.cli.trace_view import trace_json
from bigdebug.lineage.store import StoredRun

_MOST_RECORDS = 100


def ask_trace(run: StoredRun, output: str, where: str) -> dict[str, Any]:
    """A backward trace: from the output's index, where it has one, else by Spark."""
    chosen = run.output(output)
    answer = indexed_answer(run, chosen, where, None, _MOST_RECORDS) if run.indexed(chosen.number) else None
    if answer is None:
        with replaying(run, chosen, allow_changed=False) as replay:
            answer = answer_trace(replay.trace(where), run, chosen, where, None, _MOST_RECORDS)
    return trace_json(answer)


def ask_isolation(run: StoredRun, output: str, failing: str, store: str) -> dict[str, Any]:
    """The records to blame for wrong rows."""
    chosen = run.output(output)
    with replaying(run, chosen, allow_changed=False) as replay:
        with stage("Looking at the sources"):
            question = replay.question()
        return isolate_json(answer_isolation(question, failing, run, chosen, store), _MOST_RECORDS)
