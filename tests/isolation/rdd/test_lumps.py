"""Large groups of an RDD, of which most records are known together, judged by plain Python."""

from collections.abc import Callable, Iterable
from operator import add
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark import SparkContext

import bigdebug
from bigdebug.isolation.found import Isolation
from bigdebug.isolation.rdd import copies, fetching, gathering, isolating, lumping
from bigdebug.isolation.rdd.candidates import RddCandidates
from bigdebug.isolation.rdd.gathering import OnePass, in_one_pass
from bigdebug.lineage.rdd.operator import known_operator
from bigdebug.lineage.rdd.rows import rows_of_rdd
from bigdebug.lineage.rdd.trace import RddTrace
from bigdebug.lineage.rdd.travelling import travelling
from tests.isolation.rdd.judging import judge_row
from tests.proofs import Part

Record = tuple[int, str, int]


def _pair(value: int) -> tuple[int, int]:
    return value, 1


def _both(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]


def _widened(bounds: tuple[int, int] | None, value: int) -> tuple[int, int]:
    low, high = bounds or (value, value)
    return min(low, value), max(high, value)


def _merged(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return min(one[0], other[0]), max(one[1], other[1])


def _mean(sums: tuple[int, int]) -> float:
    return sums[0] / sums[1]


def _joined(pairs: list[int], others: list[int]) -> int | None:
    return sum(p * o for p in pairs for o in others) if others and pairs else None


FACTORS = [("a", 2), ("b", 1), ("b", 3), ("c", 1)]
"""What pairs are joined with: records of their own."""

PROGRAMS: dict[
    str, tuple[Callable[[Any, Any], Any], Callable[[list[int], list[int]], Any], Callable[[Any], bool]]
] = {
    "sum": (lambda p, o: p.reduceByKey(add), lambda v, o: sum(v), lambda x: x > 70),
    "mean": (
        lambda p, o: p.mapValues(_pair).reduceByKey(_both).mapValues(_mean),
        lambda v, o: sum(v) / len(v),
        lambda x: x > 2,
    ),
    "least": (lambda p, o: p.foldByKey(0, min), lambda v, o: min(0, *v), lambda x: x < -40),
    "width": (
        lambda p, o: p.aggregateByKey(None, _widened, _merged).mapValues(lambda b: b[1] - b[0]),
        lambda v, o: max(v) - min(v),
        lambda x: x > 60,
    ),
    "large ones": (
        lambda p, o: p.filter(lambda x: x[1] >= 0).reduceByKey(add),
        lambda v, o: sum(each for each in v if each >= 0) if any(each >= 0 for each in v) else None,
        lambda x: x > 100,
    ),
    "joined": (
        lambda p, o: p.join(o).mapValues(lambda v: v[0] * v[1]).reduceByKey(add),
        _joined,
        lambda x: x > 150,
    ),
}

pairs = st.lists(
    st.tuples(
        st.sampled_from(["a", "a", "a", "b", "c"]),
        st.one_of(st.integers(-3, 5), st.integers(-3, 5), st.sampled_from([-90, -60, 40, 70, 100])),
    ),
    min_size=20,
    max_size=60,
)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How passes went: chunks are small, so that most of a group is known together."""
    monkeypatch.setattr(lumping, "CHUNK", 5)
    monkeypatch.setattr(lumping, "ENDS", 1)
    found: list[str] = []

    def told(trace: RddTrace, *, lumps: bool = True) -> OnePass | None:
        passed = in_one_pass(trace, lumps=lumps)
        found.append("two passes" if passed is None else "lumps" if passed.in_lumps else "one by one")
        return passed

    monkeypatch.setattr(isolating, "in_one_pass", told)
    return found


def fate(name: str, key: str, records: Iterable[Record], others: Iterable[Record]) -> str:
    """What becomes of the element of a key."""
    _, plain, fails = PROGRAMS[name]
    own = [value for _, each, value in records if each == key]
    value = plain(own, [value for _, each, value in others if each == key]) if own else None
    if value is None:
        return "absent"
    return "fails" if fails(value) else "passes"


def judge(name: str, drawn: list[tuple[str, int]], session: bigdebug.Session, context: SparkContext) -> None:
    made, _, fails = PROGRAMS[name]
    records = [(number, *each) for number, each in enumerate(drawn)]
    others = [(1_000 + number, *each) for number, each in enumerate(FACTORS)]
    keys = {key for _, key, _ in records}
    expected = {key for key in keys if fate(name, key, records, others) == "fails"}
    p, o = (context.parallelize(each, 2).map(lambda record: record[1:]) for each in (records, others))
    found = session.isolate(made(p, o), lambda x: fails(x[1]))
    assert {row.value[0] for row in found.rows} == expected
    for row in found.rows:
        key = row.value[0]

        def of(ids: set[int], key: str = key) -> str:
            return fate(name, key, [r for r in records if r[0] in ids], [r for r in others if r[0] in ids])

        judge_row(row, {number for number, *_ in [*records, *others]}, of)


@pytest.mark.parametrize("name", PROGRAMS)
def test_answers_are_those_that_plain_python_gives(
    name: str, session: bigdebug.Session, context: SparkContext, ways: list[str]
) -> None:
    @settings(max_examples=2)
    @given(drawn=pairs)
    def judged(drawn: list[tuple[str, int]]) -> None:
        judge(name, drawn, session, context)

    judged()
    judge(name, [("a", 1)] * 30 + [("a", -100), ("a", 150)] + [("b", 2)] * 12, session, context)
    assert "lumps" in ways


@pytest.mark.proof("isolation in lumps of RDDs, judged by plain Python", examples=60)
def test_of_many_more(part: Part, session: bigdebug.Session, context: SparkContext, ways: list[str]) -> None:
    @part.drawn
    @given(name=st.sampled_from(sorted(PROGRAMS)), drawn=pairs)
    def judged(name: str, drawn: list[tuple[str, int]]) -> None:
        judge(name, drawn, session, context)

    judged()
    assert "lumps" in ways


# -- what isn't enough, and what is ------------------------------------------------------------------


def values_of(found: Isolation) -> list[list[int]]:
    return [sorted(record.value[1] for record in row.culprits) for row in found.rows]


def test_of_few_extreme_records_lumps_are_enough(
    session: bigdebug.Session, context: SparkContext, ways: list[str]
) -> None:
    records = [("a", n % 7) for n in range(500)] + [("a", 10_000), ("a", 20_000)]
    found = session.isolate(context.parallelize(records, 3).reduceByKey(add), "value > 9000")
    assert values_of(found) == [[10_000, 20_000]]
    assert ways == ["lumps"]
    assert found.rows[0].candidates == len(records)
    assert found.operators is not None


def test_where_all_records_are_to_blame_they_are_told_one_by_one(
    session: bigdebug.Session, context: SparkContext, ways: list[str]
) -> None:
    made = context.parallelize([("a", 1)] * 40, 2).reduceByKey(add)
    found = session.isolate(made, "value > 35")
    assert [len(row.culprits) for row in found.rows] == [5]
    assert ways == ["lumps", "one by one"]


def test_a_function_that_goes_by_the_order_is_told_one_by_one(
    session: bigdebug.Session, context: SparkContext, ways: list[str]
) -> None:
    records = [("a", (0, n)) for n in range(20)] + [("a", (9, 20))] + [("a", (0, 21 + n)) for n in range(20)]
    made = context.parallelize(records, 1).reduceByKey(lambda one, other: other if one[0] < 9 else one)
    found = session.isolate(made, "value[0] == 9")
    assert [[record.value for record in row.culprits] for row in found.rows] == [[("a", (9, 20))]]
    # The last one given wins, but for the nine: with the nine last, too, lumps would have served.
    assert found.rows[0].value == ("a", (9, 20))
    last = context.parallelize(records, 1).reduceByKey(lambda one, other: other)
    found = session.isolate(last, "value[1] == 40")
    assert [[record.value for record in row.culprits] for row in found.rows] == [[("a", (0, 40))]]


def test_a_function_that_raises_for_some_alone_is_told_one_by_one(
    session: bigdebug.Session, context: SparkContext, ways: list[str]
) -> None:
    def added(one: int, other: int) -> int:
        if one + other > 90 and other != 80:
            raise ValueError(other)
        return one + other

    records = [("a", 1)] * 20 + [("a", 80)]
    found = session.isolate(context.parallelize(records, 1).reduceByKey(added), "value > 99")
    assert values_of(found) == [[80]]


def test_what_can_be_changed_is_told_one_by_one(
    session: bigdebug.Session, context: SparkContext, ways: list[str]
) -> None:
    def added(one: list[int], other: list[int]) -> list[int]:
        one[0] += other[0]
        return one

    records = [("a", [1]) for _ in range(20)] + [("a", [80])]
    found = session.isolate(context.parallelize(records, 2).reduceByKey(added), "value[0] > 99")
    assert [[record.value for record in row.culprits] for row in found.rows] == [[("a", [80])]]
    assert ways == ["one by one"]


def test_whole_numbers_beyond_all_others(
    session: bigdebug.Session, context: SparkContext, ways: list[str]
) -> None:
    records = [("a", n) for n in range(20)] + [("a", 10**400)]
    found = session.isolate(context.parallelize(records, 2).reduceByKey(add), lambda x: x[1] > 10**399)
    assert values_of(found) == [[10**400]]
    assert ways[0] == "lumps"


def test_of_many_failing_groups_all_records_are_told_one_by_one(
    session: bigdebug.Session, context: SparkContext, ways: list[str]
) -> None:
    records = [(f"key {n % 70}", 100 * (n < 70)) for n in range(700)]
    found = session.isolate(context.parallelize(records, 2).reduceByKey(add), "value > 90")
    assert found.matched == 70
    assert values_of(found) == [[100]] * 20
    assert ways == ["one by one"]


@pytest.mark.compat
def test_records_of_files_are_told_by_their_lines(
    tmp_path: Path, session: bigdebug.Session, context: SparkContext, ways: list[str]
) -> None:
    file = tmp_path / "prices.txt"
    file.write_text("".join(f"{'ab'[n % 2]},{n % 5}\n" for n in range(200)) + "b,5000\n" + "a,1\n" * 20)
    for kept in (False, True):
        lines = context.textFile(str(tmp_path), 4)
        lines = lines.filter(lambda line: line[2] != "4") if kept else lines
        made = lines.map(lambda line: (line[0], int(line[2:]))).reduceByKey(add)
        found = session.isolate(made, "value > 4000")
        ((record,),) = (list(row.culprits) for row in found.rows)
        assert (record.location.file, record.location.position, record.value) == (str(file), 200, "b,5000")
    assert ways == ["lumps", "lumps"]


# -- one pass and two ---------------------------------------------------------------------------------

ONE_PASS: dict[str, Callable[[Any, Any], Any]] = {
    "several of a record": lambda p, o: p.flatMap(lambda x: [x, (x[0] + "!", 1), ("b", x[1])]).reduceByKey(
        add
    ),
    "grouped": lambda p, o: p.filter(lambda x: x[1] != 2).groupByKey().mapValues(sum),
    "by a function": lambda p, o: p.groupBy(lambda x: x[0]).mapValues(lambda own: sum(x[1] for x in own)),
    "two sources": lambda p, o: p.cogroup(o).mapValues(lambda v: sum(v[0]) + sum(v[1])),
    "two levels": lambda p, o: p.reduceByKey(max).map(lambda x: (x[0][:1], x[1])).groupByKey().mapValues(sum),
}


@pytest.mark.parametrize("name", ONE_PASS)
def test_one_pass_tells_what_two_tell(name: str, session: bigdebug.Session, context: SparkContext) -> None:
    records = [("abc"[n % 3] + "x" * (n % 2), n) for n in range(30)]
    sources = [context.parallelize(each, 3) for each in (records, records[:7])]
    rows = rows_of_rdd(known_operator(ONE_PASS[name](*sources)))
    traces = [RddTrace(rows, lambda x: x[0].startswith("b")) for _ in range(2)]
    with travelling(copies, fetching, lumping):
        passed = in_one_pass(traces[0])
        assert passed is not None
        assert not passed.in_lumps
        candidates = [passed.candidates(traces[0]), RddCandidates.traced(traces[1])]
        assert candidates[0].count
        assert [_places(each) for each in candidates[:1]] == [_places(each) for each in candidates[1:]]
        points = [
            passed.point(operator, traces[0].walk.annotator, candidates[0]) for operator in passed._told
        ]
        for operator, point in zip(passed._told, points, strict=True):
            annotator = traces[1].walk.annotator
            annotated = annotator.annotated(operator, rows.frozen)
            other = gathering.fetched(annotated, annotator, candidates[1])
            assert point.held.every == other.held.every
            assert point.held.bounds.tolist() == other.held.bounds.tolist()
            assert point.numbers.tolist() == other.numbers.tolist()


def _places(candidates: RddCandidates) -> list[dict[int, list[int]]]:
    return [{n: each.tolist() for n, each in stand.places.items()} for stand in candidates.stands]


def test_where_more_are_asked_for_than_can_be_held_two_passes_are_made(
    session: bigdebug.Session,
    context: SparkContext,
    ways: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gathering, "MOST_CANDIDATES", 2)
    monkeypatch.setattr(fetching, "BATCH", 2)
    made = context.parallelize([("a", n) for n in range(30)], 1).groupByKey().mapValues(sum)
    found = session.isolate(made, "value > 400")
    assert ways == ["two passes"]
    assert found.rows[0].candidates == 30
    assert found.culprits.proof == "1-minimal"
