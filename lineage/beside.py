"""What a trace may take for contributors beside the records that rows were made of. Loads no Spark."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Beside:
    """What counts as contributors beside the records that a row was made of.

    Attributes:
        windows: all rows of a window's partition.
        influence: what semi-joins and subqueries looked up.
    """

    windows: bool = False
    influence: bool = False
