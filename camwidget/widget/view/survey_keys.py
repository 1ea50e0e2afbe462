"""``SurveyKeys``: the part of a survey's sheet that takes the keyboard, follows the scrolling and has a status."""

from __future__ import annotations

import anywidget
import traitlets as t

from ..._assets import STATIC
from .page_messages import CheckedMessages

__all__ = ["SurveyKeys"]


class SurveyKeys(CheckedMessages, anywidget.AnyWidget):
    """An element that can have the focus, for the sheet beside it, and a status that screen readers read out.

    Sends ``{"type": "key", "key": …}``.
    """

    _esm = (STATIC / "survey.js").read_text("utf-8")
    _css = (STATIC / "survey.css").read_text("utf-8")

    #: How far the sheet is scrolled, in CSS pixels; set by the page.
    top = t.Int(0, min=0).tag(sync=True)
    #: Where the sheet is to be scrolled to, in CSS pixels; -1 for where it is.
    reveal = t.Int(-1).tag(sync=True, output=True)
    status = t.Unicode("").tag(sync=True, output=True)

    def _show_refusal(self, text: str) -> None:
        self.status = text
