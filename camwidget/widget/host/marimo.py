"""Elements that marimo shows for an explorer: of its widgets, marimo can run only the picture view (an anywidget)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from ...errors import CamwidgetError
from ...images.folders import picture_suffixes

__all__ = ["MISSING_IN_MARIMO", "marimo_elements"]

#: Note under the picture: marimo runs anywidgets only, and of an explorer's widgets only the picture view is one.
MISSING_IN_MARIMO = (
    "marimo shows neither ipycanvas nor bqplot: thumbnails, bars, curve and panels (DeepVis, Evaluate, "
    "Contact sheet) are left out. The same is available in Python: visualize, evaluate, explain, mask_curve."
)


def marimo_elements(view: Any, upload: Callable[[str, bytes], None]) -> tuple[Any, tuple[Any, ...]]:
    """Make marimo's elements for an explorer: the picture view with its controls and numbers, and an upload.

    Args:
        view: the picture view, an anywidget.
        upload: called with (file name, bytes) of each uploaded file.

    Returns:
        The element to show, and the elements in it, which the caller has to keep: marimo drops unreferenced ones even
        while they are shown.

    Raises:
        CamwidgetError: if marimo is not there, or too old.
    """
    try:
        marimo = importlib.import_module("marimo")
        element, file, stack = marimo.ui.anywidget, marimo.ui.file, marimo.vstack
    except (ImportError, AttributeError) as error:
        raise CamwidgetError("This shows an Explorer in marimo >= 0.20 only.") from error

    def add(files: Sequence[Any]) -> None:
        for each in files:
            upload(each.name, each.contents)

    button = file(
        filetypes=sorted(picture_suffixes()),
        multiple=True,
        label="Add picture",
        on_change=add,
    )
    elements = (element(view), button)
    return stack(elements), elements
