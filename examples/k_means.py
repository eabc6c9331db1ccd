"""Where should the three depots stand? K-means over the stops of a delivery service.

The wrong centre: one depot would float in the Arabian Sea, and Paris and Madrid would have to share one. The
program asks bigdebug which stops moved it there:

    python k_means.py
"""

import random

from pyspark import SparkContext

import bigdebug

CITIES = {"Berlin": (52.5, 13.4), "Paris": (48.9, 2.3), "Madrid": (40.4, -3.7)}


def some_stops():
    """Stops as lines: a number, the city, latitude and longitude; some drivers mix up these two."""
    drawn = random.Random(7)
    for number in range(120):
        city = drawn.choice(list(CITIES))
        place = [drawn.gauss(degree, 0.05) for degree in CITIES[city]]
        if city == "Berlin" and number % 10 == 3:
            place.reverse()
        yield f"{number},{city},{place[0]:.3f},{place[1]:.3f}"


def distance(one, other):
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2


def added(one, other):
    return tuple(map(sum, zip(one, other, strict=True)))


context = SparkContext.getOrCreate()
with bigdebug.attach(context) as session:
    stops = context.parallelize(some_stops(), 2)
    places = stops.map(lambda line: tuple(map(float, line.split(",")[2:]))).cache()
    centres = [places.first()]
    while len(centres) < 3:  # the next one begins as far as can be from those before
        centres.append(places.max(key=lambda place: min(distance(place, each) for each in centres)))
    moved = True
    while moved:
        nearest = places.map(
            lambda place: (min(range(3), key=lambda n: distance(place, centres[n])), (*place, 1))
        )
        sums = nearest.reduceByKey(added)
        means = sums.mapValues(lambda total: (total[0] / total[2], total[1] / total[2]))
        before, centres = centres, [mean for _, mean in sorted(means.collect())]
        moved = before != centres
    for number, (latitude, longitude) in enumerate(centres):
        print(f"depot {number}: {latitude:6.2f} {longitude:6.2f}")

    trace = session.trace(session.outputs[-1], where=lambda pair: pair[1][0] < 30)
    print(f"\n{trace.sources[0].count} of {stops.count()} stops pull one to the south:")
    for record in trace.collect():
        print(record.value)
