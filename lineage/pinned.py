"""A session for our questions: the settings of the run, nothing of the user's session touched."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from py4j.protocol import Py4JError
from pyspark.core.rdd import RDD
from pyspark.sql import SparkSession

from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.errors import UnreachableError
from bigdebug.lineage.row_identity import HADOOP_RELATION, identity_of

# Ours, on top of the run's: they change how a question is computed, never its answer.
_OURS = {
    # A bounded fetch looks at all partitions at once; Spark's own take tries one, then four, …
    "spark.sql.limit.initialNumPartitions": "1000000",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Ids of hidden columns would otherwise be cut from long plans in our own messages.
    "spark.sql.debug.maxToStringFields": "50",
}

_at_work = threading.local()


def pinned_session(spark: SparkSession, conf: Any | None = None) -> Catalyst:
    """A clone of a session (same context, catalog state, functions) with the settings of a run.

    Args:
        spark: the session the dataflow belongs to.
        conf: a JVM `SQLConf` as it was when the action began; None for the session's present one.

    Raises:
        UnreachableError: Spark was stopped.
    """
    context = spark.sparkContext
    if context._jsc is None or context._jsc.sc().isStopped():
        raise UnreachableError(
            "the Spark session was stopped",
            hint="ask from the store: bigdebug trace RUN OUTPUT --where SQL",
        )
    jclone = spark._jsparkSession.cloneSession()
    if conf is not None:
        ours = jclone.sessionState().conf()
        # What the user set since then must not stay behind.
        ours.clear()
        ours.settings().putAll(_java_map(spark, conf.getAllConfs()))
    for key, value in _OURS.items():
        jclone.sessionState().conf().setConfString(key, value)
    return Catalyst(made_aside(lambda: SparkSession(context, jclone, {})))


@contextmanager
def settings(catalyst: Catalyst, values: Mapping[str, str | None]) -> Iterator[None]:
    """Some settings of the pinned session, for now; None for those that aren't to be set."""
    conf: Any = catalyst.jsession.sessionState().conf()
    before = {name: str(conf.getConfString(name)) if conf.contains(name) else None for name in values}
    _set(conf, values)
    try:
        yield
    finally:
        _set(conf, before)


def _set(conf: Any, values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            conf.unsetConf(name)
        else:
            conf.setConfString(name, value)


def made_aside(make: Callable[[], SparkSession]) -> SparkSession:
    """A session of ours, made so that the user's `rdd.toDF()` stays with theirs.

    PySpark gives that method anew with every session: frames of the program's would then be made in ours.
    """
    before = RDD.toDF
    try:
        return make()
    finally:
        RDD.toDF = before


@contextmanager
def settings_at_work(catalyst: Catalyst) -> Iterator[None]:
    """Have this thread's jobs see the pinned session's settings also where Spark reads them as it executes.

    Spark does this around its own actions; ours fetch rows of a physical plan beneath them.
    """
    outer = getattr(_at_work, "catalyst", None)
    if outer is catalyst:
        yield
        return
    companion = catalyst.singleton(catalyst.jvm.org.apache.spark.sql.classic, "SparkSession")
    context = catalyst.spark.sparkContext
    jcontext = context._jsc.sc()
    active = companion.getActiveSession()
    before = jcontext.getLocalProperties()
    _put_to_work(catalyst, before)
    _at_work.catalyst = catalyst
    try:
        yield
    finally:
        _at_work.catalyst = outer
        # Nothing is left to be put back where Spark has gone meanwhile.
        with suppress(Py4JError, OSError):
            if context._jsc is not None:
                jcontext.setLocalProperties(before)
                if active.isDefined():
                    companion.setActiveSession(active.get())
                else:
                    companion.clearActiveSession()


def settings_at_work_again(context: Any) -> None:
    """The same, where this thread has a new thread of the JVM, which knows nothing of them."""
    catalyst: Catalyst | None = getattr(_at_work, "catalyst", None)
    if catalyst is not None:
        _put_to_work(catalyst, context._jsc.sc().getLocalProperties())


def _put_to_work(catalyst: Catalyst, before: Any) -> None:
    catalyst.singleton(catalyst.jvm.org.apache.spark.sql.classic, "SparkSession").setActiveSession(
        catalyst.jsession
    )
    properties = before.clone()
    if catalyst.settings is None:
        catalyst.settings = _sql_settings(catalyst)
    properties.putAll(catalyst.settings)
    catalyst.spark.sparkContext._jsc.sc().setLocalProperties(properties)


def _sql_settings(catalyst: Catalyst) -> Any:
    """The session's settings of Spark SQL as a Java map; picked in the JVM, where a setting costs no call."""
    settings = catalyst.jvm.java.util.HashMap(
        _java_map(catalyst.spark, catalyst.jsession.sessionState().conf().getAllConfs())
    )
    others = catalyst.jvm.java.util.regex.Pattern.compile(r"^(?!spark\.sql\.)").asPredicate()
    settings.keySet().removeIf(others)
    return settings


def _java_map(spark: SparkSession, scala_map: Any) -> Any:
    jvm: Any = spark._jvm
    return jvm.scala.jdk.javaapi.CollectionConverters.asJava(scala_map)


def rebinder(catalyst: Catalyst) -> Callable[[Any], Any]:
    """What makes file sources read with the pinned session's settings (splits!), not the user's present ones.

    They read the files themselves, not what the user has cached of them, which knows neither file nor position. And
    where records are told apart by counting them, no buckets: Spark reads a table by its buckets for some operators and
    not for others, and numbers the records of its files otherwise.
    """
    relations = catalyst.jvm.org.apache.spark.sql.execution.datasources

    def rebind(leaf: Any) -> Any:
        if class_name(leaf) != "LogicalRelation":
            return leaf
        relation = leaf.relation()
        if not catalyst.is_instance(relation, HADOOP_RELATION):
            return leaf
        pinned = relations.HadoopFsRelation(
            relation.location(),
            relation.partitionSchema(),
            relation.dataSchema(),
            catalyst.none if identity_of(catalyst, leaf) is None else relation.bucketSpec(),
            relation.fileFormat(),
            # An option that no format knows: Spark takes a cached plan for another that is equal to it.
            relation.options().updated("bigdebug", "pinned"),
            catalyst.jsession,
        )
        return catalyst.copy(leaf, relation=pinned)

    return rebind
