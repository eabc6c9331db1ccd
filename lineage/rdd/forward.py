"""Forward traces of RDDs: from source records to the elements of outputs that they went into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.described import Described, Description, trace_description
from bigdebug.lineage.finding import find_source
from bigdebug.lineage.forward import Named
from bigdebug.lineage.found import Source, Step
from bigdebug.lineage.location import Location, TracedRecord
from bigdebug.lineage.output import Output
from bigdebug.lineage.rdd import flags, placing, workers
from bigdebug.lineage.rdd.annotator import contributing, frozen_for
from bigdebug.lineage.rdd.doubts import doubts_about, doubts_about_keys, doubts_about_taken
from bigdebug.lineage.rdd.flagging import Flagger
from bigdebug.lineage.rdd.freezing import Frozen
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import RddSource
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.some_rows import Given, only_given
from bigdebug.lineage.rdd.trace import require_understood
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.rdd.walk import Predicate


@dataclass(frozen=True)
class _Reached:
    """The elements of an output that records went into."""

    rows: RddRows
    output: Output
    flagger: Flagger

    @property
    def name(self) -> str:
        return f"output {self.output.number}"

    @cached_property
    def elements(self) -> Any:
        """An RDD of them."""
        return self._given.elements.filter(flags.has_ids).map(workers.element_of)

    @property
    def doubts(self) -> list[str]:
        """Why they may be others the next time."""
        return [*doubts_about(self.rows.operator), *doubts_about_taken(self.rows), *self._given.doubts]

    @cached_property
    def _given(self) -> Given:
        return only_given(self.rows, self.flagger.annotated(self.rows.operator, self.rows.frozen))

    @cached_property
    def count(self) -> int:
        return int(self.elements.count())

    def files(self) -> list[str]:
        """None: what an action gave stands in no file that a trace knows of."""
        return []


class ForwardRddTrace(Described):
    """The elements of outputs that source records went into. Immutable; runs its jobs when it is first asked.

    Has the face of a backward `RddTrace`; its `sources` are the outputs reached.

    Attributes:
        source: the name of the source it starts from.

    Args:
        start: the source.
        outputs: those that read it, each with what its action was about.
        where: a function of a record that says whether to trace it; None for all.
        notes: what is already known to make it inexact.
    """

    def __init__(
        self,
        start: RddSource,
        outputs: Sequence[tuple[RddRows, Output]],
        where: Predicate | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.source = start.name
        self._start = start
        self._where = where
        self._notes = notes
        self._context = start.operator.context
        for rows, _ in outputs:
            require_understood(rows.operator)
        # One for all: what they have in common is looked up once.
        self._flagger = Flagger(self._context, {start.operator: where})
        self._outputs = [_Reached(rows, output, self._flagger) for rows, output in outputs]

    @cached_property
    def matched(self) -> int:
        """How many records of the source the trace starts from."""
        with self._asking("matching records"):
            return int(self._flagger.reached(self._start.operator, {}).count())

    @cached_property
    def sources(self) -> list[Source]:
        """The outputs reached, with the number of their elements; an output that isn't reached has none."""
        with self._asking("elements reached"):
            return [
                Source(each.name, "output", each.output.call_site, each.count, each) for each in self._outputs
            ]

    @cached_property
    def steps(self) -> list[Step]:
        """The operators on the way, from the source up to the outputs; each once for an output."""
        with self._asking("steps"):
            return [step for each in self._outputs for step in self._steps(each.rows)]

    def records(self, source: str | None = None) -> Any:
        """An RDD of the elements of an output that were reached, as `TracedRecord`s: Spark's workers need bigdebug.

        Args:
            source: name of the output; may be left out where there is only one.
        """
        chosen = self._chosen(source)
        name = chosen.name
        with self._asking("elements reached"):
            return chosen.elements.map(lambda element: TracedRecord(name, Location(None, None), element))

    def placed_records(self, source: str) -> Any:
        """The same as plain tuples, as `RddTrace` has them: without a place."""
        with self._asking("elements reached"):
            return self._chosen(source).elements.map(placing.without_place)

    def collect(self, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` elements of each output reached."""
        return [record for each in self._outputs for record in self.collect_source(each.name, limit)]

    def collect_source(self, source: str, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` elements of one output."""
        chosen = self._chosen(source)
        with self._asking("elements reached"):
            found = chosen.elements.take(limit)
        return [TracedRecord(chosen.name, Location(None, None), element) for element in found]

    @property
    def exact(self) -> bool:
        """Whether these are just the elements that the records went into, told for sure."""
        return not self._doubts

    @property
    def notes(self) -> list[str]:
        """Why the trace isn't exact."""
        return list(self._doubts)

    @property
    def bytes(self) -> int:
        """The most that one pass over the sources reads."""
        read = {each: None for reached in self._outputs for each in reached.rows.operator.walk()}
        return sum(size for operator in read for _, size, _ in operator.listed or ())

    def _description(self) -> Description:
        return trace_description(self)

    def __repr__(self) -> str:
        reached = ", ".join(each.name for each in self._outputs)
        return f"<ForwardRddTrace of {self.source} to {reached or 'no output'}>"

    # -- inside -------------------------------------------------------------------------------------

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        with jobs_of_ours(self._context, what), travelling():
            yield

    @cached_property
    def _doubts(self) -> list[str]:
        self.sources  # noqa: B018  # what keys there are is seen on the way
        found = [text for each in self._outputs for text in each.doubts]
        return list(dict.fromkeys([*self._notes, *found, *doubts_about_keys(self._flagger.nan_keys)]))

    def _chosen(self, name: str | None) -> _Reached:
        if name is None and len(self._outputs) == 1:
            return self._outputs[0]
        names = [Named(each.name) for each in self._outputs]
        return self._outputs[names.index(find_source(names, name or ""))]

    def _steps(self, rows: RddRows) -> Iterator[Step]:
        for operator, frozen in reversed(above(rows, self._start.operator)):
            elements = partial(self._flagger.reached, operator, frozen)
            yield Step(
                operator.label, operator.call_site, int(elements().count()), partial(self._shown, elements)
            )

    def _shown(self, elements: Any) -> Any:
        with self._asking("elements of a step"):
            return elements()


def above(rows: RddRows, source: RddOperator) -> list[tuple[RddOperator, Frozen]]:
    """The operators that a source's records may go through, with the functions given to each, the latest first."""
    given: dict[RddOperator, Frozen] = {rows.operator: rows.frozen}
    waiting = [rows.operator]
    while waiting:
        operator = waiting.pop()
        for below in contributing(operator):
            if below not in given:
                given[below] = frozen_for(operator, given[operator])
                waiting.append(below)
    leading = {source}
    for operator in sorted(given, key=lambda each: each.serial):
        if any(below in leading for below in contributing(operator)):
            leading.add(operator)
    on_the_way = sorted(leading & set(given) - {source}, key=lambda each: -each.serial)
    return [(operator, given[operator]) for operator in on_the_way]
