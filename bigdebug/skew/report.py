"""How lopsided a dataflow is: asking, and the answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, overload

from bigdebug.lineage.asking import asking
from bigdebug.lineage.certainty import doubts
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.described import FEW_RECORDS, Described, Description, Table, site_label
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.questions import Question
from bigdebug.skew.advising import SETTINGS, advice_for
from bigdebug.skew.counting import Counts
from bigdebug.skew.finding import Finding
from bigdebug.skew.hot_trace import trace_key
from bigdebug.skew.judging import Judge
from bigdebug.skew.shuffles import Shuffle, shuffles_of
from bigdebug.skew.thresholds import SEVERITIES, Thresholds
from bigdebug.skew.what_if import Change, Foretelling, Foretold

if TYPE_CHECKING:
    from bigdebug.skew.what_if_rdds import RddForetelling


@dataclass(frozen=True, repr=False)
class SkewReport(Described, Sequence[Finding]):
    """The shuffles of a dataflow, the worst first; a sequence of findings.

    Attributes:
        findings: all of them, also those that are even.
        notes: what couldn't be told, and what makes the report inexact.
        seconds: how long it took.
        thresholds: that were used.
    """

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    seconds: float
    thresholds: Thresholds
    _foretelling: Foretelling | RddForetelling | None = field(default=None, repr=False, compare=False)

    @property
    def skewed(self) -> list[Finding]:
        """The findings that there is something to say of."""
        return [each for each in self.findings if each.is_skewed]

    def what_if(
        self, salt: int | None = None, partitions: int | None = None, *, drop_nulls: bool = False
    ) -> list[Foretold]:
        """What a change would come to, for each finding, worked out of the counts of its keys.

        Args:
            salt: split each hot key into so many.
            partitions: make so many.
            drop_nulls: leave out records without a key.

        Raises:
            BigDebugError: nothing would be changed, or Spark was stopped.
        """
        change = Change(salt, partitions, drop_nulls)
        return [] if self._foretelling is None else self._foretelling.of(self.findings, change)

    def __repr__(self) -> str:
        return f"<{len(self.skewed)} of {len(self.findings)} shuffles lopsided>"

    def _description(self) -> Description:
        shuffles = Table(
            "shuffles",
            ("operator", "at", "keys", "severity", "longest ÷ median", "records"),
            [
                (
                    each.operator,
                    site_label(each),
                    ", ".join(each.keys),
                    each.severity,
                    round(each.ratio, 2),
                    each.records,
                )
                for each in self.findings
            ],
        )
        hot = [
            (
                each.operator,
                key.text,
                key.records,
                f"{key.share:.1%}",
                next((a.text for a in each.advice), ""),
            )
            for each in self.skewed
            for key in each.hot_keys[:FEW_RECORDS]
        ]
        keys = Table("hot keys", ("operator", "key", "records", "share", "what to do"), hot)
        tables = [*([shuffles] if self.findings else []), *([keys] if hot else [])]
        return Description(repr(self)[1:-1], tables, self.notes)

    def __len__(self) -> int:
        return len(self.findings)

    @overload
    def __getitem__(self, place: int) -> Finding: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Finding]: ...

    def __getitem__(self, place: int | slice) -> Finding | Sequence[Finding]:
        return self.findings[place]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)


def skew_of(
    question: Question, thresholds: Thresholds | None = None, seconds: float | None = None
) -> SkewReport:
    """How lopsided the shuffles of a dataflow are, and by which keys.

    Args:
        question: about the dataflow.
        thresholds: from when on something is called skewed.
        seconds: that the output took, where that is known.

    Raises:
        BigDebugError: Spark couldn't compute the inputs of the shuffles.
    """
    began = time.monotonic()
    thresholds = thresholds or Thresholds()
    catalyst = question.catalyst
    with asking(catalyst, "skew of shuffles"), deep_plans():
        shuffles, notes = shuffles_of(catalyst, question.root)
        notes += question.notes
        notes += _doubts(question, shuffles)
        if not shuffles:
            return SkewReport((), tuple(notes), time.monotonic() - began, thresholds)
        counts = Counts(catalyst, shuffles)
        counted = counts.fetch()
        cores = catalyst.spark.sparkContext.defaultParallelism
        judge = Judge(catalyst, thresholds, seconds, cores, counted)
        settings = {name: str(catalyst.spark.conf.get(name) or "") for name in SETTINGS}
        findings = []
        for number, each in enumerate(counted, 1):
            found = judge.finding(number, each)
            advice = advice_for(found, each.shuffle, thresholds, settings)
            findings.append(replace(found, advice=advice, _trace=partial(trace_key, question, each)))
    findings.sort(key=lambda each: (-SEVERITIES.index(each.severity), -each.ratio, each.number))
    foretelling = Foretelling(counts, counted, seconds, cores)
    return SkewReport(tuple(findings), tuple(notes), time.monotonic() - began, thresholds, foretelling)


def _doubts(question: Question, shuffles: Sequence[Shuffle]) -> list[str]:
    """What a second run may count differently; what an operator makes of its own rows is of no matter to its keys."""
    seen: set[Operator] = set()
    found: dict[str, None] = {}
    for shuffle in shuffles:  # those above come first
        for side in shuffle.sides:
            if side.operator not in seen:
                seen.update(side.operator.walk())
                found |= dict.fromkeys(doubts(question.catalyst, side.operator, question.sources.values()))
    return list(found)
