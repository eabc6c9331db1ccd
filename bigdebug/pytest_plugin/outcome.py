"""How a test ended: what is told of it, and whether its run stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bigdebug.pytest_plugin.failure import Failure

if TYPE_CHECKING:
    from bigdebug.pytest_plugin.recording import Recording

_MOST_TEXT = 160
_FAILED = pytest.StashKey[bool]()


def note_outcome(
    recording: Recording, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> None:
    """After each phase of a test: keep what failed, end the recording when all is over.

    Args:
        recording: of the test.
        item: the test.
        call: of the phase.
        report: of it; gets what is known of a failure.
    """
    if report.when == "setup":
        item.stash[_FAILED] = False  # it may be run a second time
    if report.failed:
        item.stash[_FAILED] = True
        run = recording.keep()
        failure = _failure_of(recording, call, run)
        if failure is not None:
            _tell(item, report, failure)
    elif report.when == "call":
        recording.passed()
    if report.when == "teardown":
        recording.end(failed=item.stash.get(_FAILED, False))


def _failure_of(recording: Recording, call: pytest.CallInfo[None], run: str | None) -> Failure | None:
    error = call.excinfo.value if call.excinfo is not None else None
    known = getattr(error, "failure", None)
    if isinstance(known, Failure):
        return known
    if run is None:
        return None
    from bigdebug.breakpoints.crashes.crash import place_text, short
    from bigdebug.pytest_plugin.dataflow import opening

    text = (str(error).strip().splitlines() or [""])[0]
    text = text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"
    crashes = recording.crashes
    if crashes:
        first = crashes[0]
        at = f" at {first.call_site.label}" if first.call_site else ""
        text = f"{len(crashes):,} record{'' if len(crashes) == 1 else 's'} crashed {first.operator}{at}"
    found = Failure(
        text,
        detail=[f"{place_text(each)}: {short(each.value)}" for each in crashes[:5]],
        run=run,
        command=opening(run, recording.store),
    )
    if crashes:
        found.crashed = found.detail
    return found


def _tell(item: pytest.Item, report: pytest.TestReport, failure: Failure) -> None:
    told: dict[str, Any] = {"test": item.nodeid, "phase": report.when, **failure.as_dict()}
    told["records"] = failure.culprits
    report.bigdebug = json.dumps(told)  # type: ignore[attr-defined]  # goes to the controller of xdist with the rest
    if not isinstance(failure.command, str):
        return
    properties = [("bigdebug.run", failure.run), ("bigdebug.open", failure.command)]
    properties += [("bigdebug.culprit", each) for each in failure.culprits]
    properties += [("bigdebug.pattern", each) for each in failure.patterns]
    item.user_properties += properties
    if report.user_properties is not item.user_properties:
        report.user_properties += properties
    if not failure.blames and report.when is not None:
        report.sections.append(("bigdebug", f"open the run: {failure.command}"))
