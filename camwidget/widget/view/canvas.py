"""An ipycanvas canvas that is sharp on dense screens, and is redrawn whenever a page requests it."""

from __future__ import annotations

from collections.abc import Callable

import ipycanvas
import ipywidgets
from ipycanvas import hold_canvas

from ...runtime import fork_safety
from ...runtime.error_reports import error_text
from .. import _compat

__all__ = ["SharpCanvas"]

# ipycanvas queues the drawing of all canvases in one place, without a lock of its own.
_drawing = fork_safety.rlock()


class SharpCanvas:
    """A canvas with everything that drawing on one from several threads and for several pages takes.

    Sizes and clicks are in CSS pixels; what draws works in canvas pixels, ``SHARP`` to each.

    Args:
        draw: draws everything; called with the lock held.
        on_click: called with x and y.
        on_error: called with a text when a click, or drawing for a page that comes up, fails.
    """

    SHARP = 2  #: canvas pixels a CSS pixel, for high-density screens
    WIDEST = 32_000 // SHARP  #: CSS pixels; browsers draw nothing on wider ones

    def __init__(
        self,
        draw: Callable[[], None],
        on_click: Callable[[float, float], None],
        on_error: Callable[[str], None],
    ) -> None:
        self._draw = draw
        self._on_click, self._on_error = on_click, on_error
        self.canvas = ipycanvas.Canvas(
            width=self.SHARP, height=self.SHARP, layout=ipywidgets.Layout()
        )
        self.canvas.on_mouse_down(self._clicked)
        # Drawings are not state: a page that reloads, or a second view, comes up empty.
        self.canvas.on_client_ready(self._ready)

    def resize(self, width: int, height: int) -> None:
        """Give the canvas another size, which empties it."""
        for side, pixels in (("width", width), ("height", height)):
            if getattr(self.canvas, side) != pixels * self.SHARP:
                setattr(self.canvas, side, pixels * self.SHARP)
                setattr(self.canvas.layout, side, f"{pixels}px")
                setattr(self.canvas.layout, f"min_{side}", f"{pixels}px")

    def _clicked(self, x: float, y: float) -> None:
        try:
            self._on_click(x / self.SHARP, y / self.SHARP)
        except Exception as error:
            self._on_error(error_text(error, self))

    def _ready(self) -> None:
        try:
            self.draw()
        except Exception as error:
            self._on_error(error_text(error, self))

    def draw(self) -> None:
        """Draw everything anew."""
        self.paint(self._draw)

    def paint(self, draw: Callable[[], None]) -> None:
        """Draw a part, over what is there."""
        with _drawing:
            _compat.canvas_queue_forget_current()
            with hold_canvas():
                try:
                    draw()
                except Exception:
                    # Half a drawing must not be sent later with someone else's.
                    _compat.canvas_queue_drop()
                    raise
            _compat.canvas_queue_forget_current()  # nor is one kept that is closed
