"""Metrics of many pictures beside those peers that have them, and many metrics beside one.

Run with: python -m pytest tests/benchmarks/test_metrics.py --benchmark-only -q   (about 30 minutes on two cores)
Fewer pictures: CAMWIDGET_PICTURES=4 before it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import camwidget as cw
from camwidget.metrics import Case, Metric, MetricContext, ScoredPicture, get_metric, score_steps
from camwidget.metrics.measuring import case_of
from camwidget.metrics.registry import Score

pytestmark = pytest.mark.timeout(7200)

PICTURES = int(os.environ.get("CAMWIDGET_PICTURES", 64))
#: Pictures that are explained at once.
BATCH = 8


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    """Pictures of 224 × 224, ready for the model."""
    return torch.rand((PICTURES, 3, 224, 224), generator=torch.Generator().manual_seed(0))


def explained(model: cw.VisionModel, pixels: torch.Tensor) -> list[Case]:
    """Grad-CAM of every picture's predicted class, as cases."""
    context, cases = MetricContext(), []
    for part in pixels.split(BATCH):
        explanations = cw.explain(model, part, method="gradcam", layer="layer4")
        whole = model.probabilities(model.logits(part)).double()
        for row, exp, probabilities in zip(part, explanations, whole, strict=True):
            cases.append(
                case_of(ScoredPicture(model, row, probabilities, context, len(cases)), exp)
            )
    return cases


def fresh(cases: Sequence[Case]) -> list[Case]:
    """The same cases, of which nothing has been computed."""
    context = MetricContext()
    subjects = [
        ScoredPicture(c.subject.model, c.subject.pixels, c.subject.probabilities, context)
        for c in cases
    ]
    return [Case(s, c.target, c.saliency) for s, c in zip(subjects, cases, strict=True)]


def scored(cases: Sequence[Case], metrics: Sequence[Metric]) -> dict[tuple[Case, str], Score]:
    *_, last = score_steps(cases, metrics)
    return last.scores


#: One baseline for both curves, as torchcam has it: 1 + 39 passes a picture.
FOUR = [
    get_metric("drop"),
    get_metric("increase"),
    get_metric("deletion", baseline="black"),
    get_metric("insertion", baseline="black"),
]


def test_grad_cam_and_four_metrics(
    race: Callable[..., Any],
    report: Callable[[str], None],
    device: torch.device,
    model: cw.VisionModel,
    pixels: torch.Tensor,
) -> None:
    """Its Grad-CAM is made once for each of torchcam's two metrics: that is how they are used.

    They take the gradients of the probability, where ours are of the logit as in the paper: the areas differ.
    """
    methods = pytest.importorskip("torchcam.methods", exc_type=ImportError)
    metrics = pytest.importorskip("torchcam.metrics", exc_type=ImportError)
    found: dict[str, tuple[float, float]] = {}
    black = model.inputs(torch.zeros(1, 3, 224, 224))
    softmax = partial(torch.softmax, dim=-1)

    def by_torchcam(at_once: int) -> None:
        with methods.GradCAM(model.module, "layer4") as extractor:
            confidence = metrics.ClassificationMetric(extractor, softmax)
            curves = metrics.DeletionInsertionMetric(
                extractor, softmax, steps=20, baseline=black, batch_size=at_once
            )
            for part in pixels.split(at_once):
                inputs = model.inputs(part)
                confidence.update(inputs)
                curves.update(inputs)
        areas = curves.deletion / curves.total, curves.insertion / curves.total
        found[f"torchcam, {at_once} at once"] = areas

    def ours() -> None:
        table = cw.evaluate(model, list(pixels), "gradcam", FOUR, target="predicted").table
        found["camwidget"] = tuple(table[n, "mean"].iloc[0] for n in ("deletion", "insertion"))

    race(
        f"Grad-CAM, drop, increase, deletion, insertion (21 steps): {PICTURES} pictures, ResNet-50",
        {
            "torchcam, 32 at once (its own)": lambda: by_torchcam(32),
            "torchcam, 8 at once": lambda: by_torchcam(8),
            "camwidget": ours,
        },
        # On a CPU this takes minutes; on a GPU seconds, of which the first turn's preparations are a good part.
        rounds=5 if device.type == "cuda" else 1,
        warm=1 if device.type == "cuda" else 0,
    )
    for name, (deletion, insertion) in found.items():
        report(f"  {name}: deletion {deletion:.6f}, insertion {insertion:.6f}")


def test_deletion_beside_quantus(
    race: Callable[..., Any], model: cw.VisionModel, pixels: torch.Tensor
) -> None:
    """Quantus has neither insertion nor drop. Its steps divide the picture: 7 of each channel, 21 passes to our 20."""
    quantus = pytest.importorskip("quantus", exc_type=ImportError)
    cases = explained(model, pixels)
    inputs = model.inputs(pixels).numpy()
    maps = torch.stack([c.saliency[None] for c in cases]).numpy()
    classes = np.array([c.target for c in cases])
    flipping = quantus.PixelFlipping(
        features_in_step=224 * 224 // 7, perturb_baseline="black", disable_warnings=True
    )

    def by_quantus(at_once: int) -> None:
        flipping(
            model=model.module,
            x_batch=inputs,
            y_batch=classes,
            a_batch=maps,
            softmax=True,
            batch_size=at_once,
        )

    race(
        f"Deletion of given maps, {PICTURES} pictures, ResNet-50, 224²",
        {
            "Quantus, 64 at once (its own)": lambda: by_quantus(64),
            "Quantus, 8 at once": lambda: by_quantus(8),
            "camwidget": lambda: scored(
                fresh(cases), [get_metric("deletion", steps=22, baseline="black")]
            ),
        },
        rounds=1,
        warm=0,
    )


def test_regions_beside_quantus(
    race: Callable[..., Any], model: cw.VisionModel, pixels: torch.Tensor
) -> None:
    quantus = pytest.importorskip("quantus", exc_type=ImportError)
    part = pixels[:BATCH]
    cases = explained(model, part)
    inputs = model.inputs(part).numpy()
    maps = torch.stack([c.saliency[None] for c in cases]).numpy()
    classes = np.array([c.target for c in cases])
    perturbing = quantus.RegionPerturbation(
        patch_size=16, regions_evaluation=32, perturb_baseline="black", disable_warnings=True
    )

    def by_quantus() -> None:
        perturbing(model=model.module, x_batch=inputs, y_batch=classes, a_batch=maps, softmax=True)

    race(
        f"Region perturbation, 32 patches, {len(part)} pictures, ResNet-50, 224²",
        {
            "Quantus": by_quantus,
            "camwidget": lambda: scored(
                fresh(cases), [get_metric("region-perturbation", baseline="black")]
            ),
        },
        rounds=1,
        warm=0,
    )


def test_road_beside_grad_cam(
    race: Callable[..., Any], model: cw.VisionModel, pixels: torch.Tensor
) -> None:
    """Eighteen holes a picture, each a linear system of up to 45 000 unknowns."""
    road = pytest.importorskip("pytorch_grad_cam.metrics.road", exc_type=ImportError)
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget

    part = pixels[: BATCH // 2]
    cases = explained(model, part)
    inputs = model.inputs(part)
    maps = torch.stack([c.saliency for c in cases]).numpy()
    targets = [ClassifierOutputSoftmaxTarget(c.target) for c in cases]
    race(
        f"ROAD, {len(part)} pictures, ResNet-50, 224²",
        {
            "grad-cam": lambda: road.ROADCombined()(inputs, maps, targets, model.module),
            "camwidget": lambda: scored(fresh(cases), [get_metric("road")]),
        },
        rounds=1,
        warm=0,
    )


@pytest.mark.parametrize(
    "names",
    [
        ("drop", "increase", "remove25", "deletion", "morf"),
        ("drop", "remove25", "deletion", "insertion", "region-perturbation"),
    ],
    ids=["of one curve", "of two curves and regions"],
)
def test_five_together(
    race: Callable[..., Any],
    report: Callable[[str], None],
    model: cw.VisionModel,
    pixels: torch.Tensor,
    names: tuple[str, ...],
) -> None:
    """What five metrics cost beside the dearest of them."""
    cases = explained(model, pixels[:BATCH])

    def run(*chosen: str) -> Callable[[], Any]:
        return lambda: scored(fresh(cases), [get_metric(n) for n in chosen])

    medians = race(
        f"Faithfulness of {len(cases)} pictures, ResNet-50, 224²",
        {**{f"{name} alone": run(name) for name in names}, "all five": run(*names)},
        rounds=3,
        warm=1,
    )
    dearest = max(median for name, median in medians.items() if name != "all five")
    report(f"  all five / the dearest alone: {medians['all five'] / dearest:.3f}")
