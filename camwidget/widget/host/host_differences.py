"""Hosts that cannot show all of an explorer, and what they show instead."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...errors import CamwidgetError
from ...images.folders import picture_suffixes

if TYPE_CHECKING:
    from ..explorer import Explorer

__all__ = ["MISSING_IN_MARIMO", "marimo_element"]

#: Said beside the picture. marimo runs anywidgets only; of the explorer's parts the picture with its controls is one.
MISSING_IN_MARIMO = (
    "marimo shows neither ipycanvas nor bqplot: here the thumbnails, the bars and the curve are left out, and so are "
    "the panels (DeepVis, Evaluate, Contact sheet). In Python they are all there: explain, evaluate, mask_curve."
)


def marimo_element(explorer: Explorer) -> Any:
    """An explorer as marimo can show it: the picture with all its controls and numbers, and an upload.

    Args:
        explorer: which.

    Returns:
        marimo's element.

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
            explorer._hands.upload(each.name, each.contents)

    explorer._screen.tell(missing=MISSING_IN_MARIMO)
    upload = file(
        filetypes=sorted(picture_suffixes()),
        multiple=True,
        label="Add picture",
        on_change=add,
    )
    # marimo forgets an element that nothing holds on to, though it is on the page.
    explorer._elements = (element(explorer._view), upload)
    return stack(explorer._elements)
