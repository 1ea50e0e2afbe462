"""Ratios of processor time that a change must not double: the first map, further ones, series of passes.

Each bound is half as much again as what was measured (ResNet-18 at 128², one thread of an AMD EPYC), so that noise
stays below it and a doubling does not. ``CAMWIDGET_SLOWER=2`` runs each thing twice: all of these tests have to fail.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

import camwidget as cw
from camwidget.attribution.methods import get_method
from camwidget.attribution.targets import resolve_target
from camwidget.attribution.trace import Trace
from camwidget.masking.masked_pixels import mask_pixels
from camwidget.masking.rank_rule import rank_levels

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("one_thread")]

#: How often each thing is run.
REPEATED = int(os.environ.get("CAMWIDGET_SLOWER", "1"))

CLASSES = [7, 99, 200, 500, 900]


def quiet(done: int, total: int) -> None:
    """No bar."""


def ratio(thing: Callable[[], Any], unit: Callable[[], Any], turns: int = 7) -> float:
    """Processor time of a thing in units of another: of each, the least over turns that alternate.

    What else the machine does makes a turn longer, never shorter.
    """
    least = [float("inf")] * 2
    for turn in range(turns + 1):
        for place, (call, count) in enumerate(((thing, REPEATED), (unit, 1))):
            begin = time.process_time()
            for _ in range(count):
                call()
            if turn:  # the first turn warms up
                least[place] = min(least[place], time.process_time() - begin)
    found = least[0] / least[1]
    print(f"ratio {found:.3f}")
    return found


@pytest.fixture(scope="module")
def model() -> cw.VisionModel:
    torch.manual_seed(0)
    return cw.wrap(torchvision.models.resnet18(weights=None).eval(), cw.Preprocess(128))


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.rand((3, 128, 128), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def forward(model: cw.VisionModel, pixels: torch.Tensor) -> Callable[[], Any]:
    inputs = model.inputs(pixels[None])

    def run() -> None:
        with torch.no_grad():
            model.module(inputs)

    return run


def test_the_first_map(
    model: cw.VisionModel, pixels: torch.Tensor, forward: Callable[[], Any]
) -> None:
    assert ratio(lambda: cw.explain(model, pixels, 7), forward, turns=9) < 1.8


def test_five_classes(model: cw.VisionModel, pixels: torch.Tensor) -> None:
    one = ratio(
        lambda: cw.explain(model, pixels, CLASSES), lambda: cw.explain(model, pixels, 7), turns=9
    )
    assert one < 1.5


def test_a_further_class(
    model: cw.VisionModel, pixels: torch.Tensor, forward: Callable[[], Any]
) -> None:
    compute = get_method("gradcam").compute
    trace = Trace(model, pixels[None], ["layer4"])

    def further() -> None:
        for number in CLASSES:
            compute(trace, resolve_target(model, number), "layer4")
            trace.drop_gradients()

    assert ratio(further, forward, turns=9) / len(CLASSES) < 0.035


def test_a_mask_curve(model: cw.VisionModel, pixels: torch.Tensor) -> None:
    exp = cw.explain(model, pixels, 7)
    levels = rank_levels(exp.saliency)
    fractions = np.linspace(0, 1, 21).tolist()

    def loop() -> None:
        with torch.no_grad():
            model.module(model.inputs(mask_pixels(pixels, levels, fractions))).softmax(1)

    def curve() -> None:
        cw.mask_curve(model, pixels, exp, 7, progress=quiet)

    assert ratio(curve, loop, turns=2) < 1.45


def test_partial_passes(model: cw.VisionModel, pixels: torch.Tensor) -> None:
    inputs = model.inputs(pixels[None])
    corners = [(y, x) for y in range(0, 128, 16) for x in range(0, 128, 16)]

    def loop() -> None:
        with torch.no_grad():
            for y, x in corners:
                hidden = inputs.clone()
                hidden[..., y : y + 16, x : x + 16] = 0
                model.module(hidden)

    method = cw.get_method("occlusion", window=16, stride=16)

    def partial() -> None:
        cw.explain(model, pixels, 7, method, progress=quiet)

    assert ratio(partial, loop, turns=1) < 0.75
