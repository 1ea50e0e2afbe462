"""Region perturbation: change of the confidence when square patches are replaced."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property

import torch
from torch.nn import functional as nnF

from ..errors import MetricError
from .cases import Case, ChangedPicture
from .confidence import PredictionSteps, mean_drop
from .registry import metric
from .settings import check_baseline, check_integer, check_number

__all__: list[str] = []


@metric(
    "region-perturbation",
    label="Region perturbation",
    citation="Samek et al. 2017, arXiv:1509.06321 (AOPC, most relevant first)",
    summary="The mean loss of confidence while the most relevant patches are replaced one by one.",
    group="faithfulness",
    range=(-1, 1),
    better="higher",
    needs=("picture",),
)
def region_perturbation(
    case: Case, *, patch: int | None = None, regions: int = 32, baseline: str = "mean"
) -> PredictionSteps:
    """The area over the perturbation curve (AOPC) of square patches, most relevant patches first.

    ``1/(L+1) Σ_{k=0..L} (Y − O_k)`` with O_k the confidence without the k patches of highest saliency; in [−1, 1],
    higher is better. Patches form a grid from the upper left corner; those at the right and lower edges may be smaller.
    The saliency of a patch is the sum over its pixels. By default, 32 patches of 1/14 of the picture's side are
    replaced: 16 % of a square picture, as much as the 100 regions of 9 × 9 in the paper's pictures of 227 × 227. The
    paper replaces pixels by random ones; a baseline makes the score reproducible.

    Args:
        case: the map.
        patch: side of a patch in pixels; 1/14 of the picture's shorter side if None.
        regions: L, the greatest number of replaced patches, at least 1.
        baseline: replacement of patches: "blur", "mean", "black", or an inpainting ("inpaint", "telea").
    """
    grid = _PatchGrid(case, patch, share=14, baseline=baseline)
    count = min(check_integer("regions", regions), grid.saliency.numel())
    # Ties are broken in reading order.
    order = grid.saliency.flatten().argsort(descending=True, stable=True)[:count].tolist()
    probabilities = yield [case.unmasked, *(grid.without(order[:k]) for k in range(1, count + 1))]
    return mean_drop(case, probabilities)


@metric(
    "non-sensitivity",
    label="Non-sensitivity",
    citation="Nguyen & Martínez 2020, arXiv:2007.07584 (non-sensitivity), by patches",
    summary="The share of patches that matter to the model but not in the map, or in the map but not to the model.",
    group="axiomatic",
    range=(0, 1),
    better="lower",
    needs=("picture",),
)
def non_sensitivity(
    case: Case,
    *,
    patch: int | None = None,
    epsilon: float = 0.01,
    baseline: str = "mean",
) -> PredictionSteps:
    """The share of patches on which the map and the model disagree about relevance.

    ``|A △ X| / n``, with A the patches without saliency, X the patches whose replacement does not change the
    prediction, and n the number of patches; in [0, 1], lower is better. A patch is in A if its mean saliency is below
    epsilon, and in X if ``|Y − O|`` is, with O the confidence with only this patch replaced. The paper uses single
    features and exact zeros; but predictions are hardly ever exactly equal, and a single pixel hardly changes them. The
    predictions do not depend on the map, so all maps of a picture share them.

    Args:
        case: the map.
        patch: side of a patch in pixels; 1/7 of the picture's shorter side if None.
        epsilon: threshold of relevance, above 0, for the saliency (at most 1) and the probability.
        baseline: replacement of patches: "blur", "mean", "black", or an inpainting ("inpaint", "telea").
    """
    grid = _PatchGrid(case, patch, share=7, baseline=baseline)
    limit = check_number("epsilon", epsilon, 0)
    if limit == 0:
        raise MetricError("Epsilon is above 0, such as 0.01: no number is below 0.")
    mean = (grid.saliency / grid.pixels).flatten()
    probabilities = yield [grid.without([k]) for k in range(len(mean))]
    same = (probabilities - case.before).abs() < limit
    return float((same ^ (mean < limit)).double().mean())


class _PatchGrid:
    """A picture cut into square patches, numbered in reading order."""

    def __init__(self, case: Case, patch: int | None, *, share: int, baseline: str) -> None:
        self._case = case
        self._baseline = check_baseline(baseline)
        height, width = case.saliency.shape
        shorter = min(height, width)
        self._side = math.ceil(shorter / share) if patch is None else check_integer("patch", patch)
        if self._side > shorter:
            raise MetricError(
                f"A patch of {self._side} pixels is larger than a picture of {height} × {width}: use a smaller one."
            )

    @cached_property
    def saliency(self) -> torch.Tensor:
        """The sum of the saliency in each patch, float64 (rows, columns) on the CPU."""
        return self._sums(self._case.saliency)

    @property
    def pixels(self) -> torch.Tensor:
        """The number of pixels of each patch, (rows, columns)."""
        return self._sums(torch.ones_like(self._case.saliency))

    def _sums(self, values: torch.Tensor) -> torch.Tensor:
        return nnF.avg_pool2d(
            values.cpu().double()[None], self._side, ceil_mode=True, divisor_override=1
        )[0]

    def without(self, patches: Iterable[int]) -> ChangedPicture:
        """The picture with some patches replaced; equal for all maps that choose the same patches."""
        chosen = frozenset(patches)
        if len(chosen) == self.saliency.numel():
            return self._case.removed(1, self._baseline)

        def make() -> torch.Tensor:
            subject, side = self._case.subject, self._side
            height, width = subject.pixels.shape[-2:]
            shape = math.ceil(height / side), math.ceil(width / side)
            replaced = torch.zeros(shape, dtype=torch.bool)
            replaced.view(-1)[list(chosen)] = True
            spread = (
                replaced.to(subject.pixels.device)
                .repeat_interleave(side, 0)
                .repeat_interleave(side, 1)
            )
            return subject.masked(spread[:height, :width], self._baseline)

        return ChangedPicture(("patches", self._side, chosen, self._baseline), make)
