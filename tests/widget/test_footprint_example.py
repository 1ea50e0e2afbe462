"""The footprint example: clicks, drags and keys change footprints, weights, maps, drawing and static view."""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import camwidget as cw
from camwidget.analysis.footprint_weights import example_footprints, weigh_footprints
from camwidget.plotting import SERIES
from camwidget.widget import _compat
from camwidget.widget.view.footprint_canvas import Cell, map_colors


@pytest.fixture
def example() -> Iterator[cw.FootprintExample]:
    made = cw.FootprintExample()
    yield made
    made.close()


def point(example: cw.FootprintExample, *cell: int) -> dict[str, float]:
    """The middle of a cell as a page sends it, in canvas pixels."""
    x, y = example._canvas.corner(Cell(*cell))
    half = example._canvas.CELL / 2
    return {"x": 2 * (x + half), "y": 2 * (y + half)}


def send(example: cw.FootprintExample, event: str, **values: Any) -> None:
    canvas = example._canvas.sharp.canvas
    canvas._handle_frontend_event(canvas, {"event": event, **values}, [])


def press(example: cw.FootprintExample, *keys: str) -> None:
    for key in keys:
        message = {"method": "custom", "content": {"type": "key", "key": key}}
        example._keys._handle_msg({"content": {"data": message}, "buffers": []})


def test_a_click_fills_a_cell_or_empties_it(example: cw.FootprintExample) -> None:
    before = example.footprints
    send(example, "mouse_down", **point(example, 2, 7, 0))
    send(example, "mouse_up", **point(example, 2, 7, 0))
    assert np.argwhere(example.footprints != before).tolist() == [[2, 7, 0]]
    assert [str(w) for w in example.weights["gradcam"]] == ["15/80", "4/80", "3/80"]
    assert [str(w) for w in example.weights["gradcam++"]] == ["15/17", "4/6", "3/5"]
    assert example.maps["gradcam"][7, 0] == 3 / 80
    assert example._keys.status == (
        "A3, row 8, column 1: filled. Weight of A3: Grad-CAM 3/80, Grad-CAM++ 3/5."
    )
    send(example, "mouse_down", **point(example, 2, 7, 0))
    np.testing.assert_array_equal(example.footprints, before)
    assert repr(example) == "FootprintExample(15, 4, 2 of 80 cells, 'squares')"


def test_a_click_beside_the_cells_changes_nothing(example: cw.FootprintExample) -> None:
    x, y = example._canvas.corner(Cell(1, 0, 0))
    for place in ((0, 0), (x - 2, y + 5), (x + 5, y - 2), (x + 5, y + 8 * 15 + 2), (9999, y)):
        send(example, "mouse_down", x=2 * place[0], y=2 * place[1])
    np.testing.assert_array_equal(example.footprints, example_footprints())


def test_a_drag_does_what_its_first_cell_does(example: cw.FootprintExample) -> None:
    send(example, "mouse_move", **point(example, 0, 7, 9))
    assert not example.footprints[0, 7, 9], "the button is not pressed"
    send(example, "mouse_down", **point(example, 0, 1, 4))  # filled
    for column in (5, 3, 2):  # an empty cell stays empty
        send(example, "mouse_move", **point(example, 0, 1, column))
    assert example.footprints[0, 1].tolist() == [True, True] + 8 * [False]
    send(example, "mouse_up", **point(example, 0, 1, 2))
    send(example, "mouse_move", **point(example, 0, 1, 0))
    assert example.footprints[0, 1, 0]
    send(example, "mouse_down", **point(example, 0, 7, 0))
    send(example, "mouse_move", **point(example, 1, 7, 0))
    send(example, "mouse_out", x=0, y=0)
    send(example, "mouse_move", **point(example, 2, 7, 0))
    assert example.footprints[:, 7, 0].tolist() == [True, True, False]


def test_by_keyboard(example: cw.FootprintExample) -> None:
    press(example, "ArrowRight", "ArrowDown", " ")
    assert not example.footprints[0, 1, 1], "it was filled"
    press(example, "2", "Enter")
    assert example.footprints[1, 1, 1]
    press(example, "ArrowLeft", "ArrowLeft", " ")  # across the border of two maps
    assert example.footprints[0, 1, 9]
    press(example, *8 * ["ArrowUp"], *40 * ["ArrowRight"], " ")
    assert example.footprints[2, 0, 9]
    before = example.footprints
    press(example, "4", "0", "x", "ArrowLeft")
    np.testing.assert_array_equal(example.footprints, before)
    assert example._keys.status.startswith("A3, row 1, column 9: empty.")
    example._keys._handle_msg(
        {"content": {"data": {"method": "custom", "content": {"type": "?"}}}, "buffers": []}
    )
    assert "does not know" in example._keys.status


def test_scores_reset_and_empty(example: cw.FootprintExample) -> None:
    scores, reset, clear = example.children[0].children
    assert example._keys.status.startswith("Grad-CAM 15/80, 4/80, 2/80; ")
    scores.value = "average"
    assert example._keys.status.startswith("CAM 1/1, 1/1, 1/1; Grad-CAM 1/80")
    assert example.score == "average" and "equal" not in example.weights
    assert [str(w) for w in example.weights["cam"]] == 3 * ["1/1"]
    assert [str(w) for w in example.weights["gradcam++"]] == ["80/175", "80/164", "80/162"]
    example.score = "squares"
    assert scores.value == "squares" and "cam" not in example.weights
    clear.click()
    assert not example.footprints.any() and [w.value for w in example.weights["gradcam"]] == [0] * 3
    reset.click()
    np.testing.assert_array_equal(example.footprints, example_footprints())
    example.footprints = np.ones((1, 2, 2), int)
    assert [str(w) for w in example.weights["gradcam++"]] == ["4/6"]
    send(example, "mouse_down", **point(example, 0, 1, 1))
    assert example.footprints.tolist() == [[[True, True], [True, False]]]


def test_it_is_drawn_for_each_page(
    example: cw.FootprintExample, monkeypatch: pytest.MonkeyPatch
) -> None:
    canvas = example._canvas.sharp.canvas
    written: list[str] = []
    filled: dict[str, int] = {}
    frames: list[Any] = []
    kind = type(canvas)
    monkeypatch.setattr(kind, "fill_text", lambda self, text, *a: written.append(text))
    monkeypatch.setattr(
        kind,
        "fill_rects",
        lambda self, x, *a: filled.update(
            {self.fill_style: filled.get(self.fill_style, 0) + x.size}
        ),
    )
    monkeypatch.setattr(kind, "stroke_rect", lambda self, *a: frames.append(a))
    send(example, "client_ready")
    for text in ("A1: 15 of 80 cells", "15/80 = 0.188", "2/4 = 0.500", "α = 1/Σ ∂y/∂A"):
        assert text in written
    assert [filled[color] for color in SERIES[:3]] == [15, 4, 2]
    assert sum(filled.values()) == 3 * 80 + 3 * 80, "feature maps, and the maps of three methods"
    assert not frames
    message = {"method": "custom", "content": {"type": "focus"}}
    example._keys._handle_msg({"content": {"data": message}, "buffers": []})
    assert len(frames) == 2, "the keyboard's cell is framed"
    width = canvas.width / 2
    assert width < 800, "it fits a notebook"


def test_the_static_view(example: cw.FootprintExample) -> None:
    data = example._repr_mimebundle_()[0]
    assert data["text/html"].count("<img") == 3 + 3 and "4/6 = 0.667" in data["text/html"]
    assert "Grad-CAM: 15/80 · 4/80 · 2/80" in data["text/plain"]
    assert '<td>CAM</td><td colspan="4">does not apply' in data["text/html"]
    assert len(data["text/html"]) < 6000 and "<script" not in data["text/html"]
    example.score = "average"
    assert re.search(r"CAM</td><td>1/1 = 1.000", example._static_view().html)


def test_colors_are_shares_of_the_maximum() -> None:
    raw = weigh_footprints(example_footprints())["gradcam"].raw
    colors = map_colors(raw)
    assert colors[0, 0] == map_colors(np.zeros((1, 1)))[0, 0], "nothing is the darkest color"
    assert colors[1, 0] == map_colors(np.ones((1, 1)))[0, 0], "and the maximum the brightest"
    assert len({colors[1, 0], colors[5, 2], colors[2, 7], colors[0, 0]}) == 4


def test_what_is_refused(example: cw.FootprintExample) -> None:
    for maps in (np.ones((5, 2, 2)), np.ones((1, 17, 2))):
        with pytest.raises(cw.CamwidgetError, match="at most 4 of 16 × 16"):
            cw.FootprintExample(maps)
        with pytest.raises(cw.CamwidgetError, match="weigh_footprints takes any number"):
            example.footprints = maps
    with pytest.raises(cw.CamwidgetError, match="in brackets"):
        cw.FootprintExample(np.ones((2, 2)))
    with pytest.raises(cw.CamwidgetError, match="no score"):
        example.score = "max"
    with pytest.raises(cw.CamwidgetError, match=r"no cell \(3, 0, 0\)"):
        example.toggle(3, 0, 0)
    np.testing.assert_array_equal(example.footprints, example_footprints())
    assert example.score == "squares"


def test_nothing_is_left_of_one_that_is_gone() -> None:
    cw.FootprintExample().close()  # the canvases' common manager stays
    before = set(_compat.all_widgets())
    made = cw.FootprintExample()
    gone = weakref.ref(made)
    del made
    gc.collect()
    assert gone() is None
    assert set(_compat.all_widgets()) <= before
