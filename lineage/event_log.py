"""Where Spark writes the event log of the application that is recorded."""

from typing import Any


def event_log_settings(context: Any) -> dict[str, str]:
    """`spark.eventLog` with the place of the log, by its final name; empty where Spark writes none.

    Args:
        context: the SparkContext.
    """
    try:
        logger = context._jsc.sc().eventLogger()
        return {"spark.eventLog": str(logger.get().logWriter().logPath())} if logger.isDefined() else {}
    except (
        Exception
    ):  # another Spark has other names inside: the log is found without us, the program goes on
        return {}
