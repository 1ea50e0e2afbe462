"""Helpers of the tests of the faithfulness metrics: a small network, pictures in 8-bit levels, maps and scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

import camwidget as cw
from camwidget.metrics import (
    Case,
    Metric,
    MetricContext,
    Score,
    ScoredPicture,
    get_metric,
    score_steps,
)
from camwidget.metrics.scoring import find_faults

#: A power of two: fractions in sixteenths are whole numbers of pixels, for us and for others.
SIZE = 32


class Small(nn.Module):
    """Some layers, and answers that depend on where things are. Its input is the picture itself."""

    def __init__(self, channels: int = 3, classes: int = 4) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.first = nn.Conv2d(channels, 8, 3, padding=1, stride=2)
        self.second = nn.Conv2d(8, 12, 3, padding=1, stride=2)
        self.head = nn.Linear(12 * 16, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x - 0.5).relu()
        x = nn.functional.adaptive_avg_pool2d(self.second(x).relu(), 4)
        return 12 * self.head(x.flatten(1))


def small_model() -> cw.VisionModel:
    """The small net, ready to be explained; its pictures are not normalized."""
    return cw.wrap(Small().eval(), cw.Preprocess(SIZE, mean=(0, 0, 0), std=(1, 1, 1)))


def picture(seed: int = 0, size: int = SIZE) -> torch.Tensor:
    """Smooth and noisy at once, (3, H, W) of whole 8-bit levels from 0 on."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand((1, 3, 5, 5), generator=generator)
    smooth = nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")[0]
    pixels = 0.7 * smooth + 0.3 * torch.rand((3, size, size), generator=generator)
    pixels = (pixels - pixels.amin()) / (pixels.amax() - pixels.amin())
    return (pixels * 255).round() / 255


def random_map(seed: int = 0, size: int = SIZE) -> torch.Tensor:
    """(H, W) in [0, 1], 1 somewhere; hardly any two pixels alike."""
    values = torch.rand((size, size), generator=torch.Generator().manual_seed(100 + seed))
    return values / values.max()


def smooth_map(seed: int = 0, size: int = SIZE) -> torch.Tensor:
    """(H, W) in [0, 1] as from a layer of 7 × 7, with just enough noise for no ties."""
    generator = torch.Generator().manual_seed(200 + seed)
    coarse = torch.rand((1, 1, 7, 7), generator=generator)
    values = nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")[0, 0]
    values = values + 1e-3 * torch.rand((size, size), generator=generator)
    return values / values.max()


def subject_of(
    model: cw.VisionModel,
    pixels: torch.Tensor,
    number: int = 0,
    context: MetricContext | None = None,
) -> ScoredPicture:
    probabilities = model.probabilities(model.logits(pixels[None]))[0].double()
    return ScoredPicture(model, pixels, probabilities, context or MetricContext(), number)


def case_of(subject: ScoredPicture, saliency: torch.Tensor, target: int = 1) -> Case:
    (fault,) = find_faults(saliency[None], saliency[None])
    case = Case(subject, target, saliency, fault=fault)
    subject.cases.append(case)
    return case


def scores_of(
    cases: Sequence[Case], *metrics: str | Metric, **options: Any
) -> dict[tuple[Case, str], Score]:
    """All scores; options are those of a single metric."""
    chosen = [get_metric(m, **options) for m in metrics]
    *_, last = score_steps(cases, chosen)
    return last.scores


def value_of(case: Case, name: str, **options: Any) -> float:
    return scores_of([case], name, **options)[case, name].value


def confidence(module: nn.Module, pixels: torch.Tensor, target: int = 1) -> torch.Tensor:
    """The plain way: probabilities (N,) of pictures (N, C, H, W)."""
    with torch.no_grad():
        return module(pixels).softmax(1)[:, target].double()


class GivenMap:
    """What torchcam asks of an extractor, with maps (N, H, W) from elsewhere."""

    def __init__(self, module: nn.Module, maps: torch.Tensor) -> None:
        self.model = module
        self._maps = maps

    def __call__(self, *_: Any, **__: Any) -> list[torch.Tensor]:
        return [self._maps]

    def fuse_cams(self, cams: list[torch.Tensor]) -> torch.Tensor:
        return cams[0]

    def _hooks_off(self) -> AbstractContextManager[None]:
        return nullcontext()


@contextmanager
def counted(module: nn.Module) -> Iterator[list[int]]:
    """How many pictures each pass in the block has."""
    sizes: list[int] = []
    handle = module.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    try:
        yield sizes
    finally:
        handle.remove()


@contextmanager
def unasked(case: Case) -> Iterator[None]:
    """A block in which a case's model is not run."""
    with counted(case.subject.model.module) as sizes:
        yield
    assert sizes == []
