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
from bigdebug.lineage.pinned import settings_at_work

_GROUP_PROPERTIES = ("spark.jobGroup.id", "spark.job.description", "spark.job.interruptOnCancel")
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
    if getattr(_current, "group", None) is not None:
        with around():
            yield _current.group
        return
    if context._jsc is None or context._jsc.sc().isStopped():
        raise UnreachableError(
            f"Can't ask for {what}: the Spark session was stopped",
            hint="ask from the store: bigdebug trace RUN OUTPUT --where SQL",
        )
    group = f"bigdebug-{uuid.uuid4().hex[:8]}"
    before = [context.getLocalProperty(name) for name in _GROUP_PROPERTIES]
    context.setJobGroup(group, f"bigdebug: {what}", interruptOnCancel=True)
    _current.group = group
    interrupted = threading.Event()
    try:
        with deep_plans(), around(), _interrupt_cancels(context, group, interrupted):
            yield group
    except (Py4JNetworkError, ConnectionError) as error:
        raise UnreachableError(
            f"Spark went away while it computed {what}",
            hint="ask from the store: bigdebug trace RUN OUTPUT --where SQL",
        ) from error
    except (PySparkException, Py4JJavaError) as error:
        if interrupted.is_set():
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
        _current.group = None
        with suppress(Py4JError, OSError):  # Spark may have gone
            if context._jsc is not None:
                for name, value in zip(_GROUP_PROPERTIES, before, strict=True):
                    context.setLocalProperty(name, value)


@contextmanager
def _interrupt_cancels(context: Any, group: str, seen: threading.Event) -> Iterator[None]:
    """PySpark's own handler of Ctrl-C cancels every job of the context; ours cancels our group."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def cancel() -> None:
        with suppress(Py4JError, OSError):  # Spark may be stopped before this has its turn
            context.cancelJobGroup(group)

    def interrupted(*_: Any) -> None:
        seen.set()
        # On a thread of its own: this one's connection to the JVM is in the middle of a call.
        threading.Thread(target=cancel, daemon=True).start()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
