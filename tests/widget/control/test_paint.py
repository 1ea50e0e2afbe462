"""Painting on an explorer's pictures, without a browser: the mask as an array, and what the brush writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from explorer_internals import display_of, view_of, worker_of

import camwidget as cw
from camwidget import zoo
from camwidget.errors import CamwidgetError, PictureError
from camwidget.masking.masked_pixels import mask_pixels
from camwidget.masking.rank_rule import rank_levels, top_mask
from camwidget.masking.user_mask import decode, encode
from camwidget.widget.view.mask_settings import MaskSettings
from camwidget.widget.view.sentences import sentence

SIZE = (192, 192)


@pytest.fixture(scope="module")
def samples() -> list[zoo.Sample]:
    return zoo.samples("zoo/textures")[:2]


@pytest.fixture
def ex(textures: cw.VisionModel, samples: list[zoo.Sample]) -> Iterator[cw.Explorer]:
    explorer = cw.Explorer(textures, samples).wait(60)
    yield explorer
    explorer.close()


def square(value: int = 1, at: int = 40) -> np.ndarray:
    paint = np.zeros(SIZE, np.int8)
    paint[at : at + 60, 30:90] = value
    return paint


def stroke(ex: cw.Explorer, paint: np.ndarray | None, number: int = 1, **also: Any) -> None:
    """What the browser's brush writes."""
    view_of(ex).paint = {
        "scene": ex.pictures[ex.picture].id,
        "runs": encode(paint),
        "stroke": number,
        "painting": False,
        **also,
    }


def asked(model: cw.VisionModel, masked: torch.Tensor) -> np.ndarray:
    return model.probabilities(model.logits(masked))[0].double().numpy()


def test_setting_a_mask_asks_the_model_and_shows_it(ex: cw.Explorer, samples: list) -> None:
    seen: list[Any] = []
    ex.observe(lambda change: seen.append(change["new"]), "mask")
    ex.mask = square().astype(bool)
    ex.wait(60)
    assert ex.mask.dtype == np.int8 and np.array_equal(ex.mask, square())
    assert view_of(ex).paint["runs"] == encode(square()) and view_of(ex).paint["stroke"] == 1
    pixels = ex.model.preprocess.pixels(samples[0].image)
    levels = rank_levels(ex.explanation.saliency)
    hidden = mask_pixels(pixels, levels, [0], paint=square())
    row = view_of(ex).rows[0]["index"]
    assert view_of(ex).masked[0] == pytest.approx(asked(ex.model, hidden)[row], abs=1e-5)
    assert view_of(ex).sentence.startswith("Hiding the painted 9.8 %")
    # The curve is that of the painted picture, so the mark lies on it.
    assert ex.curve.probability[0] == pytest.approx(view_of(ex).masked[0], abs=1e-5)
    curve = cw.mask_curve(
        ex.model,
        samples[0].image,
        ex.explanation,
        ex.target,
        spacing="quadratic",
        paint=square().astype(bool),
    )
    np.testing.assert_allclose(ex.curve.probability, curve.probability, atol=1e-5)
    assert ex.curve.others == curve.others
    ex.mask = square()
    assert len(seen) == 1, "the same again is no change"
    ex.mask = None
    ex.wait(60)
    assert (
        view_of(ex).masked == []
        and view_of(ex).paint["runs"] == []
        and view_of(ex).paint["stroke"] == 2
    )
    assert len(seen) == 2 and seen[1] is None


def test_the_brush_sets_the_mask(ex: cw.Explorer) -> None:
    painted = square(1)
    painted[square(-1, at=110) == -1] = -1
    ex.mode, ex.fraction = "keep", 0.1
    stroke(ex, painted)
    ex.wait(60)
    assert np.array_equal(ex.mask, painted)
    top = top_mask(ex.explanation.saliency, 0.1)
    np.testing.assert_array_equal(ex.masked, (~top | (painted == 1)) & (painted != -1))
    assert view_of(ex).paint["stroke"] == 1 and len(view_of(ex).masked) == 6
    assert "10 %" in view_of(ex).sentence and "9.8 %" in view_of(ex).sentence
    stroke(ex, None, 2)
    ex.wait(60)
    assert ex.mask is None
    np.testing.assert_array_equal(ex.masked, ~top)


def test_while_painting_there_is_no_curve_of_another_picture(ex: cw.Explorer) -> None:
    assert ex.curve is not None
    stroke(ex, square(), painting=True)
    ex.wait(60)
    assert ex.curve is None and len(view_of(ex).masked) == 6
    assert not display_of(ex).chart.target_line.visible
    stroke(ex, square(), painting=False)
    ex.wait(60)
    assert ex.curve.probability[0] == pytest.approx(view_of(ex).masked[0], abs=1e-5)
    assert display_of(ex).chart.target_line.visible


def test_each_picture_keeps_its_own(ex: cw.Explorer) -> None:
    ex.mask = square()
    ex.picture = 1
    assert ex.mask is None
    ex.wait(60)
    assert view_of(ex).paint["scene"] == ex.pictures[1].id and view_of(ex).paint["runs"] == []
    assert view_of(ex).masked == []
    ex.mask = -square()
    # A stroke that was still on its way is kept with the picture it was made on.
    stroke(ex, square(at=100), 9, scene=ex.pictures[0].id)
    assert np.array_equal(ex.mask, -square())
    assert view_of(ex).paint["scene"] == ex.pictures[1].id
    ex.picture = 0
    ex.wait(60)
    assert np.array_equal(ex.mask, square(at=100)) and len(view_of(ex).masked) == 6
    assert view_of(ex).paint["stroke"] >= 9


def test_a_picture_that_fails_brings_the_mask_back(textures: cw.VisionModel, samples: list) -> None:
    explorer = cw.Explorer(textures, [samples[0].image, "no/such/picture.png"]).wait(60)
    explorer.mask = square()
    explorer.picture = 1
    explorer.wait(60)
    assert explorer.picture == 0 and np.array_equal(explorer.mask, square())
    assert (
        view_of(explorer).paint["runs"] == encode(square()) and len(view_of(explorer).masked) == 6
    )
    explorer.close()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (np.zeros((7, 7), bool), r"\(192, 192\), not \(7, 7\)"),
        (np.zeros(SIZE), "float64: compare it"),
        (np.full(SIZE, 2), "not 2: for 0 and 255"),
        ("all", "shape"),
    ],
)
def test_a_wrong_mask_changes_nothing(ex: cw.Explorer, wrong: Any, said: str) -> None:
    ex.mask = square()
    ex.wait(60)
    shown = view_of(ex).masked
    with pytest.raises(PictureError, match=said):
        ex.mask = wrong
    assert np.array_equal(ex.mask, square()) and view_of(ex).masked == shown and worker_of(ex).idle
    with pytest.raises(ValueError, match="read-only"):
        ex.mask[0, 0] = 1


@pytest.mark.parametrize(
    "wrong", [[1], [2, 5], [1, 0], [1, 192 * 192 + 1], [1, 2.5], ["1", 3], [True, 3], None, "1, 5"]
)
def test_malformed_runs_are_said_and_not_taken(ex: cw.Explorer, wrong: Any) -> None:
    ex.mask = square()
    view_of(ex).paint = {"scene": ex.pictures[0].id, "runs": wrong, "stroke": 7}
    assert "The paint was rejected" in view_of(ex).error
    assert np.array_equal(ex.mask, square()) and view_of(ex).paint["runs"] == encode(square())
    for odd in ({}, {"scene": "nobody's", "runs": [1, 5]}, {"scene": None}):
        view_of(ex).paint = odd
    assert np.array_equal(ex.mask, square())


def test_strokes_on_several_threads_end_with_the_newest(ex: cw.Explorer) -> None:
    """Jupyter delivers messages on more than one thread: what the mask ends with is what the view shows."""
    start = threading.Barrier(4)

    def paint(seed: int) -> None:
        start.wait()
        for k in range(15):
            stroke(ex, square(at=10 + seed + 5 * k), k, painting=True)

    threads = [threading.Thread(target=paint, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ex.wait(60)
    assert np.array_equal(ex.mask, decode(view_of(ex).paint["runs"], SIZE))


def test_a_mask_may_be_given_at_once_and_is_checked(
    textures: cw.VisionModel, samples: list
) -> None:
    explorer = cw.Explorer(textures, samples, picture=1, mask=square()).wait(60)
    assert view_of(explorer).paint["scene"] == explorer.pictures[1].id
    assert len(view_of(explorer).masked) == 6
    explorer.close()
    with pytest.raises(PictureError, match="192"):
        cw.Explorer(textures, samples, mask=np.zeros((5, 5), bool))
    empty = cw.Explorer(textures, [])
    with pytest.raises(PictureError, match=r"add\(…\)"):
        empty.mask = square()
    with pytest.raises(PictureError, match=r"add\(…\)"):
        _ = empty.masked
    empty.close()


def test_times_its_map(ex: cw.Explorer, samples: list) -> None:
    ex.mode, ex.baseline = "multiply", "black"
    assert not ex.masked.any()
    paint = square() - square(at=110)
    ex.mask = paint
    ex.wait(60)
    np.testing.assert_array_equal(ex.masked, paint == 1)
    pixels = ex.model.preprocess.pixels(samples[0].image)
    product = cw.masking.masked_pixels.multiply_pixels(pixels, ex.explanation.saliency)
    product[:, paint == 1] = 0
    product[:, paint == -1] = pixels[:, paint == -1]
    row = view_of(ex).rows[0]["index"]
    assert view_of(ex).masked[0] == pytest.approx(asked(ex.model, product[None])[row], abs=1e-5)
    assert "Hiding the painted 9.8 % and multiplying" in view_of(ex).sentence


@pytest.mark.full
def test_an_inpainted_hole_is_sent_with_the_answer(ex: cw.Explorer, samples: list) -> None:
    ex.baseline = "inpaint"
    ex.mask = square()
    ex.wait(60)
    sent = view_of(ex).baseline_fill
    assert (sent["scene"], sent["baseline"]) == (ex.pictures[0].id, "inpaint")
    hole = np.unpackbits(np.frombuffer(sent["hole"], np.uint8), count=192 * 192).reshape(SIZE)
    np.testing.assert_array_equal(hole, square())
    pixels = ex.model.preprocess.pixels(samples[0].image)
    gets = mask_pixels(
        pixels, rank_levels(ex.explanation.saliency), [0], baseline="inpaint", paint=square()
    )
    shades = (gets[0] * 255).round().byte().permute(1, 2, 0).numpy()
    assert sent["rgb"] == shades[square() == 1].tobytes()
    row = view_of(ex).rows[0]["index"]
    assert view_of(ex).masked[0] == pytest.approx(asked(ex.model, gets)[row], abs=1e-5)


def test_baselines_are_checked_by_name(ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert view_of(ex).baselines[:4] == ["blur", "mean", "black", "inpaint"]
    with pytest.raises(CamwidgetError, match="'inpaint'"):
        ex.baseline = "pink"
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    view_of(ex).baseline = "telea"
    assert ex.baseline == view_of(ex).baseline == "blur"
    assert 'pip install "camwidget[opencv]"' in view_of(ex).error


def test_a_map_of_zeros_masks_nothing_but_paint_does(ex: cw.Explorer) -> None:
    ex.fraction = 0.4
    ex.wait(60)
    worst = None
    for target in range(len(ex.model.classes)):
        ex.target = target
        ex.wait(60)
        if ex.explanation.is_empty:
            worst = target
            break
    if worst is None:
        pytest.skip("every class has evidence here")
    assert view_of(ex).masked == [] and not ex.masked.any()
    ex.mask = square()
    ex.wait(60)
    np.testing.assert_array_equal(ex.masked, square() == 1)
    assert len(view_of(ex).masked) == 6 and ex.curve is None
    assert view_of(ex).sentence.startswith("Hiding the painted 9.8 %")
    assert ex.explanation.note in view_of(ex).sentence


@pytest.mark.parametrize(
    ("mode", "fraction", "paint", "said"),
    [
        ("remove", 0.25, None, "Removing the 25 % with the most evidence for {} lowers it by 0.31"),
        ("remove", 0, 1, "Hiding the painted 9.8 % lowers {} by 0.31 (1.00 → 0.69)."),
        (
            "remove",
            0.25,
            1,
            "Hiding the painted 9.8 % and removing the 25 % with the most evidence",
        ),
        ("remove", 0.25, -1, "for {}, but for the 9.8 % painted to be kept, lowers it by"),
        ("keep", 0, -1, "Keeping only the painted 9.8 % lowers {} by"),
        ("keep", 0, 1, "Blurring everything lowers {} by"),
        (
            "keep",
            0.25,
            -1,
            "Keeping only the 25 % with the most evidence for {} and the painted 9.8 %",
        ),
        ("keep", 0.25, 1, "for {}, and hiding the painted 9.8 % of the picture, lowers it by"),
        ("keep", 1, 1, "Hiding the painted 9.8 % lowers {} by"),
        ("multiply", 0, -1, "by its map for {}, but for the 9.8 % painted to be kept, lowers it"),
    ],
)
def test_the_sentence_tells_the_truth(
    ex: cw.Explorer, mode: str, fraction: float, paint: int | None, said: str
) -> None:
    mask = MaskSettings(mode, "blur", fraction, None if paint is None else square(paint))
    found = sentence(ex.explanation, mask, 0.9963, 0.6889)
    assert said.format(ex.target) in found
