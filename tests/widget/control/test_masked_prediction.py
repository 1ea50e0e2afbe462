"""The curve of the explorer: by batches that go by the clock, by set ones, and where memory is short."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import camwidget as cw
from camwidget.masking.rank_rule import rank_levels
from camwidget.widget.control.masked_prediction import inpainted_payload, refine_curve
from camwidget.widget.view.mask_settings import MaskSettings

SIDE = 32


@pytest.fixture(scope="module")
def model() -> cw.VisionModel:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    )
    return cw.wrap(net.eval(), cw.Preprocess(SIDE))


@pytest.fixture
def sizes(model: cw.VisionModel) -> Iterator[list[int]]:
    """The size of each batch that the model has run on; one above ``most`` does not fit into memory."""
    seen: list[int] = []

    def see(module: nn.Module, inputs: Any) -> None:
        seen.append(len(inputs[0]))

    handle = model.module.register_forward_pre_hook(see)
    yield seen
    handle.remove()


def curve(
    model: cw.VisionModel, sizes: list[int], paint: np.ndarray | None = None
) -> tuple[np.ndarray, list[int]]:
    """The probabilities of the complete curve, and the sizes of the batches."""
    pixels = torch.rand((3, SIDE, SIDE), generator=torch.Generator().manual_seed(1))
    explanation = cw.explain(model, pixels, 1)
    unmasked = cw.probabilities(model, pixels)[0]
    sizes.clear()
    *_, found = refine_curve(
        model,
        pixels,
        explanation,
        rank_levels(explanation.saliency),
        MaskSettings("remove", "mean", 0.0, paint),
        unmasked,
    )
    assert found is not None and len(found.fraction) == 21
    return found.probabilities, list(sizes)


def test_set_batches_do_not_go_by_the_clock(
    model: cw.VisionModel, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMWIDGET_BATCHES", "3")
    expected, ran = curve(model, sizes)
    assert ran == [3, 2, 3, 3, 2, 3, 3, 2]
    ticks = iter(range(10**6))
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks) ** 2)
    found, ran_again = curve(model, sizes)
    assert ran_again == ran and np.array_equal(found, expected)


def test_otherwise_a_batch_takes_a_tenth_of_a_second(
    model: cw.VisionModel, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMWIDGET_BATCHES", "measured")
    now = [0.0]

    def clock() -> float:
        now[0] += 0.02 * sum(sizes)  # 20 ms a picture
        sizes_of_all.extend(sizes)
        sizes.clear()
        return now[0]

    sizes_of_all: list[int] = []
    monkeypatch.setattr(time, "perf_counter", clock)
    curve(model, sizes)
    assert sizes_of_all == [1, 4, 5, 3, 5, 3]


@pytest.mark.parametrize("batches", ["8", "measured"])
def test_a_batch_that_does_not_fit_into_memory_is_halved(
    model: cw.VisionModel, sizes: list[int], batches: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMWIDGET_BATCHES", batches)
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)  # as large as they may be
    expected, _ = curve(model, sizes)

    def full(module: nn.Module, inputs: Any) -> None:
        if len(inputs[0]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    most = 2
    handle = model.module.register_forward_pre_hook(full)
    try:
        found, ran = curve(model, sizes)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert ran[:4] == ([5, 2, 2, 1] if batches == "8" else [1, 4, 2, 2])
        assert max(ran[4:]) == 2, "it stays halved"
        handle.remove()
        most = 0
        handle = model.module.register_forward_pre_hook(
            lambda module, inputs: full(module, inputs) if sizes[1:] else None
        )
        with pytest.raises(cw.errors.ModelError, match="does not fit into the memory"):
            curve(model, sizes)
    finally:
        handle.remove()


def test_what_is_painted_is_hidden_all_along_the_curve(
    model: cw.VisionModel, sizes: list[int]
) -> None:
    paint = np.zeros((SIDE, SIDE), np.int8)
    paint[4:20, 8:24] = 1
    found, _ = curve(model, sizes, paint)
    pixels = torch.rand((3, SIDE, SIDE), generator=torch.Generator().manual_seed(1))
    painted = cw.mask_picture(model, pixels, paint > 0, baseline="mean")
    np.testing.assert_allclose(found[0], cw.probabilities(model, painted)[0], atol=1e-6)
    np.testing.assert_allclose(found[-1], curve(model, sizes)[0][-1], atol=1e-6)


def test_the_browser_gets_the_pixels_of_an_inpainted_hole_only() -> None:
    masked = torch.rand((3, 4, 6), generator=torch.Generator().manual_seed(2))
    hidden = np.zeros((4, 6), bool)
    hidden[1, 2:4] = True
    assert inpainted_payload(masked, hidden, "blur") == {}
    found = inpainted_payload(masked, hidden, "inpaint")
    bits = np.unpackbits(np.frombuffer(found["hole"], np.uint8))[: hidden.size]
    assert found["baseline"] == "inpaint" and np.array_equal(bits.reshape(4, 6), hidden)
    shown = (masked[:, 1, 2:4] * 255).round().byte().T.numpy()
    assert found["rgb"] == shown.tobytes()
