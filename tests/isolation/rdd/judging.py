"""What holds of every answer about an element, whose records are known by their numbers."""

from collections.abc import Callable

from bigdebug.isolation.found import IsolatedRecords, IsolatedRow

Fate = Callable[[set[int]], str]
"""What becomes of an element when there are these records alone: it "fails", "passes" or is "absent"."""


def judge_row(row: IsolatedRow, everything: set[int], of: Fate) -> None:
    """Culprits repair, the reproduction fails, and none of either can be left out."""
    reproduction, culprits = ids_of(row.reproduction), ids_of(row.culprits)
    assert row.reproduction.proof == row.culprits.proof == "1-minimal"
    assert of(reproduction) == "fails", row.value
    assert all(of(reproduction - {one}) != "fails" for one in reproduction)
    repaired = of(everything - culprits)
    assert repaired == ("absent" if row.vanishes else "passes"), row.value
    assert all(of(everything - culprits | {one}) != repaired for one in culprits)


def ids_of(found: IsolatedRecords) -> set[int]:
    assert found.total == len(found)
    return {record.value[0] for record in found}
