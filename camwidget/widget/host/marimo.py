"""What marimo shows of an explorer: it runs anywidgets, and no other widgets."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from ...errors import CamwidgetError
from ...images.folders import picture_suffixes

__all__ = ["MISSING_IN_MARIMO", "marimo_elements"]

#: Said beside the picture. marimo runs anywidgets only; of the explorer's parts the picture with its controls is one.
MISSING_IN_MARIMO = (
    "marimo shows neither ipycanvas nor bqplot: here the thumbnails, the bars and the curve are left out, and so are "
    "the panels (DeepVis, Evaluate, Contact sheet). In Python they are all there: explain, evaluate, mask_curve."
)


def marimo_elements(view: Any, upload: Callable[[str, bytes], None]) -> tuple[Any, tuple[Any, ...]]:
    """Make marimo's elements of an explorer: the picture with all its controls and numbers, and an upload.

    Args:
        view: the picture view, an anywidget.
        upload: called with (file name, bytes) of each uploaded file.

    Returns:
        What marimo shows, and the elements in it: marimo forgets one that nothing holds, though it is on the page.

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
