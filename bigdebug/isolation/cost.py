"""What an answer took: the search, and what is looked for later, when somebody asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from bigdebug.lineage.asking import jobs_of_ours

T = TypeVar("T")


class Cost:
    """What an answer took so far.

    Args:
        context: the SparkContext.
        began: when the question was asked, by `time.monotonic`.
        group: the job group of the question, whose jobs have run.

    Attributes:
        jobs: how many Spark jobs.
        seconds: how long.
    """

    def __init__(self, context: Any, began: float, group: str) -> None:
        self._context = context
        self.jobs = self._jobs_of(group)
        self.seconds = time.monotonic() - began

    def counting(self, what: str, look: Callable[[], T]) -> Callable[[], T]:
        """What looks for something later, and counts it then."""

        def counted() -> T:
            began = time.monotonic()
            with jobs_of_ours(self._context, what) as group:
                try:
                    return look()
                finally:
                    self.jobs += self._jobs_of(group)
                    self.seconds += time.monotonic() - began

        return counted

    def _jobs_of(self, group: str) -> int:
        return len(self._context.statusTracker().getJobIdsForGroup(group))
