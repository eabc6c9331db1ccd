"""What a SQL command that failed would have written: Spark keeps no plan of it, so it is analyzed once more."""

import logging
from collections.abc import Callable
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.sql_formatter import SQLStringFormatter

from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.unlogged import unlogged

logger = logging.getLogger("bigdebug")

# What may stand around a parsed command, and belongs to its query as well.
_AROUND = frozenset({"UnresolvedWith", "NameParameterizedQuery", "PosParameterizedQuery"})

Written = Callable[[Any], Any | None]


def failed_query(args: tuple[Any, ...], kwargs: dict[str, Any], written: Written) -> Any | None:
    """Spark's analyzed plan of the rows that a failed command was about. Nothing is carried out.

    Args:
        args: of the call of `spark.sql`, the session first.
        kwargs: of the call.
        written: gives the query of a command's plan, parsed or analyzed; None for any other plan.

    Returns:
        The query as the command holds it, with what Spark adds to make it fit the table. Where that is what
        failed (there is no such table), the query alone; None where that makes no sense, either.
    """
    named = dict(kwargs)
    text = args[1] if len(args) > 1 else named.pop("sqlQuery", None)
    parameters = args[2] if len(args) > 2 else named.pop("args", None)
    spark: SparkSession = args[0]
    # As `spark.sql` does it: frames among the arguments are views for as long as the text is looked at.
    formatter = SQLStringFormatter(spark)
    try:
        if named:
            text = formatter.format(text, **named)
        with unlogged():
            return _analyzed(Catalyst(spark), text, parameters, written)
    except Exception as error:  # it failed in the user's hands before, for whatever reason
        logger.debug("no plan of a failed command", exc_info=error)
        return None
    finally:
        formatter.clear()


def _analyzed(catalyst: Catalyst, text: str, parameters: Any, written: Written) -> Any | None:
    parsed = catalyst.jsession.sessionState().sqlParser().parsePlan(text)
    command = _with_parameters(catalyst, parsed, parameters)
    try:
        return written(_analysis(catalyst, command))
    except Exception as error:
        logger.debug("a failed command can't be analyzed", exc_info=error)
    alone = _without_command(catalyst, command, written)
    return None if alone is None else _analysis(catalyst, alone)


def _analysis(catalyst: Catalyst, plan: Any) -> Any:
    """The analyzed plan, without what making a DataFrame of it does: that carries commands out."""
    state = catalyst.jsession.sessionState()
    return state.executePlan(plan, getattr(state, "executePlan$default$2")()).analyzed()


def _with_parameters(catalyst: Catalyst, parsed: Any, parameters: Any) -> Any:
    if not parameters:
        return parsed
    analysis = catalyst.jvm.org.apache.spark.sql.catalyst.analysis
    values = parameters.values() if isinstance(parameters, dict) else parameters
    given = catalyst.seq(catalyst.jsession.expression(F.lit(value)._jc) for value in values)
    if isinstance(parameters, dict):
        return analysis.NameParameterizedQuery(parsed, catalyst.seq(parameters), given)
    return analysis.PosParameterizedQuery(parsed, given)


def _without_command(catalyst: Catalyst, parsed: Any, written: Written) -> Any | None:
    """The parsed query in the command's place, below what stands around it."""
    if class_name(parsed) not in _AROUND:
        return written(parsed)
    query = _without_command(catalyst, parsed.children().apply(0), written)
    return None if query is None else parsed.withNewChildren(catalyst.seq([query]))
