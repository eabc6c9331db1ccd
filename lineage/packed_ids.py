"""Ids of records in files as one number, for as long as they travel with rows.

A file's address in an id may be longer than the row that the id travels with, and goes through every join and shuffle
with it. Where a source has few files, which are known, a trace has the number of a file and that of a row in it travel
as one `bigint`, and spells them out for the rows that it found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.location import address_in_rows
from bigdebug.lineage.row_identity import FILE_METADATA

MOST_FILES = 64
_ROW_BITS = 43
_CODE_BITS = 20


@dataclass(frozen=True)
class Packing:
    """How ids of a source are packed.

    Attributes:
        codes: of the addresses of its files, as Spark writes them: some bits of their hashes.
        shift: where in the hash these begin; None of the only file, which needs no code.
    """

    codes: dict[str, int]
    shift: int | None

    def packed(self, catalyst: Catalyst, file: Any, position: Any) -> Any:
        """An id as one number: an expression.

        Args:
            file, position: expressions for its parts.
        """
        if self.shift is None:
            return position
        expressions = catalyst.expressions
        hashed = expressions.XxHash64(catalyst.seq([file]))
        code = expressions.BitwiseAnd(
            expressions.ShiftRightUnsigned(hashed, catalyst.literal(self.shift)),
            catalyst.as_long(catalyst.literal(_mask(_CODE_BITS))),
        )
        return expressions.BitwiseOr(expressions.ShiftLeft(code, catalyst.literal(_ROW_BITS)), position)

    def spelled_out(self, catalyst: Catalyst, packed: Any) -> Any:
        """The id itself, a struct of file and position; null where there is none.

        Args:
            packed: what `packed` made, an attribute.
        """
        expressions = catalyst.expressions
        if self.shift is None:
            (address,) = self.codes
            file, position = catalyst.text(address), packed
        else:
            code = expressions.ShiftRightUnsigned(packed, catalyst.literal(_ROW_BITS))
            of_file = [
                catalyst.jvm.scala.Tuple2(
                    expressions.EqualTo(code, catalyst.as_long(catalyst.literal(number))),
                    catalyst.text(address),
                )
                for address, number in self.codes.items()
            ]
            file = expressions.CaseWhen(catalyst.seq(of_file), catalyst.none)
            rows = catalyst.literal(_mask(_ROW_BITS))
            position = expressions.BitwiseAnd(packed, rows)
        whole = catalyst.struct([("file", file), ("position", position)])
        if not packed.nullable():
            return whole
        return expressions.If(expressions.IsNull(packed), catalyst.null(whole.dataType()), whole)


def packings(catalyst: Catalyst, leaves: Iterable[SourceLeaf]) -> dict[SourceLeaf, Packing]:
    """Of the sources whose ids can be packed, how.

    Nothing is gained where there is but one source: its ids go through no join.
    """
    leaves = list(leaves)
    if len(leaves) < 2:
        return {}
    found = {leaf: _packing(catalyst, leaf) for leaf in leaves}
    return {leaf: packing for leaf, packing in found.items() if packing is not None}


def _packing(catalyst: Catalyst, leaf: SourceLeaf) -> Packing | None:
    if leaf.places is not FILE_METADATA or leaf.operator.stored is not None or leaf.once is not None:
        return None
    location = leaf.operator.plan.relation().location()
    # Others list their files when a job begins, and may find more than there are now.
    if str(location.getClass().getSimpleName()) != "InMemoryFileIndex":
        return None
    if not 0 < location.allFiles().size() <= MOST_FILES:
        return None
    return packing_of(catalyst, [address_in_rows(str(uri)) for uri in location.inputFiles()])


def packing_of(catalyst: Catalyst, addresses: Sequence[str]) -> Packing | None:
    """How ids of some files are packed; None if their hashes don't tell them apart well enough."""
    if len(addresses) == 1:
        return Packing({addresses[0]: 0}, None)
    hashes = [_hash(catalyst, address) for address in addresses]
    for shift in range(64 - _CODE_BITS):
        codes = [hashed >> shift & _mask(_CODE_BITS) for hashed in hashes]
        if len(set(codes)) == len(codes):
            return Packing(dict(zip(addresses, codes, strict=True)), shift)
    return None


def _hash(catalyst: Catalyst, address: str) -> int:
    hashed = catalyst.expressions.XxHash64(catalyst.seq([catalyst.text(address)]))
    return int(
        hashed.eval(catalyst.singleton(catalyst.jvm.org.apache.spark.sql.catalyst, "InternalRow").empty())
    )


def _mask(bits: int) -> int:
    return (1 << bits) - 1
