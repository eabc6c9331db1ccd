"""The settings that a plan's meaning depends on, and how secrets are kept out."""

from __future__ import annotations

import re
from typing import Any

from pyspark.sql import SparkSession

from bigdebug.lineage.catalyst import Catalyst

_SECRET = re.compile(r"(?i)secret|password|passphrase|token|access[._-]?key|credential|private[._-]?key|sas")

_USER_IN_ADDRESS = re.compile(r"://[^/@\s]+@")

_LIBRARIES = (
    "spark.jars",
    "spark.jars.packages",
    "spark.jars.excludes",
    "spark.jars.repositories",
    "spark.driver.extraClassPath",
    "spark.executor.extraClassPath",
    "spark.sql.extensions",
)


def is_secret(key: str) -> bool:
    """Whether a setting or reader option of that name may hold a secret (as Spark redacts them, and more)."""
    return bool(_SECRET.search(key))


def holds_secret_word(text: str) -> bool:
    """Whether a text speaks of what is likely a secret: `SET app.password = …`."""
    return bool(_SECRET.search(text))


def without_secrets(settings: dict[str, str]) -> dict[str, str]:
    """Settings or options less those that are secret by their name, or have a user's password in an address."""
    return {
        key: value
        for key, value in settings.items()
        if not is_secret(key) and not _USER_IN_ADDRESS.search(value)
    }


def without_user(path: str) -> str:
    """A path or URI without the user and password in it."""
    return _USER_IN_ADDRESS.sub("://", path)


def recorded_settings(catalyst: Catalyst, conf: Any) -> dict[str, str]:
    """All `spark.sql.*` set explicitly, less secrets, and what decides a scan's splits pinned to the run's.

    Args:
        conf: a JVM `SQLConf`.
    """
    every = catalyst.entries(conf.getAllConfs())
    settings = {key: value for key, value in every.items() if key.startswith("spark.sql.")}
    settings["spark.sql.session.timeZone"] = str(conf.sessionLocalTimeZone())
    settings.update(pinned_splits(catalyst, settings))
    return without_secrets(settings)


def recorded_libraries(spark: SparkSession) -> dict[str, str]:
    """What tells Spark, as it starts, where Java classes are; less secrets."""
    context = spark.sparkContext.getConf()
    found = {key: str(context.get(key, "") or "") for key in _LIBRARIES}
    return without_secrets({key: value for key, value in found.items() if value})


def pinned_splits(catalyst: Catalyst, settings: dict[str, str]) -> dict[str, str]:
    """What stands in for the machine's number of cores where Spark lays out a scan."""
    parallelism = settings.get("spark.sql.leafNodeDefaultParallelism") or str(
        catalyst.spark.sparkContext.defaultParallelism
    )
    least = settings.get("spark.sql.files.minPartitionNum") or parallelism
    return {
        "spark.sql.leafNodeDefaultParallelism": parallelism,
        "spark.sql.files.minPartitionNum": least,
    }
