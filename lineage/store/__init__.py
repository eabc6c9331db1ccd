"""The folder (or object-store prefix) that holds runs: written by a `RunWriter`, read as `StoredRun`s.

    <store>/.gitignore                  keeps the store out of version control
    <store>/<run>/run.json              the head of a run, written once
    <store>/<run>/events.jsonl          append-only: operators, outputs, the end
    <store>/<run>/recipes/<number>.zip  what is needed to compute an output again

On an object store, which can't append, the events are immutable segments `events/00000001.jsonl`, ….
"""

from bigdebug.lineage.store.reader import StoredRun
from bigdebug.lineage.store.store import Store
from bigdebug.lineage.store.writer import RunWriter

__all__ = ["RunWriter", "Store", "StoredRun"]
