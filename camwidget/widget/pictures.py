"""The pictures of an explorer, from whatever a person passes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import PictureError
from ..truth import GroundTruth
from .workbench import Picture

__all__ = ["SUFFIXES", "list_pictures", "named_picture"]

#: Of files that are taken for pictures.
SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def _picture(source: Any, name: str) -> Picture:
    """A picture, or something that carries one, perhaps with its truth, as the zoo's samples do."""
    truth = source if isinstance(source, GroundTruth) else None
    return Picture(getattr(source, "image", source), name, truth)


def named_picture(source: Any, number: int) -> Picture:
    """One picture with a name to show: its file's, or its number."""
    if isinstance(source, (str, os.PathLike)):
        return Picture(source, Path(source).name)
    return _picture(source, f"picture {number + 1}")


def list_pictures(images: Any) -> list[Picture]:
    """A picture, a list of them, a mapping from names, a folder, or a tensor (N, C, H, W).

    Files are not opened here: a broken one must not keep the others from being shown.
    """
    if images is None:
        return []
    if isinstance(images, Mapping):
        return [_picture(v, str(k)) for k, v in images.items()]
    if isinstance(images, (str, os.PathLike)) and Path(images).is_dir():
        files = sorted(p for p in Path(images).iterdir() if p.suffix.lower() in SUFFIXES)
        if not files:
            raise PictureError(
                f"The folder {str(images)!r} has no picture ({', '.join(sorted(SUFFIXES))})."
            )
        return [Picture(p, p.name) for p in files]
    if isinstance(images, (list, tuple)) or (isinstance(images, torch.Tensor) and images.ndim == 4):
        return [named_picture(source, i) for i, source in enumerate(images)]
    return [named_picture(images, 0)]
