"""What did each customer pay? Two logs, of orders and of payments, joined by the number of the order.

The wrong total: Bob ordered for 61 euros and paid 163? To see the lines of both logs behind his total:

    bigdebug run log_join.py
    bigdebug trace last 1 --where "key == 'bob'"
"""

import re
from operator import add
from pathlib import Path

from pyspark import SparkContext

DATA = Path(__file__).with_name("data")
context = SparkContext.getOrCreate()


def events(log):
    """The lines of a log as dictionaries of what stands in them as name=value."""
    return context.textFile(str(DATA / log)).map(lambda line: dict(re.findall(r"(\w+)=(\S+)", line)))


placed = events("orders.log").map(lambda event: (event["order"], event["customer"]))
paid = events("payments.log").filter(lambda event: event["status"] == "ok")
amounts = paid.map(lambda event: (event["order"], float(event["amount"])))
totals = placed.join(amounts).map(lambda pair: pair[1]).reduceByKey(add)

for customer, total in sorted(totals.collect()):
    print(f"{customer:6} {total:7.2f}")
