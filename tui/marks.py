"""Breakpoints that were set in the app. They stop nothing: they are places to come back to, and to look at."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Marks:
    """The breakpoints of a run, by the label of their call site; and where watchpoints and crashes stand.

    Attributes:
        breakpoints: call sites with the condition of each, empty for all records.
        watchpoints: call sites that the run watches.
        crashes: call sites where records crashed.
        skews: call sites of shuffles that were found lopsided in this sitting.
    """

    breakpoints: dict[str, str] = field(default_factory=dict)
    watchpoints: set[str] = field(default_factory=set)
    crashes: set[str] = field(default_factory=set)
    skews: set[str] = field(default_factory=set)

    def of(self, label: str) -> str:
        """The marks of a call site."""
        signs = ""
        if label in self.breakpoints:
            signs += "◉"
        if label in self.watchpoints:
            signs += "◎"
        if label in self.crashes:
            signs += "✗"
        if label in self.skews:
            signs += "▲"
        return signs
