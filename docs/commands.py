"""Writes the help of every command into the page that asks for it: it can't be out of date."""

from __future__ import annotations

import importlib
from typing import Any

_HERE = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """mkdocs calls this for each page."""
    return markdown.replace(_HERE, every_command()) if _HERE in markdown else markdown


def every_command() -> str:
    """A section for each command."""
    from bigdebug.cli.main import COMMANDS, module_of

    return "\n".join(_section(name, importlib.import_module(module_of(name)).command) for name in COMMANDS)


def _section(name: str, command: Any) -> str:
    lines = [f"## bigdebug {name} {{ #{name} }}", "", "```text", _usage(name, command), "```", ""]
    lines += [*_plain(command.help), ""]
    rows = [_row(each) for each in command.params if each.param_type_name == "option" and not each.hidden]
    if rows:
        lines += ["| option | |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _usage(name: str, command: Any) -> str:
    import click

    context = click.Context(command, info_name=f"bigdebug {name}")
    return " ".join([f"bigdebug {name}", *command.collect_usage_pieces(context)])


def _plain(text: str) -> list[str]:
    """The help's own text: its examples are indented already, which is Markdown for code."""
    import inspect

    return inspect.cleandoc(text).splitlines()


def _row(option: Any) -> str:
    names = ", ".join(f"`{each}`" for each in (*option.opts, *option.secondary_opts))
    kind = f" {option.metavar or option.type.name.upper()}" if not option.is_flag else ""
    told = " ".join((option.help or "").split()).replace("|", "\\|")
    return f"| {names}{kind} | {told}{' Required.' if option.required else ''} |"
