"""Read the values of a few records again, from no more of the source than that takes.

A trace carries ids only: the columns that its question doesn't touch aren't read for all the rows it passes.
Of local Parquet files only the row groups that hold the records to be shown are read, without a job; of other
sources each partition that holds some, up to the last of them.
"""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.types import _create_row

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.identity import SourceLeaf, annotate_leaf
from bigdebug.lineage.location import PARTITION_SHIFT, local_path, readable_path
from bigdebug.lineage.parquet_records import Column as StoredColumn
from bigdebug.lineage.parquet_records import UnreadableError, read_records
from bigdebug.lineage.partitions import Partitioned
from bigdebug.lineage.spelling import spelled_out

# Up to so many partitions are each read no further than its last record; more of them in one go.
_APART = 8
# Of types whose name as JSON isn't that of SQL.
_NAMES = {
    "byte": "tinyint", "short": "smallint", "integer": "int", "long": "bigint",
    "boolean": "boolean", "float": "float", "double": "double", "string": "string", "binary": "binary",
    "date": "date", "timestamp": "timestamp", "timestamp_ntz": "timestamp_ntz",
}  # fmt: skip
_FIELD_IDS = "spark.sql.parquet.fieldId.read.enabled"


def read_values(
    catalyst: Catalyst, leaf: SourceLeaf, ids: list[Any], pool: Executor
) -> Callable[[], list[Row]]:
    """The records of some ids, in their order.

    Args:
        leaf: a source in files.
        ids: as its id column has them, each once.
        pool: for what needs no job.

    Returns:
        What waits for them. It may raise the same error.

    Raises:
        BigDebugError: a record isn't there any more.
    """
    begun = _read_in_place(catalyst, leaf, ids, pool) if leaf.identified_by_file else None

    def read() -> list[Row]:
        if begun is not None:
            with contextlib.suppress(UnreadableError):
                return begun()
        return _read_by_spark(catalyst, leaf, ids)

    return read


def existing_values(catalyst: Catalyst, leaf: SourceLeaf, ids: list[Any]) -> dict[Any, Row]:
    """The records of some ids, by these; ids that no record has are left out.

    Args:
        leaf: a source of any kind.
        ids: as its id column has them, each once.
    """
    if leaf.in_files:
        return _found_by_spark(catalyst, leaf, ids)
    rows = spelled_out(catalyst.frame(_narrowed(catalyst, leaf, ids))).collect() if ids else []
    return {row[0]: row[1] for row in rows}


def _read_by_spark(catalyst: Catalyst, leaf: SourceLeaf, ids: list[Any]) -> list[Row]:
    found = _found_by_spark(catalyst, leaf, ids)
    try:
        return [found[identity] for identity in ids]
    except KeyError as error:
        raise BigDebugError(
            f"a record of {leaf.name} isn't where the trace found it ({error})",
            hint="the source may have changed since: run the program again and ask anew",
        ) from None


def _found_by_spark(catalyst: Catalyst, leaf: SourceLeaf, ids: list[Any]) -> dict[Any, Row]:
    found: dict[Any, Row] = {}
    source = Partitioned(catalyst, _narrowed(catalyst, leaf, ids))
    attempts = _in_files if leaf.identified_by_file else _in_partitions
    for attempt in attempts(source, ids):
        missing = {p: sum(identity not in found for identity in some) for p, some in attempt.items()}
        missing = {p: number for p, number in missing.items() if number}
        groups = [([p], number) for p, number in missing.items()]
        if len(groups) > _APART:
            groups = [(list(missing), max(missing.values()))]
        frames = [
            catalyst.frame(catalyst.local_limit(number, catalyst.analyzed(source.only(partitions))))
            for partitions, number in groups
        ]
        if frames:
            found.update(spelled_out(reduce(DataFrame.union, frames)).collect())
    return found


def _read_in_place(
    catalyst: Catalyst, leaf: SourceLeaf, ids: list[Row], pool: Executor
) -> Callable[[], list[Row]] | None:
    """The same from local Parquet files without a job; None where that could give other values."""
    columns = stored_columns(catalyst, leaf)
    if columns is None:
        return None
    by_file = defaultdict(list)
    for identity in ids:
        by_file[identity.file].append(identity.position)
    paths = {uri: path for uri in by_file if (path := local_path(uri)) is not None}
    if len(paths) < len(by_file):
        return None
    try:
        reads = {uri: read_records(pool, path, by_file[uri], columns) for uri, path in paths.items()}
    except UnreadableError:
        return None
    names = [name for name, _ in columns]

    def read() -> list[Row]:
        found = {uri: records() for uri, records in reads.items()}
        return [_create_row(names, found[identity.file][identity.position]) for identity in ids]

    return read


def stored_columns(catalyst: Catalyst, leaf: SourceLeaf) -> list[StoredColumn] | None:
    """The columns of a Parquet source; None where Spark has them from elsewhere than from the files alone."""
    relation, plan = leaf.operator.plan.relation(), leaf.operator.plan
    if not relation.partitionSchema().isEmpty() or catalyst.spark.conf.get(_FIELD_IDS) == "true":
        return None
    schema = plan.schema()
    stored = {field["name"] for field in _fields(relation.dataSchema())}
    columns = []
    shown = None if leaf.pinned is None else {str(column.name()) for column in leaf.pinned}
    for place, field in enumerate(_fields(schema)):
        if shown is not None and field["name"] not in shown:
            continue
        # A column's metadata may hold a default for files that lack it, or say that it is padded.
        if field["name"] not in stored or field.get("metadata"):
            return None
        columns.append((field["name"], _NAMES.get(str(field["type"])) or _type_name(schema, place)))
    return columns


def _fields(schema: Any) -> list[Any]:
    """All in one call: a table may have hundreds."""
    fields: list[Any] = json.loads(schema.json())["fields"]
    return fields


def _type_name(schema: Any, place: int) -> str:
    return str(schema.fields()[place].dataType().catalogString())


def _in_partitions(_: Partitioned, ids: list[int]) -> Iterator[dict[int, list[int]]]:
    """The partitions to read, and the ids that stand in each."""
    by_partition = defaultdict(list)
    for identity in ids:
        by_partition[identity >> PARTITION_SHIFT].append(identity)
    yield by_partition


def _in_files(source: Partitioned, ids: list[Row]) -> Iterator[dict[int, list[Row]]]:
    """The partitions to read, and the ids that may stand in each: first those where the files begin."""
    by_file = defaultdict(list)
    for identity in ids:
        by_file[readable_path(identity.file)].append(identity)  # Spark spells one URI in two ways
    beginning: dict[int, list[Row]] = {}
    later: dict[int, list[Row]] = {}
    for partition, blocks in enumerate(source.packed):
        starts = {readable_path(file): start for file, start in reversed(blocks)}
        some = [identity for file in starts for identity in by_file.get(file, ())]
        begins = any(start == 0 and file in by_file for file, start in starts.items())
        (beginning if begins else later)[partition] = some
    yield beginning
    yield later


def _narrowed(catalyst: Catalyst, leaf: SourceLeaf, ids: list[Any]) -> Any:
    """The plan of the records of some ids: their id and their value."""
    annotated = annotate_leaf(catalyst, leaf, valued=True)
    source = catalyst.frame(catalyst.project([annotated.id, annotated.value], annotated.plan))
    name = str(annotated.id.name())
    if not leaf.identified_by_file:
        return catalyst.analyzed(source.filter(f"{name} in ({_listed(ids)})"))
    by_file = defaultdict(list)
    for identity in ids:
        by_file[identity.file].append(identity.position)
    # A bare comparison of the file would let Spark leave out files, and number partitions anew.
    file = F.expr(f"if({name}.position < 0, '', {name}.file)")
    conditions = [
        F.expr(f"{name}.position in ({_listed(positions)})") & (file == F.lit(uri))
        for uri, positions in by_file.items()
    ]
    return catalyst.analyzed(source.filter(reduce(Column.__or__, conditions)))


def _listed(numbers: list[int]) -> str:
    return ", ".join(f"{number}L" for number in numbers)
