"""How files are split where the program's own splits would leave cores idle.

Spark splits files by their size alone: of three splits two cores have one each, and then one core has the last. A
question may split them anew wherever its answer hangs on no order: records are told apart by where they are read, so
all that one question asks must be split alike.
"""

from __future__ import annotations

from collections.abc import Iterable

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.estimate import bytes_read
from bigdebug.lineage.identity import SourceLeaf

_EACH = 4
"""Splits per core: the last ones are short then beside the rest."""
_LEAST = 16 << 20
"""Bytes of a split below which a task costs more than it saves."""
_MOST = 128 << 20
"""Bytes of a split as Spark has it, unless it is told otherwise."""
_SETTING = "spark.sql.files.minPartitionNum"
_LEAVES = "spark.sql.leafNodeDefaultParallelism"
"""What Spark goes by where that isn't set."""


def splits_of(catalyst: Catalyst, size: int) -> int:
    """In how many splits so many bytes are read, roughly."""
    return max(_for_all_cores(catalyst, size), size // _MOST)


def split_evenly(catalyst: Catalyst, sources: Iterable[SourceLeaf]) -> None:
    """Have the pinned session read files in enough splits for all cores, before it has read any.

    Args:
        catalyst: of the pinned session.
        sources: of a dataflow whose rows hang on no order of the records.
    """
    conf = catalyst.jsession.sessionState().conf()
    given = next((int(conf.getConfString(name)) for name in (_SETTING, _LEAVES) if conf.contains(name)), 0)
    largest = max((bytes_read(catalyst, [leaf]) for leaf in sources), default=0)
    wanted = _for_all_cores(catalyst, largest)
    if wanted > given:
        conf.setConfString(_SETTING, str(wanted))


def _for_all_cores(catalyst: Catalyst, size: int) -> int:
    cores = int(catalyst.spark.sparkContext.defaultParallelism)
    return max(cores, min(_EACH * cores, size // _LEAST))
