"""Mask curves for every map of a saved page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

from ..analysis.mask_curve import baseline_pixels, multiply_pixels
from ..attribution.batched_inference import rerun_probabilities
from ..masking.ranks import hidden_by_rank, threshold
from ..models.vision_model import VisionModel
from ..progress import Progress, Stage, follow
from .quantized_maps import QuantizedMap

__all__ = ["curve_key", "curves"]


class _CurveMask(NamedTuple):
    """A masked picture; ``ranks`` is the number of the first map that ranks the pixels so, −1 where none is needed."""

    ranks: int
    mode: str
    baseline: str
    fraction: float


def curve_key(mode: str, baseline: str) -> str:
    """Under which a curve is kept. The picture times its map has no baseline, and one point."""
    return mode if mode == "multiply" else f"{mode} {baseline}"


def curves(
    model: VisionModel,
    pixels: torch.Tensor,
    grids: Sequence[QuantizedMap],
    classes: Sequence[int],
    modes: Sequence[str],
    baselines: Sequence[str],
    steps: int,
    label: str,
    progress: Progress | None = None,
) -> list[dict[str, np.ndarray]]:
    """For every map that is not empty the curves, float64 (steps, classes), by ``curve_key``.

    Each masked picture is shown to the model once, also where maps are alike.

    Args:
        model: under its text.
        pixels: (C, H, W) in [0, 1].
        grids: the maps.
        classes: which probabilities are kept.
        modes: "remove", "keep", "multiply".
        baselines: what the other pixels become.
        steps: how many fractions, evenly spaced from 0 to 1.
        label: for the bar.
        progress: called with (done, total); a bar appears after a second if None.
    """
    height, width = pixels.shape[-2:]
    fractions = np.linspace(0, 1, steps).tolist()

    # Of one map many masks are asked in a row; all maps' levels at once may be large.
    @lru_cache(maxsize=2)
    def levels(number: int) -> np.ndarray:
        return grids[number].levels((height, width))

    alike: dict[bytes, int] = {}
    wanted: list[dict[str, list[_CurveMask]]] = []
    for number, grid in enumerate(grids):
        if grid.is_empty:
            wanted.append({})
            continue
        first = alike.setdefault(hashlib.sha256(levels(number).tobytes()).digest(), number)
        own: dict[str, list[_CurveMask]] = {}
        for mode in modes:
            if mode == "multiply":
                own[mode] = [_CurveMask(number, mode, "", 1.0)]
                continue
            for baseline in baselines:
                masks = [_plain(_CurveMask(first, mode, baseline, q)) for q in fractions]
                own[curve_key(mode, baseline)] = masks
        wanted.append(own)
    series = list(dict.fromkeys(m for own in wanted for masks in own.values() for m in masks))
    if not series:
        return [{} for _ in grids]

    def make(start: int, stop: int) -> torch.Tensor:
        return model.inputs(torch.stack([masked(m) for m in series[start:stop]]))

    fills = {baseline: baseline_pixels(pixels, baseline) for baseline in baselines}

    def masked(mask: _CurveMask) -> torch.Tensor:
        if mask.mode == "multiply":
            return multiply_pixels(pixels, grids[mask.ranks].saliency((height, width)))
        # As ``mask_pixels``, which would blur the picture anew for every mask.
        fill = fills[mask.baseline] if mask.baseline else pixels
        if mask.ranks < 0:
            return fill
        ranks = torch.from_numpy(levels(mask.ranks).astype(np.int32))
        hidden = hidden_by_rank(ranks, threshold(mask.fraction), keep=mask.mode == "keep")
        return torch.where(hidden, fill, pixels)

    rows: list[np.ndarray] = []  # by mask

    def ask() -> Iterator[Stage]:
        for found in rerun_probabilities(model, len(series), make):
            rows.extend(found[:, list(classes)].double().numpy())
            yield Stage(len(rows), len(series))

    follow(ask(), label, progress)
    row = dict(zip(series, rows, strict=True))
    return [
        {key: np.stack([row[m] for m in masks]) for key, masks in own.items()} for own in wanted
    ]


def _plain(mask: _CurveMask) -> _CurveMask:
    """The same picture whatever the map, where all of it stays or goes: asked once."""
    if mask.fraction not in (0.0, 1.0):
        return mask
    all_goes = (mask.mode == "remove") == (mask.fraction == 1)
    return _CurveMask(-1, "", mask.baseline if all_goes else "", 1.0)
