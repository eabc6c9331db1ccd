"""The rows of an output that fail, as replays know them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bigdebug.isolation.candidate_set import CandidateSet
from bigdebug.isolation.closed_form import ClosedForm
from bigdebug.isolation.search import Outcome

Identity = tuple[int, int]
"""Of an output row: hashes of the records and keys that it stands on."""
Found = dict[tuple[int, Identity], Outcome]
"""By place of a subset and row what became of it."""


@dataclass(frozen=True)
class FailingRow:
    """A row of the output that fails.

    Attributes:
        identity: followed through the replays.
        value: its columns by name.
    """

    identity: Identity
    value: dict[str, Any]


@dataclass(frozen=True)
class FailingGroups:
    """Rows that fail, each of a group of records.

    Attributes:
        matched: how many there are.
        rows: the first of them, in the order of their keys.
        candidates: the records that these come from.
        closed: what becomes of these rows in closed form, where there is one.
        finer: gives the same with more known of the candidates; None where all is known. It gives none where the
            candidates have to be found by a trace.
    """

    matched: int
    rows: list[FailingRow]
    candidates: CandidateSet
    closed: ClosedForm | None = None
    finer: Callable[[], FailingGroups | None] | None = None
