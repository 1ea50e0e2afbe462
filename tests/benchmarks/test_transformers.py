"""Explanations of ViT-B/16 by one forward pass, beside captum and grad-cam, and five classes beside one.

Run with: OMP_NUM_THREADS=1 python -m pytest tests/benchmarks/test_transformers.py --benchmark-only -q

Times are the processor's, which other programs disturb less than the clock's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision

import camwidget as cw
from camwidget.attribution.methods import get_method
from camwidget.attribution.targets import ClassTarget
from camwidget.attribution.trace import Trace

FIVE = [7, 99, 200, 500, 900]
TURNS: dict[str, Any] = {"rounds": 3, "warm": 1, "clock": time.process_time}
BLOCK = "encoder.layers.encoder_layer_10"


@pytest.fixture(scope="module")
def model() -> cw.VisionModel:
    """ViT-B/16 with seeded random weights: the time does not depend on them."""
    torch.manual_seed(0)
    module = torchvision.models.vit_b_16().eval()
    torch.nn.init.normal_(module.heads.head.weight, 0, 0.02)
    return cw.wrap(module, cw.Preprocess(224), name="ViT-B/16", scores="softmax")


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    """A picture of 224 × 224, ready for the model."""
    return torch.rand((3, 224, 224), generator=torch.Generator().manual_seed(0))


def plain(model: cw.VisionModel, pixels: torch.Tensor) -> Callable[[], Any]:
    inputs = model.inputs(pixels[None])

    def forward() -> torch.Tensor:
        with torch.no_grad():
            return model.module(inputs)

    return forward


def test_attention_and_its_gradients(
    race: Callable[..., Any], model: cw.VisionModel, pixels: torch.Tensor
) -> None:
    def explained(method: str, target: Any) -> Callable[[], Any]:
        return lambda: cw.explain(model, pixels, target, method)

    race(
        "ViT-B/16, 224², from the picture",
        {
            "plain forward": plain(model, pixels),
            "attention": lambda: cw.attention(model, pixels),
            **{
                f"{method}, {'five' if isinstance(target, list) else 'one'}": explained(
                    method, target
                )
                for method in ("attention-rollout", "gradcam", "chefer", "legrad")
                for target in (7, FIVE)
            },
        },
        **TURNS,
    )


def test_relevance(race: Callable[..., Any], model: cw.VisionModel, pixels: torch.Tensor) -> None:
    layer = model.default_layer
    trace = Trace(model, pixels[None], [layer])

    def lrp(classes: list[int], **settings: Any) -> Callable[[], None]:
        method = get_method("lrp", **settings)
        targets = [ClassTarget(c, str(c)) for c in classes]

        def run() -> None:
            trace.memory.clear()
            assert method.prepare is not None
            method.prepare(trace, targets, **settings)

        return run

    race(
        "LRP of ViT-B/16, 224², on a recorded pass",
        {
            "plain forward": plain(model, pixels),
            "lrp": lrp(FIVE[:1]),
            "lrp, cp": lrp(FIVE[:1], rule="cp"),
            "lrp, γ = 0": lrp(FIVE[:1], gamma=0),
            "lrp, five": lrp(FIVE),
        },
        **TURNS,
    )


@pytest.mark.parametrize("classes", [FIVE[:1], FIVE], ids=["one", "five"])
def test_gradcam_at_tokens(
    race: Callable[..., Any], model: cw.VisionModel, pixels: torch.Tensor, classes: list[int]
) -> None:
    """Grad-CAM at the tokens of a block, the way each library's documentation shows it."""
    captum = pytest.importorskip("captum.attr", exc_type=ImportError)
    grad_cam = pytest.importorskip("pytorch_grad_cam", exc_type=ImportError)
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    inputs = model.inputs(pixels[None])
    block = model.module.get_submodule(BLOCK)
    layer_gradcam = captum.LayerGradCam(model.module, block)

    def on_grid(tokens: torch.Tensor) -> torch.Tensor:
        return tokens[:, 1:].unflatten(1, (14, 14)).permute(0, 3, 1, 2)

    def by_captum(classes: list[int]) -> Callable[[], None]:
        def run() -> None:
            for c in classes:
                layer_gradcam.attribute(inputs, target=c, attr_dim_summation=False)

        return run

    def by_grad_cam(classes: list[int]) -> Callable[[], None]:
        def run() -> None:
            with grad_cam.GradCAM(model.module, [block], reshape_transform=on_grid) as extractor:
                for c in classes:
                    extractor(inputs, [ClassifierOutputTarget(c)])

        return run

    race(
        f"Grad-CAM at {BLOCK} of ViT-B/16, classes: {len(classes)}",
        {
            "plain forward": plain(model, pixels),
            "captum": by_captum(classes),
            "grad-cam": by_grad_cam(classes),
            "camwidget": lambda: cw.explain(model, pixels, classes, "gradcam", BLOCK),
        },
        **TURNS,
    )
