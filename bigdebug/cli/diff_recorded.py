"""What two runs differ in as far as it was written down, for `bigdebug diff`. Starts no Spark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bigdebug.cli.diff_answer import DiffAnswer, OutputAnswer
from bigdebug.cli.rendering import stage
from bigdebug.lineage.errors import RecipeError
from bigdebug.lineage.rundiff import (
    AskedOperator,
    OutputPair,
    behind,
    changed_heads,
    changed_operators,
    changes,
    match_outputs,
    same_program,
)
from bigdebug.lineage.store import StoredRun
from bigdebug.wording.code_line import code_line

if TYPE_CHECKING:
    from bigdebug.lineage.recipe.facts import RecipeFacts

NOT_RECORDED = (
    "settings other than those of Spark SQL",
    "environment variables",
    "modules and data that functions import by name",
)
"""What nothing can be said of."""


def compare_recorded(first: StoredRun, second: StoredRun, output: str | None = None) -> DiffAnswer:
    """Compare what two runs wrote down of themselves.

    Args:
        first: the one.
        second: the other.
        output: compare this output of the first run only.

    Raises:
        UnknownNameError: it has no such output.
    """
    matched = match_outputs(first, second)
    pairs, only_first, only_second = matched.pairs, matched.only_first, matched.only_second
    if output is not None:
        chosen = first.output(output)
        pairs = tuple(pair for pair in pairs if pair.first.number == chosen.number)
        only_first = tuple(one for one in only_first if one.number == chosen.number)
        only_second = ()
    not_recorded = list(NOT_RECORDED)
    if any(run.redact for run in (first, second)):
        not_recorded.append("the program's arguments, where columns are redacted")
    with stage("Comparing what was recorded"):
        outputs = [_output(first, second, pair) for pair in pairs]
    return DiffAnswer(
        first,
        second,
        same_program(first, second),
        changed_heads(first, second),
        not_recorded,
        outputs,
        only_first,
        only_second,
    )


def _output(first: StoredRun, second: StoredRun, pair: OutputPair) -> OutputAnswer:
    from bigdebug.lineage.sourcediff import changed_sources

    one, notes = _facts(first, pair.first.number, "first")
    other, more = _facts(second, pair.second.number, "second")
    return OutputAnswer(
        pair,
        changes("setting", one.settings, other.settings) if one and other else (),
        changed_sources(one.sources, other.sources) if one and other else None,
        changed_operators(
            operators_behind(first, pair.first.node), operators_behind(second, pair.second.node)
        ),
        False,
        None,
        (),
        [*notes, *more],
    )


def _facts(run: StoredRun, number: int, which: str) -> tuple[RecipeFacts | None, list[str]]:
    from bigdebug.lineage.recipe.facts import facts_of  # loads PySpark

    try:
        return facts_of(run.recipe(number), run.nodes), []
    except RecipeError as error:
        return None, [f"the {which} run: settings and sources aren't known: {error.message}"]


def operators_behind(
    run: StoredRun, top: int | None, texts: Mapping[int, tuple[str, ...]] | None = None
) -> list[AskedOperator]:
    """The operators behind an output, ready to be compared.

    Args:
        run: of the output.
        top: the operator that it gave the rows of.
        texts: by number of the operator, what its plan computes; None where that isn't known.
    """
    nodes = run.nodes
    return [
        AskedOperator(
            node,
            code_line(node.call_site, nodes.values()),
            None if texts is None else texts.get(node.id, ()),
        )
        for node in behind(nodes, top)
    ]
