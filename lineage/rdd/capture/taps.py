"""Taps in a chain of functions, as Spark's Python workers run them.

Within a stage a record's id need not travel with it. A head stands where the chain begins and notes each record that
it hands on; a foot stands where the chain ends, before a shuffle or an action, and notes what comes out (as in Titian,
Interlandi et al., VLDB 2016, without a fork of Spark). Only through a join does an id travel: `joined.py`.
Travels by value to the workers, which need not have bigdebug.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, compress, islice
from operator import itemgetter, length_hint
from typing import Any

from bigdebug.lineage.rdd.capture.carried import carried, taken_along
from bigdebug.lineage.rdd.capture.heads import Head, KeyHead, PlaceHead
from bigdebug.lineage.rdd.capture.notes import MOST_BYTES, Notes
from bigdebug.lineage.rdd.capture.pairs import Pairs, noted
from bigdebug.lineage.rdd.index.elements import weight

Function = Callable[[int, Iterable[Any]], Iterable[Any]]
"""Of a partition's number and its elements."""

_CHUNK = 1 << 12
_END = object()


@taken_along
class Cell:
    """What the head of a chain and its foot share in a task.

    Args:
        head: of the chain.

    Attributes:
        notes: where the head notes records, if the foot has it do so.
        teller: if the foot wants to know of each record what it is: hands records on and tells that as `now`.
        now: what the record is that was handed on last.
    """

    def __init__(self, head: Head) -> None:
        self.head: Any = head
        self.notes: Notes | None = None
        self.teller: Callable[[Iterable[Any]], Iterable[Any]] | None = None
        self.now: Any = None

    def __reduce__(self) -> Any:
        from bigdebug.lineage.rdd.capture.carried import pickled

        return pickled(Cell, (self.head,))


@carried
def headed_below(cell: Cell, function: Function) -> Function:
    """A chain's first function with a head in front of it."""

    def headed(partition: int, elements: Iterable[Any]) -> Iterable[Any]:
        return function(partition, _handed_on(cell, elements))

    return headed


@carried
def headed_above(cell: Cell, function: Function) -> Function:
    """What makes a boundary's elements with the head of the next chain behind it."""

    def headed(partition: int, elements: Iterable[Any]) -> Iterable[Any]:
        return _handed_on(cell, function(partition, elements))

    return headed


@carried
def keyed_foot(cell: Cell, place: tuple[bytes, str], key: Callable[[Any], Any] | None) -> Function:
    """Note the keys of what comes out of a chain.

    Args:
        cell: of the chain.
        place: where notes go.
        key: gives the key of an element; None takes its first part.
    """

    def foot(partition: int, elements: Iterable[Any]) -> Iterable[Any]:
        notes = Notes(cell.head, partition, place)
        if not notes.begin(elements=False):
            return elements
        cell.notes = notes
        return Pairs(notes, iter(elements)) if key is None else noted(notes, iter(elements), key)

    return foot


@carried
def given_foot(cell: Cell, place: tuple[bytes, str], few: bool) -> Function:
    """Note, and keep, what comes out of a chain for an action.

    Args:
        cell: of the chain.
        place: where notes go.
        few: of most records nothing may come out.
    """

    def foot(partition: int, elements: Iterable[Any]) -> Iterable[Any]:
        notes = Notes(cell.head, partition, place)
        if not notes.begin(elements=True):
            return elements
        if few and isinstance(cell.head, PlaceHead):
            notes.count()
        cell.notes = notes
        return _given(notes, iter(elements))

    return foot


# -- heads ------------------------------------------------------------------------------------------


def _handed_on(cell: Cell, elements: Iterable[Any]) -> Iterable[Any]:
    # It is decided when the first element is asked for: the foot has said by then what it wants.
    return chain.from_iterable(_decided(cell, elements))


def _decided(cell: Cell, elements: Iterable[Any]) -> Iterator[Iterable[Any]]:
    notes, head = cell.notes, cell.head
    if notes is not None and not isinstance(head, PlaceHead):
        yield _marked_by_key(notes, iter(elements), head)
    elif notes is not None and notes.counter is not None:
        # Without a step of Python: most records give nothing, and of these nothing is to be noted.
        yield compress(elements, notes.counter)
    elif notes is not None:
        yield _marked(notes, iter(elements))
    elif cell.teller is not None:
        yield cell.teller(elements)
    else:
        yield elements


def _marked(notes: Notes, elements: Iterator[Any]) -> Iterator[Any]:
    mark, names = notes.marks.append, notes.names
    element: Any = None
    while element is not _END:
        element = _END
        for element in islice(elements, _CHUNK):
            mark(len(names))
            yield element
        if notes.full:
            notes.flush()


def _marked_by_key(notes: Notes, elements: Iterator[Any], head: KeyHead) -> Iterator[Any]:
    mark, ids, names, key = notes.marks.append, notes.ids, notes.names, key_of(head)
    element: Any = None
    while element is not _END:
        element = _END
        for element in islice(elements, _CHUNK):
            known = key(element)
            ids.append(known)
            notes.bytes += weight(known)
            mark(len(names))
            yield element
            if notes.bytes >= MOST_BYTES:
                notes.flush()
        if notes.full:
            notes.flush()


def key_of(head: KeyHead) -> Callable[[Any], Any]:
    """What gives the key of an element that a boundary made."""
    return itemgetter(0) if head.key is None else head.key


# -- feet -------------------------------------------------------------------------------------------


def _given(notes: Notes, elements: Iterator[Any]) -> Iterator[Any]:
    note, note_record, counter = notes.names.append, notes.records.append, notes.counter
    room = MOST_BYTES
    element: Any = None
    try:
        while element is not _END:
            element = _END
            for element in islice(elements, _CHUNK):
                note(element)
                if counter is not None:
                    note_record(length_hint(counter))
                room -= weight(element)
                if room <= 0:
                    notes.flush()
                    room = MOST_BYTES
                yield element
            if notes.full:
                notes.flush()
        notes.finish()
    finally:
        notes.close()
