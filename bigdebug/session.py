"""The session that attaching gives: the way into everything bigdebug does."""

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from bigdebug.breakpoints.crashes.handling import CrashHandling
from bigdebug.breakpoints.live_questions import LiveQuestions
from bigdebug.lineage.attachments import Attachment, attachments
from bigdebug.lineage.described import Described, Description, Table, site_label
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.output import Output
from bigdebug.lineage.patches import patches
from bigdebug.skew.questions import SkewQuestions

if TYPE_CHECKING:
    import networkx
    from pyspark import RDD
    from pyspark.sql import Column, DataFrame

    from bigdebug.isolation.found import Isolation
    from bigdebug.isolation.isolating import Failing, Progress
    from bigdebug.isolation.skew import Skew
    from bigdebug.isolation.writing import Origin
    from bigdebug.lineage.forward import ForwardTrace
    from bigdebug.lineage.index.reading import Index
    from bigdebug.lineage.rdd.index.reading import RddIndex
    from bigdebug.lineage.rdd.trace import RddTrace
    from bigdebug.lineage.rdd.whynot import RddWhyNot
    from bigdebug.lineage.trace import Trace
    from bigdebug.lineage.whynot import WhyNot

_MOST_SHOWN = 20
_DIRECTIONS = ("backward", "forward")


class WrongValueError(BigDebugError, ValueError):
    """An argument is none of the values that there are."""


class Session(Described, LiveQuestions, CrashHandling, SkewQuestions):
    """A SparkSession under the debugger. Made by `attach`; a context manager that detaches at its end."""

    def __init__(self, attachment: Attachment, *, owns_recorder: bool) -> None:
        self._attachment = attachment
        self._recorder = attachment.recorder
        self._owns_recorder = owns_recorder

    @property
    def run_id(self) -> str:
        """Id of the run that is being recorded. A run with very many outputs goes on in a new one."""
        run_id = self._recorder.run_id
        assert run_id is not None
        return run_id

    @property
    def graph(self) -> "networkx.DiGraph[int]":
        """The dataflow so far: a snapshot, with the attributes `operator` and `call_site` on each node."""
        self._recorder.settle()
        return self._recorder.dataflow.graph()

    @property
    def outputs(self) -> list[Output]:
        """The outputs of the run so far; that of number N stands at N - 1."""
        return self._recorder.outputs

    @property
    def _rows(self) -> dict[int, Any]:
        """By output number, the plans of the last outputs."""
        return self._recorder.rows

    @overload
    def trace(self, data: "RDD[Any] | Output", where: "Callable[[Any], object]") -> "RddTrace": ...

    @overload
    def trace(
        self,
        data: "RDD[Any]",
        where: "str | Callable[[Any], object] | None" = None,
        *,
        direction: Literal["forward"],
    ) -> "ForwardTrace": ...

    @overload
    def trace(
        self,
        data: "DataFrame | RDD[Any] | Output",
        where: "str | Column | None" = None,
        direction: Literal["backward"] = "backward",
        *,
        windows: bool = False,
        influence: bool = False,
        column: str | None = None,
    ) -> "Trace": ...

    @overload
    def trace(
        self, data: "DataFrame", where: "str | Column | None" = None, *, direction: Literal["forward"]
    ) -> "ForwardTrace": ...

    def trace(
        self,
        data: "DataFrame | RDD[Any] | Output",
        where: "str | Column | Callable[[Any], object] | None" = None,
        direction: str = "backward",
        *,
        windows: bool = False,
        influence: bool = False,
        column: str | None = None,
    ) -> "Trace | ForwardTrace | RddTrace":
        """Trace rows back to the source records they came from, or source records forward to the rows they went into.

        Args:
            data: a DataFrame, an RDD, or an `Output` of this run; for `forward` the DataFrame or RDD that reads a
                source.
            where: which rows: SQL text or a Column over the columns of `data`; of an RDD a function of an
                element, or the text of an expression in Python of an element `x`; all, if left out.
            direction: `backward`, or `forward`: to the outputs of this run so far.
            windows: go back to all rows of a window's partition, not just to the one that a row stands on.
            influence: go back to what semi and anti joins and subqueries looked up, too.
            column: one column of `data`: `columns` and `deciding_columns` of the trace's sources are those that
                its values rest on. The records are the same. All columns, if left out.

        Raises:
            UnknownNameError: `where` or `column` names a column that `data` doesn't have.
            BigDebugError: the question can't be answered; says why and what to do.
        """
        from bigdebug.lineage.beside import Beside
        from bigdebug.lineage.live import live_trace
        from bigdebug.lineage.live_forward import live_forward, live_rdd_forward
        from bigdebug.lineage.rdd.live import is_about_rdd, live_rdd_trace

        if direction not in _DIRECTIONS:
            raise WrongValueError(f"direction can't be {direction!r}", hint='it is "backward" or "forward"')
        if is_about_rdd(self._recorder, data):
            if column is not None:
                raise WrongValueError(
                    "column is for DataFrames: elements of RDDs have no columns", hint="leave it out"
                )
            if direction == "forward":
                _require_alone(windows or influence)
                return live_rdd_forward(self._recorder, self._attachment.spark, data, where)
            return live_rdd_trace(self._recorder, data, where, Beside(windows, influence))
        if direction == "forward":
            _require_alone(windows or influence or column is not None)
            return live_forward(self._attachment.spark, self._recorder, data, where)
        beside = Beside(windows, influence)
        return live_trace(self._attachment.spark, self._recorder, data, where, beside, column)

    @overload
    def why_not(self, data: "DataFrame | Output", where: "str | Column") -> "WhyNot": ...

    @overload
    def why_not(self, data: "RDD[Any] | Output", where: "str | Callable[[Any], object]") -> "RddWhyNot": ...

    def why_not(
        self, data: "DataFrame | RDD[Any] | Output", where: "str | Column | Callable[[Any], object]"
    ) -> "WhyNot | RddWhyNot":
        """Tell why rows are missing: how many like them enter and leave each operator, and which one dropped them.

        Args:
            data: a DataFrame, an RDD, or an `Output` of this run.
            where: what the missing rows would fulfil: SQL text or a Column over the columns of `data`; of an RDD a
                function of an element, or the text of an expression in Python of an element `x`, or of the `key`
                and `value` of a pair.

        Raises:
            BigDebugError: the question can't be answered; says why and what to do.
        """
        from bigdebug.lineage.live import live_why_not
        from bigdebug.lineage.rdd.live import is_about_rdd, live_rdd_why_not

        if is_about_rdd(self._recorder, data):
            return live_rdd_why_not(self._recorder, data, where)
        return live_why_not(self._attachment.spark, self._recorder, data, where)

    def isolate(
        self,
        data: "DataFrame | RDD[Any] | Output",
        failing: "Failing | Callable[[Any], object] | Skew",
        budget: float | str | None = None,
        progress: "Callable[[Progress], None] | None" = None,
    ) -> "Isolation":
        """Find the few input records behind wrong rows, proven by running the pipeline on parts of its input.

        Args:
            data: a DataFrame, an RDD, or an `Output` of this run.
            failing: SQL text or a Column over the columns of `data`: the rows for which it holds are wrong. Or the
                rows that were expected, as a DataFrame: compared by the grouping columns, rows that differ or are
                too many are wrong, and what became of missing ones is told in `notes`. Or a function of the list
                of all rows, true if they are wrong. Or `bigdebug.Skew(…)`: groups that hold too much, and the fewest
                records without which they don't. Of an RDD it is a function of an element, or the text of an
                expression in Python of an element `x`, or of the `key` and `value` of a pair; or `bigdebug.Skew(…)`.
            budget: how many seconds to search, or how many replays, as text (`50 replays`); the best found by then is
                the answer. So it is after Ctrl-C.
            progress: told after each round how far it is.

        Raises:
            BigDebugError: the question can't be answered; says why and what to do.
        """
        from bigdebug.lineage.rdd.live import is_about_rdd, live_rdd_question

        recorder = self._recorder
        number = data.number if isinstance(data, Output) else None
        if is_about_rdd(recorder, data):
            from bigdebug.isolation.rdd.isolating import isolate_rdd

            asked = live_rdd_question(recorder, data)
            node = asked.rows.operator.node
            origin = self._origin(number, node.id if node else None)
            return isolate_rdd(asked, failing, budget=budget, progress=progress, origin=origin)
        from bigdebug.isolation.isolating import isolate
        from bigdebug.lineage.live import live_execution, live_question

        question = live_question(self._attachment.spark, recorder, data)
        node = question.root.node
        origin = self._origin(number, node.id if node else None)
        execution = live_execution(recorder, data)
        return isolate(
            question, failing, budget=budget, progress=progress, execution=execution, origin=origin
        )

    def _origin(self, number: int | None, node: int | None) -> "Origin":
        """Where what is asked about is recorded: an action on this very data, if there was one, can be repeated."""
        from bigdebug.isolation.writing import Origin

        recorder = self._recorder
        if number is None and node is not None:
            number = next((each.number for each in recorder.outputs if each.node == node), None)
        return Origin(recorder.store, self.run_id, number, recorder.redact)

    def index(self, output: Output) -> "Index | RddIndex":
        """Write the whole lineage of an output to the store: traces of it then need no Spark.

        Args:
            output: an output of this run.

        Raises:
            BigDebugError: its lineage can't be told, or can't be written; says why and what to do.
        """
        from bigdebug.lineage.live import live_index
        from bigdebug.lineage.rdd.live import is_about_rdd, live_rdd_index

        if is_about_rdd(self._recorder, output):
            return live_rdd_index(self._recorder, output)
        return live_index(self._attachment.spark, self._recorder, output)

    def detach(self) -> None:
        """Stop recording, store what waits, and leave PySpark as it was. Detaching twice does no harm."""
        self._detach("done")

    def _detach(self, status: str) -> None:
        attachments.remove(self._attachment)
        if not attachments.all():
            patches.uninstall()
        if self._owns_recorder:
            self._close_live()
            self._recorder.close(status)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._detach("done" if error is None else "failed")

    def _description(self) -> Description:
        outputs = self.outputs
        rows = [
            (each.number, each.action, each.target, site_label(each), each.rows, each.seconds, each.status)
            for each in outputs[-_MOST_SHOWN:]
        ]
        shown = [["" if value is None else value for value in row] for row in rows]
        names = ("output", "action", "target", "at", "rows", "seconds", "status")
        caption = (
            f"the last {len(rows)} of {len(outputs):,} outputs" if len(outputs) > len(rows) else "outputs"
        )
        title = repr(self)[1:-1]
        return (
            Description(title, [Table(caption, names, shown)])
            if rows
            else Description(f"{title}, no outputs yet")
        )

    def __repr__(self) -> str:
        state = "attached" if self._attachment.active else "detached"
        return f"<bigdebug.Session run {self._recorder.run_id}, {state}>"


def _require_alone(beside: bool) -> None:
    if beside:
        raise WrongValueError(
            "windows, influence and column are for backward traces", hint="leave them out, or trace backward"
        )
