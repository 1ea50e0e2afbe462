"""ROAD (remove and debias): change of the confidence when removed pixels are imputed from their neighbors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from ..errors import MetricError
from ..masking.rank_rule import LEVELS, threshold
from .cases import Case, ChangedPicture
from .confidence import PredictionSteps
from .imputation import impute
from .registry import metric
from .settings import check_choice, check_number, check_percentiles

__all__: list[str] = []

ORDERS = ("combined", "morf", "lerf")


@metric(
    "road",
    label="ROAD",
    citation="Rong et al. 2022, arXiv:2202.00449 (noisy linear imputation); combined as in pytorch-grad-cam",
    summary="How much more the model loses with the most than with the least relevant pixels, which are imputed.",
    group="faithfulness",
    range=(-1, 1),
    better="higher",
    needs=("picture",),
)
def road(
    case: Case,
    *,
    percentiles: Sequence[float] = (10, 20, 30, 40, 50, 60, 70, 80, 90),
    order: str = "combined",
    noise: float = 0.01,
) -> PredictionSteps:
    """The difference in confidence between removing the least and the most relevant pixels, with imputation.

    ``(mean O_lerf − mean O_morf) / 2``, the means over the percentiles: half the gap between two curves. O_morf is the
    target's probability without the most relevant p percent of the pixels, O_lerf the one without the least relevant.
    Removed pixels become the weighted mean of their neighbors (``imputation``) with a little noise, so that the edge of
    the mask does not reveal the class. Higher is better. The combined score lies in [−½, ½] and is the mean of the two
    other orders, each in [−1, 1]: "morf" is ``Y − mean O_morf``, "lerf" is ``mean O_lerf − Y``. The paper measures a
    classifier's accuracy over many pictures; for one picture the probability is more informative.

    Args:
        case: the map.
        percentiles: removed shares, in percent, each in (0, 100).
        order: "combined", "morf" (most relevant first) or "lerf" (least relevant first).
        noise: standard deviation of the noise, in units of pixels in [0, 1]; all maps of a picture get the same noise.
    """
    order = check_choice(order, ORDERS, "order")
    percents = check_percentiles(percentiles)
    cuts = [threshold(p / 100) for p in percents]
    level = check_number("noise", noise, 0)
    size = case.levels.shape
    # The last pixel to be removed has the highest level; imputation needs it.
    if max(cuts) > (size.numel() - 1) * LEVELS // size.numel():
        raise MetricError(
            f"Without {max(percents):g} % nothing is left of a picture of {size[0]} × {size[1]} to fill it in from: "
            "use lower percentiles."
        )
    orders = ORDERS[1:] if order == "combined" else (order,)
    imputed = _ImputedPictures(case, [(name, cut) for name in orders for cut in cuts], level)
    probabilities = yield imputed.changes()
    means: list[float] = probabilities.reshape(len(orders), len(cuts)).mean(1).tolist()
    mean = dict(zip(orders, means, strict=True))
    if order == "morf":
        return case.before - mean["morf"]
    if order == "lerf":
        return mean["lerf"] - case.before
    return (mean["lerf"] - mean["morf"]) / 2


class _ImputedPictures:
    """One map's pictures with removed and imputed pixels, computed together."""

    def __init__(self, case: Case, holes: list[tuple[str, int]], noise: float) -> None:
        self._case = case
        self._holes = holes
        self._noise = noise

    def changes(self) -> list[ChangedPicture]:
        """One change for each hole."""
        return [
            ChangedPicture(
                (id(self._case), "filled", *hole, self._noise), partial(self._picture, number)
            )
            for number, hole in enumerate(self._holes)
        ]

    def _picture(self, number: int) -> torch.Tensor:
        """One picture (C, H, W). Only those of the map that was requested last are cached, for their size."""
        cache = self._case.subject.context.cache
        cached: tuple[_ImputedPictures, torch.Tensor] | None = cache.get("imputed")
        if cached is None or cached[0] is not self:
            cached = cache["imputed"] = (self, self._pictures())
        return cached[1][number]

    def _pictures(self) -> torch.Tensor:
        """All pictures, (N, C, H, W)."""
        subject, levels = self._case.subject, self._case.levels
        missing = torch.stack(
            [
                levels < cut if name == "morf" else levels >= LEVELS - cut
                for name, cut in self._holes
            ]
        )
        pictures = impute(subject.pixels, missing)
        if self._noise:
            grain = subject.cached("road's noise", self._grain)
            pictures = torch.where(missing[:, None], pictures + self._noise * grain, pictures)
        return pictures.clamp(0, 1)

    def _grain(self) -> torch.Tensor:
        pixels = self._case.subject.pixels
        drawn = torch.randn(pixels.shape, generator=self._case.subject.generator("road"))
        return drawn.to(pixels.device)
