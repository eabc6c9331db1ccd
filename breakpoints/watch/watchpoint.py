"""A guarded watchpoint: which records satisfy its guard, caught as the user's own job runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from bigdebug.breakpoints.channel.channels import channels_of
from bigdebug.breakpoints.channel.exchange import Exchange
from bigdebug.breakpoints.points.given import calls_of, require_calls
from bigdebug.breakpoints.points.places import FramePlace, Place, RddPlace, nodes_at, place_of
from bigdebug.breakpoints.watch.busy import Busy
from bigdebug.breakpoints.watch.catching import Watching
from bigdebug.breakpoints.watch.counts import Caught, Counts
from bigdebug.breakpoints.watch.frames import FrameGuard, Observed
from bigdebug.breakpoints.watch.guards import PythonGuard, condition_of, is_python, python_guard, slow_guard
from bigdebug.breakpoints.watch.kept import Kept
from bigdebug.breakpoints.watch.replay import caught_rows, trace_of_caught
from bigdebug.breakpoints.watch.slow import Slow
from bigdebug.breakpoints.watch.sql_counts import SqlCounts
from bigdebug.breakpoints.watch.totals import ATTEMPT, RECORDS, Entry, Key, TotalsParam
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.described import FEW_RECORDS, Described, Description, Table
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.recorder import Recorder


class Watchpoint(Described):
    """Catches the records that satisfy a guard, in the jobs of the program's actions from now on.

    What is counted are the records that a job really read: a `limit` may end it before the last partition, and what
    Spark takes from its cache, or has shuffled for an earlier action, isn't read again.

    Args:
        spark: the attached session.
        context: its SparkContext.
        recorder: what the program does.
        data: what is watched: a DataFrame, an RDD, an `Output`, or a call site that the program may only reach later.
        guard: SQL text or a Column; a function of a record; of an RDD the text of an expression in Python, too.
        capacity: how many records are kept.
        number: of the watchpoint, within the session.
        changed: told when there is something new to be stored.
    """

    def __init__(
        self,
        spark: Any,
        context: Any,
        recorder: Recorder,
        data: Any,
        guard: Any,
        capacity: int,
        number: int,
        changed: Callable[[Watchpoint], None],
    ) -> None:
        if not isinstance(capacity, int) or capacity < 0:
            raise BigDebugError(f"capacity can't be {capacity!r}", hint="it is how many records are kept")
        self.number = number
        self.capacity = capacity
        self.active = True
        self._spark = spark
        self._context = context
        self._recorder = recorder
        self._changed = changed
        self._lock = threading.RLock()
        self._data = data
        self._place: Place | None = None
        self._tags: frozenset[str] = frozenset()
        self._counts = Counts()
        self._sql = SqlCounts()
        self._busy = Busy()
        self._caught = Kept(capacity, lambda: isinstance(self._place, FramePlace), self._trace_of)
        self._replayed: tuple[int, list[Caught]] | None = None
        self._notes: dict[str, None] = {}
        self._exchange: Exchange | None = None
        self._totals: Any = None
        self._version = 0
        self._guard: Any = None
        self._python: PythonGuard | None = None
        self._known_condition: tuple[Any, Any, Any] | None = None
        if isinstance(data, str):
            nodes_at(recorder, data)  # what is no call site is said now
        else:
            self._stand(place_of(spark, recorder, data))
        self.guard = guard

    # -- the public face ------------------------------------------------------------------------------

    @property
    def guard(self) -> Any:
        """What a record must satisfy.

        A new one in SQL holds from the next action; a new function while the job runs: its tasks follow within two
        seconds. What was counted and caught before stays.
        """
        return self._guard

    @guard.setter
    def guard(self, guard: Any) -> None:
        with self._lock:
            by_time = isinstance(guard, Slow)
            if self._guard is not None and by_time != isinstance(self._guard, Slow):
                raise BigDebugError(
                    "a guard by time stands elsewhere than one that looks at records",
                    hint="set a second watchpoint",
                )
            if by_time and self._place is not None:
                require_calls(self._place)  # what calls no function is said now
            self._version += 1
            if by_time or is_python(guard) or (isinstance(self._place, RddPlace) and isinstance(guard, str)):
                self._python = (slow_guard if by_time else python_guard)(guard, self._version)
                self._open()
                if self._exchange is not None:
                    self._exchange.publish(
                        f"guard {self.number}", {"version": self._version}, self._python.data
                    )
            elif isinstance(self._place, RddPlace):
                raise BigDebugError(
                    f"the guard of an RDD can't be {type(guard).__name__}",
                    hint="a function of an element, or the text of an expression in Python: x[1] < 0",
                )
            else:
                if isinstance(self._place, FramePlace):
                    self._condition(Catalyst(self._place.spark), guard, self._place.rows.plan)
                elif not isinstance(guard, str):
                    raise BigDebugError(
                        "the guard of a line that isn't reached yet is SQL text or a function",
                        hint='guard="price < 0"',
                    )
                self._python = None
            self._guard = guard
            self._replayed = None

    @property
    def hits(self) -> int:
        """How many records satisfied the guard, in all outputs so far."""
        return sum(self.counts.values())

    @property
    def counts(self) -> dict[int, int]:
        """The same by number of the output; of one that runs, so far."""
        self._sql.settle()
        found = self._sql.hits
        for output, hits in self._counts.hits().items():
            found[output] = found.get(output, 0) + hits
        return dict(sorted(found.items()))

    @property
    def records(self) -> list[Caught]:
        """The first of them, up to `capacity`; those of a guard in SQL by a replay of just these."""
        hits = self.counts
        found = self._caught.records()
        wanted = min(self.capacity - len(found), self._sql.most_hits)
        if wanted > 0 and self._python is None and isinstance(self._at(), FramePlace):
            found += self._replay(wanted, next((number for number, count in hits.items() if count), None))
        return found

    @property
    def kept(self) -> list[Caught]:
        """Those of them that are at hand without a job."""
        found = self._caught.records()
        with self._lock:
            if self._replayed is not None:
                found += self._replayed[1][: self.capacity - len(found)]
        return found

    @property
    def truncated(self) -> bool:
        """Whether more records satisfied the guard than are kept."""
        return sum(self._counts.hits().values()) > len(self._caught) or self._sql.most_hits > self.capacity

    @property
    def errors(self) -> int:
        """For how many records the guard itself raised; they count as not satisfying it."""
        self._sql.settle()
        return self._sql.errors + self._counts.errors()

    @property
    def notes(self) -> list[str]:
        """What a person must know about the counts."""
        self._sql.settle()
        with self._lock:
            found = [*self._notes, *self._sql.notes]
        if self.errors:
            what = f": {self._counts.error}" if self._counts.error else ""
            found.append(f"the guard raised for {self.errors} records{what}")
        return found

    @property
    def operator(self) -> str | None:
        """The operator whose records are watched; None where it isn't known yet."""
        place = self._known_place()
        return place.node.operator if place and place.node else None

    @property
    def call_site(self) -> CallSite | None:
        """Where that stands."""
        place = self._known_place()
        return place.node.call_site if place and place.node else None

    def remove(self) -> None:
        """Watch no more; what was caught stays."""
        with self._lock:
            if not self.active:
                return
            self.active = False
            exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.withdraw(f"guard {self.number}")
            exchange.close()

    def _description(self) -> Description:
        kept = self.kept
        columns = ["output", "partition", "position", "value"]
        rows = [[each.output, each.partition, each.position, each.value] for each in kept[:FEW_RECORDS]]
        if self.by_time:
            columns.append("seconds")
            rows = [[*row, each.took] for row, each in zip(rows, kept, strict=False)]
        caption = (
            f"records at hand, the first {len(rows)} of {len(kept):,}" if len(kept) > len(rows) else "records"
        )
        tables = [Table(caption, columns, rows)] if rows else []
        return Description(f"{repr(self)[1:-1]}: {self.hits:,} hits", tables, self.notes)

    def __repr__(self) -> str:
        where = self._data if isinstance(self._data, str) else self.operator or "a frame"
        guard = self._guard if isinstance(self._guard, str | Slow) else "a function"
        return f"<Watchpoint at {where}: {guard}>"

    # -- for who rewrites actions ---------------------------------------------------------------------

    @property
    def version(self) -> int:
        """Of the guard."""
        return self._version

    @property
    def in_python(self) -> bool:
        """Whether the guard is a function."""
        return self._python is not None

    @property
    def by_time(self) -> bool:
        """Whether the guard is `Slow`."""
        return isinstance(self._guard, Slow)

    def frame_guard(self, spark: Any) -> FrameGuard | None:
        """What the plan of an action is to have; None where it is RDDs that are watched."""
        if isinstance(self._place, RddPlace):
            return None
        tags = self._tags
        if isinstance(self._data, str):
            tags = frozenset(self._recorder.tag(node) for node in nodes_at(self._recorder, self._data))
        if not tags:
            return None
        if self._python is not None:
            return FrameGuard(self.number, tags.__contains__, watching=self.watching, by_time=self.by_time)
        return FrameGuard(
            self.number, tags.__contains__, condition=partial(self._condition, Catalyst(spark), self._guard)
        )

    def _condition(self, catalyst: Catalyst, guard: Any, plan: Any) -> Any:
        """The guard over a plan's rows; the same again for the same columns."""
        known = self._known_condition
        output = plan.output()
        if known is None or known[0] is not guard or not known[1].equals(output):
            known = guard, output, condition_of(catalyst, plan, guard)
            self._known_condition = known
        return known[2]

    def stands_at(self, operator: RddOperator) -> bool:
        """Whether elements of an operator are watched, by a guard that can be."""
        if self._python is None or (self.by_time and not calls_of(operator)):
            return False
        if isinstance(self._data, str):
            node = operator.node
            return node is not None and any(
                each.id == node.id for each in nodes_at(self._recorder, self._data)
            )
        return isinstance(self._place, RddPlace) and self._place.operator is operator

    def watching(self, place: int) -> Watching:
        """What tasks need to know.

        Args:
            place: of the guard, among several of one job.
        """
        assert self._python is not None
        exchange = self._exchange
        address = exchange.address if exchange is not None and exchange.listening else None
        python = self._python
        return Watching(
            self.number,
            place,
            python.data,
            python.version,
            self.capacity,
            address,
            self._totals,
            self.by_time,
        )

    def observed(self, output: int, observed: Observed) -> None:
        """Spark counts for an output."""
        self._sql.observed(output, observed)

    def action_ended(self, output: int) -> None:
        """The action of an output has ended: what was counted for it is known soon."""
        self._sql.action_ended(output)
        with self._lock:
            self._replayed = None
        self._changed(self)

    def busy(self) -> dict[int, Any]:
        """Of a guard by time: by Spark's number of a task the record that its function takes long over."""
        return self._busy.records()

    def note(self, text: str) -> None:
        """Keep something that a person must know."""
        with self._lock:
            self._notes[text] = None

    def hear(self, header: dict[str, Any], body: bytes) -> None:
        """A task tells what it has counted and caught so far."""
        key = header["output"], header["place"], header["partition"]
        entry: Entry = [
            header["attempt"], header["seen"], header["hits"], header["errors"], header["error"], []
        ]  # fmt: skip
        self._counts.told(key, entry)
        if body:
            self._keep(key, body)
            self._busy.told(header["attempt"], body)

    # -- inside ---------------------------------------------------------------------------------------

    def _take_totals(self, totals: dict[Key, Entry]) -> None:
        self._counts.ended(totals)
        for key, entry in totals.items():
            self._busy.ended(entry[ATTEMPT])
            for record in entry[RECORDS]:
                self._keep(key, record)

    def _keep(self, key: Key, record: bytes) -> None:
        if self._caught.take(key, record):
            self._changed(self)

    def _trace_of(self, value: Any, data: Any, place: int) -> Any:
        return trace_of_caught(self._recorder, self._at(), value, data, place if self.by_time else None)

    def _replay(self, wanted: int, output: int | None) -> list[Caught]:
        with self._lock:
            known = self._replayed
        if known is None or known[0] < wanted:
            place = self._at()
            assert isinstance(place, FramePlace)
            found = caught_rows(self._recorder, place, self._guard, wanted, output)
            known = wanted, found
            with self._lock:
                self._replayed = known
            self._changed(self)
        return known[1][:wanted]

    def _stand(self, place: Place) -> None:
        self._place = place
        if isinstance(place, RddPlace):
            return
        key = Catalyst(place.spark).tag
        plan = place.rows.plan
        found = plan.getTagValue(key)
        if found.isEmpty():
            plan.setTagValue(key, f"{self._recorder.run_id}/watch-{self.number}")
            found = plan.getTagValue(key)
        self._tags = frozenset({str(found.get())})

    def _at(self) -> Place:
        if self._place is None:
            place = place_of(self._spark, self._recorder, self._data)
            with self._lock:
                self._place = place
        return self._place

    def _known_place(self) -> Place | None:
        if self._place is None and isinstance(self._data, str) and nodes_at(self._recorder, self._data):
            return self._at()
        return self._place

    def _open(self) -> None:
        if self._totals is None:
            self._totals = self._context.accumulator({}, TotalsParam(self._take_totals))
        if self._exchange is None and self.active:
            self._exchange = channels_of(self._recorder).exchange(self._context)
            self._exchange.open()
