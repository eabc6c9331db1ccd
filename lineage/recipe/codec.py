"""Write an analyzed plan so that another JVM can read it.

Java serialization of a whole plan looks as if it worked and doesn't: subquery expressions are written but
can't be read, pandas nodes and views can't be written, tags are lost. So a plan is written as a skeleton
(JSON: each node's class, its children, its tag) and pieces (one Java-serialized list: each node's other
fields, where plain expressions serialize well). Leaves are cut out and described apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.catalyst import EXPRESSION, OPTION, PLAN_EXPRESSION, SEQ, Catalyst, class_name
from bigdebug.lineage.errors import RecipeError
from bigdebug.lineage.identity import HIVE_TABLE
from bigdebug.lineage.operators import TRANSPARENT

Skeleton = dict[str, Any]

_LOGICAL_PLAN = "org.apache.spark.sql.catalyst.plans.logical.LogicalPlan"
_INPUTS = frozenset({"child", "left", "right", "anchor", "recursion"})
_CUT_OUT = frozenset({"LogicalRelation", "LogicalRDD", "LocalRelation", "DataSourceV2Relation", HIVE_TABLE})

# Hygiene, not a wall: a recipe holds pickled functions as well, and running them is what it is for.
_READABLE_CLASSES = (
    "maxdepth=100000;org.apache.spark.sql.**;org.apache.spark.api.python.**;org.apache.spark.util.**;"
    "org.apache.spark.ml.linalg.*;org.apache.spark.mllib.linalg.*;org.apache.spark.QueryContextType;org.apache.spark.unsafe.types.*;java.util.concurrent.atomic.*;"
    "scala.**;java.lang.*;java.lang.invoke.SerializedLambda;java.util.*;java.math.*;[*;!*"
)


class Pieces:
    """The Java objects that a skeleton refers to by number."""

    def __init__(self, catalyst: Catalyst, objects: Any | None = None) -> None:
        self._catalyst = catalyst
        self._objects = catalyst.jvm.java.util.ArrayList() if objects is None else objects

    def add(self, piece: Any) -> int:
        self._objects.add(piece)
        return int(self._objects.size()) - 1

    def get(self, number: int) -> Any:
        return self._objects.get(number)

    def to_bytes(self) -> bytes:
        """Raises Py4JJavaError (NotSerializableException) where a piece can't be written."""
        java = self._catalyst.jvm.java.io
        buffer = java.ByteArrayOutputStream()
        stream = java.ObjectOutputStream(buffer)
        stream.writeObject(self._objects)
        stream.close()
        return bytes(buffer.toByteArray())

    @classmethod
    def from_bytes(cls, catalyst: Catalyst, data: bytes) -> Pieces:
        java = catalyst.jvm.java.io
        # Spark's own stream: it finds Spark's classes wherever the session's class loader has them.
        stream = java.ObjectInputStream(java.ByteArrayInputStream(data))
        config = getattr(catalyst.jvm.java.io, "ObjectInputFilter$Config")
        stream.setObjectInputFilter(config.createFilter(_READABLE_CLASSES))
        return cls(catalyst, stream.readObject())


@dataclass
class PlanWriter:
    """Turns a plan into a skeleton.

    Args:
        catalyst: of the session the plan lives in.
        pieces: where its fields go.
        leaf: describes a leaf and gives its number; called in the plan's order.
    """

    catalyst: Catalyst
    pieces: Pieces
    leaf: Callable[[Any], int]

    def write(self, plan: Any) -> Skeleton:
        """The skeleton of a plan.

        Raises:
            RecipeError: a node holds a plan in a place that isn't known.
        """
        tag = plan.getTagValue(self.catalyst.tag)
        kind = class_name(plan)
        if kind in TRANSPARENT:
            inner = self.write(plan.children().apply(0))
            if tag.isDefined():
                inner.setdefault("tag", tag.get())
            return inner
        node: Skeleton = {"tag": tag.get()} if tag.isDefined() else {}
        if kind in _CUT_OUT:
            return {**node, "leaf": self.leaf(plan), "output": self.pieces.add(plan.output())}
        fields = self.catalyst.fields(plan)
        node["class"] = plan.getClass().getName()
        children = self._cut_children(plan, fields)
        if children:
            node["children"] = children
        if self.catalyst.holds(plan, "PLAN_EXPRESSION") and not plan.subqueries().isEmpty():
            node["subqueries"] = self._cut_subqueries(fields)
        node["fields"] = self.pieces.add(fields)
        return node

    def _cut_children(self, plan: Any, fields: Any) -> dict[str, Any]:
        """Skeletons of the children by field number; the fields are emptied."""
        below = plan.children()
        if below.isEmpty():
            return {}
        cut: dict[str, Any] = {}
        for i in range(plan.productArity()):
            name = plan.productElementName(i)
            if name in _INPUTS and self.catalyst.is_instance(fields[i], _LOGICAL_PLAN):
                cut[str(i)] = self.write(fields[i])
                fields[i] = None
            elif name == "children":
                cut[str(i)] = [self.write(child) for child in self.catalyst.items(fields[i])]
                fields[i] = None
        found = sum(len(child) if isinstance(child, list) else 1 for child in cut.values())
        if found != below.length():
            raise RecipeError(f"{plan.nodeName()} holds its inputs in a way that recipes don't know")
        return cut

    def _cut_subqueries(self, fields: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for i in range(len(fields)):
            value = fields[i]
            if self.catalyst.is_instance(value, EXPRESSION):
                fields[i] = self._cut_expression(value, [i], found)
            elif self.catalyst.is_instance(value, SEQ):
                items = self.catalyst.items(value)
                if any(self.catalyst.is_instance(item, EXPRESSION) and self._holds(item) for item in items):
                    cut = [self._cut_expression(item, [i, j], found) for j, item in enumerate(items)]
                    fields[i] = self.catalyst.seq(cut)
            elif (
                self.catalyst.is_instance(value, OPTION)
                and value.isDefined()
                and self.catalyst.is_instance(value.get(), EXPRESSION)
            ):
                fields[i] = self.catalyst.some(self._cut_expression(value.get(), [i, 0], found))
        return found

    def _cut_expression(self, expression: Any, at: list[int], found: list[dict[str, Any]]) -> Any:
        stripped, cuts = self._strip(expression)
        found += [{"at": at, "path": path, "expression": cut} for path, cut in cuts]
        return stripped

    def _strip(self, expression: Any) -> tuple[Any, list[tuple[list[int], Skeleton]]]:
        """An expression with null literals where subqueries were, and what was there, by path."""
        if not self._holds(expression):
            return expression, []
        if self.catalyst.is_instance(expression, PLAN_EXPRESSION):
            return self.catalyst.null(expression.dataType()), [([], self._plan_expression(expression))]
        if class_name(expression) == "InSubquery":
            return self.catalyst.null(expression.dataType()), [([], self._in_subquery(expression))]
        children, cuts = [], []
        for i, child in enumerate(self.catalyst.items(expression.children())):
            stripped, below = self._strip(child)
            children.append(stripped)
            cuts += [([i, *path], cut) for path, cut in below]
        return expression.withNewChildren(self.catalyst.seq(children)), cuts

    def _plan_expression(self, expression: Any) -> Skeleton:
        fields = self.catalyst.fields(expression)
        node: Skeleton = {"class": expression.getClass().getName()}
        for i in range(expression.productArity()):
            if expression.productElementName(i) == "plan":
                node["plan_field"], node["plan"] = i, self.write(fields[i])
                fields[i] = None
        node["fields"] = self.pieces.add(fields)
        return node

    def _in_subquery(self, expression: Any) -> Skeleton:
        values = [self.pieces.add(value) for value in self.catalyst.items(expression.values())]
        return {"in": values, "query": self._plan_expression(expression.query())}

    def _holds(self, expression: Any) -> bool:
        return self.catalyst.holds(expression, "PLAN_EXPRESSION")


@dataclass
class PlanReader:
    """Turns a skeleton back into a plan.

    Args:
        catalyst: of the session the plan shall live in.
        pieces: what the skeleton refers to.
        leaf: gives the plan of a leaf by its number and recorded output attributes.
    """

    catalyst: Catalyst
    pieces: Pieces
    leaf: Callable[[int, Any], Any]

    def read(self, node: Skeleton) -> Any:
        if "leaf" in node:
            plan = self.leaf(node["leaf"], self.pieces.get(node["output"]))
        else:
            fields = self.pieces.get(node["fields"])
            for i, child in node.get("children", {}).items():
                several = isinstance(child, list)
                fields[int(i)] = (
                    self.catalyst.seq(self.read(each) for each in child) if several else self.read(child)
                )
            for cut in node.get("subqueries", ()):
                self._put_back(fields, cut)
            plan = self._built(node["class"], fields)
        if "tag" in node:
            plan.setTagValue(self.catalyst.tag, node["tag"])
        return plan

    def _put_back(self, fields: Any, cut: dict[str, Any]) -> None:
        first, *rest = cut["at"]
        expression = self._expression(cut["expression"])
        if not rest:
            fields[first] = self._replaced(fields[first], cut["path"], expression)
        elif self.catalyst.is_instance(fields[first], OPTION):
            fields[first] = self.catalyst.some(self._replaced(fields[first].get(), cut["path"], expression))
        else:
            items = self.catalyst.items(fields[first])
            items[rest[0]] = self._replaced(items[rest[0]], cut["path"], expression)
            fields[first] = self.catalyst.seq(items)

    def _replaced(self, expression: Any, path: list[int], by: Any) -> Any:
        if not path:
            return by
        children = self.catalyst.items(expression.children())
        children[path[0]] = self._replaced(children[path[0]], path[1:], by)
        return expression.withNewChildren(self.catalyst.seq(children))

    def _expression(self, node: Skeleton) -> Any:
        if "in" in node:
            values = self.catalyst.seq(self.pieces.get(number) for number in node["in"])
            return self.catalyst.expressions.InSubquery(values, self._expression(node["query"]))
        fields = self.pieces.get(node["fields"])
        fields[node["plan_field"]] = self.read(node["plan"])
        return self._built(node["class"], fields)

    def _built(self, class_name: str, fields: Any) -> Any:
        for constructor in self.catalyst.class_named(class_name).getConstructors():
            if constructor.getParameterCount() == len(fields):
                return constructor.newInstance(fields)
        raise RecipeError(
            f"this version of Spark has no {class_name.rsplit('.', 1)[-1]} with {len(fields)} fields",
            hint="open the run with the Spark version that recorded it",
        )
