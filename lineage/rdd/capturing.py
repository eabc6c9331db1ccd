"""`capture="full"` for RDDs: the whole lineage of each output is written down right after its action.

Out of what taps noted while its job ran, where they could; else by a second pass. In the user's own thread: the next
line of the program may take a source away.
"""

from __future__ import annotations

import time
from typing import Any

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.recorder import Recorder


def capture_rdd(recorder: Recorder, number: int, tap: Any, result: Any) -> None:
    """Index an output, if that is asked for; what is in the way is logged, and the program goes on.

    Args:
        recorder: whose run it is.
        number: of the output, whose action has just ended well.
        tap: at what the action computed, if there was one.
        result: what the action gave.
    """
    if recorder.capture != "full" or number not in recorder.rows or recorder.tables is None:
        return
    from bigdebug.lineage.rdd.capture.finishing import finish_capture
    from bigdebug.lineage.rdd.live import live_rdd_index

    output = recorder.outputs[number - 1]
    rows: Any = recorder.rows[number]
    try:
        began = time.monotonic()
        if tap is None or not finish_capture(rows, tap, recorder.tables, number, result, began):
            live_rdd_index(recorder, output)
    except BigDebugError as error:
        recorder.complain(f"index: {error.message}", "output %d isn't indexed: %s", number, error)
        recorder.write_again()  # where what was written of the index had taken all room
    except Exception as error:
        recorder.failed(error)
