"""Texts of documents, a document on many lines, and two programs: an inverted index and the frequent terms."""

from __future__ import annotations

from collections import Counter
from operator import add
from typing import Any

import numpy as np
from pyspark import SparkContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.subjects.subject import Subject
from benchmarks.subjects.truth import Place, SumAbove, Truth, every_one
from benchmarks.subjects.writing import Input, listed, picked, texts

WORD = "word17"
DOCUMENT = "doc7"
_INDEXED_WORDS = 10_000
_INDEXED_DOCUMENTS = 1_000
_LINES_A_DOCUMENT = 20
_TERMS = 1_000
_WORDS_A_LINE = 5
_TERM = "term17"
_TIMES = (3, 2, 1, 1, 1, 1, 1, 1, 1)  # how often the planted term is in each of the document's planted lines
_FREQUENT = 2
_WELL = 10
_WRONG = 10_000


def _index(made: Input) -> Truth:
    """Zipf-distributed words; the planted pair is on one line, and its word and its document on many more."""
    documents = min(_INDEXED_DOCUMENTS, max(20, made.records // 20))
    names = [f"doc{number}" for number in range(documents)]
    words = [f"word{number}" for number in range(_INDEXED_WORDS)]
    document, word = names.index(DOCUMENT), words.index(WORD)
    planted = made.choose({"pair": 0})["pair"]
    for part in made.parts():
        of = part.drawn.integers(0, documents, part.size)
        text = (_INDEXED_WORDS ** part.drawn.random((part.size, _WORDS_A_LINE))).astype(np.int32) - 1
        own = text[of == document]
        own[own == word] += 1
        text[of == document] = own
        for index in part.here(planted):
            of[index] = document
            text[index, _WORDS_A_LINE // 2] = word
            place = part.place(index)
        sizes = np.full(part.size, _WORDS_A_LINE)
        made.write(part.file, picked(names, of), "^", listed(picked(words, text.ravel()), sizes, " "))
    return Truth({place: f"the pair {WORD}, {DOCUMENT}"}, every_one([((WORD,), place)]))


def paired(line: str) -> list[tuple[str, str]]:
    """The words of a line, each with the document."""
    document, text = line.split("^")
    return [(word, document) for word in text.split(" ")]


def _with(documents: set[str], document: str) -> set[str]:
    documents.add(document)
    return documents


def _index_rdd(context: SparkContext, path: str) -> Any:
    pairs = context.textFile(path).flatMap(paired)
    return pairs.aggregateByKey(set(), _with, set.union).mapValues(sorted)


def _index_frame(spark: SparkSession, path: str) -> DataFrame:
    parts = F.split("value", r"\^")
    lines = spark.read.text(path).select(parts[0].alias("document"), parts[1].alias("text"))
    words = lines.select(F.explode(F.split("text", " ")).alias("word"), "document")
    return words.groupBy("word").agg(F.sort_array(F.collect_set("document")).alias("documents"))


def _vector(made: Input) -> Truth:
    """Terms that are rarely twice in a document; one document has one of them a dozen times."""
    documents = max(2, made.records // _LINES_A_DOCUMENT)
    planted = made.choose(dict.fromkeys(map(str, range(len(_TIMES))), 0))
    lines = np.concatenate(list(planted.values()))
    faulty = documents // 2
    terms = [f"term{number}" for number in range(_TERMS)]
    term = terms.index(_TERM)
    weights: dict[Place, float] = {}
    for part in made.parts():
        of = part.drawn.integers(0, documents, part.size)
        text = part.drawn.integers(0, _TERMS, (part.size, _WORDS_A_LINE))
        own = text[of == faulty]
        own[own == term] += 1
        text[of == faulty] = own
        for index in part.here(lines):
            times = _TIMES[list(lines).index(part.first + index)]
            of[index] = faulty
            text[index, text[index] == term] += 1
            text[index, :times] = term
            weights[part.place(index)] = times
        sizes = np.full(part.size, _WORDS_A_LINE)
        made.write(part.file, "doc", texts(of), ":", listed(picked(terms, text.ravel()), sizes, " "))
    bad = SumAbove((f"doc{faulty}",), weights, innocent=0, limit=_WELL)
    return Truth({place: f"{_TERM} {times:g} times" for place, times in weights.items()}, (bad,))


def counted(line: str) -> list[tuple[tuple[str, str], int]]:
    """The terms of a line, each with the document, and how often it counts."""
    document, text = line.split(":")
    return [((document, term), times) for term, times in Counter(text.split(" ")).items()]


def frequent(pair: tuple[tuple[str, str], int]) -> list[tuple[str, tuple[int, str]]]:
    """The document's term, if it is frequent; its count goes wrong where it is large."""
    (document, term), count = pair
    if count < _FREQUENT:
        return []
    return [(document, (_WRONG if count > _WELL else count, term))]


def _vector_rdd(context: SparkContext, path: str) -> Any:
    counts = context.textFile(path).flatMap(counted).reduceByKey(add)
    return counts.flatMap(frequent).groupByKey().mapValues(lambda terms: sorted(terms, reverse=True))


def _vector_frame(spark: SparkSession, path: str) -> DataFrame:
    parts = F.split("value", ":")
    lines = spark.read.text(path).select(parts[0].alias("document"), parts[1].alias("text"))
    terms = lines.select("document", F.explode(F.split("text", " ")).alias("term"))
    counts = terms.groupBy("document", "term").count().where(F.col("count") >= _FREQUENT)
    shown = counts.withColumn("count", F.when(F.col("count") > _WELL, _WRONG).otherwise(F.col("count")))
    vectors = shown.groupBy("document").agg(F.collect_list(F.struct("count", "term")).alias("terms"))
    return vectors.withColumn("terms", F.sort_array("terms", asc=False))


INDEX = Subject(
    name="inverted index",
    generate=_index,
    rdd=_index_rdd,
    frame=_index_frame,
    columns=("word", "documents"),
    failing_sql=f"word = '{WORD}' and array_contains(documents, '{DOCUMENT}')",
    failing_rdd=lambda pair: pair[0] == WORD and DOCUMENT in pair[1],
)
VECTOR = Subject(
    name="term vector",
    generate=_vector,
    rdd=_vector_rdd,
    frame=_vector_frame,
    columns=("document", "terms"),
    failing_sql="exists(terms, term -> term.count > 50)",
    failing_rdd=lambda pair: any(count > 50 for count, _ in pair[1]),
    note=(
        "The term is there 12 times, on 9 lines: once or more on each. Twice less is well, so the line that "
        "has it three times, the line that has it twice, and any two of the others are right answers."
    ),
)
