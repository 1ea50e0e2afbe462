"""Pixel batches: the pixels of one picture or clip, or of several, in one tensor."""

from __future__ import annotations

from typing import Any

import torch

from ..errors import PictureError
from .clips import as_clips, is_strip
from .conversion import is_prepared
from .preprocess import Preprocess

__all__ = ["is_tensor_batch", "pixel_batch"]


def pixel_batch(preprocess: Preprocess, pictures: Any) -> torch.Tensor:
    """Compute the pixels of a batch.

    Args:
        preprocess: the model's preprocessing.
        pictures: one picture, a list of pictures, or a tensor (N, C, H, W); for a model of clips, one clip or several
            as in ``as_clips``, a floating-point tensor (C, T, H, W) or (N, C, T, H, W), or strips of these.

    Returns:
        float32 (N, C, H, W) in [0, 1] on the CPU; of clips, strips (N, C, T·H, W).

    Raises:
        PictureError: if a picture cannot be read, the list is empty, or the sizes differ.
    """
    if preprocess.frames is not None and not _is_list_of_strips(preprocess, pictures):
        pictures = as_clips(pictures)
    several = isinstance(pictures, (list, tuple)) or is_tensor_batch(preprocess, pictures)
    rows = [preprocess.pixels(p) for p in (pictures if several else [pictures])]
    sizes = {tuple(r.shape[-2:]) for r in rows}
    if len(sizes) != 1:
        raise PictureError(
            f"The pictures of one batch have sizes {sorted(sizes)}; explain them one by one, or resize them."
            if sizes
            else "There is no picture to explain: the list is empty."
        )
    return torch.stack(rows)


def _is_list_of_strips(preprocess: Preprocess, pictures: Any) -> bool:
    """Return whether an argument is a list of strips at the model's input size, and not the frames of one clip."""
    if not isinstance(pictures, (list, tuple)) or preprocess.geometry is not None:
        return False
    assert preprocess.frames is not None
    return bool(pictures) and all(
        is_prepared(p)
        and p.ndim == 3
        and is_strip(p, preprocess.channels, preprocess.frames, preprocess.size)
        for p in pictures
    )


def is_tensor_batch(preprocess: Preprocess, pictures: Any) -> bool:
    """Return whether an argument is a tensor of several pictures, or of several clips or their strips."""
    if not isinstance(pictures, torch.Tensor):
        return False
    if preprocess.frames is None:
        return pictures.ndim == 4
    size = preprocess.size if preprocess.geometry is None else None
    are_strips = pictures.ndim == 4 and is_strip(
        pictures, preprocess.channels, preprocess.frames, size
    )
    return are_strips or pictures.ndim == 5
