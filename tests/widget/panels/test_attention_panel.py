"""The attention panel: its maps are those of ``cw.attention``, clicks and keys find them, errors are text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
import tiny_transformers as tiny
import torch
from explorer_internals import panels_of, view_of
from waiting import until

import camwidget as cw
from camwidget.widget.panels import attention as panel_module
from camwidget.widget.panels.attention import AttentionPanel
from camwidget.widget.panels.attention_drawing import grid_pictures, heat
from camwidget.widget.panels.attention_layout import GridLayout, MapLayout
from camwidget.widget.view.canvas import SharpCanvas

pytestmark = pytest.mark.usefixtures("one_thread")

PICTURES = list(torch.rand(2, 3, tiny.SIDE, tiny.SIDE, generator=torch.Generator().manual_seed(3)))
LAST = tiny.DEPTH - 1


def explorer(module: torch.nn.Module) -> cw.Explorer:
    preprocess = cw.Preprocess(tiny.SIDE, mean=(0.5, 0.5, 0.5), std=(0.3, 0.3, 0.3))
    return cw.Explorer(cw.wrap(module, preprocess, scores="softmax"), PICTURES).wait(30)


def opened(ex: cw.Explorer) -> AttentionPanel:
    panels = panels_of(ex)
    panels.box.selected_index = len(panels.box.children) - 1
    ex.wait(30)
    assert panels.attention is not None
    return panels.attention


@pytest.fixture
def ex() -> Iterator[cw.Explorer]:
    made = explorer(tiny.torchvision_vit())
    yield made
    made.close()


def expected(ex: cw.Explorer) -> cw.Attention:
    return cw.attention(ex.model, ex.pictures[ex.picture].source)


def press(canvas: SharpCanvas, key: str) -> None:
    event = {"event": "key_down", "key": key, "shift_key": False, "ctrl_key": False}
    canvas.canvas._handle_frontend_event(canvas.canvas, {**event, "meta_key": False}, [])


def click(canvas: SharpCanvas, x: float, y: float) -> None:
    event = {"event": "mouse_down", "x": SharpCanvas.SHARP * x, "y": SharpCanvas.SHARP * y}
    canvas.canvas._handle_frontend_event(canvas.canvas, event, [])


def test_the_panel_is_for_models_with_attention(ex: cw.Explorer) -> None:
    assert panels_of(ex).box.titles[-1].startswith("Attention")
    assert len(panels_of(ex).box.children) == len(panels_of(ex).box.titles)
    with closing(cw.Explorer(cw.load(device="cpu"), PICTURES[:1]).wait(30)) as other:
        assert not any(title.startswith("Attention") for title in panels_of(other).box.titles)


def test_the_maps_are_those_of_attention(ex: cw.Explorer) -> None:
    panel = opened(ex)
    found, maps = expected(ex), panel.maps
    assert maps is not None and maps.values.shape == (tiny.DEPTH, tiny.HEADS + 2, 4, 4)
    np.testing.assert_array_equal(maps.values[1, 2], found.of(layer=1, head=2))
    np.testing.assert_array_equal(maps.values[1, -2], found.of(layer=1))
    np.testing.assert_allclose(maps.values[-1, -1], found.on_grid(found.rollout()[0]), rtol=1e-5)
    assert panel.cell == (LAST, tiny.HEADS), "the mean over the heads of the last layer at first"
    assert "class token gives" in panel.text.value and "no patch is an outlier" in (
        panel.text.value.lower()
    )
    # The line of code computes what is drawn.
    panel.select(0, 1)
    scope = {"cw": cw, "model": ex.model, "picture": ex.pictures[0].source}
    code = maps.code(*panel.cell)
    assert code in panel.text.value.replace("&#x27;", "'")
    np.testing.assert_array_equal(eval(code, scope), maps.values[0, 1])


def test_clicks_select_a_map_and_ask_a_patch(ex: cw.Explorer) -> None:
    panel = opened(ex)
    assert panel._drawn is not None
    cells, patches = panel._drawn.cells, panel._drawn.patches
    x, y = cells.corner(1, 2)
    click(panel.grid, x + 2, y + 2)
    assert panel.cell == (1, 2) == (panel.layer_choice.value, panel.head_choice.value)
    click(panel.grid, 2, 2)  # beside the cells
    assert panel.cell == (1, 2)
    width, height = patches.patch
    click(panel.picture, 3.5 * width, 1.5 * height)
    ex.wait(30)
    assert panel.query_choice.value == (1, 3) and "row 1, column 3" in panel.text.value
    assert panel.maps is not None
    np.testing.assert_array_equal(panel.maps.values[1, 2], expected(ex).of((1, 3), 1, 2))
    panel.query_choice.value = 0
    ex.wait(30)
    np.testing.assert_array_equal(panel.maps.values[1, 2], expected(ex).of(None, 1, 2))


def test_arrows_move_the_selection(ex: cw.Explorer) -> None:
    panel = opened(ex)
    for key in ("ArrowUp", "ArrowLeft", "ArrowLeft", "x", "Tab"):
        press(panel.grid, key)
    assert panel.cell == (LAST - 1, tiny.HEADS - 2)
    assert f"Layer {LAST - 1}, head {tiny.HEADS - 2}" in panel.text.value
    for _ in range(9):
        press(panel.grid, "ArrowDown")
        press(panel.grid, "ArrowRight")
    assert panel.cell == (LAST, tiny.HEADS + 1) and "Rollout" in panel.text.value
    press(panel.picture, "ArrowDown")  # the patch in the middle first
    ex.wait(30)
    assert panel.query_choice.value == (2, 2)
    press(panel.picture, "ArrowLeft")
    ex.wait(30)
    assert panel.query_choice.value == (2, 1)


def test_another_picture_keeps_the_choices(ex: cw.Explorer) -> None:
    panel = opened(ex)
    panel.select(0, 1)
    panel.ask((2, 1))
    ex.picture = 1
    ex.wait(30)
    assert panel.maps is not None and panel.cell == (0, 1)
    np.testing.assert_array_equal(panel.maps.values[0, 1], expected(ex).of((2, 1), 0, 1))
    before = panel.maps
    ex.method = "layercam"
    ex.wait(30)
    assert panel.maps is before, "attention is the same for every method"
    with torch.no_grad():  # a training goes on
        for parameter in ex.model.module.parameters():
            parameter.mul_(1.1)
    ex.method = "gradcam"
    ex.wait(30)
    np.testing.assert_array_equal(panel.maps.values[0, 1], expected(ex).of((2, 1), 0, 1))


def test_outliers_are_left_out_by_the_switch() -> None:
    module = tiny.seeded(tiny.Plain())
    with torch.no_grad():
        module.position[0, 6] *= 60
    with closing(explorer(module)) as ex:
        panel = opened(ex)
        found = expected(ex)
        count = int(found.outliers.sum())
        assert count and f"({count})" in panel.outlier_choice.description
        assert "twice the patches" in panel.text.value and "Darcet" in panel.text.value
        panel.outlier_choice.value = True
        ex.wait(30)
        assert panel.maps is not None
        np.testing.assert_array_equal(
            panel.maps.values[1, 0], found.of(layer=1, head=0, outliers=False)
        )
        assert not panel.maps.values[:, :, found.on_grid(found.outliers)].any()


def test_without_a_class_token_the_patches_ask() -> None:
    with closing(explorer(tiny.seeded(tiny.Plain("mean", registers=2)))) as ex:
        panel = opened(ex)
        assert panel.query_choice.value == "patches"
        assert [value for _, value in panel.query_choice.options] == [0, 1, "patches"]
        assert panel.maps is not None
        np.testing.assert_array_equal(panel.maps.values[-1, -2], expected(ex).of())


def test_windows_are_refused_in_words() -> None:
    with closing(explorer(tiny.torchvision_swin())) as ex:
        panel = opened(ex)
        assert panel.maps is None and "attends within windows" in panel.message.value
        assert panel._parts.layout.display == "none" and view_of(ex).error == ""


def test_errors_are_text_and_the_next_picture_works(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = opened(ex)
    with monkeypatch.context() as patch:
        patch.setattr(panel_module, "attention_of_pixels", lambda *_: 1 / 0)
        ex.picture = 1
        ex.wait(30)
        assert "division by zero" in panel.message.value and panel.maps is None
    ex.picture = 0
    ex.wait(30)
    assert panel.maps is not None and panel.message.value == ""


def test_cancel_and_compute_again(ex: cw.Explorer) -> None:
    panel = opened(ex)
    before = panel.maps
    submit, panel._worker.submit = panel._worker.submit, lambda *job: None  # it waits behind others
    panel.ask((0, 0))
    assert panel.button.description == "Cancel" and panel.button.layout.visibility == "visible"
    panel.button.click()
    assert "Canceled" in panel.message.value and panel.maps is before
    panel._worker.submit = submit
    assert panel.button.description == "Compute"
    panel.button.click()
    until(lambda: panel.maps is not before)
    ex.wait(30)
    assert panel.maps is not None and panel.maps.query == (0, 0)
    assert panel.button.layout.visibility == "hidden"


@pytest.mark.parametrize(
    ("rows", "columns", "grid"),
    [(12, 14, (14, 14)), (24, 18, (16, 16)), (3, 5, (4, 4)), (12, 14, (37, 37)), (2, 4, (3, 7))],
)
def test_every_pixel_of_a_cell_finds_it(rows: int, columns: int, grid: tuple[int, int]) -> None:
    layout = GridLayout.of(rows, columns, grid)
    assert layout.patch % layout.unit == 0 and layout.space >= 3
    (width, height), (wide, high) = layout.size, layout.cell
    assert width <= 620 and height <= 480, "beside the picture, on a small screen"
    for cell in ((0, 0), (rows - 1, columns - 1), (rows // 2, columns - 3)):
        x, y = layout.corner(*cell)
        for right, down in ((0, 0), (wide - 0.01, high - 0.01)):
            assert layout.cell_at(x + right, y + down) == cell
    assert layout.cell_at(0, 0) is None and layout.cell_at(1e6, 1e6) is None
    assert MapLayout((64, 32), (4, 2)).patch_at(1, 279) == (3, 0)
    assert MapLayout((64, 32), (4, 2)).patch_at(169, 0) is None


def test_cells_are_drawn_where_they_are_found() -> None:
    values = np.random.default_rng(0).random((3, 5, 4, 4)).astype(np.float32)
    colors = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)
    layout = GridLayout.of(3, 5, (4, 4))
    pictures = grid_pictures(values, colors, layout)
    assert list(pictures) == [0, 3, 4]
    step = layout.patch // layout.unit
    for first, cell in ((0, (1, 2)), (3, (0, 3)), (4, (2, 4))):
        picture = pictures[first]
        x0, y0 = layout.corner(0, first)
        x, y = layout.corner(*cell)
        left, top = (round(SharpCanvas.SHARP * d / layout.unit) for d in (x - x0, y - y0))
        drawn = picture[top : top + 4 * step : step, left : left + 4 * step : step]
        wanted = np.round(255 * values[cell] / values[cell].max())
        np.testing.assert_array_equal(drawn[..., 0], wanted)
        assert (drawn[..., 3] == 255).all() and picture[top + 4 * step, left, 3] == 0
    overlay = heat(values[0, 0], colors, 1.0)
    assert overlay.shape == (4, 4, 4) and overlay[..., 3].max() == 255
    assert not heat(np.zeros((2, 2), np.float32), colors)[..., 3].any()
