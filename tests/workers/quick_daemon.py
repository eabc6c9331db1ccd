"""Spark's daemon of Python workers, with what workers load already loaded: `python -m quick_daemon WORKER_MODULE`.

Workers are forks of it. Pandas and its like take each of the hundreds that a test run starts a second.
"""

import contextlib

from pyspark import daemon

for _module in ("numpy", "pandas", "pyarrow", "pyarrow.parquet", "pyspark.sql.pandas.serializers"):
    with contextlib.suppress(ImportError):
        __import__(_module)

if __name__ == "__main__":
    daemon.manager()
