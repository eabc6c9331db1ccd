"""A person at the app's keyboard."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from bigdebug.tui.app import BigDebugApp
from bigdebug.tui.engine import Engine
from bigdebug.tui.view import View


class Driver:
    """A person at the app's keyboard."""

    def __init__(self, app: BigDebugApp, pilot: Any) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def view(self) -> Any:
        """The screen on top."""
        return self.app.screen

    @property
    def said(self) -> str:
        """What the line above the footer says."""
        return str(self.view._said)

    async def press(self, *keys: str) -> None:
        """Press keys, and wait after each until all that it began is done."""
        for key in keys:
            await self.pilot.press(key)
            await self.settled()

    async def type(self, text: str) -> None:
        """Type a text in a field that is empty or whose text is to be replaced, and Enter."""
        from textual.widgets import Input

        self.view.query_one(Input).value = text
        await self.press("enter")

    async def settled(self, seconds: float = 120.0) -> None:
        """Wait until nothing is computed any more."""
        until = time.monotonic() + seconds
        quiet = 0
        while quiet < 3:
            await self.pilot.pause(0.02)
            # What a screen begins it begins when it is mounted.
            coming = not all(screen.is_mounted for screen in self.app.screen_stack)
            busy = any(
                not worker.is_finished
                for screen in self.app.screen_stack
                for worker in screen.workers
                if worker.group not in ("poll", "prompt", "search", "copy", "follow")
            )
            quiet = 0 if self.app.engine.work or coming or busy else quiet + 1
            assert time.monotonic() < until, "it doesn't come to an end"

    async def until(self, holds: Callable[[], Any], seconds: float = 30.0) -> None:
        """Wait until something holds."""
        until = time.monotonic() + seconds
        while not holds():
            await self.pilot.pause(0.05)
            assert time.monotonic() < until, self.screen_text()

    def screen_text(self) -> str:
        """The screen as a person reads it, without colours."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


Story = Callable[[Driver], Coroutine[Any, Any, None]]


def played(
    store: Path | str,
    story: Story,
    spark: SparkSession | None = None,
    size: tuple[int, int] = (80, 24),
    **more: Any,
) -> None:
    """Play a story on an app over a store.

    Args:
        store: the store.
        story: what the person does, and what is then to be seen.
        spark: the session to ask in.
        size: of the terminal.
        more: further arguments of the app.
    """

    async def play() -> None:
        app = BigDebugApp(str(store), engine=Engine(spark), **more)
        async with app.run_test(size=size) as pilot:
            driver = Driver(app, pilot)
            await driver.until(lambda: isinstance(app.screen, View))
            await driver.settled()
            await story(driver)
        app.engine.close()

    asyncio.run(play())


def in_background(function: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Begin something in a thread of its own; the list takes what it gives."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()), daemon=True)
    thread.start()
    return thread, found
