"""Which columns of the sources the values of an output rest on, and which only decided which records took part.

The plan alone tells, without a job: expression ids lead from the output's attributes down to those of the
sources, as the derivation of a view leads to its base tables (Cui, Widom and Wiener, "Tracing the Lineage of
View Data in a Warehousing Environment", TODS 2000). What comes by chance, such as which rows a limit without an
order takes, is put down to no column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.certainty import varying
from bigdebug.lineage.finding import numbered, place_of_column
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.lateral import DOMAIN
from bigdebug.lineage.operators import NEAREST, Operator

Keys = frozenset[str]
"""Attributes, by `Catalyst.attribute_key`."""

Read = Callable[[list[str]], tuple[list[int], list[int]]]
"""Of an output's columns, by name, the places of those whose values matter and of those that only decide."""

UsedColumns = tuple[tuple[str, ...], tuple[str, ...]]
"""Of a source's columns those whose values reach an output, and those that only decide."""

_NONE: Keys = frozenset()

_LIMITS = frozenset({"LocalLimit", "GlobalLimit"})
_PASSING = _LIMITS | {
    "Offset",
    "Tail",
    "Sample",
    "Repartition",
    "ResolvedHint",
    "EventTimeWatermark",
    "CollectMetrics",
    "AttachDistributedSequence",
}
_DECIDING = NEAREST | {"Filter", "Join", "Deduplicate"}
# They matter where rows are taken by position above them.
_ORDERING = frozenset({"Sort", "RepartitionByExpression", "RebalancePartitions"})


@dataclass(frozen=True)
class Used:
    """Attributes, or columns, and what they are to an output.

    Attributes:
        values: those that reach its values.
        deciding: those that have a say in which records take part.
        by_position: whether the order of the rows matters, too.
    """

    values: Keys = _NONE
    deciding: Keys = _NONE
    by_position: bool = False

    def decided_by(self, attributes: Keys) -> Used:
        return Used(self.values, self.deciding | attributes, self.by_position)


class ColumnLineage:
    """Column lineage of a dataflow's output; worked out when it is first asked for.

    Args:
        catalyst: of the session that the plan belongs to.
        root: the output.
        column: one of its columns, as `column_lineage` has it; None for all.
        read: what of it matters, if not all of it.
    """

    def __init__(
        self, catalyst: Catalyst, root: Operator, column: str | None = None, read: Read | None = None
    ) -> None:
        self._catalyst = catalyst
        self._root = root
        self._column = column
        self._read = read

    def of(self, leaf: SourceLeaf) -> UsedColumns:
        """A source's columns whose values reach the output's, and those that only decide; named as in its records."""
        return _chosen(self._shown(leaf), self._used.get(leaf.operator, Used()))

    @cached_property
    def _used(self) -> dict[Operator, Used]:
        if self._read is not None:
            attributes = self._catalyst.output(self._root.plan)
            keys = [self._catalyst.attribute_key(attribute) for attribute in attributes]
            values, deciding = self._read([str(attribute.name()) for attribute in attributes])
            wanted = Used(frozenset(keys[i] for i in values), frozenset(keys[i] for i in deciding))
            return ColumnWalk(self._catalyst).leaves(self._root, wanted)
        return column_lineage(self._catalyst, self._root, self._column)

    def by_column(self, leaves: Sequence[SourceLeaf]) -> list[list[UsedColumns]]:
        """For each column of the output, in order, what `of` tells of each source where it alone is asked about."""
        walk = ColumnWalk(self._catalyst)
        keys = [self._catalyst.attribute_key(each) for each in self._catalyst.output(self._root.plan)]
        shown = [self._shown(leaf) for leaf in leaves]
        found = []
        for key in keys:
            used = walk.leaves(self._root, Used(frozenset({key})))
            found.append(
                [
                    _chosen(named, used.get(leaf.operator, Used()))
                    for leaf, named in zip(leaves, shown, strict=True)
                ]
            )
        return found

    def _shown(self, leaf: SourceLeaf) -> list[tuple[str, str]]:
        """Name and key of each column of a source, named as in its records."""
        shown = leaf.pinned if leaf.pinned is not None else self._catalyst.output(leaf.operator.plan)
        keys = [self._catalyst.attribute_key(attribute) for attribute in shown]
        return list(zip(numbered(leaf.columns), keys, strict=True))


def _chosen(named: Sequence[tuple[str, str]], used: Used) -> UsedColumns:
    """Of columns, by name and key, those whose values reach an output, and those that only decide."""
    return (
        tuple(name for name, key in named if key in used.values),
        tuple(name for name, key in named if key in used.deciding - used.values),
    )


def column_lineage(catalyst: Catalyst, root: Operator, column: str | None = None) -> dict[Operator, Used]:
    """The attributes of each leaf that an output, or one column of it, rests on.

    Args:
        catalyst: of the session that the plan belongs to.
        root: the output.
        column: one of its columns, the second of two equal names as `name#2`; None for all.

    Raises:
        UnknownNameError: the output has no such column.
    """
    attributes = catalyst.output(root.plan)
    if column is not None:
        attributes = [attributes[place_of_column([str(each.name()) for each in attributes], column)]]
    wanted = Used(frozenset(map(catalyst.attribute_key, attributes)))
    return ColumnWalk(catalyst).leaves(root, wanted)


class ColumnWalk:
    """A rule for each operator: from what is wanted of its output to what that takes of its children's.

    Attributes that an operator hands on keep their expression id, and ids of the two sides of a join differ: what
    is wanted can be asked of every child as it is.
    """

    def __init__(self, catalyst: Catalyst) -> None:
        self._catalyst = catalyst
        self._told: dict[tuple[Operator, str], Any] = {}
        self._attribute_set = catalyst.singleton(catalyst.expressions, "AttributeSet")
        self._rules: dict[str, Callable[[Operator, Used], Used]] = {
            **dict.fromkeys(_PASSING, lambda _, wanted: wanted),
            **dict.fromkeys(_DECIDING, self._deciding),
            **dict.fromkeys(_ORDERING, self._ordering),
            "Project": lambda operator, wanted: self._made(operator, wanted, "projectList"),
            "Aggregate": self._aggregate,
            "Window": self._window,
            "Generate": self._generate,
            "BinBy": self._bin_by,
            "Expand": self._expand,
        }

    def leaves(self, top: Operator, wanted: Used) -> dict[Operator, Used]:
        """What is wanted of each leaf below an operator."""
        return {operator: used for operator, used in self.visits(top, wanted) if not operator.children}

    def visits(self, top: Operator, wanted: Used) -> Iterator[tuple[Operator, Used]]:
        """An operator and those below it, each with what is wanted of it."""
        left = [(top, wanted)]
        while left:
            operator, wanted = left.pop()
            yield operator, wanted
            for subquery in operator.subqueries:  # what is looked up in it only decides
                left.append((subquery, Used(deciding=frozenset(self._output(subquery)))))
            if operator.children:
                left.extend(zip(operator.children, self._below(operator, wanted), strict=True))

    def _below(self, operator: Operator, wanted: Used) -> list[Used]:
        """What is wanted of each child."""
        if operator.kind == "Union":
            return self._union(operator, wanted)
        below = self._rules.get(operator.kind, self._opaque)(operator, wanted)
        if operator.kind in _LIMITS or self._once(operator, "varying", lambda: varying(operator)):
            below = Used(below.values, below.deciding, by_position=True)
        if operator.kind == "Join":
            return [self._with_domains(below, operator.children[1]), below]
        return [below] * len(operator.children)

    def _with_domains(self, wanted: Used, right: Operator) -> Used:
        """What is wanted of a join's left side, with what domains on its right take of it."""
        if all(leaf.kind != DOMAIN for leaf in right.leaves()):
            return wanted
        values, deciding = wanted.values, wanted.deciding
        for leaf, used in self.leaves(right, wanted).items():
            if leaf.kind == DOMAIN:
                taken = self._aggregate(leaf, used)
                values, deciding = values | taken.values, deciding | taken.deciding
        return Used(values, deciding, wanted.by_position)

    # -- rules --------------------------------------------------------------------------------------

    def _deciding(self, operator: Operator, wanted: Used) -> Used:
        spoken = self._once(operator, "references", lambda: self._keys(operator.plan.references()))
        return wanted.decided_by(spoken)

    def _ordering(self, operator: Operator, wanted: Used) -> Used:
        return self._deciding(operator, wanted) if wanted.by_position else wanted

    def _aggregate(self, operator: Operator, wanted: Used) -> Used:
        made = self._made(operator, wanted, "aggregateExpressions")
        return made.decided_by(self._named(operator, "groupingExpressions"))

    def _window(self, operator: Operator, wanted: Used) -> Used:
        made = self._made(operator, wanted, "windowExpressions")
        below = Used(wanted.values | made.values, wanted.deciding | made.deciding, wanted.by_position)
        _, functions = self._expressions(operator, "windowExpressions")
        if functions.keys().isdisjoint(wanted.values | wanted.deciding):
            return below
        order = self._named(operator, "orderSpec")
        return below.decided_by(self._named(operator, "partitionSpec") | order)

    def _generate(self, operator: Operator, wanted: Used) -> Used:
        generated = self._keys(operator.plan.generatorOutput())
        source = self._keys(operator.plan.generator().references())
        values = wanted.values | (_NONE if generated.isdisjoint(wanted.values) else source)
        # It says how many rows there are, too.
        return Used(values, wanted.deciding | source, wanted.by_position)

    def _bin_by(self, operator: Operator, wanted: Used) -> Used:
        """A row's range says how many rows there are, which bin each stands for, and its share of what is spread."""
        plan = operator.plan
        attributes = self._catalyst.items
        spans = frozenset(map(self._catalyst.attribute_key, (plan.rangeStart(), plan.rangeEnd())))
        made: dict[str, Keys] = {
            self._catalyst.attribute_key(new): spans | {self._catalyst.attribute_key(old)}
            for new, old in zip(
                attributes(plan.scaledDistributeColumns()), attributes(plan.distributeColumns()), strict=True
            )
        }
        made |= {self._catalyst.attribute_key(each): spans for each in attributes(plan.appendedAttributes())}
        values = wanted.values.union(*(made.get(key, _NONE) for key in wanted.values))
        deciding = wanted.deciding.union(spans, *(made.get(key, _NONE) for key in wanted.deciding))
        return Used(values, deciding, wanted.by_position)

    def _expand(self, operator: Operator, wanted: Used) -> Used:
        projections = self._catalyst.items(operator.plan.projections())
        values, deciding = _NONE, _NONE
        for i, attribute in enumerate(self._catalyst.output(operator.plan)):
            key = self._catalyst.attribute_key(attribute)
            if key in wanted.values or key in wanted.deciding:
                source = self._references(self._catalyst.seq(each.apply(i) for each in projections))
                values |= source if key in wanted.values else _NONE
                deciding |= source if key in wanted.deciding else _NONE
        return Used(values, deciding, wanted.by_position)

    def _union(self, operator: Operator, wanted: Used) -> list[Used]:
        own = self._output(operator)
        found = []
        for child in operator.children:
            pairs = list(zip(own, self._output(child), strict=True))
            values = frozenset(key for mine, key in pairs if mine in wanted.values)
            deciding = frozenset(key for mine, key in pairs if mine in wanted.deciding)
            found.append(Used(values, deciding, wanted.by_position))
        return found

    def _opaque(self, operator: Operator, wanted: Used) -> Used:
        """Nothing is known of what it does with its rows: any column may have any effect, and so may their order."""
        every = frozenset(key for child in operator.children for key in self._output(child))
        return Used(every if wanted.values else _NONE, every, by_position=True)

    # -- expressions --------------------------------------------------------------------------------

    def _made(self, operator: Operator, wanted: Used, field: str) -> Used:
        """What the wanted ones of an operator's named expressions refer to."""
        values, deciding = _NONE, _NONE
        filtered, expressions = self._expressions(operator, field)
        for key, expression in expressions.items():
            if key not in wanted.values and key not in wanted.deciding:
                continue
            source, filters = self._once(operator, key, partial(self._parts, expression, filtered))
            values |= source if key in wanted.values else _NONE
            deciding |= filters | (source if key in wanted.deciding else _NONE)
        return Used(values, deciding, wanted.by_position)

    def _expressions(self, operator: Operator, field: str) -> tuple[bool, dict[str, Any]]:
        """Whether a filter stands in an operator's named expressions; and these, by key."""

        def look() -> tuple[bool, dict[str, Any]]:
            seq = getattr(operator.plan, field)()
            keyed = {self._catalyst.attribute_key(each): each for each in self._catalyst.items(seq)}
            return " FILTER (WHERE " in seq.mkString(), keyed

        found: tuple[bool, dict[str, Any]] = self._once(operator, field, look)
        return found

    def _named(self, operator: Operator, field: str) -> Keys:
        """What an operator's expressions refer to."""
        found: Keys = self._once(operator, field, lambda: self._references(getattr(operator.plan, field)()))
        return found

    def _once(self, operator: Operator, about: str, look: Callable[[], Any]) -> Any:
        """What the JVM tells of an operator, asked once however many columns are."""
        known = (operator, about)
        if known not in self._told:
            self._told[known] = look()
        return self._told[known]

    def _parts(self, expression: Any, filtered: bool) -> tuple[Keys, Keys]:
        """What an expression refers to, and what the filters of its aggregate functions refer to."""
        kind = class_name(expression)
        if kind == "AttributeReference":
            return frozenset({self._catalyst.attribute_key(expression)}), _NONE
        if kind == "AggregateExpression" and expression.filter().isDefined():
            filters = self._keys(expression.filter().get().references())
            return self._keys(expression.aggregateFunction().references()), filters
        if kind == "WindowExpression":
            return self._parts(expression.windowFunction(), filtered)
        if not filtered and kind != "Alias":
            return self._keys(expression.references()), _NONE
        parts = [self._parts(child, filtered) for child in self._catalyst.items(expression.children())]
        return _union(part[0] for part in parts), _union(part[1] for part in parts)

    def _references(self, expressions: Any) -> Keys:
        return self._keys(self._attribute_set.apply(expressions))

    def _output(self, operator: Operator) -> list[str]:
        plan = operator.plan
        found: list[str] = self._once(
            operator,
            "output",
            lambda: [self._catalyst.attribute_key(each) for each in self._catalyst.output(plan)],
        )
        return found

    def _keys(self, attributes: Any) -> Keys:
        """Of an `AttributeSet` or a sequence of named expressions."""
        return frozenset(
            self._catalyst.attribute_key(each) for each in self._catalyst.items(attributes.toSeq())
        )


def _union(sets: Iterable[Keys]) -> Keys:
    return frozenset().union(*sets)
