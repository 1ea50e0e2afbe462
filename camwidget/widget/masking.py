"""The model's answers to masked pictures: one for the slider, and the whole curve, coarse to fine."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from .. import perturb
from ..explanation import Explanation
from ..models import VisionModel
from ..perturb import MaskCurve, curve_of, mask_pixels, multiply_pixels, probabilities

__all__ = ["MODES", "is_whole", "masked_probabilities", "refine_curve"]

#: Beside removing and keeping, the picture times its map.
MODES = (*perturb.MODES, "multiply")

#: Points of the curve; each pass of ``_PASSES`` adds those between the ones before.
_STEPS = 21
_PASSES = ((0, 5, 10, 15, 20), (2, 7, 12, 17, 3, 8, 13, 18), (1, 4, 6, 9, 11, 14, 16, 19))


def is_whole(mode: str, fraction: float) -> bool:
    """Whether such a mask leaves the picture whole."""
    return (mode, fraction) in (("remove", 0.0), ("keep", 1.0))


def masked_probabilities(
    model: VisionModel,
    pixels: torch.Tensor,
    explanation: Explanation,
    levels: np.ndarray,
    mode: str,
    baseline: str,
    fraction: float,
) -> np.ndarray:
    """Probabilities (classes,) of the picture as it is masked on the screen."""
    if mode == "multiply":
        masked = multiply_pixels(pixels, explanation.saliency)[None]
    else:
        masked = mask_pixels(pixels, levels, [fraction], mode=mode, baseline=baseline)
    return model.probabilities(model.logits(masked))[0].double().cpu().numpy()


def refine_curve(
    model: VisionModel,
    pixels: torch.Tensor,
    explanation: Explanation,
    levels: np.ndarray,
    mode: str,
    baseline: str,
) -> Iterator[tuple[MaskCurve, bool]]:
    """The curve after each pass, and whether it is complete: a first shape soon, the rest when there is time."""
    known: dict[int, np.ndarray] = {}
    fractions = np.linspace(0, 1, _STEPS)
    for steps in _PASSES:
        stack = mask_pixels(
            pixels, levels, fractions[list(steps)].tolist(), mode=mode, baseline=baseline
        )
        values = probabilities(model, stack, progress=lambda done, total: None).double().numpy()
        known.update(zip(steps, values, strict=True))
        order = sorted(known)
        points = np.stack([known[i] for i in order])
        whole = points[0] if mode == "remove" else points[-1]
        yield (
            curve_of(model, fractions[order], points, whole, explanation.target, mode, baseline),
            len(known) == _STEPS,
        )
