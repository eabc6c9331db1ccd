"""Conditions over a feature of records: one value of it, a range, or anything but the usual value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bigdebug.isolation.features import Feature, literal, text_literal
from bigdebug.isolation.values import Keys, Mask, Table, Values

_VALUES = 12
"""Values of a feature that are proposed, the commonest among culprits first."""
_CUTS = 12
_ENDS = 5
"""Of ranges with two ends."""
_USUAL = 0.9
_FEW_OTHERS = 0.1
"""Others that may lie as far out as culprits."""
_COMPARED = {"<=": np.less_equal, ">=": np.greater_equal, "<": np.less, ">": np.greater}
_PLAIN_PATH = re.compile(r"[\w./:-]+", re.ASCII)


@dataclass(frozen=True)
class Predicate:
    """A condition over one feature.

    Attributes:
        feature: what it looks at.
        operator: `=`, `<>`, `<=`, `>=`, `<`, `>` or `between`.
        low: a value's text.
        high: the other end of a range.
        choices: among how many conditions of its kind it was chosen.
    """

    feature: Feature
    operator: str
    low: str
    high: str | None = None
    choices: float = field(default=2.0, compare=False)

    @property
    def cost(self) -> float:
        """Bits that it takes to choose it among its kind."""
        return float(np.log2(max(self.choices, 2.0)))

    @property
    def text(self) -> str:
        """As people read it."""
        form, term = self.feature.form, self.feature.term
        name, one = term.label, text_literal(self.low)
        if form == "holds":
            return name
        if form == "null":
            return f"{name} is null"
        if form == "starts":
            return f"{name} starts with {one}"
        if form == "ends":
            return f"{name} ends with {one}"
        if form == "shape":
            return f"{name} {_shape_said(self.low, negated=self.operator == '<>')}"
        if term.place and form == "value" and term.type == "string":
            return f"{name} {self.low.rsplit('/', 1)[-1]}"
        subject = {"length": f"length({name})", "number": f"{name} as a number", "size": f"size({name})"}
        kind = "string" if form == "value" and term.type == "string" else ""
        said = subject.get(form, name)
        if form == "value" and term.type == "string" and self.low == "" and self.operator == "=":
            return f"{name} is empty"
        low = literal(kind, self.low) if kind else self.low
        if self.operator == "between":
            return f"{said} from {low} to {self.high}"
        if form == "number" and self.operator == "null":
            return f"{name} is not a number"
        return f"{said} {self.operator} {low}"

    @property
    def condition(self) -> str | None:
        """As SQL over the source's own columns; None where they don't tell it."""
        outer, term = self.feature.term.outer, self.feature.term
        if outer is None:
            return None
        if term.place and term.type == "string":
            # A path that Spark would encode isn't found by its text.
            plain = _PLAIN_PATH.fullmatch(self.low)
            return f"endswith({outer}, {text_literal(self.low)})" if plain else None
        return self.sql(outer)

    @property
    def inner(self) -> str:
        """As SQL over the searched frame."""
        return self.sql(self.feature.term.inner)

    def sql(self, base: str) -> str:
        form, kind = self.feature.form, self.feature.term.type
        if form == "holds":
            return base
        if form == "null":
            return f"{base} IS NULL"
        if form in ("starts", "ends"):
            return f"{form}with({base}, {text_literal(self.low)})"
        if form == "shape":
            matches = f"{base} RLIKE '{_shape_pattern(self.low)}'"
            return f"NOT ({matches})" if self.operator == "<>" else matches
        if form == "number" and self.operator == "null":
            return f"({base} IS NOT NULL AND try_cast({base} AS double) IS NULL)"
        subject = {
            "length": f"length({base})",
            "number": f"try_cast({base} AS double)",
            "size": f"size({base})",
        }.get(form, base)
        of = kind if form == "value" else "double" if form == "number" else "int"
        low = literal(of, self.low)
        if self.operator == "between":
            return f"{subject} BETWEEN {low} AND {literal(of, self.high or '')}"
        return f"{subject} {self.operator} {low}"

    def mask(self, table: Table) -> Mask:
        """Which records of a table fulfil it."""
        values = table.values[self.feature]
        if self.operator == "null":
            there = table.values[Feature(self.feature.term, "length")].codes >= 0
            return (values.codes < 0) & there
        if self.operator in ("=", "<>"):
            code = values.texts.index(self.low) if self.low in values.texts else -2
            same: Mask = np.equal(values.codes, code)
            return same if self.operator == "=" else ~same & (values.codes >= 0)
        keys = _keys(values)
        low = _key(values, self.low)
        with np.errstate(invalid="ignore"):
            if self.operator == "between":
                return np.asarray((keys >= low) & (keys <= _key(values, self.high or "")), bool)
            return np.asarray(_COMPARED[self.operator](keys, low), bool)


def _key(values: Values, text: str) -> float:
    if text not in values.texts:
        return float(text)  # 0
    return float(_keys(values)[values.codes == values.texts.index(text)][0])


def _keys(values: Values) -> Keys:
    assert values.keys is not None
    return values.keys


def proposed(table: Table, feature: Feature) -> Iterator[Predicate]:
    """Conditions over a feature that some culprits fulfil."""
    values = table.values[feature]
    choices = _choices(values.codes)
    if feature.form in ("null", "holds"):
        yield Predicate(feature, "=", "true", choices=2)
        return
    if feature.form == "number":
        yield Predicate(feature, "null", "", choices=2)
    codes = values.codes[table.culprit]
    found, counts = np.unique(codes[codes >= 0], return_counts=True)
    if feature.form != "number":
        for code in found[np.argsort(-counts, kind="stable")][:_VALUES]:
            yield Predicate(feature, "=", values.texts[code], choices=choices)
    usual = values.codes[table.other]
    if len(usual) and feature.form in ("value", "shape") and not feature.term.place:
        seen, often = np.unique(usual[usual >= 0], return_counts=True)
        if len(seen) and often.max() >= _USUAL * len(usual):
            yield Predicate(feature, "<>", values.texts[seen[often.argmax()]], choices=2)
    if values.keys is not None:
        yield from _ranges(table, feature, values)


def _ranges(table: Table, feature: Feature, values: Values) -> Iterator[Predicate]:
    keys = _keys(values)
    mine = keys[table.culprit & (values.codes >= 0)]
    mine = mine[~np.isnan(mine)]
    if not len(mine):
        return
    theirs = keys[table.other]
    theirs = theirs[~np.isnan(theirs)]
    shown = {
        float(key): values.texts[code] for key, code in zip(keys, values.codes, strict=True) if code >= 0
    }
    cuts = np.unique(np.quantile(mine, np.linspace(0, 1, _CUTS), method="nearest"))
    spread = float(np.subtract(*np.quantile(theirs, [0.75, 0.25]))) if len(theirs) else 0.0
    choices = 2.0 * len(np.unique(keys[~np.isnan(keys)]))
    for cut in cuts.tolist():
        text = shown[cut]
        above, below = theirs[theirs > cut], theirs[theirs < cut]
        far = _doublings((above.min() - cut) if len(above) else 0.0, spread)
        sign = cut < 0 and bool(len(above)) and above.min() >= 0
        yield _beyond(feature, ("<", "0") if sign and _signed(feature) else ("<=", text), choices, far)
        far = _doublings((cut - below.max()) if len(below) else 0.0, spread)
        sign = cut > 0 and bool(len(below)) and below.max() <= 0
        yield _beyond(feature, (">", "0") if sign and _signed(feature) else (">=", text), choices, far)
    for sign, operator in ((1.0, "<="), (-1.0, ">=")):
        cut, far = _apart(sign * mine, sign * theirs, spread)
        if cut is not None:
            yield _beyond(feature, (operator, shown[sign * cut]), choices, far)
    ends = np.unique(np.quantile(mine, np.linspace(0, 1, _ENDS), method="nearest")).tolist()
    for i, low in enumerate(ends):
        for high in ends[i + 1 :]:
            yield Predicate(feature, "between", shown[low], shown[high], choices * choices / 2)


def _apart(mine: Keys, theirs: Keys, spread: float) -> tuple[float | None, float]:
    """The end of those low values that a wide gap parts from the rest, and how wide it is; None if there is no such.

    Some others may be among them: they are like the culprits.
    """
    every = np.sort(np.concatenate([mine, theirs]))
    first = int(np.searchsorted(every, mine.min(), side="right")) - 1
    last = first + 1 + int(_FEW_OTHERS * len(theirs))
    if last >= len(every):
        return None, 0.0
    gaps = np.diff(every[first : last + 1])
    widest = int(gaps.argmax())
    return float(every[first + widest]), _doublings(float(gaps[widest]), spread)


def _beyond(feature: Feature, cut: tuple[str, str], choices: float, far: float) -> Predicate:
    """A range without an end. Some record is always the outermost: it takes a gap to make one worth telling of."""
    return Predicate(feature, *cut, None, max(choices / 2**far, 2.0))


def _signed(feature: Feature) -> bool:
    """Whether 0 parts its values as people would."""
    return feature.form == "number" or (
        feature.form == "value" and not feature.term.type.startswith(("date", "timestamp"))
    )


def _doublings(gap: float, spread: float) -> float:
    """How far a gap is, in doublings of the usual spread."""
    if gap <= 0 or not np.isfinite(gap):
        return 0.0
    return float(min(np.log2(1 + gap / spread), 10.0)) if spread > 0 else 10.0


def _choices(codes: np.ndarray[Any, np.dtype[np.int64]]) -> float:
    """How many values there are, of those seen (Chao, 1984: those seen once tell of those not seen)."""
    _, counts = np.unique(codes[codes >= 0], return_counts=True)
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return len(counts) + once * (once - 1) / (2 * (twice + 1))


_FORMS = {"9": "digits", "a": "small letters", "A": "capital letters"}


def _shape_said(shape: str, *, negated: bool) -> str:
    if not shape.strip():
        said = "empty" if not shape else "blank"
        return f"is {'not ' if negated else ''}{said}"
    verb = "doesn't match" if negated else "matches"
    if shape in _FORMS:
        return f"{verb} {_FORMS[shape]} only"
    return f"{verb} the form '{shape}'"


def _shape_pattern(shape: str) -> str:
    """A regular expression for texts of a shape, without a character that literals escape."""
    runs = {"9": "[0-9]+", "A": "[A-Z]+", "a": "[a-z]+"}
    pieces = (
        runs.get(char)
        or (char if char.isalnum() or char == " " else "." if char in "^\\[]'" else f"[{char}]")
        for char in shape
    )
    return f"^{''.join(pieces)}$"
