"""Options and arguments that several commands share, so that they read and complete the same everywhere."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click
from click.shell_completion import CompletionItem

from bigdebug.wording.commands import DEFAULT_STORE

_CALL_SITE = re.compile(r".+:[1-9][0-9]*")
"""A place in the user's code, as `etl.py:42`."""

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


def store_option(function: _Decorated) -> _Decorated:
    """Add `--store`: the folder or object-store prefix that holds the runs; passed on as `store`."""
    return click.option(
        "--store",
        metavar="STORE",
        envvar="BIGDEBUG_STORE",
        default=DEFAULT_STORE,
        show_default=True,
        show_envvar=True,
        help="Folder or object-store prefix that holds the runs.",
    )(function)


def json_option(function: _Decorated) -> _Decorated:
    """Add `--json`, for programs; passed on as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(function)


def run_argument(function: _Decorated) -> _Decorated:
    """Add the argument RUN: an id, a unique prefix of one, or `last`; passed on as `run`."""
    return click.argument("run", metavar="RUN", shell_complete=complete_run)(function)


def second_run_argument(function: _Decorated) -> _Decorated:
    """Add another argument RUN, which the first is compared with; passed on as `second`."""
    return click.argument("second", metavar="RUN", shell_complete=complete_run)(function)


def require_call_site(text: str, hint: str = "FILE:LINE") -> None:
    """Raises BadParameter, which names the argument, where a text is no call site."""
    if not _CALL_SITE.fullmatch(text):
        raise click.BadParameter(f"{text!r} is not FILE:LINE", param_hint=hint)


def complete_run(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of runs in a local store, the latest first; another kind of store would take too long to ask."""
    store = Path(str(ctx.params.get("store") or os.environ.get("BIGDEBUG_STORE") or DEFAULT_STORE))
    runs = sorted((entry.parent.name for entry in store.glob("*/run.json")), reverse=True)
    return [CompletionItem(name) for name in ("last", *runs) if name.startswith(incomplete)]
