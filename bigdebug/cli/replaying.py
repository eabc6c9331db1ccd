"""What commands that compute an output again share: Spark for it, and a word before it costs much."""

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import rich_click as click

from bigdebug.cli.quiet import quiet_spark
from bigdebug.cli.rendering import message_console, show_line, stage
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.estimate import LARGE_BYTES
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun
from bigdebug.wording.quantities import duration, size

if TYPE_CHECKING:
    from bigdebug.lineage.estimate import Estimate
    from bigdebug.lineage.postmortem import Replay
    from bigdebug.lineage.rdd.postmortem import RddReplay


@contextlib.contextmanager
def replaying(run: StoredRun, output: Output, allow_changed: bool) -> "Iterator[Replay | RddReplay]":
    """An output that can be computed again. An interrupt cancels the jobs that this started."""
    with quiet_spark():
        with stage("Starting Spark and opening the recipe"):
            from bigdebug.lineage.postmortem import open_output  # loads PySpark

            replay = open_output(run, output, allow_changed=allow_changed)
        try:
            yield replay
        except KeyboardInterrupt:
            with contextlib.suppress(Exception):
                replay.cancel()
            raise
        finally:
            with contextlib.suppress(Exception):
                replay.close()


def cost(what: str, estimate: "Estimate") -> str:
    """What a question reads and how long it takes, as a sentence.

    Args:
        what: its subject.
        estimate: of the question.
    """
    if estimate.seconds is None:
        return f"{what} reads {size(estimate.bytes)}."
    return f"{what} reads {size(estimate.bytes)} and takes about {duration(estimate.seconds)}."


def ask_if_large(what: str, estimate: "Estimate") -> None:
    """Say what a large question costs; on a terminal, ask.

    Raises:
        BigDebugError: the answer was no.
    """
    if estimate.bytes <= LARGE_BYTES:
        return
    show_line(message_console(), cost(what, estimate))
    if sys.stdin.isatty() and sys.stderr.isatty() and not click.confirm("Go on?", default=True, err=True):
        raise BigDebugError("nothing was asked")
