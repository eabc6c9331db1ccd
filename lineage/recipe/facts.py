"""What a recipe says of the sources and settings of its output, read without Spark."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.finding import numbered
from bigdebug.lineage.location import plain_path
from bigdebug.lineage.rdd.recipe import RddRecipe, is_rdd_recipe
from bigdebug.lineage.recipe.archive import Recipe


@dataclass(frozen=True)
class RecordedSource:
    """A source as it was when the run read it.

    Attributes:
        name: as the contract names sources.
        kind: `csv`, `parquet`, …, `memory`, `jdbc`; of an RDD the method that read it.
        paths: that were read.
        files: by path, size in bytes and modification time in milliseconds.
        columns: by name their types; empty where they aren't known.
        options: of the reader.
        records: how many it had, where the recipe knows.
    """

    name: str
    kind: str
    paths: tuple[str, ...] = ()
    files: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    records: int | None = None

    @property
    def bytes(self) -> int:
        """The size of its files."""
        return sum(size for size, _ in self.files.values())


@dataclass(frozen=True)
class RecipeFacts:
    """What two runs of a program may differ in before any row is computed.

    Attributes:
        settings: that the output was computed with.
        sources: that it was made of, in the recipe's order.
        is_rdd: whether the output is an RDD's.
    """

    settings: Mapping[str, str]
    sources: tuple[RecordedSource, ...]
    is_rdd: bool


def facts_of(data: bytes, nodes: Mapping[int, Node]) -> RecipeFacts:
    """Read a recipe's facts.

    Args:
        data: the recipe.
        nodes: the run's operators, by id.

    Raises:
        RecipeError: it is damaged, or of another version.
    """
    if is_rdd_recipe(data):
        of_rdd = RddRecipe.from_bytes(data)
        return RecipeFacts(of_rdd.libraries, _named(_of_rdd(of_rdd, nodes)), is_rdd=True)
    recipe = Recipe.from_bytes(data)
    return RecipeFacts(
        {**recipe.libraries, **recipe.settings}, _named(_of_frame(recipe, nodes)), is_rdd=False
    )


def _named(sources: Iterator[RecordedSource]) -> tuple[RecordedSource, ...]:
    found = list(sources)
    names = numbered([source.name for source in found])
    return tuple(replace(source, name=name) for source, name in zip(found, names, strict=True))


def _of_frame(recipe: Recipe, nodes: Mapping[int, Node]) -> Iterator[RecordedSource]:
    names: Sequence[str | None] = [name.partition("#")[0] for name in recipe.names]
    if recipe.all_names is not None or len(names) != len(recipe.leaves):
        # Sources of subqueries are described, too: which name is whose isn't written down.
        names = [None] * len(recipe.leaves)
    for leaf, name in zip(recipe.leaves, names, strict=True):
        if leaf["kind"] != "rdd":
            yield _leaf(leaf, name)
    if recipe.below:
        yield from _of_rdd(RddRecipe.from_bytes(recipe.below), nodes)


def _leaf(leaf: Mapping[str, Any], name: str | None) -> RecordedSource:
    paths = tuple(plain_path(path) for path in leaf.get("paths", ()))
    named = name or (_last_part(paths[0]) if paths else str(leaf.get("name", leaf["kind"])))
    schema = leaf.get("schema")
    described = json.loads(schema) if isinstance(schema, str) and schema.startswith("{") else schema
    columns = described.get("fields", ()) if isinstance(described, dict) else ()
    options = leaf.get("options")
    return RecordedSource(
        named,
        str(leaf.get("format", leaf["kind"])),
        paths,
        _files(leaf.get("files", ())),
        {column["name"]: _type(column["type"]) for column in columns},
        {str(key): str(value) for key, value in options.items() if key.lower() not in ("path", "paths")}
        if isinstance(options, dict)
        else {},
        leaf.get("rows"),
    )


def _of_rdd(recipe: RddRecipe, nodes: Mapping[int, Node]) -> Iterator[RecordedSource]:
    for operator in recipe.operators:
        if operator.get("frame") is not None:
            yield from _of_frame(Recipe.from_bytes(recipe.frames[operator["frame"]]), nodes)
        elif not operator["inputs"]:
            node = nodes.get(operator["node"] or 0)
            paths = node.paths if node else ()
            files = _files(operator["files"])
            named = paths[0] if paths else next(iter(files), None)
            site = node.call_site.label if node and node.call_site else str(operator["kind"])
            yield RecordedSource(
                _last_part(named) if named else site, str(operator["kind"]), tuple(paths), files
            )


def _files(listed: Sequence[Sequence[Any]]) -> dict[str, tuple[int, int]]:
    return {plain_path(path): (int(size), int(time)) for path, size, time in listed}


def _type(kind: Any) -> str:
    return kind if isinstance(kind, str) else json.dumps(kind, separators=(",", ":"))


def _last_part(path: str) -> str:
    return plain_path(path).rstrip("/").rsplit("/", 1)[-1] or path
