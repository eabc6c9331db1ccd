"""Grades of courses: the mean of the top and of the bottom five courses of each department. Zeros pull two down."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyspark import SparkContext
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from benchmarks.subjects.subject import Subject
from benchmarks.subjects.truth import Bad, LowestBelow, Place, Truth
from benchmarks.subjects.writing import Input, picked, texts

_ROWS_A_COURSE = 100
_COURSES_A_DEPARTMENT = 10
_ZEROS = 15
_LOWEST_GRADE, _HIGHEST_GRADE = 74, 90
_LOOKED_AT = 5
_LEAST, _MOST = 80, 85
_FEWEST = 2_000


def _generate(made: Input) -> Truth:
    """Courses of 100 rows each, ten to a department; one course in each of two departments has 15 zeros.

    Raises:
        ValueError: for fewer records than two departments have.
    """
    if made.records < _FEWEST:
        raise ValueError(f"two departments have {_FEWEST:,} grades, which is more than {made.records:,}")
    departments = made.records // (_ROWS_A_COURSE * _COURSES_A_DEPARTMENT)
    courses = departments * _COURSES_A_DEPARTMENT
    names = [
        f"{course // _COURSES_A_DEPARTMENT}-{course % _COURSES_A_DEPARTMENT}" for course in range(courses)
    ]
    # In every so many records each course is once: its rows are spread, and the last courses have 100 just.
    order = made.drawn.permutation(courses)
    full = np.arange(max(0, made.records - _ROWS_A_COURSE * courses), courses)
    faulty = _of_two_departments(order, full, made.drawn)
    rows = {place: made.drawn.choice(_ROWS_A_COURSE, _ZEROS, replace=False) for place in faulty}
    chosen = np.concatenate([place + courses * turns for place, turns in rows.items()])
    sums, counts = np.zeros(courses), np.zeros(courses, int)
    zeros: dict[int, dict[Place, float]] = {int(order[place]): {} for place in faulty}
    for part in made.parts():
        course = order[part.numbers % courses]
        grade = part.drawn.integers(_LOWEST_GRADE, _HIGHEST_GRADE + 1, part.size)
        for index in part.here(chosen):
            grade[index] = 0
            zeros[int(course[index])][part.place(index)] = 1
        sums += np.bincount(course, grade, courses)
        counts += np.bincount(course, minlength=courses)
        student = part.drawn.integers(100_000, 1_000_000, part.size)
        made.write(part.file, "s", texts(student), ",", picked(names, course), ",", texts(grade))
    failing: list[Bad] = []
    for course, places in sorted(zeros.items()):
        department = course // _COURSES_A_DEPARTMENT
        first = department * _COURSES_A_DEPARTMENT
        others = [other for other in range(first, first + _COURSES_A_DEPARTMENT) if other != course]
        means = tuple(float(sums[other] / counts[other]) for other in others)
        count = int(counts[course]) - len(places)
        key = (str(department),)
        failing.append(LowestBelow(key, places, float(sums[course]), count, means, _LOOKED_AT, _LEAST))
    return Truth({place: "a zero" for places in zeros.values() for place in places}, tuple(failing))


def _of_two_departments(order: np.ndarray, full: np.ndarray, drawn: np.random.Generator) -> list[int]:
    """Two of the full places in the order, whose courses are of different departments."""
    shuffled = drawn.permutation(full)
    departments = order[shuffled] // _COURSES_A_DEPARTMENT
    other = int(np.argmax(departments != departments[0]))
    return [int(shuffled[0]), int(shuffled[other])]


def graded(line: str) -> tuple[str, tuple[int, int]]:
    """A course, with a grade and its number."""
    _, course, grade = line.split(",")
    return course, (int(grade), 1)


def extremes(means: Any) -> tuple[float, float]:
    """The mean of the lowest and of the highest courses."""
    ordered = sorted(means)
    lowest, highest = ordered[:_LOOKED_AT], ordered[-_LOOKED_AT:]
    return sum(lowest) / len(lowest), sum(highest) / len(highest)


def _rdd(context: SparkContext, path: str) -> Any:
    sums = context.textFile(path).map(graded).reduceByKey(lambda a, b: (a[0] + b[0], a[1] + b[1]))
    means = sums.map(lambda pair: (pair[0].split("-")[0], pair[1][0] / pair[1][1]))
    return means.groupByKey().mapValues(extremes)


def _frame(spark: SparkSession, path: str) -> DataFrame:
    grades = spark.read.csv(path, schema="student string, course string, grade int")
    courses = grades.groupBy("course").agg(F.avg("grade").alias("mean"))
    placed = courses.withColumn("department", F.split("course", "-")[0])
    of_department = Window.partitionBy("department")
    up = of_department.orderBy("mean", "course")
    down = of_department.orderBy(F.desc("mean"), "course")
    ranked = placed.withColumn("low", F.row_number().over(up)).withColumn("high", F.row_number().over(down))
    return ranked.groupBy("department").agg(
        F.avg(F.when(F.col("low") <= _LOOKED_AT, F.col("mean"))).alias("bottom"),
        F.avg(F.when(F.col("high") <= _LOOKED_AT, F.col("mean"))).alias("top"),
    )


COURSES = Subject(
    name="course averages",
    generate=_generate,
    rdd=_rdd,
    frame=_frame,
    columns=("department", "bottom", "top"),
    failing_sql=f"bottom < {_LEAST} or top > {_MOST}",
    failing_rdd=lambda pair: pair[1][0] < _LEAST or pair[1][1] > _MOST,
    note=(
        "About eight zeros less in its course bring a department's bottom courses to 80: any so many of its "
        "15 zeros are a right answer."
    ),
)
