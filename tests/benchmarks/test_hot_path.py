"""One forward pass for every class, method and layer, beside torchcam, captum and grad-cam.

Run with: python -m pytest tests/benchmarks --benchmark-only -q
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import camwidget as cw
from camwidget.attribution.methods import get_method
from camwidget.attribution.targets import resolve_target
from camwidget.attribution.trace import Trace

METHODS = ["cam", "gradcam", "gradcam++"]


def plain(model: cw.VisionModel, pixels: torch.Tensor) -> Callable[[], Any]:
    inputs = model.inputs(pixels[None])

    def forward() -> torch.Tensor:
        with torch.no_grad():
            return model.module(inputs)

    return forward


def peers(
    model: cw.VisionModel, pixels: torch.Tensor, classes: list[int]
) -> dict[str, Callable[[], Any]]:
    """Grad-CAM at layer4, the way each library's documentation shows it."""
    captum = pytest.importorskip("captum.attr", exc_type=ImportError)
    torchcam = pytest.importorskip("torchcam.methods", exc_type=ImportError)
    grad_cam = pytest.importorskip("pytorch_grad_cam", exc_type=ImportError)
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    inputs = model.inputs(pixels[None])
    layer_gradcam = captum.LayerGradCam(model.module, model.module.layer4)

    def by_captum() -> None:
        for c in classes:
            layer_gradcam.attribute(inputs, target=c)

    def by_torchcam() -> None:
        with torchcam.GradCAM(model.module, target_layer="layer4") as extractor:
            scores = model.module(inputs.clone().requires_grad_())
            for c in classes:
                extractor(c, scores, retain_graph=c != classes[-1])

    def by_grad_cam() -> None:
        with grad_cam.GradCAM(model.module, [model.module.layer4]) as extractor:
            for c in classes:
                extractor(inputs, [ClassifierOutputTarget(c)])

    return {"captum": by_captum, "torchcam": by_torchcam, "grad-cam": by_grad_cam}


def test_first_gradcam(
    race: Callable[..., Any], model: cw.VisionModel, pixels: torch.Tensor
) -> None:
    race(
        "First Grad-CAM, ResNet-50, 224², one class",
        {
            "plain forward": plain(model, pixels),
            **peers(model, pixels, [7]),
            "camwidget": lambda: cw.explain(model, pixels, 7),
        },
    )


def test_five_classes(
    race: Callable[..., Any], model: cw.VisionModel, pixels: torch.Tensor
) -> None:
    classes = [7, 99, 200, 500, 900]
    race(
        "Five classes, ResNet-50, 224² (peers: Grad-CAM only; camwidget: three methods)",
        {
            "plain forward": plain(model, pixels),
            **peers(model, pixels, classes),
            "camwidget, 5 × 3 methods": lambda: cw.explain(model, pixels, classes, METHODS),
        },
    )


def test_a_further_class(
    race: Callable[..., Any], model: cw.VisionModel, pixels: torch.Tensor
) -> None:
    compute = get_method("gradcam").compute
    trace = Trace(model, pixels[None], ["layer4"])
    numbers = iter(range(10**6))

    def further() -> None:
        compute(trace, resolve_target(model, next(numbers) % 1000), "layer4")
        trace.drop_gradients()

    race(
        "A further class on a remembered pass, ResNet-50, 224²",
        {"plain forward": plain(model, pixels), "camwidget": further},
    )
