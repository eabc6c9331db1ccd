"""What two recorded runs of a program differ in, as far as was written down. Loads no Spark."""

from __future__ import annotations

import os
import shlex
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.store.reader import absolute_target


@dataclass(frozen=True)
class Change:
    """Something with a name that is another in the second run.

    Attributes:
        what: `setting`, `version`, `argument`, `column`, `option`, ….
        name: of it.
        first: in the first run; None where it isn't there.
        second: in the second run; None where it isn't there.
    """

    what: str
    name: str
    first: str | None
    second: str | None


def changes(what: str, first: Mapping[str, object], second: Mapping[str, object]) -> list[Change]:
    """What differs between two mappings, by name."""
    return [
        Change(what, name, _text(first.get(name)), _text(second.get(name)))
        for name in sorted(first.keys() | second.keys())
        if first.get(name) != second.get(name)
    ]


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def changed_heads(first: StoredRun, second: StoredRun) -> list[Change]:
    """The versions and the program's arguments that differ."""
    found = changes("version", first.versions, second.versions)
    mine, theirs = shlex.join(first.argv[1:]), shlex.join(second.argv[1:])
    if mine != theirs:
        found.append(Change("arguments", "arguments", mine, theirs))
    return found


def same_program(first: StoredRun, second: StoredRun) -> bool:
    """Whether two runs are of one script, by its name."""
    return _script(first) == _script(second)


def _script(run: StoredRun) -> str:
    return os.path.basename(run.argv[0]) if run.argv else ""


# -- outputs ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OutputPair:
    """An output of the first run and what it is in the second.

    Attributes:
        first: the one.
        second: the other.
        by: what says that they are the same: `target`, `call site` or `order`.
    """

    first: Output
    second: Output
    by: str


@dataclass(frozen=True)
class MatchedOutputs:
    """The outputs of two runs.

    Attributes:
        pairs: those that both have, in the order of the first run.
        only_first: those that the second run hasn't.
        only_second: those that the first run hasn't.
    """

    pairs: tuple[OutputPair, ...]
    only_first: tuple[Output, ...]
    only_second: tuple[Output, ...]


def match_outputs(first: StoredRun, second: StoredRun) -> MatchedOutputs:
    """Match outputs up: by the place that was written, then by the line that asked, then by action and order."""
    left, right = list(first.outputs), list(second.outputs)
    pairs: list[OutputPair] = []
    ways: tuple[tuple[str, Callable[[StoredRun, Output], Hashable | None]], ...] = (
        ("target", _place),
        ("call site", _asked),
        ("order", lambda _, output: output.action),
    )
    for by, key in ways:
        waiting: defaultdict[Hashable, list[Output]] = defaultdict(list)
        for output in right:
            waiting[key(second, output)].append(output)
        for output in list(left):
            told = key(first, output)
            if told is not None and waiting[told]:
                partner = waiting[told].pop(0)
                pairs.append(OutputPair(output, partner, by))
                left.remove(output)
                right.remove(partner)
    return MatchedOutputs(tuple(sorted(pairs, key=lambda pair: pair.first.number)), tuple(left), tuple(right))


def _place(run: StoredRun, output: Output) -> Hashable | None:
    return None if output.target is None else absolute_target(output.target, run.folder or "/")


def _asked(_: StoredRun, output: Output) -> Hashable | None:
    site = output.call_site
    if site is None or not site.text:
        return None
    return output.action, os.path.basename(site.file), site.function, site.text


# -- dataflow ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AskedOperator:
    """An operator of the dataflow behind an output.

    Attributes:
        node: as it was recorded.
        code: the user's line that asks for it.
        expressions: of its plan, as text without the numbers that Spark gives; None where they weren't read.
    """

    node: Node
    code: str
    expressions: tuple[str, ...] | None = None

    def told_by(self, with_expressions: bool) -> Hashable:
        """What makes it the same in another run. A line number doesn't."""
        if with_expressions and self.expressions:
            return self.node.operator, self.node.paths, self.expressions
        site = self.node.call_site
        # A line that goes on holds only a part of what was asked.
        text = site.text if site and self.code.endswith("…") else self.code
        return self.node.operator, self.node.paths, text


@dataclass(frozen=True)
class OperatorChange:
    """An operator that isn't the same in both runs.

    Attributes:
        first: in the first run; None where it isn't there.
        second: in the second run; None where it isn't there.
    """

    first: AskedOperator | None
    second: AskedOperator | None

    @property
    def kind(self) -> str:
        """`changed`, `gone` or `added`."""
        if self.first is None:
            return "added"
        return "changed" if self.second is not None else "gone"


def behind(nodes: Mapping[int, Node], top: int | None) -> list[Node]:
    """The operators at and above one, in the order the program asked for them."""
    found: dict[int, Node] = {}
    waiting = [] if top is None else [top]
    while waiting:
        number = waiting.pop()
        node = nodes.get(number)
        if node is not None and number not in found:
            found[number] = node
            waiting += node.parents
    return [found[number] for number in sorted(found)]


def changed_operators(
    first: Sequence[AskedOperator], second: Sequence[AskedOperator]
) -> list[OperatorChange]:
    """The operators that only one dataflow has, or that are others: matched by what they ask for, and by order."""
    both_read = all(each.expressions is not None for each in (*first, *second))
    mine = [each.told_by(both_read) for each in first]
    theirs = [each.told_by(both_read) for each in second]
    found: list[OperatorChange] = []
    for kind, i, j, k, m in SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
        if kind != "equal":
            found += _replaced(first[i:j], second[k:m])
    return found


def _replaced(gone: Iterable[AskedOperator], added: Sequence[AskedOperator]) -> Iterator[OperatorChange]:
    """Between what both have: operators of one name are one that was changed."""
    left = list(added)
    for each in gone:
        partner = next((one for one in left if one.node.operator == each.node.operator), None)
        if partner is not None:
            left.remove(partner)
        yield OperatorChange(each, partner)
    yield from (OperatorChange(None, each) for each in left)
