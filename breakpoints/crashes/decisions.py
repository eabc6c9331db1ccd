"""What was decided about records that "pause" set aside, for whoever computes the same rows again.

The driver writes each answer beside what tasks set aside; a replay that comes upon such a record, when nobody is there
to ask, looks it up. Records are known by what they are: where two alike had different answers, the last one holds.

Travels by value to Spark's Python workers, which need not have bigdebug.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Sequence
from typing import Any

PREFIX = "decided"

Answer = tuple[str, Any]
"""`skip`, `edit` or `repair`, and with what."""


def key_of(told: Any) -> str:
    """What a record is known by.

    Args:
        told: it, as `channel.values.told` tells it.
    """
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()


def written(filesystem: Any, folder: str, site: int, number: int, answers: dict[str, Answer]) -> None:
    """Write what was decided.

    Args:
        filesystem: of the store.
        folder: where its tasks write.
        site: the number of the operator.
        number: of the question.
        answers: by what the records are known by.
    """
    from pyspark import cloudpickle

    path = f"{folder}/{PREFIX}-{site}-{number}"
    with filesystem.open_output_stream(f"{path}.part") as stream:
        stream.write(cloudpickle.dumps(answers))
    filesystem.move(f"{path}.part", path)


class Decisions:
    """What was decided about an operator's records.

    Args:
        place: a pickled `pyarrow.fs.FileSystem`, and the folder where its tasks write.
        site: the number of the operator.
    """

    def __init__(self, place: Sequence[Any], site: int) -> None:
        self._place = place
        self._site = site
        self._known: dict[str, Answer] | None = None

    def of(self, told: Any) -> Answer | None:
        """What was decided about a record; None where nothing was.

        Args:
            told: the record, as `channel.values.told` tells it.
        """
        if self._known is None:
            self._known = self._read()
        return self._known.get(key_of(told))

    def _read(self) -> dict[str, Answer]:
        from pyarrow import fs

        filesystem, folder = pickle.loads(self._place[0]), self._place[1]
        start = f"{PREFIX}-{self._site}-"
        names = [
            entry.base_name
            for entry in filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True))
            if entry.base_name.startswith(start) and not entry.base_name.endswith(".part")
        ]
        known: dict[str, Answer] = {}
        for name in sorted(names, key=lambda each: int(each.rpartition("-")[2])):
            with filesystem.open_input_stream(f"{folder}/{name}") as stream:
                known |= pickle.loads(stream.read())
        return known
