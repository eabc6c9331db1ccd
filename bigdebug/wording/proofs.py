"""What is known of isolated records, in words."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bigdebug.isolation.found import IsolatedRecords, IsolatedRow


def of_culprits(row: "IsolatedRow") -> str:
    """What is known of the culprits, in words."""
    one = row.culprits.total == 1
    these, any_one = ("it", "it") if one else ("these", "any one")
    becomes = "isn't there" if row.vanishes else "passes"
    if row.culprits.proof == "1-minimal":
        return f"without {these} the row {becomes}; put {any_one} back and it fails again"
    return f"without {these} the row {becomes}" + ("" if one else "; fewer may do")


def of_reproduction(records: "IsolatedRecords") -> str:
    """What is known of the reproduction, in words."""
    if records.total == 1:
        return "it alone makes the row fail"
    more = "leave any one out and it doesn't" if records.proof == "1-minimal" else "fewer may do"
    return f"these alone make the row fail; {more}"
