"""``MaskSettings``: how the picture shown is masked, by the slider and by paint."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...analysis import mask_curve
from ...attribution.explanation import Explanation
from ...masking.user_mask import hides

__all__ = ["MODES", "UNMASKED", "MaskSettings", "is_unmasked"]

#: Modes of the slider: removing and keeping, and multiplying the picture by its map.
MODES = (*mask_curve.MODES, "multiply")

#: Where the slider masks nothing: (mode, fraction).
UNMASKED = (("remove", 0.0), ("keep", 1.0))


class MaskSettings(NamedTuple):
    """How a picture is masked: by its map first, then by what is painted on it."""

    mode: str
    baseline: str
    fraction: float
    paint: np.ndarray | None = None


def is_unmasked(mask: MaskSettings, explanation: Explanation) -> bool:
    """Whether a mask hides nothing. A map of zeros ranks nothing, so it masks nothing."""
    at_end = (mask.mode, mask.fraction) in UNMASKED
    return (explanation.is_empty or at_end) and not hides(mask.paint)
