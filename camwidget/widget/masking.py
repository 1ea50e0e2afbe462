"""The model's answers to masked pictures: one for the slider, and the whole curve, coarse to fine."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch

from .. import perturb
from ..explanation import Explanation
from ..models import VisionModel
from ..perturb import MaskCurve, curve_of, mask_pixels, multiply_pixels
from ..rerun import batch_size

__all__ = ["MODES", "is_whole", "masked_probabilities", "refine_curve"]

#: Beside removing and keeping, the picture times its map.
MODES = (*perturb.MODES, "multiply")

#: Points of a whole curve; each pass of ``_PASSES`` adds those between the ones before.
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
) -> Iterator[MaskCurve | None]:
    """The curve after each pass, a first shape soon and the rest when there is time; None in between."""
    known: dict[int, np.ndarray] = {}
    fractions = np.linspace(0, 1, _STEPS)
    piece = 1
    for steps in _PASSES:
        left = list(steps)
        while left:
            now, left = left[:piece], left[piece:]
            start = time.perf_counter()
            stack = mask_pixels(
                pixels, levels, fractions[now].tolist(), mode=mode, baseline=baseline
            )
            values = model.probabilities(model.logits(stack)).double().cpu().numpy()
            known.update(zip(now, values, strict=True))
            # The next piece takes about a tenth of a second: then the slider may have its turn.
            each = (time.perf_counter() - start) / len(now)
            piece = max(1, min(batch_size(model, *pixels.shape[-2:]), int(0.1 / each)))
            if left:
                yield None
        order = sorted(known)
        points = np.stack([known[i] for i in order])
        whole = points[0] if mode == "remove" else points[-1]
        yield curve_of(model, fractions[order], points, whole, explanation.target, mode, baseline)
