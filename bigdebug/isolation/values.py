"""The values that records have under each feature, as a search of patterns sees them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bigdebug.isolation.features import Feature, Term, features_of

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Keys = np.ndarray[Any, np.dtype[np.float64]]

_MOST_DIGITS = 1e15
_RUNS = ((re.compile("[0-9]+"), "9"), (re.compile("[A-Z]+"), "A"), (re.compile("[a-z]+"), "a"))


@dataclass(frozen=True)
class Values:
    """A feature's values of all records of a table.

    Attributes:
        codes: numbers of their texts; -1 for null.
        texts: all there are.
        keys: the values as doubles, where they can be compared.
    """

    codes: np.ndarray[Any, np.dtype[np.int64]]
    texts: list[str]
    keys: Keys | None = None

    @classmethod
    def of(cls, texts: pd.Series[Any], keys: Keys | None = None) -> Values:
        codes, found = pd.factorize(texts)
        return cls(codes.astype(np.int64), [str(each) for each in found], keys)


@dataclass(frozen=True)
class Table:
    """Records as a search sees them.

    Attributes:
        values: by feature.
        culprit: which of them are culprits.
        candidate: which are candidates, culprits among them; the rest only shows what is usual.
        weight: how many other candidates each other candidate stands for.
        numbers: theirs as candidates.
    """

    values: Mapping[Feature, Values]
    culprit: Mask
    candidate: Mask
    weight: float
    numbers: np.ndarray[Any, np.dtype[np.int64]]

    @property
    def other(self) -> Mask:
        return self.candidate & ~self.culprit


def values_of(term: Term, raw: Mapping[str, pd.Series[Any]]) -> dict[Feature, Values]:
    """The values of all features of a term.

    Args:
        raw: what was fetched of it, by the names that `raw_columns` gives.
    """
    return {feature: _of_feature(feature, raw) for feature in features_of(term)}


def _of_feature(feature: Feature, raw: Mapping[str, pd.Series[Any]]) -> Values:
    form, size = feature.form, feature.size
    if form in ("null", "holds"):
        return Values.of(raw[form].map({True: "true"}))
    if form in ("length", "number", "size"):
        keys = raw[form].to_numpy(dtype=float, na_value=np.nan)
        return Values.of(pd.Series([_number_text(key) for key in keys], dtype=object), keys)
    if form == "value":
        key = raw["key"].to_numpy(dtype=float, na_value=np.nan) if feature.ordered else None
        return Values.of(raw["text"], key)
    if form == "shape":
        return Values.of(raw["text"].map(shape_of, na_action="ignore"))
    ends = raw["head"].str[:size] if form == "starts" else raw["tail"].str[-size:]
    return Values.of(ends.where(raw["length"] >= size))


def shape_of(text: str) -> str:
    """A text with `9` for a run of digits, `A` and `a` for one of letters."""
    for run, sign in _RUNS:
        text = run.sub(sign, text)
    return text


def _number_text(key: float) -> str | None:
    """A number as people write it, exact; None for none."""
    if np.isnan(key):
        return None
    return str(int(key)) if key.is_integer() and abs(key) < _MOST_DIGITS else repr(float(key))
