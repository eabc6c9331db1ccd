"""What the fixture `dataflow` is: assertions about rows and their lineage that name the records to blame."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from bigdebug.lineage.attachments import attachments
from bigdebug.lineage.errors import BigDebugError
from bigdebug.pytest_plugin import DataflowAssertionError
from bigdebug.pytest_plugin.failure import Failure

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from bigdebug.pytest_plugin.recording import Recording
    from bigdebug.session import Session

_Given = TypeVar("_Given")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Dataflow:
    """Assertions about the frames of a test. A failing one shows the input records behind each failing row.

    Args:
        recording: of the test; None where nothing is to be recorded.
        budget: seconds that the isolation of one failure may take.
    """

    def __init__(self, recording: Recording | None, budget: float) -> None:
        self._recording = recording
        self._budget = budget

    # -- the public face ----------------------------------------------------------------------------

    @property
    def session(self) -> Session | None:
        """The debugger of the SparkSession that was used last; None where nothing is recorded."""
        every = [each for each in attachments.all() if each.spark is not None]
        return every[-1].face if every else None

    def assert_all(self, frame: DataFrame, condition: str | Column) -> None:
        """Every row fulfils a condition. One for which it is NULL doesn't.

        Args:
            frame: whose rows.
            condition: SQL text or a Column over its columns.

        Raises:
            DataflowAssertionError: some don't; tells the records behind them.
        """
        __tracebackhide__ = True
        failing = _not_true(condition)
        count, nulls, every = self._counted(frame, "assert_all", failing, condition)
        if count:
            headline = f"{_of(count, every)} {'fails' if count == 1 else 'fail'}: {_shown(frame, condition)}"
            if nulls:
                which = "it is NULL" if count == nulls == 1 else f"for {nulls:,} of them it is NULL"
                headline += f" ({which})"
            self._fail(headline, frame, "assert_all", failing, sys._getframe(1))

    def assert_none(self, frame: DataFrame, condition: str | Column) -> None:
        """No row fulfils a condition. One for which it is NULL doesn't.

        Args:
            frame: whose rows.
            condition: SQL text or a Column over its columns.

        Raises:
            DataflowAssertionError: some do; tells the records behind them.
        """
        __tracebackhide__ = True
        count, _, every = self._counted(frame, "assert_none", condition, condition)
        if count:
            headline = (
                f"{_of(count, every)} {'fulfils' if count == 1 else 'fulfil'}: {_shown(frame, condition)}"
            )
            self._fail(headline, frame, "assert_none", condition, sys._getframe(1))

    def assert_unique(self, frame: DataFrame, *columns: str) -> None:
        """No two rows have the same values in some columns, NULL counted as a value; in all of them if none is named.

        Args:
            frame: whose rows.
            columns: their names.

        Raises:
            DataflowAssertionError: some have; tells the records that make them twice.
        """
        __tracebackhide__ = True
        from pyspark.sql import functions as F

        from bigdebug.lineage.sql_names import quoted

        _require_frame(frame)
        keys = columns or tuple(frame.columns)
        rows = "rows" if "rows" not in keys else "rows of it"
        groups = frame.groupBy(*map(quoted, keys)).agg(F.count("*").alias(rows))
        failing = f"{quoted(rows)} > 1"
        count, _, _ = self._counted(groups, "assert_unique", failing, failing, acted=frame)
        if count:
            what = "value is" if count == 1 else "values are"
            headline = f"{count:,} {what} there more than once: {', '.join(keys)}"
            self._fail(headline, groups, "assert_unique", failing, sys._getframe(1), acted=frame, alike=True)

    def assert_equal(self, actual: DataFrame, expected: Any, **options: Any) -> None:
        """Two frames are equal, as `pyspark.testing.assertDataFrameEqual` means it.

        Args:
            actual: what the pipeline gave.
            expected: what it should give: a DataFrame, or a list of Rows.
            options: those of `assertDataFrameEqual` (`checkRowOrder`, `rtol`, …).

        Raises:
            DataflowAssertionError: they differ; tells the records behind rows that differ or are too many, and for
                rows that are missing the operator that dropped them.
        """
        __tracebackhide__ = True
        _require_frame(actual)
        from pyspark.errors import PySparkAssertionError
        from pyspark.testing import assertDataFrameEqual

        try:
            self._tried(actual, "assert_equal", lambda: assertDataFrameEqual(actual, expected, **options))
        except PySparkAssertionError as error:
            from bigdebug.pytest_plugin.equality import tell_difference

            failure = Failure("the frames aren't equal", detail=_first_lines(_COLOUR.sub("", str(error))))
            session = self._session_of(actual)
            if session is not None and self._budget > 0:
                tell_difference(failure, session, actual, expected, self._budget)
            self._raise(failure, actual, "assert_equal", sys._getframe(1))

    def assert_comes_from(
        self, frame: DataFrame, where: str | Column | None, sources: Mapping[str, str | Column]
    ) -> None:
        """The source records that rows come from fulfil conditions.

        Args:
            frame: whose rows.
            where: which of them: SQL text or a Column over its columns; None for all.
            sources: by source (a table, view or file, or an unambiguous beginning of its name) a condition over its
                columns. Each of its records behind the rows must fulfil it; `"false"` says that there must be none.

        Raises:
            DataflowAssertionError: some records don't, or there is no such row.
            BigDebugError: it can't be told where the rows come from.
        """
        __tracebackhide__ = True
        _require_frame(frame)
        session = self._session_of(frame)
        if session is None:
            if self._recording is None:
                import pytest

                pytest.skip("lineage can't be asserted: bigdebug is off")
            raise BigDebugError(
                "the frame's SparkSession isn't recorded, so its lineage can't be told",
                hint="make it a classic session that isn't stopped",
            )
        from bigdebug.pytest_plugin.lineage_check import check_sources

        failure = check_sources(session, frame, where, sources)
        if failure is not None:
            self._raise(failure, frame, "assert_comes_from", sys._getframe(1))

    def __repr__(self) -> str:
        return f"<bigdebug dataflow, {'off' if self._recording is None else 'recording'}>"

    # -- inside -------------------------------------------------------------------------------------

    def _counted(
        self,
        frame: DataFrame,
        action: str,
        failing: str | Column,
        condition: str | Column,
        acted: DataFrame | None = None,
    ) -> tuple[int, int, int]:
        """In one job: how many rows fail, for how many the condition is NULL, how many there are."""
        __tracebackhide__ = True
        from pyspark.sql import functions as F

        _require_frame(frame)
        wrong, null = _column(failing), _column(condition).isNull()
        counts = frame.agg(F.count(F.when(wrong, 1)), F.count(F.when(null, 1)), F.count("*"))
        row = self._tried(acted if acted is not None else frame, action, counts.collect)[0]
        return row[0], row[1], row[2]

    def _tried(self, frame: DataFrame, action: str, compute: Callable[[], _Given]) -> _Given:
        """Compute something; if a function of the program crashes, the error says on which records."""
        __tracebackhide__ = True
        try:
            return compute()
        except Exception as error:
            session = self._session_of(frame)
            if session is not None and not isinstance(error, AssertionError):
                guard: Any = session._recorder.crash_guard
                number = self._as_output(frame, action, _outside(sys._getframe(1)), error)
                if guard is not None and number is not None:
                    guard.failed(number, frame.sparkSession, error)
            raise

    def _fail(
        self,
        headline: str,
        frame: DataFrame,
        action: str,
        failing: str | Column,
        caller: FrameType,
        acted: DataFrame | None = None,
        alike: bool = False,
    ) -> NoReturn:
        __tracebackhide__ = True
        from bigdebug.pytest_plugin.blaming import blame, show_rows

        failure = Failure(headline)
        session = self._session_of(frame)
        if session is None or self._budget <= 0:
            show_rows(failure, frame, failing)
        if session is not None:
            blame(failure, session, frame, failing, self._budget, reproduction_only=alike)
        self._raise(failure, frame if acted is None else acted, action, caller)

    def _raise(self, failure: Failure, frame: DataFrame, action: str, caller: FrameType) -> NoReturn:
        __tracebackhide__ = True
        if self._session_of(frame) is not None:
            self._as_output(frame, action, caller, None)
            self._keep(failure, frame)
        raise DataflowAssertionError(failure) from None

    def _keep(self, failure: Failure, frame: DataFrame) -> None:
        session = self._session_of(frame)
        if session is None:
            return
        recorder: Any = session._recorder
        if self._recording is not None and self._recording.records(recorder):
            failure.run = self._recording.keep()
        else:
            failure.run = session.run_id if recorder.writer is not None else None
        if failure.run is not None:
            failure.command = opening(failure.run, recorder.store)

    def _as_output(
        self, frame: DataFrame, action: str, caller: FrameType, error: Exception | None
    ) -> int | None:
        """Record the frame as one that was acted on, so that it can be asked about in its run."""
        from bigdebug.lineage.actions import rows_of
        from bigdebug.lineage.failure import error_text
        from bigdebug.lineage.nodes import call_site, node_id_of

        attachment = attachments.of(frame.sparkSession)
        if attachment is None:
            return None
        try:
            handle = attachment.recorder.add_output(
                action,
                node=node_id_of(attachment, frame),
                call_site=call_site(attachment, caller),
                started=time.time(),
                rows=rows_of(attachment, frame._jdf.logicalPlan()),
                spark=attachment.spark,
            )
            if error is None:
                handle.end("done")
            else:
                handle.end("failed", error=error_text(error))
        except Exception as problem:
            attachment.recorder.failed(problem)
            return None
        return handle.number

    def _session_of(self, frame: DataFrame) -> Session | None:
        if self._recording is None or not hasattr(frame, "_jdf"):
            return None
        return self._recording.session_of(frame.sparkSession)


def opening(run: str, store: str) -> str:
    """The command that opens a run: in the terminal app where that is installed."""
    shown = os.path.relpath(store) if "://" not in store and not store.startswith("file:") else store
    default = os.environ.get("BIGDEBUG_STORE", ".bigdebug")
    place = "" if shown == default else f" --store {shlex.quote(min(shown, store, key=len))}"
    command = "tui" if importlib.util.find_spec("bigdebug.cli.tui") is not None else "show"
    return f"bigdebug {command} {run}{place}"


def _require_frame(frame: object) -> None:
    if not hasattr(frame, "sparkSession"):
        raise BigDebugError(
            f"the fixture asserts things about DataFrames, not about {type(frame).__name__}",
            hint="make it one: rdd.toDF(), spark.createDataFrame(…); an RDD's elements session.isolate knows",
        )


def _not_true(condition: str | Column) -> str | Column:
    if isinstance(condition, str):
        return f"({condition}) is not true"
    from pyspark.sql import functions as F

    return ~F.coalesce(condition, F.lit(False))


def _column(condition: str | Column) -> Column:
    from pyspark.sql import functions as F

    return F.expr(condition) if isinstance(condition, str) else condition


def _shown(frame: DataFrame, condition: str | Column) -> str:
    """A condition as SQL."""
    if isinstance(condition, str):
        return condition
    try:
        return str(frame.where(condition)._jdf.logicalPlan().condition().sql())
    except Exception:  # a plan of another shape, or of another kind of session
        return str(condition).removeprefix("Column<'").removesuffix("'>")


def _of(count: int, every: int) -> str:
    return f"{count:,} of {every:,} row{'' if every == 1 else 's'}"


def _first_lines(text: str, most: int = 40) -> list[str]:
    lines = text.strip().splitlines()
    return lines if len(lines) <= most else [*lines[:most], f"… {len(lines) - most:,} more lines"]


def _outside(frame: FrameType) -> FrameType:
    """The first frame that isn't ours."""
    outer: FrameType | None = frame
    while outer is not None and outer.f_globals.get("__name__", "").startswith(__package__ or "bigdebug"):
        outer = outer.f_back
    return outer or frame
