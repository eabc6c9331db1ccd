"""Outputs that records reach on a way through both RDDs and DataFrames, which no forward trace goes yet."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.output import Output, OutputRows
from bigdebug.lineage.questions import question_about
from bigdebug.lineage.rdd.joints import any_joints, joints_among
from bigdebug.lineage.rdd.mixed import all_operators, frames_below
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.recorder import Recorder

_BEYOND = (
    "output {} ({}) is made of the records by way of both RDDs and DataFrames, through which they aren't traced "
    "forward yet: trace it backward, with a condition"
)


def notes_about_beyond(
    recorder: Recorder,
    spark: Any,
    judged: Container[int],
    is_source: Callable[[RddOperator], bool],
    is_leaf: Callable[[Any], bool],
) -> list[str]:
    """What to say of a run's outputs that a forward trace doesn't judge, though its records may have gone into them.

    Args:
        recorder: of the run.
        spark: the PySpark session; None for a bare context, which has no DataFrames.
        judged: numbers of the outputs that it does judge.
        is_source: whether an operator of RDDs is the source that it starts from.
        is_leaf: whether a source of a DataFrame, a `SourceLeaf`, is.
    """
    found = []
    for number, acted in list(recorder.rows.items()):
        output = recorder.outputs[number - 1]
        if number not in judged and _reaches(recorder, spark, acted, output, is_source, is_leaf):
            found.append(_BEYOND.format(number, output.action))
    return found


def _reaches(
    recorder: Recorder,
    spark: Any,
    acted: Any,
    output: Output,
    is_source: Callable[[RddOperator], bool],
    is_leaf: Callable[[Any], bool],
) -> bool:
    try:
        if isinstance(acted, RddRows):
            tops = [acted.operator]
        elif isinstance(acted, OutputRows) and spark is not None and any_joints(spark.sparkContext):
            question = question_about(spark, acted, recorder.node_of, action=output)
            tops = list(joints_among(spark.sparkContext, question.sources.values()).values())
        else:
            return False
        frames = frames_below(tops, recorder.node_of)
    except BigDebugError:
        return True  # it isn't known where it comes from
    return any(map(is_source, all_operators(tops, frames))) or any(
        is_leaf(leaf) for frame in frames.values() for leaf in frame.trace._leaves.values()
    )
