"""The strip of small pictures on one ipycanvas, with the upload beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import ipycanvas
import ipywidgets
import numpy as np
from ipycanvas import hold_canvas
from PIL import Image

from .colors import ACCENT

__all__ = ["PictureStrip", "thumbnail"]

# ipycanvas queues the drawing of all canvases in one place, without a lock of its own.
_drawing = threading.RLock()


class PictureStrip:
    """Thumbnails, of which a click picks one.

    Args:
        on_pick: called with the number of the thumbnail that was clicked.
        on_upload: called with (file name, bytes) of each uploaded file.
    """

    SIDE = 56  #: CSS pixels
    GAP = 8
    SHARP = 2  #: canvas pixels a CSS pixel, for high-density screens
    WIDEST = 32_000  #: canvas pixels; browsers draw nothing on wider ones

    def __init__(
        self, on_pick: Callable[[int], None], on_upload: Callable[[str, bytes], None]
    ) -> None:
        self._tiles: list[np.ndarray | None] = []
        self._selected = -1
        self._on_pick = on_pick
        self._on_upload = on_upload
        self.canvas = ipycanvas.Canvas(
            width=self.SHARP,
            height=self._height(),
            layout=ipywidgets.Layout(height=f"{self._css_height()}px"),
        )
        self.canvas.on_mouse_down(self._clicked)
        # Drawings are not state: a page that reloads, or a second view, comes up empty.
        self.canvas.on_client_ready(self.draw)
        self.upload = ipywidgets.FileUpload(
            accept="image/*",
            multiple=True,
            description="Add picture",
            tooltip="Explain a picture of your own. It stays in this notebook's kernel.",
        )
        self.upload.observe(self._uploaded, "value")
        frame = ipywidgets.Box([self.canvas])
        frame.add_class("camwidget-thumbs")
        self.box = ipywidgets.HBox([frame, self.upload])
        self.box.add_class("camwidget-strip")

    def _css_height(self) -> int:
        return self.SIDE + self.GAP

    def _height(self) -> int:
        return self.SHARP * self._css_height()

    def show(self, tiles: Sequence[np.ndarray | None], selected: int) -> None:
        """Draw thumbnails; None stands for a picture that cannot be read, or is not ready yet.

        Of more than 250 pictures the first 250 are drawn; the others are reached by their number.
        """
        self._tiles = list(tiles)[: self.WIDEST // (self.SHARP * (self.SIDE + self.GAP))]
        self._selected = selected
        self.draw()

    def select(self, selected: int) -> None:
        """Move the frame that marks the chosen picture."""
        if selected != self._selected:
            self._selected = selected
            self.draw()

    def draw(self) -> None:
        """Draw everything anew."""
        with _drawing:
            # A page that reloads leaves the queue pointing at a canvas that is gone (ipycanvas issue 322).
            ipycanvas.canvas._CANVAS_MANAGER._current_canvas = None
            width = max(1, len(self._tiles)) * (self.SIDE + self.GAP)
            if self.canvas.width != width * self.SHARP:
                self.canvas.width = width * self.SHARP
                self.canvas.layout.width = self.canvas.layout.min_width = f"{width}px"
            with hold_canvas():
                try:
                    self._draw_tiles()
                except Exception:
                    # Half a drawing must not be sent later with someone else's.
                    ipycanvas.canvas._CANVAS_MANAGER._commands_cache = []
                    ipycanvas.canvas._CANVAS_MANAGER._buffers_cache = []
                    raise

    def _draw_tiles(self) -> None:
        canvas, side, pitch = (
            self.canvas,
            self.SIDE * self.SHARP,
            (self.SIDE + self.GAP) * self.SHARP,
        )
        inset = self.GAP * self.SHARP // 2
        canvas.clear()
        for number, tile in enumerate(self._tiles):
            x = number * pitch + inset
            if tile is None:
                canvas.fill_style = "#80808040"
                canvas.fill_rect(x, inset, side, side)
                canvas.fill_style = "#808080"
                canvas.font = f"{14 * self.SHARP}px sans-serif"
                canvas.text_align, canvas.text_baseline = "center", "middle"
                canvas.fill_text("?", x + side / 2, inset + side / 2)
            else:
                canvas.put_image_data(tile, x, inset)
            if number == self._selected:
                canvas.stroke_style, canvas.line_width = ACCENT, 3 * self.SHARP
                canvas.stroke_rect(
                    x - self.SHARP, inset - self.SHARP, side + 2 * self.SHARP, side + 2 * self.SHARP
                )

    def _clicked(self, x: float, y: float) -> None:
        number = int(x // ((self.SIDE + self.GAP) * self.SHARP))
        if 0 <= number < len(self._tiles):
            self._on_pick(number)

    def _uploaded(self, change: dict) -> None:
        files = change["new"]
        if not files:
            return
        for file in files:
            self._on_upload(str(file.get("name", "picture")), bytes(file["content"]))
        # Emptied, so that the button does not go on counting, and the same file can be added again.
        self.upload.value = ()


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """The middle square of a picture, uint8 (H, W, 3), at the size in which the strip draws it."""
    side = PictureStrip.SIDE * PictureStrip.SHARP
    height, width = pixels.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    square = Image.fromarray(np.ascontiguousarray(pixels[top : top + short, left : left + short]))
    return np.asarray(square.resize((side, side), Image.Resampling.LANCZOS))
