"""The page in a real browser: opened from disk, on a screen, a phone and paper, and clicked through.

Needs Chromium on the machine, and the extra `browser`.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from report_samples import NASTY, a_skew, a_trace, an_isolation

from bigdebug.cli.main import main

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.base")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")


@pytest.fixture
def report(recorded: Callable[..., tuple[Path, str]], tmp_path: Path) -> Path:
    store, run = recorded()
    values = [{"name": text, "n": number} for number, text in enumerate(NASTY[:-1])]
    chosen = []
    for name, answer in {
        "trace": a_trace(run, values),
        "isolation": an_isolation(run),
        "skew": a_skew(run),
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(answer))
        chosen += ["--with", str(tmp_path / f"{name}.json")]
    assert main(["report", run, "-o", str(tmp_path / "report.html"), *chosen, "--store", str(store)]) == 0
    return tmp_path / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


def opened(browser: Any, report: Path, **how: Any) -> tuple[Any, list[str]]:
    """The page, and what it asked the network for or complained of."""
    page = browser.new_context(**how).new_page()
    told: list[str] = []
    page.on("request", lambda request: told.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.on("dialog", lambda dialog: told.append(dialog.message))
    page.goto(report.as_uri())
    return page, [each for each in told if each != report.as_uri()]


def test_it_loads_nothing_and_can_be_clicked_through(browser: Any, report: Path) -> None:
    page, told = opened(browser, report)
    sections = page.locator("nav a").count()
    assert sections == 7
    for number in range(sections):
        link = page.locator("nav a").nth(number)
        link.click()
        assert page.url.endswith(str(link.get_attribute("href")))
    page.locator("svg a.source").first.click()
    assert page.url.endswith("#operator-1")
    assert page.locator("#operator-1").is_visible()
    page.locator("details", has_text="Traceback of record 1").locator("summary").click()
    assert page.locator("pre").first.is_visible()
    assert told == []


@pytest.mark.parametrize(("colours", "width"), [("light", 1280), ("dark", 390)])
def test_it_is_accessible_and_fits_the_screen(browser: Any, report: Path, colours: str, width: int) -> None:
    how = {"viewport": {"width": width, "height": 800}, "color_scheme": colours, "bypass_csp": True}
    page, told = opened(browser, report, **how)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    page.add_script_tag(content=(Path(axe.__file__).parent / "axe.min.js").read_text("utf-8"))
    found = page.evaluate("axe.run()")
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    assert len(found["passes"]) > 20
    assert told == []


def test_it_prints(browser: Any, report: Path) -> None:
    page, _ = opened(browser, report)
    paper = page.pdf()
    assert paper.startswith(b"%PDF")
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
