"""Describe the sources of a dataflow, and make them again from their descriptions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from bigdebug.lineage.batches import batch_of
from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.checkpoints import CHECKPOINTS
from bigdebug.lineage.errors import RecipeError, SourceChangedError
from bigdebug.lineage.failure import first_line
from bigdebug.lineage.file_tables import as_first_kind
from bigdebug.lineage.identity import HIVE_TABLE, JDBC_RELATION
from bigdebug.lineage.listing import IS_GONE, differences, exists, listed_files
from bigdebug.lineage.location import plain_path
from bigdebug.lineage.memory import numbered_rows
from bigdebug.lineage.opened import tag_named
from bigdebug.lineage.operators import NodeLookup
from bigdebug.lineage.passed_over import MISSING, may_have_been_read, passes_over
from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.joints import joint_of, keep_reopened, rows_of_elements
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.recipe.codec import Pieces
from bigdebug.lineage.recipe.databases import described_database, read_database
from bigdebug.lineage.recipe.python_sources import PYTHON_TABLE, described_python_source, read_python_source
from bigdebug.lineage.recipe.redaction import RedactedColumns
from bigdebug.lineage.recipe.schemas import column_changes
from bigdebug.lineage.recipe.settings import without_secrets, without_user
from bigdebug.lineage.row_identity import HADOOP_RELATION, identity_of
from bigdebug.lineage.segments import local_relation, wrapped
from bigdebug.lineage.sources import TABLE_TAG, catalog_table

# Formats whose files say which columns they have.
_TELLING_COLUMNS = frozenset({"parquet", "orc"})

# In-memory data above this isn't kept in a recipe.
KEPT_ROWS = 100_000

# Of how many changed files of a source each is told.
_TOLD = 5

# What Hadoop takes for a pattern in a path.
_PATTERN = re.compile(r"[{}\[\]*?\\]")

Description = dict[str, Any]


@dataclass
class LeafWriter:
    """Describes leaves, in the order it is asked.

    Args:
        catalyst: of the session the plan lives in.
        pieces: where in-memory data goes.
        lookup: gives the recorded node of a tag's value.
        redacted: columns whose values are hashed before they are kept.
        values: filled with what was hashed, as text: it must be nowhere else, either.
        joints: filled with the operators that made DataFrames of RDDs.
    """

    catalyst: Catalyst
    pieces: Pieces
    lookup: NodeLookup
    redacted: RedactedColumns
    descriptions: list[Description] = field(default_factory=list)
    values: set[str] = field(default_factory=set)
    joints: list[RddOperator] = field(default_factory=list)

    def add(self, plan: Any) -> int:
        """Describe a leaf and give its number.

        Raises:
            RecipeError: the leaf is no source that can be made again.
        """
        self.descriptions.append(self._described(plan))
        return len(self.descriptions) - 1

    def _described(self, plan: Any) -> Description:
        if class_name(plan) == "LogicalRelation":
            relation = plan.relation()
            if self.catalyst.is_instance(relation, JDBC_RELATION):
                return described_database(self.catalyst, relation, self.redacted.names)
            if not self.catalyst.is_instance(relation, HADOOP_RELATION):
                name = relation.getClass().getSimpleName()
                raise RecipeError(
                    f"the source {name} can't be read again from a recipe yet",
                    hint="trace in the running program with session.trace",
                )
            return self._files(plan, relation)
        if class_name(plan) == "DataSourceV2Relation":
            if not self.catalyst.is_instance(plan.table(), PYTHON_TABLE):
                raise RecipeError(
                    f"the source {plan.table().name()} can't be read again from a recipe yet",
                    hint="trace in the running program with session.trace",
                )
            description, pickled = described_python_source(self.catalyst, plan)
            return {**description, "class": self.pieces.add(pickled)}
        if class_name(plan) == HIVE_TABLE:
            raise RecipeError(
                f"the Hive table {catalog_table(self.catalyst, plan)} can't be read again from a recipe yet",
                hint="trace in the running program with session.trace",
            )
        return self._memory(plan)

    def _files(self, plan: Any, relation: Any) -> Description:
        folders = {str(name) for name in relation.partitionSchema().fieldNames()}
        for column in self.catalyst.output(plan):
            if column.name() in folders and self.redacted.holds(column):
                raise RecipeError(f"its files lie in folders named after the redacted column {column.name()}")
        options = self.catalyst.entries(relation.options())
        kept = without_secrets(options)
        places = identity_of(self.catalyst, plan)
        if places is not None and not places.tried:
            raise RecipeError(
                f"a {places.kind} table can't be read again from a recipe yet",
                hint="trace in the running program with session.trace",
            )
        paths = self.catalyst.items(relation.location().rootPaths())
        return {
            "kind": "files",
            "format": str(relation.fileFormat().shortName()),
            "paths": [without_user(str(path.toString())) for path in paths],
            "options": kept,
            "left_out": sorted(options.keys() - kept.keys()),
            "table": catalog_table(self.catalyst, plan),
            "schema": json.loads(relation.schema().json()),
            "files": [
                [without_user(path), size, time] for path, size, time in listed_files(self.catalyst, relation)
            ],
        }

    def _memory(self, plan: Any) -> Description:
        """Rows and their ids as a `LocalRelation`, which Java serializes exactly, whatever their types."""
        batch = batch_of(self.catalyst, plan)
        if batch is not None:
            raise RecipeError(
                f"{batch} of a streaming query can't be made again: {batch.reason}",
                hint="trace within the function that the query calls, while the batch is at hand",
            )
        joint = joint_of(self.catalyst.spark.sparkContext, plan)
        if joint is not None:
            if joint not in self.joints:
                self.joints.append(joint)
            number = self.joints.index(joint)
            return {"kind": "rdd", "joint": number, "schema": str(plan.schema().json())}
        if class_name(plan) == "LogicalRDD":
            self._require_local_data(plan)
        catalyst = self.catalyst
        columns = catalyst.output(plan)
        hashed = [column for column in columns if self.redacted.holds(column)]
        if hashed:
            self.values |= _texts(catalyst, plan, hashed)
        kept = [_hashed(catalyst, each) if each in hashed else each for each in columns]
        numbered = self._numbered(plan, kept)
        first = catalyst.frame(numbered).limit(KEPT_ROWS + 1)
        rows = first._jdf.queryExecution().executedPlan().executeCollect()
        if len(rows) > KEPT_ROWS:
            raise RecipeError(
                f"in-memory data of more than {KEPT_ROWS:,} rows isn't kept in a recipe",
                hint="write it to a file and read it from there, or trace while the program runs",
            )
        output = catalyst.seq([*columns, catalyst.output(numbered)[-1]])
        data = self.pieces.add(local_relation(catalyst, output, wrapped(catalyst, rows)))
        return {"kind": "memory", "data": data, "rows": len(rows), "redacted": [c.name() for c in hashed]}

    def _numbered(self, plan: Any, kept: list[Any]) -> Any:
        """The plan of a leaf's rows, as they are kept, with their ids as last column."""
        catalyst = self.catalyst
        if class_name(plan) == "LocalRelation":
            return numbered_rows(catalyst, kept, plan)
        number = catalyst.alias(catalyst.expressions.MonotonicallyIncreasingID(), fresh_name("id"))
        return catalyst.project([*kept, number], plan)

    def _require_local_data(self, plan: Any) -> None:
        """Make sure that an RDD holds what the user gave `createDataFrame`: then reading it runs no code of theirs."""
        tag = plan.getTagValue(self.catalyst.tag)
        node = self.lookup(tag.get()) if tag.isDefined() else None
        if node is not None and node.operator in CHECKPOINTS:
            raise RecipeError(
                "a checkpoint of a plan of very many operators, or of sources that have changed, can't be made again "
                "from a recipe",
                hint="trace in the running program with session.trace, back to the checkpoint",
            )
        if node is None or node.operator != "createDataFrame":
            raise RecipeError("a DataFrame made from an RDD can't be made again from a recipe yet")


_MASKS = {"bigint": (1 << 63) - 1, "int": (1 << 31) - 1, "smallint": (1 << 15) - 1, "tinyint": (1 << 7) - 1}


def _hashed(catalyst: Catalyst, column: Any) -> Any:
    """A column as it may be stored: text as its SHA-256, whole numbers as their hash, the rest nulled."""
    expressions = catalyst.expressions
    literal = catalyst.singleton(expressions, "Literal")
    data_type = column.dataType()
    kind = str(data_type.catalogString())
    value = catalyst.null(data_type)
    if kind.startswith("string"):
        binary = catalyst.singleton(catalyst.jvm.org.apache.spark.sql.types, "BinaryType")
        value = expressions.Sha2(_cast(catalyst, column, binary), literal.apply(256))
    elif kind in _MASKS:
        long_type = catalyst.singleton(catalyst.jvm.org.apache.spark.sql.types, "LongType")
        mask = _cast(catalyst, literal.apply(_MASKS[kind]), long_type)
        number = expressions.BitwiseAnd(expressions.XxHash64(catalyst.seq([column])), mask)
        value = expressions.If(expressions.IsNull(column), value, _cast(catalyst, number, data_type))
    return catalyst.alias(value, column.name())


def _cast(catalyst: Catalyst, expression: Any, data_type: Any) -> Any:
    legacy = catalyst.expressions.EvalMode.LEGACY()
    return catalyst.expressions.Cast(expression, data_type, catalyst.none, legacy)


def _texts(catalyst: Catalyst, plan: Any, columns: list[Any]) -> set[str]:
    """All values of some columns as texts, those inside of structs, arrays and maps one by one."""
    found: set[str] = set()
    for column in columns:
        frame = catalyst.frame(catalyst.project([column], plan)).toDF("value").distinct()
        kind = str(column.dataType().catalogString())
        text = F.to_json(F.struct("value")) if "<" in kind else F.col("value").cast("string")
        for row in frame.select(text).limit(KEPT_ROWS + 1).collect():
            if row[0] is not None:
                found |= set(_inside(json.loads(row[0]))) if "<" in kind else {row[0]}
    return found


def _inside(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _inside(each)
    elif value is not None:
        yield str(value)


@dataclass
class LeafReader:
    """Makes leaves again.

    Args:
        catalyst: of the replaying session, its settings already the run's.
        pieces: where in-memory data is.
        descriptions: the leaves, by number.
        allow_changed: read a source that isn't what it was.
        changes: filled with what has changed, where that is allowed.
        joints: the operators that made DataFrames of RDDs.
        without_added: read files alone that were there, where others were added since.
    """

    catalyst: Catalyst
    pieces: Pieces
    descriptions: list[Description]
    allow_changed: bool = False
    changes: list[str] = field(default_factory=list)
    joints: Sequence[RddOperator] = ()
    without_added: bool = False

    def get(self, number: int, output: Any) -> Any:
        """The plan of a leaf with the recorded output attributes.

        Raises:
            SourceChangedError: a source is gone or changed; names it and what changed.
        """
        description = self.descriptions[number]
        if description["kind"] == "memory":
            return self._memory(description)
        if description["kind"] == "rdd":
            return self._of_elements(description, output)
        if description["kind"] == "jdbc":
            frame = read_database(self.catalyst, description)
            return self.catalyst.copy(self.catalyst.analyzed(frame), output=output)
        if description["kind"] == "python":
            frame = read_python_source(self.catalyst, description, self.pieces.get(description["class"]))
            return self.catalyst.copy(self.catalyst.analyzed(frame), output=output)
        plan = self._read(description)
        if self.without_added and self._has_more_files(description, plan.relation()):
            plan = self._read(_of_its_files(description))
        self._compare(description, plan.relation())
        plan = self.catalyst.copy(plan, output=output)
        if description.get("table") is not None:
            plan.setTagValue(tag_named(self.catalyst.jvm, TABLE_TAG), description["table"])
        return plan

    def _has_more_files(self, description: Description, relation: Any) -> bool:
        then = {path for path, _, _ in description["files"]}
        return bool(then) and any(path not in then for path, _, _ in listed_files(self.catalyst, relation))

    def _memory(self, description: Description) -> Any:
        kept = self.pieces.get(description["data"])
        columns = self.catalyst.output(kept)
        # The plan above sees the columns alone; a mirror of it knows the stored leaf by its id column.
        plan = self.catalyst.project(columns[:-1], kept)
        if description["redacted"]:
            self.changes.append(f"redacted columns were hashed: {', '.join(description['redacted'])}")
        return plan

    def _of_elements(self, description: Description, output: Any) -> Any:
        joint = self.joints[description["joint"]]
        rdd = Annotator(joint.context).plain(joint.inputs[0], {})
        functions, schema = joint.arguments["functions"], description["schema"]
        plan = rows_of_elements(self.catalyst, rdd, functions, schema)
        keep_reopened(joint, plan)
        return self.catalyst.copy(plan, output=output)

    def _read(self, description: Description) -> Any:
        schema = StructType.fromJson(description["schema"])
        try:
            plan = self.catalyst.analyzed(self._loaded(description, schema))
        except AnalysisException as error:
            names = ", ".join(plain_path(path) for path in description["paths"])
            raise SourceChangedError(f"{names} can't be read any more: {first_line(error)}") from error
        if class_name(plan) == "DataSourceV2Relation":
            plan = as_first_kind(self.catalyst, plan) or plan
        if class_name(plan) == "Project":
            # Texts of a fixed length are padded above the relation; in the recorded plan they are so already.
            plan = plan.child()
        return plan

    def _loaded(self, description: Description, schema: StructType | None = None) -> DataFrame:
        """What stands in a source's files; without a schema in the columns that these tell themselves."""
        reader = self.catalyst.spark.read.format(description["format"])
        if schema is not None:
            reader = reader.schema(schema)
        options = {k: v for k, v in description["options"].items() if k.lower() not in ("path", "paths")}
        return reader.options(**options).load([_literal(path) for path in self._present(description)])

    def _present(self, description: Description) -> list[str]:
        """The paths that are still there; what is gone is an error, or noted by its files, where others are left."""
        present = [path for path in description["paths"] if exists(self.catalyst, path)]
        gone = [plain_path(path) for path in description["paths"] if path not in present]
        passed_over = self.allow_changed or passes_over(self.catalyst, description["options"], MISSING)
        if gone and not (present and passed_over):
            raise SourceChangedError(
                f"{', '.join(gone)} {'is' if len(gone) == 1 else 'are'} gone since the run read it",
                hint="put it back where it was; the trace reads its records from there",
            )
        return present

    def _compare(self, description: Description, relation: Any) -> None:
        changes = differences(description["files"], listed_files(self.catalyst, relation))
        gone = [change for change in changes if change.endswith(IS_GONE)]
        if gone and passes_over(self.catalyst, description["options"], MISSING):
            changes = [change for change in changes if change not in gone]
            self.changes += [may_have_been_read(change, "the run read it") for change in gone[:_TOLD]]
        if not changes:
            return
        columns = self._changed_columns(description)
        if not self.allow_changed:
            told = "".join(f"; {change}" for change in columns[:_TOLD])
            raise SourceChangedError(
                f"{changes[0]} since the run read it{_and_more(len(changes) - 1)}{told}",
                hint="--allow-changed traces it as it is now",
            )
        names = ", ".join(plain_path(path) for path in description["paths"])
        self.changes += [f"{names}: {change}" for change in columns[:_TOLD]]
        self.changes += [f"{change} since the run read it" for change in changes[:_TOLD]]
        if len(changes) > _TOLD:
            self.changes.append(f"{len(changes) - _TOLD:,} more files of it changed, too")

    def _changed_columns(self, description: Description) -> list[str]:
        """What files that tell their columns themselves say of these by now."""
        if description["format"] not in _TELLING_COLUMNS:
            return []
        try:
            now = self._loaded(description)
        except (AnalysisException, Py4JError):
            return []  # damaged, or none there: that is told where they are read
        found = column_changes(description["schema"], json.loads(now.schema.json()))
        # A program may have named fewer columns than there are, then and now.
        return [change for change in found if not change.endswith(" is new")]


def _of_its_files(description: Description) -> Description:
    """A source in files, described by these: what lies beside them by now isn't read."""
    files = [path for path, _, _ in description["files"]]
    options = description["options"]
    if len(description["paths"]) == 1 and not any(key.lower() == "basepath" for key in options):
        # Or else columns that folders are named after would be lost.
        options = {**options, "basePath": description["paths"][0]}
    return {**description, "paths": files, "options": options}


def _and_more(number: int) -> str:
    return f", and {number:,} more of its files changed, too" if number else ""


def _literal(path: str) -> str:
    """A path in which nothing is a pattern."""
    return _PATTERN.sub(r"\\\g<0>", path)
