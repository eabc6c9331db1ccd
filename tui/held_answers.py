"""What can be done with records that crashed functions: they are opened in full, and answered where they wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import on, work

from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import text_value
from bigdebug.tui.dialogs import FullText, Prompt
from bigdebug.tui.grid import Grid
from bigdebug.tui.held import Held
from bigdebug.tui.points import asked_of
from bigdebug.tui.view import View
from bigdebug.wording.quantities import plural


class HeldAnswers(View):
    """The actions at the table of such records, which is drawn by who derives from it.

    Attributes:
        run: that they are of.
    """

    run: StoredRun
    _held: Sequence[Held]

    async def _tell(self, command: str, said: str, **request: Any) -> None:
        await asked_of(self.run, command, **request)
        self.say(said)

    # -- records that wait --------------------------------------------------------------------------

    def _held_one(self) -> Held | None:
        grid = self.query_one("#crashes", Grid)
        return self._held[grid.cursor] if grid.cursor < len(self._held) else None

    def _waiting(self) -> Held | None:
        held = self._held_one()
        if held is None or held.number is None:
            self.say("point at a record that waits for an answer", bad=True)
            return None
        return held

    @on(Grid.Selected, "#crashes")
    def _crash_selected(self) -> None:
        held = self._held_one()
        if held is not None:
            self.app.push_screen(
                FullText(f"{held.operator} {held.at}", f"{held.value}\n\n{held.error}\n\n{held.detail}")
            )

    def _resolve(self, held: Held, answer: str, said: str, how: str | None = None) -> None:
        request = {"resolve": answer, "number": held.number, "index": held.index, "with": how}
        self.begin(lambda: self._tell("crashes", said, **request))

    def action_skip(self) -> None:
        held = self._waiting()
        if held is not None:
            self._resolve(held, "skip", "left out: it goes to quarantine")

    def action_fail(self) -> None:
        held = self._waiting()
        if held is not None:
            self._resolve(held, "fail", "the task fails by it")

    @work(exclusive=True, group="prompt")
    async def action_edit(self) -> None:
        held = self._waiting()
        if held is None:
            return
        prompt = Prompt(
            "Give the function this instead", held.value, "a value in Python, such as 'text' or 3.5"
        )
        value = await self.app.push_screen_wait(prompt)
        if value is not None:
            self._resolve(held, "edit", f"it goes on with {text_value(value)}", value)

    @work(exclusive=True, group="prompt")
    async def action_repair(self) -> None:
        held = self._waiting()
        if held is None:
            return
        from bigdebug.tui.repair import RepairScreen

        alike = [
            each
            for each in self._held
            if each.number is not None
            and (each.at, each.operator, each.kind) == (held.at, held.operator, held.kind)
        ]
        written = await self.app.push_screen_wait(RepairScreen(self.run, held, len(alike)))
        if written is None:
            return
        chosen = alike if written.all_alike else [held]

        async def repair() -> None:
            for each in chosen:
                request: dict[str, Any] = {
                    "resolve": "repair",
                    "number": each.number,
                    "index": each.index,
                    "with": written.source,
                }
                await asked_of(self.run, "crashes", **request)
            self.say(f"{plural(len(chosen), 'record')} repaired")

        self.begin(repair)
