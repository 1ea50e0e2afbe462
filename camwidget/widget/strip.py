"""The strip of small pictures on one ipycanvas, with the upload beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import ipywidgets
import numpy as np
from PIL import Image

from ..colors import ACCENT
from ..error_reports import error_text
from .paper import Paper

__all__ = ["TILE", "PictureStrip", "thumbnail"]


class PictureStrip:
    """Thumbnails, of which a click picks one.

    Args:
        on_pick: called with the number of the thumbnail that was clicked.
        on_upload: called with (file name, bytes) of each uploaded file.
        on_error: called with a text when anything else fails that a page has asked for.
    """

    SIDE = 56  #: CSS pixels
    GAP = 8
    MOST = Paper.WIDEST // (SIDE + GAP)  #: thumbnails that are drawn
    PACE = 0.5  #: seconds between two drawings, of many or large pictures

    def __init__(
        self,
        on_pick: Callable[[int], None],
        on_upload: Callable[[str, bytes], None],
        on_error: Callable[[str], None],
    ) -> None:
        self._tiles: list[np.ndarray | None] = []
        self._selected = -1
        self._on_pick = on_pick
        self._on_upload, self._on_error = on_upload, on_error
        self._paper = Paper(self._draw_tiles, self._clicked, on_error)
        self._paper.resize(1, self.SIDE + self.GAP)
        self.upload = ipywidgets.FileUpload(
            accept="image/*",
            multiple=True,
            description="Add picture",
            tooltip="Explain a picture of your own. It stays in this notebook's kernel.",
        )
        self.upload.observe(self._uploaded, "value")
        frame = ipywidgets.Box([self._paper.canvas])
        frame.add_class("camwidget-thumbs")
        self.box = ipywidgets.HBox([frame, self.upload])
        self.box.add_class("camwidget-strip")

    def show(self, tiles: Sequence[np.ndarray | None], selected: int) -> None:
        """Draw thumbnails; None stands for a picture that cannot be read, or is not ready yet.

        Of more than 250 pictures the first 250 are drawn; the others are reached by their number.
        """
        self._tiles = list(tiles)[: self.MOST]
        self._selected = selected
        self.draw()

    def fill(
        self, tile: Callable[[int], np.ndarray | None], count: int, selected: Callable[[], int]
    ) -> Iterator[None]:
        """Make and draw thumbnails, those beside the chosen one first, yielding after each.

        Args:
            tile: makes the thumbnail of a number.
            count: how many pictures there are; of those that are not drawn no thumbnail is made.
            selected: gives the number of the chosen one.
        """
        count = min(count, self.MOST)
        ready: list[np.ndarray | None] = [None] * count
        drawn = time.monotonic()
        first = selected()
        for number in sorted(range(count), key=lambda n: abs(n - first)):
            ready[number] = tile(number)
            if time.monotonic() - drawn > self.PACE:  # show what there is
                self.show(ready, selected())
                drawn = time.monotonic()
            yield
        self.show(ready, selected())

    def select(self, selected: int) -> None:
        """Move the frame that marks the chosen picture."""
        if selected != self._selected:
            self._selected = selected
            self.draw()

    def draw(self) -> None:
        """Draw everything anew."""
        self._paper.resize(max(1, len(self._tiles)) * (self.SIDE + self.GAP), self.SIDE + self.GAP)
        self._paper.draw()

    def _draw_tiles(self) -> None:
        canvas, sharp = self._paper.canvas, Paper.SHARP
        side, pitch = self.SIDE * sharp, (self.SIDE + self.GAP) * sharp
        inset = self.GAP * sharp // 2
        canvas.clear()
        for number, tile in enumerate(self._tiles):
            x = number * pitch + inset
            if tile is None:
                canvas.fill_style = "#80808040"
                canvas.fill_rect(x, inset, side, side)
                canvas.fill_style = "#808080"
                canvas.font = f"{14 * sharp}px sans-serif"
                canvas.text_align, canvas.text_baseline = "center", "middle"
                canvas.fill_text("?", x + side / 2, inset + side / 2)
            else:
                canvas.put_image_data(tile, x, inset)
            if number == self._selected:
                canvas.stroke_style, canvas.line_width = ACCENT, 3 * sharp
                canvas.stroke_rect(x - sharp, inset - sharp, side + 2 * sharp, side + 2 * sharp)

    def _clicked(self, x: float, y: float) -> None:
        number = int(x // (self.SIDE + self.GAP))
        if 0 <= number < len(self._tiles):
            self._on_pick(number)

    def _uploaded(self, change: dict) -> None:
        files = change["new"]
        if not files:
            return
        try:
            for file in files:
                self._on_upload(str(file.get("name", "picture")), bytes(file["content"]))
        except Exception as error:  # what no upload sends
            self._on_error(error_text(error, self))
        # Emptied, so that the button does not go on counting, and the same file can be added again.
        self.upload.value = ()


#: Pixels a side of a thumbnail.
TILE = PictureStrip.SIDE * Paper.SHARP


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """The middle square of a picture, uint8 (H, W, 3), at the size in which the strip draws it."""
    side = TILE
    height, width = pixels.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    square = Image.fromarray(np.ascontiguousarray(pixels[top : top + short, left : left + short]))
    return np.asarray(square.resize((side, side), Image.Resampling.LANCZOS))
