"""Notes of the keys of pairs whose values Spark merges by key before a shuffle.

Where that is so, values are merged and keys noted in one loop, which looks a key up once: Spark's own does so up to
three times, and so most of what notes take comes back. Travels by value to Spark's Python workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import itemgetter
from typing import Any

from bigdebug.lineage.rdd.capture.carried import carried
from bigdebug.lineage.rdd.capture.notes import MOST_BYTES, MOST_KEYS, Notes
from bigdebug.lineage.rdd.index.elements import weight

_CHUNK = 1 << 12
_FIRST = 1_000, 500
"""Pairs after which Spark looks at the memory that is used, first and next; each time then half as many more."""
_END = object()


class Pairs:
    """Pairs as they come out of a chain: each is noted as it goes by, or as its value is merged.

    Args:
        notes: where to note it.
        elements: the pairs.
    """

    def __init__(self, notes: Notes, elements: Iterator[Any]) -> None:
        self._notes = notes
        self._elements = elements

    def __iter__(self) -> Iterator[Any]:
        return noted(self._notes, self._elements, itemgetter(0))

    def merge_into(self, merger: Any) -> None:
        """Merge all values, just as a merger does that is given the pairs.

        Args:
            merger: Spark's, with nothing in it yet.
        """
        from pyspark.shuffle import get_used_memory

        notes, elements = self._notes, self._elements
        names, codes, merged = notes.names, notes.codes, []
        create, merge = merger.agg.createCombiner, merger.agg.mergeValue
        chunk, after = (min(_CHUNK, each) for each in _FIRST)
        size = 0
        notes.keeps_codes = True
        try:
            while True:
                key: Any = _END
                for key, value in islice(elements, chunk):
                    try:
                        code = codes[key]
                    except KeyError:
                        code = None  # not here: an error of the program's own would come with this one
                    if code is None:
                        merged.append(create(value))
                        codes[key] = code = len(codes)
                        size += weight(key)
                        if size >= MOST_BYTES:
                            names.append(code)
                            break
                    else:
                        merged[code] = merge(merged[code], value)
                    names.append(code)
                if key is _END:
                    merger.data.update(zip(codes, merged, strict=True))
                    notes.finish()
                    merger.mergeValues(())  # which may spill
                    return
                if len(codes) >= MOST_KEYS or size >= MOST_BYTES or get_used_memory() >= merger.memory_limit:
                    break
                if notes.full:
                    notes.flush()
                chunk, after = after, min(_CHUNK, after * 3 // 2)
            # It becomes large: Spark goes on by itself, which puts on disk what memory doesn't hold.
            merger.data.update(zip(codes, merged, strict=True))
            merged.clear()
            notes.keeps_codes = False
            notes.flush()
            merger.mergeValues(())
            merger.mergeValues(self)
        finally:
            notes.close()


@carried
def merged_before(aggregator: Any, memory: float, serializer: Any) -> Callable[[Iterable[Any]], Any]:
    """What merges the values of a task's pairs before a shuffle.

    Args:
        aggregator: Spark's, how to merge.
        memory: how much it may take, in MB.
        serializer: for what is put on disk.
    """
    from pyspark.shuffle import ExternalMerger

    def merge(pairs: Iterable[Any]) -> Any:
        merger: Any = ExternalMerger(aggregator, memory, serializer)
        if isinstance(pairs, Pairs):
            pairs.merge_into(merger)
        else:
            merger.mergeValues(pairs)
        return merger.items()

    return merge


@carried
def merged_after(
    kind: type[Any], aggregator: Any, memory: float, serializer: Any
) -> Callable[[Iterable[Any]], Any]:
    """What merges what several tasks have merged, after a shuffle.

    Args:
        kind: of Spark's mergers.
        aggregator, memory, serializer: as before the shuffle.
    """

    def merge(pairs: Iterable[Any]) -> Any:
        merger = kind(aggregator, memory, serializer)
        merger.mergeCombiners(pairs)
        return merger.items()

    return merge


def listed(value: Any) -> list[Any]:
    """The first value of a key, as a grouping collects values."""
    return [value]


def appended(values: list[Any], value: Any) -> list[Any]:
    """One more value of a key."""
    values.append(value)
    return values


def extended(values: list[Any], more: list[Any]) -> list[Any]:
    """The values of a key that another task collected."""
    values.extend(more)
    return values


def noted(notes: Notes, elements: Iterator[Any], key: Callable[[Any], Any]) -> Iterator[Any]:
    """Elements, each noted by its key as it goes by.

    Args:
        notes: where.
        elements: them.
        key: gives the key of one.
    """
    names, codes = notes.names, notes.codes
    element: Any = None
    try:
        while element is not _END:
            element = _END
            for element in islice(elements, _CHUNK):
                try:
                    names.append(codes[key(element)])
                except KeyError:
                    _new_key(notes, element, key)
                except Exception:
                    # No pair, or no key: the program's own error comes right after.
                    notes.close()
                yield element
            if notes.full:
                notes.flush()
        notes.finish()
    finally:
        notes.close()


def _new_key(notes: Notes, element: Any, key: Callable[[Any], Any]) -> None:
    try:
        name = key(element)
        notes.names.append(notes.codes.setdefault(name, len(notes.codes)))
        notes.bytes += weight(name)
    except Exception:
        notes.close()
    if notes.bytes >= MOST_BYTES:
        notes.flush()
