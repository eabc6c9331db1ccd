"""Pictures of screens, as SVG. `BIGDEBUG_SNAPSHOTS=write pytest …` draws them anew."""

import os
import re
from pathlib import Path

import pytest

from bigdebug.tui import flow_rows, isolate, runs, skew_rows
from tests.tui.driving import Driver

PICTURES = Path(__file__).parent / "pictures"


def stop_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs from day to day is told as it was on one day."""
    monkeypatch.setattr(runs, "moment", lambda started: "today 09:31")
    for module in (runs, flow_rows, isolate, skew_rows):
        monkeypatch.setattr(module, "duration", lambda seconds: "9.8 s")
    monkeypatch.setattr(skew_rows, "_SECONDS_TOLD", float("inf"))


def steady(svg: str) -> str:
    """A picture without what differs from run to run."""
    svg = re.sub(r"terminal-\d+-", "terminal-", svg)
    svg = re.sub(r"\d{8}-\d{6}-[a-z0-9]{3}", "20261126-071113-x6n", svg)
    return "".join(f"{line.rstrip()}\n" for line in svg.splitlines())


def compared(person: Driver, name: str) -> None:
    """Compare the screen with its picture."""
    width, height = person.app.size
    picture = PICTURES / f"{name}-{person.app.theme.removeprefix('bigdebug-')}-{width}x{height}.svg"
    drawn = steady(person.app.export_screenshot(title="bigdebug", simplify=True))
    if os.environ.get("BIGDEBUG_SNAPSHOTS") == "write":
        PICTURES.mkdir(exist_ok=True)
        picture.write_text(drawn)
    assert drawn == picture.read_text(), f"{picture.name} looks otherwise"
