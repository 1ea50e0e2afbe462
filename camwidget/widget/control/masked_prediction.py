"""Predictions for masked pictures: at the slider's position, and along the curve, which is refined in passes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from ...analysis.mask_curve import MaskCurve, curve_of, spaced_fractions
from ...attribution.batched_inference import in_batches, responsive_series
from ...attribution.explanation import Explanation
from ...attribution.partial.stroke_passes import StrokePasses
from ...attribution.stance import explained_class, stance_of
from ...images.conversion import shades
from ...masking.baselines import BaselineCache
from ...masking.inpainting import INPAINTINGS
from ...masking.masked_pixels import (
    hidden_pixels,
    mask_pixels,
    multiply_pixels,
    paint_pixels,
)
from ...models.detection_model import DetectionModel, while_masked
from ...models.findings import Findings, FindsInPicture
from ...models.vision_model import VisionModel
from ...runtime.caches import make_room
from ..view.findings import FollowedCurve
from ..view.mask_settings import MaskSettings

__all__ = [
    "inpainted_payload",
    "mask_shown_picture",
    "predict_masked",
    "refine_curve",
    "replaced_pixels",
]

#: Points of a complete curve; each pass of ``_PASSES`` adds those between the ones before.
_STEPS = 21
#: On the chart's axis, a square root, they are evenly spaced.
_SPACING = "quadratic"
_PASSES = ((0, 5, 10, 15, 20), (2, 7, 12, 17, 3, 8, 13, 18), (1, 4, 6, 9, 11, 14, 16, 19))


def replaced_pixels(
    mask: MaskSettings, explanation: Explanation | None, levels: np.ndarray
) -> np.ndarray:
    """Return which pixels are replaced by the fill, bool (H, W). In the mode "multiply" only painted ones are.

    Args:
        mask: the present mask.
        explanation: the map; None if there is none, which masks nothing.
        levels: its rank levels, uint16 (H, W); any array of that shape if there is no map.
    """
    if explanation is None or explanation.is_empty or mask.mode == "multiply":
        mask = mask._replace(mode="remove", fraction=0.0)
    return hidden_pixels(levels, [mask.fraction], mask.mode, mask.paint)[0].numpy()


def mask_shown_picture(
    pixels: torch.Tensor,
    explanation: Explanation,
    levels: np.ndarray,
    mask: MaskSettings,
    frames: int | None = None,
) -> torch.Tensor:
    """Mask a picture (C, H, W), or a strip of frames, as the browser shows it and the model gets it."""
    mode, baseline, fraction, paint = mask
    if explanation.is_empty:
        return paint_pixels(pixels, pixels, paint, baseline, frames)
    if mode == "multiply":
        product = multiply_pixels(pixels, explanation.saliency)
        return paint_pixels(product, pixels, paint, baseline, frames)
    return mask_pixels(
        pixels,
        levels,
        [fraction],
        mode=mode,
        baseline=baseline,
        paint=paint,
        fill=_fill(pixels, baseline, frames),
        frames=frames,
    )[0]


_fills = BaselineCache()


def _fill(pixels: torch.Tensor, baseline: str, frames: int | None) -> torch.Tensor | None:
    """Return a baseline's fill for all pixels (C, H, W); None for an inpainting, which depends on the mask."""
    return None if baseline in INPAINTINGS else _fills.get(pixels, baseline, frames)


def inpainted_payload(masked: torch.Tensor, hidden: np.ndarray, baseline: str) -> dict[str, Any]:
    """Encode the pixels of an inpainted hole, which the browser cannot compute; empty for any other baseline.

    Args:
        masked: the picture (C, H, W) with the hole filled.
        hidden: the hole, bool (H, W).
        baseline: what it is filled with.
    """
    if baseline not in INPAINTINGS:
        return {}
    return {
        "baseline": baseline,
        "hole": np.packbits(hidden).tobytes(),
        "rgb": shades(masked)[hidden].tobytes(),
    }


def predict_masked(
    passes: StrokePasses, masked: torch.Tensor
) -> tuple[np.ndarray, Findings | None]:
    """Predict one masked picture (C, H, W), which may be near the last one.

    Returns:
        The probabilities (classes,), float64; and where the classes are in it, of a model that says so.
    """
    make_room(masked)
    model = while_masked(passes.model)
    if isinstance(model, FindsInPicture):
        found = model.findings(masked[None])
        return found.probabilities, found
    probabilities = model.probabilities(passes.logits(masked))[0]
    return np.asarray(probabilities.double().cpu().numpy()), None


def refine_curve(
    model: VisionModel,
    pixels: torch.Tensor,
    explanation: Explanation,
    levels: np.ndarray,
    mask: MaskSettings,
    unmasked: np.ndarray,
) -> Iterator[MaskCurve | None]:
    """Compute the curve in passes from coarse to fine, and yield it after each; None between two model runs.

    Args:
        model: the model under its text.
        pixels: of the picture, (C, H, W).
        explanation: the map.
        levels: its rank levels, uint16 (H, W).
        mask: the present mask; its fraction is varied from 0 to 1.
        unmasked: probabilities (classes,) of the unmasked picture.
    """
    mode, baseline, _, paint = mask
    fractions = spaced_fractions(_STEPS, _SPACING)
    known: dict[int, np.ndarray] = {}
    followed: dict[int, np.ndarray] = {}

    def predictions(steps: tuple[int, ...], begin: int, end: int) -> np.ndarray:
        make_room(pixels)
        stack = mask_pixels(
            pixels,
            levels,
            fractions[list(steps[begin:end])].tolist(),
            mode=mode,
            baseline=baseline,
            paint=paint,
            fill=_fill(pixels, baseline, model.frames),
            frames=model.frames,
        )
        logits, matches = _run(while_masked(model), stack)
        if matches is not None:
            followed.update(zip(steps[begin:end], matches, strict=True))
        values = model.probabilities(logits)
        return np.asarray(values.double().cpu().numpy())

    # A batch should take about 0.1 s: then a prediction for the slider may run before the next one.
    height, width = pixels.shape[-2:]
    series = responsive_series(model, _STEPS, height, width, 0.1)
    for steps in _PASSES:
        for done, values in in_batches(model, 0, len(steps), series, partial(predictions, steps)):
            known.update(zip(steps[done - len(values) : done], values, strict=True))
            if done < len(steps):
                yield None
        order = sorted(known)
        points = np.stack([known[i] for i in order])
        target = explained_class(explanation.target)
        curve = curve_of(
            model,
            fractions[order],
            points,
            unmasked,
            target,
            mode,
            baseline,
            _SPACING,
            stance_of(explanation.target).other,
        )
        if followed:
            matches = np.array([followed[i][target] for i in order])
            curve = FollowedCurve(**vars(curve), matches=matches)
        yield curve


def _run(model: VisionModel, pixels: torch.Tensor) -> tuple[torch.Tensor, np.ndarray | None]:
    """Return the logits, and how well detections are matched, of a model that is asked something else about them."""
    if not isinstance(model, DetectionModel) or model.about == "score":
        return model.logits(pixels), None
    logits, matches = model.followed(pixels)
    return logits, matches.double().cpu().numpy()
