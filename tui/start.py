"""Starts the app in a terminal of its own."""

from __future__ import annotations

from bigdebug.lineage.store import Store
from bigdebug.tui.app import BigDebugApp
from bigdebug.tui.terminal import own_terminal


def start(store: str, run: str | None) -> int:
    """Run the app until the user leaves; the exit code.

    Raises:
        UnknownNameError, UnreachableError: there is no such store or run.
    """
    if run is not None:
        Store(store).find(run)  # what is wrong is said in the shell, not on a screen that goes away
    with own_terminal() as said:
        app = BigDebugApp(store, run, said=said)
        try:
            app.run()
        finally:
            app.engine.close()
    return int(app.return_code or 0)
