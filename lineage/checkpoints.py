"""Checkpoints: what the rows of `checkpoint` and `localCheckpoint` were made of.

The plan of a checkpointed frame is only an RDD. The plan that it was called on is kept as a tag on that leaf, so
that it lives as long as the frame does, and a question looks at it in the leaf's place. Checkpoints within it are
opened before it is kept: a loop that checkpoints each round mustn't hold the data of all rounds before.
"""

from __future__ import annotations

from typing import Any

from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.listing import differences, files_now, listed_files
from bigdebug.lineage.opened import Kept
from bigdebug.lineage.row_identity import HADOOP_RELATION

CHECKPOINTS = frozenset({"checkpoint", "localCheckpoint"})

_CHECKPOINTS = Kept("LogicalRDD", "bigdebug.checkpoint")
# A plan of more operators isn't kept: programs checkpoint to be rid of it.
_MOST_OPERATORS = 300


def keep_checkpoint(spark: Any, plan: Any, made: Any) -> None:
    """Keep on a checkpointed frame's plan what it was made of.

    Args:
        spark: the session of both.
        plan: the analyzed plan that the checkpoint was taken of.
        made: the plan of the frame that came of it.
    """
    catalyst = Catalyst(spark)
    if class_name(made) != _CHECKPOINTS.kind:
        return
    whole = with_checkpoints_opened(catalyst, plan)
    if str(whole.toString()).count("\n") > _MOST_OPERATORS:
        return
    _CHECKPOINTS.keep(catalyst.jvm, made, whole)


def with_checkpoints_opened(catalyst: Catalyst, plan: Any) -> Any:
    """A plan with what checkpoints were made of in their place, where that can still be read."""

    def behind(_: Any, whole: Any) -> Any | None:
        return whole if _unchanged(catalyst, whole) else None

    return _CHECKPOINTS.opened(catalyst, plan, behind)


def is_kept(catalyst: Catalyst, leaf: Any) -> bool:
    """Whether a leaf is a checkpoint whose sources have changed since: only then it is still a leaf."""
    return _CHECKPOINTS.behind(catalyst, leaf) is not None


def _unchanged(catalyst: Catalyst, plan: Any) -> bool:
    """Whether the files of a plan are as it listed them: programs checkpoint to overwrite what they read."""
    for leaf in catalyst.items(plan.collectLeaves()):
        if class_name(leaf) != "LogicalRelation":
            continue
        relation = leaf.relation()
        if catalyst.is_instance(relation, HADOOP_RELATION):
            then = listed_files(catalyst, relation)
            if differences(then, files_now(catalyst, [path for path, _, _ in then])):
                return False
    return True
