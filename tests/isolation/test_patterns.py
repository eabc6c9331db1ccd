"""The search for what culprits share, on small tables, against counts one by one."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from bigdebug.isolation.features import Term, fields_of_lines, literal, text_literal
from bigdebug.isolation.patterns import Conjunction, Counted, best, search
from bigdebug.isolation.predicates import Predicate
from bigdebug.isolation.values import Table, shape_of, values_of

WORD = Term("word", "c0", "word", "string")
NUMBER = Term("n", "c1", "n", "int")
FILE = Term("file", "_record.file", "_metadata.file_path", "string", place=True)
POSITION = Term("position", "_record.position", None, "bigint", place=True)


def raw(term: Term, column: Sequence[Any]) -> dict[str, pd.Series]:
    """What is fetched of a column, as Spark would give it."""
    values = pd.Series(column, dtype=object)
    null = values.isna()
    if term.type != "string":
        texts = values.map(str, na_action="ignore")
        return {"null": null, "text": texts, "key": values.astype(float)}
    return {
        "null": null,
        "text": values,
        "head": values.str[:3],
        "tail": values.str[-3:],
        "length": values.str.len().astype(float),
        "number": pd.to_numeric(values, errors="coerce").astype(float),
    }


def table(columns: dict[Term, Sequence[Any]], culprits: Sequence[bool]) -> Table:
    size = len(culprits)
    return Table(
        values={
            k: v for term, column in columns.items() for k, v in values_of(term, raw(term, column)).items()
        },
        culprit=np.array(culprits, bool),
        candidate=np.ones(size, bool),
        weight=1.0,
        numbers=np.arange(size),
    )


def counted(made: Table, conjunction: Conjunction) -> Counted:
    mask = conjunction.mask(made)
    culprits, others = int((mask & made.culprit).sum()), int((mask & made.other).sum())
    return Counted(conjunction, culprits, int(made.culprit.sum()), others, int(made.other.sum()))


def shown(made: Table) -> list[tuple[str, int, int]]:
    found = best([counted(made, each) for each in search(made)], most=5)
    return [(each.conjunction.text, each.culprits, each.others) for each in found]


def test_the_end_of_a_text_tells_a_single_record_and_its_own_value_never_does() -> None:
    dice = random.Random(1)
    words = [f"{dice.randrange(5_000)}{dice.choice(['mm', 'ft'])}" for _ in range(300)]
    words[77] = "90in"
    made = table({WORD: words, NUMBER: range(1_000, 1_300)}, [i == 77 for i in range(300)])
    (first, *_) = shown(made)
    assert first == ("word ends with 'in'", 1, 0)
    assert not [text for text, _, _ in shown(made) if "n =" in text or "'90in'" in text]


def test_where_nothing_is_rare_nothing_is_said() -> None:
    dice = random.Random(2)
    made = table({NUMBER: [dice.randrange(50) for _ in range(200)]}, [i == 9 for i in range(200)])
    assert shown(made) == []


def test_no_culprits_share_nothing() -> None:
    assert search(table({NUMBER: [1, 2, 3]}, [False] * 3)) == []


def test_others_like_the_culprits_are_counted_and_not_split_by_chance() -> None:
    """As many zeros as were needed are culprits, the rest isn't: by their places they can't be told apart."""
    dice = random.Random(3)
    numbers = [dice.randrange(74, 91) for _ in range(1_000)]
    zeros = sorted(dice.sample(range(1_000), 15))
    for each in zeros:
        numbers[each] = 0
    for culprits in (zeros[:8], zeros[-8:], zeros[::2]):
        made = table({NUMBER: numbers, POSITION: range(1_000)}, [i in culprits for i in range(1_000)])
        assert shown(made)[0] == ("n = 0", 8, 7)
        assert not any(" and " in text for text, _, _ in shown(made))


def test_two_predicates_where_one_does_not_tell() -> None:
    dice = random.Random(4)
    words = [f"{dice.randrange(100)}{dice.choice(['mm', 'mm', 'in'])}" for _ in range(2_000)]
    files = [f"/data/part-000{i // 250}" for i in range(2_000)]
    bad = [word.endswith("in") and file.endswith("7") for word, file in zip(words, files, strict=True)]
    # Readings in inches before and after that file are right.
    order = [*range(1_000), *range(1_750, 2_000), *range(1_000, 1_750)]
    made = table({WORD: [words[i] for i in order], FILE: [files[i] for i in order]}, [bad[i] for i in order])
    assert shown(made)[0] == ("word ends with 'in' and file part-0007", sum(bad), 0)


def test_signs_are_told_by_zero_and_far_values_by_themselves() -> None:
    dice = random.Random(5)
    numbers: list[int | None] = [dice.randrange(10, 90) for _ in range(400)]
    numbers[3:9] = [-5, -70, -9, -31, -8, -44]
    made = table({NUMBER: numbers}, [3 <= i < 9 for i in range(400)])
    assert shown(made)[0] == ("n < 0", 6, 0)
    numbers[3:9] = [None] * 6
    made = table({NUMBER: numbers}, [3 <= i < 9 for i in range(400)])
    assert shown(made)[0] == ("n is null", 6, 0)


def test_culprits_of_two_kinds_have_a_pattern_each() -> None:
    dice = random.Random(6)
    numbers = [dice.randrange(18, 26) for _ in range(500)]
    numbers[10:14] = [18_000] * 4
    numbers[40:43] = [2] * 3
    made = table({NUMBER: numbers}, [each in (18_000, 2) for each in numbers])
    assert shown(made) == [("n = 18000", 4, 0), ("n = 2", 3, 0)]


def test_what_two_patterns_tell_far_better_is_not_told_by_a_weak_one_of_all() -> None:
    dice = random.Random(4)
    grade, age, culprit = [], [], []
    for i in range(4_000):
        grades, ages = dice.randrange(4), dice.randint(18, 24)
        wrong = i % 40 == 0
        if wrong and i % 3:
            grades, ages = dice.randint(18, 23), dice.randrange(4)
        elif wrong:
            ages = 99_999_999
        grade.append(grades)
        age.append(ages)
        culprit.append(wrong)
    made = table({NUMBER: age, Term("grade", "grade", "grade", "bigint"): grade}, culprit)
    told = {text: (mine, others) for text, mine, others in shown(made)}
    assert {others for _, others in told.values()} == {0}
    assert told["n = 99999999"] == (34, 0)
    assert told["n <= 3"] == (66, 0)


def test_lines_are_taken_apart_where_they_are_delimited() -> None:
    line = Term("value", "c0", "value", "string")
    lines = [f"{i},1/{i % 9}/1990,{i}mm" for i in range(100)]
    terms, split = fields_of_lines(line, lines)
    assert split == "split(c0, '[,]', -1)"
    assert [term.label for term in terms] == ["field 1", "field 2", "field 3", "the number of fields"]
    assert terms[2].outer == "get(split(value, '[,]', -1), 2)"
    assert [term.label for term in fields_of_lines(line, ["a|b", "c|d"])[0]][:2] == ["field 1", "field 2"]
    assert fields_of_lines(line, ["one", "two words", "and three of them"])[0] == []
    assert fields_of_lines(line, [])[0] == []


def test_forms_of_texts() -> None:
    assert [shape_of(text) for text in ("2024-01-31", "Ann", "90IN", "", " a1")] == [
        "9-9-9",
        "Aa",
        "9A",
        "",
        " a9",
    ]


def test_values_as_sql_takes_them() -> None:
    assert text_literal("it's a \\") == "'it\\'s a \\\\'"
    assert literal("date", "2013-12-17") == "DATE'2013-12-17'"
    assert literal("double", "NaN") == "double('NaN')"
    assert literal("int", "-5") == "-5"


def holds(predicate: Predicate, value: Any) -> bool:
    """Whether a value fulfils a predicate, told one by one."""
    form, low, high = predicate.feature.form, predicate.low, predicate.high
    if form == "null":
        return value is None
    if value is None:
        return False
    told: dict[str, Callable[[], Any]] = {
        "value": lambda: value,
        "starts": lambda: value[: predicate.feature.size],
        "ends": lambda: value[-predicate.feature.size :],
        "length": lambda: len(value),
        "shape": lambda: shape_of(value),
        "number": lambda: float(value) if value.strip("-").isdigit() else None,
    }
    mine = told[form]()
    if predicate.operator == "null":
        return mine is None
    if mine is None:
        return False
    if not predicate.feature.ordered:
        return (mine == low) is (predicate.operator == "=")
    least = float(low)
    return {
        "=": mine == least,
        "<>": mine != least,
        "<=": mine <= least,
        ">=": mine >= least,
        "<": mine < least,
        ">": mine > least,
        "between": least <= mine <= float(high or "nan"),
    }[predicate.operator]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, "1mm", "22mm", "3in", "x", "-4", "", "10"]),
            st.sampled_from([None, -3, 0, 1, 2, 50]),
            st.booleans(),
        ),
        min_size=2,
        max_size=40,
    )
)
@settings(max_examples=60)
def test_patterns_fit_the_records_that_they_say(rows: list[tuple[str | None, int | None, bool]]) -> None:
    made = table({WORD: [row[0] for row in rows], NUMBER: [row[1] for row in rows]}, [row[2] for row in rows])
    for found in search(made):
        assert 1 <= len(found.predicates) <= 3
        by_term = {"word": 0, "n": 1}
        one_by_one = [
            all(holds(each, row[by_term[each.feature.term.label]]) for each in found.predicates)
            for row in rows
        ]
        assert found.mask(made).tolist() == one_by_one
        assert found.found == {i for i, row in enumerate(rows) if row[2] and one_by_one[i]}
