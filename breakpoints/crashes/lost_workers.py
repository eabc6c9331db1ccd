"""A worker that died (a segmentation fault, `os._exit`) says nothing more: what it held is noted before each call."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark import cloudpickle
from pyspark.errors import PySparkException

from bigdebug.breakpoints.crashes.failures import failure_of


class Notes:
    """Notes of what tasks held, on the disk of this machine; a context manager that removes them.

    Attributes:
        folder: where workers write them.
    """

    def __enter__(self) -> Notes:
        self.folder = tempfile.mkdtemp(prefix="bigdebug-held-")  # mode 0700
        return self

    def __exit__(self, *_: Any) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def of_lost(self, run: Callable[[], Any]) -> list[tuple[int, Any]]:
        """What the tasks held whose worker died in a job: the partition of each, and what was noted last.

        Args:
            run: runs the job.

        Returns:
            Nothing where no worker died.
        """
        try:
            run()
        except (PySparkException, Py4JJavaError) as error:
            failure = failure_of(error)
            if failure is None or failure.kind != "worker":
                raise
        else:
            return []
        found = []
        for file in sorted(Path(self.folder).iterdir()):
            data = file.read_bytes()
            size = int.from_bytes(data[:8], "big")
            if size and len(data) >= 8 + size:
                found.append((int(file.name.partition("-")[0]), cloudpickle.loads(data[8 : 8 + size])))
        return found
