"""Keys that Spark groups by and yet can't compare, in a form that it can.

Spark groups by maps (it sorts their entries first) and by calendar intervals, but has no equality for either. Of a
map stand here its entries, of a calendar interval its text, which tells months, days and the rest each for itself
(a day isn't 24 hours); also within structs, arrays and maps. Two keys are equal in this form just where Spark takes
them for one group.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from bigdebug.lineage.catalyst import Catalyst, fresh_name

# Not those intervals of years and months or of days and seconds, which compare like numbers.
_UNEQUAL = re.compile(r"\bmap<|\binterval\b(?! (year|month|day|hour|minute|second))")
_COLLATED = re.compile(_UNEQUAL.pattern + r"|\bcollate\b")


def comparable(catalyst: Catalyst, key: Any, *, binary: bool = False, in_order: bool = False) -> Any:
    """A key's part in a form that Spark can compare; itself where it can be compared as it is.

    Args:
        key: a resolved expression.
        binary: give texts of a collation as bytes, too, which are equal where the texts are.
        in_order: maps whose entries come in another order are others, as they are to functions of groups.
    """
    return _Form(catalyst, _COLLATED if binary else _UNEQUAL, in_order).of(key, key.dataType())


def comparables(catalyst: Catalyst, keys: Sequence[Any], *, in_order: bool = False) -> tuple[Any, ...]:
    """The parts of a key, each as `comparable` has it."""
    return tuple(comparable(catalyst, key, in_order=in_order) for key in keys)


def is_comparable(catalyst: Catalyst, data_type: Any, *, binary: bool = False) -> bool:
    """Whether there is such a form: within a type of the user's own, nobody knows what Spark takes for equal."""
    kind = _COLLATED if binary else _UNEQUAL
    if not kind.search(str(data_type.catalogString())):
        return True
    name = str(data_type.typeName())
    if name == "struct":
        return all(
            is_comparable(catalyst, field.dataType(), binary=binary)
            for field in (data_type.apply(i) for i in range(data_type.length()))
        )
    if name == "array":
        return is_comparable(catalyst, data_type.elementType(), binary=binary)
    if name == "map":
        parts = (data_type.keyType(), data_type.valueType())
        return all(is_comparable(catalyst, part, binary=binary) for part in parts)
    return name == "interval" or name.startswith("string")


class _Form:
    """The form of a key, from the outside in.

    Args:
        catalyst: of the session that will compare the keys.
        unlike: finds, in the name of a type, what can't stay as it is.
        in_order: leave a map's entries in the order they come in.
    """

    def __init__(self, catalyst: Catalyst, unlike: re.Pattern[str], in_order: bool) -> None:
        self._catalyst = catalyst
        self._unlike = unlike
        self._in_order = in_order

    def of(self, value: Any, data_type: Any) -> Any:
        if not self._has_to_change(data_type):
            return value
        expressions = self._catalyst.expressions
        name = str(data_type.typeName())
        if name == "interval":
            return self._catalyst.as_text(value)
        if name == "struct":
            return self._of_fields(value, data_type)
        if name == "array":
            element = data_type.elementType()
            return self._each(value, element, data_type.containsNull(), self.of)
        if name == "map":
            entries = expressions.MapEntries(value if self._in_order else expressions.MapSort(value))
            if not any(map(self._has_to_change, (data_type.keyType(), data_type.valueType()))):
                return entries
            return self._each(entries, entries.dataType().elementType(), False, self._of_fields)
        return expressions.CollationKey(value) if name.startswith("string") else value

    def _has_to_change(self, data_type: Any) -> bool:
        return self._unlike.search(str(data_type.catalogString())) is not None

    def _of_fields(self, value: Any, data_type: Any) -> Any:
        """A struct with its fields in that form; null where it is null, which isn't a struct of nulls."""
        catalyst = self._catalyst
        fields = [data_type.apply(i) for i in range(data_type.length())]
        struct = catalyst.struct(
            (str(field.name()), self.of(catalyst.field(value, i), field.dataType()))
            for i, field in enumerate(fields)
        )
        if not value.nullable():
            return struct
        absent = catalyst.expressions.IsNull(value)
        return catalyst.expressions.If(absent, catalyst.null(struct.dataType()), struct)

    def _each(self, array: Any, element: Any, nullable: bool, change: Callable[[Any, Any], Any]) -> Any:
        """An array with each of its elements changed.

        Args:
            element: their type.
            nullable: whether they can be null.
        """
        catalyst, expressions = self._catalyst, self._catalyst.expressions
        held = catalyst.jvm.java.util.concurrent.atomic.AtomicReference()
        name, identity = fresh_name("one"), catalyst.new_expr_id()
        one = expressions.NamedLambdaVariable(name, element, nullable, identity, held)
        function = expressions.LambdaFunction(change(one, element), catalyst.seq([one]), False)
        return expressions.ArrayTransform(array, function)
