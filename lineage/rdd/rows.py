"""Which elements an RDD's action is about."""

from __future__ import annotations

from dataclasses import dataclass

from bigdebug.lineage.rdd.freezing import Frozen, Pickled, arguments_now, freeze, freeze_computed
from bigdebug.lineage.rdd.kinds import COMPUTES_ITSELF, KEYED_VALUES, SOME_ROWS, VALUE_ACTIONS
from bigdebug.lineage.rdd.operator import RddOperator


@dataclass(frozen=True)
class RddRows:
    """What an action was about: the input to a recipe or a trace.

    Attributes:
        operator: that made the elements; of an action whose result is made of all elements, the action itself.
        frozen: its functions, and those below it, as Spark took them.
        action: the action, where it gave only some of the elements.
        arguments: of that action.
    """

    operator: RddOperator
    frozen: Frozen
    action: str | None = None
    arguments: Pickled | None = None


def rows_of_action(acted: RddOperator) -> RddRows:
    """What an action is about that begins now.

    Args:
        acted: the action, as an operator over that of the RDD acted on.
    """
    (operator,) = acted.inputs
    if acted.kind in VALUE_ACTIONS or acted.kind in KEYED_VALUES:
        return RddRows(acted, freeze([acted]))
    taken = freeze_computed(operator) if acted.kind in COMPUTES_ITSELF else freeze([operator])
    if acted.kind in SOME_ROWS:
        return RddRows(operator, taken, acted.kind, arguments_now(acted))
    return RddRows(operator, taken)


def rows_of_rdd(operator: RddOperator) -> RddRows:
    """All elements of an RDD as they would be computed now."""
    return RddRows(operator, operator.computed or freeze([operator]))
