"""The README shows what was measured."""

from benchmarks.shown import BEGIN, END, MEASURED, README, rows_in, table, written


def test_the_readme_shows_what_was_measured() -> None:
    text = README.read_text()
    assert BEGIN in text
    assert END in text
    assert text == written(text, rows_in(MEASURED)), "python -m benchmarks.shown writes it again"


def test_the_largest_size_of_each_program_that_both_forms_have_is_shown() -> None:
    def row(program: str, form: str, rows: int, *, ended: bool = True) -> dict[str, object]:
        figures = {"job": 2.0, "isolation": 3.0, "ratio": 1.5, "precision": 1.0, "recall": 1.0, "traced": 7}
        plain = {"plain": 60.0, "tests": 41, "jobs": 4, "ended": ended}
        return {"program": program, "form": form, "rows": rows, **figures, **plain}

    rows = [
        row("a", "DataFrame", 10),
        row("a", "RDD", 10, ended=False),
        row("a", "DataFrame", 100),
        row("b", "RDD", 10),
    ]
    *_, last = table(rows).splitlines()
    assert (
        last
        == "| a | 10 | 2.0 · 2.0 | 1.50 · 1.50 | 1.00, 1.00 · 1.00, 1.00 | 7 · 7 | 20 · ≥ 20 | 10 · ≥ 10 |"
    )
    assert len(table(rows).splitlines()) == 3
