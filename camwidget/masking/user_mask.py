"""Masks painted by the user: pixels to hide and pixels to keep, whatever the saliency map says.

Paint is int8 (H, W) at the model's input size. The browser (``js/src/core``) has the same rule: first the map masks the
picture, then pixels painted ``HIDDEN`` get the baseline, and pixels painted ``KEPT`` get the picture back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._validation import check_no_masked_values
from ..errors import PictureError

__all__ = [
    "HIDDEN",
    "KEPT",
    "as_paint",
    "decode",
    "encode",
    "has_hidden",
    "is_same_paint",
    "painted_fractions",
]

#: Values of painted pixels; the map decides where the value is 0.
HIDDEN, KEPT = 1, -1


def as_paint(
    paint: Any, shape: tuple[int, int] | None = None, frames: int | None = None
) -> np.ndarray | None:
    """Convert a painted mask to paint.

    Args:
        paint: bool (H, W), True where the picture is hidden; or integers (H, W): 1 hidden, -1 kept, 0 left to the map;
            or None. Of a clip (T, H, W), which is returned as the strip that its pixels are.
        shape: required shape, that of the picture at the model's input size; any if None.
        frames: number T of frames of a clip, whose strip has the shape; None for a picture, which takes no (T, H, W).

    Returns:
        A read-only copy, int8 (H, W); None if nothing is painted.

    Raises:
        PictureError: if the mask has another shape, type or value.
    """
    if paint is None:
        return None
    check_no_masked_values(paint, "the painted mask")
    try:
        given = np.asarray(paint)
    except ValueError as error:
        raise PictureError(f"A painted mask is an array (H, W): {error}") from error
    own = given.shape
    if given.ndim == 3 and len(given) == frames:
        given = given.reshape(-1, given.shape[-1])
    if given.ndim != 2 or (shape is not None and given.shape != shape):
        size: Any = shape or "(H, W)"
        if shape is not None and frames is not None:
            size = (frames, shape[0] // frames, shape[1])
        what = ", the model's input size" if shape is None else ""
        raise PictureError(
            f"A painted mask has the shape {size}{what}, not {own}: np.zeros({size}, np.int8) paints nothing."
        )
    if given.dtype != bool and not np.issubdtype(given.dtype, np.integer):
        raise PictureError(
            f"A painted mask is bool (True hides) or integers (1 hides, -1 keeps, 0 is left to the map), not "
            f"{given.dtype}: compare it first, such as mask > 0.5."
        )
    values = given.astype(np.int64, copy=False)
    if not ((values >= -1) & (values <= 1)).all():
        raise PictureError(
            "A painted mask has 1 (hidden), -1 (kept) and 0 (left to the map) only, not "
            f"{int(values[(values < -1) | (values > 1)][0])}: for 0 and 255, give mask > 0."
        )
    if not values.any():
        return None
    result = values.astype(np.int8)
    result.flags.writeable = False
    return result


def is_same_paint(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    """Return whether two paints are equal, pixel by pixel."""
    if one is None or other is None:
        return one is other
    return one is other or np.array_equal(one, other)


def has_hidden(paint: np.ndarray | None) -> bool:
    """Return whether any pixel is painted ``HIDDEN``."""
    return paint is not None and bool((paint == HIDDEN).any())


def painted_fractions(paint: np.ndarray | None) -> tuple[float, float]:
    """Return the fractions of the picture painted ``HIDDEN`` and ``KEPT``, each in [0, 1]."""
    if paint is None:
        return 0.0, 0.0
    return float((paint == HIDDEN).mean()), float((paint == KEPT).mean())


def encode(paint: np.ndarray | None) -> list[int]:
    """Encode paint as runs in reading order: value, length, value, length, …; a final run of zeros is left out.

    ``js/src/core/userMask.ts`` does the same, to the number.
    """
    if paint is None or not paint.size:
        return []
    flat = paint.ravel()
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
    lengths = np.diff(np.concatenate([starts, [flat.size]]))
    runs: list[int] = np.stack([flat[starts].astype(np.int64), lengths], axis=1).ravel().tolist()
    return runs[:-2] if runs[-2] == 0 else runs


def decode(runs: Sequence[int], shape: tuple[int, int]) -> np.ndarray | None:
    """Decode the runs of ``encode``.

    Args:
        runs: value, length, value, length, ….
        shape: shape (H, W) of the paint.

    Returns:
        The paint, int8 (H, W); None if nothing is painted.

    Raises:
        PictureError: if the runs are malformed, or longer than the picture has pixels.
    """
    if not isinstance(runs, list | tuple) or not all(type(value) is int for value in runs):
        raise PictureError("Encoded paint is a list of integers: value, length, value, length, …")
    values, lengths = runs[::2], runs[1::2]
    size = shape[0] * shape[1]
    if len(values) != len(lengths) or any(length < 1 for length in lengths):
        raise PictureError("Encoded paint has pairs of a value and a number of pixels, at least 1.")
    if not set(values) <= {HIDDEN, 0, KEPT}:
        raise PictureError(
            "Paint has the values 1 (hidden), -1 (kept) and 0 (left to the map) only."
        )
    if sum(lengths) > size:
        raise PictureError(
            f"The paint has {sum(lengths)} pixels, the picture {shape[0]} × {shape[1]}: it is another picture's."
        )
    flat = np.zeros(size, np.int8)
    painted = np.repeat(np.array(values, np.int8), lengths)
    flat[: painted.size] = painted
    return as_paint(flat.reshape(shape))
