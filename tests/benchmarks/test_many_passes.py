"""Methods that run the model many times, and all layers at once, beside those peers that have them.

Run with: python -m pytest tests/benchmarks/test_many_passes.py --benchmark-only -q   (about 20 minutes on two cores)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

import camwidget as cw
from camwidget.masking.masked_pixels import mask_pixels
from camwidget.masking.rank_rule import rank_levels
from camwidget.models.detection_model import DetectionModel

# Peers' Score-CAM of 2048 channels takes minutes.
pytestmark = pytest.mark.timeout(3600)

BLOCKS = [
    f"layer{stage}.{block}" for stage, count in enumerate((3, 4, 6, 3), 1) for block in range(count)
]


def quiet(done: int, total: int) -> None:
    """No bar."""


def test_all_blocks(
    race: Callable[..., Any], model: cw.VisionModel, pixels: torch.Tensor, inputs: torch.Tensor
) -> None:
    captum = pytest.importorskip("captum.attr", exc_type=ImportError)
    layers = [model.module.get_submodule(name) for name in BLOCKS]

    def forward() -> None:
        with torch.no_grad():
            model.module(inputs)

    def by_captum() -> None:
        for layer in layers:
            captum.LayerGradCam(model.module, layer).attribute(inputs, target=7)

    race(
        "Grad-CAM at all 16 blocks, ResNet-50, 224²",
        {
            "plain forward": forward,
            "captum, a pass a layer": by_captum,
            "camwidget": lambda: cw.explain(model, pixels, 7, layer=BLOCKS),
        },
        rounds=9,
    )


def test_mask_curve_beside_a_loop(
    race: Callable[..., Any], model: cw.VisionModel, pixels: torch.Tensor
) -> None:
    exp = cw.explain(model, pixels, 7)
    levels = rank_levels(exp.saliency)
    fractions = np.linspace(0, 1, 21).tolist()
    curves: dict[str, np.ndarray] = {}

    def loop() -> None:
        stack = mask_pixels(pixels, levels, fractions)
        with torch.no_grad():
            rows = [model.module(model.inputs(batch)) for batch in stack.split(32)]
        curves["loop"] = torch.cat(rows).softmax(1)[:, 7].cpu().numpy()

    def ours() -> None:
        curves["camwidget"] = cw.mask_curve(model, pixels, exp, 7, progress=quiet).probability

    race(
        "Mask curve of 21 steps, ResNet-50, 224²",
        {"loop in NCHW batches of 32": loop, "camwidget": ours},
        rounds=7,
    )
    np.testing.assert_allclose(curves["camwidget"], curves["loop"], rtol=1e-4, atol=1e-6)


def test_scorecam(
    race: Callable[..., Any],
    report: Callable[[str], None],
    model: cw.VisionModel,
    pixels: torch.Tensor,
    inputs: torch.Tensor,
) -> None:
    torchcam = pytest.importorskip("torchcam.methods", exc_type=ImportError)
    grad_cam = pytest.importorskip("pytorch_grad_cam", exc_type=ImportError)
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    maps: dict[str, np.ndarray] = {}

    def by_torchcam() -> None:
        with (
            torchcam.ScoreCAM(model.module, "layer4") as extractor,
            torch.inference_mode(),
        ):
            model.module(inputs)
            maps["torchcam"] = extractor(7, normalized=False)[0][0].cpu().numpy()

    def by_grad_cam() -> None:
        with (
            torch.no_grad(),
            grad_cam.ScoreCAM(model.module, [model.module.layer4]) as extractor,
        ):
            extractor(inputs, [ClassifierOutputTarget(7)])

    def ours(precision: str) -> Callable[[], None]:
        def run() -> None:
            exp = cw.explain(model, pixels, 7, "scorecam", precision=precision, progress=quiet)
            maps[precision] = exp.raw

        return run

    with memory() as extra:
        ours("fp32")()
    race(
        "Score-CAM, ResNet-50 layer4 (2048 channels), 224²",
        {
            "torchcam": by_torchcam,
            "grad-cam": by_grad_cam,
            "camwidget": ours("fp32"),
            "camwidget bf16": ours("bf16"),
        },
        rounds=1,
        warm=0,
    )
    for name in ("fp32", "bf16"):
        for other in ("torchcam", "fp32"):
            r = np.corrcoef(maps[name].ravel(), maps[other].ravel())[0, 1]
            report(f"  correlation of {name} with {other}: {r:.6f}")
    report(f"  peak memory above the model's: {extra[0]:.0f} MB")


class memory:  # noqa: N801  it reads as a function
    """Peak resident memory (MB) inside the block, above what it began with. Linux only, 0 elsewhere."""

    def __enter__(self) -> list[float]:
        self._found = [0.0]
        self._start = self._read("VmRSS")
        if self._start:
            Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        return self._found

    def __exit__(self, *_: object) -> None:
        self._found[0] = self._read("VmHWM") - self._start

    @staticmethod
    def _read(name: str) -> float:
        status = Path("/proc/self/status")
        if not status.exists():
            return 0.0
        match = re.search(rf"{name}:\s+(\d+)", status.read_text())
        return int(match[1]) / 1024 if match else 0.0


def test_occlusion(
    race: Callable[..., Any], model: cw.VisionModel, pixels: torch.Tensor, inputs: torch.Tensor
) -> None:
    captum = pytest.importorskip("captum.attr", exc_type=ImportError)
    oracle = captum.Occlusion(model.module)

    def by_captum(at_once: int) -> Callable[[], Any]:
        return lambda: oracle.attribute(
            inputs, (3, 32, 32), strides=(3, 16, 16), target=7, perturbations_per_eval=at_once
        )

    race(
        "Occlusion, window 32, stride 16, ResNet-50, 224²",
        {
            "captum": by_captum(1),
            "captum, 8 at once": by_captum(8),
            "captum, 32 at once": by_captum(32),
            "camwidget bf16": lambda: cw.explain(
                model, pixels, 7, "occlusion", precision="bf16", progress=quiet
            ),
            "camwidget": lambda: cw.explain(model, pixels, 7, "occlusion", progress=quiet),
        },
        rounds=3,
        warm=1 if inputs.is_cuda else 0,
    )


def test_ablationcam(
    race: Callable[..., Any], model: cw.VisionModel, pixels: torch.Tensor, inputs: torch.Tensor
) -> None:
    grad_cam = pytest.importorskip("pytorch_grad_cam", exc_type=ImportError)
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    def by_grad_cam() -> None:
        with (
            torch.no_grad(),
            grad_cam.AblationCAM(model.module, [model.module.layer4]) as extractor,
        ):
            extractor(inputs, [ClassifierOutputTarget(7)])

    race(
        "Ablation-CAM, ResNet-50 layer4 (2048 channels), 224²",
        {
            "grad-cam": by_grad_cam,
            "camwidget": lambda: cw.explain(model, pixels, 7, "ablationcam", progress=quiet),
        },
        rounds=1,
        warm=0,
    )


def test_rise(
    race: Callable[..., Any], model: cw.VisionModel, pixels: torch.Tensor, inputs: torch.Tensor
) -> None:
    """No peer has RISE: the loop is what its authors' code does, 100 masks at once."""
    grids = (torch.rand(200, 1, 7, 7) < 0.5).float().to(inputs.device)

    def loop() -> None:
        with torch.no_grad():
            for part in grids.split(100):
                masks = nn.functional.interpolate(part, (224, 224), mode="bilinear")
                model.module(inputs * masks).softmax(1)

    race(
        "RISE, 200 masks, ResNet-50, 224²",
        {
            "NCHW loop, 100 at once": loop,
            "camwidget": lambda: cw.explain(
                model, pixels, 7, cw.get_method("rise", masks=200), progress=quiet
            ),
        },
        rounds=3,
        warm=1 if inputs.is_cuda else 0,
    )


class Boxes(nn.Module):
    """Anchor-free detector of one scale: six convolutions, boxes by the distances of their sides, suppression."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        before = 3
        for i, width in enumerate((24, 24, 48, 48, 96, 96)):
            step = 2 if i in (0, 2, 4) else 1
            layers += [
                nn.Conv2d(before, width, 3, step, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            before = width
        self.trunk = nn.Sequential(*layers)
        self.out = nn.Conv2d(before, 7, 1)

    def forward(self, x: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        values = self.out(self.trunk(x)).flatten(2)
        rows, columns = (8 * torch.arange(n // 8) + 4.0 for n in x.shape[-2:])
        centers = torch.cartesian_prod(rows, columns).flip(1)
        found = []
        for each in values:
            scores, labels = each[:3].sigmoid().max(0)
            sides = 8 * each[3:].T.exp()
            boxes = torch.cat([centers - sides[:, :2], centers + sides[:, 2:]], 1)
            keep = torchvision.ops.batched_nms(boxes, scores, labels, 0.5)[:50]
            found.append({"boxes": boxes[keep], "scores": scores[keep], "labels": labels[keep]})
        return found


def test_d_rise(race: Callable[..., Any], report: Callable[[str], None]) -> None:
    """A transcription with 32 masks at once, and the forward passes of the module alone, which bound the factor."""
    count, side, keep = 256, 128, 0.5
    module = Boxes().eval()
    names = ["nothing", "one", "two"]
    model = cw.wrap(module, cw.Preprocess(side), names, kind="boxes")
    assert isinstance(model, DetectionModel)
    picture = torch.rand((3, side, side), generator=torch.Generator().manual_seed(0))
    chosen = model.detections(picture, 0.0)[:5]
    given = model.given(detections=chosen)
    inputs = model.inputs(picture[None])

    def masks() -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        grids = (torch.rand((count, 1, 7, 7), generator=generator) < keep).float()
        cell = -(-side // 7)
        down, right = (torch.randint(cell, (count,), generator=generator).tolist() for _ in "yx")
        large = nn.functional.interpolate(grids, size=8 * cell, mode="bilinear")
        cut = zip(large, down, right, strict=True)
        return torch.stack([m[:, y : y + side, x : x + side] for m, y, x in cut])

    def transcription() -> torch.Tensor:
        maps = torch.zeros(len(chosen), side, side)
        with torch.no_grad():
            for part in masks().split(32):
                for mask, found in zip(part, module(inputs * part), strict=True):
                    for k, d in enumerate(chosen):
                        overlap = torchvision.ops.box_iou(torch.tensor([d.box]), found["boxes"])[0]
                        same = found["labels"] == d.label
                        maps[k] += float((overlap * same * found["scores"]).max()) * mask[0]
        return maps / (count * keep)

    def forward_only() -> None:
        with torch.no_grad():
            for part in masks().split(8):
                module(inputs * part)

    def ours() -> list[cw.Explanation]:
        rise = cw.get_method("rise", masks=count)
        return list(cw.explain(given, picture, list(range(5)), rise, progress=quiet))

    for expected, found in zip(transcription(), ours(), strict=True):
        np.testing.assert_allclose(found.raw, expected.numpy(), atol=1e-4)
    medians = race(
        f"D-RISE of 5 detections, {count} masks, {side}²",
        {
            "transcription, 32 at once": transcription,
            "forward passes only, 8 at once": forward_only,
            "camwidget": ours,
        },
        rounds=5,
        warm=1,
    )
    share = medians["forward passes only, 8 at once"] / medians["transcription, 32 at once"]
    report(f"  the module's own passes are {share:.0%} of the transcription's time")


def test_scorecam_of_further_classes(
    report: Callable[[str], None], benchmark: Any, textures: cw.VisionModel, noise: torch.Tensor
) -> None:
    """What another class costs once one has been explained: counted, not timed."""
    passes = 0

    def count(*_: Any) -> Iterator[None] | None:
        nonlocal passes
        passes += 1
        return None

    handle = textures.module.register_forward_hook(count)
    try:
        benchmark.pedantic(
            lambda: cw.explain(textures, noise, 0, "scorecam", progress=quiet), rounds=1
        )
        one, passes = passes, 0
        cw.explain(textures, noise, list(range(10)), "scorecam", progress=quiet)
    finally:
        handle.remove()
    report(f"\nScore-CAM, embedded model: {one} passes for one class, {passes} for ten")
