"""What programs do with RDDs: every public method, and functions and elements that are hard to stand beside."""

import itertools
import os
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark import InheritableThread, SparkContext, StorageLevel
from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests


@dataclass
class RddEnv:
    """What a case works on; made anew for each call."""

    context: SparkContext
    folder: Path

    @property
    def numbers(self) -> Any:
        return self.context.parallelize(range(7), 3).map(lambda x: x % 5)

    @property
    def pairs(self) -> Any:
        pairs = [("a", 1), ("b", 2), ("a", 3), ("c", 4)]
        return self.context.parallelize(pairs, 2).map(lambda pair: pair)

    @property
    def others(self) -> Any:
        return self.context.parallelize([("a", "x"), ("c", "y"), ("d", "z")], 2)

    @property
    def empty(self) -> Any:
        return self.numbers.filter(lambda x: x > 9)

    def path(self) -> str:
        return str(self.folder / "out")

    def written(self) -> list[tuple[str, bytes]]:
        """The files below the path, without the bytes that Hadoop draws anew for each."""
        files = [each for each in sorted(Path(self.path()).rglob("*")) if each.name.startswith("part-")]
        return [(file.name, _without_marker(file.read_bytes())) for file in files]


def _without_marker(data: bytes) -> bytes:
    if not data.startswith(b"SEQ"):
        return data
    place = data.index(b"\0" * 6) + 6
    return data.replace(data[place : place + 16], b"")


Cases = dict[str, Callable[[RddEnv], Any]]


# -- elements ---------------------------------------------------------------------------------------


class Rooted:
    """Can't be pickled, compared, hashed or weighed."""

    def __init__(self, number: int) -> None:
        self.number = number

    def _no(self, *_: Any) -> Any:
        raise ValueError("leave it alone")

    __sizeof__ = __reduce__ = __eq__ = __hash__ = _no  # type: ignore[assignment]


class Weightless(list[int]):
    """Can be pickled, but neither weighed nor measured."""

    def __sizeof__(self) -> int:
        raise ValueError("no size")

    def __len__(self) -> int:
        raise ValueError("no length")


class Once:
    """Comes out of its pickle as what can't be pickled again."""

    def __reduce__(self) -> Any:
        return threading.Lock, ()


def only_here(e: RddEnv) -> Any:
    """Elements of a module that workers can't import, which needn't."""
    module = types.ModuleType("only_here")
    sys.modules["only_here"] = module
    try:
        module.Mine = type("Mine", (), {"__module__": "only_here"})  # type: ignore[attr-defined]
        return [type(each).__name__ for each in e.context.parallelize([module.Mine()], 1).collect()]
    finally:
        del sys.modules["only_here"]


# -- functions --------------------------------------------------------------------------------------


def raising(_: Any) -> Any:
    raise KeyError("the user's own")


def stop(_: Any) -> Any:
    raise StopIteration("enough")


def reused(elements: Iterator[Any]) -> Iterator[Any]:
    """The same list again and again."""
    held: list[Any] = []
    for element in elements:
        held.append(element)
        yield held


def ahead(elements: Iterator[Any]) -> Iterator[Any]:
    """Reads one further than it gives."""
    elements = iter(elements)
    for last in elements:
        for element in elements:
            yield last + element
            last = element


class Numbering:
    """Keeps state."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, x: int) -> tuple[int, int]:
        self.seen += 1
        return x, self.seen


# -- programs ---------------------------------------------------------------------------------------


def raised(*acts: Callable[[], Any]) -> list[Any]:
    """What errors are seen: the program's own lines of it."""
    found = []
    for act in acts:
        try:
            found.append(act())
        except Exception as error:
            said = [line for line in str(error).splitlines() if "Error: " in line or "Exception: " in line]
            found.append((type(error).__name__, said[0] if len(str(error)) > 200 and said else str(error)))
    return found


def runs(e: RddEnv, act: Callable[[Any], Any]) -> Any:
    """What is told by a call, and how often functions below it and in it ran."""
    ran = e.context.accumulator(0)

    def function(x: Any) -> Any:
        ran.add(1)
        return x

    return act(e.numbers.map(function)), ran.value


def runs_in(e: RddEnv, act: Callable[[Any, Callable[[int, int], int]], Any]) -> tuple[int, int]:
    """How often a function that a call is given ran, in all and in the driver."""
    ran, here = e.context.accumulator(0), []

    def function(one: Any, other: Any) -> Any:
        ran.add(1)
        here.append(1)
        return int(one) + int(other)

    act(e.numbers, function)
    return ran.value, len(here)


def jobs(e: RddEnv, *acts: Callable[[], Any]) -> list[Any]:
    """How many jobs of the program's own each call runs, and which group it stays in."""
    names = ("spark.jobGroup.id", "spark.job.description", "spark.job.interruptOnCancel")
    found = []
    for act in acts:
        group = f"jobs {next(_groups)}"
        e.context.setJobGroup(group, "as the program says", True)
        act()
        mine, *rest = (e.context.getLocalProperty(name) for name in names)
        found.append((len(e.context.statusTracker().getJobIdsForGroup(group)), mine == group, rest))
    for name in names:
        e.context.setLocalProperty(name, None)  # type: ignore[arg-type]
    return found


_groups = itertools.count()


def kept_later(e: RddEnv, keep: Callable[[Any], Any]) -> Any:
    """An RDD that is kept once it was computed."""

    def act(rdd: Any) -> Any:
        first = rdd.collect()
        keep(rdd)
        again = [rdd.collect() == first, rdd.collect() == first, rdd.count()]
        marks = rdd.is_cached, rdd.isCheckpointed(), rdd.isLocallyCheckpointed(), rdd.getCheckpointFile()
        return again, marks, str(rdd.getStorageLevel()), rdd.unpersist().collect() == first

    return runs(e, act)


def kept(e: RddEnv, keep: Callable[[Any], Any]) -> Any:
    """An RDD that is kept before it is computed."""

    def act(rdd: Any) -> Any:
        keep(rdd)
        told = rdd.isEmpty(), rdd.first(), rdd.collect(), rdd.count(), rdd.union(rdd).take(2)
        return *told, rdd.is_cached, rdd.is_checkpointed, bool(rdd.getCheckpointFile()), rdd.isCheckpointed()

    return runs(e, act)


def changed_later(e: RddEnv) -> Any:
    """A function that uses what is assigned anew."""
    factor = [1]
    rdd = e.numbers.map(lambda x: x * factor[0])
    told = [rdd.sum()]
    for factor[0] in (2, 3):
        told += [rdd.collect(), rdd.sum(), rdd.map(str).collect()]
    return told


def variables(e: RddEnv) -> Any:
    names = e.context.broadcast({1: "one"})
    rdd = e.numbers.map(lambda x: names.value.get(x))
    told = rdd.collect(), rdd.distinct().count()
    names.unpersist()
    return *told, rdd.collect()


def cancelled(e: RddEnv) -> Any:
    told: list[Any] = []
    started = str(e.folder / "started")

    def slow(_: int) -> None:
        Path(started).touch()
        time.sleep(60)

    def work() -> None:
        e.context.setJobGroup("to be cancelled", "", True)
        try:
            e.numbers.map(slow).collect()
        except Exception as error:
            told.append((type(error).__name__, "cancelled" in str(error)))

    thread = InheritableThread(target=work)
    thread.start()
    while not os.path.exists(started):
        time.sleep(0.02)
    e.context.cancelJobGroup("to be cancelled")
    thread.join(30)
    return told, e.numbers.count()


def threads(e: RddEnv) -> Any:
    """Actions on the same RDDs at the same time."""
    counts, told = e.pairs.reduceByKey(add), {}

    def work(n: int) -> None:
        told[n] = counts.mapValues(lambda x: x * n).collect(), counts.count(), counts.collect()

    every = [InheritableThread(target=work, args=(n,)) for n in range(3)]
    for each in every:
        each.start()
    for each in every:
        each.join()
    return [told[n] for n in range(3)]


def some_of_an_iterator(e: RddEnv) -> Any:
    rows = e.numbers.toLocalIterator(prefetchPartitions=True)
    told = next(rows), next(rows)
    rows.close()
    return told, list(e.numbers.toLocalIterator())


def described(e: RddEnv) -> Any:
    rdd = e.pairs.reduceByKey(add)
    debugged = [type(each.toDebugString()) for each in (rdd, e.pairs.join(e.others))]
    needs = ResourceProfileBuilder().require(TaskResourceRequests().cpus(1)).build
    resourced = e.pairs.map(str)
    return (
        debugged, rdd.name(), rdd.setName("sums").name(), rdd.id() == rdd.id(), rdd.context is e.context,
        # A job of an RDD that was given some waits in a local Spark for ever, though it says that it took none.
        raised(lambda: resourced.withResources(needs)), type(resourced.getResourceProfile()),
        resourced.has_resource_profile, rdd.has_resource_profile,
        rdd.cleanShuffleDependencies(), rdd.collect(),
    )  # fmt: skip


TRANSFORMATIONS: Cases = {
    "by element": lambda e: (e.numbers.map(str), e.numbers.flatMap(range), e.numbers.filter(bool).keyBy(str)),
    "of values": lambda e: (e.pairs.keys(), e.pairs.values(), e.pairs.mapValues(str).flatMapValues(list)),
    "by partition": lambda e: (
        e.numbers.mapPartitions(ahead).glom(), e.numbers.mapPartitionsWithSplit(lambda n, part: [n, *part]),
        e.numbers.mapPartitionsWithIndex(lambda n, part: [n]), e.numbers.pipe("cat", {"A": "b"}, True),
    ),
    "barrier": lambda e: e.numbers.repartition(2).barrier().mapPartitions(lambda part: [len(list(part))]).map(str),
    "joins": lambda e: (
        e.pairs.join(e.others), e.pairs.leftOuterJoin(e.others, 3), e.pairs.rightOuterJoin(e.others),
        e.pairs.reduceByKey(add, 2).fullOuterJoin(e.others.partitionBy(2)), e.pairs.cartesian(e.others),
        e.pairs.cogroup(e.others).mapValues(lambda both: [*map(list, both)]),
        e.pairs.groupWith(e.others, e.pairs).mapValues(len), e.numbers.zip(e.numbers.map(str)),
    ),
    "keyed": lambda e: (
        e.pairs.reduceByKey(add), e.pairs.reduceByKey(add, 3, len), e.pairs.foldByKey(0, add),
        e.pairs.aggregateByKey(0, add, add, 1), e.pairs.combineByKey(lambda x: [x], lambda a, x: [*a, x], add),
        e.pairs.groupByKey().mapValues(list), e.numbers.groupBy(lambda x: x % 2, 2).mapValues(list),
        e.numbers.distinct(), e.pairs.reduceByKey(add, 2).union(e.pairs.groupByKey(2).mapValues(len)),
    ),
    "moved": lambda e: (
        e.pairs.partitionBy(3), e.numbers.repartition(2), e.numbers.coalesce(2), e.numbers.sortBy(abs),
        e.pairs.sortByKey(False, 2), e.pairs.repartitionAndSortWithinPartitions(2), e.numbers.zipWithIndex(),
        e.numbers.zipWithUniqueId(),
    ),
    "sets": lambda e: (
        e.numbers.union(e.others), e.numbers + e.numbers, e.context.union([e.numbers, e.pairs]),
        e.numbers.intersection(e.numbers), e.numbers.subtract(e.context.parallelize([1], 1)),
        e.pairs.subtractByKey(e.others),
    ),
    "by chance": lambda e: (
        e.numbers.sample(True, 2.0, 3), *e.numbers.randomSplit([1, 2], 5),
        e.pairs.sampleByKey(False, {"a": 0.5, "b": 1.0, "c": 1.0}, 3),
    ),
    "sources": lambda e: (
        *(e.context.parallelize(list(range(11)), parts) for parts in (1, 4, 15)), e.context.range(1, 9, 2, 3),
        e.context.parallelize((x for x in range(4)), 2), e.context.emptyRDD(), e.context.parallelize([], 3),
    ),
    "pairs that are none": lambda e: e.context.parallelize(["ab", "ac"], 1).map(iter).groupByKey().mapValues(list),
}  # fmt: skip

ACTIONS: Cases = {
    "all elements": lambda e: (
        e.numbers.collect(), e.pairs.join(e.others).collect(), e.numbers.distinct().collect(),
        e.numbers.collectWithJobGroup("mine", ""), e.pairs.collectAsMap(), str(e.pairs.toDF(["k", "n"]).collect()),
    ),
    "some elements": lambda e: (
        e.numbers.first(), e.numbers.take(0), e.numbers.take(3), e.empty.take(1), e.numbers.top(2),
        e.numbers.takeOrdered(2, str), e.numbers.takeSample(False, 3, 1), e.pairs.lookup("a"),
        e.numbers.isEmpty(), e.empty.isEmpty(),
    ),
    "values": lambda e: (
        e.numbers.aggregate(0, add, add), e.numbers.treeAggregate(0, add, add), e.numbers.fold(0, add),
        e.numbers.reduce(add), e.context.parallelize(range(6), 6).map(abs).treeReduce(add),
        e.numbers.max(), e.numbers.min(str), e.numbers.sum(), e.numbers.histogram(2),
    ),
    "statistics": lambda e: (
        e.numbers.mean(), e.numbers.stats(), e.numbers.variance(), e.numbers.stdev(), e.numbers.sampleStdev(),
        e.numbers.sampleVariance(), e.numbers.countApprox(9999), e.numbers.countApproxDistinct(),
        e.numbers.meanApprox(9999), e.numbers.sumApprox(9999),
    ),
    "by key": lambda e: (e.pairs.countByKey(), e.numbers.countByValue(), e.pairs.reduceByKeyLocally(add)),
    "for each": lambda e: (e.numbers.foreach(str), e.numbers.foreachPartition(list)),
    "nothing there": lambda e: raised(
        e.empty.first, e.empty.max, lambda: e.empty.reduce(add), lambda: e.empty.treeReduce(add), e.empty.mean,
        e.empty.sum, e.context.emptyRDD().map(str).count, e.context.emptyRDD().collect,
    ),
    "iterators": some_of_an_iterator,
    "text": lambda e: (e.pairs.reduceByKey(add).map(str).saveAsTextFile(e.path()), e.written()),
    "pickles": lambda e: (e.numbers.saveAsPickleFile(e.path(), 2), e.written()),
    "pickles as they lie": lambda e: (
        e.context.parallelize(list(range(9)), 2).saveAsPickleFile(e.path(), 0), e.written()
    ),
    "Hadoop's files": lambda e: (
        e.pairs.saveAsSequenceFile(e.path() + "/1"),
        e.pairs.saveAsHadoopFile(e.path() + "/2", "org.apache.hadoop.mapred.TextOutputFormat"),
        e.pairs.saveAsNewAPIHadoopFile(
            e.path() + "/3", "org.apache.hadoop.mapreduce.lib.output.TextOutputFormat"
        ),
        e.written(),
    ),
}  # fmt: skip

PROGRAMS: Cases = {
    "described": described,
    "cached later": lambda e: kept_later(e, lambda rdd: rdd.cache()),
    "checkpointed later": lambda e: kept_later(e, lambda rdd: rdd.checkpoint()),
    "checkpointed locally later": lambda e: kept_later(e, lambda rdd: rdd.localCheckpoint()),
    "kept": lambda e: kept(e, lambda rdd: rdd.persist(StorageLevel.MEMORY_AND_DISK)),
    "checkpointed": lambda e: kept(e, lambda rdd: rdd.checkpoint()),
    "functions run": lambda e: [
        runs(e, lambda rdd: (rdd.take(2), rdd.sortBy(abs).first(), rdd.keyBy(abs).join(rdd.keyBy(abs)).count())),
        runs(e, lambda rdd: rdd.map(str).groupBy(len).join(rdd.keyBy(str)).getNumPartitions()),
    ],
    "given functions run": lambda e: [
        runs_in(e, lambda rdd, f: rdd.treeReduce(f)),
        runs_in(e, lambda rdd, f: rdd.keyBy(abs).reduceByKey(f).groupByKey().mapValues(list).first()),
        runs_in(e, lambda rdd, f: rdd.keyBy(abs).partitionBy(2, lambda key: f(key, 0)).collect()),
        runs_in(e, lambda rdd, f: rdd.top(2, lambda x: f(x, 0))),
    ],
    "jobs": lambda e: jobs(
        e, e.numbers.sum, e.numbers.first, lambda: e.numbers.take(7), lambda: e.numbers.sortBy(abs),
        e.pairs.join(e.others).groupByKey, e.numbers.distinct().collect, e.numbers.zipWithIndex,
    ),
    "raising": lambda e: raised(
        e.numbers.map(raising).count, e.numbers.map(stop).collect, e.numbers.groupBy(stop).collect,
        lambda: e.numbers.foreach(raising), lambda: e.numbers.map(lambda x: 1 // (3 - x)).take(3),
        lambda: e.pairs.join([1]), lambda: e.pairs.reduceByKey(add, "3"), lambda: e.pairs.reduceByKey(),
        e.numbers.map(lambda x: ({}, x)).groupByKey().collect,
    ),
    "endless": lambda e: (
        e.numbers.flatMap(itertools.count).take(3), e.numbers.flatMap(itertools.count).isEmpty(),
    ),
    "variables": variables,
    "changed later": changed_later,
    "state": lambda e: (
        e.numbers.map(Numbering()).collect(), e.numbers.map(Numbering()).reduceByKey(add).collect()
    ),
    "a list used again": lambda e: (
        e.numbers.mapPartitions(reused).collect(), e.numbers.mapPartitions(reused).map(tuple).collect(),
        e.numbers.map(lambda x, held=[]: (held.append(x), held)[1]).map(len).sum(),
    ),
    "numpy and pandas": lambda e: (
        e.numbers.map(lambda x: (np.int64(x), np.float32(x))).reduceByKey(add).collect(),
        e.numbers.map(lambda x: np.ones(2) * x).sum(),
        e.numbers.map(lambda x: pd.DataFrame({"a": [x]})).reduce(lambda a, b: a + b).to_dict(),
    ),
    "on the way only": lambda e: (
        e.numbers.map(lambda x: iter([x])).map(list).collect(), e.numbers.map(lambda x: lambda: x).count(),
        e.numbers.map(lambda x: (x, iter([x]))).flatMapValues(list).reduceByKey(add).collect(),
    ),
    "rooted": lambda e: (
        e.numbers.map(Rooted).count(), e.numbers.map(Rooted).aggregate(0, lambda a, x: a + x.number, add),
        raised(e.numbers.map(Rooted).collect, e.numbers.map(Rooted).distinct().count),
    ),
    "weightless": lambda e: (
        [*map(tuple, e.numbers.map(lambda x: Weightless([x])).collect())],
        e.numbers.map(lambda x: (x, Weightless([x]))).mapValues(tuple).reduceByKey(add).collect(),
    ),
    "read once": lambda e: [type(each) for each in e.context.parallelize([Once()], 1).collect()],
    "only here": only_here,
    "many partitions": lambda e: e.context.parallelize(range(3), 12).map(lambda x: (x, 1)).reduceByKey(add, 9),
    "cancelled": cancelled,
    "threads": threads,
}  # fmt: skip

CASES: Cases = TRANSFORMATIONS | ACTIONS | PROGRAMS

NOT_EXERCISED: dict[str, str] = {
    "saveAsHadoopDataset": "what saveAsHadoopFile calls in Java, with settings in place of arguments",
    "saveAsNewAPIHadoopDataset": "what saveAsNewAPIHadoopFile calls in Java",
}
