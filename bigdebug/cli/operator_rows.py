"""How many rows each operator gave, counted by computing the outputs of a run again."""

from collections.abc import Mapping

from bigdebug.cli.rendering import message_console, show_line, stage
from bigdebug.cli.replaying import ask_if_large, replaying
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.store import StoredRun

Rows = Mapping[int, Mapping[int, int]]
"""By output number, and by number of the operator."""


def count_rows(run: StoredRun) -> Rows:
    """Count for each output of a run that has a recipe; what stands in the way of one is said.

    Raises:
        BigDebugError: Spark can't be started.
    """
    outputs = [output for output in run.outputs if output.recipe == "stored"]
    if not outputs:
        raise BigDebugError(
            f"no output of {run.run_id} has a recipe, so no rows can be counted",
            hint="leave out --rows, or record the program again: bigdebug run",
        )
    from bigdebug.lineage.postmortem import open_output  # loads PySpark

    found = {}
    with replaying(run, outputs[0], allow_changed=False) as first:
        for output in outputs:
            try:
                replay = first if output is outputs[0] else open_output(run, output, spark=first.spark)
                ask_if_large(f"Each count of output {output.number}", replay.estimate())
                with stage(f"Counting the rows behind output {output.number}"):
                    found[output.number] = replay.rows_of_operators()
            except BigDebugError as error:
                show_line(message_console(), f"output {output.number} can't be counted: {error.message}")
    return found
