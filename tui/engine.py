"""The one thread that asks Spark: it starts Spark on the first need, answers in turn, and can be cancelled."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from bigdebug.lineage.postmortem import Replay
    from bigdebug.lineage.questions import Question
    from bigdebug.lineage.rdd.postmortem import RddReplay
    from bigdebug.lineage.rdd.questions import RddQuestion

_MOST_OPENED = 8
_Answer = TypeVar("_Answer")


class CancelledError(BigDebugError):
    """The user didn't want to wait."""


@dataclass
class Work:
    """A question that is being answered, or waits for its turn.

    Attributes:
        what: is asked for.
        said: what is done now.
        began: by the clock that only goes on.
        cancelled: it was given up.
        stopped: it is to end soon with the best found so far.
    """

    what: str
    said: str = ""
    began: float = field(default_factory=time.monotonic)
    cancelled: bool = False
    stopped: bool = False

    @property
    def told(self) -> str:
        """What to show: what is done, and since when."""
        return f"{self.said or self.what} · {time.monotonic() - self.began:.0f} s"

    def say(self, text: str) -> None:
        """Something else is done now.

        Raises:
            CancelledError: nobody waits for it any more.
        """
        if self.cancelled:
            raise CancelledError(f"{self.what}: cancelled")
        self.said = text


@dataclass
class Asked:
    """An output of a recorded run in Spark.

    Attributes:
        replay: answers questions about it.
        question: the output's rows, once somebody needed them.
    """

    replay: Replay | RddReplay
    question: Question | RddQuestion | None = None
    kept: Any = None

    def opened(self) -> Question | RddQuestion:
        """The output, ready to be asked about."""
        if self.question is None:
            self.question = self.replay.question()
        return self.question


class Engine:
    """See the module.

    Args:
        spark: a live session to ask in; None starts one when it is needed.
    """

    def __init__(self, spark: SparkSession | None = None) -> None:
        self._given = spark
        self._spark = spark
        self._libraries: tuple[Any, ...] | None = None
        self._asked: dict[tuple[str, str, int], Asked] = {}
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="bigdebug spark")
        self._folder: Path | None = None
        self.work: list[Work] = []
        self.allow_changed = False

    @property
    def spark(self) -> SparkSession | None:
        """The session, once there is one."""
        return self._spark

    @property
    def state(self) -> str:
        """What goes on, as a line; empty where nothing does."""
        if not self.work:
            return ""
        more = f" (and {len(self.work) - 1} more)" if len(self.work) > 1 else ""
        return f"{self.work[0].told}{more}"

    async def ask(self, what: str, function: Callable[[Work], _Answer], work: Work | None = None) -> _Answer:
        """Have the thread do something. Cancelling the task that waits gives it up.

        Args:
            what: is asked for, for the status line.
            function: does it, on the thread.
            work: to be told of; a new one if left out.
        """
        work = work or Work(what)
        self.work.append(work)

        def answer() -> _Answer:
            work.began = time.monotonic()
            work.say("")
            try:
                return function(work)
            except BaseException as error:
                if work.cancelled:
                    raise CancelledError(f"{work.what}: cancelled") from error
                if isinstance(error, KeyboardInterrupt):
                    raise CancelledError(f"{work.what}: cancelled") from None
                raise

        try:
            return await asyncio.wrap_future(self._threads.submit(answer))
        except asyncio.CancelledError:
            self.cancel(work)
            raise
        finally:
            self.work.remove(work)

    def cancel(self, work: Work | None = None) -> None:
        """Give up what is asked now, or something that is asked or waits."""
        if work is None:
            if not self.work:
                return
            work = self.work[0]
        running = bool(self.work) and self.work[0] is work
        work.cancelled = True
        spark = self._spark
        if running and spark is not None:
            threading.Thread(target=_cancel_jobs, args=(spark,), daemon=True).start()

    # -- on the thread ------------------------------------------------------------------------------

    def open(self, run: StoredRun, output: Output, work: Work) -> Asked:
        """An output in Spark; starts Spark where there is none. On the engine's thread only.

        Raises:
            BigDebugError: it can't be computed again here; says why.
        """
        key = (run.store, run.run_id, output.number)
        if key in self._asked:
            self._asked[key] = found = self._asked.pop(key)
            return found
        self._require_libraries(run, output)
        work.say("Opening the recipe" if self._spark else "Starting Spark")
        from bigdebug.lineage.postmortem import open_output  # loads PySpark

        replay = open_output(run, output, allow_changed=self.allow_changed, spark=self._spark)
        self._spark = replay.spark
        while len(self._asked) >= _MOST_OPENED:
            oldest = next(iter(self._asked))
            _forget(self._asked.pop(oldest))
        self._asked[key] = asked = Asked(replay)
        work.say("")
        return asked

    def is_of_rdd(self, run: StoredRun, output: Output) -> bool:
        """Whether an output that was opened is an RDD's."""
        asked = self._asked.get((run.store, run.run_id, output.number))
        return asked is not None and asked.replay.of_rdd

    def forget(self) -> None:
        """Open everything anew: sources may have changed. On the engine's thread only."""
        while self._asked:
            _forget(self._asked.popitem()[1])

    def folder(self) -> Path:
        """A private folder for rows that are looked at; gone at the end."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="bigdebug-tui-"))
        return Path(tempfile.mkdtemp(dir=self._folder))

    def close(self) -> None:
        """Cancel what goes on and stop the Spark that was started here."""
        for work in self.work:
            work.cancelled = True
        spark = self._spark
        if spark is not None and self.work:
            _cancel_jobs(spark)
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if spark is not None and self._given is None:
            with suppress(Exception):
                spark.stop()

    def _require_libraries(self, run: StoredRun, output: Output) -> None:
        """Start anew where an output's functions need what this Spark doesn't have."""
        if self._given is not None or output.recipe != "stored":
            return
        from bigdebug.lineage.rdd.recipe import RddRecipe, is_rdd_recipe
        from bigdebug.lineage.recipe.archive import Recipe

        data = run.recipe(output.number)
        recipe = RddRecipe.from_bytes(data) if is_rdd_recipe(data) else Recipe.from_bytes(data)
        needed = (recipe.folder, *sorted(recipe.libraries.items()))
        if self._spark is not None and needed != self._libraries:
            self.forget()
            self._spark.stop()
            self._spark = None
        self._libraries = needed


def _cancel_jobs(spark: SparkSession) -> None:
    with suppress(Exception):  # Spark may be going away itself
        spark.sparkContext.cancelAllJobs()


def _forget(asked: Asked) -> None:
    if asked.kept is not None:
        with suppress(Exception):
            asked.kept.unpersist()
