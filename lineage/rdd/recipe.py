"""The recipe of an RDD's output: its operators, their functions, and what its sources were."""

from __future__ import annotations

import io
import json
import pickle
import platform
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark import cloudpickle

from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.errors import RecipeError, UnsupportedOperatorError
from bigdebug.lineage.listing import Fingerprint
from bigdebug.lineage.rdd.files import absolute_paths, fingerprint
from bigdebug.lineage.rdd.freezing import SHARED, Frozen, Pickled, frozen_for
from bigdebug.lineage.rdd.hadoop import PATHS, read_settings
from bigdebug.lineage.rdd.kinds import IN_FILES, OF_FRAME, UNKNOWN
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import read_again
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.recipe.archive import Recipe
from bigdebug.lineage.recipe.building import build_recipe
from bigdebug.lineage.recipe.settings import is_secret, without_secrets, without_user

FORMAT = "rdd 2"

NodeLookup = Callable[[str], Node | None]

NOT_REDACTED = "elements of RDDs have no columns, so that none of their values can be redacted"

MOST_BYTES = 64 << 20
"""How much data that was in memory a recipe keeps, and how much that was broadcast."""

_LEAST_PARTITIONS = {
    "textFile": "minPartitions",
    "wholeTextFiles": "minPartitions",
    "binaryFiles": "minPartitions",
    "pickleFile": "minPartitions",
    "sequenceFile": "minSplits",
}
_LIBRARIES = (
    "spark.jars",
    "spark.jars.packages",
    "spark.jars.repositories",
    "spark.driver.extraClassPath",
    "spark.executor.extraClassPath",
    "spark.default.parallelism",
    "spark.files.maxPartitionBytes",
    "spark.files.openCostInBytes",
    "spark.files.ignoreCorruptFiles",
    "spark.files.ignoreMissingFiles",
    "spark.hadoopRDD.ignoreEmptySplits",
)


@dataclass(frozen=True)
class RddRecipe:
    """What is needed to compute an RDD's output again.

    Attributes:
        spark: Spark's version when it was recorded.
        python: Python's version, which pickled functions depend on.
        operators: inputs first: kind, inputs by number, node, of a source in files these, how they were split and
            what Hadoop was told of how to read them, and of the rows of a DataFrame that by number; its inputs are
            then the operators that made DataFrames that it reads.
        tops: by number, the operators that it is a recipe of.
        action: the action, where it gave only some of the elements.
        libraries: settings of the Spark it ran in that say where classes are, and how RDDs are split.
        folder: the script's folder, where modules that functions refer to are found.
        pieces: pickled: by operator its arguments, those of the action, and what was broadcast.
        frames: recipes of DataFrames whose rows are elements.
    """

    spark: str
    python: str
    operators: list[dict[str, Any]]
    tops: list[int]
    action: str | None
    libraries: dict[str, str]
    folder: str | None
    pieces: bytes
    frames: list[bytes] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        described = {
            "format": FORMAT,
            "spark": self.spark,
            "python": self.python,
            "operators": self.operators,
            "tops": self.tops,
            "frames": len(self.frames),
            "action": self.action,
            "libraries": self.libraries,
            "folder": self.folder,
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("rdd.json", json.dumps(described))
            archive.writestr("pieces.pkl", self.pieces)
            for number, frame in enumerate(self.frames):
                archive.writestr(f"frames/{number}.zip", frame)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> RddRecipe:
        """Raises RecipeError where the file is damaged or of another format."""
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                described = json.loads(archive.read("rdd.json"))
                pieces = archive.read("pieces.pkl")
                frames = [
                    archive.read(f"frames/{number}.zip") for number in range(described.pop("frames", 0))
                ]
        except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
            raise RecipeError(
                f"the recipe is damaged ({error})", hint="run the script again to record a new one"
            ) from None
        if described.pop("format", None) != FORMAT:
            raise RecipeError(
                "the recipe was written by another version of bigdebug",
                hint="open it with that version, or run the script again",
            )
        return cls(**described, pieces=pieces, frames=frames)

    @property
    def files(self) -> Fingerprint:
        """The files of all sources."""
        own = [file for operator in self.operators for file in operator["files"]]
        leaves = [leaf for frame in self.frames for leaf in Recipe.from_bytes(frame).leaves]
        return own + [file for leaf in leaves for file in leaf.get("files", ())]


def is_rdd_recipe(data: bytes) -> bool:
    """Whether a recipe is of an RDD."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return "rdd.json" in archive.namelist()
    except zipfile.BadZipFile:
        return False


def build_rdd_recipe(
    rows: RddRows, lookup: NodeLookup, redact: frozenset[str] = frozenset(), folder: str | None = None
) -> RddRecipe:
    """The recipe of what an action was about.

    Args:
        rows: what it was about.
        lookup: gives the run's node that a tag names.
        redact: columns whose values must not be stored; elements have none that could be told apart.
        folder: the script's folder.

    Raises:
        RecipeError: it can't be stored; says which operator or source is the reason.
        UnsupportedOperatorError: it reads an RDD that wasn't recorded.
    """
    writer = _Writer(lookup, redact, folder)
    writer.add(rows.operator, rows.frozen)
    action = None if rows.arguments is None else writer.carried(rows.arguments)
    top = writer.number(rows.operator, rows.frozen)
    return writer.recipe(rows.operator.context, [top], rows.action, action)


def build_recipe_below(
    joints: Sequence[RddOperator],
    lookup: NodeLookup,
    redact: frozenset[str] = frozenset(),
    folder: str | None = None,
) -> RddRecipe:
    """The recipe of the RDDs that a DataFrame's leaves were made of; `build_rdd_recipe` has the errors.

    Args:
        joints: the operators that made DataFrames of them.
        lookup, redact, folder: as there.
    """
    writer = _Writer(lookup, redact, folder)
    for joint in joints:
        writer.add(joint, {})
    return writer.recipe(joints[0].context, [writer.number(joint, {}) for joint in joints])


class _Writer:
    """Describes operators with the functions that Spark took; one that it took twice is described twice."""

    def __init__(self, lookup: NodeLookup, redact: frozenset[str], folder: str | None) -> None:
        if redact:
            raise RecipeError(NOT_REDACTED)
        self._lookup = lookup
        self._folder = folder
        self.frames: list[bytes] = []
        self._of_frames: dict[RddOperator, tuple[int, tuple[RddOperator, ...]]] = {}
        self.operators: list[dict[str, Any]] = []
        self.arguments: list[Any] = []
        self.shared: list[dict[str, Any]] = []
        self.broadcasts: list[bytes] = []
        self._numbers: dict[tuple[RddOperator, int], int] = {}
        self._described: dict[tuple[Any, ...], int] = {}
        self._broadcast: dict[int, int] = {}
        self._bytes = 0

    def recipe(
        self, context: Any, tops: list[int], action: str | None = None, carried: Any | None = None
    ) -> RddRecipe:
        """The recipe of what was added.

        Args:
            context: the SparkContext.
            tops: what it is a recipe of.
            action: the action, where it gave only some of the elements.
            carried: its arguments.
        """
        conf = context.getConf()
        libraries = {key: str(conf.get(key, "") or "") for key in _LIBRARIES}
        return RddRecipe(
            spark=context.version,
            python=platform.python_version(),
            operators=self.operators,
            tops=tops,
            action=action,
            libraries=without_secrets({key: value for key, value in libraries.items() if value}),
            folder=self._folder,
            pieces=cloudpickle.dumps((self.arguments, self.shared, carried, self.broadcasts)),
            frames=self.frames,
        )

    def number(self, operator: RddOperator, given: Frozen) -> int:
        """The number of an operator that was added."""
        return self._numbers[operator, id(frozen_for(operator, given))]

    def add(self, root: RddOperator, given: Frozen) -> None:
        """Describe an operator after those it reads. Without recursion: programs of many rounds are deep."""
        waiting: list[tuple[RddOperator, Frozen, bool]] = [(root, given, False)]
        while waiting:
            operator, outer, ready = waiting.pop()
            frozen = frozen_for(operator, outer)
            if (operator, id(frozen)) in self._numbers:
                continue
            if not ready:
                waiting.append((operator, outer, True))
                waiting += [(below, frozen, False) for below in reversed(self._below(operator))]
                continue
            self._describe(operator, frozen)

    def carried(self, arguments: Pickled) -> tuple[bytes, list[int]]:
        """A pickle, and by its own numbers which of all broadcast variables it names."""
        return arguments.data, [self._number_of(variable) for variable in arguments.broadcasts]

    def _describe(self, operator: RddOperator, frozen: Frozen) -> None:
        if operator.problem:
            raise RecipeError(operator.problem)
        if operator.kind == UNKNOWN:
            raise UnsupportedOperatorError("it reads an RDD that wasn't recorded")
        inputs = [self._numbers[below, id(frozen_for(below, frozen))] for below in self._below(operator)]
        taken = frozen[operator] if operator.inputs else None
        # What leads to an operator by several ways found the same functions, unless a variable changed between.
        same = operator, None if taken is None else taken.data, tuple(inputs)
        if same not in self._described:
            self._described[same] = len(self.operators)
            self._append(operator, inputs, taken)
        self._numbers[operator, id(frozen)] = self._described[same]

    def _append(self, operator: RddOperator, inputs: list[int], taken: Pickled | None) -> None:
        files: Fingerprint = []
        frame = None
        if operator.kind == OF_FRAME:
            frame = self._of_frames[operator][0]
            self.arguments.append({})
        elif taken is None:
            files, described = _source(operator)
            self.arguments.append(described)
        else:
            self.arguments.append(self.carried(taken))
        self.shared.append({name: value for name, value in operator.arguments.items() if name in SHARED})
        node = self._lookup(operator.tag) if operator.tag else None
        number = node.id if node else None
        self.operators.append(
            {
                "kind": operator.kind,
                "inputs": inputs,
                "node": number,
                "files": files,
                "splits": operator.splits,
                "settings": operator.settings,
                "frame": frame,
            }
        )

    def _below(self, operator: RddOperator) -> tuple[RddOperator, ...]:
        """What has to be described before an operator: its inputs, or what the DataFrame was made of."""
        if operator.frame is None:
            return operator.inputs
        if operator not in self._of_frames:
            joints: list[RddOperator] = []
            frame = operator.frame
            recipe = build_recipe(frame.spark, frame.rows, self._lookup, folder=self._folder, joints=joints)
            self.frames.append(recipe.to_bytes())
            self._of_frames[operator] = len(self.frames) - 1, tuple(joints)
        return self._of_frames[operator][1]

    def _number_of(self, variable: Any) -> int:
        known = self._broadcast.get(id(variable))
        if known is None:
            data = cloudpickle.dumps(variable.value)
            self._bytes += len(data)
            if self._bytes > MOST_BYTES:
                raise RecipeError("what its functions broadcast is over 64 MB")
            known = self._broadcast[id(variable)] = len(self.broadcasts)
            self.broadcasts.append(data)
        return known


def _source(operator: RddOperator) -> tuple[Fingerprint, dict[str, Any]]:
    """A source's files, and with which arguments it is read again."""
    arguments = dict(operator.arguments)
    if operator.kind not in IN_FILES:
        return [], arguments if operator.source is None else {"partitions": _data(operator)}
    least = _LEAST_PARTITIONS.get(operator.kind)
    if least is not None:
        arguments[least] = arguments[least] or operator.context.defaultMinPartitions
    if operator.kind == "binaryFiles":
        # Spark takes as many as there are cores, if that is more.
        arguments["minPartitions"] = max(arguments["minPartitions"], operator.context.defaultParallelism)
    for name, value in arguments.items():
        told = value.values() if name == "conf" and value else [value]
        if any(isinstance(each, str) and without_user(each) != each for each in told):
            raise RecipeError(f"{operator.described()} has a user and password in its address")
        if name in ("path", "name"):
            arguments[name] = absolute_paths(operator.context, value)
        if name == "conf" and value:
            arguments[name] = {
                key: absolute_paths(operator.context, each) if key in PATHS else each
                for key, each in value.items()
                if not is_secret(str(key))
            }
    jrdd = read_again(operator, arguments)._jrdd
    if operator.listed is None:
        operator.listed = fingerprint(operator, jrdd)
    if operator.settings is None:
        operator.settings = without_secrets(read_settings(jrdd))
    return operator.listed, arguments


def _data(operator: RddOperator) -> list[list[bytes]]:
    """By partition the pickled batches of data at hand, as the JVM holds them."""
    assert operator.source is not None
    jrdd, _ = operator.source
    found: list[list[bytes]] = []
    size = 0
    for partition in jrdd.rdd().partitions():
        batches = []
        iterator = partition.iterator()
        while iterator.hasNext():
            batches.append(bytes(iterator.next()))
            size += len(batches[-1])
            if size > MOST_BYTES:
                raise RecipeError(f"{operator.described()} has too much data for a recipe: over 64 MB")
        found.append(batches)
    return found


def opened_data(batches: list[list[bytes]]) -> list[list[Any]]:
    """The elements of such batches, by partition."""
    return [[element for batch in part for element in pickle.loads(batch)] for part in batches]
