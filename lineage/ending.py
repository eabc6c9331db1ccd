"""Brings what is recorded to safety before the Spark it came from goes away."""

from collections.abc import Callable
from typing import Any

from bigdebug.lineage.attachments import Attachment, attachments

_detach: list[Callable[[Attachment], None]] = []


def on_stop(detach: Callable[[Attachment], None]) -> None:
    """Name the function that detaches a session whose Spark is about to stop."""
    if detach not in _detach:
        _detach.append(detach)


def before_stop(stopped: Any) -> None:
    """Store what waits and detach the sessions that stop with a SparkSession or SparkContext."""
    context = getattr(stopped, "_sc", stopped)
    for attachment in attachments.all():
        if attachment.context is context:
            attachment.recorder.drain()
            for detach in _detach:
                detach(attachment)
