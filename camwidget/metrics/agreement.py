"""Agreement of a map with other maps of the same class: of occlusion, and of other methods and layers."""

from __future__ import annotations

import math
from collections.abc import Generator

import torch

from ..attribution.methods import get_method
from ..errors import MetricError
from .cases import Case, Recomputation
from .randomization_metrics import map_correlation
from .registry import Score, metric
from .settings import check_integer

__all__: list[str] = []


@metric(
    "occlusion-correlation",
    label="Correlation with occlusion",
    citation="Zeiler and Fergus 2014, ECCV, arXiv:1311.2901; as in Selvaraju et al. 2017, Grad-CAM, arXiv:1610.02391, "
    "on faithfulness",
    summary="How much the map resembles occlusion's, which is slow, but measures what the model needs.",
    group="agreement",
    range=(-1, 1),
    better="higher",
    needs=("picture",),
)
def occlusion_correlation(
    case: Case, *, window: int | None = None, stride: int | None = None
) -> Generator[Recomputation, torch.Tensor, Score]:
    """The rank correlation of the map with the occlusion map of the same class.

    1 if both rank the pixels alike.

    Args:
        case: the map.
        window: side of the occluding square in pixels; a seventh of the picture's shorter side if None.
        stride: step of the square in pixels, at most ``window``; half of it if None.
    """
    side = min(case.saliency.shape)
    square = max(1, side // 7) if window is None else check_integer("window", window)
    step = max(1, square // 2) if stride is None else check_integer("stride", stride)
    if square > side or step > square:
        raise MetricError(
            f"A window of {square} and a stride of {step} do not cover a picture of {side} pixels: take a window of at "
            "most its shorter side, and a stride of at most the window."
        )
    method = get_method("occlusion", window=square, stride=step)
    maps = yield Recomputation(("unmasked",), lambda: case.subject.pixels[None], method=method)
    return map_correlation(case, maps[0], "occlusion's map")


@metric(
    "agreement",
    label="Agreement",
    citation="after Adebayo et al. 2018, NeurIPS, arXiv:1810.03292 (rank correlation of maps)",
    summary="How much the map resembles those of the other methods and layers.",
    group="agreement",
    range=(-1, 1),
    better="higher",
)
def agreement(case: Case) -> Score:
    """The mean rank correlation of the map with the other maps of the same picture and class.

    1 if all maps rank the pixels alike. This is no figure of merit of any paper: maps may agree and be wrong.
    """
    own = case.ranks
    if own is None:
        return Score(math.nan, "the map is constant or not finite")
    # A map at the input is listed at every layer but counts once.
    others = {
        id(other) if other.method is None else (other.method, other.layer): other.ranks
        for other in case.subject.cases
        if other is not case and other.target == case.target and not other.fault
    }
    if case.method is not None:
        others.pop((case.method, case.layer), None)
    values = [float(own @ theirs) for theirs in others.values() if theirs is not None]
    if not values:
        return Score(math.nan, f"no other map of {case.name!r} to agree with")
    return Score(max(-1.0, min(1.0, math.fsum(values) / len(values))))
