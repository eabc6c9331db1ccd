"""The one thread that asks Spark: it starts Spark on the first need, answers in turn, and can be cancelled."""

from __future__ import annotations

import asyncio
import queue
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
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
_AGAIN_SECONDS = 0.3
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
        over: nothing is done for it any more.
        tag: its Spark jobs have it, so that cancelling them touches no others.
    """

    what: str
    said: str = ""
    began: float = field(default_factory=time.monotonic)
    cancelled: bool = False
    stopped: bool = False
    over: threading.Event = field(default_factory=threading.Event, repr=False)
    tag: str = field(default_factory=lambda: f"bigdebug-{uuid.uuid4().hex[:8]}")

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
        self._turns = _Turns()
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
                self._tagged(work)
                return function(work)
            except BaseException as error:
                if work.cancelled:
                    raise CancelledError(f"{work.what}: cancelled") from error
                if isinstance(error, KeyboardInterrupt):
                    raise CancelledError(f"{work.what}: cancelled") from None
                raise
            finally:
                work.over.set()
                self._untagged(work)

        try:
            return await asyncio.wrap_future(self._turns.submit(answer))
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
            threading.Thread(target=_cancel_all, args=(spark, work), daemon=True).start()

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
        self._tagged(work)
        while len(self._asked) >= _MOST_OPENED:
            oldest = next(iter(self._asked))
            _forget(self._asked.pop(oldest))
        self._asked[key] = asked = Asked(replay)
        work.say("")
        return asked

    def _tagged(self, work: Work) -> None:
        if self._spark is not None:
            self._spark.sparkContext.addJobTag(work.tag)

    def _untagged(self, work: Work) -> None:
        if self._spark is not None:
            with suppress(Exception):  # Spark may have gone
                self._spark.sparkContext.removeJobTag(work.tag)

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
        """Cancel what goes on. A Spark that was started here ends with this process, whose end it hears of."""
        for work in self.work:
            work.cancelled = True
        spark = self._spark
        if spark is not None and self.work:
            _cancel_jobs(spark, self.work[0])
        self._turns.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

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


class _Turns:
    """A thread that does one thing after the other, and that nobody waits for at the process's end."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, function: Callable[[], _Answer]) -> Future[_Answer]:
        future: Future[_Answer] = Future()
        self._queue.put((future, function))
        if self._thread is None:
            self._thread = threading.Thread(target=self._go_on, name="bigdebug spark", daemon=True)
            self._thread.start()
        return future

    def close(self) -> None:
        self._queue.put(None)

    def _go_on(self) -> None:
        while (turn := self._queue.get()) is not None:
            future, function = turn
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)


def _cancel_all(spark: SparkSession, work: Work) -> None:
    """Cancel the jobs of a question, and those that it still begins, until it has given up."""
    while not work.over.is_set():
        _cancel_jobs(spark, work)
        work.over.wait(_AGAIN_SECONDS)


def _cancel_jobs(spark: SparkSession, work: Work) -> None:
    with suppress(Exception):  # Spark may be going away itself
        spark.sparkContext.cancelJobsWithTag(work.tag)


def _forget(asked: Asked) -> None:
    if asked.kept is not None:
        with suppress(Exception):
            asked.kept.unpersist()
