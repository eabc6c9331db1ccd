"""A question about an output of RDDs: what it is about, and what is known to make the answer inexact."""

from __future__ import annotations

from dataclasses import dataclass

from bigdebug.lineage.operators import NodeLookup
from bigdebug.lineage.rdd.rows import RddRows


@dataclass(frozen=True)
class RddQuestion:
    """An RDD, or an output that is one, ready to be asked about.

    Attributes:
        rows: what was asked about.
        lookup: gives the recorded node of a tag's value.
        notes: what is already known to make it inexact.
    """

    rows: RddRows
    lookup: NodeLookup
    notes: tuple[str, ...] = ()
