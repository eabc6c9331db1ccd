"""Run one segment of a dataflow for the rows on a trace, and keep what it gave.

A segment's answer is a set of rows of id columns. Few of them are fetched once, in the JVM, and everything
else (distinct records, keys of the boundaries below, counts a step) is worked out of them without a job.
They never pass through Python, which silently loses invalid UTF-8 and one hour of a daylight-saving change.
Many are persisted by Spark. Where sources are small, or not in files, records travel with their ids; others
are read again for what is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.annotated import Annotated, Boundary, IdColumn
from bigdebug.lineage.barrier import behind_barrier, holds_sessions, is_session_window
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.pushdown import unpushed

# Rows of a segment that are fetched (keys and ids, some 200 bytes a row); above that they stay in Spark.
FETCHED = 250_000
# The same where records of files travel with their ids.
FETCHED_VALUES = 10_000
# Keys that are matched by literal predicates, which reach the files; above that by a broadcast semi-join.
LITERAL_KEYS = 30

# Stands in no path.
_BETWEEN = "\0"

Narrow = Callable[[Annotated], Any]


class RowSet:
    """Rows of id columns: fetched (`LocalRelation`), or a persisted frame.

    Attributes:
        plan: JVM plan that gives the rows.
        count: how many there are.
        fetched: whether the rows are at hand without a job.
    """

    def __init__(self, catalyst: Catalyst, plan: Any, count: int, fetched: bool) -> None:
        self._catalyst = catalyst
        self.plan = plan
        self.count = count
        self.fetched = fetched

    def columns(self, attributes: Sequence[Any]) -> RowSet:
        """Some attributes of every row, or named expressions over these."""
        plan = self._worked(self._catalyst.project(attributes, self.plan))
        return RowSet(self._catalyst, plan, self.count, self.fetched)

    def distinct(self, attributes: Sequence[Any], key: Any | None = None) -> RowSet:
        """Distinct rows of some attributes, those where `key` is null left out."""
        catalyst = self._catalyst
        plan = self.plan
        if key is not None and key.nullable():
            plan = self._worked(catalyst.filter(catalyst.expressions.IsNotNull(key), plan))
        return self.unique(catalyst.project(attributes, plan))

    def unique(self, plan: Any) -> RowSet:
        """The distinct rows of a projection of these rows."""
        catalyst = self._catalyst
        if self.fetched:
            plan = self._worked(plan)
            unique = plan.data().distinct()
            return RowSet(catalyst, local_relation(catalyst, plan.output(), unique), unique.length(), True)
        frame = catalyst.frame(plan).distinct()
        return RowSet(catalyst, catalyst.analyzed(frame), frame.count(), False)

    def first(self, number: int, by: Sequence[Column] = ()) -> RowSet:
        """The first of fetched rows, in Spark's order of columns worked out of theirs, then of their first."""
        catalyst = self._catalyst
        plan = self.plan
        if by:
            folding = catalyst.singleton(
                catalyst.jvm.org.apache.spark.sql.catalyst.optimizer, "ConstantFolding"
            )
            plan = self._worked(folding.apply(catalyst.analyzed(self.frame().select(*by, "*"))))
        columns = catalyst.output(plan)
        deciding = catalyst.project(columns[: len(by) + 1], plan).schema()
        # Compiled, it takes a tenth of the time that an interpreted one takes.
        ordering = catalyst.singleton(catalyst.expressions.codegen, "LazilyGeneratedOrdering")
        collections = catalyst.singleton(catalyst.jvm.org.apache.spark.util.collection, "Utils")
        least = collections.takeOrdered(plan.data().iterator(), number, ordering.forSchema(deciding))
        rows = least.toSeq()
        first = local_relation(catalyst, plan.output(), rows)
        if by:
            first = self._worked(catalyst.project(columns[len(by) :], first))
        return RowSet(catalyst, first, rows.length(), True)

    def texts(self, columns: Sequence[Any]) -> list[str]:
        """Fetched rows of numbers and texts, the values of each with commas between them."""
        rows = self._worked(self._catalyst.project(columns, self.plan)).data()
        every = str(rows.mkString(_BETWEEN))
        return [text.removeprefix("[").removesuffix("]") for text in every.split(_BETWEEN)] if every else []

    def _worked(self, plan: Any) -> Any:
        """A projection or filter of fetched rows, worked out at once, as Spark's optimizer would."""
        if not self.fetched:
            return plan
        optimizer = self._catalyst.jvm.org.apache.spark.sql.catalyst.optimizer
        return self._catalyst.singleton(optimizer, "ConvertToLocalRelation").apply(plan)

    def frame(self) -> DataFrame:
        return self._catalyst.frame(self.plan)


def wrapped(catalyst: Catalyst, rows: Any) -> Any:
    return catalyst.singleton(catalyst.jvm.scala.collection.immutable, "ArraySeq").unsafeWrapArray(rows)


def local_relation(catalyst: Catalyst, output: Any, rows: Any) -> Any:
    return catalyst.logical.LocalRelation(output, rows, False, catalyst.none)


class Answered:
    """What was fetched, by the plans that gave it: two segments that ask the same run once.

    A window is a boundary over the very rows that its partition's rows are traced through again.

    Args:
        catalyst: of the pinned session.
    """

    def __init__(self, catalyst: Catalyst) -> None:
        self._catalyst = catalyst
        self._known: list[tuple[Any, RowSet]] = []

    def fetch(
        self, plan: Any, attributes: list[Any], *, valued: bool
    ) -> tuple[RowSet, DataFrame | None] | None:
        """As `fetch` does."""
        catalyst = self._catalyst
        columns = catalyst.project(attributes, plan)
        # Not as it was asked: windows below that nobody looks at make no difference.
        optimized = catalyst.execution(columns).optimizedPlan()
        for known, rows in self._known:
            if known.sameResult(optimized):
                again = local_relation(catalyst, columns.output(), rows.plan.data())
                return RowSet(catalyst, again, rows.count, True), None
        found = fetch(catalyst, plan, attributes, valued=valued)
        if found is not None and found[0].fetched:
            self._known.append((optimized, found[0]))
        return found


class Segment:
    """The operators between a boundary (or the output) above and the sources and boundaries below.

    Args:
        catalyst: of the pinned session.
        annotator: applies the rules.
        top: the uppermost operator.
        narrow: gives, for the annotated top, the plan of just the rows on the trace.
        answered: what other segments of the trace gave, where some may ask the same.
    """

    def __init__(
        self,
        catalyst: Catalyst,
        annotator: Annotator,
        top: Operator,
        narrow: Narrow,
        answered: Answered | None = None,
    ) -> None:
        self._answered = answered
        self._catalyst = catalyst
        self._annotator = annotator
        self.top = top
        self.narrow = narrow
        self._rows: RowSet | None = None
        self._persisted: DataFrame | None = None
        self.ids: tuple[IdColumn, ...] = ()

    def rows(self) -> RowSet:
        """The id columns of the rows on the trace; runs the segment the first time."""
        if self._rows is None:
            self._run(self._annotator)
        assert self._rows is not None
        return self._rows

    def _run(self, annotator: Annotator) -> None:
        annotated = annotator.annotate(self.top)
        asked = partial(fetch, self._catalyst) if self._answered is None else self._answered.fetch
        columns, ids = annotator.spelled_out(annotated.ids)
        found = asked(self.narrow(annotated), columns, valued=annotator.values)
        if found is None:
            self._run(annotator.without_values())
        else:
            self.preset(found[0], ids, found[1])

    def take_kept(self, annotated: Annotated) -> None:
        """Find the rows in an annotated input that was kept, and not by annotating it again."""
        valued = any(column.value is not None for column in annotated.ids)
        plan = self.narrow(annotated)
        found = fetch(self._catalyst, plan, annotated.attributes, valued=valued)
        ids = annotated.ids
        if found is None:
            ids = tuple(
                column if self._keeps_value(column) else replace(column, value=None) for column in ids
            )
            attributes = [attribute for column in ids for attribute in column.attributes]
            found = fetch(self._catalyst, plan, attributes, valued=False)
            assert found is not None
        self.preset(found[0], ids, found[1])
        alone = self._catalyst.project([column.id for column in ids], found[0].plan)
        self.narrow = matching_ids(self._catalyst, found[0].unique(alone))

    @staticmethod
    def _keeps_value(column: IdColumn) -> bool:
        """Whether a record can't be read again."""
        return not (isinstance(column.origin, SourceLeaf) and column.origin.in_files)

    def preset(self, rows: RowSet, ids: tuple[IdColumn, ...], persisted: DataFrame | None = None) -> None:
        """Take rows that were found another way."""
        self._rows, self.ids, self._persisted = rows, ids, persisted

    @property
    def persisted(self) -> bool:
        """Whether Spark keeps rows for this segment."""
        return self._persisted is not None

    def release(self) -> None:
        """Give back what was persisted."""
        if self._persisted is not None:
            self._persisted.unpersist()
            self._persisted = None


def fetch(
    catalyst: Catalyst, plan: Any, attributes: list[Any], *, valued: bool
) -> tuple[RowSet, DataFrame | None] | None:
    """Run a plan for some named expressions: few rows are fetched, many persisted; None if too many hold values."""
    if not attributes:  # constants only: rows, but no source
        return RowSet(catalyst, plan, catalyst.frame(plan).count(), False), None
    most = FETCHED_VALUES if valued else FETCHED
    columns = catalyst.project(attributes, plan)
    rows = catalyst.rows(catalyst.limit(most + 1, columns))
    if len(rows) <= most:
        local = local_relation(catalyst, columns.output(), wrapped(catalyst, rows))
        return RowSet(catalyst, local, len(rows), True), None
    if valued:
        return None
    persisted = catalyst.frame(columns).persist()
    count = persisted.count()
    return RowSet(catalyst, catalyst.analyzed(persisted), count, False), persisted


def matching_keys(catalyst: Catalyst, boundary: Boundary, keys: RowSet) -> Narrow:
    """What narrows the input of a boundary to the rows that went into the rows of these keys.

    Args:
        keys: distinct natural keys, one struct column.
    """

    def narrow(below: Annotated) -> Any:
        if boundary.lookup is not None:
            lookup = boundary.lookup
            return semi_joined(
                catalyst, below.plan, keys, lambda columns: lookup.conditions(catalyst, columns[0])
            )
        if not boundary.grouping:
            return below.plan
        parts = [catalyst.alias(g, fresh_name("part")) for g in boundary.grouping]
        plan = catalyst.project([*below.attributes, *parts], below.plan)
        if holds_sessions(catalyst, boundary.input):
            plan = behind_barrier(catalyst, plan)
        attributes = [part.toAttribute() for part in parts]
        if keys.fetched and keys.count <= LITERAL_KEYS:
            data_type = catalyst.output(keys.plan)[0].dataType()
            rows = keys.plan.data()
            literals = [
                catalyst.expressions.Literal(rows.apply(i).getStruct(0, len(boundary.grouping)), data_type)
                for i in range(keys.count)
            ]
            condition = catalyst.any_of(
                [catalyst.all_of(_equal(catalyst, boundary, attributes, literal)) for literal in literals]
            )
            return catalyst.filter(condition, plan)
        return semi_joined(
            catalyst, plan, keys, lambda columns: _equal(catalyst, boundary, attributes, columns[0])
        )

    return narrow


def matching_ids(catalyst: Catalyst, rows: RowSet) -> Narrow:
    """What narrows a segment, annotated again, to the rows whose ids are among those of `rows`.

    Columns that only mark rows have no part in it.
    """

    def narrow(below: Annotated) -> Any:
        ids = [column.id for column in below.ids if isinstance(column.origin, SourceLeaf | Boundary)]
        return semi_joined(
            catalyst,
            below.plan,
            rows,
            lambda columns: [
                catalyst.same(unpushed(catalyst, mine), theirs)
                for mine, theirs in zip(ids, columns, strict=True)
            ],
        )

    return narrow


def semi_joined(
    catalyst: Catalyst, plan: Any, keys: RowSet, conditions: Callable[[list[Any]], list[Any]]
) -> Any:
    """The rows of a plan for which some key fulfils conditions, told by the keys' columns."""
    right = keys.plan.newInstance() if keys.fetched else catalyst.analyzed(_renamed(keys))
    found = conditions(catalyst.output(right))
    condition = catalyst.some(catalyst.all_of(found)) if found else catalyst.none
    semi = catalyst.singleton(catalyst.jvm.org.apache.spark.sql.catalyst.plans, "LeftSemi")
    if keys.fetched:
        right = catalyst.analyzed(F.broadcast(catalyst.frame(right)))
    no_hint = catalyst.singleton(catalyst.logical, "JoinHint").NONE()
    return catalyst.logical.Join(plan, right, semi, condition, no_hint)


def _renamed(keys: RowSet) -> DataFrame:
    frame = keys.frame()
    return frame.select(*(F.col(name).alias(fresh_name("keys")) for name in frame.columns))


def _equal(catalyst: Catalyst, boundary: Boundary, attributes: list[Any], key: Any) -> list[Any]:
    conditions = []
    for i, (expression, attribute) in enumerate(zip(boundary.grouping, attributes, strict=True)):
        part = catalyst.field(key, i)
        if is_session_window(expression):
            # Spark merges each row's own window into the session's: a row belongs where its window starts.
            start = catalyst.field(attribute, 0)
            conditions.append(catalyst.expressions.GreaterThanOrEqual(start, catalyst.field(part, 0)))
            conditions.append(catalyst.expressions.LessThan(start, catalyst.field(part, 1)))
        else:
            conditions.append(catalyst.same(unpushed(catalyst, attribute), part))
    return conditions
