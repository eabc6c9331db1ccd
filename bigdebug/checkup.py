"""Checks of everything that bigdebug needs; each says what was found and, if that won't do, what to do."""

import importlib.metadata
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.java import ensure_java, find_java

OLDEST_PYTHON = (3, 11)
OLDEST = {"pyspark": (4, 0), "pandas": (2, 2), "pyarrow": (18, 0)}
TOO_NEW = {"pyspark": (5,), "pandas": (3,)}
_JOB_SECONDS = 180

_JOB = """
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf
spark = (
    SparkSession.builder.master("local[1]").appName("bigdebug doctor")
    .config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "1").getOrCreate()
)
twice = udf(lambda number: 2 * number, "long")
assert [row[0] for row in spark.range(1, 4).select(twice("id")).collect()] == [2, 4, 6]
spark.stop()
"""


@dataclass(frozen=True)
class Check:
    """What one look found.

    Attributes:
        name: what was looked at.
        ok: whether it will do.
        found: what is there.
        advice: what to do, if it won't do.
        unreachable: Java, Spark or the store can't be reached at all.
    """

    name: str
    ok: bool
    found: str
    advice: str | None = None
    unreachable: bool = False


def looks(store: str, *, with_spark: bool = True) -> list[tuple[str, Callable[[], Check]]]:
    """All checks, in the order to make them: the name of each and the function that makes it."""
    found: list[tuple[str, Callable[[], Check]]] = [
        ("Python", _python),
        ("Java", _java),
        ("PySpark", _pyspark),
        ("workers' Python", _workers_python),
        ("pyarrow", lambda: _package("pyarrow")),
        ("pandas", lambda: _package("pandas")),
        ("store", lambda: _store(store)),
    ]
    return [*found, ("a Spark job", _spark_job)] if with_spark else found


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    found = f"{version}, {sys.executable}"
    if sys.version_info[:2] < OLDEST_PYTHON:  # pip refuses it, a copied folder doesn't
        return Check("Python", False, found, "make the virtual environment with Python 3.11 or later")
    return Check("Python", True, found)


def _java() -> Check:
    java = find_java()
    if java is None:
        home = os.environ.get("JAVA_HOME")
        found = f"none of 17 or later (JAVA_HOME is {home})" if home else "none of 17 or later"
        advice = "pip install 'bigdebug[java]', or install Java 17 or 21 and set JAVA_HOME"
        return Check("Java", False, found, advice, unreachable=True)
    found = f"{java.version}, from {java.origin}: {java.path}"
    spark = _version("pyspark")
    if spark and _numbers(spark)[:2] == (4, 0) and java.version > 21:
        return Check("Java", False, found, f"PySpark {spark} runs on Java 17 or 21: set JAVA_HOME to one")
    return Check("Java", True, found)


def _pyspark() -> Check:
    check = _package("pyspark", requirement="pyspark[sql]>=4.0,<5")
    home = os.environ.get("SPARK_HOME")
    if not check.ok or not home:
        return check
    jar = next(iter(Path(home, "jars").glob("spark-core_*.jar")), None)
    if jar is None:
        return Check("PySpark", False, f"SPARK_HOME is {home}, without Spark in it", "unset SPARK_HOME")
    version = jar.stem.partition("-core_")[2].partition("-")[2]
    found = f"{check.found}, with the Spark {version} of SPARK_HOME"
    if version != check.found:
        return Check("PySpark", False, found, f"unset SPARK_HOME, or pip install pyspark=={version}")
    return Check("PySpark", True, found)


def _workers_python() -> Check:
    name = "workers' Python"
    named = os.environ.get("PYSPARK_PYTHON")
    if not named:
        return Check(name, True, f"{sys.executable} (`bigdebug run` sees to it)")
    advice = f"export PYSPARK_PYTHON={shlex.quote(sys.executable)}"
    program = shutil.which(named)
    if program is None:
        return Check(name, False, f"PYSPARK_PYTHON is {named}: no such program", advice)
    ask = "import sys; print('%d.%d' % sys.version_info[:2]); import pandas, pyarrow"
    try:
        told = subprocess.run([program, "-c", ask], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return Check(name, False, f"PYSPARK_PYTHON is {named}: it doesn't run", advice)
    version, here = told.stdout.strip(), ".".join(map(str, sys.version_info[:2]))
    if version != here:
        return Check(name, False, f"PYSPARK_PYTHON is {named}: {version or 'not Python'}, not {here}", advice)
    if told.returncode:
        missing = told.stderr.strip().splitlines()[-1]
        return Check(name, False, f"PYSPARK_PYTHON is {named}: {missing}", advice)
    return Check(name, True, f"{version}, {program}")


def _package(package: str, requirement: str | None = None) -> Check:
    name = {"pyspark": "PySpark"}.get(package, package)
    oldest, too_new = OLDEST[package], TOO_NEW.get(package)
    if requirement is None:
        bound = f",<{'.'.join(map(str, too_new))}" if too_new else ""
        requirement = f"{package}>={'.'.join(map(str, oldest))}{bound}"
    version = _version(package)
    if version is None:
        return Check(name, False, "not installed", f"pip install '{requirement}'")
    numbers = _numbers(version)
    if numbers < oldest or (too_new and numbers >= too_new):
        return Check(name, False, version, f"pip install '{requirement}'")
    return Check(name, True, version)


def _store(store: str) -> Check:
    if "://" in store:
        return _remote_store(store)
    path = Path(store).expanduser().absolute()
    elsewhere = "name another folder with --store or BIGDEBUG_STORE"
    there = path.exists()
    place = path
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return Check("store", False, f"{place} is not a folder", elsewhere, unreachable=True)
    if not os.access(place, os.W_OK | os.X_OK):
        return Check("store", False, f"{place} can't be written to", elsewhere, unreachable=True)
    if not there:
        return Check("store", True, f"{path}: made by the first run")
    status = path.stat()
    if status.st_uid != os.getuid():
        advice = f"{elsewhere}: recipes hold code, and are opened only from a folder of yours"
        return Check("store", False, f"{path} belongs to somebody else", advice)
    if status.st_mode & 0o077:
        found = f"{path} is open to others ({stat.filemode(status.st_mode)})"
        return Check("store", False, found, f"chmod 700 {shlex.quote(store)}")
    return Check("store", True, f"{path}{_unfinished(store)}")


def _unfinished(store: str) -> str:
    """What killed makers of indexes left in a store, as the end of a sentence."""
    from bigdebug.lineage.store import Store  # loads pyarrow for indexes

    try:
        sizes = [size for folders in Store(store).unfinished().values() for size in folders.values()]
    except (BigDebugError, OSError, ImportError):
        return ""
    if not sizes:
        return ""
    what = "1 unfinished index" if len(sizes) == 1 else f"{len(sizes)} unfinished indexes"
    return f"; {what} of {sum(sizes) / 1e6:,.1f} MB, which `bigdebug prune` removes"


def _remote_store(store: str) -> Check:
    from bigdebug.lineage.store import Store

    try:
        runs = len(Store(store).runs())
    except BigDebugError as error:
        return Check("store", False, error.message, error.hint, unreachable=True)
    return Check("store", True, f"{store}: {runs} runs")


def _spark_job() -> Check:
    name = "a Spark job"
    try:
        ensure_java()
    except BigDebugError:
        return Check(name, False, "not tried: there is no Java", "see Java above", unreachable=True)
    environment = {"PYSPARK_PYTHON": sys.executable, **os.environ}
    began = time.monotonic()
    # In a process of its own: it may hang, and what it leaves behind is gone with it.
    command = [sys.executable, "-c", _JOB]
    try:
        told = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_JOB_SECONDS,
            # Ctrl-C ends it through us: where its own Python hears of that too soon, its Java stays behind.
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        found = f"still not done after {_JOB_SECONDS} s"
        return Check(name, False, found, "look for a firewall or a proxy on 127.0.0.1", unreachable=True)
    if told.returncode == 0:
        return Check(name, True, f"done in {time.monotonic() - began:.0f} s, with a Python function")
    lines = [line.strip() for line in told.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    found = (errors or lines or ["it failed without a word"])[-1]
    return Check(name, False, found[:500], "mend the problems above first, then try again", unreachable=True)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
