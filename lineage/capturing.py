"""`capture="full"`: the whole lineage of each output is written down right after its action.

In the user's own thread: the next line of the program may take a source away.
"""

from __future__ import annotations

from typing import Any

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.recorder import Recorder


def capture(recorder: Recorder, spark: Any, number: int, execution: Any | None = None) -> None:
    """Index an output, if that is asked for; what is in the way is logged, and the program goes on.

    Args:
        recorder: whose run it is.
        spark: the PySpark session.
        number: of the output, whose action has just ended well.
        execution: the JVM `QueryExecution` that gave its rows, if there is one.
    """
    if recorder.capture != "full" or number not in recorder.rows or recorder.tables is None:
        return
    from bigdebug.lineage.live import live_index

    output = recorder.outputs[number - 1]
    try:
        live_index(spark, recorder, output, execution)
    except BigDebugError as error:
        recorder.complain(f"index: {error.message}", "output %d isn't indexed: %s", number, error)
        recorder.write_again()  # where what was written of the index had taken all room
    except Exception as error:
        recorder.failed(error)
