"""Command lines asked in the session of the tests, so that none of them starts a Spark of its own."""

import contextlib
import functools
import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from bigdebug.cli.main import main
from bigdebug.lineage import postmortem


@dataclass(frozen=True)
class Answer:
    """What a command line gave."""

    code: int
    out: str
    err: str


class Asking:
    """Asks command lines in a folder, as somebody with nothing set in the environment.

    Args:
        spark: the session that they ask in.
        folder: where they are asked.
    """

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self._folder = folder
        self._open_output = functools.partial(postmortem.open_output, spark=spark)

    def __call__(self, *line: str) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            patch.chdir(self._folder)
            patch.setattr(postmortem, "open_output", self._open_output)
            for name in ("BIGDEBUG_STORE", "COLUMNS"):
                patch.delenv(name, raising=False)
            code = main([*line])
        return Answer(int(code), out.getvalue(), err.getvalue())
