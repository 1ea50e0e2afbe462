"""Mask curves for every map of a saved page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

from ..analysis.mask_curve import spaced_fractions
from ..attribution.batched_inference import rerun_probabilities
from ..masking.baselines import baseline_pixels
from ..masking.masked_pixels import multiply_pixels
from ..masking.rank_rule import hidden_by_rank, threshold
from ..models.detection_model import while_masked
from ..models.vision_model import VisionModel
from ..progress import Progress, Stage, follow
from .quantized_maps import QuantizedMap

__all__ = ["curve_key", "curves"]


class _CurveMask(NamedTuple):
    """A masked picture; ``ranks`` is the index of the first map with these rank levels, −1 if none is needed."""

    ranks: int
    mode: str
    baseline: str
    fraction: float


def curve_key(mode: str, baseline: str) -> str:
    """The key of a curve. Multiplication by the map has no baseline, and a curve of one point."""
    return mode if mode == "multiply" else f"{mode} {baseline}"


def curves(
    model: VisionModel,
    pixels: torch.Tensor,
    maps: Sequence[QuantizedMap],
    classes: Sequence[int],
    modes: Sequence[str],
    baselines: Sequence[str],
    steps: int,
    label: str,
    progress: Progress | None = None,
) -> list[dict[str, np.ndarray]]:
    """Compute the mask curves of maps.

    Equal masked pictures are predicted once, also for different maps.

    Args:
        model: the model, with its text.
        pixels: (C, H, W) in [0, 1].
        maps: the maps.
        classes: indices of the classes whose probabilities are kept.
        modes: "remove", "keep", "multiply".
        baselines: names of baselines.
        steps: number of fractions from 0 to 1, the squares of evenly spaced numbers.
        label: label of the progress bar.
        progress: called with (done, total); a bar appears after a second if None.

    Returns:
        For every map the curves, float64 (steps, classes), by ``curve_key``; no curves for an empty map.
    """
    height, width = pixels.shape[-2:]
    fractions = spaced_fractions(steps, "quadratic").tolist()

    # Masks of one map are computed consecutively; the levels of all maps together may be large.
    @lru_cache(maxsize=2)
    def levels(number: int) -> np.ndarray:
        return maps[number].levels((height, width))

    first_of_levels: dict[bytes, int] = {}
    masks_of_maps: list[dict[str, list[_CurveMask]]] = []
    for number, quantized in enumerate(maps):
        if quantized.is_empty:
            masks_of_maps.append({})
            continue
        first = first_of_levels.setdefault(
            hashlib.sha256(levels(number).tobytes()).digest(), number
        )
        own: dict[str, list[_CurveMask]] = {}
        for mode in modes:
            if mode == "multiply":
                own[mode] = [_CurveMask(number, mode, "", 1.0)]
                continue
            for baseline in baselines:
                masks = [_canonical(_CurveMask(first, mode, baseline, q)) for q in fractions]
                own[curve_key(mode, baseline)] = masks
        masks_of_maps.append(own)
    series = list(
        dict.fromkeys(m for own in masks_of_maps for masks in own.values() for m in masks)
    )
    if not series:
        return [{} for _ in maps]

    def make(start: int, stop: int) -> torch.Tensor:
        return model.inputs(torch.stack([masked(m) for m in series[start:stop]]))

    fills = {baseline: baseline_pixels(pixels, baseline, model.frames) for baseline in baselines}

    def masked(mask: _CurveMask) -> torch.Tensor:
        if mask.mode == "multiply":
            return multiply_pixels(pixels, maps[mask.ranks].saliency((height, width)))
        # As ``mask_pixels``, which would compute the baseline for every mask.
        fill = fills[mask.baseline] if mask.baseline else pixels
        if mask.ranks < 0:
            return fill
        ranks = torch.from_numpy(levels(mask.ranks).astype(np.int32))
        hidden = hidden_by_rank(ranks, threshold(mask.fraction), keep=mask.mode == "keep")
        return torch.where(hidden, fill, pixels)

    rows: list[np.ndarray] = []  # by mask

    def run() -> Iterator[Stage]:
        for found in rerun_probabilities(while_masked(model), len(series), make):
            rows.extend(found[:, list(classes)].double().numpy())
            yield Stage(len(rows), len(series))

    follow(run(), label, progress)
    row_of = dict(zip(series, rows, strict=True))
    return [
        {key: np.stack([row_of[m] for m in masks]) for key, masks in own.items()}
        for own in masks_of_maps
    ]


def _canonical(mask: _CurveMask) -> _CurveMask:
    """A mask that hides all or nothing, in a form that is equal for all maps, so that it is predicted once."""
    if mask.fraction not in (0.0, 1.0):
        return mask
    all_masked = (mask.mode == "remove") == (mask.fraction == 1)
    return _CurveMask(-1, "", mask.baseline if all_masked else "", 1.0)
