"""RDD programs that go on from DataFrames, as programs over the rows of these: replays begin at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bigdebug.isolation.behind import Behind
from bigdebug.lineage.asking import asking
from bigdebug.lineage.rdd.frames import Frame, rows_with_numbers
from bigdebug.lineage.rdd.freezing import Frozen
from bigdebug.lineage.rdd.kinds import OF_FRAME, ROWS
from bigdebug.lineage.rdd.mixed import all_operators, frames_below
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.questions import RddQuestion
from bigdebug.lineage.rdd.reading import RddSource, require_all_unchanged
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.rdd.workers import first_of


@dataclass(frozen=True)
class OverRows:
    """A program whose sources the rows of DataFrames are.

    Attributes:
        rows: what was asked about, of this program.
        behind: by the operator of such a source, what its rows were made of.
        doubts: why the DataFrames may have had other rows.
    """

    rows: RddRows
    behind: Mapping[RddOperator, Behind] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    def behind_sources(self, sources: list[RddSource]) -> dict[RddSource, Behind]:
        """By source whose records are rows, what these were made of."""
        return {each: self.behind[each.operator] for each in sources if each.operator in self.behind}


def over_rows(question: RddQuestion) -> OverRows:
    """What was asked about, of a program whose sources the rows of DataFrames are; these are the same each time.

    Raises:
        SourceChangedError: a file isn't what it was.
        BigDebugError: a DataFrame can't be traced.
    """
    root = question.rows.operator
    frames = frames_below([root], question.lookup)
    own = [operator for operator in root.walk() if operator.kind == OF_FRAME]
    if not own:
        return OverRows(question.rows)
    require_all_unchanged(all_operators([root], frames), None)
    sources = {operator: _source(frames[operator]) for operator in own}
    doubts = [doubt for each in frames.values() for doubt in each.question.doubts()]
    behind = {source: Behind(operator, frames) for operator, source in sources.items()}
    return OverRows(_rebuilt(question.rows, sources), behind, tuple(dict.fromkeys(doubts)))


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
