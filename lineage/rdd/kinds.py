"""The methods of RDDs and SparkContexts that are recorded, by what they mean for lineage. Loads no Spark."""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


RECORD_WISE = _names("map flatMap filter mapValues flatMapValues keyBy keys values")
"""Call a function with one element at a time: what it gives stems from that element."""

KEEPING_KEYS = _names("mapValues flatMapValues filter")
"""Those of them that leave the keys of pairs, and so the partitioner, what they are."""

SAMPLING = _names("sample sampleByKey randomSplit")
"""Keep elements by chance: by a seed, the partition and the position in it."""

MOVING = _names(
    """
    partitionBy repartition coalesce sortBy sortByKey repartitionAndSortWithinPartitions
    """
)
"""Give the elements of their input elsewhere, or in another order."""

SORTING = _names("sortBy sortByKey")

NUMBERING = _names("zipWithIndex zipWithUniqueId")

JOINS = _names("join leftOuterJoin rightOuterJoin fullOuterJoin")
PAIRING = _names("zip cartesian") | JOINS
"""Make an element of one element of each input."""

UNIONS = _names("union __add__ SparkContext.union")
SUBTRACTING = _names("subtract subtractByKey")
"""Keep elements of the first input; the second only decides which."""

KEYED = _names("reduceByKey foldByKey aggregateByKey combineByKey groupByKey")
COGROUPS = _names("cogroup groupWith")
GROUPING = KEYED | COGROUPS | _names("groupBy distinct intersection")
"""Boundaries: an element stems from all elements of its key."""

OPAQUE = _names("mapPartitions mapPartitionsWithIndex mapPartitionsWithSplit pipe")
"""Call a function with a whole partition: what made an element, only that knows."""

BY_PARTITION = OPAQUE | {"glom"}
"""Boundaries: an element stems from what was read of its partition by then."""

BOUNDARIES = GROUPING | BY_PARTITION

OPERATORS = (
    RECORD_WISE | SAMPLING | MOVING | NUMBERING | PAIRING | UNIONS | SUBTRACTING | GROUPING | BY_PARTITION
) - {"SparkContext.union"}
"""All transformations of RDDs that are understood."""

SHUFFLING = (MOVING - {"coalesce"}) | JOINS | SUBTRACTING | GROUPING
"""Spark takes the functions below these when they are called, not when their RDD is computed."""

BY_SETTINGS = _names("newAPIHadoopRDD hadoopRDD")
"""Read whatever Hadoop's settings name: files, as a rule."""

IN_FILES = BY_SETTINGS | _names(
    "textFile wholeTextFiles binaryFiles binaryRecords sequenceFile pickleFile newAPIHadoopFile hadoopFile"
)
SOURCES = IN_FILES | _names("parallelize range emptyRDD")
"""Methods of a SparkContext that read or make a source."""

OF_FRAME = "DataFrame.rdd"
"""The rows of a DataFrame as elements."""

ROWS = "rows"
"""The same, worked out once and kept: a source of the program above."""

INTO_FRAME = "createDataFrame"
"""A DataFrame of an RDD: where a trace of the DataFrame goes on as one of the RDD. No RDD is made by it."""

UNKNOWN = "unknown"
"""Kind of an RDD that was made before anything was recorded, or by a method that isn't."""

ROW_ACTIONS = _names(
    "collect collectWithJobGroup toLocalIterator foreach foreachPartition count "
    "countApprox countApproxDistinct saveAsTextFile saveAsPickleFile saveAsSequenceFile "
    "saveAsHadoopFile saveAsNewAPIHadoopFile saveAsHadoopDataset saveAsNewAPIHadoopDataset"
)
"""Actions that are about all elements."""

FIRST_ROWS = _names("take first isEmpty")
EXTREME_ROWS = _names("top takeOrdered")
SOME_ROWS = FIRST_ROWS | EXTREME_ROWS | _names("takeSample lookup collectAsMap")
"""Actions that give some of the elements, or look at them."""

KEYED_VALUES = _names("countByKey countByValue reduceByKeyLocally")
"""Actions whose result has a value for each key: an output element each."""

VALUE_ACTIONS = _names(
    "reduce treeReduce fold aggregate treeAggregate sum min max mean variance stdev sampleStdev "
    "sampleVariance stats histogram sumApprox meanApprox"
)
"""Actions whose result is made of all elements: one output element."""

ACTIONS = ROW_ACTIONS | SOME_ROWS | KEYED_VALUES | VALUE_ACTIONS

COMPUTES_ITSELF = _names(
    """
    collect collectWithJobGroup collectAsMap toLocalIterator saveAsPickleFile
    """
)
"""Actions that compute the very RDD, where others compute one made of it for the purpose."""
