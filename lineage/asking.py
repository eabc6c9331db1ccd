"""Our own Spark jobs: one job group a question, so that cancelling it never touches the user's jobs."""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError
from pyspark.errors import PySparkException

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.errors import BigDebugError, UnreachableError
from bigdebug.lineage.failure import first_line, is_too_deep, unreadable_file
from bigdebug.lineage.location import readable_path
from bigdebug.lineage.pinned import settings_at_work, settings_at_work_again

_GROUP_PROPERTIES = ("spark.jobGroup.id", "spark.job.description", "spark.job.interruptOnCancel")
_CANCELLED_WITHIN = 10.0
"""How many seconds Spark is given to take a cancellation."""
_current = threading.local()


def asking(catalyst: Catalyst, what: str) -> AbstractContextManager[str]:
    """Run the jobs of a question about a plan, with the settings that it ran with; see `jobs_of_ours`."""
    return jobs_of_ours(catalyst.spark.sparkContext, what, lambda: settings_at_work(catalyst))


@contextmanager
def jobs_of_ours(
    context: Any, what: str, around: Callable[[], AbstractContextManager[Any]] = nullcontext
) -> Iterator[str]:
    """Run the jobs of a question in a job group of its own; Ctrl-C cancels just them.

    Args:
        context: the SparkContext.
        what: is asked for.
        around: what else the jobs run in.

    Yields the group's name.

    Raises:
        UnreachableError: the Spark session was stopped.
        BigDebugError: Spark couldn't compute the answer.
    """
    asked: _Jobs | None = getattr(_current, "jobs", None)
    if asked is not None:
        with around():
            yield asked.group
        return
    if context._jsc is None or context._jsc.sc().isStopped():
        raise UnreachableError(
            f"Can't ask for {what}: the Spark session was stopped",
            hint="ask from the store: bigdebug trace RUN OUTPUT --where SQL",
        )
    before = [context.getLocalProperty(name) for name in _GROUP_PROPERTIES]
    jobs = _Jobs(context, f"bigdebug-{uuid.uuid4().hex[:8]}", f"bigdebug: {what}")
    jobs.belong_to_the_group()
    _current.jobs = jobs
    try:
        with deep_plans(), around(), _interrupt_cancels(jobs):
            yield jobs.group
    except (Py4JNetworkError, OSError) as error:
        if jobs.interrupted:
            raise KeyboardInterrupt from None
        if not isinstance(error, (Py4JNetworkError, ConnectionError)):
            raise
        raise UnreachableError(
            f"Spark went away while it computed {what}",
            hint="ask from the store: bigdebug trace RUN OUTPUT --where SQL",
        ) from error
    except (PySparkException, Py4JJavaError) as error:
        if jobs.interrupted:
            # The interrupt was lost (raised where Python ignores errors); the jobs it cancelled tell of it.
            raise KeyboardInterrupt from None
        unreadable = unreadable_file(error)
        if unreadable is not None:
            file, reason = unreadable
            raise BigDebugError(
                f"{readable_path(file)} can't be read: {reason}",
                hint="the file is damaged, or not what the program read: put the right one in its place",
            ) from error
        if is_too_deep(error):
            raise BigDebugError(
                f"the program goes through more rounds than Spark can compute at once: {what} can't be told",
                hint="give Java a larger stack before it starts: JDK_JAVA_OPTIONS=-Xss64m in the environment",
            ) from error
        raise BigDebugError(
            f"Spark failed while computing {what}: {first_line(error)}",
            hint="the pipeline itself may fail on this data; its own error is chained to this one",
        ) from error
    finally:
        _current.jobs = None
        with suppress(Py4JError, OSError):  # Spark may have gone
            if context._jsc is not None:
                for name, value in zip(_GROUP_PROPERTIES, before, strict=True):
                    context.setLocalProperty(name, value)


@contextmanager
def until_interrupted(seconds: float | None = None) -> Iterator[None]:
    """What Ctrl-C ends early, while the question that it is part of goes on with what is known by then.

    Args:
        seconds: after which it is ended, too: the jobs that it waits for are cancelled.
    """
    asked: _Jobs | None = getattr(_current, "jobs", None)
    timer = (
        None if seconds is None or seconds <= 0 or asked is None else threading.Timer(seconds, asked.cancel)
    )
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        yield
    except KeyboardInterrupt:
        pass
    except (OSError, Py4JError, PySparkException):
        # py4j closes the connection of the call that was interrupted, and may trip over that itself.
        if asked is None or not asked.interrupted:
            raise
    finally:
        if timer is not None:
            timer.cancel()
            timer.join()
    if asked is not None and asked.interrupted:
        asked.go_on()


def raise_if_interrupted() -> None:
    """Raise an interrupt that was lost: raised where Python ignores errors, it only cancelled the question's jobs.

    To be called where it is taken for no failure of the program's that a job can't be computed.
    """
    asked: _Jobs | None = getattr(_current, "jobs", None)
    if asked is not None and asked.interrupted:
        raise KeyboardInterrupt


class _Jobs:
    """The jobs of a question.

    Args:
        context: the SparkContext.
        group: their job group.
        description: of them, for Spark's screens.
    """

    def __init__(self, context: Any, group: str, description: str) -> None:
        self.group = group
        self._context = context
        self._description = description
        self._cancelling: list[threading.Thread] = []

    @property
    def interrupted(self) -> bool:
        """Whether they were cancelled."""
        return bool(self._cancelling)

    def belong_to_the_group(self) -> None:
        """Have the jobs that this thread runs from now on belong to the group."""
        self._context.setJobGroup(self.group, self._description, interruptOnCancel=True)

    def cancel(self) -> None:
        """Cancel them, on a thread of its own: this one's connection to the JVM is in the middle of a call."""

        def cancel() -> None:
            with suppress(Py4JError, OSError):  # Spark may be stopped before this has its turn
                self._context.cancelJobGroup(self.group)

        thread = threading.Thread(target=cancel, daemon=True)
        self._cancelling.append(thread)
        thread.start()

    def go_on(self) -> None:
        """Let jobs run again after they were cancelled, which must not reach them late."""
        for thread in self._cancelling:
            thread.join(_CANCELLED_WITHIN)
        self._cancelling.clear()
        # The interrupted call's answer may still come: its connection is never used again. A new one has a thread
        # of the JVM of its own, which knows neither the settings nor the group.
        client = self._context._gateway._gateway_client
        if getattr(client, "thread_connection", None) is not None:
            client.thread_connection.connection = None
        settings_at_work_again(self._context)
        self.belong_to_the_group()


@contextmanager
def _interrupt_cancels(jobs: _Jobs) -> Iterator[None]:
    """PySpark's own handler of Ctrl-C cancels every job of the context; ours cancels our group."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupted(*_: Any) -> None:
        jobs.cancel()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
