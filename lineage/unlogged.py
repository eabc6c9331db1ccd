"""Keeps what PySpark logs of our own attempts out of the user's sight."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.logger import PySparkLogger

_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")


@contextmanager
def unlogged() -> Iterator[None]:
    """Let analyses fail without the line that PySpark logs of each; those of other threads are logged as ever."""
    ours = threading.get_ident()

    def of_another_thread(record: logging.LogRecord) -> bool:
        return record.thread != ours

    # By PySpark's own hand: a plain logger of that name would make its next complaint a TypeError.
    loggers = [PySparkLogger.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(of_another_thread)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(of_another_thread)
