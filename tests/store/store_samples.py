"""Small runs for the tests of the store and of the commands that read it."""

import io
import zipfile

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.output import Output

SITE = CallSite("/home/me/etl.py", 12, 'df.groupBy("k").agg(…)', "main")
NODES = [
    Node(1, "read.parquet", SITE, paths=("in/a.parquet", "in/b.parquet")),
    Node(2, "filter", SITE, parents=(1,)),
    Node(3, "join", None, parents=(2, 1)),
]


def an_output(run_id: str, number: int = 1, **changes: object) -> Output:
    return Output(run_id, number, "collect", 3, SITE, 1_800_000_000.25).updated(**changes)


def a_recipe(text: str = "plan") -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("skeleton.json", text)
    return data.getvalue()
