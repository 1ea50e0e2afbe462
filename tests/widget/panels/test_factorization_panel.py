"""The panel of parts: they are those of ``cw.factorize``, and a click on a color masks the part by paint."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from explorer_internals import panels_of, view_of

import camwidget as cw
from camwidget.masking.masked_pixels import mask_pixels
from camwidget.masking.rank_rule import rank_levels
from camwidget.widget.panels.factorization import FactorizationPanel, colored_parts
from camwidget.widget.state.history import History
from camwidget.widget.view.canvas import SharpCanvas

pytestmark = pytest.mark.usefixtures("one_thread")

SAMPLES = cw.zoo.samples("zoo/textures")[:2]


@pytest.fixture(scope="module")
def shared() -> Iterator[cw.Explorer]:
    made = cw.Explorer(cw.load(device="cpu"), [s.image for s in SAMPLES]).wait(60)
    titles = panels_of(made).box.titles
    place = next(n for n, title in enumerate(titles) if title.startswith("Parts"))
    panels_of(made).box.selected_index = place
    made.wait(60)
    yield made
    made.close()


@pytest.fixture
def ex(shared: cw.Explorer) -> cw.Explorer:
    """The explorer on its first picture, without paint, with four parts."""
    shared.picture, shared.mask = 0, None
    panel_of(shared).count_choice.value = 4
    return shared.wait(60)


def panel_of(ex: cw.Explorer) -> FactorizationPanel:
    panel = panels_of(ex).factorization
    assert panel is not None
    return panel


def expected(ex: cw.Explorer, parts: int = 4) -> cw.Factorization:
    target = ex.explanation.target
    return cw.factorize(ex.model, SAMPLES[ex.picture].image, parts, target, ex.layer)


def click(canvas: SharpCanvas, x: float, y: float) -> None:
    event = {"event": "mouse_down", "x": SharpCanvas.SHARP * x, "y": SharpCanvas.SHARP * y}
    canvas.canvas._handle_frontend_event(canvas.canvas, event, [])


def place_in(panel: FactorizationPanel, part: int) -> tuple[float, float]:
    """The middle of a pixel of the part, in CSS pixels of the canvas."""
    assert panel.found is not None
    area = panel.found.areas[0]
    row, column = np.argwhere(area == part)[0]
    scale = 300 / max(area.shape)
    return (column + 0.5) * scale, (row + 0.5) * scale


def test_the_parts_are_those_of_factorize(ex: cw.Explorer) -> None:
    panel, wanted = panel_of(ex), expected(ex)
    assert panel.found is not None
    np.testing.assert_array_equal(panel.found.areas, wanted.areas)
    np.testing.assert_array_equal(panel.found.evidence, wanted.evidence)
    shown = [b for b in panel.buttons if b.layout.display is None]
    assert len(shown) == 4
    evidence = f"{wanted.evidence[0, 0, 1]:+.2f}".replace("-", "−")
    assert shown[1].description.startswith(f"part 2 · evidence {evidence} ·")
    assert f"{wanted.explained:.0%}" in panel.message.value


def test_a_click_on_a_color_masks_the_part_and_a_second_shows_it(ex: cw.Explorer) -> None:
    panel = panel_of(ex)
    assert panel.found is not None
    area = panel.found.areas[0]
    click(panel.canvas, *place_in(panel, 1))
    ex.wait(60)
    np.testing.assert_array_equal(ex.mask == 1, area == 1)
    assert panel.buttons[1].description.endswith("masked") and "again" in panel.buttons[1].tooltip
    # The prediction shown is that of the picture without the part.
    pixels = ex.model.preprocess.pixels(SAMPLES[0].image)
    levels = rank_levels(ex.explanation.saliency)
    masked = mask_pixels(pixels, levels, [0], paint=(area == 1).astype(np.int8))
    expected_now = ex.model.probabilities(ex.model.logits(masked))[0].double().numpy()
    row = view_of(ex).rows[0]["index"]
    assert view_of(ex).masked[0] == pytest.approx(expected_now[row], abs=1e-5)
    panel.buttons[2].click()
    ex.wait(60)
    np.testing.assert_array_equal(ex.mask == 1, (area == 1) | (area == 2))
    click(panel.canvas, *place_in(panel, 1))
    ex.wait(60)
    np.testing.assert_array_equal(ex.mask == 1, area == 2)
    panel.buttons[2].click()
    ex.wait(60)
    assert ex.mask is None and not any(b.description.endswith("masked") for b in panel.buttons)


def test_strokes_of_the_brush_stay(ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(History, "PAUSE", 0.0)  # the two changes of the mask are two steps
    panel = panel_of(ex)
    assert panel.found is not None
    area = panel.found.areas[0]
    kept = np.zeros(area.shape, np.int8)
    row, column = np.argwhere(area != 0)[0]
    kept[row, column] = -1
    ex.mask = kept
    ex.wait(60)
    panel.toggle(0)
    ex.wait(60)
    assert ex.mask is not None and ex.mask[row, column] == -1 and (ex.mask == 1).any()
    ex.undo()
    ex.wait(60)
    np.testing.assert_array_equal(ex.mask, kept)
    assert not panel.buttons[0].description.endswith("masked")


def test_it_follows_picture_and_number_of_parts(ex: cw.Explorer) -> None:
    panel = panel_of(ex)
    panel.count_choice.value = 2
    ex.picture = 1
    ex.wait(60)
    wanted = expected(ex, 2)
    assert panel.found is not None
    np.testing.assert_array_equal(panel.found.areas, wanted.areas)
    assert sum(b.layout.display is None for b in panel.buttons) == 2
    panel.toggle(7)  # there is no such part
    click(panel.canvas, 1e4, 5)  # beside the picture
    assert ex.mask is None


def test_an_error_is_text(ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: object) -> None:
        raise cw.CamwidgetError("<no parts>")

    monkeypatch.setattr("camwidget.widget.panels.factorization.factorize", fails)
    panel = panel_of(ex)
    panel.count_choice.value = 3
    ex.wait(60)
    assert panel.message.value == "&lt;no parts&gt;" and panel.found is None


def test_masked_parts_are_striped() -> None:
    found = cw.factorize(cw.load(device="cpu"), SAMPLES[0].image, 3)
    shown = colored_parts(found, np.zeros(found.areas.shape[1:], bool))
    masked = colored_parts(found, found.areas[0] == 0)
    assert shown.shape == (*found.areas.shape[1:], 3) and shown.dtype == np.uint8
    changed = (shown != masked).any(-1)
    assert changed[found.areas[0] == 0].mean() > 0.95 and not changed[found.areas[0] != 0].any()
