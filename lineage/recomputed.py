"""An output of a recorded run in a Spark where it can be computed again: what those of every kind share."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from bigdebug.lineage.output import Output

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from bigdebug.lineage.store import StoredRun


class Recomputed:
    """An output of a recorded run, ready to be asked about. Close it to stop the Spark it started.

    Args:
        spark: the session to ask in.
        run: the recorded run.
        output: one of its outputs.
        allow_changed: go on where a source isn't what it was.
        owned: stop the session at the end.
    """

    def __init__(
        self, spark: SparkSession, run: StoredRun, output: Output, *, allow_changed: bool, owned: bool
    ) -> None:
        self.spark = spark
        self._run = run
        self._output = output
        self._allow_changed = allow_changed
        self._owned = owned

    def cancel(self) -> None:
        """Stop the jobs of a running question."""
        context = self.spark.sparkContext

        def cancel() -> None:
            with suppress(Exception):  # Spark may be stopped before this has its turn
                context.cancelAllJobs()

        if self._owned:
            # On a thread of its own: this one's connection to the JVM may be in the middle of a call.
            threading.Thread(target=cancel, daemon=True).start()

    def close(self) -> None:
        """Stop Spark, where it was started for this."""
        if self._owned:
            self.spark.stop()
