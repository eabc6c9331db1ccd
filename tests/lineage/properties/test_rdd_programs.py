"""Random RDD programs over random data: every trace is held against a reference in plain Python and a replay."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import rdd_programs as programs
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.cloudpickle import register_pickle_by_value
from pyspark.sql import SparkSession
from rdd_programs import OPERATIONS, Data, Element, Program

import bigdebug
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.rdd.index.reading import open_rdd_index
from bigdebug.lineage.store import Store
from tests.proofs import Part

register_pickle_by_value(programs)  # Spark's workers have no way to import it


def parallelized(context: Any, source: Data) -> tuple[Any, list[int]]:
    """A source that is one call, and how many of its elements stand in each partition."""
    flat = [element for part in source for element in part]
    # Spark deals them out evenly: some partitions stay empty only where there are more of them.
    rdd = context.parallelize(flat, len(source) + len(source[0]) % 3)
    return rdd, rdd.mapPartitions(lambda part: [sum(1 for _ in part)]).collect()


def split(source: Data, sizes: list[int]) -> Data:
    flat = iter([element for part in source for element in part])
    return [[next(flat) for _ in range(size)] for size in sizes]


def judge(spark: SparkSession, program: Program, given_sources: list[Data], seed: int) -> None:
    context = spark.sparkContext
    capture = "full" if seed % 2 else "recipe"
    with (
        tempfile.TemporaryDirectory() as store,
        bigdebug.attach(spark, store=store, capture=capture) as session,
    ):
        made_sources = [parallelized(context, source) for source in given_sources]
        data = [split(s, sizes) for s, (_, sizes) in zip(given_sources, made_sources, strict=True)]
        rdds = [rdd for rdd, _ in made_sources]
        rdd = program.spark(rdds)
        rows = rdd.collect()
        output = session.outputs[-1]
        expected = program.model(programs.numbered(data)).all()
        assert Counter(rows) == Counter(element.value for element in expected), "the reference is wrong"

        wanted = rows[seed % len(rows)] if rows else None
        where, asks = question(wanted, seed)
        matching = [element for element in expected if asks(element.value)]
        trace = session.trace(output if seed % 2 else rdd, where=where)
        assert trace.matched == len(matching)
        assert trace.exact != program.conservative(), trace.notes
        numbers = judge_records(trace, session, rdds, data, matching)
        if seed % 3 == 0:
            steps = trace.steps
            assert not steps or steps[0].count == trace.matched
            assert all(step.records().count() == step.count for step in steps[:1])
        if not program.conservative():
            judge_replay(program, data, numbers, matching)
        session._recorder.drain()
        output = session.outputs[output.number - 1]
        assert output.recipe == "stored", output.recipe_problem
        run = Store(store).find(session.run_id)
        replay = open_output(run, run.output(str(output.number)), spark=spark)
        later = replay.trace(where)
        assert later.matched == trace.matched
        assert repr(later.collect()) == repr(trace.collect()), "live and post-mortem differ"
        if seed % 4 == 0:
            replay.index()
        elif seed % 4 == 2:
            session.index(output)
        index = open_rdd_index(run.tables, output.number)
        assert index is not None
        assert index.rows == len(expected)
        indexed = index.trace(where)
        assert (indexed.matched, indexed.exact) == (trace.matched, trace.exact)
        assert repr(indexed.collect()) == repr(trace.collect()), "live and index differ"
        judge_forward(session, replay, rdds, data, expected, output.number, seed)


def question(wanted: Any, seed: int) -> tuple[Any, Callable[[Any], bool]]:
    """What is asked, and the same as a function: all elements, one, or those of a key."""
    if seed % 5 == 0:
        return (lambda _: True), (lambda _: True)
    if seed % 5 == 1 or wanted is None:
        return (lambda element: element == wanted), (lambda element: element == wanted)
    key = wanted[0]
    text = f"key == {key!r}" if seed % 2 else f"x[0] in ({key!r},)"
    return text, lambda element: element[0] == key


def judge_forward(
    session: Any,
    replay: Any,
    rdds: list[Any],
    data: list[Data],
    expected: list[Element],
    output: int,
    seed: int,
) -> None:
    """Elements are reached if a record chosen is on their backward trace, as the reference has it."""
    first = [record for part in data[0] for record in part]
    if not first:
        return
    chosen = repr(first[seed % len(first)])
    numbers = {number for number, record in enumerate(first) if repr(record) == chosen}
    trace = session.trace(rdds[0], where=lambda record: repr(record) == chosen, direction="forward")
    assert trace.matched == len(numbers)
    name = f"output {output}"
    reached = [source for source in trace.sources if source.name == name]
    values = Counter(record.value for record in trace.collect_source(name)) if reached else Counter()
    assert sum(source.count for source in reached) == values.total()
    assert Counter(each.value for each in expected if numbers & each.least) <= values, "not all are reached"
    assert values <= Counter(each.value for each in expected if numbers & each.most), "too many are reached"
    if reached and seed % 2:
        ours = bigdebug.lineage.rdd.operator.operator_of(rdds[0]).node.id
        later = [each.name for each in replay.trace()._sources if each.operator.node.id == ours]
        for start in later:
            again = replay.forward(lambda record: repr(record) == chosen, start)
            assert Counter(record.value for record in again.collect()) == values, (
                "live and post-mortem differ"
            )


def judge_records(
    trace: Any, session: Any, rdds: list[Any], data: list[Data], matching: list[Element]
) -> frozenset[int]:
    """The numbers of the records on the trace: enough, and none that mustn't be there."""
    starts = [0, sum(map(len, data[0]))]
    by_name = {}
    for rdd, start, parts in zip(rdds, starts, data, strict=True):
        operator = bigdebug.lineage.rdd.operator.operator_of(rdd)
        for source in trace._sources:
            if source.operator is operator:
                by_name[source.name] = start, parts
    found = set()
    for record in trace.collect():
        start, parts = by_name[record.source]
        partition, position = record.location.partition, record.location.position
        assert repr(parts[partition][position]) == repr(record.value)
        found.add(start + sum(map(len, parts[:partition])) + position)
    assert sum(source.count for source in trace.sources) == len(found)
    assert frozenset().union(*(each.least for each in matching)) <= found, "records are missing"
    assert found <= frozenset().union(*(each.most for each in matching)), "records that don't belong there"
    return frozenset(found)


def judge_replay(
    program: Program, data: list[Data], numbers: frozenset[int], matching: list[Element]
) -> None:
    """The traced records alone give the elements again, as far as no operator goes by position or takes away."""
    names = repr(program)
    if any(name in names for name in ("zip", "sample", "subtract", "Outer", "glom")):
        return
    alone = [
        programs.Elements([[e for e in part if e.least <= numbers] for part in source.parts], True)
        for source in programs.numbered(data)
    ]
    again = Counter(element.value for element in program.model(alone).all())
    assert Counter(element.value for element in matching) <= again, "the elements aren't there again"


@settings(max_examples=2)
@given(program=programs.programs(2), sources=programs.sources, seed=st.integers(0, 1000))
def test_traces_of_random_programs(
    spark: SparkSession, program: Program, sources: list[Data], seed: int
) -> None:
    judge(spark, program, sources, seed)


DATA: list[Data] = [
    [
        [(None, (1,)), (1, (2, 3)), ("a", (4,)), (True, (2,))],
        [],
        [((1, None), (3,)), ("a", (4,)), (None, (0, 2))],
    ],
    [[("a", (1, 1)), (1.0, (2,))], [(None, (4,)), ((1, None), (0,)), ("a", (4,))]],
]


@pytest.mark.proof("each operator of RDDs, alone and over another")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_traces_of_each_operator(spark: SparkSession, operation: programs.Operation) -> None:
    sources = [Program(None, source=number) for number in (0, 1)]
    above = Program(OPERATIONS[0], (Program(operation, tuple(sources[: operation.inputs])),))
    for seed in (0, 3, 6, 7):
        judge(spark, above, DATA, seed)


@pytest.mark.proof("random RDD programs of up to 5 operators on a way", examples=200)
def test_traces_of_many_random_programs(part: Part, spark: SparkSession) -> None:
    @part.drawn
    @given(
        program=st.integers(1, 5).flatmap(programs.programs),
        sources=programs.sources,
        seed=st.integers(0, 1000),
    )
    def judged(program: Program, sources: list[Data], seed: int) -> None:
        judge(spark, program, sources, seed)

    judged()
