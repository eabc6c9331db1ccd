"""One RDD as it was asked for: the operator, its arguments and the RDDs it reads."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.rdd.kinds import UNKNOWN

_KEY = "_bigdebug_operator"
_BELOW = "_bigdebug_below"
_serials = itertools.count(1)


@dataclass(frozen=True)
class FrameRows:
    """The DataFrame behind a `df.rdd`.

    Attributes:
        spark: its session.
        rows: its plan, and the settings at that moment.
        names: of its sources, where a recipe recorded them.
        notes: what is known to make a trace of it inexact.
    """

    spark: Any
    rows: OutputRows
    names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


@dataclass(eq=False)
class RddOperator:
    """One node of an RDD program.

    Attributes:
        kind: the method's name, as in `rules.py`.
        inputs: what it reads; none of a source.
        arguments: its other arguments, by name.
        context: the SparkContext.
        node: the recorded node.
        tag: names the node and the recording that it is of.
        source: of a source, what it is read with again: the JVM RDD and its deserializer.
        frozen: the arguments of this operator and those below it as Spark took them when this one was called
            (a shuffle), or first computed and kept; None where Spark takes them anew for whatever reads it.
        computed: the same as they were when the RDD itself was first computed.
        listed: of a source in files, what these were: path, size and modification time of each.
        splits: of such a source, a digest of which parts of the files its partitions are.
        parts: of such a source, these parts, once they were asked for.
        settings: of such a source, what Hadoop was told of how to read them.
        split_anew: of such a source, whether the files are split otherwise than the run split them; known once a
            recipe was opened.
        frame: of `df.rdd`, the DataFrame.
        in_order: of `df.rdd`, whether its rows come in the same partitions and order whenever they are computed;
            known once a question has looked at the DataFrame.
        problem: why it can't be traced, if it can't.
        taps: of a boundary or a join what notes, while its job runs, what its elements were made of.
        tellers: of a join what has that travel through its shuffle instead.
        serial: grows with time, so that an operator's is greater than those of its inputs.
    """

    kind: str
    inputs: tuple[RddOperator, ...]
    arguments: dict[str, Any]
    context: Any
    node: Node | None = None
    tag: str | None = None
    source: tuple[Any, Any] | None = None
    frozen: dict[RddOperator, Any] | None = None
    computed: dict[RddOperator, Any] | None = None
    listed: list[list[Any]] | None = None
    splits: str | None = None
    parts: list[Any] | None = None
    settings: dict[str, str] | None = None
    split_anew: bool = False
    frame: FrameRows | None = None
    in_order: bool = False
    problem: str | None = None
    taps: tuple[Any, ...] | None = None
    tellers: tuple[Any, ...] = ()
    serial: int = field(default_factory=lambda: next(_serials))
    _rdd: Any = None

    @property
    def rdd(self) -> Any | None:
        """The program's own RDD, while somebody holds it."""
        return None if self._rdd is None else self._rdd()

    @property
    def call_site(self) -> CallSite | None:
        return self.node.call_site if self.node else None

    @property
    def label(self) -> str:
        """The operator as users call it."""
        return self.node.operator if self.node else self.kind

    def described(self) -> str:
        """For messages: the operator's name and where it stands."""
        if self.call_site is None:
            return self.label
        return f"{self.label} at {self.call_site.label} ({self.call_site.brief})"

    def belong_to(self, rdd: Any) -> None:
        """Be what an RDD was asked for; it keeps the operator, not the other way round."""
        self._rdd = weakref.ref(rdd)
        rdd.__dict__[_KEY] = self

    def live_with(self, rdd: Any) -> None:
        """Have the RDDs of the inputs live as long as one that is made of them: Spark keeps their shuffles as long.

        Not those below one that is checkpointed: of them Spark lets go.
        """
        below = [each.rdd for each in self.inputs]
        for each in below:
            if each is not None and each.is_checkpointed:
                each.__dict__.pop(_BELOW, None)
        rdd.__dict__[_BELOW] = below

    def walk(self) -> Iterator[RddOperator]:
        """This operator and all below it, each once, the latest first."""
        seen = {self}
        stack = [self]
        while stack:
            for below in stack.pop().inputs:
                if below not in seen:
                    seen.add(below)
                    stack.append(below)
        yield from sorted(seen, key=lambda operator: -operator.serial)


def operator_of(rdd: Any) -> RddOperator | None:
    """What an RDD was asked for with, where that was recorded."""
    found: RddOperator | None = getattr(rdd, "__dict__", {}).get(_KEY)
    return found


def known_operator(rdd: Any) -> RddOperator:
    """What an RDD was asked for with; of one that wasn't recorded an operator that says so."""
    found = operator_of(rdd)
    if found is None:
        found = RddOperator(UNKNOWN, (), {"barrier": rdd._is_barrier()}, rdd.ctx)
        found.belong_to(rdd)
    return found
