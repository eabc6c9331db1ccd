"""The directed graph of operators a run asked for."""

from dataclasses import dataclass

from bigdebug.lineage.callsite import CallSite


@dataclass(frozen=True)
class Node:
    """One operator of the dataflow: one DataFrame.

    Attributes:
        id: unique within the run, from 1.
        operator: the method as the user called it: `filter`, `groupBy.agg`, `read.parquet`, `sql`, …
        call_site: where it stands in the user's code.
        parents: ids of the nodes it reads.
        paths: paths as the user wrote them, for a reader.
    """

    id: int
    operator: str
    call_site: CallSite | None
    parents: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()
