"""Every query of the collection can be traced, and its rows are there again on their traced records alone."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.cloudpickle import register_pickle_by_value, unregister_pickle_by_value
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bigdebug.lineage.beside import Beside
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.questions import trace_rows
from bigdebug.lineage.trace import Trace
from tests.queries import collection
from tests.queries.collection import QUERIES, TABLES, Query, create
from tests.tpch.judging import Judged

# Clauses that a version of Spark knows and its users have to ask for.
_NEW = ("join.asofJoin", "binByRelationOperator")


@pytest.fixture(scope="module")
def tables(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    session = spark.newSession()
    for clause in _NEW:
        session.conf.set(f"spark.sql.{clause}.enabled", "true")
    create(session, tmp_path_factory.mktemp("queries"))
    # Spark's workers have no way to import the collection.
    register_pickle_by_value(collection)
    yield session
    unregister_pickle_by_value(collection)
    session.catalog.clearCache()


def told_by(frame: DataFrame) -> Any:
    """A hash of the columns that Spark can name and hash."""
    names = Counter(frame.columns)
    kinds = {field.name: field.dataType.simpleString() for field in frame.schema}
    hashable = [name for name in frame.columns if names[name] == 1 and not _unhashable(kinds[name])]
    return F.xxhash64(*(F.col(f"`{name}`") for name in hashable))


def _unhashable(kind: str) -> bool:
    return any(part in kind for part in ("map<", "variant", "interval", "collate"))


@pytest.mark.parametrize("name", list(QUERIES)[::8])
def test_a_row_is_there_again_on_its_records_alone(tables: SparkSession, name: str) -> None:
    judge(tables, name, 1)


@pytest.mark.proof("up to twenty rows of each query of the collection")
@pytest.mark.parametrize("name", QUERIES)
def test_rows_are_there_again_on_their_records_alone(tables: SparkSession, name: str) -> None:
    judge(tables, name, 20)


def judge(tables: SparkSession, name: str, most: int) -> None:
    query: Query = QUERIES[name]
    if tuple(map(int, tables.version.split(".")[:2])) < query.since:
        pytest.skip(f"Spark {tables.version} doesn't have it")
    frame = query.make(tables)
    judged = Judged(tables, frame)
    told = told_by(frame)
    rows = frame.select("*", told).collect()
    assert rows, "the query gives nothing to ask about"
    hashes = list(dict.fromkeys(row[-1] for row in rows))
    for hash in hashes[:: max(1, len(hashes) // most)][:most]:
        asked = Counter(repr(tuple(row[:-1])) for row in rows if row[-1] == hash)
        output = OutputRows(frame._jdf.queryExecution().analyzed(), tables._jsparkSession, None)
        trace = trace_rows(tables, output, lambda _: None, told == hash, beside=Beside(windows=query.windows))
        assert trace.exact == query.exact, trace.notes
        assert trace.matched == asked.total()
        if not query.exact:
            assert_records_of_tables(trace)
            continue
        again = Counter(repr(tuple(row)) for row in judged.replayed(trace))
        assert again >= asked, (asked - again, [(s.name, s.count) for s in trace.sources])


def assert_records_of_tables(trace: Trace) -> None:
    """What the trace holds are records of its sources, as they stand there; which of them must be there isn't known."""
    found = trace.collect()
    assert found
    for record in found:
        _, rows = TABLES[record.source.partition("#")[0]]
        assert record.location.position is not None
        assert tuple(record.value.values()) == rows[record.location.position]


def test_the_collection_is_large_enough() -> None:
    assert len(QUERIES) >= 60
    assert sum(query.exact for query in QUERIES.values()) > 60
