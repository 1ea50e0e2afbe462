"""A small model that counts its passes, pictures for it, and metrics for the tests."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image
from torch import nn

import camwidget as cw
from camwidget.metrics import Case, Metric, Score

SIDE = 32
CLASSES = ("ant", "bee", "cat", "dog")


class Small(nn.Module):
    """Two convolutions, global average pooling, a linear layer; how many pictures it and its copies have seen."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.second = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.head = nn.Linear(8, len(CLASSES))
        self.counted = SimpleNamespace(pictures=0)  # the same in all copies of the structure
        with torch.no_grad():
            self.head.weight.mul_(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.counted.pictures += len(x)
        x = self.second(self.first(x).relu()).relu()
        return self.head(x.mean((2, 3)))


def small_model(preprocess: cw.Preprocess | None = None) -> cw.VisionModel:
    """The same weights each time."""
    return cw.wrap(Small(), preprocess or cw.Preprocess(SIDE), CLASSES, name="small")


def seen(model: cw.VisionModel) -> int:
    """How many pictures the model has seen since this was last asked."""
    counted = model.module.counted
    count, counted.pictures = counted.pictures, 0
    return count


def picture(seed: int, height: int = SIDE, width: int = SIDE) -> np.ndarray:
    """A picture with blotches, uint8 (H, W, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def labeled(count: int) -> list[tuple[np.ndarray, str]]:
    """Pictures with their classes."""
    return [(picture(n), CLASSES[n % 4]) for n in range(count)]


def folder(root: Path, count: int = 6, classes: tuple[str, ...] = CLASSES[:2]) -> Path:
    """A folder of class folders."""
    for n in range(count):
        path = root / classes[n % len(classes)] / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(n)).save(path)
    return root


def _metric(name: str, function, needs: tuple[str, ...] = (), better: str = "higher") -> Metric:
    return Metric(
        name, name.title(), "-", "A metric of the tests.", "truth", (0, 1), better, function, needs
    )


def _inside(case: Case) -> float:
    assert case.locations is not None
    return float(case.saliency.cpu().numpy()[case.locations.mask].sum() / case.saliency.sum())


def _area(case: Case) -> float:
    assert case.locations is not None
    return float(case.locations.mask.sum())


def _boxes(case: Case) -> float:
    assert case.locations is not None
    left, top, right, bottom = case.locations.boxes[0].tolist()
    return left + 100 * top + 1e4 * right + 1e6 * bottom


def _right(case: Case) -> float:
    return float(case.subject.label == case.target)


def _chance(case: Case) -> float:
    return float(torch.rand((), generator=case.subject.generator("test")))


def _odd(case: Case) -> Score | float:
    return Score(math.nan, "an odd picture") if case.subject.number % 2 else math.inf


INSIDE = _metric("inside", _inside, ("truth",))
AREA = _metric("area", _area, ("truth",))
BOXES = _metric("boxes", _boxes, ("truth",))
RIGHT = _metric("right", _right, ("label",))
CHANCE = _metric("chance", _chance, better="lower")
ODD = _metric("odd", _odd)


def run(model: cw.VisionModel, data, metrics=("complexity",), **options) -> cw.Evaluation:
    return cw.evaluate(model, data, "gradcam", metrics, **options)


def known(evaluation: cw.Evaluation) -> list[tuple[int, str, object]]:
    rows = evaluation.rows
    return list(zip(rows["picture"], rows["name"], rows["label_name"], strict=True))
