"""What a test asks of Spark, recorded from before its fixtures are set up until after they are torn down."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from bigdebug.attaching import attach_to
from bigdebug.lineage.attachments import attachments
from bigdebug.lineage.deferring import DeferringRecorder
from bigdebug.lineage.patches import session_patches
from bigdebug.lineage.recorder import logger
from bigdebug.recording import AfterImport

if TYPE_CHECKING:
    from bigdebug.breakpoints.crashes.crash import Crash
    from bigdebug.pytest_plugin.settings import Settings
    from bigdebug.session import Session


class ItemRecorder(DeferringRecorder):
    """Stores a test's run also where Spark is stopped in its middle, for then it can't be done later."""

    over = False
    """Whether the test has passed: what is to come is its fixtures' end."""

    def drain(self, timeout: float = 30.0) -> bool:
        if not self.over and self.outputs:
            self.keep()
        return super().drain(timeout)


class Recording:
    """Records the tests of this process that ask for it, one at a time, each a run of its own.

    Args:
        settings: of the plugin.
    """

    def __init__(self, settings: Settings) -> None:
        self._recorder = ItemRecorder(store=settings.store, arguments=sys.argv)
        self._finder: AfterImport | None = None
        self._there_before = os.path.exists(settings.store)
        self._seen = 0
        self.on = False

    def begin(self, name: str, capture: str) -> None:
        """Record every session that there is and that is made, as one run.

        Args:
            name: of the run.
            capture: `recipe` or `full`.
        """
        self.on = True
        self._recorder.over = False
        self._recorder.start(name, capture)
        self._seen = len(self._all_crashes())
        if "pyspark" in sys.modules:
            self._attach()
        else:
            self._finder = AfterImport("pyspark", self._attach)
            sys.meta_path.insert(0, self._finder)

    def passed(self) -> None:
        """Only the end of the fixtures is to come."""
        self._recorder.over = True

    def keep(self) -> str | None:
        """Store the run; its id, or None where it can't be stored or nothing was asked of Spark."""
        return self._recorder.run_id if self._recorder.outputs and self._recorder.keep() else None

    def end(self, *, failed: bool) -> None:
        """Leave PySpark as it was. The run stays in the store if the test failed, else nothing of it does."""
        if not self.on:
            return
        self.on = False
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        session_patches.uninstall()
        for attachment in attachments.all():
            if attachment.recorder is self._recorder:
                attachment.face._close_live()
                attachment.face.detach()
        if failed:
            if self.keep() is not None:
                self._recorder.finish("failed")
        elif self._recorder.kept:
            self._recorder.drop()
            self._leave_nothing()

    def records(self, recorder: object) -> bool:
        """Whether a recorder is the one of this recording, and not one that the test's own code attached."""
        return recorder is self._recorder

    def session_of(self, spark: Any) -> Session | None:
        """The debugger of a SparkSession: ours, or one that the test's own code has attached."""
        attachment = attachments.of(spark)
        return None if attachment is None else attachment.face

    @property
    def store(self) -> str:
        """Where runs are kept."""
        return self._recorder.store

    @property
    def crashes(self) -> list[Crash]:
        """The records that crashed functions in this test."""
        return self._all_crashes()[self._seen :]

    @property
    def run_id(self) -> str | None:
        """The run's id, once it is kept."""
        return self._recorder.run_id if self._recorder.kept else None

    def _all_crashes(self) -> list[Any]:
        return [] if self._recorder.crash_guard is None else list(self._recorder.crash_guard.crashes)  # type: ignore[attr-defined]

    def _attach(self) -> None:
        try:
            from pyspark import SparkContext
            from pyspark.sql import SparkSession

            from bigdebug.lineage.wrappers import session_wrapper

            session_patches.install(session_wrapper(self.adopt))
            made, context = SparkSession._instantiatedSession, SparkContext._active_spark_context
            for each in (SparkSession.getActiveSession(), made) if context is not None else ():
                if each is not None:
                    self.adopt(each)
        except Exception as error:  # whatever it is, the test's own work is what counts
            self._recorder.failed(error)

    def adopt(self, spark: Any) -> None:
        """Record a session, too, if a test is being recorded and it is one that can be."""
        if not self.on or not hasattr(spark, "_jsparkSession"):
            return  # a bare context: its RDDs are recorded once there is a session; or Spark Connect
        if spark._sc._jsc is not None and attachments.of(spark) is None:
            self._recorder.begin(spark.version)
            attach_to(spark, self._recorder)

    def _leave_nothing(self) -> None:
        """Remove the store, too, if it was made for this and nothing is in it."""
        store = self._recorder.store
        if self._there_before or not os.path.isdir(store) or set(os.listdir(store)) - {".gitignore"}:
            return
        try:
            for name in os.listdir(store):
                os.remove(os.path.join(store, name))
            os.rmdir(store)
        except OSError as error:
            logger.debug("the empty store stays", exc_info=error)
