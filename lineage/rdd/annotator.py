"""Rebuilds an RDD program so that each element carries the ids of what it stems from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import add
from typing import Any, Protocol

from pyspark.core.rdd import RDD, BoundedFloat
from pyspark.storagelevel import StorageLevel

from bigdebug.lineage.rdd import workers
from bigdebug.lineage.rdd.freezing import Frozen, frozen_for, shared_arguments
from bigdebug.lineage.rdd.kinds import (
    BOUNDARIES,
    BY_PARTITION,
    COGROUPS,
    GROUPING,
    IN_FILES,
    INTO_FRAME,
    KEEPING_KEYS,
    KEYED_VALUES,
    NUMBERING,
    OF_FRAME,
    RECORD_WISE,
    SAMPLING,
    SUBTRACTING,
    UNIONS,
    VALUE_ACTIONS,
)
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import read_again
from bigdebug.lineage.rdd.record_wise import is_declared
from bigdebug.lineage.rdd.rules import annotated_by_rule
from bigdebug.lineage.rdd.tallies import Tally, Tallying

_WITHOUT_PARTITIONER = RECORD_WISE - KEEPING_KEYS
_BY_ELEMENT = frozenset({"distinct", "intersection", "countByValue"})


@dataclass(frozen=True)
class Marks:
    """What else annotated elements carry, where the operators on the way are asked for.

    Attributes:
        kept: of this operator the elements themselves, too.
    """

    kept: RddOperator | None = None


class NumberedRows(Protocol):
    """A DataFrame whose rows are elements of an RDD."""

    def elements(self, leaf: int) -> Any:
        """The annotated RDD of its rows, each with its number as the id of that leaf."""


class Annotator:
    """Makes annotated and plain RDDs of operators, each once, so that what Spark has shuffled it uses again.

    Args:
        context: the SparkContext.
        frames: the DataFrames whose rows are among the elements, by the operators that give these.
    """

    def __init__(self, context: Any, frames: Mapping[RddOperator, NumberedRows] | None = None) -> None:
        self.context = context
        self.frames = frames or {}
        self.kept: dict[RddOperator, Any] = {}
        self._leaves: dict[RddOperator, int] = {}
        self._plain: dict[tuple[RddOperator, int], Any] = {}
        self._annotated: dict[tuple[RddOperator, int, Marks | None], Any] = {}
        self._arguments: dict[tuple[RddOperator, int], dict[str, Any]] = {}
        self._tallies: dict[RddOperator, Any] = {}

    def leaf(self, operator: RddOperator) -> int:
        """The number that ids name a source or a boundary with."""
        return self._leaves.setdefault(operator, len(self._leaves))

    def of_leaf(self, number: int) -> RddOperator:
        """The source or boundary that ids name with a number."""
        return next(operator for operator, leaf in self._leaves.items() if leaf == number)

    def annotated(self, operator: RddOperator, given: Frozen, marks: Marks | None = None) -> Any:
        """The annotated RDD of an operator.

        Args:
            operator: whose elements they are.
            given: the functions to use, as far as the operator hasn't its own.
            marks: what else they carry.
        """
        frozen = frozen_for(operator, given)
        key = operator, id(frozen), marks
        found = self._annotated.get(key)
        if found is None:
            found = self._annotate(operator, frozen, marks)
            if marks is not None and operator.inputs:
                found = found.mapPartitionsWithIndex(
                    workers.marked(mark_of(operator), operator is marks.kept), True
                )
            self._annotated[key] = found
        return found

    def plain(self, operator: RddOperator, given: Frozen) -> Any:
        """The RDD of an operator without ids: the program's own where that gives the same."""
        frozen = frozen_for(operator, given)
        key = operator, id(frozen)
        if key not in self._plain:
            self._plain[key] = self._own(operator) or self._rebuilt(operator, frozen)
        return self._plain[key]

    def input_keys(self, operator: RddOperator, given: Frozen) -> Callable[[Any], Any]:
        """What tells the group that an element of a grouping operator's input belongs to."""
        if operator.kind in VALUE_ACTIONS:
            return workers.nothing_of
        if operator.kind == "groupBy":
            function: Callable[[Any], Any] = self.arguments(operator, frozen_for(operator, given))["f"]
            return function
        return workers.itself if operator.kind in _BY_ELEMENT else workers.first_of

    def inputs(self, operator: RddOperator, given: Frozen) -> list[Any]:
        """The annotated inputs of a boundary by partition."""
        if operator in self.kept:
            return [self.kept[operator]]
        frozen = frozen_for(operator, given)
        return [self.annotated(below, frozen) for below in operator.inputs]

    def arguments(self, operator: RddOperator, frozen: Frozen) -> dict[str, Any]:
        """The arguments of an operator as they were."""
        key = operator, id(frozen)
        if key not in self._arguments:
            taken = frozen[operator].thawed() if operator in frozen else dict(operator.arguments)
            self._arguments[key] = {**taken, **shared_arguments(operator)}
        return self._arguments[key]

    def kept_input(self, operator: RddOperator, given: Frozen) -> Any:
        """The elements that an operator reads, where these come in another order each time.

        What is traced further must be numbered as what the operator reads: it is computed once, and kept.
        """
        if operator not in self.kept:
            (below,) = operator.inputs
            kept = self.annotated(below, frozen_for(operator, given), Marks()).map(workers.itself, True)
            self.kept[operator] = kept.persist(StorageLevel.MEMORY_AND_DISK)
            # After a job Spark does this by recursion, for each RDD once: of many rounds at once its stack overflows.
            kept._jrdd.rdd().doCheckpoint()
        return self.kept[operator].map(workers.element_of, True)

    def counted(self, operator: RddOperator) -> Tally:
        """How many records partitions of a source have, of those that were read to the end so far."""
        found: Tally = self._tallies[operator].value if operator in self._tallies else {}
        return found

    # -- inside -------------------------------------------------------------------------------------

    def _tally(self, operator: RddOperator) -> Any | None:
        """Counts the records of files, for the numbers that people know them by."""
        if operator.kind not in IN_FILES:
            return None
        if operator not in self._tallies:
            self._tallies[operator] = self.context.accumulator({}, Tallying())
        return self._tallies[operator]

    def _annotate(self, operator: RddOperator, frozen: Frozen, marks: Marks | None) -> Any:
        if operator.kind == OF_FRAME:
            return self.frames[operator].elements(self.leaf(operator))
        if not operator.inputs:
            numbers = workers.numbered(self.leaf(operator), self._tally(operator))
            return self.plain(operator, frozen).mapPartitionsWithIndex(numbers, True)
        if is_declared(operator):
            return self._record_by_record(operator, frozen, marks)
        if operator.kind in BY_PARTITION:
            return self._by_partition(operator, frozen)
        if is_boundary(operator):
            plain = self.plain(operator, frozen)
            return plain.map(workers.keyed(self.leaf(operator), output_key(operator)), True)
        inputs = [self.annotated(below, frozen, marks) for below in operator.inputs]
        return annotated_by_rule(operator.kind, inputs, self.arguments(operator, frozen))

    def _by_partition(self, operator: RddOperator, frozen: Frozen) -> Any:
        (below,) = operator.inputs
        plain = self.plain(below, frozen) if has_fixed_order(below) else self.kept_input(operator, frozen)
        arguments = self.arguments(operator, frozen)
        return plain.mapPartitionsWithIndex(
            workers.pulled(self.leaf(operator), self._function(operator, plain, arguments)),
            bool(arguments.get("preservesPartitioning", False)),
        )

    def _record_by_record(self, operator: RddOperator, frozen: Frozen, marks: Marks | None) -> Any:
        below = self.annotated(operator.inputs[0], frozen, marks)
        arguments = self.arguments(operator, frozen)
        function = self._function(operator, below, arguments)
        return below.mapPartitionsWithIndex(
            workers.last_read(function, operator.described()),
            bool(arguments.get("preservesPartitioning", False)),
        )

    def _function(self, operator: RddOperator, plain: Any, arguments: dict[str, Any]) -> Any:
        if operator.kind == "glom":
            return workers.whole_list
        if operator.kind == "pipe":
            return RDD.pipe(self.context.emptyRDD(), **arguments).func
        function = arguments["f"]
        return workers.by_partition_only(function) if operator.kind == "mapPartitions" else function

    def _own(self, operator: RddOperator) -> Any | None:
        rdd = operator.rdd
        if rdd is None or not operator.inputs:
            return None
        if rdd.is_cached or (operator.kind in GROUPING and not _counts(operator)):
            return rdd
        return None

    def _rebuilt(self, operator: RddOperator, frozen: Frozen) -> Any:
        arguments = self.arguments(operator, frozen)
        if not operator.inputs:
            return read_again(operator, arguments)
        first, *others = (self.plain(below, frozen) for below in operator.inputs)
        if operator.kind in SAMPLING:
            return first.mapPartitionsWithIndex(arguments["sampler"].func, True)
        if operator.kind == "SparkContext.union":
            return self.context.union([first, *others])
        if operator.kind in COGROUPS:
            return getattr(first, operator.kind)(*others, **_without(arguments, "others"))
        if operator.kind in VALUE_ACTIONS:
            value = getattr(first, operator.kind)(**arguments)
            # Its pickle can't be read.
            return self.context.parallelize([float(value) if isinstance(value, BoundedFloat) else value], 1)
        if operator.kind in KEYED_VALUES:
            return _by_key(operator.kind, first, arguments)
        return getattr(first, operator.kind)(*others, **arguments)


def _counts(operator: RddOperator) -> bool:
    """Whether functions since the last shuffle, or in it, would count into the program's accumulators again."""
    taken: Frozen = {}
    seen, waiting = {operator}, [operator]
    while waiting:
        each = waiting.pop()
        taken |= each.frozen or {}
        if each in taken and taken[each].counting:
            return True
        for below in each.inputs:
            # Above what has no partitioner there is a shuffle, whose files are there.
            kept = below.kind not in _WITHOUT_PARTITIONER or below.arguments.get("preservesPartitioning")
            if kept and below not in seen:
                seen.add(below)
                waiting.append(below)
    return False


def is_boundary(operator: RddOperator) -> bool:
    """Whether an element of it stems from many of its input."""
    if operator.kind in (OF_FRAME, INTO_FRAME):
        return True
    if is_declared(operator):
        return False
    return operator.kind in BOUNDARIES or operator.kind in VALUE_ACTIONS or operator.kind in KEYED_VALUES


def mark_of(operator: RddOperator) -> int:
    """The number that marks name an operator with; below those of leaves."""
    return -operator.serial


def contributing(operator: RddOperator) -> tuple[RddOperator, ...]:
    """The inputs that elements stem from."""
    return operator.inputs[:1] if operator.kind in SUBTRACTING else operator.inputs


def within(top: RddOperator) -> Iterator[RddOperator]:
    """The operators of a segment, each once: down from its top to the sources and boundaries, these included."""
    seen = {top}
    waiting = [top]
    while waiting:
        operator = waiting.pop()
        yield operator
        if not is_boundary(operator):
            for below in reversed(contributing(operator)):
                if below not in seen:
                    seen.add(below)
                    waiting.append(below)


def has_fixed_order(operator: RddOperator) -> bool:
    """Whether its elements come in the same partitions and the same order whenever it is computed."""
    fixed = RECORD_WISE | SAMPLING | NUMBERING | UNIONS | BY_PARTITION | {"coalesce"}
    for below in operator.walk():
        if below.split_anew or (below.kind == OF_FRAME and not below.in_order):
            return False
        if below.inputs and below.kind not in fixed:
            return False
        if below.kind == "coalesce" and below.arguments.get("shuffle"):
            return False
    return True


def output_key(operator: RddOperator) -> Callable[[Any], Any]:
    """What tells the group that an element of a grouping operator was made of."""
    if operator.kind in VALUE_ACTIONS:
        return workers.nothing_of
    return workers.itself if operator.kind in ("distinct", "intersection") else workers.first_of


def _by_key(action: str, rdd: Any, arguments: dict[str, Any]) -> Any:
    if action == "reduceByKeyLocally":
        return rdd.reduceByKey(arguments["func"])
    key = workers.itself if action == "countByValue" else workers.first_of
    return rdd.map(lambda element: (key(element), 1)).reduceByKey(add)


def _without(arguments: dict[str, Any], name: str) -> dict[str, Any]:
    return {each: value for each, value in arguments.items() if each != name}
