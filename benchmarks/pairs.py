"""Two ways of doing a thing, measured side by side, so that a machine's drift hits both.

Which goes first is drawn by lot: where it alternates, what one leaves behind always meets the same one.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Paired:
    """Seconds of both, and the ratio A/B pair by pair.

    Attributes:
        a, b: medians in seconds.
        ratio, least, most: median, minimum and maximum of A/B.
        more: median of A - B in seconds.
    """

    a: float
    b: float
    ratio: float
    least: float
    most: float
    more: float


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def paired(a: Callable[[], float], b: Callable[[], float], pairs: int = 7) -> Paired:
    """Measure two functions that give seconds, side by side, after one round that isn't counted.

    Takes three times as many pairs of what is over within a second.
    """
    if max(a(), b()) < 1:
        pairs *= 3  # a machine's hiccups weigh more on what is short
    lot = random.Random(pairs)
    taken = [(a(), b()) if lot.random() < 0.5 else tuple(reversed((b(), a()))) for _ in range(pairs)]
    return compared(taken)


def compared(taken: Sequence[tuple[float, float]]) -> Paired:
    """Pairs of seconds that were taken."""
    ratios = [one / other for one, other in taken]
    return Paired(
        statistics.median(one for one, _ in taken),
        statistics.median(other for _, other in taken),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        statistics.median(one - other for one, other in taken),
    )
