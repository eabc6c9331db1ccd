"""The shuffles of a dataflow: what each moves rows by, and which rows and columns take part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bigdebug.lineage.barrier import is_session_window
from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.conditions import conjuncts_of, references, text_of
from bigdebug.lineage.equalities import Equality, JoinCondition, join_condition
from bigdebug.lineage.grouped_functions import GROUPED_FUNCTIONS, grouping_of, python_aggregate
from bigdebug.lineage.operators import Operator

_EQUAL = frozenset({"EqualTo", "EqualNullSafe"})

_DROPS_NULLS = {
    "Inner": (True, True),
    "LeftOuter": (False, True),
    "RightOuter": (True, False),
    "FullOuter": (False, False),
    "LeftSemi": (True, True),
    "LeftAnti": (False, True),
    "ExistenceJoin": (False, True),
}
"""By kind of join whether Spark leaves out rows without a key before it shuffles a side: they meet nothing."""

_WHOLE_VALUES = frozenset(
    {
        "CollectList",
        "CollectSet",
        "Percentile",
        "Median",
        "ListAgg",
        "Mode",
        "PercentileCont",
        "PercentileDisc",
    }
)
"""Aggregate functions whose buffers hold what they were given, one by one."""


@dataclass(frozen=True)
class Side:
    """An input of a shuffle.

    Attributes:
        name: `input`; of a join `left` and `right`.
        operator: that gives the rows.
        keys: JVM expressions over its output, normalized as Spark compares them.
        conditions: those of filters above that Spark applies before it shuffles.
        columns: the attributes of its output that are needed later, and so are shuffled.
        drops_nulls: rows that lack a key aren't shuffled.
    """

    name: str
    operator: Operator
    keys: tuple[Any, ...]
    conditions: tuple[Any, ...]
    columns: tuple[Any, ...]
    drops_nulls: bool = False

    def plan(self, catalyst: Catalyst) -> Any:
        """The rows as they come to the shuffle."""
        if not self.conditions:
            return self.operator.plan
        return catalyst.filter(catalyst.all_of(list(self.conditions)), self.operator.plan)


@dataclass(frozen=True)
class Shuffle:
    """An operator that needs rows of a key to meet.

    Attributes:
        operator: it.
        sides: its inputs.
        keys: the key's parts, as SQL.
        null_safe: of a join, of each part whether null meets null.
        partitions: how many there are after it; None for Spark's setting.
        combines: Spark puts rows of a key together before they are shuffled.
        others: of a join, its conditions beside the key, as SQL.
    """

    operator: Operator
    sides: tuple[Side, ...]
    keys: tuple[str, ...]
    null_safe: tuple[bool, ...]
    partitions: int | None = None
    combines: bool = False
    others: tuple[str, ...] = ()

    @property
    def is_join(self) -> bool:
        return self.operator.kind == "Join"


def shuffles_of(catalyst: Catalyst, root: Operator) -> tuple[list[Shuffle], list[str]]:
    """The shuffles of a dataflow, the uppermost first, and notes about those that can't be told."""
    finder = _Finder(catalyst)
    needed = {catalyst.attribute_key(each) for each in catalyst.output(root.plan)}
    finder.visit(root, needed, [])
    return finder.found, finder.notes


class _Finder:
    def __init__(self, catalyst: Catalyst) -> None:
        self._catalyst = catalyst
        self.found: list[Shuffle] = []
        self.notes: list[str] = []

    def visit(self, operator: Operator, needed: set[str], pending: list[Any]) -> None:
        """Find the shuffles of an operator and of all below it.

        Args:
            needed: keys of the attributes of its output that something above needs.
            pending: conjuncts of filters above, over its output, that Spark applies down here.
        """
        found = self._shuffle(operator, needed, pending)
        if found is not None:
            self.found.append(found)
        if operator.kind == "Join":
            self._visit_join(operator, needed, pending, found)
            return
        handed = self._handed_down(operator, pending)
        for child in operator.children:
            self.visit(child, self._needed_of(operator, child, needed), handed)

    # -- what is a shuffle --------------------------------------------------------------------------

    def _shuffle(self, operator: Operator, needed: set[str], pending: list[Any]) -> Shuffle | None:
        plan = operator.plan
        items = self._catalyst.items
        match operator.kind:
            case "Aggregate":
                keys = [each for each in items(plan.groupingExpressions()) if not is_session_window(each)]
                if not keys:
                    return None  # one row, whatever there is
                return replace(self._single(operator, keys, needed), combines=self._combines(operator))
            case "Deduplicate":
                return replace(self._single(operator, items(plan.keys()), needed), combines=True)
            case "Window":
                keys = items(plan.partitionSpec())
                found = self._single(operator, keys, needed)
                return found if keys else replace(found, partitions=1)
            case "RepartitionByExpression":
                number = plan.optNumPartitions()
                keys = items(plan.partitionExpressions())
                if not keys or any(class_name(each) == "SortOrder" for each in keys):
                    return None  # spread evenly, or by ranges of what was sampled
                found = self._single(operator, keys, needed)
                return replace(found, partitions=int(number.get()) if number.isDefined() else None)
            case "Join":
                return self._join(operator, needed, pending)
            case kind if kind in GROUPED_FUNCTIONS:
                groupings = grouping_of(self._catalyst, operator)
                if not all(groupings):
                    return None
                names = ("input",) if len(groupings) == 1 else ("left", "right")
                sides = tuple(
                    self._side(name, child, keys, (), {*self._keys(child)})
                    for name, child, keys in zip(names, operator.children, groupings, strict=True)
                )
                texts = tuple(text_of(self._catalyst, each) for each in groupings[0])
                return Shuffle(operator, sides, texts, (True,) * len(texts))
        return None

    def _single(self, operator: Operator, keys: Sequence[Any], needed: set[str]) -> Shuffle:
        below = self._needed_of(operator, operator.child, needed)
        side = self._side("input", operator.child, keys, (), below)
        texts = tuple(text_of(self._catalyst, key) for key in keys)
        return Shuffle(operator, (side,), texts, (True,) * len(keys))

    def _combines(self, operator: Operator) -> bool:
        for column in self._catalyst.items(operator.plan.aggregateExpressions()):
            if python_aggregate(self._catalyst, column) is not None:
                return False
            if any(
                class_name(each.aggregateFunction()) in _WHOLE_VALUES or each.isDistinct()
                for each in _aggregates(self._catalyst, column)
            ):
                return False
        return True

    def _join(self, operator: Operator, needed: set[str], pending: list[Any]) -> Shuffle | None:
        kind = operator.join_kind
        condition = self._whole_condition(operator, pending)
        if not condition.equalities or kind not in (*_DROPS_NULLS, "Cross"):
            return None
        drops = _DROPS_NULLS["Inner" if kind == "Cross" else kind]
        sides = []
        for place, name in enumerate(("left", "right")):
            child = operator.children[place]
            keys = [each.sides[place] for each in condition.equalities]
            conditions = self._own_conditions(operator, pending, place)
            below = self._needed_of(operator, child, needed)
            for each in [*keys, *condition.others]:
                below |= references(self._catalyst, each).keys()
            side = self._side(name, child, keys, conditions, below)
            strict = any(not each.null_safe for each in condition.equalities)
            sides.append(replace(side, drops_nulls=drops[place] and strict))
        return Shuffle(
            operator,
            tuple(sides),
            tuple(_of_both(self._catalyst, each) for each in condition.equalities),
            tuple(each.null_safe for each in condition.equalities),
            others=tuple(text_of(self._catalyst, each) for each in condition.others),
        )

    def _side(
        self, name: str, child: Operator, keys: Sequence[Any], conditions: Sequence[Any], needed: set[str]
    ) -> Side:
        catalyst = self._catalyst
        columns = [each for each in catalyst.output(child.plan) if catalyst.attribute_key(each) in needed]
        normalized = tuple(_normalized(catalyst, key) for key in keys)
        return Side(name, child, normalized, tuple(conditions), tuple(columns))

    # -- filters above joins ------------------------------------------------------------------------

    def _visit_join(
        self, operator: Operator, needed: set[str], pending: list[Any], found: Shuffle | None
    ) -> None:
        if found is None and self._is_product(operator, pending):
            # Spark puts such joins in another order; in this one the product of the sides would be computed.
            self.notes.append(
                f"{operator.described()} has no key of its own, so Spark joins in another order than the program's: "
                "the joins around it are not told"
            )
            self.found = [each for each in self.found if not _joins_above(each, operator)]
        for place, child in enumerate(operator.children):
            below = self._needed_of(operator, child, needed)
            for each in pending:
                below |= references(self._catalyst, each).keys()
            self.visit(child, below, list(self._own_conditions(operator, pending, place)))

    def _is_product(self, operator: Operator, pending: list[Any]) -> bool:
        return (
            bool(pending) and operator.join_kind in ("Inner", "Cross") and operator.plan.condition().isEmpty()
        )

    def _whole_condition(self, operator: Operator, pending: list[Any]) -> JoinCondition:
        """The join's own condition, and what filters above add to it."""
        own = join_condition(self._catalyst, operator)
        if operator.join_kind not in ("Inner", "Cross"):
            return own
        left, right = (self._keys(child) for child in operator.children)
        more = []
        for each in pending:
            if class_name(each) not in _EQUAL:
                continue
            pair = (each.left(), each.right())
            spoken = [references(self._catalyst, one).keys() for one in pair]
            if not all(spoken):
                continue
            if spoken[0] <= left and spoken[1] <= right:
                more.append(Equality(pair, class_name(each) == "EqualNullSafe"))
            elif spoken[1] <= left and spoken[0] <= right:
                more.append(Equality((pair[1], pair[0]), class_name(each) == "EqualNullSafe"))
        return JoinCondition((*own.equalities, *more), own.others)

    def _own_conditions(self, operator: Operator, pending: list[Any], place: int) -> tuple[Any, ...]:
        """What filters above, and the join's own condition, ask of one side alone."""
        kind = operator.join_kind
        mine = self._keys(operator.children[place])
        preserved = {"LeftOuter": 0, "LeftSemi": 0, "LeftAnti": 0, "ExistenceJoin": 0, "RightOuter": 1}
        found = []
        if kind in ("Inner", "Cross") or preserved.get(kind) == place:
            found += pending
        own = operator.plan.condition()
        if own.isDefined() and (
            kind in ("Inner", "Cross", "LeftSemi") or (kind in preserved and preserved[kind] != place)
        ):
            found += conjuncts_of(self._catalyst, own.get())
        told = [(each, references(self._catalyst, each).keys()) for each in found if each.deterministic()]
        return tuple(each for each, spoken in told if spoken and spoken <= mine)

    def _handed_down(self, operator: Operator, pending: list[Any]) -> list[Any]:
        if operator.kind == "Filter":
            own = conjuncts_of(self._catalyst, operator.plan.condition())
            return [*pending, *(each for each in own if each.deterministic() and not _asks(each))]
        if operator.kind in ("Project", "ResolvedHint", "Sort"):
            below = self._keys(operator.child)
            return [each for each in pending if references(self._catalyst, each).keys() <= below]
        return []

    # -- columns ------------------------------------------------------------------------------------

    def _keys(self, operator: Operator) -> set[str]:
        return {self._catalyst.attribute_key(each) for each in self._catalyst.output(operator.plan)}

    def _needed_of(self, operator: Operator, child: Operator, needed: set[str]) -> set[str]:
        """Which columns of a child are needed for those columns of an operator."""
        catalyst, plan = self._catalyst, operator.plan
        mine = self._keys(child)
        if operator.kind in ("Project", "Aggregate"):
            grouped = operator.kind == "Aggregate"
            columns = catalyst.items(plan.aggregateExpressions() if grouped else plan.projectList())
            spoken = [each for each in columns if catalyst.attribute_key(each.toAttribute()) in needed]
            if grouped:
                spoken += catalyst.items(plan.groupingExpressions())
            return {key for each in spoken for key in references(catalyst, each)} & mine
        if operator.kind == "Union" or operator.kind in GROUPED_FUNCTIONS:
            return mine
        own = catalyst.items(plan.references().toSeq())
        return (needed | {catalyst.attribute_key(each) for each in own}) & mine


def _aggregates(catalyst: Catalyst, expression: Any) -> Iterator[Any]:
    if class_name(expression) == "AggregateExpression":
        yield expression
        return
    for child in catalyst.items(expression.children()):
        yield from _aggregates(catalyst, child)


def _asks(expression: Any) -> bool:
    """Whether a condition holds a subquery."""
    return "subquery" in str(expression).lower() or "exists" in str(expression).lower()


def _of_both(catalyst: Catalyst, equality: Equality) -> str:
    left, right = (text_of(catalyst, each) for each in equality.sides)
    return left if left == right else f"{left} = {right}"


def _normalized(catalyst: Catalyst, key: Any) -> Any:
    """As Spark compares it: zeros of either sign are one."""
    kind = str(key.dataType().catalogString())
    if "float" not in kind and "double" not in kind:
        return key
    optimizer = catalyst.jvm.org.apache.spark.sql.catalyst.optimizer
    return catalyst.singleton(optimizer, "NormalizeFloatingNumbers").normalize(key)


def _joins_above(shuffle: Shuffle, operator: Operator) -> bool:
    """Whether a join stands on another operator with joins, filters and projections alone in between."""
    stack = list(shuffle.operator.children) if shuffle.is_join else []
    while stack:
        each = stack.pop()
        if each is operator:
            return True
        if each.kind in ("Join", "Filter", "Project", "ResolvedHint"):
            stack.extend(each.children)
    return False
