"""Finding a source, or another thing with a name, by what a person calls it. Loads no Spark."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from typing import Protocol, TypeVar

from bigdebug.lineage.errors import UnknownNameError


def numbered(names: Sequence[str]) -> list[str]:
    """A second source of the same name gets `#2`, and so on, past names that some have of themselves."""
    seen: Counter[str] = Counter()
    taken = set(names)
    result = []
    for name in names:
        seen[name] += 1
        if seen[name] > 1:
            while f"{name}#{seen[name]}" in taken:
                seen[name] += 1
            name = f"{name}#{seen[name]}"
        result.append(name)
    return result


class Named(Protocol):
    """What has a source's name."""

    @property
    def name(self) -> str: ...


NamedT = TypeVar("NamedT", bound=Named)


def find_source(sources: Sequence[NamedT], wanted: str) -> NamedT:
    """The source of that name, or the only one whose name starts with it or ends in that path.

    Raises:
        UnknownNameError: no source, or more than one, goes by that name.
    """
    exact = [source for source in sources if source.name == wanted]
    stems = [source for source in sources if source.name.split(".")[0] == wanted]
    begins = [source for source in sources if source.name.startswith(wanted)]
    for candidates in (exact, stems, begins):
        if len(candidates) == 1:
            return candidates[0]
    names = ", ".join(source.name for source in sources)
    how = "More than one source" if exact or stems or begins else "No source"
    raise UnknownNameError(f"{how} is called {wanted!r}", hint=f"the sources are: {names}")


def place_of_column(columns: Sequence[str], wanted: str) -> int:
    """Where a column of that name stands; the second of two equal names is called `name#2`.

    Upper and lower case may differ where that leaves no choice.

    Raises:
        UnknownNameError: there is none.
    """
    names = numbered(columns)
    if wanted in names:
        return names.index(wanted)
    alike = [place for place, name in enumerate(names) if name.casefold() == wanted.casefold()]
    if len(alike) == 1:
        return alike[0]
    near = difflib.get_close_matches(wanted, names, 1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise UnknownNameError(
        f"the output has no column {wanted!r}", hint=f"{meant}the columns are: {', '.join(names)}"
    )
