"""Draws data and pipelines."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import expressions as e
import pyspark
from by_place import Numbered, PartitionFunction, stands
from combining import (
    HOWS,
    CountingSetOperation,
    DistinctUnion,
    Lateral,
    PlainSetOperation,
    Subquery,
    Twice,
    Union,
    join_of,
)
from group_functions import CogroupFunction, GroupFunction, PandasAggregate
from grouping import Aggregate, Call, Distinct, ExpandedAggregate, Limit, Pivot
from hypothesis import strategies as st
from nearest import AsOfJoin
from pyspark.sql import DataFrame
from records import HELD, KINDS, Data, range_values
from rowwise import BinBy, Explode, Filter, Project, Unchanged, Unpivot
from tree import Node, Source
from windows import Frame, Window

# Few values, so that keys meet, repeat and are skewed.
_INTS = st.sampled_from([0, 1, 1, 1, 2, -1, None])
_TEXTS = st.sampled_from(["a", "a", "b", "é'", None])
_DOUBLES = st.sampled_from([0.0, -0.0, 1.5, math.nan, None])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": _INTS,
    "str": _TEXTS,
    "dbl": _DOUBLES,
    "arr": st.one_of(st.none(), st.lists(_INTS, max_size=3)),
    "st": st.one_of(st.none(), st.tuples(_DOUBLES, _TEXTS)),
}
# Whether Spark has the clauses BIN BY and ASOF JOIN.
HAS_NEW_CLAUSES = tuple(map(int, pyspark.__version__.split(".")[:2])) >= (4, 3)
UDFS = ("plain_twice", "pandas_twice", "arrow_twice")
_WIDEST = 8

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Case:
    """A pipeline and the data of its sources."""

    pipeline: Node
    data: dict[str, Data]


@st.composite
def cases(draw: Draw, most: int = 5) -> Case:
    """A pipeline of one to `most` operators, besides those that only make inputs fit."""
    drawing = Drawing(draw)
    node = drawing.source()
    for _ in range(draw(st.integers(1, most))):
        node = drawing.operator(node)
    return Case(node, drawing.data)


class Drawing:
    """Grows a pipeline. Each method gives a node, or None where it doesn't fit the child's columns."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.data: dict[str, Data] = {}

    def one(self, choices: Any) -> Any:
        return self.draw(st.sampled_from(list(choices)))

    def dialect(self) -> str:
        return str(self.one(("df", "sql")))

    # -- sources ------------------------------------------------------------------------------------

    def source(self, types: tuple[str, ...] | None = None) -> Node:
        """New records; with the given types, converted by a projection where the source can't hold them."""
        kind = self.one(KINDS)
        if types is not None and not set(types) <= set(HELD.get(kind, e.SPARK_TYPES)):
            kind = self.one(("list", "slices", "parquet"))
        held = HELD.get(kind, tuple(e.SPARK_TYPES))
        if types is None:
            types = tuple(self.draw(st.lists(st.sampled_from(held), min_size=1, max_size=3)))
            if "int" not in types:
                types = ("int", *types)
        count = self.one((0, 1, 2, 3, 4, 5, 7))
        values: Any
        if kind == "range":
            values = range_values(count, len(types))
        else:
            record = st.tuples(*(VALUES[t] for t in types))
            values = tuple(self.draw(st.lists(record, min_size=count, max_size=count)))
        name = f"s{len(self.data)}"
        first = 1000 * (len(self.data) + 1)
        self.data[name] = Data(kind, types, first, values, self.one((1, 2, 3)))
        return Source((), name=name, columns=types)

    def other(self, types: tuple[str, ...] | None = None) -> Node:
        """A second input: a source, at times with an operator above it that keeps its types."""
        node = self.source(types)
        if self.one((False, True)):
            node = self.one((self._filter, self._distinct, self._unchanged))(node) or node
        if types is None and self.one((False, True)):
            node = self.aggregate(node)
        return node

    # -- operators ----------------------------------------------------------------------------------

    def operator(self, child: Node) -> Node:
        makers = [
            self._join, self.aggregate, self._subquery, self._lateral, self._explode, self._twice, self._union,
            self._set_operation, self._distinct, self._pivot, self.window, self._unpivot, self._limit,
            self._unchanged, self._filter, self._project, self.group_function, self.by_place, self._as_of_join,
            self._bin_by,
        ]  # fmt: skip
        node = None
        while node is None:
            node = self.one(makers)(child)
        if len(node.types) > _WIDEST:
            kept = range(len(node.types) - _WIDEST, len(node.types))
            node = Project((node,), self.dialect(), tuple(e.ref(i, node.types[i]) for i in kept))
        return node

    def rowwise(self, child: Node) -> Node:
        """An operator that looks at one row at a time."""
        return self.one((self._project, self._filter, self._explode))(child) or self._project(child)

    def _of(self, child: Node, *kinds: str) -> list[int]:
        return [i for i, kind in enumerate(child.types) if kind in kinds]

    def _project(self, child: Node) -> Node:
        exprs = [e.ref(i, kind) for i, kind in enumerate(child.types)]
        exprs = self.draw(st.permutations(exprs))[: self.one((1, 2, 3, 8))]
        ints, texts, structs = (self._of(child, kind) for kind in ("int", "str", "st"))
        new = []
        if ints:
            i = self.one(ints)
            new += [e.plus(i, 1), e.coalesce(i, 7), e.make_array(i, self.one(ints))]
            new += [e.udf_call(name, i) for name in UDFS]
        if texts:
            new.append(e.concat(self.one(texts)))
        if structs:
            new.append(e.x_of(self.one(structs)))
        doubles = self._of(child, "dbl")
        if doubles and texts:
            new.append(e.make_struct(self.one(doubles), self.one(texts)))
        if new:
            exprs = [*exprs, *self.draw(st.lists(st.sampled_from(new), max_size=2))]
        return Project((child,), self.dialect(), tuple(exprs))

    def condition(self, child: Node) -> e.Expr:
        choices = [e.is_null(self.one(range(len(child.types))))]
        for kind in ("int", "str", "dbl"):
            for i in self._of(child, kind)[:2]:
                value = e.const(kind, self.one({"int": (0, 1, 3), "str": ("a", "b"), "dbl": (0, 1)}[kind]))
                choices += [e.greater(i, value), e.equal(i, value)]
                choices += [e.same(i, j) for j in self._of(child, kind)[-1:]]
        chosen: e.Expr = self.one(choices)
        if self.one((False, False, True)):
            chosen = e.either(chosen, self.one(choices))
        return e.negated(chosen) if self.one((False, True)) else chosen

    def _filter(self, child: Node) -> Node:
        condition = self.condition(child)
        ints = self._of(child, "int")
        if ints and self.one((False, False, False, True)):
            condition = e.udf_positive(self.one(UDFS), self.one(ints))
        return Filter((child,), self.dialect(), condition)

    def _explode(self, child: Node) -> Node | None:
        arrays, structs = self._of(child, "arr"), self._of(child, "st")
        if arrays:
            kind = self.one(("explode", "posexplode"))
            return Explode((child,), self.dialect(), self.one(arrays), kind, self.one((False, True)))
        if structs:
            return Explode((child,), self.dialect(), self.one(structs), "inline", self.one((False, True)))
        return None

    def _unpivot(self, child: Node) -> Node | None:
        ints = self._of(child, "int")
        if len(ints) < 2:
            return None
        kept = tuple(i for i in range(len(child.types)) if i not in ints[:2])
        return Unpivot((child,), self.dialect(), kept, tuple(ints[:2]))

    def _bin_by(self, child: Node) -> Node | None:
        ints = self._of(child, "int")
        if not ints or not HAS_NEW_CLAUSES:
            return None
        return BinBy((child,), "sql", self.one(ints), self.one(ints))

    def _unchanged(self, child: Node) -> Node:
        how = self.one(Unchanged.HOWS)
        return Unchanged((child,), "df" if how in Unchanged.CALLS else self.dialect(), how)

    def _join(self, child: Node) -> Node:
        how = self.one(HOWS)
        other = self.other()
        sides = (other, child) if self.one((False, False, True)) else (child, other)
        left, right = sides
        if how == "cross":
            return join_of(how, children=sides, dialect=self.dialect())
        if left.types[0] == right.types[0] and self.one((False, False, True)):
            return join_of(how, children=sides, dialect=self.dialect(), using=True)
        pairs = [(i, j) for i, a in enumerate(left.types) for j, b in enumerate(right.types) if a == b]
        if not pairs:
            return join_of("cross", children=sides, dialect=self.dialect())
        on = self.draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=2, unique=True))
        ops = ("=", "=", "<=>", "<") if how != "full" else ("=", "<=>")
        return join_of(
            how, children=sides, dialect=self.dialect(), on=tuple((i, j, self.one(ops)) for i, j in on)
        )

    def _as_of_join(self, child: Node) -> Node | None:
        ints = self._of(child, "int")
        if not ints:
            return None
        other = self.source()
        # Of one column, so that rows as near are equal: which of them it takes is Spark's to choose.
        other = Project(
            (other,), self.dialect(), (e.ref(*self.one([(i, "int") for i in self._of(other, "int")])),)
        )
        if self.one((False, True)):
            other = self._distinct(other)
        dialect = self.dialect() if HAS_NEW_CLAUSES else "df"
        how, comparison = self.one(("inner", "left")), self.one(AsOfJoin.COMPARISONS)
        return AsOfJoin((child, other), dialect, how, self.one(ints), comparison)

    def _twice(self, child: Node) -> Node | None:
        if len([node for node in child.walk() if isinstance(node, Twice)]) > 1:
            return None
        how = self.one(("join", "union"))
        pairs = [(i, j) for i, a in enumerate(child.types) for j, b in enumerate(child.types) if a == b]
        return Twice((child,), self.dialect(), how, self.one(pairs))

    def _union(self, child: Node) -> Node:
        kind = self.one((Union, DistinctUnion))
        lacking = len(child.types) > 1 and self.one((False, False, True))
        sides = (child, self.other(child.types))
        node: Node = kind(sides, self.dialect(), kind is DistinctUnion, lacking)
        return node

    def _set_operation(self, child: Node) -> Node:
        word, every = self.one(("intersect", "except")), self.one((False, True))
        kind = CountingSetOperation if every else PlainSetOperation
        # Not every value meets one of a fresh source, so a part of the same rows may be the other side.
        other = self.other(child.types)
        node: Node = kind((child, other), self.dialect(), word, every)
        return node

    def _subquery(self, child: Node) -> Node | None:
        other = self.other()
        pairs = _comparable(child, other)
        if not pairs:
            return None
        return Subquery((child, other), "sql", self.one(Subquery.KINDS), self.one(pairs))

    def _lateral(self, child: Node) -> Node | None:
        other = self.other()
        pairs = _comparable(child, other)
        if not pairs:
            return None
        return Lateral((child, other), "sql", self.one(Lateral.KINDS), self.one(pairs))

    def _call(self, child: Node) -> Call:
        index = self.one(range(len(child.types)))
        kind = child.types[index]
        functions = ["count rows", "count", "count distinct", "min", "max"]
        if kind == "int":
            functions += ["sum", "sum distinct", "list"]
        if kind == "dbl":
            functions += ["sum"]
        where = self.condition(child) if self.one((False, False, True)) else None
        return Call(self.one(functions), index, kind, where)

    def aggregate(self, child: Node) -> Node:
        keys = tuple(self.draw(st.lists(st.sampled_from(range(len(child.types))), max_size=2, unique=True)))
        calls = tuple(self._call(child) for _ in range(self.one((1, 2))))
        sets = self.one(("plain", "plain", "rollup", "cube", "sets")) if keys else "plain"
        having = self.one((None, None, None, 0, 1))
        dialect = "sql" if sets == "sets" else self.dialect()
        kind = Aggregate if sets == "plain" else ExpandedAggregate
        return kind((child,), dialect, keys, calls, sets, having)

    def _distinct(self, child: Node) -> Node:
        return Distinct((child,), self.dialect(), self.one((False, True)))

    def _pivot(self, child: Node) -> Node | None:
        ints = self._of(child, "int")
        by = [i for i in self._of(child, "int", "str") if i != (ints[0] if ints else None)]
        if not ints or not by:
            return None
        column = self.one(by)
        values = (1, 2) if child.types[column] == "int" else ("a", "b")
        keys = [i for i in range(len(child.types)) if i not in (column, ints[0])]
        if not keys:
            return None
        return Pivot((child,), self.dialect(), self.one(keys), column, values, ints[0])

    def window(self, child: Node) -> Node | None:
        ints = self._of(child, "int")
        if not ints:
            return None
        every = range(len(child.types))
        function, order, frame = self.one(Window.FUNCTIONS), self.one(every), None
        if not function.endswith("rank") and self.one((False, True)):
            frame = Frame(self.one(("rows", "range")), *self.one(Window.BOUNDS))
            if frame.unit == "range":
                order = self.one(ints)
        return Window((child,), self.dialect(), function, self.one(every), order, self.one(ints), frame)

    def group_function(self, child: Node) -> Node:
        every = self._of(child, "int", "str", "dbl") or list(range(len(child.types)))
        key, counted = self.one(every), self.one(self._of(child, "int", "str") or [every[0]])
        how = self.one(("group", "group", "cogroup", "aggregate"))
        if how == "aggregate":
            return PandasAggregate((child,), "df", key, counted)
        if how == "cogroup":
            other = self.other()
            pairs = [(i, j) for i in every for j, kind in enumerate(other.types) if kind == child.types[i]]
            if pairs:
                return CogroupFunction((child, other), "df", self.one(pairs))
        return GroupFunction((child,), "df", key, counted, self.one(GroupFunction.WAYS))

    def by_place(self, child: Node) -> Node | None:
        if not stands(child):
            return None
        if hasattr(DataFrame, "zipWithIndex") and self.one((False, True)):
            return Numbered((child,), "df")
        every = range(len(child.types))
        return PartitionFunction((child,), "df", self.one(every), self.one(PartitionFunction.WAYS))

    def _limit(self, child: Node) -> Node:
        return Limit((child,), self.dialect(), self.one((0, 1, 2, 5)), self.one((0, 0, 1)))


def _comparable(child: Node, other: Node) -> list[tuple[int, int]]:
    """Pairs of columns of one plain type."""
    return [
        (i, j)
        for i, a in enumerate(child.types)
        for j, b in enumerate(other.types)
        if a == b and a in ("int", "str", "dbl")
    ]
