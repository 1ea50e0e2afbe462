"""``SharpCanvas``: an ipycanvas canvas for high-density screens that redraws itself for each new page."""

from __future__ import annotations

from collections.abc import Callable

import ipycanvas
import ipywidgets
from ipycanvas import hold_canvas

from ...runtime import fork_safety
from ...runtime.error_reports import error_text
from .. import _compat

__all__ = ["INK", "SharpCanvas"]

#: Color of text, legible on light and dark backgrounds: a canvas does not know the page's.
INK = "#7d848c"

# ipycanvas has one queue for the drawing commands of all canvases, and no lock for it.
_drawing = fork_safety.rlock()


class SharpCanvas:
    """A canvas that several threads can draw on, and several pages can show.

    Sizes and clicks are in CSS pixels; drawing functions use canvas pixels, ``SHARP`` for each CSS pixel.

    Args:
        draw: draws the complete content; called with the lock held.
        on_click: called with the position (x, y) of a click.
        on_error: called with a text when a handler, or the drawing for a new page, fails.
        on_drag: called with the position (x, y) of the pointer while it moves with its button down.
        on_key: called with the name of each key that is pressed while the canvas has the focus; none if None.
    """

    SHARP = 2  #: canvas pixels per CSS pixel, for high-density screens
    WIDEST = 32_000 // SHARP  #: CSS pixels; browsers draw nothing on wider ones

    def __init__(
        self,
        draw: Callable[[], None],
        on_click: Callable[[float, float], None],
        on_error: Callable[[str], None],
        on_drag: Callable[[float, float], None] | None = None,
        on_key: Callable[[str], None] | None = None,
    ) -> None:
        self._draw = draw
        self._on_click, self._on_drag, self._on_error = on_click, on_drag, on_error
        self._is_down = False
        self.canvas = ipycanvas.Canvas(
            width=self.SHARP, height=self.SHARP, layout=ipywidgets.Layout()
        )
        self.canvas.on_mouse_down(self._clicked)
        if on_drag is not None:
            self.canvas.on_mouse_move(self._moved)
            self.canvas.on_mouse_up(self._released)
            self.canvas.on_mouse_out(self._released)
        if on_key is not None:
            self._on_key = on_key
            self.canvas.on_key_down(self._pressed)
        # Drawings are not part of the widget's state: a reloaded page, or a second view, starts empty.
        self.canvas.on_client_ready(self._ready)

    def resize(self, width: int, height: int) -> None:
        """Set the size of the canvas in CSS pixels; a change clears it."""
        for side, pixels in (("width", width), ("height", height)):
            if getattr(self.canvas, side) != pixels * self.SHARP:
                setattr(self.canvas, side, pixels * self.SHARP)
                setattr(self.canvas.layout, side, f"{pixels}px")
                setattr(self.canvas.layout, f"min_{side}", f"{pixels}px")

    def _clicked(self, x: float, y: float) -> None:
        self._is_down = True
        self._call(self._on_click, x, y)

    def _moved(self, x: float, y: float) -> None:
        if self._is_down and self._on_drag is not None:
            self._call(self._on_drag, x, y)

    def _released(self, x: float, y: float) -> None:
        self._is_down = False

    def _call(self, handler: Callable[[float, float], None], x: float, y: float) -> None:
        try:
            handler(x / self.SHARP, y / self.SHARP)
        except Exception as error:
            self._on_error(error_text(error, self))

    def _pressed(self, key: str, *modifiers: bool) -> None:
        try:
            self._on_key(key)
        except Exception as error:
            self._on_error(error_text(error, self))

    def _ready(self) -> None:
        try:
            self.draw()
        except Exception as error:
            self._on_error(error_text(error, self))

    def draw(self) -> None:
        """Draw the complete content."""
        self.paint(self._draw)

    def paint(self, draw: Callable[[], None]) -> None:
        """Call a drawing function, which draws over the present content."""
        with _drawing:
            _compat.canvas_queue_forget_current()
            with hold_canvas():
                try:
                    draw()
                except Exception:
                    # The unfinished commands must not be sent later with those of another drawing.
                    _compat.canvas_queue_drop()
                    if self.canvas.comm is not None:
                        raise
                    # Another thread has closed the canvas meanwhile: there is nothing to draw on.
            _compat.canvas_queue_forget_current()  # the queue would keep a closed canvas alive
