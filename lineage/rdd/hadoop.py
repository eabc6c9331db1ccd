"""Hadoop's settings that decide which records are read of files, where a program set them for all that it reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bigdebug.lineage.rdd.files import hadoop_rdd

PATHS = frozenset({"mapreduce.input.fileinputformat.inputdir", "mapred.input.dir"})
"""Settings that name the files; Spark sets the first one for the RDD that reads them."""

DELIMITER = "textinputformat.record.delimiter"
"""What ends a record in place of the end of a line."""

_OF_ONE = PATHS | {"mapreduce.input.fileinputformat.numinputfiles"}
_PREFIXES = ("mapreduce.input.", "textinputformat.")
_ALONE = ("fs.local.block.size", "io.compression.codecs", "io.serializations")


def read_settings(jrdd: Any) -> dict[str, str]:
    """What an RDD that reads files was told of how to read them: what ends a record, whether within folders, …

    Args:
        jrdd: of the source.
    """
    return {
        name: value for name, value in _settings(hadoop_rdd(jrdd).getConf()).items() if name not in _OF_ONE
    }


@contextmanager
def read_with(context: Any, settings: Mapping[str, str] | None) -> Iterator[None]:
    """Have what is read meanwhile be told the same; the RDD must be asked for its partitions meanwhile, too.

    Args:
        context: the SparkContext, whose settings are as before afterwards.
        settings: as `read_settings` gave them; None leaves them as they are.
    """
    conf = context._jsc.hadoopConfiguration()
    now = {} if settings is None else _settings(conf)
    other = {
        name: value
        for name, value in {**dict.fromkeys(now), **(settings or {})}.items()
        if value != now.get(name) and name not in _OF_ONE
    }
    _set(conf, other)
    try:
        yield
    finally:
        _set(conf, {name: now.get(name) for name in other})


def _settings(conf: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for prefix in _PREFIXES:
        entries = conf.getPropsWithPrefix(prefix).entrySet().toArray()
        found |= {f"{prefix}{entry.getKey()}": str(entry.getValue()) for entry in entries}
    alone = {name: conf.get(name) for name in _ALONE}
    return found | {name: str(value) for name, value in alone.items() if value is not None}


def _set(conf: Any, settings: Mapping[str, str | None]) -> None:
    for name, value in settings.items():
        if value is None:
            conf.unset(name)
        else:
            conf.set(name, value)
