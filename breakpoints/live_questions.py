"""What a session offers for a look at a program that runs: breakpoints and watchpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark import RDD
    from pyspark.sql import Column, DataFrame

    from bigdebug.breakpoints.points.breakpoint import Breakpoint
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
        return found

    @property
    def breakpoints(self) -> list[Breakpoint]:
        """The breakpoints of this session, in the order they were set."""
        from bigdebug.breakpoints.live import live_of

        return live_of(self._recorder).breakpoints
