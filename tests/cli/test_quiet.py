"""What reaches the user's terminal while a Spark of our own works."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import logging, subprocess, sys
from bigdebug.cli.quiet import quiet_spark
with quiet_spark():
    subprocess.run(["sh", "-c", "echo Java warns >&2"])
    logging.error("py4j was interrupted")
    logging.getLogger("bigdebug").warning("a warning of ours")
    logging.getLogger("bigdebug").info("a detail")
    print("a message of ours", file=sys.stderr)
logging.getLogger("other").warning("afterwards")
"""


def told(**environment: str) -> list[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BIGDEBUG_")}
    path = str(Path(__file__).parents[2])
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**kept, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stderr.splitlines()


def test_only_what_is_ours() -> None:
    assert told() == ["a warning of ours", "a message of ours", "afterwards"]


def test_everything_where_a_person_looks_for_a_fault() -> None:
    assert {"Java warns", "ERROR:root:py4j was interrupted"} <= set(told(BIGDEBUG_TRACEBACK="1"))
