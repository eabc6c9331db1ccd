"""Handles on Spark's Catalyst classes over py4j: sequences, node copies, frames from plans.

Every call costs about 40 microseconds, so nodes are copied once and their children fetched once.
Fields of a node never pass through Python: py4j would turn a small `Long` into an `Integer`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.classic.dataframe import DataFrame as ClassicDataFrame

from bigdebug.lineage.names import Names, names_of

NODE_TAG = "bigdebug.node"
ID_PREFIX = "__bigdebug_"

_serial = itertools.count(1)

# Stands in hardly any text, and doesn't begin as it ends: what it joins comes apart again.
NO_TEXT = "\x1e\0\x1f"

# Classes that fields of nodes are of.
EXPRESSION = "org.apache.spark.sql.catalyst.expressions.Expression"
PLAN_EXPRESSION = "org.apache.spark.sql.catalyst.expressions.PlanExpression"
SEQ = "scala.collection.Seq"
OPTION = "scala.Option"


def fresh_name(kind: str) -> str:
    """A column name of ours that no user's column has."""
    return f"{ID_PREFIX}{kind}{next(_serial)}"


def class_name(node: Any) -> str:
    """The simple name of the class of a plan node or an expression."""
    # One call where it is a case class, as nearly all are.
    return str(node.productPrefix() or node.getClass().getSimpleName())


class Catalyst:
    """Catalyst, as one SparkSession sees it.

    Args:
        spark: the session that frames made here belong to.

    Attributes:
        settings: of Spark SQL in this session, a Java map, once somebody has looked them up.
    """

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self.settings: Any | None = None
        self.jvm: Any = names_of(spark._jvm)
        self.jsession: Any = spark._jsparkSession
        sql = self.jvm.org.apache.spark.sql
        self.expressions = sql.catalyst.expressions
        self.logical = sql.catalyst.plans.logical
        self._patterns: dict[str, Any] = {}

    # -- Scala's collections and objects ------------------------------------------------------------

    def seq(self, items: Iterable[Any]) -> Any:
        """A Scala `Seq` of JVM objects."""
        found = self._nil
        for item in reversed(list(items)):
            found = found.prepended(item)
        return found

    def extended(self, seq: Any, more: Iterable[Any]) -> Any:
        """A Scala `Seq` with more elements at its end; its own don't come by here."""
        for item in more:
            seq = seq.appended(item)
        return seq

    def items(self, seq: Any) -> list[Any]:
        """The elements of a Scala `Seq`."""
        return [seq.apply(i) for i in range(seq.length())]

    def entries(self, texts: Any) -> dict[str, str]:
        """The entries of a Scala `Map` of texts.

        Not by its Java face: py4j ends every iteration with an exception, which costs more than all the rest.
        """
        if texts.isEmpty():
            return {}
        keys = str(texts.keys().mkString(NO_TEXT)).split(NO_TEXT)
        values = str(texts.values().mkString(NO_TEXT)).split(NO_TEXT)
        if len(keys) == len(values) == texts.size():
            return dict(zip(keys, values, strict=True))
        pairs = self.items(texts.toSeq())
        return {str(pair.productElement(0)): str(pair.productElement(1)) for pair in pairs}

    def singleton(self, package: Any, name: str) -> Any:
        """A Scala `object`."""
        if isinstance(package, Names):
            return package.singleton(name)
        return getattr(getattr(package, name + "$"), "MODULE$")

    @cached_property
    def _nil(self) -> Any:
        return self.singleton(self.jvm.scala.collection.immutable, "Nil")

    @cached_property
    def none(self) -> Any:
        return self.jvm.scala.Option.empty()

    def some(self, value: Any) -> Any:
        return self.jvm.scala.Some(value)

    @cached_property
    def _any_ref(self) -> Any:
        return self.singleton(self.jvm.scala.reflect, "ClassTag").AnyRef()

    @cached_property
    def tag(self) -> Any:
        return self.jvm.org.apache.spark.sql.catalyst.trees.TreeNodeTag(NODE_TAG)

    def class_named(self, name: str) -> Any:
        return self.jvm.class_named(name)

    def is_instance(self, value: Any, class_name: str) -> bool:
        """Whether it is of a JVM class; strings, numbers and None come as Python's own, and are of none."""
        return hasattr(value, "_get_object_id") and bool(self.class_named(class_name).isInstance(value))

    @cached_property
    def hadoop_conf(self) -> Any:
        """The session's Hadoop `Configuration`, a copy of our own."""
        return self.jsession.sessionState().newHadoopConf()

    # -- plan nodes ---------------------------------------------------------------------------------

    def names(self, plan: Any) -> list[str]:
        """The names of a plan's columns."""
        return [field["name"] for field in json.loads(plan.schema().json())["fields"]]

    def fields(self, node: Any) -> Any:
        """A node's constructor fields as a Java `Object[]`, boxed as Spark holds them."""
        return node.productIterator().toArray(self._any_ref)

    def copy(self, node: Any, **changes: Any) -> Any:
        """A copy of a node with some constructor fields replaced, by name, whatever the version's arity."""
        fields = self.fields(node)
        for i in range(node.productArity()):
            name = node.productElementName(i)
            if name in changes:
                fields[i] = changes.pop(name)
        if changes:
            raise TypeError(f"{node.nodeName()} has no field {', '.join(changes)}")
        return node.makeCopy(fields)

    def output(self, plan: Any) -> list[Any]:
        return self.items(plan.output())

    def project(self, columns: Iterable[Any], child: Any) -> Any:
        return self.logical.Project(self.seq(columns), child)

    def project_more(self, columns: Iterable[Any], child: Any, own: Any | None = None) -> Any:
        """Columns of a plan, and more.

        Args:
            own: a plan with the columns to keep; None for all of the child's.
        """
        kept = (child if own is None else own).output()
        return self.logical.Project(self.extended(kept, columns), child)

    def filter(self, condition: Any, child: Any) -> Any:
        return self.logical.Filter(condition, child)

    def frame(self, plan: Any) -> DataFrame:
        """The DataFrame of a plan, analyzed in this session."""
        dataset = self.jvm.org.apache.spark.sql.classic.Dataset.ofRows(self.jsession, plan)
        return ClassicDataFrame(dataset, self.spark)

    def execution(self, plan: Any) -> Any:
        """Spark's `QueryExecution` of a plan, without a DataFrame around it."""
        state = self.jsession.sessionState()
        return state.executePlan(plan, getattr(state, "executePlan$default$2")())

    def rows(self, plan: Any) -> Any:
        """Run a plan; its rows as a Java array of `InternalRow`, which never pass through Python."""
        return self.execution(plan).executedPlan().executeCollect()

    def limit(self, number: int, plan: Any) -> Any:
        return self.logical.GlobalLimit(self.literal(number), self.local_limit(number, plan))

    def local_limit(self, number: int, plan: Any) -> Any:
        """Up to so many rows of each partition."""
        return self.logical.LocalLimit(self.literal(number), plan)

    def holds(self, tree: Any, *patterns: str) -> bool:
        """Whether any of Catalyst's tree patterns (`PLAN_EXPRESSION`, `PYTHON_UDF`, …) occurs in a tree."""
        return any(tree.containsPattern(self.pattern(name)) for name in patterns)

    def pattern(self, name: str) -> Any:
        """One of Catalyst's tree patterns."""
        if name not in self._patterns:
            self._patterns[name] = getattr(self.jvm.org.apache.spark.sql.catalyst.trees.TreePattern, name)()
        return self._patterns[name]

    def literal(self, value: Any) -> Any:
        """A value as an expression; a small number from Python is an `int`."""
        return self.singleton(self.expressions, "Literal").apply(value)

    def analyzed(self, frame: DataFrame) -> Any:
        return frame._jdf.queryExecution().analyzed()

    def named_as(self, given: Iterable[Any], own: Iterable[Any]) -> list[Any]:
        """Columns under the names and ids of others, which stand in the same order; more of either are left out."""
        pairs = zip(given, own, strict=False)
        return [self.alias(have, str(column.name()), column.exprId()) for have, column in pairs]

    # -- expressions --------------------------------------------------------------------------------

    def alias(self, expression: Any, name: str, expr_id: Any = None) -> Any:
        """`expression AS name`, under a fresh expression id unless one is given."""
        identity = expr_id if expr_id is not None else self.new_expr_id()
        return self.singleton(self.expressions, "Alias").apply(
            expression, name, identity, self.seq([]), self.none, self.seq([])
        )

    def new_expr_id(self) -> Any:
        return self.expressions.NamedExpression.newExprId()

    def struct(self, named: Iterable[tuple[str, Any]]) -> Any:
        """`named_struct(name, expression, …)`; names may repeat."""
        parts: list[Any] = []
        for name, expression in named:
            parts += [self.text(name), expression]
        return self.expressions.CreateNamedStruct(self.seq(parts))

    def text(self, value: str) -> Any:
        return self.literal(value)

    def null(self, data_type: Any) -> Any:
        return self.singleton(self.expressions, "Literal").apply(None, data_type)

    def as_long(self, expression: Any) -> Any:
        """The expression as a `bigint`; a small number from Python would be an `int`."""
        long_type = self.singleton(self.jvm.org.apache.spark.sql.types, "LongType")
        return self.expressions.Cast(expression, long_type, self.none, self.expressions.EvalMode.LEGACY())

    def as_text(self, expression: Any) -> Any:
        text = self.singleton(self.jvm.org.apache.spark.sql.types, "StringType")
        return self.expressions.Cast(expression, text, self.none, self.expressions.EvalMode.LEGACY())

    def same(self, left: Any, right: Any) -> Any:
        return self.expressions.EqualNullSafe(left, right)

    def all_of(self, conditions: list[Any]) -> Any:
        return self._chain(self.expressions.And, conditions)

    def any_of(self, conditions: list[Any]) -> Any:
        """Whether one of some conditions holds; of none none does."""
        return self._chain(self.expressions.Or, conditions) if conditions else self.literal(False)

    def _chain(self, connective: Any, conditions: list[Any]) -> Any:
        """Balanced, so that many conditions don't nest deep."""
        level = list(conditions)
        while len(level) > 1:
            pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
            level = [connective(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
        return level[0]

    def field(self, struct: Any, ordinal: int) -> Any:
        return self.expressions.GetStructField(struct, ordinal, self.none)

    def attribute_key(self, attribute: Any) -> str:
        """Names an attribute for good: Spark's `ExprId` with its JVM's id, never the number alone."""
        return str(attribute.exprId().toString())
