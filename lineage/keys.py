"""Hashes that stand for natural keys, where these can't travel themselves.

A key may be of any type; Python loses some values without a word (invalid UTF-8, an hour of a daylight-saving
change), and a file format lacks some types. Its hash is worked out in the JVM and is equal just where Spark
takes two keys for one group: zeros of either sign are one, and so are a collation's equal texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.comparable import comparable

_USER_DEFINED = "org.apache.spark.sql.types.UserDefinedType"


def hashed_key(catalyst: Catalyst, key: Sequence[Any]) -> tuple[Any, Any]:
    """Two expressions that are equal for rows of one group and for no others: hashes that don't hang together.

    128 bits: two keys of one hash need some 10^19 groups.

    Args:
        key: resolved expressions, the parts of the key.
    """
    parts = [part for expression in key for part in _parts(catalyst, expression)]

    def salted(salt: str) -> Any:
        return catalyst.expressions.XxHash64(catalyst.seq([catalyst.text(salt), *parts]))

    return salted("one"), salted("two")


def _parts(catalyst: Catalyst, expression: Any) -> Iterator[Any]:
    kind = str(expression.dataType().catalogString())
    # Spark's hash passes over nulls: (null, 'a') and ('a', null) would be one. What can't be null is told the
    # same, for beyond an outer join it can.
    yield catalyst.expressions.IsNull(expression)
    if "<" in kind and catalyst.is_instance(expression.dataType(), _USER_DEFINED):
        expression = catalyst.expressions.UnwrapUDT(expression)
    expression = comparable(catalyst, expression, binary=True)
    if "<" in kind:
        yield _shape(catalyst, expression)
    yield expression


def _shape(catalyst: Catalyst, nested: Any) -> Any:
    """Where nulls stand in a struct or an array, and where its parts end: its text as JSON tells."""
    optimizer = catalyst.jvm.org.apache.spark.sql.catalyst.optimizer
    equal = catalyst.singleton(optimizer, "NormalizeFloatingNumbers").normalize(nested)
    options = catalyst.jvm.PythonUtils.toScalaMap(
        catalyst.jvm.java.util.HashMap({"ignoreNullFields": "false"})
    )
    return catalyst.expressions.StructsToJson(options, equal, catalyst.some("UTC"))
