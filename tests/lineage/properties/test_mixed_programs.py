"""Random programs through RDDs and DataFrames: traces are held against a reference in plain Python and a replay."""

from __future__ import annotations

import tempfile
from collections import Counter
from typing import Any

import mixed_programs as programs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixed_programs import ON_FRAMES, ON_RDDS, Element, Pair, Step
from pyspark.cloudpickle import register_pickle_by_value
from pyspark.sql import SparkSession
from pyspark.sql.session import _monkey_patch_RDD

import bigdebug
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from tests.proofs import Part

register_pickle_by_value(programs)  # Spark's workers have no way to import it


def judge(spark: SparkSession, program: list[Step], given_data: list[list[Pair]], seed: int) -> None:
    _monkey_patch_RDD(spark)  # `toDF` is the latest session's, and other tests have made some
    with tempfile.TemporaryDirectory() as store, bigdebug.attach(spark, store=store) as session:
        rdd = spark.sparkContext.parallelize(given_data[0], 2)
        frame = spark.createDataFrame(given_data[1], programs.SCHEMA)
        numbers = iter(range(100))
        numbered = [[(pair, frozenset([next(numbers)])) for pair in pairs] for pairs in given_data]
        order = seed % 2
        made = programs.run(program, [rdd, frame][:: -1 if order else 1], seed // 2)
        sources = numbered[:: -1 if order else 1]
        expected = programs.reference(program, sources)
        sizes = rdd.mapPartitions(lambda part: [sum(1 for _ in part)]).collect()
        rows = [(row[0], row[1]) for row in made.collect()]
        assert Counter(rows) == Counter(pair for pair, _ in expected), "the reference is wrong"

        wanted = rows[seed % len(rows)] if rows else (0, 0)
        where: Any = lambda pair: pair == wanted  # noqa: E731
        if program[-1].on_frames:
            where = f"k {'is null' if wanted[0] is None else f'= {wanted[0]}'} and v = {wanted[1]}"
        trace = session.trace(session.outputs[-1] if seed % 3 else made, where)
        matching = [ids for pair, ids in expected if pair == wanted]
        assert trace.matched == len(matching)
        assert trace.exact, trace.notes
        found = traced(trace, given_data, sizes)
        assert found == frozenset().union(*matching)
        judge_replay(program, sources, found, [wanted] * len(matching))
        if seed % 2 == 0:
            session._recorder.drain()
            output = session.outputs[-1]
            assert output.recipe == "stored", output.recipe_problem
            run = Store(store).find(session.run_id)
            later = open_output(run, output, spark=spark).trace(where)
            assert later.matched == trace.matched
            assert traced(later, given_data, sizes) == found, "live and post-mortem differ"
        else:
            indexed = session.index(session.outputs[-1]).trace(where)
            assert (indexed.matched, indexed.exact) == (trace.matched, True)
            assert traced(indexed, given_data, sizes) == found, "the index says something else"
        if seed % 4 == 0 and matching:
            assert all(step.count > 0 for step in trace.steps)
        judge_forward(session, [rdd, frame], given_data, expected, seed)
        judge_why_not(session, program, [rdd, frame][:: -1 if order else 1], sources, seed)


def judge_forward(
    session: bigdebug.Session,
    sources: list[Any],
    given_data: list[list[Pair]],
    expected: list[Element],
    seed: int,
) -> None:
    """The records of one source that are alike went into just the rows that the reference has of them."""
    of_frame = seed % 2
    pairs = given_data[of_frame]
    wanted = pairs[seed % len(pairs)]
    where: Any = lambda pair: pair == wanted  # noqa: E731
    if of_frame:
        where = f"k <=> {'null' if wanted[0] is None else wanted[0]} and v = {wanted[1]}"
    first = len(given_data[0]) if of_frame else 0
    chosen = {first + place for place, pair in enumerate(pairs) if pair == wanted}
    forward = session.trace(sources[of_frame], where, direction="forward")
    assert forward.matched == len(chosen)
    assert all("made an element of, only its function knows" in note for note in forward.notes), (
        "of the sizes"
    )
    name = f"output {len(session.outputs)}"
    if name in [source.name for source in forward.sources]:
        found = [
            tuple(record.value.values() if isinstance(record.value, dict) else record.value)
            for record in forward.collect_source(name)
        ]
    else:
        found = []
    assert Counter(found) == Counter(pair for pair, ids in expected if ids & chosen)


def judge_why_not(
    session: bigdebug.Session, program: list[Step], given: list[Any], sources: list[list[Element]], seed: int
) -> None:
    """Where a filter drops a record that a row hangs on, no source is to blame: the record is there."""
    expected = programs.reference(program, sources)
    if not expected:
        return
    wanted, ids = expected[seed % len(expected)]
    number = sorted(ids)[seed % len(ids)]
    which, victim = next(
        (which, pair) for which, source in enumerate(sources) for pair, own in source if number in own
    )
    fewer = [list(source) for source in sources]
    fewer[which] = [element for element in fewer[which] if element[0] != victim]
    given = list(given)
    given[which] = programs.without(given[which], victim)
    left = Counter(pair for pair, _ in programs.reference(program, fewer))[wanted]
    made = programs.run(program, given, seed // 2)
    key = "None" if wanted[0] is None else wanted[0]
    where: Any = f"key == {key} and value == {wanted[1]}"
    if program[-1].on_frames:
        where = f"k {'is null' if wanted[0] is None else f'= {wanted[0]}'} and v = {wanted[1]}"
    elif seed % 3 == 0:
        where = lambda pair: pair == wanted  # noqa: E731
    missing = session.why_not(made, where)
    assert missing.exact, missing.notes
    assert missing.steps[-1].rows_out == left
    assert (missing.culprit is None) == bool(left)
    if missing.culprit is not None:
        assert missing.culprit.rows_out == 0
        ended = any("isn't asked of the elements of" in told for told in missing.not_carried)
        assert ended or missing.culprit.rows_in > 0, (missing.steps, missing.not_carried, missing.notes)
        assert missing.culprit.rows_in == 0 or missing.dropped


def traced(trace: Any, given_data: list[list[Pair]], sizes: list[int]) -> frozenset[int]:
    """The numbers of the records on a trace: an RDD's are pairs, a DataFrame's have columns."""
    found = []
    first = len(given_data[0])
    for record in trace.collect():
        if isinstance(record.value, dict):
            # Spark gives each of the two partitions its half of what stands in the frame's list.
            start = 0 if record.location.partition == 0 else len(given_data[1]) // 2
            number = first + start + record.location.position
            assert tuple(record.value.values()) == given_data[1][number - first]
        else:
            number = sum(sizes[: record.location.partition]) + record.location.position
            assert record.value == given_data[0][number]
        found.append(number)
    assert len(trace.collect()) == sum(source.count for source in trace.sources)
    return frozenset(found)


def judge_replay(
    program: list[Step], sources: list[list[Element]], found: frozenset[int], matching: list[Pair]
) -> None:
    """The traced records alone give the rows again, and as many of them."""
    alone = [[element for element in source if element[1] <= found] for source in sources]
    again = Counter(pair for pair, _ in programs.reference(program, alone))
    assert Counter(matching) <= again


@settings(max_examples=2)
@given(program=programs.programs, sources=st.tuples(programs.data, programs.data), seed=st.integers(0, 100))
def test_traces_of_mixed_programs(
    spark: SparkSession, program: list[Step], sources: tuple[list[Pair], list[Pair]], seed: int
) -> None:
    judge(spark, program, list(sources), seed)


DATA: list[list[Pair]] = [[(None, 2), (1, 3), (2, 4), (1, 3)], [(1, 5), (None, 0), (2, 4), (0, 2)]]


@pytest.mark.proof("each operator after a joint, and below another")
@pytest.mark.parametrize("number", range(max(len(ON_FRAMES), len(ON_RDDS))))
def test_each_operator_beside_joints(spark: SparkSession, number: int) -> None:
    on_rdds, on_frames = ON_RDDS[number % len(ON_RDDS)], ON_FRAMES[number % len(ON_FRAMES)]
    program = [Step(False, on_rdds, 1), Step(True, on_frames, 0), Step(False, ON_RDDS[3], 1)]
    for seed in (0, 3):
        judge(spark, program, DATA, seed)
        judge(spark, [*program[1:], Step(True, ON_FRAMES[3], 0)], DATA, seed)


@pytest.mark.proof("random programs through RDDs and DataFrames, of up to 4 operators", examples=100)
def test_traces_of_many_mixed_programs(part: Part, spark: SparkSession) -> None:
    @part.drawn
    @given(
        program=programs.programs, sources=st.tuples(programs.data, programs.data), seed=st.integers(0, 100)
    )
    def judged(program: list[Step], sources: tuple[list[Pair], list[Pair]], seed: int) -> None:
        judge(spark, program, list(sources), seed)

    judged()
