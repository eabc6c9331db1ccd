"""`capture="full"` for RDDs: the whole lineage of each output is written down right after its action.

In the user's own thread: the next line of the program may take a source away.
"""

from __future__ import annotations

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.recorder import Recorder


def capture_rdd(recorder: Recorder, number: int) -> None:
    """Index an output, if that is asked for; what is in the way is logged, and the program goes on.

    Args:
        recorder: whose run it is.
        number: of the output, whose action has just ended well.
    """
    if recorder.capture != "full" or number not in recorder.rows or recorder.tables is None:
        return
    from bigdebug.lineage.rdd.live import live_rdd_index

    try:
        live_rdd_index(recorder, recorder.outputs[number - 1])
    except BigDebugError as error:
        recorder.complain(f"index: {error.message}", "output %d isn't indexed: %s", number, error)
    except Exception as error:
        recorder.failed(error)
