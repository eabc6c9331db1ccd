"""What isolation finds for elements of RDDs, judged by plain Python that knows nothing of Spark."""

import runpy
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark import SparkContext
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.isolation.found import NotFailingError
from bigdebug.isolation.isolating import Progress
from bigdebug.isolation.rdd import candidates
from bigdebug.lineage.errors import BigDebugError
from tests.isolation.rdd.judging import judge_row
from tests.proofs import Part

Record = tuple[int, str, int]
Values = dict[str, list[int]]
Pairs = list[tuple[str, Any]]


@dataclass(frozen=True)
class Pipeline:
    """A program on pairs and others, what it gives by plain Python of the values of each key, and what fails of it."""

    made: Callable[[Any, Any], Any]
    plain: Callable[[Values, Values], Iterable[tuple[Any, Any]]]
    fails: Callable[[Any], bool]


def mean(values: Iterable[int]) -> float:
    given = list(values)
    return sum(given) / len(given)


def widened(bounds: Any, value: int) -> Any:
    low, high = bounds or (value, value)
    return min(low, value), max(high, value)


def merged(one: Any, other: Any) -> Any:
    if one and other:
        return min(one[0], other[0]), max(one[1], other[1])
    return one or other


def largest(pairs: Any) -> Any:
    found: dict[str, int] = {}
    for key, value in pairs:
        found[key] = max(value, found.get(key, value))
    return iter(found.items())


def both(left: int, right: int | None) -> int:
    return left + (right or 0)


def _second_level(values: Values) -> Values:
    found: Values = defaultdict(list)
    for key, each in values.items():
        found[key[:1]].append(max(each))
    return found


PIPELINES = {
    "sum": Pipeline(
        lambda p, o: p.reduceByKey(add),
        lambda p, o: [(key, sum(each)) for key, each in p.items()],
        lambda value: value < 0,
    ),
    "mean": Pipeline(
        lambda p, o: p.groupByKey(2).mapValues(mean),
        lambda p, o: [(key, mean(each)) for key, each in p.items()],
        lambda value: value > 4,
    ),
    "width": Pipeline(
        lambda p, o: p.aggregateByKey(None, widened, merged).mapValues(lambda b: b[1] - b[0]),
        lambda p, o: [(key, max(each) - min(each)) for key, each in p.items()],
        lambda value: value > 12,
    ),
    "two levels": Pipeline(
        lambda p, o: p.reduceByKey(max).map(lambda e: (e[0][:1], e[1])).reduceByKey(add),
        lambda p, o: [(key, sum(each)) for key, each in _second_level(p).items()],
        lambda value: value > 10,
    ),
    "different": Pipeline(
        lambda p, o: p.distinct().mapValues(lambda _: 1).reduceByKey(add),
        lambda p, o: [(key, len(set(each))) for key, each in p.items()],
        lambda value: value > 3,
    ),
    "joined": Pipeline(
        lambda p, o: p.reduceByKey(add).leftOuterJoin(o.reduceByKey(add)).mapValues(lambda v: both(*v)),
        lambda p, o: [(key, sum(each) + sum(o.get(key, []))) for key, each in p.items()],
        lambda value: value > 9,
    ),
    "records joined": Pipeline(
        lambda p, o: p.join(o).mapValues(lambda v: v[0] * v[1]).reduceByKey(add),
        lambda p, o: [(key, sum(each) * sum(o[key])) for key, each in p.items() if key in o],
        lambda value: value < -20,
    ),
    "cogroup": Pipeline(
        lambda p, o: p.cogroup(o).mapValues(lambda v: sum(v[0]) - sum(v[1])),
        lambda p, o: [(key, sum(p.get(key, [])) - sum(o.get(key, []))) for key in p.keys() | o.keys()],
        lambda value: value < -8,
    ),
    "partitions": Pipeline(
        lambda p, o: p.partitionBy(2).mapPartitions(largest),
        lambda p, o: [(key, max(each)) for key, each in p.items()],
        lambda value: value > 7,
    ),
}


def by_key(records: Iterable[Record]) -> Values:
    found: Values = defaultdict(list)
    for _, key, value in records:
        found[key].append(value)
    return dict(found)


def fate(pipeline: Pipeline, key: Any, pairs: Iterable[Record], others: Iterable[Record]) -> str:
    """What becomes of the element of a key."""
    for own, value in pipeline.plain(by_key(pairs), by_key(others)):
        if own == key:
            return "fails" if pipeline.fails(value) else "passes"
    return "absent"


records = st.lists(
    st.tuples(st.sampled_from(["a", "ab", "b", "c"]), st.integers(-9, 9)), min_size=12, max_size=20
)


HALVES = list(PIPELINES)[:5], list(PIPELINES)[5:]


@pytest.mark.parametrize("names", HALVES)
def test_culprits_repair_and_the_reproduction_fails_and_none_can_be_left_out(
    names: list[str], session: bigdebug.Session, context: SparkContext
) -> None:
    @settings(max_examples=1)
    @given(drawn=records)
    def judged(drawn: list[tuple[str, int]]) -> None:
        judge(names, drawn, session, context)

    judged()


@pytest.mark.proof("isolation in RDDs, judged by plain Python without each record", examples=100)
def test_of_many_more(part: Part, session: bigdebug.Session, context: SparkContext) -> None:
    @part.drawn
    @given(names=st.sampled_from(HALVES), drawn=records)
    def judged(names: list[str], drawn: list[tuple[str, int]]) -> None:
        judge(names, drawn, session, context)

    judged()


@pytest.mark.parametrize("size", [3, 30_000], ids=["few", "very many"])
def test_a_partner_in_an_outer_join_is_behind_its_element_too(
    session: bigdebug.Session, context: SparkContext, size: int
) -> None:
    pairs = context.parallelize([("ab"[n % 2], 1) for n in range(2 * size)], 2)
    others = context.parallelize([("a", 600_000), ("b", 500_000), ("b", 2)], 1)
    both_sides = pairs.reduceByKey(add).leftOuterJoin(others.reduceByKey(add)).mapValues(lambda v: both(*v))
    found = session.isolate(both_sides, lambda x: x[1] > 400_000)
    rows = {row.value: [record.value for record in row.culprits] for row in found.rows}
    assert rows == {("a", size + 600_000): [("a", 600_000)], ("b", size + 500_002): [("b", 500_000)]}


def judge(
    names: list[str], drawn: list[tuple[str, int]], session: bigdebug.Session, context: SparkContext
) -> None:
    """Judge what is found for the failing elements of some programs, which are asked about as one."""
    every = [(number, *each) for number, each in enumerate(drawn)]
    pairs, others = every[: 2 * len(every) // 3], every[2 * len(every) // 3 :]
    expected = {
        (name, key)
        for name in names
        for key, value in PIPELINES[name].plain(by_key(pairs), by_key(others))
        if PIPELINES[name].fails(value)
    }
    sources = [context.parallelize(pairs, 2), context.parallelize(others, 1)]
    p, o = (source.map(lambda record: record[1:]) for source in sources)
    named = [_named(name, PIPELINES[name].made(p, o)) for name in names]
    found = session.isolate(context.union(named), lambda x: PIPELINES[x[0]].fails(x[1][1]))
    assert found.matched == len(expected)
    assert len(found.rows) == min(len(expected), 20)
    for row in found.rows:
        name, (key, value) = row.value
        assert (name, key) in expected
        pipeline = PIPELINES[name]
        assert (key, value) in list(pipeline.plain(by_key(pairs), by_key(others)))

        def of(ids: set[int], pipeline: Pipeline = pipeline, key: Any = key) -> str:
            return fate(pipeline, key, [r for r in pairs if r[0] in ids], [r for r in others if r[0] in ids])

        judge_row(row, {number for number, *_ in every}, of)


def _named(name: str, rdd: Any) -> Any:
    return rdd.map(lambda element: (name, element))


# -- what it is like to ask ---------------------------------------------------------------------------


@pytest.fixture
def prices(tmp_path: Path) -> str:
    path = tmp_path / "prices.txt"
    lines = [f"k{i % 3},{i % 7}" for i in range(40)]
    lines[17] = "k2,-500"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def parsed(line: str) -> tuple[str, int]:
    key, value = line.split(",")
    return key, int(value)


@pytest.mark.compat
def test_an_output_of_a_file_by_an_expression(
    prices: str, session: bigdebug.Session, context: SparkContext
) -> None:
    sums = context.textFile(prices, 3).map(parsed).reduceByKey(add)
    sums.collect()
    told = []
    found = session.isolate(session.outputs[-1], "key == 'k2' and value < 0", progress=told.append)
    (row,) = found.rows
    assert (found.failing, found.matched, found.exact, found.notes) == (
        "key == 'k2' and value < 0",
        1,
        True,
        (),
    )
    assert row.value == ("k2", sum(i % 7 for i in range(2, 40, 3) if i != 17) - 500)
    assert row.candidates == 13
    (culprit,) = row.culprits
    assert (culprit.source, culprit.value) == ("prices.txt", "k2,-500")
    assert (culprit.location.file, culprit.location.position) == (prices, 17)
    assert list(row.reproduction) == [culprit]
    assert found.culprits.proof == "1-minimal"
    assert found.replays > 2
    assert 0 < found.jobs < 12
    assert told[-1].candidates == 13
    assert told[-1].left == 1
    found.release()
    (shown,) = found.culprits.dataframe("prices").collect()
    assert shown.asDict(recursive=True) == {
        "value": "k2,-500",
        "_record": {"file": prices, "position": 17, "partition": None},
    }


def test_a_record_of_a_file_that_is_read_twice_is_one(
    prices: str, session: bigdebug.Session, context: SparkContext, tmp_path: Path
) -> None:
    once, twice = (context.textFile(prices, 3).map(parsed) for _ in range(2))
    sums = once.union(twice.filter(lambda pair: pair[1] < 5)).reduceByKey(add)
    sums.collect()
    found = session.isolate(session.outputs[-1], "value < -600")
    (row,) = found.rows
    assert row.candidates == 13
    assert [record.value for record in found.culprits] == ["k2,-500"]
    assert [record.value for record in found.reproduction] == ["k2,-500"]
    assert found.reproduction.proof == "1-minimal"
    written = runpy.run_path(str(found.to_pytest(tmp_path / "test_sums.py")))
    recorded = [written[name] for name in ("STORE", "RUN", "OUTPUT")]
    inputs = {"prices.txt": ["k2,-500"]}
    again = written["rerun_elements"](SparkSession.builder.getOrCreate(), *recorded, inputs)
    assert again == [("k2", -1000)]


def test_replays_run_no_job(prices: str, session: bigdebug.Session, context: SparkContext) -> None:
    jobs: dict[str, int] = {}
    for budget in (0.0, None):
        rdd = context.textFile(prices, 2).map(parsed).groupByKey().mapValues(mean)
        found = session.isolate(rdd, lambda pair: pair[1] < 0, budget)
        jobs[str(budget)] = found.jobs
    assert found.replays > 10
    assert jobs["0.0"] == jobs["None"]


def test_an_action_over_all_elements(session: bigdebug.Session, context: SparkContext) -> None:
    context.parallelize([3, 4, 1000, 5], 2).max()
    found = session.isolate(session.outputs[-1], "x > 100")
    assert [(each.value, each.location.partition, each.location.position) for each in found.culprits] == [
        (1000, 1, 0)
    ]
    assert found.rows[0].value == 1000


def test_of_the_first_elements_each_is_followed_wherever_it_stands(
    session: bigdebug.Session, context: SparkContext
) -> None:
    pairs = context.parallelize([("a", 5), ("b", 2), ("a", 90), ("c", 1)], 2)
    pairs.reduceByKey(add).top(1, lambda pair: pair[1])
    found = session.isolate(session.outputs[-1], "value > 50")
    assert [each.value for each in found.culprits] == [("a", 90)]
    pairs.groupByKey().map(lambda pair: (pair[0], sum(pair[1]))).lookup("a")
    found = session.isolate(session.outputs[-1], lambda total: total > 50)
    assert [each.value for each in found.culprits] == [("a", 90)]


def test_elements_that_stand_on_one_record_vanish_with_it(
    session: bigdebug.Session, context: SparkContext
) -> None:
    rdd = context.parallelize([5, 7, -2, 8], 2).map(lambda x: x * 2).filter(lambda x: x != 14)
    found = session.isolate(rdd, "x < 0")
    (row,) = found.rows
    assert ([each.value for each in row.culprits], row.candidates, row.vanishes) == ([-2], 1, True)
    assert "without the culprits it isn't there" in row.notes[0]


def test_functions_that_change_what_they_are_given_spoil_nothing(
    session: bigdebug.Session, context: SparkContext
) -> None:
    def absorbed(one: list[int], other: list[int]) -> list[int]:
        one[0] += other[0]
        other.clear()
        return one

    lists = context.parallelize([(i % 2, [i]) for i in range(12)] + [(0, [900])], 3)
    shared = context.broadcast([1, 2, 3])

    def counting(pair: Any) -> Any:
        shared.value.append(4)
        pair[1].append(len(shared.value))
        return pair

    found = session.isolate(lists.map(counting).reduceByKey(absorbed), lambda pair: pair[1][0] > 500)
    assert [each.value for each in found.culprits] == [(0, [900])]
    assert shared.value == [1, 2, 3]
    arrays = context.parallelize([(0, np.array([1.0, 2.0])), (0, np.array([-99.0, 1.0]))], 2)

    def in_place(one: Any, other: Any) -> Any:
        one += other
        return one

    found = session.isolate(arrays.reduceByKey(in_place), lambda pair: pair[1].min() < 0)
    assert found.culprits[0].value[1].tolist() == [-99.0, 1.0]
    assert found.notes == ()


def test_where_a_function_raises_the_replay_tells_nothing(
    session: bigdebug.Session, context: SparkContext
) -> None:
    def checked(values: Any) -> int:
        given = list(values)
        if 6 not in given:
            raise ValueError("there is no six")
        return sum(given)

    rdd = (
        context.parallelize([(0, value) for value in (1, 2, 6, 3, 800, 4)], 2).groupByKey().mapValues(checked)
    )
    found = session.isolate(rdd, "value > 100")
    assert [each.value[1] for each in found.culprits] == [800]
    assert [each.value[1] for each in found.reproduction] == [6, 800]


def test_what_differs_from_replay_to_replay_is_said(session: bigdebug.Session, context: SparkContext) -> None:
    import random

    def shaken(one: float, other: float) -> float:
        return one + other + random.random()

    pairs = context.parallelize([(0, 1.0), (0, 2.0), (0, -90.0)], 2)
    found = session.isolate(pairs.reduceByKey(shaken), "value < 0")
    assert [each.value[1] for each in found.culprits] == [-90.0]
    assert "two replays of the same records gave different elements" in found.notes[-1]


def test_what_functions_print_in_replays_is_not_heard(
    session: bigdebug.Session, context: SparkContext, capsys: pytest.CaptureFixture[str]
) -> None:
    def loud(one: int, other: int) -> int:
        print("adding", threading.get_ident())
        return one + other

    session.isolate(context.parallelize([(0, 1), (0, -9), (0, 3)], 2).reduceByKey(loud), "value < 0")
    assert capsys.readouterr().out == ""


def test_what_is_known_when_it_is_interrupted_is_the_answer(
    session: bigdebug.Session, context: SparkContext
) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.replays:
            raise KeyboardInterrupt

    rdd = context.parallelize([(0, number) for number in range(60)], 2).reduceByKey(add)
    found = session.isolate(rdd, "value > 1500", progress=interrupt)
    assert "the search was stopped before its end: fewer records may do" in found.notes
    (row,) = found.rows
    assert row.reproduction.proof == row.culprits.proof == "sufficient"
    assert row.culprits.total >= 5


def test_groups_told_by_their_keys_stand_wherever_they_do(
    session: bigdebug.Session, context: SparkContext
) -> None:
    pairs = [(key, number) for number, key in enumerate("abcdef")]
    made = context.parallelize(pairs, 3).reduceByKey(add, 3).sortByKey(numPartitions=3)
    for key, number in pairs:
        found = session.isolate(made, f"key == {key!r}")
        assert [row.value for row in found.rows] == [(key, number)]


def test_no_element_fails(session: bigdebug.Session, context: SparkContext) -> None:
    found = session.isolate(context.parallelize([1, 2], 2).map(str), "x == '9'")
    assert (found.matched, found.rows, found.culprits.total, found.replays) == (0, (), 0, 0)


def test_elements_that_need_what_only_workers_have_are_told_of(
    session: bigdebug.Session, context: SparkContext
) -> None:
    def in_a_task(values: Any) -> int:
        from pyspark import TaskContext

        return int(TaskContext.get().partitionId()) * 0 - sum(values)  # type: ignore[union-attr]

    rdd = context.parallelize([(0, 1), (0, 2)], 2).groupByKey().mapValues(in_a_task)
    with pytest.raises(
        NotFailingError, match="fails when it runs on the traced records alone, in the driver"
    ):
        session.isolate(rdd, "value < 0")


def test_what_is_asked_in_other_words_is_refused(
    session: bigdebug.Session, context: SparkContext, spark: SparkSession
) -> None:
    rdd = context.parallelize([1], 1)
    with pytest.raises(BigDebugError, match="failing can't be Column for an RDD"):
        session.isolate(rdd, F.lit(True))
    with pytest.raises(BigDebugError, match="is no expression in Python"):
        session.isolate(rdd, "x <")


def test_too_many_candidates_are_refused(
    session: bigdebug.Session, context: SparkContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "MOST_CANDIDATES", 3)
    with pytest.raises(BigDebugError, match="come from more than 3 records") as raised:
        session.isolate(context.parallelize([(0, i) for i in range(4)], 2).reduceByKey(add), "value > 0")
    assert "ask about fewer elements" in str(raised.value.hint)
