"""``FootprintKeys``: the part of the footprint example that takes the keyboard and tells what has changed."""

from __future__ import annotations

import anywidget
import traitlets as t

from ..._assets import STATIC
from .page_messages import CheckedMessages

__all__ = ["FootprintKeys"]


class FootprintKeys(CheckedMessages, anywidget.AnyWidget):
    """An element that can have the focus, for the canvas beside it, and a status that screen readers read out.

    Sends ``{"type": "key", "key": …}``, and ``{"type": "focus"}`` or ``{"type": "blur"}``.
    """

    _esm = (STATIC / "footprints.js").read_text("utf-8")
    _css = (STATIC / "footprints.css").read_text("utf-8")

    status = t.Unicode("").tag(sync=True)

    def _show_refusal(self, text: str) -> None:
        self.status = text
