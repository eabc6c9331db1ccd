"""Sources whose records have a place of their own, which a scan can be asked for: a file and a row's number in it.

Such a place stays the same however a scan is split, so it is the record's id. Parquet has one in Spark itself.
Table formats bring their own: `register` makes another known. Delta Lake and Iceberg are here by what their
documentation says of their columns; they have not been tried against these formats' jars.
"""

from __future__ import annotations

from typing import Any, Protocol

from bigdebug.lineage.catalyst import Catalyst, class_name

HADOOP_RELATION = "org.apache.spark.sql.execution.datasources.HadoopFsRelation"


class RowIdentity(Protocol):
    """How the records of a kind of source are told apart.

    Attributes:
        kind: as the contract spells the source's kind.
        tried: whether it has been tried against the real format.
    """

    kind: str
    tried: bool

    def holds(self, catalyst: Catalyst, plan: Any) -> bool:
        """Whether a leaf, a JVM plan, is a source of this kind."""
        ...

    def place(self, catalyst: Catalyst, plan: Any) -> tuple[Any, Any, Any]:
        """The leaf with what tells places among its columns; expressions for a record's file and its number there.

        The file is text, an address as Spark writes it; the number a `bigint` from 0.
        """
        ...


class _FileMetadata:
    """Spark's hidden column about the file that a row comes from."""

    kind = "parquet"
    tried = True
    format_name = "ParquetFileFormat"

    def holds(self, catalyst: Catalyst, plan: Any) -> bool:
        if class_name(plan) != "LogicalRelation":
            return False
        relation = plan.relation()
        if not catalyst.is_instance(relation, HADOOP_RELATION):
            return False
        return str(relation.fileFormat().getClass().getSimpleName()) == self.format_name

    def place(self, catalyst: Catalyst, plan: Any) -> tuple[Any, Any, Any]:
        plan = plan.withMetadataColumns()
        # Whatever the user's own columns are called; Spark puts it behind them.
        metadata = plan.output().last()
        if not metadata.metadata().contains("__file_source_metadata_col"):
            (metadata,) = [
                column
                for column in catalyst.output(plan)
                if column.metadata().contains("__file_source_metadata_col")
            ]

        def part(name: str) -> Any:
            ordinal = metadata.dataType().fieldIndex(name)
            return catalyst.expressions.GetStructField(metadata, ordinal, catalyst.some(name))

        return plan, part("file_path"), part("row_index")


class _Delta(_FileMetadata):
    """Delta Lake tables: Parquet files, listed by the table's log."""

    kind = "delta"
    tried = False
    format_name = "DeltaParquetFileFormat"


class _Iceberg:
    """Iceberg tables: each record has the metadata columns `_file` and `_pos`."""

    kind = "iceberg"
    tried = False

    def holds(self, _: Catalyst, plan: Any) -> bool:
        if class_name(plan) != "DataSourceV2Relation":
            return False
        return str(plan.table().getClass().getName()).startswith("org.apache.iceberg.spark.")

    def place(self, catalyst: Catalyst, plan: Any) -> tuple[Any, Any, Any]:
        own = len(catalyst.output(plan))
        plan = plan.withMetadataColumns()
        hidden = {str(column.name()): column for column in catalyst.output(plan)[own:]}
        return plan, hidden["_file"], hidden["_pos"]


FILE_METADATA: RowIdentity = _FileMetadata()
"""That of Parquet files."""

_known: list[RowIdentity] = [FILE_METADATA, _Delta(), _Iceberg()]


def register(identity: RowIdentity) -> None:
    """Make a kind of source known; the latest registered is asked first."""
    _known.insert(0, identity)


def unregister(identity: RowIdentity) -> None:
    """Forget a kind of source."""
    _known.remove(identity)


def identity_of(catalyst: Catalyst, plan: Any) -> RowIdentity | None:
    """How the records of a leaf are told apart, if they have places of their own."""
    return next((identity for identity in _known if identity.holds(catalyst, plan)), None)
