"""What the skew screen shows of a shuffle: a line in the list, bars of its keys and partitions, and the advice."""

from __future__ import annotations

from collections.abc import Collection
from math import isfinite
from typing import TYPE_CHECKING

from rich.text import Text

from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.value_text import text_value, visible
from bigdebug.tui.bars import bar
from bigdebug.tui.cells import Cell, Column
from bigdebug.wording.code_line import code_line
from bigdebug.wording.quantities import duration, plural, size

if TYPE_CHECKING:
    from bigdebug.skew.finding import Finding, HotKey
    from bigdebug.skew.what_if import Foretold

_BAR = 24
_SECONDS_TOLD = 0.05
FINDINGS = (
    Column("skew", width=8),
    Column("operator", most=26),
    Column("at", most=24),
    Column("by", most=24),
    Column("÷ median", right=True),
    Column("records", right=True),
    Column("code", most=100, style="grid--dim"),
)
KEYS = (
    Column("key", most=30),
    Column("records", right=True),
    Column("share", right=True),
    Column("", width=_BAR),
    Column("", most=80, style="grid--dim"),
)
PARTITIONS = (
    Column("partitions", width=10),
    Column("records", right=True, width=12),
    Column("", width=_BAR),
    Column("bytes", right=True),
)
PARTITIONS_THEN = (*PARTITIONS[:2], Column("", width=14), Column("then", right=True), Column("", width=14))
_STYLES = {"none": "grid--dim", "low": "grid--odd", "moderate": "grid--odd"}


def finding_row(finding: Finding, nodes: Collection[Node]) -> list[str | Cell]:
    """A shuffle's line in the list."""
    return [
        Cell(
            "even" if not finding.is_skewed else finding.severity, _STYLES.get(finding.severity, "grid--bad")
        ),
        f"{finding.join} {finding.operator}".strip(),
        finding.call_site.label if finding.call_site else "",
        ", ".join(finding.keys),
        f"{finding.ratio:,.1f}" if isfinite(finding.ratio) else "∞",
        f"{finding.records:,}",
        code_line(finding.call_site, nodes),
    ]


def key_rows(finding: Finding) -> list[list[str | Cell]]:
    """The largest keys, hot ones first, with a bar each."""
    most = max((key.records for key in finding.largest), default=0)
    return [
        [
            _key_text(key),
            f"{key.records:,}",
            f"{key.share:.1%}",
            Cell(bar(key.records, most, _BAR), "grid--bad" if key.hot else "grid--dim"),
            _said_of(key, finding),
        ]
        for key in finding.largest
    ]


def _key_text(key: HotKey) -> str:
    values = [text_value(value) for value in key.key.values()]
    return values[0] if len(values) == 1 else ", ".join(values)


def _said_of(key: HotKey, finding: Finding) -> str:
    said = {"null": ["no key"], "default": ["a default"]}.get(key.kind, [])
    said = [*said, f"hot by {', '.join(key.hot_by)}"] if key.hot else said
    if finding.join:
        told = ", ".join(f"{name} {count:,}" for name, count in key.sides.items())
        said = [*said, f"{told}, together {plural(key.pairs, 'row')}"]
    return "; ".join(said if key.shuffled else [*said, "not shuffled"])


def keys_title(finding: Finding) -> str:
    """What stands above the keys."""
    if not finding.keys:
        return "all records go to one partition: there is no key"
    each = " and ".join(
        f"{side.keys:,} on the {side.name}, the median one of {plural(side.records_of_keys.median, 'record')}"
        if finding.join
        else f"{side.keys:,}, the median one of {plural(side.records_of_keys.median, 'record')}"
        for side in finding.sides
    )
    return f"keys by {', '.join(finding.keys)}: {each}"


def partition_rows(finding: Finding, foretold: Foretold | None) -> list[list[str | Cell]]:
    """Of the partitions that hold any records the least, median, nine in ten, and most; also after a change."""
    now, held = finding.records_of_partitions, finding.bytes_of_partitions
    if foretold is None or not foretold.applies:
        return [
            [name, f"{records:,}", Cell(bar(records, now.most, _BAR), style), size(taken)]
            for name, records, taken, style in (
                ("least", now.least, held.least, ""),
                ("median", now.median, held.median, "grid--good"),
                ("p90", now.p90, held.p90, ""),
                ("most", now.most, held.most, "grid--bad" if finding.is_skewed else ""),
            )
        ]
    then = foretold.records
    most = max(now.most, then.most)
    return [
        [
            name,
            f"{before:,}",
            Cell(bar(before, most, 14), "grid--dim"),
            f"{after:,}",
            Cell(bar(after, most, 14), "grid--good"),
        ]
        for name, before, after in (
            ("least", now.least, then.least),
            ("median", now.median, then.median),
            ("p90", now.p90, then.p90),
            ("most", now.most, then.most),
        )
    ]


def foretold_text(change: str, foretold: Foretold) -> str:
    """What a change comes to for a shuffle, as a sentence."""
    if not foretold.applies:
        return f"{change} changes nothing here"
    before, after = foretold.finding.records_of_partitions, foretold.records
    told = (
        f"{change}: longest partition {before.most:,} → {after.most:,} records, "
        f"÷ median {before.ratio:.1f} → {after.ratio:.1f}"
    )
    told += f", {foretold.added:,} records more" if foretold.added else ""
    gained = foretold.seconds_gained or 0.0
    return told + (f", gains {duration(gained)}" if gained >= _SECONDS_TOLD else "")


def advice_text(finding: Finding) -> Text:
    """What to do about a shuffle, with the code, and what else there is to know of it."""
    told = Text()
    for advice in finding.advice:
        told.append(f"→ {visible(advice.text)}\n", "bold")
        told.append(f"  {visible(advice.evidence)}\n", "dim")
        for line in advice.change.splitlines():
            told.append(f"    {visible(line)}\n")
    if not finding.advice:
        told.append("even: there is nothing to do\n" if not finding.is_skewed else "there is no advice\n")
    if finding.rows is not None and finding.multiplies is not None:
        told.append(f"it gives {finding.rows:,} rows, {finding.multiplies:.2f} times its larger side\n")
    if finding.is_skewed and (finding.seconds_lost or 0.0) >= _SECONDS_TOLD:
        told.append(f"time lost, estimated: {duration(finding.seconds_lost)}\n")
    for note in finding.notes:
        told.append(f"note: {visible(note)}\n", "dim")
    told.rstrip()
    return told
