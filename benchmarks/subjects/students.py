"""Students, a student a line, and two programs for the mean age of each grade: one goes wrong, one crashes."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyspark import SparkContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import IntegerType

from benchmarks.subjects.subject import Subject
from benchmarks.subjects.truth import Bad, MeanOutside, Place, Truth, every_one
from benchmarks.subjects.writing import Input, Part, changed, picked, texts

GRADES = {"Freshman": 0, "Sophomore": 1, "Junior": 2, "Senior": 3}
_FIRST = [
    f"{begin}{end}" for begin in ("An", "Be", "Car", "Do", "El", "Fi") for end in ("a", "n", "la", "ra")
]
_LAST = [f"{begin}{end}" for begin in ("Ash", "Birk", "Cole", "Dean", "Elm") for end in ("ley", "man", "son")]
_MAJORS = ["Art", "Biology", "Chemistry", "Economics", "History", "Law", "Mathematics", "Physics"]
_LEAST, _MOST = 18, 25
_AGES = {"age of 18000": 18_000, "age of 99999999": 99_999_999}
_SWAPPED = "age and grade swapped"
_RATES = {"age of 18000": 1e-5, "age of 99999999": 5e-5, _SWAPPED: 1e-4}
_SUFFIX = 'age with "yr"'
_DIGIT = "grade as a digit"


def _aged(part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Grades, and ages that go with them: 18 or a little more, and a year for each grade."""
    grade = part.drawn.integers(0, len(GRADES), part.size)
    return grade, 18 + grade + part.drawn.integers(0, 3, part.size)


def _college(made: Input) -> Truth:
    """Ages that are far too high, and lines with age and grade the wrong way round."""
    chosen = made.choose(_RATES)
    culprits: dict[Place, str] = {}
    wrong: dict[int, dict[Place, float]] = {grade: {} for grade in GRADES.values()}
    swapped: list[tuple[tuple[int], Place]] = []
    totals, counts = np.zeros(len(GRADES)), np.zeros(len(GRADES), int)
    for part in made.parts():
        grade, age = _aged(part)
        innocent = np.ones(part.size, bool)
        for kind, numbers in chosen.items():
            here = part.here(numbers)
            innocent[here] = False
            culprits |= {part.place(index): kind for index in here}
            if kind == _SWAPPED:
                grade[here], age[here] = age[here], grade[here]
                swapped += [((int(grade[index]),), part.place(index)) for index in here]
                continue
            age[here] = _AGES[kind]
            for index in here:
                wrong[int(grade[index])][part.place(index)] = _AGES[kind]
        totals += np.bincount(grade[innocent], age[innocent], len(GRADES))
        counts += np.bincount(grade[innocent], minlength=len(GRADES))
        made.write(
            part.file,
            picked([f"{first} {last} " for first in _FIRST for last in _LAST], _drawn(part, _FIRST, _LAST)),
            picked(["female ", "male "], part.drawn.integers(0, 2, part.size)),
            *(texts(age), " ", texts(grade), " "),
            picked(_MAJORS, _drawn(part, _MAJORS)),
        )
    means: list[Bad] = [
        MeanOutside((grade,), places, float(totals[grade]), int(counts[grade]), _LEAST, _MOST)
        for grade, places in wrong.items()
    ]
    failing = [mean for mean in means if mean.fails(mean.culprits.keys())]
    return Truth(culprits, (*failing, *every_one(swapped)))


def _drawn(part: Part, *tables: list[str]) -> np.ndarray:
    return part.drawn.integers(0, np.prod([len(table) for table in tables]), part.size)


def _crashing(made: Input) -> Truth:
    chosen = made.choose({_SUFFIX: 1e-4, _DIGIT: 1e-3})
    culprits: dict[Place, str] = {}
    for part in made.parts():
        grade, age = _aged(part)
        suffixed, digits = part.here(chosen[_SUFFIX]), part.here(chosen[_DIGIT])
        culprits |= {part.place(index): _SUFFIX for index in suffixed}
        culprits |= {part.place(index): _DIGIT for index in digits}
        ages = changed(texts(age), suffixed, [f"{age[index]}yr" for index in suffixed])
        names = changed(picked(list(GRADES), grade), digits, [str(grade[index]) for index in digits])
        last = picked(_LAST, _drawn(part, _LAST))
        made.write(part.file, texts(part.numbers + 1), " ", last, " ", names, " ", ages)
    return Truth(culprits, every_one(((), place) for place in culprits))


def mean(sum_and_count: tuple[int, int]) -> float:
    total, count = sum_and_count
    return total / count


def _both(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]


def _college_rdd(context: SparkContext, path: str) -> Any:
    fields = context.textFile(path).map(lambda line: line.split(" "))
    ages = fields.map(lambda parts: (int(parts[4]), (int(parts[3]), 1)))
    return ages.reduceByKey(_both).mapValues(mean)


def _college_frame(spark: SparkSession, path: str) -> DataFrame:
    schema = "first string, last string, gender string, age int, grade int, major string"
    students = spark.read.csv(path, sep=" ", schema=schema)
    return students.groupBy("grade").agg(F.avg("age").alias("age"))


def aged(line: str) -> tuple[int, tuple[int, int]]:
    """A student's grade and age. Raises KeyError or ValueError where it can't tell one."""
    _, _, grade, age = line.split(" ")
    return GRADES[grade], (int(age), 1)


def _crashing_rdd(context: SparkContext, path: str) -> Any:
    return context.textFile(path).map(aged).reduceByKey(_both).mapValues(mean)


def _crashing_frame(spark: SparkSession, path: str) -> DataFrame:
    """The names of grades go through a Python function; ages through a cast, which raises in ANSI mode."""
    number_of = F.udf(lambda name: GRADES[name], IntegerType())
    students = spark.read.csv(path, sep=" ", schema="id long, last string, grade string, age string")
    numbered = students.select(number_of("grade").alias("grade"), F.col("age").cast("int").alias("age"))
    return numbered.groupBy("grade").agg(F.avg("age").alias("age"))


COLLEGE = Subject(
    name="college students",
    generate=_college,
    rdd=_college_rdd,
    frame=_college_frame,
    columns=("grade", "age"),
    failing_sql=f"grade > 3 or age > {_MOST} or age < {_LEAST}",
    failing_rdd=lambda pair: pair[0] > 3 or pair[1] > _MOST or pair[1] < _LEAST,
    note=(
        "From some 10,000 records on, an age of 18000 is too little to lift a grade's mean above 25, alone or "
        "beside others: it is a culprit by the record, but not in an answer that is 1-minimal. Above 50 million "
        "records a grade can bear some ages of 99999999, too, and any of them may stay."
    ),
)
CRASHING = Subject(
    name="crashing students",
    generate=_crashing,
    rdd=_crashing_rdd,
    frame=_crashing_frame,
    columns=("grade", "age"),
    note="The whole program fails, by any one culprit: the key of what fails is empty.",
)
