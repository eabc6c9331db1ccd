"""Opens a file in the user's editor, at a line."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.app import App

_PLUS_LINE = ("vi", "vim", "nvim", "nano", "emacs", "emacsclient", "joe", "micro", "kak", "pico", "ed")
_COLON_LINE = ("hx", "helix", "subl", "zed")


def editor_command(editor: str, file: str, line: int) -> list[str]:
    """The command that opens a file at a line.

    Args:
        editor: as `$EDITOR` has it, with arguments of its own.
        file: the file.
        line: from 1.
    """
    words = shlex.split(editor)
    name = os.path.basename(words[0]) if words else ""
    if name in _PLUS_LINE:
        return [*words, f"+{line}", file]
    if name in _COLON_LINE:
        return [*words, f"{file}:{line}"]
    if name in ("code", "codium", "cursor"):
        return [*words, "--goto", f"{file}:{line}"]
    return [*words, file]


def open_editor(app: App[Any], file: str, line: int) -> str | None:
    """Open a file in `$VISUAL` or `$EDITOR`, and come back when that ends; a problem, in words."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    if not os.path.isfile(file):
        return f"{file} isn't there any more"
    if app.is_web:
        return f"a browser has no editor: {file}:{line}"
    command = editor_command(editor, file, line)
    try:
        with app.suspend():
            ended = subprocess.run(command, stdin=0, stdout=_terminal(), stderr=_terminal(), check=False)
    except OSError as error:
        return f"{editor} can't be started: {error.strerror or error}"
    except Exception as error:
        return f"an editor can't be opened here: {error}"
    return f"{editor} ended with exit code {ended.returncode}" if ended.returncode else None


def _terminal() -> Any:
    import sys

    return sys.__stderr__
