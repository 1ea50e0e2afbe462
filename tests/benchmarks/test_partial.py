"""Partial passes: occlusion beside captum's whole passes, and a stroke of the brush beside a whole pass.

Run with: python -m pytest tests/benchmarks/test_partial.py --benchmark-only -q   (about 10 minutes on two cores)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision

import camwidget as cw
from camwidget.attribution.partial.stroke_passes import StrokePasses

pytestmark = pytest.mark.timeout(3600)

NAMES = ["resnet50", "vgg16"]


def quiet(done: int, total: int) -> None:
    """No bar."""


def wrapped(name: str) -> cw.VisionModel:
    """A model with seeded random weights."""
    torch.manual_seed(0)
    return cw.wrap(torchvision.models.get_model(name, weights=None).eval(), cw.Preprocess(224))


@pytest.mark.parametrize("name", NAMES)
def test_occlusion(race: Callable[..., Any], pixels: torch.Tensor, name: str) -> None:
    captum = pytest.importorskip("captum.attr", exc_type=ImportError)
    model = wrapped(name)
    oracle, inputs = captum.Occlusion(model.module), model.inputs(pixels[None])
    race(
        f"Occlusion, window 32, stride 16, {name}, 224²",
        {
            "captum": lambda: oracle.attribute(inputs, (3, 32, 32), strides=(3, 16, 16), target=7),
            "camwidget": lambda: cw.explain(model, pixels, 7, "occlusion", progress=quiet),
        },
        rounds=2,
        warm=0,
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [22, 50])
def test_a_stroke(
    race: Callable[..., Any],
    pixels: torch.Tensor,
    name: str,
    side: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CAMWIDGET_BATCHES", "measured")  # set batches have whole passes
    model = wrapped(name)
    passes, pixels = StrokePasses(model), pixels.clone()
    places = iter(range(10**6))

    def stroke() -> None:
        shade = 0.1 + 0.1 * (next(places) % 7)
        pixels[:, 80 : 80 + side, 80 : 80 + side] = shade
        passes.logits(pixels)

    for _ in range(3):
        stroke()
    race(
        f"A stroke of {side}² pixels, {100 * side**2 / 224**2:.0f} % of the picture, {name}",
        {"whole pass": lambda: model.logits(pixels[None]), "camwidget": stroke},
        rounds=9,
    )
