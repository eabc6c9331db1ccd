"""Programs of many rounds. Spark's workers import this module, so it needs nothing that they may lack."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import add
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark import SparkContext

PAGES = 2_000
LINKS = 5
POINTS = 20_000
CENTRES = 8


@dataclass(frozen=True)
class Loop:
    """A program, and a question about its last output.

    Attributes:
        run: runs it on a text for some rounds.
        text: the lines of the text.
        where: which elements of the last output to trace, in Python.
    """

    run: Callable[[SparkContext, str, int], Any]
    text: Callable[[], Iterator[str]]
    where: str


def _page_rank(context: SparkContext, path: str, rounds: int) -> Any:
    lines = context.textFile(path, 2)
    links = lines.map(lambda line: tuple(line.split())).distinct().groupByKey().cache()
    ranks = links.mapValues(lambda _: 1.0)
    for _ in range(rounds):
        ranks = links.join(ranks).flatMap(_shares).reduceByKey(add).mapValues(lambda rank: 0.15 + 0.85 * rank)
    return ranks.collect()


def _shares(page: Any) -> list[tuple[str, float]]:
    targets, rank = page[1]
    return [(target, rank / len(targets)) for target in targets]


def _centres_joined(context: SparkContext, path: str, rounds: int) -> Any:
    """K-means whose centres stay in an RDD, which each round joins with the points."""
    points = context.textFile(path, 2).map(lambda line: tuple(map(float, line.split()))).cache()
    centres = context.parallelize([(n, (n / CENTRES, 0.5)) for n in range(CENTRES)], 1)
    for _ in range(rounds):
        every = centres.map(lambda centre: (0, centre)).groupByKey(1).values().map(list)
        nearest = points.cartesian(every).map(lambda pair: (_nearest(*pair), (*pair[0], 1)))
        centres = nearest.reduceByKey(_added, 2).mapValues(_mean)
    return centres.collect()


def _centres_collected(context: SparkContext, path: str, rounds: int) -> Any:
    """K-means as it is mostly written: the centres of each round come to the driver."""
    points = context.textFile(path, 2).map(lambda line: tuple(map(float, line.split()))).cache()
    centres = [(n, (n / CENTRES, 0.5)) for n in range(CENTRES)]
    for _ in range(rounds):
        nearest = points.map(lambda point, centres=centres: (_nearest(point, centres), (*point, 1)))  # type: ignore[misc]
        centres = nearest.reduceByKey(_added).mapValues(_mean).collect()
    return centres


def _nearest(point: Any, centres: Any) -> int:
    best = min(centres, key=lambda each: (each[1][0] - point[0]) ** 2 + (each[1][1] - point[1]) ** 2)
    return int(best[0])


def _added(one: Any, other: Any) -> Any:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _mean(total: Any) -> Any:
    return total[0] / total[2], total[1] / total[2]


def _web() -> Iterator[str]:
    """Links, most of them to a few pages."""
    drawn = random.Random(7)
    for page in range(PAGES):
        for _ in range(LINKS):
            yield f"page{page} page{int(drawn.paretovariate(0.5)) % PAGES}"


def _points() -> Iterator[str]:
    drawn = random.Random(7)
    return (f"{drawn.random():.6f} {drawn.random():.6f}" for _ in range(POINTS))


LOOPS = {
    "PageRank": Loop(_page_rank, _web, "key == 'page1'"),
    "k-means, centres joined": Loop(_centres_joined, _points, "key == 3"),
    "k-means, centres collected": Loop(_centres_collected, _points, "key == 3"),
}
