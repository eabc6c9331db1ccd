"""Catalogs of cases: the suite runs some of them, the long proofs run the others."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import pytest


def thinned(
    cases: Iterable[Any], covers: str, every: int = 3, among: Container[Any] | None = None
) -> list[Any]:
    """Parameters of a test, most of them marked as proofs.

    Args:
        cases: all there are: each a parameter, or a tuple of them.
        covers: what the others judge, for the table of proofs.
        every: the suite runs one of so many.
        among: it runs just these instead.
    """
    mark = pytest.mark.proof(covers)
    return [
        case if (place % every == 0 if among is None else case in among) else _marked(case, mark)
        for place, case in enumerate(cases)
    ]


def _marked(case: Any, mark: pytest.MarkDecorator) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=mark)
