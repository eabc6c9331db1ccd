"""Did a replay give the rows that the run gave? Asked only where something in the dataflow can vary.

Python functions may: whether they draw, or read something that changes, their code alone doesn't tell.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from bigdebug.lineage.asking import asking
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.output import Output
from bigdebug.lineage.pinned import settings
from bigdebug.lineage.python_functions import calls_python
from bigdebug.lineage.results import summarize

# Outputs of more rows aren't computed again just to be compared.
MOST_COMPARED = 100_000
# Nor those that took longer, just because they might vary: they call a Python function, or add up doubles.
_SECONDS_FOR_A_LOOK = 10.0
_SAME = "computed again, the program gives the same rows as the run did"
_OTHER = "computed again, the program gives other rows than the run did"
_ARROW = "spark.sql.execution.arrow.pyspark.enabled"


class Comparison:
    """Computes an output again, the way the program got it, and compares hashes.

    Args:
        catalyst: of the pinned session.
        plan: the plan of just the rows that the action gave.
        conf: the run's settings, a JVM `SQLConf`.
        output: what the run recorded of it.
    """

    def __init__(self, catalyst: Catalyst, plan: Any, conf: Any, output: Output) -> None:
        self._catalyst = catalyst
        self._plan = plan
        self._conf = conf
        self._output = output

    @property
    def is_quick(self) -> bool:
        """Whether the run computed the output so quickly that it may be computed again for a mere suspicion."""
        return (self._output.seconds or 0) <= _SECONDS_FOR_A_LOOK

    @property
    def is_same(self) -> bool:
        """Whether the very rows of the run came out again."""
        return self.notes == [_SAME]

    @cached_property
    def python_doubts(self) -> list[str]:
        """Whether Python functions give other rows than in the run, where that costs little to find out."""
        if not self.is_quick or not calls_python(self._catalyst, self._plan):
            return []
        return [_OTHER] if self.notes == [_OTHER] else []

    @cached_property
    def notes(self) -> list[str]:
        """What the comparison says, in a sentence; nothing where it can't be made."""
        recorded = self._output.content_hash
        if recorded is None or (self._output.rows or 0) > MOST_COMPARED:
            return []
        try:
            again = self._hash_again(recorded.partition(":")[0])
        except BigDebugError as error:
            return [
                f"the program couldn't be computed again to compare its rows with the run's: {error.message}"
            ]
        if again == recorded:
            return [_SAME]
        return [_OTHER]

    def _hash_again(self, way: str) -> str | None:
        # We fetch by Arrow; how the program fetched decides what pandas makes of nulls.
        theirs = self._conf
        arrow = str(theirs.getConfString(_ARROW)) if theirs is not None and theirs.contains(_ARROW) else None
        with settings(self._catalyst, {_ARROW: arrow}), asking(self._catalyst, "the output once more"):
            frame = self._catalyst.frame(self._plan)
            result = {"rows": frame.collect, "pandas": frame.toPandas, "arrow": frame.toArrow}[way]()
            return summarize(result, most_seconds=None).content_hash
