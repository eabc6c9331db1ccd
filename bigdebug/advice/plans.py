"""What physical plans and their metrics tell: files read and written, broadcasts, joins that sort both sides."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bigdebug.advice.events import PlanNode

_SIDES = {  # which side of a join Spark can broadcast
    "Inner": (0, 1),
    "Cross": (0, 1),
    "LeftOuter": (1,),
    "LeftSemi": (1,),
    "LeftAnti": (1,),
    "RightOuter": (0,),
}
_JOIN_TYPE = re.compile(r"\], ([A-Z]\w+)")
_PLACE = re.compile(r"\[((?:[a-z0-9]+:)?/[^\],\s]*)")
_COMMAND_PLACE = re.compile(r"Command (\S+?),")


@dataclass(frozen=True)
class FilesRead:
    """A scan of files. `place`: its table or folder, where the plan tells."""

    name: str
    place: str | None
    files: int
    bytes: int


@dataclass(frozen=True)
class FilesWritten:
    """A write of files."""

    place: str | None
    files: int
    bytes: int


@dataclass(frozen=True)
class Broadcast:
    """A relation that was sent to every executor."""

    bytes: int
    rows: int | None


@dataclass(frozen=True)
class SortMergeJoin:
    """A join that shuffled and sorted both sides.

    Attributes:
        text: the join, as Spark prints it.
        bytes: of each side, as shuffled; None where that isn't known.
        small: which side could have been broadcast, 0 or 1: the smaller one, where the join's kind allows it.
    """

    text: str
    bytes: tuple[int | None, int | None]
    small: int | None


@dataclass
class PlanFacts:
    """All of it, of one execution."""

    read: list[FilesRead] = field(default_factory=list)
    written: list[FilesWritten] = field(default_factory=list)
    broadcasts: list[Broadcast] = field(default_factory=list)
    joins: list[SortMergeJoin] = field(default_factory=list)


class Plans:
    """The plans of one execution while it runs: the last one, and of each what it writes.

    Spark makes the command that writes anew whenever it changes the plan, with other accumulators, and counts
    with one of these.
    """

    def __init__(self) -> None:
        self._last: PlanNode | None = None
        self._writes: dict[str, list[tuple[int, int]]] = {}

    def add(self, plan: PlanNode) -> None:
        """The next plan."""
        self._last = plan
        for node in _nodes(plan):
            ids = {metric.name: metric.id for metric in node.metrics}
            if "number of written files" in ids:
                pair = ids["number of written files"], ids.get("written output", -1)
                pairs = self._writes.setdefault(node.text, [])
                if pair not in pairs:
                    pairs.append(pair)

    def facts(self, values: Mapping[int, int]) -> PlanFacts:
        """What they tell, with the values of accumulators by id."""
        facts = PlanFacts() if self._last is None else _facts_of(self._last, values)
        for text, pairs in self._writes.items():
            files = max((values.get(files, 0) for files, _ in pairs), default=0)
            written = max((values.get(size, 0) for _, size in pairs), default=0)
            found = _COMMAND_PLACE.search(text)
            if files:
                facts.written.append(FilesWritten(found[1] if found else None, files, written))
        return facts


def _facts_of(plan: PlanNode, values: Mapping[int, int]) -> PlanFacts:
    facts = PlanFacts()
    for node in _nodes(plan):
        metrics = {metric.name: values[metric.id] for metric in node.metrics if metric.id in values}
        if "number of files read" in metrics:
            bytes_read = metrics.get("size of files read", 0)
            facts.read.append(FilesRead(node.name, _place(node), metrics["number of files read"], bytes_read))
        if node.name == "BroadcastExchange" and "data size" in metrics:
            facts.broadcasts.append(Broadcast(metrics["data size"], metrics.get("number of output rows")))
        if node.name.startswith("SortMergeJoin") and len(node.children) == 2:
            facts.joins.append(_join(node, values))
    return facts


def _join(node: PlanNode, values: Mapping[int, int]) -> SortMergeJoin:
    left, right = (_shuffled(child, values) for child in node.children)
    kind = _JOIN_TYPE.findall(node.text)
    small = None
    if left is not None and right is not None and kind:
        smaller = 0 if left <= right else 1
        small = smaller if smaller in _SIDES.get(kind[-1], ()) else None
    return SortMergeJoin(node.text, (left, right), small)


def _shuffled(side: PlanNode, values: Mapping[int, int]) -> int | None:
    """How many bytes the nearest shuffles below gave; None where there is none that says so."""
    if side.name == "Exchange":
        sizes = [
            values[metric.id] for metric in side.metrics if metric.name == "data size" and metric.id in values
        ]
        return sizes[0] if sizes else None
    below = [size for child in side.children if (size := _shuffled(child, values)) is not None]
    return max(below) if below else None


def _place(node: PlanNode) -> str | None:
    found = _PLACE.search(node.text)
    if found:
        return found[1]
    named = node.name.removeprefix("Scan ").partition(" ")[2].strip()
    return named or None


def _nodes(plan: PlanNode) -> Iterator[PlanNode]:
    """Every operator once: what is reused, or stands in a query stage, is named again with the same metrics."""
    seen: set[int] = set()
    waiting = [plan]
    while waiting:
        node = waiting.pop()
        key = node.metrics[0].id if node.metrics else None
        if key is None or key not in seen:
            if key is not None:
                seen.add(key)
            yield node
        waiting.extend(reversed(node.children))
