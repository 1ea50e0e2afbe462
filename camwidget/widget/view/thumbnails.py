"""``Thumbnails``: thumbnails of an explorer's pictures on one canvas, and the upload button."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import ipywidgets
import numpy as np
from PIL import Image

from ...plotting import ACCENT
from ...runtime import fork_safety
from ...runtime.error_reports import error_text
from .canvas import SharpCanvas

__all__ = ["TILE", "Thumbnails", "thumbnail"]


class Thumbnails:
    """A row of thumbnails; a click picks a picture. Only thumbnails in sight are made.

    Browsers limit the width of a canvas: of more than ``MOST`` pictures it has those around the chosen one, and moves
    on when the first or last of them is chosen.

    Args:
        on_pick: called with the number of the picture whose thumbnail was clicked.
        on_upload: called with (file name, bytes) of each uploaded file.
        on_error: called with a text when another request of a page fails.
        on_moved: called with the number of the first picture on the canvas, and the number of pictures on it.
    """

    SIDE = 36  #: CSS pixels
    GAP = 6
    MOST = SharpCanvas.WIDEST // (SIDE + GAP)  #: the most thumbnails on the canvas
    SEEN = (
        32  #: thumbnails made around the chosen one before a page has reported which are in sight
    )
    PACE = 0.5  #: seconds between two drawings

    def __init__(
        self,
        on_pick: Callable[[int], None],
        on_upload: Callable[[str, bytes], None],
        on_error: Callable[[str], None],
        on_moved: Callable[[int, int], None] = lambda first, places: None,
    ) -> None:
        #: Held while the range of pictures changes, by the worker or a page; not while they are drawn.
        self._lock = fork_safety.rlock()
        #: Thumbnails by the picture's number; None for a picture that cannot be read.
        self.tiles: dict[int, np.ndarray | None] = {}
        self._count = 0  # of all pictures
        self._first = self._places = 0
        self._seen: tuple[int, int] | None = (
            None  # what a page shows, the numbers of the first and after the last
        )
        self._selected = -1
        self._on_pick = on_pick
        self._on_upload, self._on_error = on_upload, on_error
        self._on_moved = on_moved
        self.canvas = SharpCanvas(self._draw_tiles, self._clicked, on_error)
        self.canvas.resize(1, self.SIDE + self.GAP)
        self.upload = ipywidgets.FileUpload(
            accept="image/*",
            multiple=True,
            description="Add picture",
            tooltip="Explain a picture of your own. It stays in this notebook's kernel.",
        )
        self.upload.observe(self._uploaded, "value")
        frame = ipywidgets.Box([self.canvas.canvas])
        frame.add_class("camwidget-thumbnails-scroll")
        self.box = ipywidgets.HBox([frame, self.upload])
        self.box.add_class("camwidget-thumbnails")

    def fill(
        self, tile: Callable[[int], np.ndarray | None], count: int, selected: Callable[[], int]
    ) -> Iterator[None]:
        """Make and draw the missing thumbnails of those in sight, yielding after each.

        Args:
            tile: makes the thumbnail of a picture by its number; None if it cannot be read.
            count: number of pictures.
            selected: returns the number of the chosen picture, around which thumbnails are made first.
        """
        self._place(count, selected())
        drawn = time.monotonic()
        made: list[int] = []
        while (number := self._next_wanted(selected())) is not None:
            thumb = tile(number)
            with self._lock:
                self.tiles[number] = thumb
            made.append(number)
            if time.monotonic() - drawn > self.PACE:  # show what there is
                self._draw_some(made)
                drawn, made = time.monotonic(), []
            yield
        self._draw_some(made)

    def see(self, first: int, last: int) -> bool:
        """Note that a page shows the thumbnails ``first`` to ``last``; return whether one of them is missing."""
        self._seen = first, last + 1
        return self._next_wanted(self._selected) is not None

    def select(self, selected: int) -> bool:
        """Frame the chosen picture's thumbnail; return whether one of those then in sight is missing."""
        before, self._selected = self._selected, selected
        if selected == before:
            return False
        if not self._place(self._count, selected):
            self._draw_some([before, selected])
        return self._next_wanted(selected) is not None

    def clear(self) -> None:
        """Release all thumbnails."""
        self.tiles = {}

    def _place(self, count: int, selected: int) -> bool:
        """Choose the pictures on the canvas, around the chosen one; return whether they changed and were drawn."""
        with self._lock:
            self._selected = selected
            places, first = min(count, self.MOST), self._first
            # Choosing the first or the last thumbnail moves on to the pictures beyond it.
            is_inside = first + (first > 0) <= selected < first + places - (first + places < count)
            if not is_inside:
                first = selected - places // 2
            first = max(0, min(first, count - places))
            if (first, places) == (self._first, self._places):
                self._count = count
                return False
            if first != self._first:
                self._seen = None  # the page will send it anew
            self._count, self._first, self._places = count, first, places
            self.tiles = {n: t for n, t in self.tiles.items() if first <= n < first + places}
        self._on_moved(self._first, self._places)
        width = max(1, self._places) * (self.SIDE + self.GAP)
        self.canvas.resize(width, self.SIDE + self.GAP)
        self.canvas.draw()
        return True

    def _next_wanted(self, selected: int) -> int | None:
        """Return the number of the thumbnail to make next; None if all in sight are made."""
        first, end = self._first, self._first + self._places
        if self._seen is None:
            start = max(first, min(selected - self.SEEN // 2, end - self.SEEN))
            shown = range(start, min(end, start + self.SEEN))
        else:
            shown = range(max(first, self._seen[0]), min(end, self._seen[1]))
        missing = [number for number in shown if number not in self.tiles]
        return min(missing, key=lambda number: abs(number - selected), default=None)

    def _draw_some(self, numbers: Iterable[int]) -> None:
        """Draw some thumbnails over the present content."""
        wanted = [n for n in numbers if self._first <= n < self._first + self._places]
        if wanted:
            self.canvas.paint(partial(self._draw_each, wanted))

    # -- drawing: called by the canvas ------------------------------------------------------

    def _draw_tiles(self) -> None:
        self.canvas.canvas.clear()
        self._draw_each(range(self._first, self._first + self._places))

    def _draw_each(self, numbers: Iterable[int]) -> None:
        canvas, sharp = self.canvas.canvas, SharpCanvas.SHARP
        side, pitch = self.SIDE * sharp, (self.SIDE + self.GAP) * sharp
        inset = self.GAP * sharp // 2
        for number in numbers:
            x = (number - self._first) * pitch + inset
            # With half the gap around, where the frame is.
            canvas.clear_rect(x - inset, 0, pitch, pitch)
            tile = self.tiles.get(number)
            if tile is None:
                canvas.fill_style = "#80808040"
                canvas.fill_rect(x, inset, side, side)
            else:
                canvas.put_image_data(tile, x, inset)
            if tile is None and number in self.tiles:
                canvas.fill_style = "#808080"
                canvas.font = f"{14 * sharp}px sans-serif"
                canvas.text_align, canvas.text_baseline = "center", "middle"
                canvas.fill_text("?", x + side / 2, inset + side / 2)
            if number == self._selected:
                canvas.stroke_style, canvas.line_width = ACCENT, 3 * sharp
                canvas.stroke_rect(x - sharp, inset - sharp, side + 2 * sharp, side + 2 * sharp)

    def _clicked(self, x: float, y: float) -> None:
        place = int(x // (self.SIDE + self.GAP))
        if 0 <= place < self._places:
            self._on_pick(self._first + place)

    def _uploaded(self, change: dict) -> None:
        files = change["new"]
        if not files:
            return
        try:
            for file in files:
                self._on_upload(str(file.get("name", "picture")), bytes(file["content"]))
        except Exception as error:  # a malformed message
            self._on_error(error_text(error, self))
        # Emptied, so that the button does not go on counting, and the same file can be added again.
        self.upload.value = ()


#: Side of a thumbnail in pixels.
TILE = Thumbnails.SIDE * SharpCanvas.SHARP


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Crop a picture, uint8 (H, W, 3), to its central square, and resize it to a thumbnail (TILE, TILE, 3)."""
    side = TILE
    height, width = pixels.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    square = Image.fromarray(np.ascontiguousarray(pixels[top : top + short, left : left + short]))
    return np.asarray(square.resize((side, side), Image.Resampling.LANCZOS))
