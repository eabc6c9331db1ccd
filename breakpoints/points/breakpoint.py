"""A simulated breakpoint: the job goes on, and what passes the point is computed again when somebody looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bigdebug.breakpoints.points.answers import Answers, answers_at
from bigdebug.breakpoints.points.debugging import debug
from bigdebug.breakpoints.points.inputs import inputs_of
from bigdebug.breakpoints.points.places import Place, nodes_at, place_of, place_of_node
from bigdebug.breakpoints.points.resuming import Resumed, resumed
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.described import Described, Description
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.recorder import Recorder


class Breakpoint(Described):
    """A point of the dataflow that can be looked at. Never stops a job; runs jobs of its own when it is asked.

    What was asked once is kept, for as long as the breakpoint is.

    Args:
        spark: the attached session.
        recorder: what the program does.
        data: where it stands: a DataFrame, an RDD, an `Output`, or a call site that the program may only reach later.
        when: which records: SQL text or a Column over the rows, of an RDD a function of an element or an expression
            in Python; None for all.
        number: of the breakpoint, within the session.
    """

    def __init__(
        self, spark: Any, recorder: Recorder, data: Any, when: Any = None, number: int | None = None
    ) -> None:
        self.number = number
        self._spark = spark
        self._recorder = recorder
        self._data = data
        self._when = when
        self._place: Place | None = None
        self._answers: Answers | None = None
        self._records: list[Any] = []
        self._asked_for = 0
        self._all = False
        self._count: int | None = None
        self._trace: Any = None
        if not isinstance(data, str):
            self._at()
        else:
            nodes_at(recorder, data)  # what is no call site is said now

    # -- what there is --------------------------------------------------------------------------------

    @property
    def reached(self) -> bool:
        """Whether the program has asked for the operator yet."""
        return not isinstance(self._data, str) or bool(nodes_at(self._recorder, self._data))

    @property
    def at(self) -> str | None:
        """The call site that it was set at; None of one that was set at data."""
        return self._data if isinstance(self._data, str) else None

    @property
    def when(self) -> str | None:
        """Which records, as text; None for all, or where a function says so."""
        text = getattr(self._when, "text", self._when)
        return text if isinstance(text, str) else None

    @property
    def operator(self) -> str | None:
        """The operator whose records pass, as the user called it; None where it isn't known yet."""
        node = self._at().node if self.reached else None
        return node.operator if node else None

    @property
    def call_site(self) -> CallSite | None:
        """Where the operator stands."""
        node = self._at().node if self.reached else None
        return node.call_site if node else None

    def records(self, limit: int = 20) -> list[Any]:
        """Up to `limit` of the records that pass: Rows, or elements."""
        if limit > self._asked_for and not self._all:
            self._records = self._asked().records(limit)
            self._asked_for = limit
            self._all = len(self._records) < limit
        return self._records[:limit]

    def count(self) -> int:
        """How many records pass."""
        if self._count is None:
            self._count = len(self._records) if self._all else self._asked().count()
        return self._count

    def trace(self) -> Any:
        """A backward trace of the records that pass, as `Session.trace` gives it."""
        if self._trace is None:
            self._trace = self._asked().trace()
        return self._trace

    def next(self) -> Breakpoint:
        """The breakpoint at the next operator downstream; of several the one that was asked for first.

        Raises:
            BigDebugError: nothing that was recorded reads what passes here.
        """
        node = self._at().node
        self._recorder.settle()
        graph = self._recorder.dataflow.graph()
        if node is not None and node.id in graph:
            for number in sorted(graph.successors(node.id)):
                place = place_of_node(self._spark, self._recorder, number)
                if place is not None:
                    return self._there(place)
        raise BigDebugError(
            f"nothing at hand reads what passes {self._described()}",
            hint="an operator downstream counts once the program has asked for it, and its frame or an output is "
            "there",
        )

    def inputs(self, limit: int = 20) -> list[Any]:
        """Up to `limit` of the records that the operator reads, of its first input; `debug` takes one of them."""
        places = inputs_of(self._spark, self._recorder, self._at())
        if not places:
            raise BigDebugError(f"{self._described()} is a source: it reads no records")
        return answers_at(self._recorder, places[0], None).records(limit)

    # -- what can be tried ----------------------------------------------------------------------------

    def debug(self, record: Any) -> Any:
        """Run the user's function at this point on one record, in the driver and under `pdb`.

        Args:
            record: one that the operator reads, as `inputs` gives them.

        Returns:
            What the function gave.

        Raises:
            BigDebugError: no function of the user's is called here with a record.
        """
        return debug(self._spark, self._recorder, self._at(), record)

    def resume(self, patch: Callable[..., Any] | None = None) -> list[Resumed]:
        """Compute anew what lies downstream, with the operator at this point replaced.

        What the operator reads is computed once and kept in Spark, for the next patch. Nothing is written: what an
        output would hold comes as a frame or an RDD.

        Args:
            patch: takes the operator's place: a function of its input frames, each once, that gives a frame of the
                same columns. Of an RDD's operator the function that it calls, or, where it calls none or several, a
                function of its input RDDs. None leaves it as it is.

        Returns:
            The outputs downstream that are at hand, each with its data; where there are none, that of the point.

        Raises:
            BigDebugError: the patched step gives other columns, or other kinds of elements.
        """
        return resumed(self._spark, self._recorder, self._at(), patch)

    # -- inside ---------------------------------------------------------------------------------------

    def _at(self) -> Place:
        if self._place is None:
            self._place = place_of(self._spark, self._recorder, self._data)
        return self._place

    def _asked(self) -> Answers:
        if self._answers is None:
            self._answers = answers_at(self._recorder, self._at(), self._when)
        return self._answers

    def _there(self, place: Place) -> Breakpoint:
        found = Breakpoint.__new__(Breakpoint)
        found.__dict__.update(self.__dict__)
        found.number, found._when, found._place, found._data = None, None, place, place
        found._answers = found._count = found._trace = None
        found._records, found._asked_for, found._all = [], 0, False
        return found

    def _described(self) -> str:
        node = self._at().node
        if node is None:
            return "this point"
        return f"{node.operator} at {node.call_site.label}" if node.call_site else node.operator

    def _description(self) -> Description:
        if not self.reached:
            return Description(repr(self)[1:-1])
        when = f", when {self.when}" if self.when else ""
        told = "records(), count(), trace(), next(), debug(record) and resume(patch) compute what passes here"
        return Description(f"Breakpoint at {self._described()}{when}", notes=[told])

    def __repr__(self) -> str:
        if not self.reached:
            return f"<Breakpoint at {self._data}, not reached yet>"
        return f"<Breakpoint at {self._described()}>"
