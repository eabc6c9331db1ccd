"""The one list of PySpark methods that are wrapped, and how they are put in and taken out again.

A wrapper is set on the very class that defines the method, so that nothing changes for subclasses, and a
method that a version of PySpark lacks is passed over. `uninstall` leaves PySpark as it was.
"""

import functools
import importlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from operator import attrgetter
from typing import Any
from weakref import WeakKeyDictionary

from bigdebug.lineage.rdd.kinds import ACTIONS, OPERATORS, SOURCES


class Kind(Enum):
    """What a method means for the recording."""

    OPERATOR = "operator"
    """Returns a DataFrame (or several) made from its object and arguments: one node each."""
    READER = "reader"
    """Returns a DataFrame read from somewhere: a node that remembers the paths."""
    GROUPED = "grouped"
    """Returns grouped data: no node yet, only its name for the operator that ends it."""
    HANDLE = "handle"
    """Returns a writer that doesn't keep what is written and where to: that is kept beside it."""
    ACTION = "action"
    """Computes rows of the frame: an output."""
    WRITER = "writer"
    """Writes the frame: an output with a target."""
    COMMAND = "command"
    """`sql`: an operator; an output too where the text writes at once."""
    BATCHES = "batches"
    """Takes a function that a streaming query calls with each micro-batch: what that does is recorded."""
    RDD_OPERATOR = "RDD operator"
    """Returns an RDD (or several) made of those it is given: one node each."""
    RDD_SOURCE = "RDD source"
    """Returns an RDD that is read from somewhere, or made of data at hand."""
    RDD_ACTION = "RDD action"
    """Computes elements of the RDD: an output."""
    FRAME_RDD = "RDD of a frame"
    """A property: the frame's rows as an RDD, made when it is first asked for."""
    FRAME_TEXTS = "texts of a frame"
    """Returns an RDD of texts, one of each of the frame's rows."""
    CONVERSION = "conversion"
    """Makes rows of an RDD's elements, within a call that is recorded: how, is noted."""
    UNRECORDED = "unrecorded"
    """Goes on as ever; that it isn't recorded is said once."""
    SESSION = "session"
    """Makes a session or a context."""
    LIFECYCLE = "lifecycle"
    """Stops a session: what is recorded of it is stored first."""


@dataclass(frozen=True)
class Patch:
    """Methods of one class that mean the same.

    Attributes:
        owner: `module:class`, where the methods are defined.
        kind: what they mean.
        names: the methods.
        prefix: stands before the method's name in what users see, as they wrote it.
    """

    owner: str
    kind: Kind
    names: tuple[str, ...]
    prefix: str = ""


def _patch(owner: str, kind: Kind, names: str, prefix: str = "") -> Patch:
    return Patch(f"pyspark.{owner}", kind, tuple(names.split()), prefix)


_FRAME_OPERATORS = """
    agg alias cache checkpoint coalesce crossJoin crosstab describe distinct drop dropDuplicates
    dropDuplicatesWithinWatermark drop_duplicates dropna exceptAll fillna filter freqItems hint intersect
    intersectAll join lateralJoin limit localCheckpoint mapInArrow mapInPandas melt nearestByJoin observe
    offset orderBy persist randomSplit repartition repartitionById repartitionByRange replace sample
    sampleBy select selectExpr sort sortWithinPartitions subtract summary to toDF transpose union
    unionAll unionByName unpivot where withColumn withColumnRenamed withColumns withColumnsRenamed
    withMetadata withWatermark zip zipWithIndex _joinAsOf
"""
_FRAME_GROUPINGS = "groupBy groupby rollup cube groupingSets"
_FRAME_ACTIONS = """
    collect count first foreach foreachPartition head isEmpty show tail take toArrow toLocalIterator toPandas
"""
_FRAMES = ("sql.classic.dataframe:DataFrame", "sql.dataframe:DataFrame")
"""The class of frames, and its parent, whose methods hand on to it (`reduce(DataFrame.union, …)`)."""

TABLE: tuple[Patch, ...] = (
    *(_patch(frame, Kind.OPERATOR, _FRAME_OPERATORS) for frame in _FRAMES),
    *(_patch(frame, Kind.GROUPED, _FRAME_GROUPINGS) for frame in _FRAMES),
    *(_patch(frame, Kind.ACTION, _FRAME_ACTIONS) for frame in _FRAMES),
    *(_patch(frame, Kind.HANDLE, "writeTo mergeInto") for frame in _FRAMES),
    _patch("sql.classic.dataframe:DataFrameNaFunctions", Kind.OPERATOR, "drop fill replace", "na."),
    _patch(
        "sql.classic.dataframe:DataFrameStatFunctions", Kind.OPERATOR, "crosstab freqItems sampleBy", "stat."
    ),
    _patch("sql.group:GroupedData", Kind.OPERATOR, "agg avg count max mean min sum"),
    _patch("sql.group:GroupedData", Kind.GROUPED, "pivot"),
    _patch(
        "sql.pandas.group_ops:PandasGroupedOpsMixin",
        Kind.OPERATOR,
        "apply applyInArrow applyInPandas applyInPandasWithState transformWithState "
        "transformWithStateInPandas",
    ),
    _patch("sql.pandas.group_ops:PandasGroupedOpsMixin", Kind.GROUPED, "cogroup"),
    _patch("sql.pandas.group_ops:PandasCogroupedOps", Kind.OPERATOR, "applyInArrow applyInPandas"),
    _patch(
        "sql.readwriter:DataFrameReader",
        Kind.READER,
        "changes csv jdbc json load orc parquet table text xml",
        "read.",
    ),
    _patch(
        "sql.streaming.readwriter:DataStreamReader",
        Kind.READER,
        "changes csv json load orc parquet table text xml",
        "readStream.",
    ),
    _patch("sql.session:SparkSession", Kind.READER, "createDataFrame emptyDataFrame range table"),
    _patch("sql.session:SparkSession", Kind.COMMAND, "sql"),
    _patch("sql.catalog:Catalog", Kind.READER, "createExternalTable createTable", "catalog."),
    _patch(
        "sql.tvf:TableValuedFunction",
        Kind.READER,
        "collations explode explode_outer inline inline_outer json_tuple posexplode posexplode_outer "
        "python_worker_logs range sql_keywords stack variant_explode variant_explode_outer",
        "tvf.",
    ),
    _patch(
        "sql.readwriter:DataFrameWriter",
        Kind.WRITER,
        "csv insertInto jdbc json orc parquet save saveAsTable text xml",
        "write.",
    ),
    _patch(
        "sql.readwriter:DataFrameWriterV2",
        Kind.WRITER,
        "append create createOrReplace overwrite overwritePartitions replace",
        "writeTo.",
    ),
    _patch("sql.merge:MergeIntoWriter", Kind.WRITER, "merge", "mergeInto."),
    _patch("sql.streaming.readwriter:DataStreamWriter", Kind.UNRECORDED, "start toTable", "writeStream."),
    _patch("sql.streaming.readwriter:DataStreamWriter", Kind.BATCHES, "foreachBatch", "writeStream."),
    _patch("core.rdd:RDD", Kind.RDD_OPERATOR, " ".join(sorted(OPERATORS))),
    _patch("core.rdd:RDD", Kind.RDD_ACTION, " ".join(sorted(ACTIONS))),
    _patch("core.context:SparkContext", Kind.RDD_SOURCE, " ".join(sorted(SOURCES))),
    _patch("core.context:SparkContext", Kind.RDD_OPERATOR, "union", "SparkContext."),
    _patch("sql.classic.dataframe:DataFrame", Kind.FRAME_RDD, "rdd"),
    _patch("sql.classic.dataframe:DataFrame", Kind.FRAME_TEXTS, "toJSON"),
    _patch("sql.session:SparkSession", Kind.CONVERSION, "_createFromRDD"),
    _patch("sql.session:SparkSession", Kind.LIFECYCLE, "stop"),
    _patch("core.context:SparkContext", Kind.LIFECYCLE, "stop"),
)
_PARENT = f"pyspark.{_FRAMES[1]}"

SESSION_TABLE: tuple[Patch, ...] = (
    _patch("sql.session:SparkSession.Builder", Kind.SESSION, "create getOrCreate"),
    _patch("sql.session:SparkSession", Kind.SESSION, "__init__ newSession"),
    _patch("core.context:SparkContext", Kind.SESSION, "__init__"),
)
"""Wrapped beside `TABLE` only where every session that a program makes is to be recorded."""


class Patches:
    """Wraps the methods of a table and takes the wrappers out again. Thread safe.

    Args:
        table: the methods.
    """

    def __init__(self, table: tuple[Patch, ...]) -> None:
        self._table = table
        self._lock = threading.RLock()
        self._installed: list[tuple[type, str, Any, Any]] = []
        # Programs that attach again and again, as tests do, would else pay for them each time.
        self._made: WeakKeyDictionary[Callable[..., Any], dict[Any, Any]] = WeakKeyDictionary()

    def methods(self) -> Iterator[tuple[type, str, Patch]]:
        """Every method of the table that this version of PySpark has: class, name, and what it means."""
        for patch in self._table:
            module, _, path = patch.owner.partition(":")
            try:
                owner = attrgetter(path)(importlib.import_module(module))
            except (ImportError, AttributeError):
                continue
            for name in patch.names:
                method = vars(owner).get(name)
                # What the parent of all frames doesn't hand on (`DataFrame.toPandas(df)`) does nothing at all.
                usable = callable(method) or isinstance(method, functools.cached_property)
                if usable and (patch.owner != _PARENT or hasattr(method, "__wrapped__")):
                    yield owner, name, patch

    def install(self, wrapper_of: Callable[[Patch, str, Any], Callable[..., Any]]) -> None:
        """Wrap the methods; does nothing where they are wrapped already.

        Args:
            wrapper_of: makes the wrapper for a method.
        """
        with self._lock:
            if not self._installed:
                made = self._made.setdefault(wrapper_of, {})
                for owner, name, patch in self.methods():
                    original = vars(owner)[name]
                    key = owner, name, original
                    if key not in made:
                        made[key] = _wrapped(owner, name, original, partial(wrapper_of, patch, name))
                    setattr(owner, name, made[key])
                    self._installed.append((owner, name, original, made[key]))

    def uninstall(self) -> None:
        """Take every wrapper out, except where somebody else has put something in its place since."""
        with self._lock:
            while self._installed:
                owner, name, original, wrapper = self._installed.pop()
                if vars(owner).get(name) is wrapper:
                    setattr(owner, name, original)


patches = Patches(TABLE)
session_patches = Patches(SESSION_TABLE)


def _wrapped(owner: type, name: str, original: Any, wrapper_of: Callable[[Any], Callable[..., Any]]) -> Any:
    """What takes the place of a method, or of a property that is worked out once."""
    if not isinstance(original, functools.cached_property):
        return _dressed(wrapper_of(original), original)
    wrapper = functools.cached_property(_dressed(wrapper_of(original.func), original.func))
    wrapper.__set_name__(owner, name)
    return wrapper


def _dressed(wrapper: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    """The wrapper with the original's name and signature, and with code that counts as PySpark's.

    Spark describes a job by the first frame outside its own folder ("collect at etl.py:42"), and a wrapper
    mustn't be taken for that.
    """
    import pyspark

    dressed = functools.wraps(original)(wrapper)
    code: Any = dressed.__code__  # type: ignore[attr-defined]
    inner: Any = getattr(original, "__code__", code)
    dressed.__code__ = code.replace(  # type: ignore[attr-defined]
        co_filename=f"{pyspark.__path__[0]}/<bigdebug>", co_name=inner.co_name, co_qualname=inner.co_qualname
    )
    return dressed
