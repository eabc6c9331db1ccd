"""Puts guards into the functions of a program as it asks for them, and gathers what they set aside."""

from __future__ import annotations

import itertools
import pickle
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from pyspark import cloudpickle
from pyspark.core.rdd import RDD

from bigdebug.breakpoints.channel.travelling import MODULES as TRAVELLING
from bigdebug.breakpoints.crashes import (
    batch_guards,
    decisions,
    frame_guards,
    guards,
    keeping,
    partition_guards,
    partitions,
    workers,
)
from bigdebug.breakpoints.crashes.crash import MOST_LISTED, Crash, Culprits, report_kept
from bigdebug.breakpoints.crashes.policies import PAUSE_SECONDS, Policies, Policy
from bigdebug.breakpoints.crashes.quarantine import (
    FOLDER,
    TASKS,
    Aside,
    Quarantine,
    QuarantineWriter,
    forget,
    located,
    record_of,
    rows_of,
    set_aside,
)
from bigdebug.breakpoints.crashes.rebuilding import Rebuilding
from bigdebug.lineage.attachments import attachments
from bigdebug.lineage.callsite import CallSite, caller
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.hooks import GuardedCall
from bigdebug.lineage.location import Location
from bigdebug.lineage.nodes import call_site
from bigdebug.lineage.rdd.freezing import freeze
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.record_wise import declared_as
from bigdebug.lineage.rdd.recording import bound
from bigdebug.lineage.rdd.travelling import travel_from_now_on
from bigdebug.lineage.recorder import Recorder

BY_ELEMENT = frozenset({"map", "flatMap", "filter", "mapValues", "flatMapValues", "keyBy"})
"""Operators of RDDs that go on where an element crashes their function."""
ACTIONS = frozenset({"foreach", "foreachPartition"})
"""Actions that do so."""
GUARDED = BY_ELEMENT | (partition_guards.KINDS - ACTIONS)
"""All operators that do."""

MOST_GUARDED = 10_000
"""So many guarded operators are known; a service that runs for weeks forgets the oldest."""

_TRAVELLING = (
    guards,
    keeping,
    decisions,
    workers,
    frame_guards,
    batch_guards,
    partitions,
    partition_guards,
    *TRAVELLING,
)

Found = Callable[..., None]


@dataclass(eq=False)
class Guarded:
    """An operator with a guard in it.

    Attributes:
        number: tells it apart.
        kind: the method's name.
        label: as the user called it.
        call_site: where it stands.
        function: the user's.
        policy: what is to become of records.
        operator: of an RDD's, as it was recorded.
        suspect: of a DataFrame's, the operator and the function in it.
    """

    number: int
    kind: str
    label: str
    call_site: CallSite | None
    function: Any
    policy: Policy
    operator: RddOperator | None = None
    suspect: Any = None


class Guarding:
    """The guards of a run.

    Args:
        recorder: of the run.
        policies: what is to become of records.
        found: is told of culprits: `CrashGuard.found`.

    Attributes:
        guarded: the guarded operators by number.
        files: the Parquet files in quarantine.
    """

    def __init__(self, recorder: Recorder, policies: Policies, found: Found) -> None:
        self._recorder = recorder
        self._policies = policies
        self.found = found
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.guarded: dict[int, Guarded] = {}
        self.files: list[str] = []
        self._pausing: Any = None
        self._operators: weakref.WeakSet[RddOperator] = weakref.WeakSet()
        self._rebuilding: tuple[int, Rebuilding] | None = None

    @property
    def pausing(self) -> Any:
        """What tasks ask, and who answers."""
        if self._pausing is None:
            from bigdebug.breakpoints.crashes.pausing import Pausing

            self._pausing = Pausing(self._recorder, self.guarded)
        return self._pausing

    # -- putting guards in --------------------------------------------------------------------------

    def call(
        self, kind: str, args: tuple[Any, ...], kwargs: dict[str, Any], method: Any, frame: FrameType
    ) -> GuardedCall | None:
        """A call of an RDD's method with a guard in it; None where nothing is to be guarded."""
        if kind not in GUARDED or not self._policies.any_guards:
            return None
        attachment = attachments.of_context(args[0].ctx)
        if attachment is None or not isinstance(args[0], RDD):
            return None
        site = call_site(attachment, frame)
        label = caller(frame)[1] or kind
        policy = self._policies.of(label, site)
        if not _guards(policy, kind):
            return None
        try:
            given = bound(method, args, kwargs)
        except TypeError:  # as the method itself will say
            return None
        rdd, function = given["self"], given["f"]
        if not callable(function):
            return None
        keeps = bool(given.get("preservesPartitioning", kind in ("mapValues", "flatMapValues", "filter")))
        guarded = self.add(kind, label, site, function, policy)
        place = self.site(guarded, rdd.ctx)
        if kind in partition_guards.KINDS:
            recorded_kind, recorded = "mapPartitionsWithIndex", RDD.mapPartitionsWithIndex
            again: Any = declared_as(function, partition_guards.quiet_partition(kind, function, place))
        else:
            recorded_kind, recorded = "flatMap", RDD.flatMap
            again = guards.flat(kind, function, place)
        return GuardedCall(
            RDD.mapPartitionsWithIndex,
            (rdd, _guard(kind, function, place), keeps),
            {},
            recorded_kind,
            recorded,
            (rdd, again, keeps),
            label,
            lambda operator: self._known(guarded, operator),
        )

    def action(self, running: Any, label: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Begin an action on an RDD: what to call in its place, or None."""
        if not self._policies.any_guards and not self.guarded:
            return None
        context = args[0].ctx
        running.guarded = True
        context.setLocalProperty(keeping.OUTPUT, str(running.output.number))
        rebuilt = None if running.tap is not None else self._rebuilt(running, args[0])
        if label not in ACTIONS:
            return None if rebuilt is None else (getattr(RDD, label), (rebuilt, *args[1:]), kwargs)
        method = getattr(RDD, label)
        given = bound(method, args, kwargs)
        site = running.acted.call_site
        policy = self._policies.of(label, site)
        if not _guards(policy, label) or not callable(given["f"]):
            return None if rebuilt is None else (method, (rebuilt, given["f"]), {})
        if rebuilt is not None:
            given["self"] = rebuilt
        guarded = self.add(label, label, site, given["f"], policy)
        guarded.operator = running.acted
        guard = _guard(label, given["f"], self.site(guarded, context))
        return RDD.foreachPartition, (given["self"], guards.over_partition(guard)), {}

    def _known(self, guarded: Guarded, operator: RddOperator) -> None:
        guarded.operator = operator
        self._operators.add(operator)

    def _rebuilt(self, running: Any, rdd: Any) -> Any | None:
        """An RDD with guards in the operators that were asked for before there was a policy; None for itself."""
        (operator,) = running.acted.inputs
        if operator.rdd is not rdd or not self._policies.any_guards:
            return None
        if self._rebuilding is None or self._rebuilding[0] != self._policies.version:
            made = Rebuilding(rdd.ctx, self._lacks_guard, self._made_again)
            self._rebuilding = self._policies.version, made
        rebuilding = self._rebuilding[1]
        if not rebuilding.can(operator):
            return None
        return rebuilding.plain(operator, freeze([operator]))

    def _lacks_guard(self, operator: RddOperator) -> bool:
        if operator.kind not in GUARDED or operator in self._operators:
            return False
        return _guards(self._policies.of(operator.label, operator.call_site), operator.kind)

    def _made_again(self, operator: RddOperator, below: Any, arguments: dict[str, Any]) -> Any | None:
        """The RDD of an operator with a guard in it."""
        function, kind = arguments["f"], operator.kind
        if not callable(function):
            return None
        policy = self._policies.of(operator.label, operator.call_site)
        guarded = self.add(kind, operator.label, operator.call_site, function, policy)
        guarded.operator = operator
        keeps = arguments.get("preservesPartitioning", kind in ("mapValues", "flatMapValues", "filter"))
        guard = _guard(kind, function, self.site(guarded, below.ctx))
        return RDD.mapPartitionsWithIndex(below, guard, bool(keeps))

    def add(self, kind: str, label: str, site: CallSite | None, function: Any, policy: Policy) -> Guarded:
        """A new guard."""
        guarded = Guarded(next(self._numbers), kind, label, site, function, policy)
        with self._lock:
            self.guarded[guarded.number] = guarded
            while len(self.guarded) > MOST_GUARDED:
                del self.guarded[next(iter(self.guarded))]
        return guarded

    def site(self, guarded: Guarded, context: Any = None) -> keeping.Site:
        """A guarded operator, as the workers know it.

        Args:
            guarded: the operator.
            context: the SparkContext, where tasks may ask the session.
        """
        policy, pause = guarded.policy, None
        if policy.name == "pause" and context is not None:
            pause = keeping.Pause(
                self.pausing.address(context),
                PAUSE_SECONDS if policy.timeout is None else policy.timeout,
                policy.held,
                self._policies.otherwise,
            )
        travel_from_now_on()
        for module in _TRAVELLING:
            if module.__name__ not in cloudpickle.list_registry_pickle_by_value():
                cloudpickle.register_pickle_by_value(module)
        filesystem, path = self.place(TASKS)
        return keeping.Site(
            guarded.number,
            (pickle.dumps(filesystem), path),
            guarded.policy.name,
            guarded.policy.repair,
            bool(self._recorder.redact),
            pause,
        )

    def place(self, name: str) -> tuple[Any, str]:
        """A folder of the run's.

        Raises:
            BigDebugError: there is no store.
        """
        writer = self._recorder.writer
        if writer is None:
            raise BigDebugError(
                "there is no store to set records aside in",
                hint="name one that can be written: attach(store=…)",
            )
        found: tuple[Any, str] = writer.place(name)
        return found

    # -- gathering ----------------------------------------------------------------------------------

    @property
    def quarantine(self) -> Quarantine:
        """The records that were left out so far."""
        filesystem, _ = self.place(FOLDER)
        return Quarantine(filesystem, list(self.files), self._located)

    def _located(self, file: str, places: Sequence[tuple[int, int]]) -> Sequence[Location | None]:
        from bigdebug.breakpoints.crashes.placing_rdds import records_at

        number = int(file.rpartition("-")[2].removesuffix(".parquet"))
        guarded = self.guarded.get(number)
        found = records_at(None if guarded is None else guarded.operator, places)
        return [None if each is None else each.location for each in found]

    def ended(self, running: Any) -> None:
        """Gather what the tasks of an action set aside."""
        number = running.output.number
        if running.acted is not None:
            running.acted.context.setLocalProperty(keeping.OUTPUT, None)
        self.gather(number)

    def gather(self, number: int) -> None:
        """Gather what the tasks of an output set aside."""
        filesystem, tasks = self.place(TASKS)
        _, folder = self.place(FOLDER)
        missing = repaired = 0
        for aside in set_aside(filesystem, tasks, number):
            guarded = self.guarded.get(aside.number)
            if guarded is None:
                continue
            path = f"{folder}/{number}-{aside.number}.parquet"
            culprits, mended = self._kept(filesystem, aside, guarded, number, path)
            repaired += mended
            missing += aside.count - mended
            if guarded.policy.name != "repair":
                self.files.append(path)
            name = f"{FOLDER}/{number}-{aside.number}.parquet"
            self.found(culprits, number, guarded.policy.name, quarantine=name)
            print(report_kept(culprits, number, mended), file=sys.stderr)
        forget(filesystem, tasks, number)
        if missing or repaired:
            self._recorder.writer.close_to_others(FOLDER)
            self._recorder.change_output(number, missing=missing, repaired=repaired)

    def _kept(
        self, filesystem: Any, aside: Aside, guarded: Guarded, number: int, path: str
    ) -> tuple[Culprits, int]:
        """Write what was set aside at an operator for good; the first of it is told, and how many went on repaired."""
        from bigdebug.breakpoints.crashes.placing_rdds import Places

        places = Places(guarded.operator)
        label = guarded.call_site.label if guarded.call_site else ""
        listed: list[Crash] = []
        kept = mended = 0
        writer = QuarantineWriter(filesystem, path)
        try:
            for rows in rows_of(filesystem, aside):
                records = [record_of(row, guarded.label, label, number) for row in rows]
                sources = places.of([record.place for record in records])
                records = [
                    located(record, source.location if source else None)
                    for record, source in zip(records, sources, strict=True)
                ]
                writer.write(records, [(row["value"], row["repaired"]) for row in rows])
                kept += len(records)
                mended += sum(row["repaired"] is not None for row in rows)
                for record, source in list(zip(records, sources, strict=True))[: MOST_LISTED - len(listed)]:
                    listed.append(
                        Crash(
                            record.value,
                            record.location,
                            guarded.label,
                            guarded.call_site,
                            record.error,
                            records=(source,) if source else (),
                        )
                    )
        finally:
            writer.close()
        notes = []
        if kept < aside.count:
            notes.append(f"of {aside.count:,} records {kept:,} are kept; the others are counted")
        if guarded.policy.name == "repair":
            mended = aside.count
        return Culprits(guarded.label, guarded.call_site, listed, aside.count, notes), mended


def _guards(policy: Policy, kind: str) -> bool:
    """Whether a guard is put into an operator; no value stands for what a function of a partition gives."""
    lacks = kind in partition_guards.KINDS and policy.name == "repair" and not callable(policy.repair)
    return policy.guards and not lacks


def _guard(kind: str, function: Any, site: keeping.Site) -> Callable[[int, Iterable[Any]], Iterator[Any]]:
    by_partition = kind in partition_guards.KINDS
    return (partition_guards.guarded_partition if by_partition else guards.guarded)(kind, function, site)
