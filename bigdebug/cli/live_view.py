"""What `break` and `watch` share: records in a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from bigdebug.cli.rendering import a_table, add_column, show_line, show_table
from bigdebug.lineage.value_text import text_value


def show_records(console: Console, values: Sequence[Any]) -> None:
    """Print records: those of rows by their columns, others one a line."""
    if not values:
        return
    columns = list(values[0]) if all(isinstance(each, dict) for each in values) else []
    if not columns or any(list(each) != columns for each in values):
        for each in values:
            show_line(console, f"  {text_value(each)}")
        return
    table = a_table()
    for column in columns:
        add_column(table, text_value(column))
    for each in values:
        table.add_row(*(text_value(each[column]) for column in columns))
    show_table(console, table)
