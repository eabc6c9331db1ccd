"""Which columns the scans of a plan read, where the rows themselves depend on that.

A CSV, JSON or XML scan parses only the columns that are asked for. A record that is malformed in another
column isn't dropped, doesn't fail the job and isn't called corrupt. A scan of Parquet or ORC files that passes over
corrupt ones gives the records of a file up to what is damaged in the columns that are asked for. So an instrumented
scan, which would ask for other columns, has to read just those of the original one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.passed_over import CORRUPT, passes_over

_PARSED = frozenset({"csv", "json", "xml"})
_IN_COLUMNS = frozenset({"parquet", "orc"})
_CORRUPT = "columnNameOfCorruptRecord"


@dataclass(frozen=True)
class _Scan:
    """A file scan of a physical plan: where it reads, the attributes it gives and the columns it parses."""

    location: Any
    attributes: frozenset[str]
    columns: tuple[str, ...]


def pin_columns(catalyst: Catalyst, root: Operator, sources: Iterable[SourceLeaf]) -> None:
    """Have the sources whose rows depend on the columns read keep to those that the plan itself reads."""
    parsed = [source for source in sources if _depends_on_columns(catalyst, source)]
    if not parsed:
        return
    scans = list(_scans(catalyst, catalyst.frame(root.plan)._jdf.queryExecution().sparkPlan()))
    for source in parsed:
        why = "what counts as malformed depends on them"
        if source.kind in _IN_COLUMNS:
            why = "what is found damaged depends on them"
            source.doubts.append(
                f"corrupt files of {source.name} are passed over, and how far one is read depends on the columns "
                "and conditions that are asked for"
            )
        read = _columns_of(catalyst, source, parsed, scans)
        columns = catalyst.output(source.operator.plan)
        if read is None:
            source.notes.append(
                f"{source.name}: it can't be told which columns the run read, "
                "and which of its malformed records or damaged files it kept depends on that"
            )
            continue
        folders = {str(name) for name in source.operator.plan.relation().partitionSchema().fieldNames()}
        source.pinned = [column for column in columns if column.name() in read or column.name() in folders]
        source.columns = [column.name() for column in source.pinned]
        if len(source.pinned) < len(columns):
            source.notes.append(
                f"{source.name}: only the columns that the run read are shown "
                f"({', '.join(source.columns) or 'none'}): {why}"
            )


def _depends_on_columns(catalyst: Catalyst, source: SourceLeaf) -> bool:
    if not source.in_files or source.kind not in _PARSED | _IN_COLUMNS:
        return False
    relation = source.operator.plan.relation()
    options = {key.lower(): value for key, value in catalyst.entries(relation.options()).items()}
    if source.kind in _IN_COLUMNS:
        return passes_over(catalyst, options, CORRUPT)
    if options.get("mode", "PERMISSIVE").upper() != "PERMISSIVE":
        return True
    corrupt = options.get(_CORRUPT.lower()) or catalyst.spark.conf.get(f"spark.sql.{_CORRUPT}")
    return corrupt in relation.dataSchema().fieldNames()


def _scans(catalyst: Catalyst, physical: Any) -> Iterator[_Scan]:
    for leaf in catalyst.items(physical.collectLeaves()):
        kind = class_name(leaf)
        if kind == "FileSourceScanExec":
            attributes = frozenset(catalyst.attribute_key(each) for each in catalyst.items(leaf.output()))
            columns = tuple(str(name) for name in leaf.requiredSchema().fieldNames())
            yield _Scan(leaf.relation().location(), attributes, columns)
        elif kind == "InMemoryTableScanExec":
            yield from _scans(catalyst, leaf.relation().cachedPlan())
        elif kind == "AdaptiveSparkPlanExec":
            yield from _scans(catalyst, leaf.initialPlan())


def _columns_of(
    catalyst: Catalyst, source: SourceLeaf, parsed: list[SourceLeaf], scans: list[_Scan]
) -> tuple[str, ...] | None:
    """The columns that the scan of a source parses; None where that can't be told."""

    def attributes(leaf: SourceLeaf) -> set[str]:
        return {catalyst.attribute_key(each) for each in catalyst.output(leaf.operator.plan)}

    own = attributes(source)
    location = source.operator.plan.relation().location()
    found = [scan for scan in scans if scan.attributes & own]
    # A scan that reads no column, and one out of a cache, is known by what it reads alone.
    found = found or [scan for scan in scans if scan.location.equals(location)]
    if len({scan.columns for scan in found}) == 1:
        return found[0].columns
    twins = [leaf for leaf in parsed if attributes(leaf) & own]
    if len(twins) == len(found):
        return found[twins.index(source)].columns
    return None
