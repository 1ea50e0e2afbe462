"""Export of an explorer as an offline page: the arguments of ``save_page`` for the map that is shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ...errors import PictureError
from ...export import save_page
from ...masking.inpainting import INPAINTINGS
from ..control.context import ExplorerContext
from ..control.finding_control import DetectionController
from ..control.method_settings import configured, options_of

__all__ = ["explorer_page"]


def explorer_page(
    context: ExplorerContext, path: str | os.PathLike[str], options: dict[str, Any]
) -> Path:
    """Write the offline page of an explorer.

    Args:
        context: the explorer's.
        path: of the file; see ``Explorer.save``.
        options: arguments of ``save_page`` that replace those taken from the explorer.

    Returns:
        The path of the file written.

    Raises:
        PictureError: if the explorer has no picture.
    """
    picture, values = context.picture, context.values
    if picture is None:
        raise PictureError("There is no picture to save a page of: add(…) one.")
    prompt = context.prompt
    cache = prompt.cache(picture, prompt.known(picture))
    # Detections that nobody chose are each picture's own, also in the page.
    is_open = isinstance(prompt, DetectionController) and prompt.finds_for_itself
    # Inpainting depends on the mask: a page has no model to do it with.
    baseline = "blur" if values.baseline in INPAINTINGS else values.baseline
    shown: dict[str, Any] = {
        "target": values.target,
        "method": configured(values.method, options_of(values.settings, values.method)),
        "layer": values.layer,
        "mode": values.mode,
        "baseline": baseline,
        "fraction": values.fraction,
        "frame": min(context.display.view.frame, (cache.model.frames or 1) - 1),
        "box_threshold": values.box_threshold,
        "classes": context.display.row_classes or 5,
        "name": picture.name,
    }
    model = cache.model
    if is_open:
        model = prompt.model.given(about=values.about, least_score=values.least_score)
    return save_page(model, cache.pixels(picture), path, **{**shown, **options}).path
