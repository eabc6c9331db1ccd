"""A dataflow whose every part reads its sources as the whole of it does.

A part on its own may ask for fewer columns, and which malformed records a scan drops depends on these.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.identity import SourceLeaf, annotate_leaf
from bigdebug.lineage.operators import Operator


def reading_alike(catalyst: Catalyst, root: Operator, sources: dict[Operator, SourceLeaf]) -> Operator:
    """The dataflow with such scans, and without the user's own observations, which aren't ours to trigger.

    Args:
        catalyst: of the session.
        root: the dataflow.
        sources: of its leaves; those that stand in another's place are added.
    """
    if root.kind == "CollectMetrics":
        return reading_alike(catalyst, root.child, sources)
    source = sources.get(root)
    if source is not None:
        if source.pinned is None:
            return root
        found = replace(root, plan=_pinned(catalyst, source))
        sources[found] = source
        return found
    children = tuple(reading_alike(catalyst, child, sources) for child in root.children)
    if all(new is old for new, old in zip(children, root.children, strict=True)):
        return root
    plan = root.plan.withNewChildren(catalyst.seq(child.plan for child in children))
    return replace(root, plan=plan, children=children)


def _pinned(catalyst: Catalyst, source: SourceLeaf) -> Any:
    """The scan behind a filter on its ids, which read the columns that decide which records there are."""
    leaf = annotate_leaf(catalyst, source, valued=False)
    zero = catalyst.literal(0)
    numbered = catalyst.expressions.GreaterThanOrEqual(leaf.id, catalyst.as_long(zero))
    return catalyst.project(catalyst.output(source.operator.plan), catalyst.filter(numbered, leaf.plan))
