"""RDD programs that go on from DataFrames, as programs over the rows of these: replays begin at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bigdebug.lineage.asking import asking
from bigdebug.lineage.rdd.frames import Frame, rows_with_numbers
from bigdebug.lineage.rdd.freezing import Frozen
from bigdebug.lineage.rdd.kinds import OF_FRAME, ROWS
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.rdd.workers import first_of


@dataclass(frozen=True)
class OverRows:
    """A program whose sources the rows of DataFrames are. They stand where their numbers say.

    Attributes:
        rows: what was asked about, of this program.
        frames: by the operator of such a source, that which gives the rows in the program asked about.
    """

    rows: RddRows
    frames: Mapping[RddOperator, RddOperator]


def over_rows(rows: RddRows, frames: Mapping[RddOperator, Frame]) -> OverRows:
    """A program over the rows of DataFrames, the same each time.

    Args:
        rows: what is asked about.
        frames: the DataFrames below, by the operators that give their rows.
    """
    own = [operator for operator in rows.operator.walk() if operator.kind == OF_FRAME]
    sources = {operator: _source(frames[operator]) for operator in own}
    return OverRows(_rebuilt(rows, sources), {source: operator for operator, source in sources.items()})


def _source(frame: Frame) -> RddOperator:
    """A source that holds the rows of a DataFrame, each at the place that its number names."""
    question, operator = frame.question, frame.operator
    with asking(question.catalyst, "rows of a DataFrame"), travelling():
        rdd = rows_with_numbers(question.catalyst, question.root, frame.numbered).map(first_of, True)
        source = rdd._jrdd, rdd._jrdd_deserializer
    return RddOperator(
        ROWS, (), {}, operator.context, operator.node, operator.tag, source, serial=operator.serial
    )


def _rebuilt(rows: RddRows, sources: Mapping[RddOperator, RddOperator]) -> RddRows:
    """The same program over other sources."""
    made = dict(sources)
    for operator in reversed(list(rows.operator.walk())):
        inputs = tuple(made.get(below, below) for below in operator.inputs)
        if inputs != operator.inputs:
            made[operator] = replace(operator, inputs=inputs)
    taken: dict[int, Frozen] = {}

    def anew(frozen: Frozen) -> Frozen:
        """Functions by their new operators; which are the same ones is told by identity."""
        if id(frozen) not in taken:
            taken[id(frozen)] = {made.get(each, each): functions for each, functions in frozen.items()}
        return taken[id(frozen)]

    for operator, copied in made.items():
        if operator not in sources:
            copied.frozen = None if operator.frozen is None else anew(operator.frozen)
            copied.computed = None if operator.computed is None else anew(operator.computed)
    operator = made.get(rows.operator, rows.operator)
    return replace(rows, operator=operator, frozen=anew(rows.frozen))
