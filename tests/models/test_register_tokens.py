"""Models with register tokens (Darcet et al. 2024, arXiv:2309.16588): their patches are laid out where they lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiny_transformers as tiny
import torch
from torch import nn

import camwidget as cw
from camwidget.attribution.trace import Trace

os.environ.setdefault("HF_HUB_OFFLINE", "1")
pytestmark = pytest.mark.usefixtures("one_thread")

#: Models of timm with registers, with patches of 16 and 14 pixels: with a class token, and read by averaging.
TIMM = {
    "vit_little_patch16_reg4_gap_256": (64, (), 4),
    "vit_medium_patch16_reg4_gap_256": (64, (), 4),
    "vit_wee_patch16_reg1_gap_256": (64, (), 1),
    "vit_small_patch14_reg4_dinov2": (56, (0,), 4),
    # No convolution defines its grid, and the queries of its heads (heads, 20, 16) are nearly square: its 20 tokens
    # would be 5 × 4 cells of a merged grid.
    "naflexvit_base_patch16_gap": (64, (), 4),
}


def of_timm(name: str) -> nn.Module:
    timm = pytest.importorskip("timm")
    size = {} if name.startswith("naflex") else {"img_size": TIMM[name][0]}
    width = 48 if name.startswith("naflex") else tiny.WIDTH
    small = {"depth": 2, "embed_dim": width, "num_heads": tiny.HEADS, "num_classes": 5}
    return tiny.seeded(timm.create_model(name, **size, **small))


Case = tuple[Callable[[], nn.Module], int, tuple[int, ...], int]
CASES: dict[str, Case] = {
    **{name: (lambda name=name: of_timm(name), *facts) for name, facts in TIMM.items()},
    "transformers DINOv2 with registers": (tiny.hf_registers, tiny.SIDE, (0,), 4),
}


#: One without class token, one with, and one without convolution.
QUICK = {
    "vit_little_patch16_reg4_gap_256",
    "vit_small_patch14_reg4_dinov2",
    "naflexvit_base_patch16_gap",
}


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=() if name in QUICK else pytest.mark.full) for name in CASES],
)
def known(request: pytest.FixtureRequest) -> tuple[cw.VisionModel, Any]:
    build, side, class_tokens, registers = CASES[request.param]
    return cw.wrap(build(), cw.Preprocess(side)), (side, class_tokens, registers)


def test_each_layer_changes_most_where_the_picture_does(known: tuple[cw.VisionModel, Any]) -> None:
    """One patch at a time becomes another: with a token too many or too few, the change would lie beside it."""
    model, (side, _, _) = known
    pixels = torch.rand((1, 3, side, side), generator=torch.Generator().manual_seed(3))
    layers = [layer.name for layer in model.layers]
    assert len(layers) >= 3, "the embedding and two blocks"
    patch = side // 4
    changed = pixels.repeat(16, 1, 1, 1)
    for number in range(16):
        row, column = patch * (number // 4), patch * (number % 4)
        part = changed[number, :, row : row + patch, column : column + patch]
        part.copy_(1 - part)
    one, others = (Trace(model, each, layers) for each in (pixels, changed))
    for layer in layers:
        difference = (others.activation(layer) - one.activation(layer)).norm(dim=1)
        assert difference.shape == (16, 4, 4)
        assert difference.flatten(1).argmax(1).tolist() == list(range(16)), layer


def test_registers_are_neither_patches_nor_class_tokens(known: tuple[cw.VisionModel, Any]) -> None:
    model, (side, class_tokens, registers) = known
    picture = torch.rand(3, side, side, generator=torch.Generator().manual_seed(3))
    found = cw.attention(model, picture)
    first = len(class_tokens)
    assert found.grid == (4, 4) and found.class_tokens == class_tokens
    assert found.other_tokens == tuple(range(first, first + registers))
    assert found.places is not None and found.places.min() == first + registers
    # Only patches are outliers: registers are there to have the norm that outliers would have.
    assert not found.outliers[: first + registers].any()
    for explanation in cw.explain(model, picture, 1, ["chefer", "attention-rollout"]):
        assert explanation.raw.shape == (4, 4) and np.ptp(explanation.raw) > 0
