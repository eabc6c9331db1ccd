"""The rows of an output that fail, as replays know them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bigdebug.isolation.candidate_set import CandidateSet
from bigdebug.isolation.closed_form import ClosedForm
from bigdebug.isolation.search import Outcome
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.records import as_dict
from bigdebug.lineage.segments import RowSet, fetch

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


def first_groups(
    catalyst: Catalyst, plan: Any, most: int, *, all_one: bool
) -> tuple[int, list[FailingRow], RowSet]:
    """How many groups fail, the first of them by their keys, and these.

    Args:
        catalyst: of the pinned session.
        plan: of the failing rows: the group's key, the two parts of the row's identity, and the row as a struct.
        most: groups that are told.
        all_one: whether all rows are of one group, which has no key.
    """
    columns = catalyst.output(plan)
    found = fetch(catalyst, plan, columns, valued=True) or fetch(catalyst, plan, columns, valued=False)
    assert found is not None
    rows, persisted = found
    if rows.fetched and not all_one:
        first = rows.first(most)
    else:
        taken = catalyst.limit(most, rows.plan)
        few = fetch(catalyst, taken, catalyst.output(taken), valued=True)
        assert few is not None
        first = few[0]
    if persisted is not None:
        persisted.unpersist()
    told = [FailingRow((row[1], row[2]), as_dict(row[3])) for row in first.frame().collect()]
    return rows.count, told, first.columns([catalyst.output(first.plan)[0]])
