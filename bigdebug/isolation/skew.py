"""What it means that a group holds too much."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Skew:
    """Groups that hold too much, as what is wrong with an aggregate.

    A group is too heavy if it holds more than so many times what the median group does; Spark's own rule for
    partitions that are skewed has the same factor. The median isn't moved by a few heavy groups, as a mean would be.

    Attributes:
        by: of what: `"records"`, `"bytes"` (of the rows that the aggregate takes, as text), or an expression in SQL
            over these rows' columns that is added up, such as `"amount"`.
        factor: how many times the median.
    """

    by: str = "records"
    factor: float = 5.0

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise ValueError(f"factor must be 1 or more, not {self.factor}")

    def __str__(self) -> str:
        what = self.by if self.by in ("records", "bytes") else f"sum({self.by})"
        return f"more than {self.factor:g} times the median of {what}"
