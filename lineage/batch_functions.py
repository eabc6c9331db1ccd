"""The functions that streaming queries hand their micro-batches to: what these do is recorded like any program."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import Any

from bigdebug.lineage.attachments import Attachment, attachments
from bigdebug.lineage.batches import end_batch, keep_batch
from bigdebug.lineage.nodes import call_site, complain, node_id_of
from bigdebug.lineage.patches import patches

_Function = Callable[[Any, int], Any]
_RECORDED = "_bigdebug_batches"


def recorded_function(writer: Any, function: Any, frame: FrameType) -> Any:
    """What stands in place of a function given to `foreachBatch`.

    Args:
        writer: the `DataStreamWriter`.
        function: the user's.
        frame: that of the user's call.
    """
    attachment = attachments.of(writer._spark)
    if attachment is None or not callable(function):
        return function
    writer.__dict__[_RECORDED] = True
    recorder = attachment.recorder
    parent = node_id_of(attachment, writer._df)
    parents = [] if parent is None else [parent]
    node = recorder.add_node("writeStream.foreachBatch", call_site(attachment, frame), parents, ())
    return _BatchFunction(attachment, function, recorder.tag(node))


def records_batches(writer: Any) -> bool:
    """Whether all that a `DataStreamWriter` writes goes through a function whose doings are recorded."""
    return _RECORDED in writer.__dict__


class _BatchFunction:
    """Calls the user's function with the batch's session attached.

    Each batch comes in a session of its own, a clone of the query's, which nobody else knows.
    """

    def __init__(self, attachment: Attachment, function: _Function, tag: str) -> None:
        self._attachment = attachment
        self._function = function
        self._tag = tag

    def __call__(self, frame: Any, number: int) -> Any:
        batch = leaf = None
        try:
            if self._attachment.active:
                batch, leaf = self._begun(frame)
        except Exception as problem:
            complain(problem)
        try:
            return self._function(frame, number)
        except BaseException as error:
            if error.__traceback__ is not None:
                error.__traceback__ = error.__traceback__.tb_next
            raise
        finally:
            self._end(batch, leaf)

    def _begun(self, frame: Any) -> tuple[Attachment, Any]:
        above = self._attachment
        plan = frame._jdf.logicalPlan()
        plan.setTagValue(above.tag, self._tag)
        leaf = keep_batch(above.spark, plan)
        batch = Attachment(frame.sparkSession, above.recorder, above=above)
        batch.face = above.face
        attachments.add(batch)
        return batch, leaf

    def _end(self, batch: Attachment | None, leaf: Any) -> None:
        try:
            if batch is not None:
                attachments.remove(batch)
                if not attachments.all():
                    patches.uninstall()
            if leaf is not None:
                end_batch(self._attachment.spark, leaf)
        except Exception as problem:
            complain(problem)
