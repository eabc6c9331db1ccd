"""What can be told of a source's records: values of columns, ends and forms of texts, places."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyspark.sql import types as T

from bigdebug.lineage.finding import numbered
from bigdebug.lineage.sql_names import named, quoted

MOST_TERMS = 60
"""Columns and fields that are looked at."""
MOST_ENDS = 3
"""Characters at the ends of texts."""
FIELDS = "fields"
"""The column of the searched frame that holds a line's fields."""
COMPARISON = "comparison"
"""Type of a term that compares two columns."""
_LONGEST = 80
"""Longer texts are told by their ends and lengths, not as a whole."""
_DELIMITERS = (",", "\t", ";", "|", "^", ":", " ")

_WHOLE = frozenset({"tinyint", "smallint", "int", "bigint"})
_CLOCKS = {"date": "DATE", "timestamp": "TIMESTAMP", "timestamp_ntz": "TIMESTAMP_NTZ"}


@dataclass(frozen=True)
class Term:
    """Something of a record that has a value: a column, a field of a struct or of a line, a place.

    Attributes:
        label: as people call it.
        inner: SQL over the frame that is searched.
        outer: SQL over the source's own columns; None where they don't tell it.
        type: Spark's name of its type.
        place: it says where the record stands, not what it holds.
        about: labels of the columns that it speaks of; none for its own.
    """

    label: str
    inner: str
    outer: str | None
    type: str
    place: bool = False
    about: tuple[str, ...] = ()


@dataclass(frozen=True)
class Feature:
    """A way to look at a term: as it is, at its end, at its length.

    Attributes:
        term: what is looked at.
        form: how: `value`, `null`, `holds`, `shape`, `starts`, `ends`, `number`, `length` or `size`.
        size: how many characters at an end.
    """

    term: Term
    form: str
    size: int = 0

    @property
    def ordered(self) -> bool:
        """Whether its values can be compared."""
        if self.form == "value":
            return self.term.type != "string" and self.term.type != "boolean"
        return self.form in ("length", "number", "size")


def raw_columns(term: Term, base: str) -> dict[str, str]:
    """What has to be fetched of a term to tell all its features, as SQL by name.

    Args:
        base: the term as SQL.
    """
    if term.type == COMPARISON:
        return {"holds": base}
    found = {"null": f"{base} IS NULL"}
    if term.type == "string":
        short = base if term.place else f"if(length({base}) <= {_LONGEST}, {base}, null)"
        found["text"] = f"make_valid_utf8({short})"
        found["head"] = f"make_valid_utf8(left({base}, {MOST_ENDS}))"
        found["tail"] = f"make_valid_utf8(right({base}, {MOST_ENDS}))"
        found["length"] = f"cast(length({base}) AS double)"
        found["number"] = f"try_cast({base} AS double)"
    elif _has_values(term.type):
        found["text"] = f"cast({base} AS string)"
        found["key"] = f"cast({_comparable(term.type, base)} AS double)"
    elif term.type.startswith(("array", "map")):
        found["size"] = f"cast(size({base}) AS double)"
    return found


def _comparable(kind: str, base: str) -> str:
    """What goes up with a value, and can be cast to a double."""
    if kind == "date":
        return f"unix_date({base})"
    return f"cast({base} AS timestamp)" if kind == "timestamp_ntz" else base


def features_of(term: Term) -> Iterator[Feature]:
    """All ways to look at a term, the plainest first."""
    if term.type == COMPARISON:
        yield Feature(term, "holds")
        return
    if _has_values(term.type):
        yield Feature(term, "value")
    if term.place:
        return
    yield Feature(term, "null")
    if term.type == "string":
        yield Feature(term, "shape")
        for size in (2, 3, 1):
            yield Feature(term, "ends", size)
        for size in (2, 3, 1):
            yield Feature(term, "starts", size)
        yield Feature(term, "number")
        yield Feature(term, "length")
    elif term.type.startswith(("array", "map")):
        yield Feature(term, "size")


def _has_values(kind: str) -> bool:
    return (
        kind in _WHOLE
        or kind in _CLOCKS
        or kind in ("string", "boolean", "float", "double")
        or kind.startswith("decimal")
    )


def terms_of(schema: T.StructType) -> list[Term]:
    """The columns of a source, and the fields of its structs.

    Args:
        schema: its own; the searched frame has the same columns as `c0`, `c1`, ….
    """
    names = schema.fieldNames()
    labels = numbered(names)
    seen = Counter(name.lower() for name in names)
    found: list[Term] = []
    for i, (label, field) in enumerate(zip(labels, schema.fields, strict=True)):
        outer = named(field.name) if seen[field.name.lower()] == 1 else None
        found += _of_field(Term(label, f"c{i}", outer, kind_of(field.dataType)), field.dataType)
    return [*found[:MOST_TERMS], *_comparisons(found[:MOST_TERMS])]


def _comparisons(terms: Sequence[Term]) -> Iterator[Term]:
    """Of two columns that go by the same word, or tell times, which is less: an end before its start is a fault."""
    for one, other in itertools.combinations(terms, 2):
        clocks = {one.type, other.type} <= _CLOCKS.keys()
        numbers = _is_number(one.type) and _is_number(other.type) and _words(one) & _words(other)
        if not clocks and not numbers:
            continue
        for less, more in ((one, other), (other, one)):
            outer = None if less.outer is None or more.outer is None else f"{less.outer} < {more.outer}"
            label, inner = f"{less.label} < {more.label}", f"{less.inner} < {more.inner}"
            yield Term(label, inner, outer, COMPARISON, about=(less.label, more.label))


def _is_number(kind: str) -> bool:
    return kind in _WHOLE or kind in ("float", "double") or kind.startswith("decimal")


def _words(term: Term) -> set[str]:
    """The words of a column's name, but for the shortest."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", term.label)
    return {word.lower() for word in words if len(word) > 2}


def _of_field(term: Term, data_type: T.DataType, depth: int = 2) -> Iterator[Term]:
    yield term
    if not isinstance(data_type, T.StructType) or not depth:
        return
    for field in data_type.fields:
        if data_type.fieldNames().count(field.name) > 1:
            continue
        name = named(field.name)
        outer = None if term.outer is None else f"{term.outer}.{name}"
        inner = f"{term.inner}.{quoted(field.name)}"
        below = Term(f"{term.label}.{field.name}", inner, outer, kind_of(field.dataType))
        yield from _of_field(below, field.dataType, depth - 1)


def kind_of(data_type: T.DataType) -> str:
    """Spark's name of a type; all texts are `string`."""
    if isinstance(data_type, T.StringType | T.CharType | T.VarcharType):
        return "string"
    return str(data_type.simpleString())


def fields_of_lines(column: Term, lines: Sequence[str]) -> tuple[list[Term], str]:
    """The fields of delimited lines, and SQL for the column `fields` that they are told of; none of lines that aren't.

    Args:
        column: the one column of the source.
        lines: some of it.
    """
    best, fields = "", 1.0
    for delimiter in _DELIMITERS:
        counts = Counter(line.count(delimiter) + 1 for line in lines)
        usual, often = counts.most_common(1)[0] if counts else (1, 0)
        if usual > 1 and often >= 0.8 * len(lines) and (not best or usual > fields):
            best, fields = delimiter, usual
            if delimiter != " ":
                break  # the first that fits; blanks only where nothing else does
    if not best:
        return [], "null"
    pattern = {"\t": "\t", "^": "\\\\^"}.get(best, f"[{best}]")
    numbers = range(min(int(fields), MOST_TERMS))
    told = [(f"field {n + 1}", f"get({{}}, {n})", "string") for n in numbers]
    told.append(("the number of fields", "size({})", "int"))
    split = None if column.outer is None else f"split({column.outer}, '{pattern}', -1)"
    terms = [
        Term(label, sql.format(FIELDS), None if split is None else sql.format(split), kind)
        for label, sql, kind in told
    ]
    return terms, f"split({column.inner}, '{pattern}', -1)"


def text_literal(value: str) -> str:
    """A text as SQL takes it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def literal(kind: str, text: str) -> str:
    """A value as SQL takes it, of what a cast to text gives."""
    if kind == "string":
        return text_literal(text)
    if kind in _CLOCKS:
        return f"{_CLOCKS[kind]}'{text}'"
    if kind == "float" or text in ("NaN", "Infinity", "-Infinity"):
        return f"{kind}('{text}')"
    return text
