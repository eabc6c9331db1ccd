"""Functions whose results hang on chance or time are found by their code; others aren't."""

from __future__ import annotations

import datetime as dt
import functools
import json
import math
import operator
import os
import pickle
import random
import secrets
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import date, datetime
from random import choice
from random import random as draw
from typing import Any

import numpy
import numpy as np
import pandas as pd
import pytest
from pyspark import cloudpickle
from pyspark.cloudpickle import register_pickle_by_value, unregister_pickle_by_value

from bigdebug.lineage.rdd.chance import chance_in

seeded = random.Random(7)
generator = np.random.default_rng(7)


def noisy(x: float) -> float:
    return x + random.random()


def in_turn(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*given: Any) -> Any:
        return function(*given)

    return call


class Model:
    def noise(self) -> Any:
        return np.random.normal()

    def noisy(self, x: Any) -> Any:
        return self.noise() + x

    def twice(self, x: Any) -> Any:
        return x * 2

    def __call__(self, x: Any) -> Any:
        return self.noisy(x)


model = Model()
table = {"noisy": noisy}


def imported_inside(_: Any) -> Any:
    import random

    return random.random()


def one_imported_inside(x: Any) -> Any:
    from random import choice as chosen

    return chosen([x])


def module_imported_inside(_: Any) -> Any:
    import numpy.random as chance

    return chance.rand()


def without_a_seed(part: Any) -> Iterator[Any]:
    mine = random.Random()
    for x in part:
        yield x, mine.random()


def with_a_seed(number: int, part: Any) -> Iterator[Any]:
    mine = random.Random(number)
    for x in part:
        yield x, mine.random()


def seeding_all(part: Any) -> Iterator[Any]:
    random.seed(3)
    for x in part:
        yield x, random.random()


def within(_: Any) -> Any:
    def inner() -> Any:
        return [time.time() for _ in range(3)]

    return inner()


VARYING: dict[str, list[Callable[..., Any]]] = {
    "random.random": [
        lambda _: random.random(), lambda _: draw(), random.random, noisy, lambda x: noisy(x), imported_inside,
        lambda x: table["noisy"](x), functools.partial(noisy, 1), lambda _, f=random.random: f(), in_turn(noisy),
        lambda x: sorted(x, key=lambda _: random.random()),
    ],
    "random.choice": [lambda x: choice([x]), one_imported_inside],
    "random.Random": [without_a_seed, lambda _: random.Random().random()],
    "random.SystemRandom": [lambda _: random.SystemRandom().random()],
    "random.SystemRandom.choice": [lambda x: secrets.choice(x)],
    "numpy.random.rand": [lambda _: numpy.random.rand(), module_imported_inside],
    "numpy.random.normal": [model.noisy, model, lambda x: model(x), lambda x: Model().noisy(x)],
    "numpy.random.default_rng": [lambda x: np.random.default_rng().permutation(x)],
    "secrets.token_hex": [lambda _: secrets.token_hex()],
    "uuid.uuid4": [lambda _: str(uuid.uuid4())],
    "os.urandom": [lambda x: os.urandom(x)],
    "time.time": [lambda _: time.time(), within],
    "time.strftime": [lambda _: time.strftime("%Y")],
    "datetime.datetime.now": [lambda _: datetime.now(), lambda _: dt.datetime.now(dt.UTC)],
    "datetime.date.today": [lambda x: (date.today() - x).days],
    "pandas._libs.tslibs.timestamps.Timestamp.now": [lambda _: pd.Timestamp.now()],
}  # fmt: skip
STEADY: list[Callable[..., Any]] = [
    with_a_seed, seeding_all, model.twice, str.split, operator.add, operator.itemgetter(0), json.loads, int,
    lambda _: seeded.random(), lambda _: generator.random(), lambda x: random.Random(x).random(),
    lambda x: np.random.default_rng(x).random(), lambda x: np.mean(x), lambda x: math.sqrt(x),
    lambda x: datetime.strptime(x, "%Y"), lambda x: datetime.combine(x, x.time()), lambda x: x.now(),
    lambda x: time.localtime(x), lambda x: time.strftime("%Y", time.gmtime(x)), lambda random: random.random,
    lambda x: uuid.uuid5(uuid.NAMESPACE_DNS, x), lambda x: os.path.join("a", x), lambda x: pd.Timestamp(x).year,
]  # fmt: skip


@pytest.fixture(autouse=True)
def _as_in_a_script() -> Iterator[None]:
    import sys

    register_pickle_by_value(sys.modules[__name__])
    yield
    unregister_pickle_by_value(sys.modules[__name__])


def again(function: Any) -> Any:
    """A function as a recipe keeps it."""
    return pickle.loads(cloudpickle.dumps(function))


@pytest.mark.parametrize("name", VARYING)
def test_what_varies(name: str) -> None:
    for function in VARYING[name]:
        assert name in chance_in(function)
        assert chance_in(again(function)) == chance_in(function)


def test_what_does_not() -> None:
    for function in STEADY:
        assert chance_in(function) == chance_in(again(function)) == {}
