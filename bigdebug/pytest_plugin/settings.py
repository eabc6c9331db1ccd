"""The plugin's options, each with its twin in the ini file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

CAPTURES = ("recipe", "full")
BUDGET = 30.0


@dataclass(frozen=True)
class Settings:
    """How to look for culprits, and where to keep what was found.

    Attributes:
        store: where the runs of failing tests are kept; an absolute path or a URI.
        capture: `recipe` or `full`.
        budget: seconds that the isolation of one failure may take.
        report: file that all failures are told in at the end; None for none.
        off: assertions only assert.
    """

    store: str
    capture: str
    budget: float
    report: Path | None
    off: bool


def add_options(parser: pytest.Parser) -> None:
    """Declare them."""
    group = parser.getgroup("bigdebug", "bigdebug: the input records behind failing tests of Spark dataflows")
    group.addoption("--bigdebug-store", metavar="STORE", help="where the runs of failing tests are kept")
    group.addoption(
        "--bigdebug-capture",
        choices=CAPTURES,
        help="recipe (the default): a trace computes outputs again; full: lineage is kept as the jobs run",
    )
    group.addoption(
        "--bigdebug-budget",
        metavar="SECONDS",
        type=float,
        help=f"how long to look for the culprits of one failure ({BUDGET:g}); 0: not at all",
    )
    group.addoption(
        "--bigdebug-report",
        metavar="FILE",
        help="tell all failures in this file: as JSON if it ends in .json, else as Markdown",
    )
    group.addoption(
        "--bigdebug-off",
        action="store_true",
        default=None,
        help="record nothing and look for nothing: assertions only assert",
    )
    parser.addini("bigdebug_store", "where the runs of failing tests are kept; relative to the root folder")
    parser.addini("bigdebug_capture", "recipe or full")
    parser.addini("bigdebug_budget", "seconds that the isolation of one failure may take")
    parser.addini("bigdebug_report", "file that all failures are told in; relative to the root folder")
    parser.addini("bigdebug_off", "record nothing and look for nothing", type="bool", default=False)


def settings_of(config: pytest.Config) -> Settings:
    """What the command line says, else the environment (of the store), else the ini file.

    Raises:
        pytest.UsageError: a value in the ini file can't be.
    """
    capture = config.getoption("bigdebug_capture") or config.getini("bigdebug_capture") or "recipe"
    if capture not in CAPTURES:
        raise pytest.UsageError(f"bigdebug_capture can't be {capture!r}: it is recipe or full")
    budget = config.getoption("bigdebug_budget")
    try:
        budget = float(config.getini("bigdebug_budget") or BUDGET) if budget is None else budget
    except ValueError:
        wrong = config.getini("bigdebug_budget")
        raise pytest.UsageError(f"bigdebug_budget can't be {wrong!r}: it is a number of seconds") from None
    off = config.getoption("bigdebug_off")
    return Settings(
        _place(
            config, config.getoption("bigdebug_store") or os.environ.get("BIGDEBUG_STORE"), "bigdebug_store"
        )
        or str(config.rootpath / ".bigdebug"),
        capture,
        budget,
        Path(report)
        if (report := _place(config, config.getoption("bigdebug_report"), "bigdebug_report"))
        else None,
        bool(config.getini("bigdebug_off")) if off is None else off,
    )


def _place(config: pytest.Config, given: str | None, ini: str) -> str | None:
    """A path on the command line goes from where pytest was called, one in the ini file from the root folder."""
    base, place = (config.invocation_params.dir, given) if given else (config.rootpath, config.getini(ini))
    if not place or "://" in place or place.startswith("file:"):
        return place or None
    return str(base / os.path.expanduser(place))
