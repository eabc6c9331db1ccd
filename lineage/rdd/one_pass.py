"""Answers to questions that one pass over a source answers: without ids, and nothing kept in Spark.

Where elements, or the groups asked for, are made by functions of one element at a time, the program's own functions
run as they do in its job, with a step before them that notes each record and one behind them that looks for what is
asked.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.rdd import passing, workers
from bigdebug.lineage.rdd.annotator import Annotator, contributing
from bigdebug.lineage.rdd.asked_keys import Test, asked_of_keys
from bigdebug.lineage.rdd.chains import Chain, chain_below
from bigdebug.lineage.rdd.kinds import IN_FILES
from bigdebug.lineage.rdd.known_keys import stands_for_nan
from bigdebug.lineage.rdd.reading import Place, RddSource
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.summary import MOST_PLACES, Summary
from bigdebug.lineage.rdd.walk import MOST_KEYS

_SOURCES = IN_FILES | {"parallelize", "range"}
_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class OnePass:
    """What a pass saw.

    Attributes:
        matched: how many elements of the output are asked for.
        summary: of the records that they are made of.
        values: the first of these by place, as far as there was room for them.
        totals: how many records each partition of the source has.
    """

    matched: int
    summary: Summary
    values: Mapping[Place, Any]
    totals: Mapping[int, int]

    def records(self, limit: int) -> list[tuple[Place, Any]] | None:
        """The first records with their places; None where it didn't see so many."""
        places = self.summary.first_places(limit)
        if places is None or any(place not in self.values for place in places):
            return None
        return [(place, self.values[place]) for place in places]


@dataclass(frozen=True)
class _Asked:
    """What is asked for of a chain over a source.

    Attributes:
        chain: over the source.
        test: which of the last operator's elements are asked for.
        key: of these, where it is asked for groups.
    """

    chain: Chain
    test: Test | None
    key: Test | None


def one_pass(rows: RddRows, where: Test | None, source: RddSource, annotator: Annotator) -> OnePass | None:
    """What a pass over a source sees of a question.

    Args:
        rows: what is asked about.
        where: which of its elements; None for all.
        source: the program's only one.
        annotator: of the program.

    Returns:
        None where a pass doesn't answer it.
    """
    asked = _asked_of(rows, where, annotator)
    if asked is None or source.whole_files:
        return None
    cell = passing.Cell()
    rdd = source.rdd.mapPartitionsWithIndex(passing.noted(cell), True)
    rdd = asked.chain.over(rdd, annotator)
    told = passing.seen(cell, asked.test, asked.key, MOST_KEYS, _MOST_BYTES // max(1, rdd.getNumPartitions()))
    return _put_together(asked, rdd.mapPartitionsWithIndex(told).collect())


def _put_together(question: _Asked, seen: list[passing.Seen]) -> OnePass | None:
    matched = sum(asked for _, _, asked, *_ in seen)
    if question.key is not None:
        keys = set().union(*(each[3] for each in seen))
        if len(keys) > MOST_KEYS or any(map(stands_for_nan, keys)):
            return None  # of how many elements these are the keys only the elements tell
        matched = len(keys)
    values: dict[Place, Any] = {}
    first: list[Place] = []
    for partition, _, _, _, _, places, pickles in sorted(seen, key=workers.first_of):
        first += ((partition, place) for place in places)
        for place, record in zip(places, pickles, strict=False):
            values[partition, place] = pickle.loads(record)
    return OnePass(
        matched,
        Summary(
            sum(each[4] for each in seen),
            tuple(sorted(each[0] for each in seen if each[4])),
            tuple(first[:MOST_PLACES]),
        ),
        values,
        {each[0]: each[1] for each in seen},
    )


def _asked_of(rows: RddRows, where: Test | None, annotator: Annotator) -> _Asked | None:
    top, frozen, test, key = rows.operator, rows.frozen, where, None
    asked = asked_of_keys(rows, where)
    if asked is not None:
        below = contributing(asked.operator)
        if len(below) != 1:
            return None
        (top,), frozen = below, asked.frozen
        key = annotator.input_keys(asked.operator, asked.frozen)
        in_front = key in (workers.first_of, workers.itself) and asked.operator.kind != "countByValue"
        test = asked.of_keyed if in_front else workers.of_key(asked.of_key, key)
    elif rows.action is not None:
        return None
    chain = chain_below(top, frozen)
    return _Asked(chain, test, key) if chain.bottom.kind in _SOURCES else None
