"""The one table of what the app can do: behind its keys, the footer, the help screen and the command palette.

A user's own keys stand in a file of lines `action = "key"`, with the actions' names of this table.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from textual.binding import Binding, BindingType

from bigdebug.lineage.errors import BigDebugError

SCREENS = {
    "runs": "Runs",
    "flow": "Dataflow",
    "records": "Records",
    "trace": "Trace",
    "file": "Source file",
    "why": "Why not",
    "isolate": "Isolate",
    "skew": "Skew",
    "slow": "Slow records",
    "live": "Watch and crash",
}
"""The screens that have actions of their own, with their titles."""


@dataclass(frozen=True)
class Action:
    """Something that the app can do.

    Attributes:
        name: of the action, unique; the screen's method is `action_` and this.
        keys: that ask for it, with commas.
        label: in the footer and the palette.
        help: a sentence.
        screens: where there is such a thing; empty for everywhere.
        footer: it stands in the footer.
    """

    name: str
    keys: str
    label: str
    help: str
    screens: tuple[str, ...] = ()
    footer: bool = True

    def on(self, screen: str) -> bool:
        """Whether a screen has it."""
        return not self.screens or screen in self.screens


ACTIONS = (
    Action("open", "s,enter", "Open", "Step into what the cursor is on.", ("runs", "flow", "trace"), False),
    Action("search", "slash", "Search", "Show only the runs whose id, name or script hold a text.", ("runs",)),
    Action("refresh", "r", "Refresh", "Read the store again.", ("runs", "flow"), False),
    Action("next", "n", "Next", "Go on to the next operator down the way, or the next step.",
           ("flow", "trace", "why"), False),
    Action("up", "u", "Up", "Go to the operator that reads what this one gives.", ("flow", "trace", "why"), False),
    Action("down", "d", "Down", "Go to what this operator reads.", ("flow", "trace", "why"), False),
    Action("go_on", "c", "Continue", "Go all the way: to the next output or mark; in a trace to the source.",
           ("flow", "trace", "why"), False),
    Action("fold", "space", "Fold", "Fold a long chain of operators into a line, or unfold it.", ("flow",), False),
    Action("count", "R", "Row counts", "Count the rows in and out of each operator, by computing the outputs again.",
           ("flow",)),
    Action("breakpoint", "b", "Break", "Set a breakpoint at the operator, or take it away; rows that pass are shown.",
           ("flow", "live")),
    Action("watchpoint", "w", "Watch", "Set a watchpoint with a guard at the operator of a running program.",
           ("flow", "live")),
    Action("live", "L", "Live", "Watchpoints, their hits, and records that crashed functions.", ("flow",)),
    Action("filter", "slash", "Filter", "Show only rows for which an SQL expression holds (Python, of RDDs).",
           ("records",)),
    Action("sort", "o", "Sort", "Sort by the column of the cursor, up, down, and not at all.", ("records",)),
    Action("value", "v,enter", "Value", "Open the value in full.", ("records",), False),
    Action("trace", "t", "Trace", "Trace the row, or the key, back to the records it came from.",
           ("records", "flow", "isolate", "skew", "slow")),
    Action("why", "y", "Why not", "Tell why a row is missing: which operator dropped it.", ("records", "flow")),
    Action("isolate", "exclamation_mark", "It's wrong", "Say what is wrong, and find the records to blame.",
           ("records", "flow")),
    Action("skew", "S", "Skew", "Tell how lopsided the output's shuffles are, by which keys, and what to do.",
           ("flow",)),
    Action("slow", "m", "Slow records", "Time the program's functions record by record, and show the slowest records.",
           ("flow", "skew"), False),
    Action("what_if", "w", "What if", "Tell what a change would come to: salt=16, partitions=400.", ("skew",)),
    Action("copy_code", "c", "Copy code", "Copy the code or setting of a piece of advice.", ("skew",)),
    Action("forward", "f", "Forward", "Trace the record forward to the rows that it went into.", ("trace",)),
    Action("narrow", "N", "Narrow", "Where the trace is conservative, find fewer records by replays.", ("trace",)),
    Action("save_test", "S", "Save test", "Write a test of the smallest failing input.", ("isolate",)),
    Action("stop", "full_stop", "Stop", "End the search; the best found so far is the answer.", ("isolate",)),
    Action("guard", "g", "Guard", "Change the guard of a watchpoint while the program runs.", ("live",)),
    Action("remove", "delete", "Remove", "Watch no more.", ("live",), False),
    Action("skip", "i", "Skip", "Leave the held record out: it goes to quarantine.", ("live",)),
    Action("edit", "e", "Edit", "Give the function another value in place of the held record.", ("live",)),
    Action("repair", "p", "Repair", "Write a function that repairs the held record; try it, apply it to one or all.",
           ("live",)),
    Action("fail", "F", "Fail", "Let the task fail by the held record.", ("live",), False),
    Action("editor", "ctrl+e", "Editor", "Open the call site in $EDITOR.",
           ("flow", "records", "trace", "why", "file", "isolate", "skew", "slow", "live"), False),
    Action("copy", "x", "Copy", "Copy what is shown as text, CSV or JSON, or the command that shows it."),
    Action("command", "X", "Copy command", "Copy the exact command for what is on the screen.", (), False),
    Action("cancel", "ctrl+c", "Cancel", "Give up what is being computed.", (), False),
    Action("theme", "T", "Theme", "Go on to the next theme: dark, light, the terminal's own colours.", (), False),
    Action("back", "escape,q", "Back", "Cancel what is computed for this screen, or go back; at the runs, quit."),
    Action("help", "question_mark,f1", "Help", "All keys of this screen."),
    Action("quit", "ctrl+q", "Quit", "Leave; programs that run don't notice.", (), False),
)  # fmt: skip


def bindings(screen: str) -> list[BindingType]:
    """The bindings of a screen, in the order of the footer."""
    # A narrow terminal cuts the footer off at its right: the way out and the list of all keys stay.
    ordered = sorted(ACTIONS, key=lambda each: each.name not in ("back", "help"))
    return [
        Binding(each.keys, each.name, each.label, show=each.footer, tooltip=each.help, id=each.name)
        for each in ordered
        if each.on(screen)
    ]


def key_file() -> Path:
    """Where a user's own keys stand."""
    named = os.environ.get("BIGDEBUG_KEYS")
    if named:
        return Path(named).expanduser()
    place = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(place, "bigdebug", "keys.toml")


def own_keys(path: Path | None = None) -> dict[str, str]:
    """A user's own keys by action; none where there is no such file.

    Raises:
        BigDebugError: the file can't be read, or names no action.
    """
    path = path or key_file()
    try:
        found = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BigDebugError(
            f"the key map {path} can't be read: {error}", hint='lines such as trace = "f5"'
        ) from None
    known = {each.name for each in ACTIONS}
    for name, keys in found.items():
        if name not in known or not isinstance(keys, str):
            raise BigDebugError(
                f"the key map {path} names no action of ours: {name}",
                hint=f"there are: {', '.join(sorted(known))}",
            )
    return found


def keys_of(action: Action, own: dict[str, str]) -> str:
    """The keys of an action as a person reads them."""
    return " ".join(_SHOWN.get(key, key) for key in own.get(action.name, action.keys).split(","))


_SHOWN = {
    "slash": "/",
    "question_mark": "?",
    "exclamation_mark": "!",
    "full_stop": ".",
    "escape": "Esc",
    "enter": "Enter",
    "space": "Space",
    "delete": "Del",
    "ctrl+e": "Ctrl-E",
    "ctrl+c": "Ctrl-C",
    "ctrl+q": "Ctrl-Q",
    "f1": "F1",
}
