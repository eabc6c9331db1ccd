"""The sources of two runs, matched up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar


class Named(Protocol):
    """What has a name, which is its own in its run, and a kind."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...


One = TypeVar("One", bound=Named)


def paired(first: Sequence[One], second: Sequence[One]) -> Iterator[tuple[One | None, One | None]]:
    """Sources by name; of those that are left, the first of a kind is the first of it in the other run."""
    left = list(second)
    partners: dict[str, One] = {}
    for by in ("name", "kind"):
        for each in first:
            partner = next((one for one in left if getattr(one, by) == getattr(each, by)), None)
            if each.name not in partners and partner is not None:
                partners[each.name] = partner
                left.remove(partner)
    yield from ((each, partners.get(each.name)) for each in first)
    yield from ((None, each) for each in left)
