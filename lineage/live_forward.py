"""Forward traces in the running program: to all outputs so far that the records of a source may have gone into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import networkx as nx
from pyspark import RDD
from pyspark.sql import Column, DataFrame, SparkSession

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.forward import ForwardTrace, OutputReached
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.live import plan_of
from bigdebug.lineage.nodes import FROM_RDD
from bigdebug.lineage.output import Output, OutputRows
from bigdebug.lineage.questions import question_about
from bigdebug.lineage.rdd.carrying import Carrier
from bigdebug.lineage.rdd.conditions import predicate_of
from bigdebug.lineage.rdd.forward import Program, matching_elements, program_of
from bigdebug.lineage.rdd.joints import any_joints
from bigdebug.lineage.rdd.kinds import UNKNOWN
from bigdebug.lineage.rdd.live import require_alive, with_a_word
from bigdebug.lineage.rdd.mixed import Frames, all_operators, frames_below
from bigdebug.lineage.rdd.operator import known_operator
from bigdebug.lineage.rdd.reading import require_all_unchanged, sources_in
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.trace import contributing_in_order
from bigdebug.lineage.reached import matching_of
from bigdebug.lineage.recorder import Recorder

_UNKNOWN = "output {} ({}) may be made of the records, too, and isn't traced: {}"


def live_forward(
    spark: SparkSession, recorder: Recorder, data: DataFrame | Output, where: str | Column | None = None
) -> ForwardTrace:
    """A forward trace of the records of a DataFrame's source to the outputs of the run so far.

    Args:
        spark: a live session of the program's.
        recorder: what the program did so far.
        data: the DataFrame that reads or makes the source.
        where: which of its records; None for all.

    Raises:
        BigDebugError: `data` is no source, or its records can't be traced through one of the outputs.
    """
    plan = plan_of(data)
    assert isinstance(data, DataFrame)
    rows = OutputRows(plan, data.sparkSession._jsparkSession, None)
    start = question_about(data.sparkSession, rows, recorder.node_of)
    leaf = next(iter(start.sources.values()), None)
    if leaf is None or start.root is not leaf.operator or leaf.operator.node is None:
        raise BigDebugError(
            f"a forward trace starts from a source, and this is made by {start.root.described()}",
            hint="pass the DataFrame that spark.read… or createDataFrame gave",
        )
    node = leaf.operator.node.id
    recorder.settle()
    graph: nx.DiGraph[int] = recorder.dataflow.graph()
    graph.remove_nodes_from([each for each, data in graph.nodes(data=True) if data["operator"] == FROM_RDD])
    reading = {node, *nx.descendants(graph, node)} if node in graph else {node}

    def is_leaf(found: SourceLeaf) -> bool:
        return found.operator.node is not None and found.operator.node.id == node

    def is_direct(acted: Any, output: Output) -> bool:
        return isinstance(acted, OutputRows) and output.node in reading

    programs = _Programs(spark, recorder, is_direct)
    carrier = Carrier(data.sparkSession.sparkContext, programs.frames, {}, is_leaf, where)
    outputs = programs.reached(carrier)
    return ForwardTrace(leaf.name, matching_of(start, leaf, where), outputs, programs.notes)


def live_rdd_forward(recorder: Recorder, spark: Any, data: Any, where: Any = None) -> ForwardTrace:
    """A forward trace of the records of an RDD's source to the outputs of the run so far.

    Args:
        recorder: what the program did so far.
        spark: its PySpark session; None for a bare context.
        data: the RDD that reads or makes the source.
        where: which of its records: a function of a record, or a Python expression of `x`; None for all.

    Raises:
        UnreachableError: Spark was stopped.
        BigDebugError: `data` is no source, or its records can't be traced through one of the outputs.
    """
    operator = known_operator(data) if isinstance(data, RDD) else None
    if operator is None or operator.inputs or operator.kind == UNKNOWN:
        made = "an output" if operator is None else operator.described()
        raise BigDebugError(
            f"a forward trace starts from a source, and this is made by {made}",
            hint="pass the RDD that textFile, parallelize or their like gave",
        )
    require_alive(operator)
    predicate = predicate_of(where)
    recorder.settle()

    def is_direct(acted: Any, _: Output) -> bool:
        return isinstance(acted, RddRows) and operator in contributing_in_order(acted.operator)

    programs = _Programs(spark, recorder, is_direct)
    carrier = Carrier(operator.context, programs.frames, {operator: predicate})
    outputs = programs.reached(carrier)
    (source,) = sources_in([operator])
    found = ForwardTrace(source.name, matching_elements(carrier, operator), outputs, programs.notes)
    return with_a_word(found)


class _Programs:
    """How the outputs of a run came about, as far as records of a source may have gone into them.

    Args:
        spark: a live session of the program's; None for a bare context.
        recorder: what the program did so far.
        is_direct: whether an output is known beforehand to be made of the source: what is in the way there is
            raised, else it is noted.

    Attributes:
        frames: the DataFrames whose rows are elements.
        notes: which outputs aren't traced, and why.
    """

    def __init__(self, spark: Any, recorder: Recorder, is_direct: Callable[[Any, Output], bool]) -> None:
        self._spark = spark
        self._recorder = recorder
        self._direct: set[int] = set()
        self._programs: list[Program] = []
        self.frames: Frames = {}
        self.notes: list[str] = []
        for number, acted in list(recorder.rows.items()):
            output = recorder.outputs[number - 1]
            if is_direct(acted, output):
                self._direct.add(number)
            with self._noting(output):
                program = self._program(acted, output)
                if program is not None:
                    self.frames = frames_below(program.tops, recorder.node_of, known=self.frames)
                    self._programs.append(program)

    def reached(self, carrier: Carrier) -> list[OutputReached]:
        """The outputs that records went into, as a carrier of flags has it."""
        found = []
        for program in self._programs:
            output = program.output
            with self._noting(output):
                reached = program.reached(carrier)
                if reached is None:
                    self.notes += [self._note(output, why) for why in program.ends(carrier)[:1]]
                else:
                    require_all_unchanged(all_operators(program.tops, self.frames), output.started)
                    found.append(reached)
        return found

    # -- inside -------------------------------------------------------------------------------------

    def _program(self, acted: Any, output: Output) -> Program | None:
        if isinstance(acted, RddRows):
            return Program(output, acted)
        if not isinstance(acted, OutputRows) or self._spark is None:
            return None
        context = self._spark.sparkContext
        if output.number not in self._direct and not any_joints(context):
            return None
        question = question_about(self._spark, acted, self._recorder.node_of, action=output)
        return program_of(context, question, output)

    @contextmanager
    def _noting(self, output: Output) -> Iterator[None]:
        try:
            yield
        except BigDebugError as error:
            if output.number in self._direct:
                raise
            self.notes.append(self._note(output, error.message))

    def _note(self, output: Output, why: str) -> str:
        return _UNKNOWN.format(output.number, output.action, why)
