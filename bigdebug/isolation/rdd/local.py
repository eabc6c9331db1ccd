"""RDDs that are lists in this process: PySpark's own operators work on them, without any job.

Nearly all methods of an RDD are made of a few: a function of each partition, a shuffle by key, a union. With these
worked out here at once, the others do what they do in Spark, by PySpark's own code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import chain, islice, pairwise
from typing import Any

from pyspark.core.rdd import RDD, Partitioner, portable_hash
from pyspark.resultiterable import ResultIterable

from bigdebug.isolation.rdd.copies import all_immutable, copied
from bigdebug.isolation.rdd.hashing import HashOfWorkers
from bigdebug.isolation.rdd.spreading import spread

Parts = list[list[Any]]
"""Elements by partition."""

_NO_LIMIT = 1 << 30
"""Megabytes: nothing is spilled to disk."""


@dataclass(frozen=True)
class Functions:
    """What combines the elements of a key, as `combineByKey` has it."""

    create: Callable[[Any], Any]
    add: Callable[[Any, Any], Any]
    merge: Callable[[Any, Any], Any]

    def of(self, values: Sequence[Any]) -> Any:
        """What some values combine to, of which there is one at least."""
        found = self.create(values[0])
        for value in values[1:]:
            found = self.add(found, value)
        return found


class LocalContext:
    """Stands for the SparkContext of local RDDs.

    Args:
        context: the real one, whose settings count.
        compact: nothing goes by partition, so that a shuffle need not make more than one.
    """

    def __init__(self, context: Any, *, compact: bool = False) -> None:
        self._real = context
        self._conf = context._conf
        self._batchSize = context._batchSize
        self.serializer = context.serializer
        self.defaultParallelism = context.defaultParallelism
        self.compact = compact
        self.hash = HashOfWorkers(context.environment.get("PYTHONHASHSEED"))
        self._starts: dict[int, int] = {}

    @cached_property
    def says_how_many(self) -> bool:
        """Whether the settings name how many partitions a shuffle gives. Spark is asked once, not for each replay."""
        return bool(self._conf.contains("spark.default.parallelism"))

    def union(self, rdds: Sequence[LocalRdd]) -> LocalRdd:
        by = rdds[0].partitioner
        if by is not None and all(rdd.partitioner == by for rdd in rdds) and not self.compact:
            # Spark puts partitions of the same keys together.
            parts = zip(*(rdd.parts for rdd in rdds), strict=True)
            return LocalRdd(self, [list(chain.from_iterable(each)) for each in parts], by)
        return LocalRdd(self, [part for rdd in rdds for part in rdd.parts])

    def parallelize(self, elements: Iterable[Any], slices: int = 1) -> LocalRdd:
        """Of one partition, whatever `slices` is: only results of actions are made so."""
        return LocalRdd(self, [list(elements)])

    def emptyRDD(self) -> LocalRdd:
        return LocalRdd(self, [])

    def repartitioned(self, parts: Parts, number: int) -> Parts:
        """Elements spread over partitions as Spark spreads them."""
        return spread(parts, number, min(10, self._batchSize or 1024), self._real)


class LocalRdd(RDD):  # type: ignore[misc]
    """Elements by partition, with the methods of an RDD.

    Args:
        context: of local RDDs.
        parts: the elements; they are kept as they are.
    """

    def __init__(self, context: LocalContext, parts: Parts, partitioner: Any = None) -> None:
        self.ctx = context
        self.parts = parts
        self.partitioner = partitioner
        self.is_cached = self.is_checkpointed = False
        self.has_resource_profile = False
        self._jrdd_deserializer = context.serializer
        self._immutable: bool | None = None

    # -- what the other methods are made of ---------------------------------------------------------

    def mapPartitionsWithIndex(
        self,
        f: Callable[[int, Iterator[Any]], Iterable[Any]],
        preservesPartitioning: bool = False,
    ) -> LocalRdd:
        made = [list(f(number, iter(part))) for number, part in enumerate(self.parts)]
        return LocalRdd(self.ctx, made, self.partitioner if preservesPartitioning else None)

    def partitionBy(self, numPartitions: int | None, partitionFunc: Any = portable_hash) -> LocalRdd:
        number = self._defaultReducePartitions() if numPartitions is None else numPartitions
        partitioner = Partitioner(number, partitionFunc)
        if self.partitioner == partitioner:
            return self
        if self.ctx.compact:
            return LocalRdd(self.ctx, [self.collect()])
        place = self.ctx.hash if partitionFunc is portable_hash else partitionFunc
        made: Parts = [[] for _ in range(number)]
        for part in self.parts:
            for key, value in part:
                made[place(key) % number].append((key, value))
        return LocalRdd(self.ctx, made, partitioner)

    def combineByKey(
        self,
        createCombiner: Callable[[Any], Any],
        mergeValue: Callable[[Any, Any], Any],
        mergeCombiners: Callable[[Any, Any], Any],
        numPartitions: int | None = None,
        partitionFunc: Any = portable_hash,
    ) -> LocalRdd:
        number = self._defaultReducePartitions() if numPartitions is None else numPartitions

        def merged(_: int, elements: Iterable[Any]) -> Iterable[Any]:
            found: dict[Any, Any] = {}
            for key, value in elements:
                found[key] = mergeCombiners(found[key], value) if key in found else value
            return found.items()

        combined = self._combined(Functions(createCombiner, mergeValue, mergeCombiners))
        return combined.partitionBy(number, partitionFunc).mapPartitionsWithIndex(merged, True)

    def groupByKey(self, numPartitions: int | None = None, partitionFunc: Any = portable_hash) -> LocalRdd:
        number = self._defaultReducePartitions() if numPartitions is None else numPartitions

        def gathered(_: int, elements: Iterable[Any]) -> Iterable[Any]:
            found: dict[Any, list[Any]] = {}
            for key, value in elements:
                if key in found:
                    found[key].append(value)
                else:
                    found[key] = [value]
            return found.items()

        def merged(_: int, elements: Iterable[Any]) -> Iterable[Any]:
            found: dict[Any, list[Any]] = {}
            for key, values in elements:
                found.setdefault(key, []).extend(values)
            return ((key, ResultIterable(values)) for key, values in found.items())

        shuffled = self.mapPartitionsWithIndex(gathered, True).partitionBy(number, partitionFunc)
        return shuffled.mapPartitionsWithIndex(merged, True)

    def union(self, other: LocalRdd) -> LocalRdd:
        return self.ctx.union([self, other])

    def coalesce(self, numPartitions: int, shuffle: bool = False) -> LocalRdd:
        if self.ctx.compact:
            return LocalRdd(self.ctx, [self.collect()])
        if shuffle:
            return LocalRdd(self.ctx, self.ctx.repartitioned(self.parts, numPartitions))
        count = len(self.parts)
        most = min(numPartitions, count)
        bounds = [count * i // most for i in range(most + 1)] if most else [0]
        grouped = [self.parts[low:high] for low, high in pairwise(bounds)]
        return LocalRdd(self.ctx, [list(chain.from_iterable(group)) for group in grouped])

    def zip(self, other: LocalRdd) -> LocalRdd:
        if list(map(len, self.parts)) != list(map(len, other.parts)):
            raise ValueError("Can only zip RDDs with same number of elements in each partition")
        pairs = zip(self.parts, other.parts, strict=True)
        return LocalRdd(self.ctx, [list(zip(left, right, strict=True)) for left, right in pairs])

    def cartesian(self, other: LocalRdd) -> LocalRdd:
        made = [[(x, y) for x in left for y in right] for left in self.parts for right in other.parts]
        return LocalRdd(self.ctx, made)

    def sortByKey(
        self, ascending: bool = True, numPartitions: int | None = None, *rest: Any, **more: Any
    ) -> Any:
        return super().sortByKey(ascending, 1 if self.ctx.compact else numPartitions, *rest, **more)

    # -- actions ------------------------------------------------------------------------------------

    def collect(self) -> list[Any]:
        return list(chain.from_iterable(self.parts))

    def take(self, num: int) -> list[Any]:
        return list(islice(chain.from_iterable(self.parts), num))

    # Every task of Spark's has a zero value of its own.

    def fold(self, zeroValue: Any, op: Callable[[Any, Any], Any]) -> Any:
        return reduce(op, self._folded(zeroValue, op), deepcopy(zeroValue))

    def aggregate(self, zeroValue: Any, seqOp: Any, combOp: Any) -> Any:
        return reduce(combOp, self._folded(zeroValue, seqOp), deepcopy(zeroValue))

    def treeAggregate(self, zeroValue: Any, seqOp: Any, combOp: Any, depth: int = 2) -> Any:
        folded = self._folded(zeroValue, seqOp)
        return reduce(combOp, folded) if folded else zeroValue

    def sumApprox(self, timeout: int, confidence: float = 0.95) -> float:
        return float(self.sum())

    def meanApprox(self, timeout: int, confidence: float = 0.95) -> float:
        return float(self.mean())

    # -- what Spark would be asked ------------------------------------------------------------------

    def getNumPartitions(self) -> int:
        return len(self.parts)

    def persist(self, *_: Any) -> LocalRdd:
        return self

    def id(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<LocalRdd of {sum(map(len, self.parts)):,} elements>"

    # -- ours ---------------------------------------------------------------------------------------

    def copied(self) -> LocalRdd:
        """The same elements, for somebody who may change them."""
        if self._immutable is None:
            self._immutable = all_immutable(chain.from_iterable(self.parts))
        return self if self._immutable else LocalRdd(self.ctx, copied(self.parts), self.partitioner)

    def _combined(self, functions: Functions) -> LocalRdd:
        """By partition the elements of each key combined."""

        def combined(_: int, elements: Iterable[Any]) -> Iterable[Any]:
            found: dict[Any, Any] = {}
            for key, value in elements:
                found[key] = functions.add(found[key], value) if key in found else functions.create(value)
            return found.items()

        return self.mapPartitionsWithIndex(combined, True)

    def _folded(self, zero: Any, function: Callable[[Any, Any], Any]) -> list[Any]:
        return [reduce(function, part, deepcopy(zero)) for part in self.parts]

    def _defaultReducePartitions(self) -> int:
        return self.ctx.defaultParallelism if self.ctx.says_how_many else self.getNumPartitions()

    def _memory_limit(self) -> int:
        return _NO_LIMIT

    def _reserialize(self, serializer: Any = None) -> LocalRdd:
        return self

    def _pickled(self) -> LocalRdd:
        return self


class _Taking(LocalRdd):
    """Takes the functions that PySpark makes of an operator's arguments."""

    def __init__(self, context: LocalContext) -> None:
        super().__init__(context, [])
        self.taken: list[Functions] = []

    def _combined(self, functions: Functions) -> LocalRdd:
        self.taken.append(functions)
        return super()._combined(functions)


def functions_of(context: Any, kind: str, arguments: Mapping[str, Any]) -> Functions:
    """What combines elements where an operator combines them by key.

    Args:
        context: the SparkContext.
        kind: of the operator.
        arguments: its own.
    """
    taking = _Taking(LocalContext(context))
    getattr(taking, kind)(**arguments)
    return taking.taken[0]
