"""The contact sheet: every map once, drawn where a click finds it, drawn anew for each page."""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from explorer_internals import display_of, panels_of, parts_of, view_of

import camwidget as cw
from camwidget import zoo
from camwidget.widget.panels.contact_sheet import ContactSheet
from camwidget.widget.view import canvas
from camwidget.widget.view.canvas import SharpCanvas

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def ex() -> Iterator[cw.Explorer]:
    samples = zoo.samples("zoo/textures")[:2]
    made = cw.Explorer(cw.load(device="cpu"), samples, top=3).wait(30)
    panels_of(made).box.selected_index = 2
    made.wait(30)
    yield made
    made.close()


def sheet_of(explorer: cw.Explorer) -> ContactSheet:
    sheet = panels_of(explorer).sheet
    assert sheet is not None
    return sheet


def size(sheet: ContactSheet) -> tuple[int, int]:
    """Width and height of a small map, in CSS pixels."""
    (left, top), (right, bottom) = sheet.corner(0, 0), sheet.corner(1, 1)
    return right - left - sheet.GAP, bottom - top - sheet.GAP


def middle(sheet: ContactSheet, row: int, column: int) -> tuple[float, float]:
    (x, y), (width, height) = sheet.corner(row, column), size(sheet)
    return x + width / 2, y + height / 2


def test_every_quick_method_for_every_listed_class(ex: cw.Explorer) -> None:
    sheet = sheet_of(ex)
    plan = sheet.plan
    assert list(plan.classes) == display_of(ex).row_classes and len(plan.classes) == 3
    assert {"cam", "gradcam", "layercam"} <= set(plan.methods)
    assert not {"rise", "lrp", "saliency", "random", "center"} & set(plan.methods)
    tiles = sheet.tiles
    assert len(tiles) == 3 * len(plan.methods)
    row = plan.methods.index("layercam")
    wanted = cw.explain(ex.model, ex.pictures[0].source, plan.classes[1], "layercam")
    np.testing.assert_array_equal(tiles[row, 1], sheet._tile(wanted))
    side = SharpCanvas.SHARP * sheet.SIDE
    assert tiles[row, 1].shape == (side, side, 3)


def test_a_click_picks_class_and_method(ex: cw.Explorer) -> None:
    sheet = sheet_of(ex)
    plan = sheet.plan
    row, column = plan.methods.index("gradcam++"), 2
    canvas = sheet.canvas.canvas
    x, y = (SharpCanvas.SHARP * side for side in middle(sheet, row, column))
    canvas._handle_frontend_event(canvas, {"event": "mouse_down", "x": x, "y": y}, [])
    ex.wait(30)
    assert (ex.method, ex.target) == ("gradcam++", plan.names[2])
    assert ex.explanation.method == "gradcam++"
    assert sheet._chosen == (row, list(sheet.plan.classes).index(plan.classes[2]))


def test_hits_are_exact(ex: cw.Explorer) -> None:
    sheet = sheet_of(ex)
    plan = sheet.plan
    picked: list[tuple[str, int]] = []
    sheet._on_pick = lambda method, target: picked.append((method, target))
    left, top = sheet.corner(0, 0)
    last = len(plan.methods) - 1, len(plan.classes) - 1
    right, bottom = (
        corner + side - 1 for corner, side in zip(sheet.corner(*last), size(sheet), strict=True)
    )
    for x, y in ((left, top), (right, bottom)):
        sheet.click(x, y)
    assert picked == [
        (plan.methods[0], plan.classes[0]),
        (plan.methods[-1], plan.classes[-1]),
    ]
    for x, y in ((left - 1, top), (left, top - 1), (right + 1, bottom), (right, bottom + 1)):
        sheet.click(x, y)
    for x, y in ((0, 0), (-5, -5), (1e6, 1e6), (left + size(sheet)[0] + 1, top)):
        sheet.click(x, y)
    assert len(picked) == 2, "beside the maps there is nothing"


def test_another_picture_is_drawn_while_open_only(ex: cw.Explorer) -> None:
    sheet = sheet_of(ex)
    first = sheet._sheet
    ex.method = "layercam"
    ex.wait(30)
    assert sheet._sheet is first, "the same maps"
    ex.picture = 1
    ex.wait(30)
    second = sheet._sheet
    assert second.plan.about.picture is ex.pictures[1]
    assert len(second.tiles) == len(second.plan.methods) * 3
    panels_of(ex).box.selected_index = None
    ex.layer = ex.model.layers[1].name
    ex.wait(30)
    assert sheet._sheet is second
    panels_of(ex).box.selected_index = 2
    ex.wait(30)
    assert sheet.plan.about.layer == ex.layer


def test_a_map_that_fails_does_not_stop_the_others(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = sheet_of(ex)
    bench = parts_of(ex).context.prompt.base
    made = bench.explanation

    def failing(picture: Any, target: Any, method: Any, *where: Any, **how: Any) -> Any:
        if method.name == "layercam":
            raise ZeroDivisionError("<b>none</b>")
        return made(picture, target, method, *where, **how)

    monkeypatch.setattr(bench, "explanation", failing)
    ex.picture = 1
    ex.wait(30)
    plan, tiles = sheet.plan, sheet.tiles
    gaps = {plan.methods[row] for (row, _), tile in tiles.items() if tile is None}
    assert gaps == {"layercam"} and len(tiles) == 3 * len(plan.methods)
    assert view_of(ex).error == ""


def test_drawing_waits_for_no_other_thread(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that comes up draws while the explorer moves on: neither waits for the other's lock."""
    sheet = sheet_of(ex)
    monkeypatch.setattr(sheet, "SIDE", 8)  # it is about locks, and small maps are drawn more often
    stop = threading.Event()

    def pages() -> None:
        # A lock that is taken again at once leaves no other thread its turn, as pages never do.
        while not stop.wait(0.001):
            sheet.canvas.draw()

    thread = threading.Thread(target=pages)
    thread.start()
    try:
        for number in range(4):
            ex.picture = number % 2
            ex.method = ("gradcam", "layercam")[number % 2]
            ex.wait(30)
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


def test_who_waits_for_the_paper_holds_nothing_that_drawing_needs(ex: cw.Explorer) -> None:
    sheet = sheet_of(ex)
    with canvas._drawing:  # as a page has that comes up
        ex.picture = 1
        while sheet.plan.about.picture is not ex.pictures[1]:
            time.sleep(0.01)
        assert sheet._lock.acquire(timeout=2)
        sheet._lock.release()
    ex.wait(30)


def test_it_is_drawn_anew_for_each_page(ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = sheet_of(ex)
    canvas = sheet.canvas.canvas
    drawn: list[Any] = []
    monkeypatch.setattr(type(canvas), "put_image_data", lambda self, *a: drawn.append(a))
    canvas._handle_frontend_event(canvas, {"event": "client_ready"}, [])
    assert len(drawn) == len(sheet.tiles)


def test_names_are_text_of_the_page_at_their_maps(ex: cw.Explorer) -> None:
    """Escaped, and placed at the rows and columns: a canvas would not know the page's colors."""
    sheet = sheet_of(ex)
    for row, name in enumerate(sheet.plan.methods):
        label = html.escape(cw.get_method(name).label)
        assert f"top:{sheet.corner(row, 0)[1]}px" in sheet.names.value
        assert f"<span>{label}</span>" in sheet.names.value
    for column, name in enumerate(sheet.plan.names):
        assert f"left:{sheet.corner(0, column)[0]}px" in sheet.names.value
        assert f"<span>{html.escape(name)}</span>" in sheet.names.value
