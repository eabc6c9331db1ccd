"""A standalone cluster of Spark's on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyspark

from bigdebug.lineage.java import ensure_java

SPARK = Path(pyspark.__file__).parent
_PACKAGE = "org.apache.spark.deploy"
_WITHIN = 60.0
"""Seconds in which the workers have to find their master."""


def environment() -> dict[str, str]:
    """For programs that run on it."""
    ensure_java()
    pythons = dict.fromkeys(("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"), sys.executable)
    return {**os.environ, **pythons, "SPARK_LOCAL_IP": "127.0.0.1"}


@contextmanager
def standalone(folder: Path, hosts: Sequence[str] = ("127.0.0.1",)) -> Iterator[str]:
    """A master and a worker of one core at each of some loopback addresses; gives the master's address.

    Args:
        folder: for what they write.
        hosts: the workers' addresses.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    master = f"spark://127.0.0.1:{port}"
    path = folder / "cluster.log"
    with path.open("w+") as log, ExitStack() as running:

        def start(kind: str, host: str, *more: str) -> None:
            command = [str(SPARK / "bin" / "spark-class"), f"{_PACKAGE}.{kind}", "--host", host]
            command += ["--webui-port", "0", *more]
            own = {**environment(), "SPARK_LOCAL_IP": host}
            daemon = subprocess.Popen(command, env=own, stdout=log, stderr=log)
            running.callback(daemon.wait)
            running.callback(daemon.terminate)

        start("master.Master", "127.0.0.1", "--port", str(port))
        for host in hosts:
            work = str(folder / f"work {host}")
            start("worker.Worker", host, "--cores", "1", "--memory", "1g", "-d", work, master)
        until = time.monotonic() + _WITHIN
        while path.read_text().count("Successfully registered with master") < len(hosts):
            assert time.monotonic() < until, path.read_text()[-2000:]
            time.sleep(0.1)
        yield master
