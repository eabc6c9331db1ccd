"""What to do about a lopsided shuffle: the change itself, with the figures that speak for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bigdebug.skew.finding import Advice, Finding, HotKey
from bigdebug.skew.salting import can_be_salted, salted_side
from bigdebug.skew.shuffles import Shuffle, Side
from bigdebug.skew.thresholds import Thresholds

_ASSIGNED = re.compile(r"^([A-Za-z_]\w*)\s*(?::[^=]+)?=(?!=)")
_SKEW_JOIN = "spark.sql.adaptive.skewJoin"
_SPLIT_BY_AQE = ("Inner", "Cross", "LeftSemi", "LeftAnti", "LeftOuter", "RightOuter")
_BROADCAST = {
    "Inner": (0, 1),
    "Cross": (0, 1),
    "LeftOuter": (1,),
    "LeftSemi": (1,),
    "LeftAnti": (1,),
    "ExistenceJoin": (1,),
    "RightOuter": (0,),
}
"""By kind of join the sides that Spark can broadcast."""


def advice_for(
    finding: Finding, shuffle: Shuffle, thresholds: Thresholds, settings: Mapping[str, str]
) -> tuple[Advice, ...]:
    """What to do about a finding, the best first; nothing where it is even.

    Args:
        finding: it.
        shuffle: that it is of.
        thresholds: of the report.
        settings: of Spark SQL, those that are asked for.
    """
    if not finding.is_skewed:
        return ()
    return tuple(_Adviser(finding, shuffle, thresholds, settings).advice())


SETTINGS = (
    "spark.sql.adaptive.enabled",
    f"{_SKEW_JOIN}.enabled",
    f"{_SKEW_JOIN}.skewedPartitionFactor",
    f"{_SKEW_JOIN}.skewedPartitionThresholdInBytes",
)
"""That advice depends on."""


class _Adviser:
    def __init__(
        self, finding: Finding, shuffle: Shuffle, thresholds: Thresholds, settings: Mapping[str, str]
    ) -> None:
        self._finding = finding
        self._shuffle = shuffle
        self._thresholds = thresholds
        self._settings = settings
        self._names = [_variable(shuffle, side) for side in shuffle.sides]
        if len(set(self._names)) < len(self._names):
            self._names = [side.name for side in shuffle.sides]

    def advice(self) -> Iterator[Advice]:
        finding = self._finding
        if not finding.keys:
            yield self._window()
            return
        if finding.join:
            yield from self._unique_key()
            if finding.strategy.startswith("Broadcast"):
                return
            yield from self._broadcast()
        yield from self._missing_keys()
        if self._shuffle.combines:
            yield Advice(
                "nothing",
                "leave it: Spark puts the records of a key together before it shuffles them",
                f"at most one row a key and task is shuffled, not {finding.records:,} records",
            )
            return
        if finding.operator == "Aggregate":
            yield self._combine_first()
        if finding.join:
            yield from self._aqe()
        if can_be_salted(finding):
            yield self._salt()
        if finding.operator in ("RepartitionByExpression", "Window"):
            yield self._another_key()

    # -- of joins -----------------------------------------------------------------------------------

    def _unique_key(self) -> Iterator[Advice]:
        finding = self._finding
        if finding.multiplies is None or finding.multiplies < self._thresholds.multiplied:
            return
        keyed = [side.records_of_keys for side in finding.sides]
        fewer = 0 if finding.sides[0].keys and keyed[0].most <= keyed[1].most else 1
        name = self._names[fewer]
        yield Advice(
            "unique key",
            f"join by a key that is unique on one side: rows are {finding.multiplies:.1f} times as many after it",
            f"{finding.rows:,} rows of {finding.sides[0].records:,} and {finding.sides[1].records:,}; a key has up to "
            f"{keyed[0].most:,} records on the left and {keyed[1].most:,} on the right",
            f"{name} = {name}.dropDuplicates({self._columns(fewer)!r})  # or more columns in the key",
        )

    def _broadcast(self) -> Iterator[Advice]:
        finding = self._finding
        sides = _BROADCAST.get(finding.join, ())
        small = sorted(sides, key=lambda place: finding.sides[place].bytes)
        if not small or finding.sides[small[0]].bytes > self._thresholds.broadcast_bytes:
            return
        side, name = finding.sides[small[0]], self._names[small[0]]
        yield Advice(
            "broadcast",
            f"broadcast {name}: then nothing is shuffled, and no key is in the way of others",
            f"the {side.name} side measures {side.records:,} records, {_size(side.bytes)}",
            f"F.broadcast({name})  # in place of {name} in the join",
        )

    def _aqe(self) -> Iterator[Advice]:
        finding = self._finding
        if finding.join not in _SPLIT_BY_AQE:
            return
        longest = max(side.bytes_of_partitions.most for side in finding.sides)
        on = self._on("spark.sql.adaptive.enabled") and self._on(f"{_SKEW_JOIN}.enabled")
        least = _bytes(
            self._settings.get(f"{_SKEW_JOIN}.skewedPartitionThresholdInBytes"), self._thresholds.aqe_bytes
        )
        if not on:
            yield Advice(
                "aqe",
                "let Spark split partitions of joins that are skewed: adaptive execution is off",
                f"the longest partition holds {_size(longest)}",
                f'spark.conf.set("spark.sql.adaptive.enabled", True)\n'
                f'spark.conf.set("{_SKEW_JOIN}.enabled", True)',
            )
        elif longest <= least:
            wanted = max(longest // 4, 1 << 20)
            if longest <= wanted:
                return
            yield Advice(
                "aqe",
                "have Spark's adaptive execution split smaller partitions, too",
                f"the longest partition holds {_size(longest)}, and it splits them from {_size(least)} on",
                f'spark.conf.set("{_SKEW_JOIN}.skewedPartitionThresholdInBytes", "{wanted}")\n'
                f'spark.conf.set("spark.sql.adaptive.advisoryPartitionSizeInBytes", "{wanted}")',
            )
        else:
            yield Advice(
                "aqe",
                "Spark's adaptive execution splits this partition by itself; it can't split rows that one task "
                "gives for a hot pair",
                f"the longest partition holds {_size(longest)}, more than {_size(least)}",
            )

    # -- of keys ------------------------------------------------------------------------------------

    def _missing_keys(self) -> Iterator[Advice]:
        hot = self._finding.hot_keys
        for key in hot:
            if key.kind == "null" and self._finding.join:
                yield self._filter_nulls(key)
            elif key.kind:
                yield Advice(
                    "default key",
                    f"{key.text} says that a value is missing: leave these records out, or keep them apart",
                    _held(key),
                    "\n".join(
                        f"{name} = {name}.where({_negated(key, self._columns(place))})"
                        for place, name in enumerate(self._names)
                    ),
                )

    def _filter_nulls(self, key: HotKey) -> Advice:
        place = max(range(len(self._names)), key=lambda i: key.sides[self._finding.sides[i].name])
        name, columns = self._names[place], self._columns(place)
        there = " & ".join(f'F.col("{column}").isNotNull()' for column in columns)
        other = self._names[1 - place] if len(self._names) == 2 else ""
        return Advice(
            "filter nulls",
            f"take records of {name} without a key past the join: they meet nothing, and all go to one partition",
            _held(key),
            f"keyed = {name}.where({there})\n"
            f"rest = {name}.where(~({there}))\n"
            f"joined = keyed.join({other}, {columns!r}, {_how(self._finding.join)!r})"
            ".unionByName(rest, allowMissingColumns=True)",
        )

    def _salt(self) -> Advice:
        finding, n = self._finding, _salts(self._finding)
        place = salted_side(finding)
        assert place is not None
        name, columns = self._names[place], self._columns(place)
        hot = _is_hot(finding.hot_keys, columns)
        salted = f'{name} = {name}.withColumn("salt", F.when({hot}, F.floor(F.rand() * {n})).otherwise(0).cast("int"))'
        key = [*columns, "salt"]
        if finding.join:
            other = 1 - place
            theirs = _is_hot(finding.hot_keys, self._columns(other))
            repeated = self._names[other]
            change = (
                f"{salted}\n"
                f'{repeated} = {repeated}.withColumn("salt", F.explode(F.when({theirs}, F.sequence(F.lit(0), '
                f"F.lit({n - 1}))).otherwise(F.array(F.lit(0)))))\n"
                f"# and join by {key!r}, then .drop('salt')"
            )
        elif finding.operator == "Aggregate":
            change = f"{salted}\n# aggregate by {key!r} first, then what that gives by {columns!r}"
        else:
            change = (
                f"{salted}\n{name} = {name}.repartition({finding.partitions}, {', '.join(map(repr, key))})"
            )
        count = len(finding.hot_keys)
        return Advice(
            "salt",
            f"split {'the hot key' if count == 1 else f'the {count} hot keys'} into {n}, by a salt",
            "; ".join(_held(key) for key in finding.hot_keys[:3]),
            change,
        )

    def _combine_first(self) -> Advice:
        name = self._names[0]
        return Advice(
            "combine first",
            "aggregate without distinct and without lists of all values, where that will do: Spark then adds up "
            "before it shuffles",
            "; ".join(_held(key) for key in self._finding.hot_keys[:3]),
            f"F.approx_count_distinct(…) for a count of distinct values; {name}.dropDuplicates(…) before collect_set",
        )

    def _another_key(self) -> Advice:
        name = self._names[0]
        columns = self._columns(0)
        if self._finding.operator == "Window":
            change = f"Window.partitionBy({', '.join(map(repr, columns))}, …)"
        else:
            change = f"{name}.repartition({self._finding.partitions})  # evenly, where no key is needed"
        return Advice(
            "another key",
            "take another key, or one more column in it",
            "; ".join(_held(key) for key in self._finding.hot_keys[:3]),
            change,
        )

    def _window(self) -> Advice:
        return Advice(
            "partition the window",
            "give the window a partitionBy: without one, a single task sorts all records",
            f"{self._finding.records:,} records, {_size(self._finding.bytes)}, in one partition",
            "Window.partitionBy(…).orderBy(…)",
        )

    # -- words --------------------------------------------------------------------------------------

    def _columns(self, place: int) -> list[str]:
        """The columns of a side's key, by name."""
        found = []
        for key in self._finding.keys:
            parts = key.split(" = ")
            found.append(parts[place if len(parts) == 2 else 0])
        return found

    def _on(self, name: str) -> bool:
        return self._settings.get(name, "true").lower() == "true"


def _variable(shuffle: Shuffle, side: Side) -> str:
    """What the user calls a frame, by the line that made it."""
    operator = side.operator
    while operator.kind in ("ResolvedHint", "Filter") and operator.call_site == shuffle.operator.call_site:
        operator = operator.child
    site = operator.call_site
    if site is None or site == shuffle.operator.call_site:
        return "df" if side.name == "input" else side.name
    found = _ASSIGNED.match(site.text)
    return found[1] if found else "df" if side.name == "input" else side.name


def _salts(finding: Finding) -> int:
    """Into how many parts a hot key must fall to be no longer than a median partition, at most 64."""
    of = max(finding.records_of_partitions.median, 1)
    top = max(key.records for key in finding.hot_keys)
    wanted = max(2, min(64, -(-top // of)))
    return 1 << (wanted - 1).bit_length()


def _is_hot(keys: tuple[HotKey, ...], columns: list[str]) -> str:
    """A condition in Python: the key is a hot one."""
    if len(columns) == 1:
        values = [value for key in keys for value in key.key.values()]
        known = [value for value in values if value is not None]
        parts = [f'F.col("{columns[0]}").isin({", ".join(map(repr, known))})'] if known else []
        parts += [f'F.col("{columns[0]}").isNull()'] if len(known) < len(values) else []
        return " | ".join(parts)
    return " | ".join(_is_key(key, columns) for key in keys)


def _is_key(key: HotKey, columns: list[str]) -> str:
    parts = (
        f'F.col("{name}").eqNullSafe({value!r})'
        for name, value in zip(columns, key.key.values(), strict=True)
    )
    return f"({' & '.join(parts)})"


def _negated(key: HotKey, columns: list[str]) -> str:
    return f"~{_is_key(key, columns)}"


def _held(key: HotKey) -> str:
    found = f"{key.text}: {key.records:,} records, {key.share:.0%} of all"
    return f"{found}, {key.pairs:,} rows of the join" if key.pairs else found


def _how(join: str) -> str:
    return {"LeftOuter": "left", "RightOuter": "right", "FullOuter": "full", "LeftAnti": "left_anti"}.get(
        join, "inner"
    )


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _bytes(text: str | None, otherwise: int) -> int:
    """Of a size as Spark's settings have it: `256MB`, `67108864b`."""
    found = re.fullmatch(r"(\d+)\s*([kmgt]?)b?", (text or "").strip().lower())
    if found is None:
        return otherwise
    return int(int(found[1]) * 1024 ** " kmgt".index(found[2] or " "))
