"""Region perturbation: change of the model's confidence when square patches are replaced."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property

import torch
from torch.nn import functional as nnF

from ..errors import MetricError
from .cases import Case, Change
from .confidence import Asking, mean_drop
from .registry import metric
from .settings import a_baseline, real, whole

__all__: list[str] = []


@metric(
    "region-perturbation",
    label="Region perturbation",
    citation="Samek et al. 2017, arXiv:1509.06321 (AOPC, most relevant first)",
    summary="The mean loss of confidence as the most relevant patches are replaced, one after the other.",
    group="faithfulness",
    range=(-1, 1),
    better="higher",
)
def region_perturbation(
    case: Case, *, patch: int | None = None, regions: int = 32, baseline: str = "mean"
) -> Asking:
    """``1/(L+1) Σ_{k=0..L} (Y − O_k)``, O_k without the k patches that have the most saliency: AOPC.

    In [−1, 1], higher is better. Patches lie on a grid from the upper left corner, those at the right and lower edge
    may be smaller; a patch's saliency is the sum of its pixels'. By default 32 patches of 1/14 of the picture's side:
    16 % of a square picture, as much as the 100 regions of 9 × 9 that the paper takes of 227 × 227. The paper
    replaces pixels by random ones; a baseline makes the number repeatable.

    Args:
        case: the map.
        patch: its side in pixels; 1/14 of the picture's shorter side if None.
        regions: L, how many patches are replaced; all of them if there are fewer.
        baseline: what replaces them: "blur", "mean", "black", or inpainted ("inpaint", "telea").
    """
    grid = _PatchGrid(case, patch, share=14, baseline=baseline)
    count = min(whole("regions", regions), grid.saliency.numel())
    # Ties go in reading order.
    order = grid.saliency.flatten().argsort(descending=True, stable=True)[:count].tolist()
    answers = yield [case.whole, *(grid.without(order[:k]) for k in range(1, count + 1))]
    return mean_drop(case, answers)


@metric(
    "non-sensitivity",
    label="Non-sensitivity",
    citation="Nguyen & Martínez 2020, arXiv:2007.07584 (non-sensitivity), by patches",
    summary="The share of patches that matter to the model but not in the map, or in the map but not to the model.",
    group="faithfulness",
    range=(0, 1),
    better="lower",
)
def non_sensitivity(
    case: Case,
    *,
    patch: int | None = None,
    epsilon: float = 0.01,
    baseline: str = "mean",
) -> Asking:
    """``|A △ X| / n``: A has the patches without saliency, X those without which the model says the same, n is all.

    In [0, 1], lower is better. A patch is in A if its mean saliency is below epsilon, and in X if ``|Y − O|`` is, O
    being the probability with this patch alone replaced. The paper counts single features, and what is exactly zero;
    but a network hardly ever answers exactly the same, and a pixel alone says nothing to it. What is asked of the
    model does not depend on the map, so that all maps of a picture share it.

    Args:
        case: the map.
        patch: its side in pixels; 1/7 of the picture's shorter side if None.
        epsilon: what counts as nothing, of the saliency (at most 1) and of the probability.
        baseline: what replaces a patch: "blur", "mean", "black", or inpainted ("inpaint", "telea").
    """
    grid = _PatchGrid(case, patch, share=7, baseline=baseline)
    nothing = real("epsilon", epsilon, 0)
    if nothing == 0:
        raise MetricError("Epsilon is above 0, such as 0.01: no number is below 0.")
    mean = (grid.saliency / grid.pixels).flatten()
    answers = yield [grid.without([k]) for k in range(len(mean))]
    same = (answers - case.before).abs() < nothing
    return float((same ^ (mean < nothing)).double().mean())


class _PatchGrid:
    """A picture cut into square patches, numbered in reading order."""

    def __init__(self, case: Case, patch: int | None, *, share: int, baseline: str) -> None:
        self._case = case
        self._baseline = a_baseline(baseline)
        height, width = case.saliency.shape
        shorter = min(height, width)
        self._side = math.ceil(shorter / share) if patch is None else whole("patch", patch)
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
        """How many pixels each patch has, (rows, columns)."""
        return self._sums(torch.ones_like(self._case.saliency))

    def _sums(self, values: torch.Tensor) -> torch.Tensor:
        return nnF.avg_pool2d(
            values.cpu().double()[None], self._side, ceil_mode=True, divisor_override=1
        )[0]

    def without(self, patches: Iterable[int]) -> Change:
        """The picture with some patches replaced; the same for all maps that choose the same."""
        chosen = frozenset(patches)
        if len(chosen) == self.saliency.numel():
            return self._case.removed(1, self._baseline)

        def make() -> torch.Tensor:
            subject, side = self._case.subject, self._side
            height, width = subject.pixels.shape[-2:]
            shape = math.ceil(height / side), math.ceil(width / side)
            gone = torch.zeros(shape, dtype=torch.bool)
            gone.view(-1)[list(chosen)] = True
            spread = (
                gone.to(subject.pixels.device).repeat_interleave(side, 0).repeat_interleave(side, 1)
            )
            return subject.without(spread[:height, :width], self._baseline)

        return Change(("patches", self._side, chosen, self._baseline), make)
