"""Which pages matter? PageRank, five rounds over the links of a small web.

The wrong rank: a shop that no page of the town links to comes first. The program asks bigdebug which links
gave it that rank, through all the rounds:

    python page_rank.py
"""

from collections import Counter
from operator import add
from pathlib import Path

from pyspark import SparkContext

import bigdebug


def shares(page):
    """What a page gives to each page that it links to."""
    targets, rank = page[1]
    return [(target, rank / len(targets)) for target in targets]


context = SparkContext.getOrCreate()
with bigdebug.attach(context) as session:
    lines = context.textFile(str(Path(__file__).with_name("data") / "links.txt"))
    links = lines.map(lambda line: tuple(line.split(" -> "))).distinct().groupByKey().cache()
    ranks = links.mapValues(lambda targets: 1.0)
    for _ in range(5):
        ranks = links.join(ranks).flatMap(shares).reduceByKey(add).mapValues(lambda rank: 0.15 + 0.85 * rank)
    for page, rank in ranks.takeOrdered(4, key=lambda pair: -pair[1]):
        print(f"{page:16} {rank:.2f}")

    trace = session.trace(ranks, where=lambda pair: pair[0] == "best-watches")
    print(f"\nbest-watches has its rank from {trace.sources[0].count} of {lines.count()} links")
    for record in trace.collect():
        print(f"line {record.location.position + 1:2}  {record.value}")
    rounds = Counter(step.operator for step in trace.steps)
    print(f"through {rounds['join']} joins and {rounds['reduceByKey']} reduceByKeys")
