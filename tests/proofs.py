"""The long proofs: what passed at a commit isn't run again, and a table tells what was proved.

A test marked `proof` says what it covers. One that draws examples says how many, takes a `part`, and runs once
for each hundred of them, so that little is lost when it is stopped. What passed is kept in pytest's cache, for
the commit, if nothing but results differs from it; the table is written to `benchmarks/results/proof.md`, to be
committed: what wasn't asked for stays in it as it was proved at another commit, and so do the parts of a proof
that haven't run at the present one. With `PROOF_SHARE=0.02` in the environment a fiftieth of the examples is drawn,
as a rehearsal, whose table stays in the cache.
"""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from hypothesis import seed, settings

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
# How many examples are lost, at most, when a proof is stopped.
PART = 100


@dataclass(frozen=True)
class Part:
    """Some of the examples of a proof, which no other part draws.

    Attributes:
        number: of the part, from 0: the seed of its examples.
        examples: how many it draws.
    """

    number: int
    examples: int

    def drawn(self, test: Callable[..., None]) -> Callable[..., None]:
        """A decorator above `given`."""
        sized = settings(max_examples=self.examples)(test)
        # Where the profile asks for other examples on every run, the seed would prevent it.
        return seed(self.number)(sized) if settings().derandomize else sized


@dataclass(frozen=True)
class Proved:
    """How a proof, or a part of one, ended.

    Attributes:
        test: its name for pytest.
        covers: what it judges.
        seconds: how long it took; None if it hasn't run.
        result: `passed`, `failed` or `not run`.
        part: which part it is, if it draws examples.
        examples: how many examples it drew.
        commit: at which it ran; None for the present one.
    """

    test: str
    covers: str
    seconds: float | None = None
    result: str = "not run"
    part: int | None = None
    examples: int | None = None
    commit: str | None = None


class Proofs:
    """A plugin of pytest; see the module.

    Args:
        config: of pytest.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._share = float(os.environ.get("PROOF_SHARE", "1"))
        self._begun = False
        self._ran: dict[str, Proved] = {}
        self._written: Path | None = None

    # -- what pytest calls --------------------------------------------------------------------------

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        mark = metafunc.definition.get_closest_marker("proof")
        if mark is None or "examples" not in mark.kwargs:
            return
        count = math.ceil(mark.kwargs["examples"] / PART)
        each = max(1, round(mark.kwargs["examples"] / count * self._share))
        parts = [Part(number, each) for number in range(count)]
        metafunc.parametrize("part", parts, ids=[f"part {p.number + 1} of {count}" for p in parts])

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        mark = _mark(item)
        if mark is not None and not mark.args:
            raise pytest.UsageError(f"{item.nodeid} is a proof that doesn't say what it covers")

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._begun = self._begun or _mark(item) is not None
        before = self._kept.get(item.nodeid) if _mark(item) else None
        if before and before.result == "passed":
            pytest.skip(f"passed at {self._commit}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        report: pytest.TestReport = yield  # type: ignore[assignment]
        if _mark(item) and (report.failed or (report.when == "call" and report.passed)):
            proved = _described(item, seconds=round(call.duration, 1), result=report.outcome)
            self._ran[item.nodeid] = proved
            if self._file:
                with self._file.open("a") as lines:
                    lines.write(json.dumps(asdict(proved)) + "\n")
        return report  # type: ignore[return-value]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self._begun:
            return
        asked = [item for item in session.items if _mark(item)]
        now = {item.nodeid: _described(item) for item in asked} | self._kept | self._ran
        tests = {test.partition("[")[0] for test in now}
        earlier = {test: each for test, each in self._earlier.items() if test.partition("[")[0] in tests}
        known = earlier | {test: each for test, each in now.items() if each.seconds or test not in earlier}
        self._written = (RESULTS if self._share == 1 else self._folder or RESULTS) / "proof.md"
        standing = self._written.read_text() if self._written.exists() else ""
        self._written.write_text(self._head() + table(known.values(), self._commit, standing))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._written:
            terminalreporter.write_line(f"what is proved at {self._commit}: {self._written}")

    # -- what is kept -------------------------------------------------------------------------------

    @cached_property
    def _commit(self) -> str:
        return commit()

    @cached_property
    def _folder(self) -> Path | None:
        cache = getattr(self._config, "cache", None)  # None where pytest is told to do without
        return cache.mkdir("proof") if cache else None

    @cached_property
    def _file(self) -> Path | None:
        """Where results are kept; None where nobody could say what they are results of."""
        if self._folder is None or not self._commit.isalnum():
            return None
        return self._folder / f"{self._commit} {_versions()} {self._share:g}.jsonl"

    @cached_property
    def _kept(self) -> dict[str, Proved]:
        if self._file is None or not self._file.exists():
            return {}
        lines = [Proved(**json.loads(line)) for line in self._file.read_text().splitlines()]
        return {proved.test: proved for proved in lines}

    @cached_property
    def _earlier(self) -> dict[str, Proved]:
        """How parts of proofs ended at other commits, the last time that they ran."""
        if self._file is None or self._folder is None:
            return {}
        _, _, ours = self._file.name.partition(" ")
        others = {path for path in self._folder.glob(f"* {ours}") if path != self._file}
        found = {}
        for path in sorted(others, key=lambda each: each.stat().st_mtime):
            for line in path.read_text().splitlines():
                proved = Proved(**json.loads(line) | {"commit": path.name.partition(" ")[0]})
                if proved.part is not None:
                    found[proved.test] = proved
        return found

    def _head(self) -> str:
        drawn = "" if self._share == 1 else f" A rehearsal, with {self._share:.1%} of the examples."
        return (
            "Proved with `pytest -m proof`, each at the commit beside it; the last ones with "
            f"{_versions()}, {os.cpu_count()} cores.{drawn}\n\n"
        )


def _mark(item: pytest.Item) -> pytest.Mark | None:
    return item.get_closest_marker("proof")


def _described(item: pytest.Item, **outcome: Any) -> Proved:
    mark, params = _mark(item), getattr(item, "callspec", None)
    assert mark is not None
    part = params.params.get("part") if params else None
    if part is not None:
        outcome |= {"part": part.number, "examples": part.examples}
    return Proved(item.nodeid, *mark.args, **outcome)


def _versions() -> str:
    import pyspark

    return f"PySpark {pyspark.__version__}, Python {platform.python_version()}"


def commit() -> str:
    """The last commit that changed anything but results; marked where the tree has changes beside it."""
    but_results = (".", ":(top,exclude)benchmarks/results")
    top = RESULTS.parents[1]

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], capture_output=True, text=True, cwd=top, check=True
        ).stdout.strip()

    try:
        last = git("log", "-1", "--format=%h", "--abbrev=12", "--", *but_results)
        changed = git("status", "--porcelain", "--", *but_results)
    except (OSError, subprocess.CalledProcessError):
        return "(unknown)"
    return f"{last} (and changes)" if changed else last


def table(proved: Iterable[Proved], commit: str, standing: str = "") -> str:
    """A line for each test, its parts together.

    Args:
        proved: what was asked for now.
        commit: at which.
        standing: an earlier table, whose lines stay for what hasn't run now.
    """
    tests: dict[str, list[Proved]] = {}
    for each in proved:
        tests.setdefault(each.test.partition("[")[0], []).append(each)
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in standing.splitlines()[4:]}
    for test, parts in tests.items():
        ran = [each for each in parts if each.seconds is not None]
        if ran or test not in lines:
            seconds = f"{sum(each.seconds or 0 for each in ran):,.0f}" if ran else "-"
            commits = dict.fromkeys(each.commit or commit for each in sorted(ran, key=lambda one: one.test))
            told = (test, _covers(parts), seconds, _result(parts), ", ".join(commits) or "-")
            lines[test] = f"| {' | '.join(told)} |"
    head = ["| test | covers | seconds | result | commit |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(line for _, line in sorted(lines.items()))]) + "\n"


def _covers(parts: list[Proved]) -> str:
    examples = sum(each.examples or 0 for each in parts)
    if not examples:
        return parts[0].covers
    in_parts = f", in {len(parts)} parts (seeds 0 to {len(parts) - 1})" if len(parts) > 1 else ""
    return f"{examples:,} {parts[0].covers}{in_parts}"


def _result(parts: list[Proved]) -> str:
    counts = {
        result: sum(each.result == result for each in parts) for result in ("failed", "passed", "not run")
    }
    told = [f"{result}: {count} of {len(parts)}" for result, count in counts.items() if count]
    return told[0].partition(":")[0] if len(told) == 1 else ", ".join(told)
