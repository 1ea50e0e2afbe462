"""``Parts``: a division of a picture into parts that are hidden as a whole, such as superpixels."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ..errors import PictureError

__all__ = ["SUPERPIXELS", "Parts", "superpixels"]

#: About how many superpixels a picture is divided into, unless the user says otherwise.
SUPERPIXELS = 50

#: Weight of nearness against likeness of colors in superpixels; 10 is common for colors in CIELAB.
_COMPACTNESS = 10.0

#: The same for values in [0, 1] of other than one or three channels. With 10, superpixels are a grid, whatever the
#: picture; with 0.1, many join. (Discs on noise with 2 to 8 channels: 0.96 to 0.99 of the variance is between parts.)
_COMPACTNESS_OF_CHANNELS = 0.3


class Parts:
    """Division of a picture into parts, each of which is hidden or shown as a whole.

    Two divisions are equal if they divide alike; the numbers of the parts may differ.

    Args:
        labels: integer (H, W), in pixels of ``model.pixels(picture)``: the same number for all pixels of a part.

    Raises:
        PictureError: if it is no such array, or has a single part.

    Example:
        >>> import numpy as np
        >>> import camwidget as cw
        >>> halves = np.arange(192)[:, None].repeat(192, 1) // 96
        >>> parts = cw.Parts(halves)
        >>> parts.count, parts.sizes.tolist()
        (2, [18432, 18432])
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method=cw.get_method("kernelshap", parts=parts)).parts.values.shape
        (2,)
    """

    def __init__(self, labels: Any) -> None:
        array = (
            labels.detach().cpu().numpy()
            if isinstance(labels, torch.Tensor)
            else np.asarray(labels)
        )
        if array.ndim != 2 or array.dtype.kind not in "biu":
            raise PictureError(
                f"The parts of a picture are an array of integers (H, W), a number for each pixel, not {array.dtype} "
                f"{array.shape}."
            )
        found, first, numbers = np.unique(array, return_index=True, return_inverse=True)
        if len(found) < 2:
            raise PictureError("The picture has one part only: divide it into two at least.")
        # Numbered in order of their first pixels, so that equal divisions have equal numbers.
        order = np.empty(len(found), np.int64)
        order[np.argsort(first)] = np.arange(len(found))
        #: Number of each pixel's part, int64 (H, W), from 0 on.
        self.labels: np.ndarray = order[numbers.reshape(array.shape)]
        self.labels.flags.writeable = False

    @property
    def count(self) -> int:
        """Number of parts."""
        return len(self.sizes)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Number of pixels of each part."""
        return np.bincount(self.labels.ravel())

    @cached_property
    def borders(self) -> np.ndarray:
        """Pixels whose right or lower neighbor is of another part, bool (H, W)."""
        found = np.zeros(self.labels.shape, bool)
        found[:, :-1] |= self.labels[:, :-1] != self.labels[:, 1:]
        found[:-1] |= self.labels[:-1] != self.labels[1:]
        return found

    @cached_property
    def _digest(self) -> str:
        small = self.labels.astype(np.int32)
        return hashlib.sha256(repr(small.shape).encode() + small.tobytes()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parts) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __repr__(self) -> str:
        rows, columns = self.labels.shape
        return f"Parts({self.count} of {columns}×{rows}, {self._digest})"


def superpixels(pixels: np.ndarray, number: int) -> Parts:
    """Divide a picture into superpixels: SLIC of Achanta et al. 2012, TPAMI, doi:10.1109/TPAMI.2012.120.

    Args:
        pixels: uint8 (H, W, channels).
        number: about how many superpixels; the picture decides how many there are.

    Returns:
        Connected parts, the same ones each time.

    Raises:
        PictureError: if the picture has too few pixels for two of them.

    Example:
        >>> import camwidget as cw
        >>> from camwidget.masking.parts import superpixels
        >>> 10 < superpixels(cw.zoo.samples("zoo/textures")[0].image, 20).count < 30
        True
    """
    from skimage.segmentation import slic  # slow to import

    if pixels.shape[-1] == 1:
        pixels = pixels.repeat(3, axis=-1)
    has_colors = pixels.shape[-1] == 3
    labels = slic(
        pixels,
        n_segments=number,
        compactness=_COMPACTNESS if has_colors else _COMPACTNESS_OF_CHANNELS,
        start_label=0,
        channel_axis=-1,
        convert2lab=has_colors,
    )
    if labels.max() < 1:
        # Without a difference of colors, or with very few pixels, SLIC may join all.
        columns = np.arange(labels.shape[1]) * 2 // labels.shape[1]
        labels = np.broadcast_to(columns, labels.shape)
    return Parts(labels)
