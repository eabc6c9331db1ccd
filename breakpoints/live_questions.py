"""What a session offers for a look at a program that runs: breakpoints and watchpoints."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark import RDD
    from pyspark.sql import Column, DataFrame

    from bigdebug.breakpoints.points.breakpoint import Breakpoint
    from bigdebug.breakpoints.watch.watchpoint import Watchpoint
    from bigdebug.lineage.attachments import Attachment
    from bigdebug.lineage.output import Output
    from bigdebug.lineage.recorder import Recorder


class LiveQuestions:
    """Part of `Session`."""

    _attachment: Attachment
    _recorder: Recorder

    def breakpoint(
        self,
        data: DataFrame | RDD[Any] | Output | str,
        when: str | Column | Callable[[Any], object] | None = None,
    ) -> Breakpoint:
        """A simulated breakpoint: the job goes on, and what passes that point can be looked at.

        Args:
            data: where: a DataFrame, an RDD, an `Output` of this run, or the call site of an operator
                (`etl.py:42`), which the program need not have reached yet.
            when: which records: SQL text or a Column over the rows; of an RDD a function of an element, or the text
                of an expression in Python of an element `x`; all, if left out.

        Raises:
            BigDebugError: there can't be one; says why and what to do.
        """
        from bigdebug.breakpoints.points.breakpoint import Breakpoint

        found = Breakpoint(
            self._attachment.spark, self._recorder, data, when, number=len(self.breakpoints) + 1
        )
        self.breakpoints.append(found)
        if found.at is not None:
            from bigdebug.breakpoints.remote import keep_breakpoints

            keep_breakpoints(self._recorder)
        return found

    @property
    def breakpoints(self) -> list[Breakpoint]:
        """The breakpoints of this session, in the order they were set."""
        from bigdebug.breakpoints.live import live_of

        return live_of(self._recorder).breakpoints

    def watch(
        self,
        data: DataFrame | RDD[Any] | Output | str,
        guard: str | Column | Callable[[Any], object],
        capacity: int = 100,
    ) -> Watchpoint:
        """A guarded watchpoint: catches the records that satisfy the guard, as the program's own jobs run.

        Args:
            data: what to watch: a DataFrame, an RDD, an `Output` of this run, or the call site of an operator
                (`etl.py:42`), which the program need not have reached yet.
            guard: SQL text or a Column over the rows of a DataFrame: Spark itself counts for how many it holds. Or a
                function of a record, which Spark's Python workers call with each; of an RDD the text of an
                expression in Python of an element `x`, too.
            capacity: how many records are kept; all are counted.

        Raises:
            BigDebugError: there can't be one; says why and what to do.
        """
        from bigdebug.breakpoints.channel.channels import channels_of
        from bigdebug.breakpoints.live import live_of
        from bigdebug.breakpoints.watch.watchpoint import Watchpoint

        live = live_of(self._recorder)
        found = Watchpoint(
            self._attachment.spark,
            self._attachment.context,
            self._recorder,
            data,
            guard,
            capacity,
            len(live.watched.watchpoints) + 1,
            live.captures.change,
        )
        channels_of(self._recorder).exchange(self._attachment.context).on("caught", live.watched.hear)
        live.watched.add(found)
        return found

    @property
    def watchpoints(self) -> list[Watchpoint]:
        """The watchpoints of this session, in the order they were set."""
        from bigdebug.breakpoints.live import live_of

        return live_of(self._recorder).watched.watchpoints

    def _open_to_others(self) -> None:
        """Be reached from another terminal; a fault in that is said, and nothing more."""
        try:
            if self._recorder.folder is not None:
                from bigdebug.breakpoints.remote import open_to_others

                open_to_others(self, self._recorder)
        except Exception as error:
            self._recorder.failed(error)

    def _close_live(self) -> None:
        if "bigdebug.breakpoints.channel.channels" in sys.modules:  # else nothing of it was used
            from bigdebug.breakpoints.live import close_live

            close_live(self._recorder)
