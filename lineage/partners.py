"""Why rows of one side of a join found no partner on the other."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame

from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.conditions import Conjunct, references, text_of
from bigdebug.lineage.culprits import culprits, upwards
from bigdebug.lineage.equalities import join_condition
from bigdebug.lineage.matching import Followed, count_matching, follow, matching
from bigdebug.lineage.near import Key, key_columns, key_of, near_keys
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.sampling import MOST, Dropped, sampled

# Values that Spark reads from their text in Python.
_COMPARABLE = (str, int, Decimal, datetime.date)


def unpaired(catalyst: Catalyst, each: Followed, counts: Mapping[Followed, int]) -> list[Dropped]:
    """Rows that entered a join and didn't leave it, with the keys of the other side that come near theirs.

    Args:
        catalyst: of the session.
        each: the join.
        counts: how many rows match, by operator.
    """
    return _Unpaired(catalyst, each, counts).rows()


class _Unpaired:
    def __init__(self, catalyst: Catalyst, each: Followed, counts: Mapping[Followed, int]) -> None:
        self.catalyst = catalyst
        self.join = each.operator
        alive = [i for i, below in enumerate(each.inputs) if below is not None and counts[below]]
        self.side = alive[0] if alive else 0
        self.entering = each.inputs[self.side]
        self.partner = self.join.children[1 - self.side]
        self.condition = join_condition(catalyst, self.join)
        self.keys = [key.sides[self.side] for key in self.condition.equalities]
        self.partner_keys = [key.sides[1 - self.side] for key in self.condition.equalities]
        self.names = [text_of(catalyst, key) for key in self.keys]
        asked = each.inputs[1 - self.side]
        self.others = [text_of(catalyst, other) for other in self.condition.others]
        self.others += [one.text for one in asked.conjuncts if one.own] if asked is not None else []

    def rows(self) -> list[Dropped]:
        if self.entering is None:
            return []
        catalyst, operator = self.catalyst, self.entering.operator
        shown: dict[str, Any] = {}
        for expression in (*(one.expression for one in self.entering.conjuncts), *self.keys):
            shown |= references(catalyst, expression)
        for other in self.condition.others:
            shown |= references(catalyst, other)
        plan = matching(catalyst, self.entering)
        if not self.keys:
            rows = sampled(catalyst, operator, plan, shown)
            return [Dropped(row, [self._without_keys()]) for row, _ in rows]
        plan = self._keyed(operator, plan)
        rows = sampled(catalyst, operator, plan, shown, catalyst.output(plan)[-3:])
        keys = [key_of(values) for _, values in rows]
        found = near_keys(self._partners(), [key for key in keys if self._can_match(key)])
        gone: dict[tuple[Any, ...], str | None] = {}
        return [
            self._dropped(row, key, [other for other in found if key.is_like(other)], gone)
            for (row, _), key in zip(rows, keys, strict=True)
        ]

    def _dropped(
        self, row: dict[str, Any], key: Key, near: Sequence[Key], gone: dict[tuple[Any, ...], str | None]
    ) -> Dropped:
        told = ", ".join(
            f"{name} = {_literal(value)}" for name, value in zip(self.names, key.values, strict=True)
        )
        if not self._can_match(key):
            nulls = [name for name, value in zip(self.names, key.values, strict=True) if value is None]
            return Dropped(row, [f"{', '.join(nulls)} is null, which equals nothing"])
        if any(other.values == key.values for other in near):
            if self._is_anti():
                return Dropped(row, [f"a partner with {told} is there"])
            held = " AND ".join(self.others) or "the join's condition"
            return Dropped(row, [f"partners with {told} are there, but none for which {held} holds"])
        reasons = [f"no partner with {told}"]
        if not near:
            if key.values not in gone:
                gone[key.values] = self._dropped_before(key)
            where = gone[key.values]
            reasons += [f"{where} dropped it before"] if where else []
        names = [text_of(self.catalyst, each) for each in self.partner_keys]
        return Dropped(row, reasons, [dict(zip(names, one.values, strict=True)) for one in near[:MOST]])

    def _can_match(self, key: Key) -> bool:
        return all(
            value is not None or equality.null_safe
            for value, equality in zip(key.values, self.condition.equalities, strict=True)
        )

    def _is_anti(self) -> bool:
        return self.join.join_kind == "LeftAnti"

    def _without_keys(self) -> str:
        held = " AND ".join(self.others)
        if self._is_anti():
            return f"a row of the other side is there for which {held} isn't false"
        return (
            f"no row of the other side is there for which {held} holds" if held else "the other side is empty"
        )

    def _keyed(self, operator: Operator, plan: Any) -> Any:
        """A few rows of a plan, with the three columns of `key_columns` at the end."""
        aliases = [self.catalyst.alias(key, fresh_name("key")) for key in self.keys]
        few = self.catalyst.limit(MOST, plan)
        keyed = self.catalyst.project([*self.catalyst.output(operator.plan), *aliases], few)
        names = [str(alias.name()) for alias in aliases]
        return self.catalyst.analyzed(self.catalyst.frame(keyed).select("*", *key_columns(names)))

    def _partners(self) -> DataFrame:
        """The keys of the other side."""
        aliases = [self.catalyst.alias(key, fresh_name("key")) for key in self.partner_keys]
        return self.catalyst.frame(self.catalyst.project(aliases, self.partner.plan))

    def _dropped_before(self, key: Key) -> str | None:
        """The operator below that dropped the partner, if there once was one."""
        if not all(isinstance(value, _COMPARABLE) for value in key.values):
            return None
        expressions = self.catalyst.expressions
        asked = []
        for partner, value in zip(self.partner_keys, key.values, strict=True):
            text = self.catalyst.text(str(value))
            literal = expressions.Cast(
                text, partner.dataType(), self.catalyst.none, expressions.EvalMode.LEGACY()
            )
            asked.append(Conjunct(expressions.EqualTo(partner, literal), ""))
        top = follow(self.catalyst, self.partner, asked)
        found = culprits(top, count_matching(self.catalyst, upwards(top)))
        return found[0].operator.located() if found and found[0].operator.children else None


def _literal(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else "null" if value is None else str(value)
