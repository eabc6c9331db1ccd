"""Questions about keys, and questions that one pass over a source answers: as right as any other, in fewer passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark import SparkContext

import bigdebug
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.rdd import one_pass as passes
from bigdebug.lineage.rdd import summary
from bigdebug.lineage.rdd.asked_keys import asked_of_keys
from bigdebug.lineage.rdd.conditions import predicate_of
from bigdebug.lineage.rdd.operator import known_operator
from bigdebug.lineage.rdd.rows import rows_of_rdd
from tests.thinned import thinned

NAN = float("nan")
PAIRS = [(1, "a"), (1.0, "b"), (True, "c"), (2, "d"), ("1", "e"), (None, "f"), ((1, 2), "g"), ((1.0, 2), "h")]


def added(left: Any, right: Any) -> Any:
    return left + right


def by_key(pairs: Any) -> Any:
    return pairs.reduceByKey(added)


def by_function(pairs: Any) -> Any:
    return pairs.groupBy(lambda pair: pair[0]).mapValues(list)


def of_two(pairs: Any) -> Any:
    return pairs.filter(lambda pair: pair[1] < "d").cogroup(pairs.filter(lambda pair: pair[1] >= "d"))


def sorted_groups(pairs: Any) -> Any:
    return pairs.groupByKey().mapValues(sorted).sortBy(lambda pair: repr(pair[1])).repartition(2)


def distinct(pairs: Any) -> Any:
    return pairs.distinct()


def joined(pairs: Any) -> Any:
    return pairs.join(pairs.mapValues(str.upper)).mapValues("".join).aggregateByKey("", added, added)


MADE = [by_key, by_function, of_two, sorted_groups, distinct, joined]
QUESTIONS = {
    "x[0] in (1, '1')": lambda key: key in (1, "1"),
    "str(key) == '1'": None,  # tells 1 from 1.0, which are one group
    "key == 1": lambda key: key == 1,
    "not key == 1 and key is not None": lambda key: key != 1 and key is not None,
    "key != None and key != 2": lambda key: key not in (None, 2),
    "key == (1, 2)": lambda key: key == (1, 2),
}


@pytest.mark.parametrize(
    ("made", "text"),
    thinned(
        [
            *((by_key, text) for text in QUESTIONS),
            *((made, text) for made in MADE if made is not by_key for text in list(QUESTIONS)[:2]),
        ],
        "questions about keys like those about elements",
        among=[(by_key, text) for text in ("x[0] in (1, '1')", "str(key) == '1'", "key == (1, 2)")],
    ),
)
def test_a_question_about_keys_is_answered_like_one_about_elements(
    session: bigdebug.Session, context: SparkContext, made: Callable[[Any], Any], text: str
) -> None:
    rdd = made(context.parallelize(PAIRS, 2))
    elements = rdd.collect()
    of_key = QUESTIONS[text]
    about_keys = asked_of_keys(rows_of_rdd(known_operator(rdd)), predicate_of(text))
    assert (about_keys is None) is (of_key is None or "is not" in text), text
    trace = session.trace(rdd, where=text)
    plain = session.trace(rdd, where=eval(f"lambda x: (lambda x, key: {text})(x, x[0])"))
    assert trace.matched == plain.matched == sum(eval(text, {"x": x, "key": x[0]}) for x in elements)
    assert repr(trace.collect()) == repr(plain.collect()), text
    assert [source.count for source in trace.sources] == [source.count for source in plain.sources]


@pytest.mark.parametrize(
    "made", thinned([sorted_groups, by_key, distinct], "keys that are not equal to themselves")
)
def test_keys_that_are_not_equal_to_themselves(
    session: bigdebug.Session, context: SparkContext, made: Callable[[Any], Any]
) -> None:
    rdd = made(context.parallelize([(NAN, "a"), (NAN, "b"), (1, "c"), (2, "d")], 2))
    trace = session.trace(rdd, where="x[0] != 1")
    assert trace.matched == sum(key != 1 for key, _ in rdd.collect())
    assert sorted(record.value[1] for record in trace.collect()) == ["a", "b", "d"]
    assert not trace.exact


def test_a_key_that_a_condition_fails_on_is_told(session: bigdebug.Session, context: SparkContext) -> None:
    counts = context.parallelize([("a", 1), (7, 1)], 2).reduceByKey(added)
    with pytest.raises(BigDebugError, match="'int' object has no attribute 'startswith'"):
        session.trace(counts, where="key.startswith('a')").matched  # noqa: B018


def test_one_pass_sees_records_their_numbers_and_their_files(
    session: bigdebug.Session, context: SparkContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, first in (("a.txt", 0), ("b.txt", 50)):
        (tmp_path / name).write_text(
            "".join(f"{n % 7} w{n % 7} w{n % 7} line {first + n}\n" for n in range(50))
        )
    lines = context.textFile(str(tmp_path), 5)
    assert lines.getNumPartitions() > 2, "files are read in parts"
    words = lines.flatMap(str.split).map(lambda word: (word, 1)).reduceByKey(added)
    found: list[Any] = []
    one_pass = passes.one_pass
    monkeypatch.setattr(
        "bigdebug.lineage.rdd.trace.one_pass", lambda *given: found.append(one_pass(*given)) or found[-1]
    )
    wanted = [(name, n) for name in ("a.txt", "b.txt") for n in range(50) if n % 7 == 3]

    def answered(trace: Any, limit: int = 1000) -> list[Any]:
        records = trace.collect(limit)
        assert [source.count for source in trace.sources] == [len(wanted)]
        assert [Path(file).name for file in trace.sources[0].files] == ["a.txt", "b.txt"]
        assert all(record.value.startswith("3 w3 w3 line") for record in records)
        return [(Path(record.location.file).name, record.location.position) for record in records]

    trace = session.trace(words, where="key == 'w3'")
    assert (answered(trace), trace.matched) == (wanted, 1)
    assert found[-1] is not None, "a pass answers it"
    assert trace.records().count() == len(wanted)
    few = answered(session.trace(words, where="key == 'w3'"), limit=3)
    assert len(few) == 3
    assert set(few) < set(wanted)
    lowered = session.trace(lines.filter(lambda line: line[0] == "3").map(str.upper), where="'W3' in x")
    assert (answered(lowered), lowered.matched) == (wanted, len(wanted))
    # Without the records, and with too few of the places, the source is asked.
    monkeypatch.setattr(passes, "_MOST_BYTES", 0)
    assert answered(session.trace(words, where="key == 'w3'")) == wanted
    monkeypatch.setattr(passes, "MOST_PLACES", 4)
    monkeypatch.setattr(summary, "MOST_PLACES", 4)
    assert answered(session.trace(words, where="key == 'w3'")) == wanted
    assert all(each is not None for each in found)
    # Of more groups than are told at once nobody knows the number: it is counted.
    monkeypatch.setattr(passes, "MOST_KEYS", 2)
    many = session.trace(words, where="key.startswith('w')")
    assert many.matched == 7
    assert found[-1] is None
