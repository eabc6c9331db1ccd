"""Guards in the functions of RDDs: a record that crashes one is set aside, and the task goes on.

Travels by value to Spark's Python workers, which need not have bigdebug.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from bigdebug.breakpoints.channel.link import link_to
from bigdebug.breakpoints.channel.values import told as told_value
from bigdebug.breakpoints.crashes.decisions import Answer, Decisions
from bigdebug.breakpoints.crashes.keeping import NOTHING, Keeper, Site
from bigdebug.breakpoints.crashes.workers import told


def mended(site: Site, given: Any, error: Exception, call: Callable[[Any], Any]) -> tuple[Any, Any]:
    """What an operator's function gives once its input was repaired, and that input.

    Args:
        site: of the operator.
        given: what its function was given.
        error: what it raised; where the repair raises in turn, Python shows both.
        call: calls the function.
    """
    if not callable(site.repair):
        return site.repair, NOTHING
    new = site.repair(given, error)
    return call(new), new


# Each is written out: what costs a call more, all records pay.


def guarded(kind: str, function: Any, site: Site) -> Callable[[int, Iterable[Any]], Iterator[Any]]:
    """An operator's function over a partition, that goes on where a record crashes it.

    Args:
        kind: of the operator.
        function: the user's.
        site: of the operator.
    """
    loop = _LOOPS[kind]

    def guard(partition: int, elements: Iterable[Any]) -> Iterator[Any]:
        keepers: list[Keeper] = []

        waiting: list[tuple[int, Any, Exception]] = []

        def crashed(place: int, element: Any, error: Exception) -> list[Any]:
            if site.pause is not None:
                if len(waiting) < site.pause.most:
                    waiting.append((place, element, error))
                    return []
                if site.pause.otherwise == "raise":
                    raise error
            made, new = after(kind, function, site, element, error)
            if not keepers:
                keepers.append(Keeper(site, partition))
            keepers[0].keep(place, element, told(error), new)
            return made

        try:
            yield from loop(function, elements, crashed)
            if waiting:
                for place, element, error, (decision, changed) in answers(site, waiting, kind):
                    if decision == "fail":
                        raise error
                    if not keepers:
                        keepers.append(Keeper(site, partition))
                    if decision == "skip":
                        keepers[0].keep(place, element, told(error))
                        continue
                    made, new = after(
                        kind, function, replace(site, policy="repair", repair=changed), element, error
                    )
                    keepers[0].keep(place, element, told(error), new)
                    yield from made
        except GeneratorExit:
            for keeper in keepers:  # who reads has enough: what was read by then counts
                keeper.commit()
            raise
        except BaseException:
            for keeper in keepers:
                keeper.abandon()
            raise
        for keeper in keepers:
            keeper.commit()

    return guard


def answers(
    site: Site, waiting: list[tuple[int, Any, Exception]], kind: str
) -> Iterator[tuple[int, Any, Exception, Answer]]:
    """What the session wants done with records that were set aside: what, and for a repair how.

    Args:
        site: of the operator.
        waiting: place, record and exception of each.
        kind: of the operator.
    """
    from pyspark import cloudpickle

    assert site.pause is not None
    records = []
    for _, element, error in waiting:
        records.append({"value": told_value(_given(kind, element)), **json.loads(told(error))})
    link = link_to(site.pause.address)
    header = {"site": site.number, "records": records, "seconds": site.pause.seconds}
    answer = link.ask("crashed", header, seconds=site.pause.seconds + 2.0)
    decisions: list[Any] = [None] * len(waiting)
    functions: list[Any] = []
    if answer is not None:
        decisions, functions = answer[0]["decisions"], cloudpickle.loads(answer[1])
    for (place, element, error), decision in zip(waiting, decisions, strict=True):
        done: Answer = ("fail" if site.pause.otherwise == "raise" else "skip", None)
        if decision is not None:
            changed = functions[decision["function"]] if "function" in decision else None
            done = as_repair((decision["do"], changed))
        yield place, element, error, done


def as_repair(answer: Answer) -> Answer:
    """An answer, with a function of the record and the error where it is to be changed."""
    do, changed = answer
    if do == "edit":
        return "repair", _constantly(changed)
    return ("repair", _of_first(changed)) if do == "repair" else (do, None)


def _given(kind: str, element: Any) -> Any:
    """What an operator's function is given of an element."""
    return element[1] if kind in ("mapValues", "flatMapValues") else element


class Expression:
    """A function of `x` as the text of an expression in Python.

    Args:
        text: the expression.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, x: Any) -> Any:
        return eval(self.text.strip(), {"x": x})


def _constantly(value: Any) -> Callable[[Any, Any], Any]:
    return lambda given, error: value


def _of_first(function: Any) -> Callable[[Any, Any], Any]:
    return lambda given, error: function(given)


def after(kind: str, function: Any, site: Site, element: Any, error: Exception) -> tuple[list[Any], Any]:
    """What an operator gives for an element that crashed its function, and what was repaired."""
    if site.policy != "repair":
        return [], NOTHING
    given = _given(kind, element)
    result, new = mended(site, given, error, list_of(function) if kind.startswith("flatMap") else function)
    now = given if new is NOTHING else new
    shown = result if new is NOTHING else new
    if kind == "map":
        return [result], shown
    if kind == "flatMap":
        return list(result), shown
    if kind == "filter":
        return [now] if result else [], shown
    if kind == "mapValues":
        return [(element[0], result)], shown
    if kind == "flatMapValues":
        return [(element[0], each) for each in result], shown
    if kind == "keyBy":
        return [(result, now)], shown
    return [], shown


def list_of(function: Any) -> Callable[[Any], list[Any]]:
    """A function that gives all that an iterable holds: what comes late may crash, too."""
    return lambda given: list(function(given))


def flat(kind: str, function: Any, site: Site) -> Callable[[Any], list[Any]]:
    """The same operator as a function of one element that gives a list; sets nothing aside. For traces."""
    decisions = None if site.pause is None else Decisions(site.place, site.number)

    def of(element: Any) -> list[Any]:
        try:
            return list(_LOOPS[kind](function, [element], _raised))
        except _Crashed as crash:
            how, answer = site, None
            if decisions is not None:
                answer = decisions.of(told_value(_given(kind, element)))
            if answer is not None:
                policy, changed = as_repair(answer)
                how = replace(site, policy=policy, repair=changed)
            return after(kind, function, how, element, crash.error)[0]

    return of


class _Crashed(BaseException):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def _raised(place: int, element: Any, error: Exception) -> list[Any]:
    raise _Crashed(error)


Crash = Callable[[int, Any, Exception], list[Any]]


def _map(function: Any, elements: Iterable[Any], crashed: Crash) -> Iterator[Any]:
    for place, element in enumerate(elements):
        try:
            made = function(element)
        except Exception as error:
            yield from crashed(place, element, error)
            continue
        yield made


def _flat_map(function: Any, elements: Iterable[Any], crashed: Crash) -> Iterator[Any]:
    for place, element in enumerate(elements):
        try:
            made = list(function(element))
        except Exception as error:
            made = crashed(place, element, error)
        yield from made


def _filter(function: Any, elements: Iterable[Any], crashed: Crash) -> Iterator[Any]:
    for place, element in enumerate(elements):
        try:
            if not function(element):
                continue
        except Exception as error:
            yield from crashed(place, element, error)
            continue
        yield element


def _map_values(function: Any, elements: Iterable[Any], crashed: Crash) -> Iterator[Any]:
    for place, element in enumerate(elements):
        try:
            made = element[0], function(element[1])
        except Exception as error:
            yield from crashed(place, element, error)
            continue
        yield made


def _flat_map_values(function: Any, elements: Iterable[Any], crashed: Crash) -> Iterator[Any]:
    for place, element in enumerate(elements):
        try:
            made = [(element[0], each) for each in function(element[1])]
        except Exception as error:
            made = crashed(place, element, error)
        yield from made


def _key_by(function: Any, elements: Iterable[Any], crashed: Crash) -> Iterator[Any]:
    for place, element in enumerate(elements):
        try:
            made = function(element), element
        except Exception as error:
            yield from crashed(place, element, error)
            continue
        yield made


def _foreach(function: Any, elements: Iterable[Any], crashed: Crash) -> Iterator[Any]:
    for place, element in enumerate(elements):
        try:
            function(element)
        except Exception as error:
            crashed(place, element, error)
    yield from ()


_LOOPS = {
    "map": _map,
    "flatMap": _flat_map,
    "filter": _filter,
    "mapValues": _map_values,
    "flatMapValues": _flat_map_values,
    "keyBy": _key_by,
    "foreach": _foreach,
}


def over_partition(guard: Callable[[int, Iterable[Any]], Iterator[Any]]) -> Callable[[Iterable[Any]], None]:
    """A guard as a function of a partition that gives nothing."""

    def run(elements: Iterable[Any]) -> None:
        for _ in guard(-1, elements):
            pass

    return run
