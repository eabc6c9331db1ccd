"""A debugger for PySpark dataflows: from a wrong row to the source records it came from.

>>> import bigdebug
>>> session = bigdebug.attach(spark)  # doctest: +SKIP
"""

from bigdebug.lineage.errors import BigDebugError
from bigdebug.session import Session, attach, current

__all__ = ["BigDebugError", "Session", "attach", "current"]
