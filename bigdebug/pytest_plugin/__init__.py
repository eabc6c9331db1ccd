"""The pytest plugin: a fixture `dataflow` whose failing assertions name the input records to blame.

PYTEST_DONT_REWRITE: nothing here is a test. Loads nothing but pytest until a test uses the fixture.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from bigdebug.pytest_plugin.dataflow import Dataflow
    from bigdebug.pytest_plugin.failure import Failure

_FIXTURE = "dataflow"
_MARK = "bigdebug(capture='recipe', budget=30): how the fixture dataflow records this test, and looks for culprits"
_SETTINGS = pytest.StashKey[Any]()
_RECORDING = pytest.StashKey[Any]()


class DataflowAssertionError(AssertionError):
    """An assertion about a dataflow doesn't hold.

    Args:
        failure: what was found out about it.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    from bigdebug.pytest_plugin.settings import add_options

    add_options(parser)
    _keep_as_written(pluginmanager)


def pytest_configure(config: pytest.Config) -> None:
    from bigdebug.pytest_plugin.settings import settings_of

    config.addinivalue_line("markers", _MARK)
    config.stash[_SETTINGS] = settings_of(config)


# -- the fixtures -----------------------------------------------------------------------------------


@pytest.fixture
def dataflow(request: pytest.FixtureRequest) -> Dataflow:
    """Assertions about Spark DataFrames that name the input records behind each failing row.

    It uses whatever SparkSession the test has; a test that has none may ask for `bigdebug_spark`.
    """
    from bigdebug.pytest_plugin.dataflow import Dataflow

    settings, item = request.config.stash[_SETTINGS], request.node
    if settings.off:
        return Dataflow(None, 0)
    recording = _recording_of(request.config)
    if not recording.on:  # it was asked for in the middle, by name
        recording.begin(item.nodeid, _marked(item, "capture", settings.capture))
    return Dataflow(recording, float(_marked(item, "budget", settings.budget)))


@pytest.fixture(scope="session")
def bigdebug_spark(request: pytest.FixtureRequest) -> Iterator[SparkSession]:
    """A local SparkSession of two cores, for those who have no fixture of their own."""
    import os
    import sys

    from bigdebug.lineage.java import ensure_java

    ensure_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    from pyspark.sql import SparkSession

    there = SparkSession.getActiveSession()
    session = (
        SparkSession.builder.master("local[2]")
        .appName("pytest")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .getOrCreate()
    )
    recording = request.config.stash.get(_RECORDING, None)
    if recording is not None:
        recording.adopt(session)  # one that code of ours makes isn't by itself
    yield session
    if there is None and session.sparkContext._jsc is not None:
        session.stop()


# -- the way of a test ------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    settings = item.config.stash[_SETTINGS]
    if not settings.off and _FIXTURE in getattr(item, "fixturenames", ()):
        _recording_of(item.config).begin(item.nodeid, _marked(item, "capture", settings.capture))
    yield


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    recording = item.config.stash.get(_RECORDING, None)
    if recording is not None and recording.on:
        from bigdebug.pytest_plugin.outcome import note_outcome

        note_outcome(recording, item, call, report)
    return report


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    failed = [
        report
        for kind in ("failed", "error")
        for report in terminalreporter.stats.get(kind, ())
        if getattr(report, "bigdebug", None)
    ]
    settings = config.stash[_SETTINGS]
    if failed or settings.report is not None:
        from bigdebug.pytest_plugin.summary import summarize, write_report

        summarize(terminalreporter, failed)
        if settings.report is not None:
            write_report(settings.report, failed)


def pytest_unconfigure(config: pytest.Config) -> None:
    recording = config.stash.get(_RECORDING, None)
    if recording is not None:
        recording.end(failed=False)  # of a test that was interrupted


# -- inside -----------------------------------------------------------------------------------------


def _recording_of(config: pytest.Config) -> Any:
    """What records the tests of this process."""
    found = config.stash.get(_RECORDING, None)
    if found is None:
        from bigdebug.pytest_plugin.recording import Recording

        found = config.stash[_RECORDING] = Recording(config.stash[_SETTINGS])
    return found


def _marked(item: pytest.Item, name: str, otherwise: Any) -> Any:
    """A setting as the nearest mark says it.

    Raises:
        pytest.UsageError: the mark says something that there isn't.
    """
    from bigdebug.pytest_plugin.settings import CAPTURES

    for mark in item.iter_markers("bigdebug"):
        if mark.args or set(mark.kwargs) - {"capture", "budget"}:
            raise pytest.UsageError(f"{item.nodeid}: the mark is {_MARK}")
        if mark.kwargs.get("capture", "recipe") not in CAPTURES:
            raise pytest.UsageError(f"{item.nodeid}: capture can't be {mark.kwargs['capture']!r}")
        if name in mark.kwargs:
            return mark.kwargs[name]
    return otherwise


def _keep_as_written(pluginmanager: pytest.PytestPluginManager) -> None:
    """Keep pytest from rewriting the assertions of all of bigdebug, as it does in every package with a plugin.

    Functions of ours travel to Spark's workers, which mustn't need pytest.
    """
    marked = getattr(getattr(pluginmanager, "rewrite_hook", None), "_must_rewrite", None)
    if isinstance(marked, set):
        marked.discard("bigdebug")
