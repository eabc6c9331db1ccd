"""Read the values of a few records again, from no more of the source than that takes.

A trace carries ids only: the columns that its question doesn't touch aren't read for all the rows it passes.
Of the partitions that hold the records to be shown each is read up to the last of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.identity import SourceLeaf, annotate_leaf
from bigdebug.lineage.layout import PARTITION_SHIFT
from bigdebug.lineage.location import readable_path
from bigdebug.lineage.partitions import Partitioned

# Up to so many partitions are each read no further than its last record; more of them in one go.
_APART = 8


def read_values(catalyst: Catalyst, leaf: SourceLeaf, ids: list[Any]) -> list[Row]:
    """The records of some ids, in their order.

    Args:
        leaf: a source in files.
        ids: as its id column has them, each once.

    Raises:
        BigDebugError: a record isn't there any more.
    """
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
            found.update(reduce(DataFrame.union, frames).collect())
    try:
        return [found[identity] for identity in ids]
    except KeyError as error:
        raise BigDebugError(
            f"a record of {leaf.name} isn't where the trace found it ({error})",
            hint="the source may have changed since: run the program again and ask anew",
        ) from None


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
