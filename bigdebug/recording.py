"""Records the Spark sessions of a script that knows nothing of it, from their start to the script's end."""

import atexit
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from bigdebug.lineage.errors import BigDebugError, ExitCode, UnreachableError


@dataclass(frozen=True)
class RecordingSettings:
    """How to record; the options of `bigdebug run`.

    Attributes:
        store: where to; an absolute path or a URI.
        capture: `recipe` or `full`.
        redact: columns whose values are hashed before anything is written.
        name: the run's name.
        store_hint: what a suggested command must add to reach the same store.
        breaks: call sites to set breakpoints at.
    """

    store: str
    capture: str = "recipe"
    redact: Sequence[str] = ()
    name: str | None = None
    store_hint: str = ""
    breaks: Sequence[str] = ()

    @classmethod
    def from_environment(cls) -> "RecordingSettings":
        """The settings under spark-submit, where there are no options of ours."""
        redact = os.environ.get("BIGDEBUG_REDACT", "")
        return cls(
            store=absolute_store(os.environ.get("BIGDEBUG_STORE", ".bigdebug")),
            capture=os.environ.get("BIGDEBUG_CAPTURE", "recipe"),
            redact=[column.strip() for column in redact.split(",") if column.strip()],
            name=os.environ.get("BIGDEBUG_NAME"),
        )


class Recording:
    """One script's recording: begins when the script imports PySpark, ends when the process does.

    A script that has no use for Spark is left alone: PySpark isn't imported, Java isn't looked for.
    """

    def __init__(self, settings: RecordingSettings) -> None:
        self.failed_with: BaseException | None = None
        self._settings = settings
        self._process = os.getpid()
        self._attached: Any = None
        self._recorded: Any = None
        self._no_java: UnreachableError | None = None

    def begin(self) -> None:
        """Record from the moment the script imports PySpark."""
        # The first function registered is the last to run: after the script's threads have ended and its own
        # functions have run, whatever they still ask of Spark.
        atexit.register(self._end)
        if "pyspark" in sys.modules:
            self._attach()
        else:
            sys.meta_path.insert(0, AfterImport("pyspark", self._attach))

    def end_starting_java(self, error: BaseException) -> None:
        """Leave no Java behind where Ctrl-C ended the script while Spark's was starting."""
        if "pyspark" in sys.modules:
            from bigdebug.lineage.starting import end_starting_java

            end_starting_java(error)

    def explain_failure(self) -> None:
        """Say what to do where the script failed for want of Java, and exit with the code for that."""
        if self._no_java and "JAVA_GATEWAY_EXITED" in str(self.failed_with):
            print(f"error: {self._no_java.message}\nhint: {self._no_java.hint}", file=sys.stderr)
            sys.exit(ExitCode.UNREACHABLE)

    def _attach(self) -> None:
        if "PYSPARK_GATEWAY_PORT" in os.environ:
            # Under spark-submit: Java and the workers' Python are settled.
            _name_after_script()
        else:
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
            from bigdebug.lineage.java import ensure_java

            try:
                ensure_java()
            except UnreachableError as error:
                # A program that only uses Spark Connect does without; another one fails soon enough.
                self._no_java = error
        settings = self._settings
        try:
            from bigdebug.attaching import attach_every_session

            attached = attach_every_session(
                store=settings.store,
                capture=settings.capture,
                redact=settings.redact,
                name=settings.name,
                breaks=settings.breaks,
            )
            self._recorded = attached.__enter__()
            self._attached = attached
        except Exception as error:  # whatever it is, the script's own work is what counts
            _say(f"not recording: {_told(error)}")

    def _end(self) -> None:
        if self._attached is None or os.getpid() != self._process:
            return
        error = self.failed_with
        try:
            self._attached.__exit__(type(error) if error else None, error, None)
        except Exception as problem:
            _say(_told(problem))
        if self._recorded.run_id is not None:
            _flush_output()
            _say(self._summary())

    def _summary(self) -> str:
        outputs = list(self._recorded.outputs)
        told = f"run {self._recorded.run_id} recorded {len(outputs)} output{'' if len(outputs) == 1 else 's'}"
        partial = [output for output in outputs if output.missing]
        if partial:
            missing = sum(output.missing for output in partial)
            numbers = ", ".join(str(output.number) for output in partial)
            told += f"; {missing:,} records are missing from output {numbers}: bigdebug crashes last"
            told += self._settings.store_hint
        if self._settings.breaks:
            return (
                f"{told}; next:\n  bigdebug break last{self._settings.store_hint} {self._settings.breaks[0]}"
            )
        traceable = [output for output in outputs if output.status == "done" and output.recipe == "stored"]
        if not traceable:
            return f"{told}; next:\n  bigdebug show last{self._settings.store_hint}"
        last = "last" if traceable[-1] is outputs[-1] else str(traceable[-1].number)
        return f'{told}; next:\n  bigdebug trace last {last}{self._settings.store_hint} --where "…"'


def absolute_store(store: str) -> str:
    """The store's place for a script that changes its working directory."""
    return (
        store if store.startswith("file:") or "://" in store else os.path.abspath(os.path.expanduser(store))
    )


def _name_after_script() -> None:
    """Give the application the name that spark-submit would give it: the script's, not the launcher's."""
    from pyspark import SparkContext

    SparkContext._ensure_initialized()
    system = SparkContext._jvm.java.lang.System
    if system.getProperty("spark.app.name") == "launcher.py":
        system.setProperty("spark.app.name", os.path.basename(sys.argv[0]))


class AfterImport(importlib.abc.MetaPathFinder):
    """Calls a function once, when the import of a module is over."""

    def __init__(self, name: str, function: Callable[[], None]) -> None:
        self._name = name
        self._function = function

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        loader: Any = spec.loader if spec else None
        if loader is None:
            sys.meta_path.insert(0, self)
            return spec
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module
            execute(module)
            self._function()

        loader.exec_module = exec_module
        return spec


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, BigDebugError) else f"{type(error).__name__}: {error}"


def _flush_output() -> None:
    """Let the script's own output come first, where both go to the same file."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        return


def _say(message: str) -> None:
    if sys.stderr is not None:
        print(f"bigdebug: {message}", file=sys.stderr)
