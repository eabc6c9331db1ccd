"""A failed assertion about a dataflow: what is known of it, for people, for JUnit and for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Place:
    """A source record.

    Attributes:
        source: the source's name.
        file: its file; None where it isn't in files.
        position: its 0-based number in the file, or in the partition of in-memory data; None where there is none.
        partition: of in-memory data.
        value: its columns by name, as text that Python prints.
    """

    source: str
    file: str | None
    position: int | None
    partition: int | None
    value: dict[str, str]

    def __str__(self) -> str:
        if self.position is None:
            place = f"{self.source}, a record"
        elif self.file is not None:
            place = f"{self.file}, record {self.position}"
        else:
            place = f"{self.source}, record {self.position} of partition {self.partition}"
        return f"{place}: {shown(self.value)}"


@dataclass(frozen=True)
class Blame:
    """A failing row, and the input records behind it.

    Attributes:
        row: its columns by name, as text that Python prints; empty where it is the whole output.
        culprits: without them it passes.
        culprit_count: how many these are in all.
        reproduction: they alone make it fail.
        reproduction_count: how many these are in all.
        candidates: how many records it comes from.
        notes: what a person must know about them.
        vanishes: without the culprits there is no such row.
        behind: where nothing could be isolated, records that it comes from.
        strangers: the culprits are records that weren't to be among those behind the rows.
        expected: of a comparison, the row that was expected.
        expected_behind: records that this comes from.
        raw: the row's values as they are.
    """

    row: dict[str, str]
    culprits: tuple[Place, ...] = ()
    culprit_count: int = 0
    reproduction: tuple[Place, ...] = ()
    reproduction_count: int = 0
    candidates: int = 0
    notes: tuple[str, ...] = ()
    vanishes: bool = False
    behind: tuple[Place, ...] = ()
    strangers: bool = False
    expected: dict[str, str] | None = None
    expected_behind: tuple[Place, ...] = ()
    raw: dict[str, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def all_of_it(self) -> bool:
        """Whether only leaving out all that it comes from was found to help, which says nothing of any of it."""
        return self.vanishes and 1 < self.culprit_count == self.candidates


@dataclass
class Failure:
    """What one failed assertion found out.

    Attributes:
        headline: what failed, in one line.
        blames: of the first failing rows.
        more: how many further rows fail.
        patterns: what the culprits share.
        way: the operators on the way, from the output to the sources, each with its line.
        notes: what a person must know.
        run: where it is recorded; None where it isn't.
        command: opens the run.
        detail: what else there is to see, line by line.
        crashed: the records that crashed a function, a line each.
    """

    headline: str
    blames: list[Blame] = field(default_factory=list)
    more: int = 0
    patterns: list[str] = field(default_factory=list)
    way: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    run: str | None = None
    command: str | None = None
    detail: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """All of it, of types that JSON has."""
        told = asdict(replace(self, blames=[replace(each, raw=None) for each in self.blames]))
        for each in told["blames"]:
            del each["raw"]  # of any type
        return told

    @property
    def culprits(self) -> list[str]:
        """The records to blame, a line each; where a row has no culprits, those that alone make it fail."""
        lines = [
            str(place)
            for blame in self.blames
            for place in ((() if blame.all_of_it else blame.culprits) or blame.reproduction or blame.behind)
        ]
        return list(dict.fromkeys([*lines, *self.crashed]))

    def __str__(self) -> str:
        lines = [self.headline, *self.detail]
        for blame in self.blames:
            lines += ["", *_blame_lines(blame)]
        if self.more:
            lines += ["", f"… and {self.more:,} more"]
        lines += [""] if self.patterns or self.way or self.notes or self.command else []
        lines += [
            f"{'what they share' if not n else ' ' * 15}  {each}" for n, each in enumerate(self.patterns)
        ]
        lines += [f"{'on the way' if not n else ' ' * 10}  {each}" for n, each in enumerate(self.way)]
        lines += [f"note: {each}" for each in self.notes]
        if self.command is not None:
            lines.append(f"open the run: {self.command}")
        return "\n".join(lines)


def _blame_lines(blame: Blame) -> list[str]:
    lines = [shown(blame.row)] if blame.row else []
    if blame.expected is not None:
        lines.append(f"{'expected' if blame.row else 'missing'}: {shown(blame.expected)}")
    if blame.strangers:
        return [*lines, *_listed(blame.culprits, blame.culprit_count)]
    notes = blame.notes
    if blame.all_of_it:
        lines.append(
            f"  it comes from {blame.candidates:,} records, and no removal that was tried makes it pass"
        )
        notes = ()
    elif blame.vanishes and blame.candidates == 1:
        lines += ["  it comes from one record:", *_listed(blame.culprits, 1)]
        notes = ()
    elif blame.culprits:
        becomes = "isn't there" if blame.vanishes else "passes"
        them = "it" if blame.culprit_count == 1 else "them"
        of = f" of {blame.candidates:,}" if blame.candidates else ""
        count = _counted(blame.culprit_count, "culprit")
        lines.append(f"  {count}{of}; without {them} the row {becomes}:")
        lines += _listed(blame.culprits, blame.culprit_count)
    if blame.reproduction and blame.reproduction != blame.culprits:
        alone = "alone makes" if blame.reproduction_count == 1 else "alone make"
        lines.append(f"  {_counted(blame.reproduction_count, 'record')} that {alone} it fail:")
        lines += _listed(blame.reproduction, blame.reproduction_count)
    if blame.behind:
        lines.append(f"  they come from {_counted(blame.candidates, 'record')}:")
        lines += _listed(blame.behind, blame.candidates)
    if blame.expected_behind:
        lines.append("  what was expected comes from:")
        lines += [f"    {each}" for each in blame.expected_behind]
    return [*lines, *(f"  note: {each}" for each in notes)]


def _listed(places: Sequence[Place], count: int) -> list[str]:
    lines = [f"    {each}" for each in places]
    return lines if len(places) >= count else [*lines, f"    … and {count - len(places):,} more"]


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def shown(value: dict[str, str]) -> str:
    """Columns and values in one line."""
    text = ", ".join(f"{name}={each}" for name, each in value.items())
    return text if len(text) <= 300 else f"{text[:299]}…"
