"""How the dataflow is laid out: nothing lies on anything else, and all lines go down."""

from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from bigdebug.report.drawing import draw
from bigdebug.report.layout import HEIGHT, WIDTH, place

PATH = "in/日本語のとても長いテキストファイル.csv"


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    size = draw(st.integers(1, 25))
    return {
        f"o{number}": [f"o{each}" for each in draw(st.sets(st.integers(1, number - 1), max_size=3))]
        if number > 1
        else []
        for number in range(1, size + 1)
    }


@settings(max_examples=40)
@given(graphs())
def test_boxes_lie_apart_and_lines_go_down(parents: dict[str, list[str]]) -> None:
    placed = place(parents)
    assert placed.boxes.keys() == parents.keys()
    for (x, y), (u, v) in combinations(placed.boxes.values(), 2):
        assert abs(x - u) >= WIDTH or abs(y - v) > HEIGHT
    for x, y in placed.boxes.values():
        assert 0 <= x <= placed.width - WIDTH
        assert 0 <= y <= placed.height - HEIGHT
    assert placed.lines.keys() == {(parent, node) for node, its in parents.items() for parent in its}
    for points in placed.lines.values():
        assert all(upper[1] < lower[1] for upper, lower in pairwise(points))


@settings(max_examples=40)
@given(graphs())
def test_lines_pass_beside_the_boxes_in_between(parents: dict[str, list[str]]) -> None:
    placed = place(parents)
    for points in placed.lines.values():
        for (x, upper), (_, lower) in pairwise(points[1:-1]):
            for left, top in placed.boxes.values():
                assert not (
                    left < x < left + WIDTH
                    and upper < top + HEIGHT
                    and top < lower
                    and lower - upper <= HEIGHT
                )


def test_only_what_leads_to_an_output_is_drawn() -> None:
    operators = [
        {"id": 1, "operator": "read.csv", "parents": (), "paths": (PATH,), "call_site": None},
        {"id": 2, "operator": "filter", "parents": (1, 7), "paths": (), "call_site": {"file": "/x/etl.py", "line": 4}},
        {"id": 3, "operator": "unused", "parents": (1,), "paths": (), "call_site": None},
    ]  # fmt: skip
    output = {"number": 1, "node": 2, "action": "collect", "target": None, "status": "done", "rows": 1}
    drawing = draw({"operators": operators, "outputs": [output | {"call_site": None}]})
    assert drawing is not None
    assert [box.kind for box in drawing.boxes] == ["source", "operator", "output"]
    assert drawing.boxes[1].lines == ("2 filter", "etl.py:4")
    assert drawing.boxes[2].lines[1] == "1 row"
    assert len(drawing.boxes[0].lines[0]) < 24
    assert draw({"operators": operators, "outputs": []}) is None
