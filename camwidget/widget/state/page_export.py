"""A saved page of what an explorer shows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import PictureError
from ...export import save_page
from ...masking.inpainting import INPAINTINGS

if TYPE_CHECKING:
    from ..explorer import Explorer

__all__ = ["explorer_page"]


def explorer_page(
    explorer: Explorer, path: str | os.PathLike[str], options: dict[str, Any]
) -> Path:
    """Write it, and say where; see ``Explorer.save``."""
    explorer.wait()
    if not explorer.pictures:
        raise PictureError("There is no picture to save a page of: add(…) one.")
    picture = explorer.pictures[explorer.picture]
    texts = explorer._texts
    bench = texts.bench(picture, texts.known(picture))
    # An inpainting is made anew for every mask, which a page cannot.
    baseline = "blur" if explorer.baseline in INPAINTINGS else explorer.baseline
    shown: dict[str, Any] = {
        "target": explorer.target,
        "method": explorer.method,
        "layer": explorer.layer,
        "mode": explorer.mode,
        "baseline": baseline,
        "fraction": explorer.fraction,
        "classes": explorer._screen.row_classes or 5,
        "name": picture.name,
    }
    return save_page(bench.model, bench.pixels(picture), path, **{**shown, **options}).path
