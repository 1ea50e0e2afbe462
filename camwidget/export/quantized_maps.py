"""Maps of a saved page, quantized so that the browser and Python compute the same masks from them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from ..attribution.explaining import saliency_maps
from ..attribution.explanation import Explanation
from ..attribution.methods import Method
from ..attribution.part_values import PartValues
from ..attribution.tone_mapping import tone_knee
from ..images.film_strip import as_clip, as_strip, enlarge, enlarge_in_time
from ..masking.rank_rule import rank_levels

__all__ = ["EXACT", "FINE_STEPS", "STEPS", "QuantizedMap", "quantize_map"]

#: Maps of up to EXACT cells are not quantized; larger ones are rounded to STEPS steps of their maximum.
EXACT, STEPS = 1024, 4095
#: Number of steps for maps that few pixels dominate: nearly all of their values lie far below the maximum.
FINE_STEPS = 65535


@dataclass(frozen=True, eq=False)
class QuantizedMap:
    """A map (h, w) of numbers ≥ 0; of a clip, the strip (T·h, w) of a map in every frame.

    The browser and Python upsample and rank the same quantized values, so that the screen shows the masked picture that
    the model was given.
    """

    cells: np.ndarray = field(repr=False)  #: float32, or uint16 if rounded
    peak: float  #: the maximum before rounding, to compare the maps of several classes
    is_tone_mapped: bool = False  #: whether low values are drawn brighter, see ``tone_mapping``
    parts: PartValues | None = field(default=None, repr=False)  #: of a map whose units are parts
    frames: int | None = None  #: number of frames of a clip

    @property
    def is_empty(self) -> bool:
        """Whether the map is 0 everywhere."""
        return not bool(self.cells.any())

    @property
    def is_rounded(self) -> bool:
        """Whether the cells are integer steps of the maximum."""
        return self.cells.dtype == np.uint16

    def saliency(self, size: tuple[int, int]) -> np.ndarray:
        """Float32 (H, W) in [0, 1]; of a clip, the strip of its frames."""
        cells = torch.from_numpy(self.cells.astype(np.float32))
        if self.frames is not None:  # frame by frame: in time, the map has its size
            height, width = size
            cells = as_strip(enlarge(as_clip(cells, self.frames), (height // self.frames, width)))
        return saliency_maps(cells[None], size)[0].numpy()

    def knee(self, size: tuple[int, int]) -> float | None:
        """The saliency that is drawn at 0.9 of the color scale; None for a linear color scale."""
        return tone_knee(self.saliency(size)) if self.is_tone_mapped else None

    def levels(self, size: tuple[int, int]) -> np.ndarray:
        """The rank levels, uint16 (H, W)."""
        return rank_levels(self.saliency(size))


def quantize_map(explanation: Explanation, method: Method) -> QuantizedMap:
    """Quantize the map of an explanation; that of a clip is enlarged in time first.

    Args:
        explanation: the explanation.
        method: its method, which determines scale and tone mapping.
    """
    lowest = explanation.raw.min() if method.scale == "range" else 0
    values = np.maximum(explanation.raw - lowest, 0).astype(np.float32)
    values += np.float32(0)  # turns −0 into 0: their ranks differ
    frames = None
    if values.ndim == 3:
        frames = len(explanation.saliency)
        values = as_strip(enlarge_in_time(torch.from_numpy(values), frames)).numpy()
    peak = float(values.max())
    if values.size > EXACT and peak > 0:
        most = FINE_STEPS if method.tone_mapped else STEPS
        steps = np.round(values.astype(np.float64) / peak * most)
        values = steps.astype(np.uint16)
    return QuantizedMap(values, peak, method.tone_mapped, explanation.parts, frames)
