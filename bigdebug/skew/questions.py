"""Questions about skew and slow records, as a session takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bigdebug.lineage.attachments import Attachment
from bigdebug.lineage.output import Output
from bigdebug.lineage.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark import RDD
    from pyspark.sql import Column, DataFrame

    from bigdebug.skew.progress import StageProgress
    from bigdebug.skew.report import SkewReport
    from bigdebug.skew.slow import SlowRecords
    from bigdebug.skew.thresholds import Thresholds


class SkewQuestions:
    """The part of a session that tells what is slow and lopsided."""

    _attachment: Attachment
    _recorder: Recorder

    def skew(self, data: DataFrame | RDD[Any] | Output, thresholds: Thresholds | None = None) -> SkewReport:
        """Tell how lopsided the shuffles of a dataflow are, by which keys, and what to do about it.

        Args:
            data: a DataFrame, an RDD, or an `Output` of this run.
            thresholds: from when on something is called skewed; those that people know, if None.

        Raises:
            BigDebugError: the question can't be answered; says why and what to do.
        """
        from bigdebug.lineage.live import live_question
        from bigdebug.lineage.rdd.live import is_about_rdd, live_rdd_question
        from bigdebug.skew.report import skew_of

        if is_about_rdd(self._recorder, data):
            from bigdebug.skew.rdds import skew_of_rdd

            seconds = data.seconds if isinstance(data, Output) else None
            return skew_of_rdd(live_rdd_question(self._recorder, data), thresholds, seconds)
        question = live_question(self._attachment.spark, self._recorder, data)
        return skew_of(question, thresholds, self._seconds_of(data, question))

    def slow_records(
        self,
        data: DataFrame | RDD[Any] | Output,
        top: int = 10,
        thresholds: Thresholds | None = None,
        *,
        where: str | Column | Callable[[Any], object] | None = None,
    ) -> SlowRecords:
        """Find the records that the program's functions take longest for, by computing the data once more.

        Functions of RDDs, and functions of rows and of batches of DataFrames, are timed record by record; batches
        that are slow are timed again in parts.

        Args:
            data: a DataFrame, an RDD, or an `Output` of this run.
            top: how many records.
            thresholds: `deviations` tells from when on a record is slow.
            where: which rows of `data`, as in `trace`: only the records that these come from are computed and timed,
                so that a slow row names the records that it waited for. All, if left out.

        Raises:
            BigDebugError: the question can't be answered; says why and what to do.
        """
        from bigdebug.lineage.live import live_question
        from bigdebug.lineage.rdd.live import is_about_rdd, live_rdd_question
        from bigdebug.skew.thresholds import Thresholds

        known = thresholds or Thresholds()
        if is_about_rdd(self._recorder, data):
            from bigdebug.skew.timing_rdds import slow_elements_of

            return slow_elements_of(live_rdd_question(self._recorder, data), top, known, where)
        from bigdebug.skew.timing_frames import slow_records_of

        return slow_records_of(live_question(self._attachment.spark, self._recorder, data), top, known, where)

    def progress(self, thresholds: Thresholds | None = None) -> list[StageProgress]:
        """The stages that the program's jobs run now, and the tasks that keep others waiting. Ask from another thread.

        Where a watchpoint by time stands (`session.watch(data, bigdebug.Slow())`), each task names the record that its
        function is busy with.

        Args:
            thresholds: tell what is a straggler; a task that runs longer than 5 s and 10 times the median, if None.

        Raises:
            UnreachableError: Spark was stopped.
        """
        from bigdebug.breakpoints.live import live_of
        from bigdebug.skew.progress import progress_of
        from bigdebug.skew.thresholds import Thresholds

        busy: dict[int, Any] = {}
        for watchpoint in live_of(self._recorder).watched.watchpoints:
            busy |= watchpoint.busy()
        return progress_of(self._attachment.context, thresholds or Thresholds(), busy)

    def _seconds_of(self, data: Any, question: Any) -> float | None:
        """How long the output took; of a DataFrame the last action on it."""
        if isinstance(data, Output):
            return data.seconds
        node = question.root.node
        if node is None:
            return None
        return next((each.seconds for each in reversed(self._recorder.outputs) if each.node == node.id), None)
