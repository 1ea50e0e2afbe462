"""``SurveySheet``: the pictures of a survey with their maps, of which only those in sight are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...attribution.explanation import overlay_heat
from ...plotting import ACCENT
from ...runtime import fork_safety
from ...survey import SurveyResult
from ...survey.survey_columns import THUMBNAIL_SIDE, read_thumbnail
from .canvas import SharpCanvas
from .survey_keys import SurveyKeys

__all__ = ["WRONG", "SurveySheet", "survey_tile"]

#: Color of the mark under a picture that is predicted wrong.
WRONG = "#cf2f52"

_KEYS = {"ArrowLeft": -1, "ArrowRight": 1, "Home": -(10**9), "End": 10**9}


class _TileCanvas(SharpCanvas):
    """A canvas with as many pixels as the thumbnails have, which are not kept larger."""

    SHARP = 1


class SurveySheet:
    """A grid of pictures that scrolls; a click or the enter key opens one.

    The canvas holds the rows in sight and as many above and below, and moves when these are scrolled out of it: a
    browser draws nothing on a canvas as high as 10,000 pictures take.

    Args:
        on_open: called with the row of the survey's table that is opened.
        on_error: called with a text when drawing or a request of a page fails.
    """

    SIDE = THUMBNAIL_SIDE  #: CSS pixels
    GAP = 6
    COLUMNS = 6
    HEIGHT = 390  #: CSS pixels of the part in sight
    PITCH = SIDE + GAP
    MARK = 4  #: CSS pixels of the mark under a wrong picture

    def __init__(self, on_open: Callable[[int], None], on_error: Callable[[str], None]) -> None:
        self._lock = fork_safety.rlock()
        self._survey: SurveyResult | None = None
        self._rows: NDArray[np.int64] = np.zeros(0, np.int64)
        self._opened: int | None = None  # row of the survey's table
        self._cursor = 0  # place on the sheet
        self._has_cursor = False  # whether the keyboard is used
        self._first = 0  # line of the grid with which the canvas begins
        self._with_maps = True
        self._on_open, self._on_error = on_open, on_error
        self.canvas = _TileCanvas(self._draw, self._click, on_error)
        lines = -(-self.HEIGHT // self.PITCH)
        self._lines = 3 * lines
        self.canvas.resize(self.COLUMNS * self.PITCH, self._lines * self.PITCH)
        self.canvas.canvas.layout.position = "absolute"
        self.canvas.canvas.layout.top = "0px"
        #: As high as all pictures, so that the box around it has a scroll bar.
        self._space = ipywidgets.Box([self.canvas.canvas])
        self._space.add_class("camwidget-survey-space")
        self.scroll = ipywidgets.Box([self._space])
        self.scroll.add_class("camwidget-survey-scroll")
        self.keys = SurveyKeys()
        self.box = ipywidgets.VBox([self.scroll, self.keys])
        self.box.add_class("camwidget-survey-sheet")

    def show(
        self,
        survey: SurveyResult,
        rows: Sequence[int] | NDArray[np.int64],
        *,
        with_maps: bool = True,
        keeps_place: bool = False,
    ) -> None:
        """Show some pictures.

        Args:
            survey: the survey.
            rows: rows of its table, in the order in which they are shown.
            with_maps: whether maps are drawn over the pictures.
            keeps_place: whether the sheet stays where it is scrolled to.
        """
        with self._lock:
            self._survey, self._rows = survey, np.asarray(rows, np.int64)
            self._with_maps = with_maps
            self._cursor = min(self._cursor, max(0, len(self._rows) - 1)) if keeps_place else 0
            lines = -(-len(self._rows) // self.COLUMNS)
            self._space.layout.height = f"{max(1, lines) * self.PITCH}px"
            if not keeps_place:
                self.keys.reveal = -1
                self.keys.reveal = 0
                self._first = 0
            self._place()
        self.canvas.draw()

    def mark(self, row: int | None) -> None:
        """Frame the picture that is open, by its row of the survey's table."""
        self._opened = row
        self.canvas.draw()

    def scrolled(self, top: int) -> None:
        """Follow the page, which shows the pictures from ``top`` CSS pixels on."""
        with self._lock:
            self.keys.reveal = -1
            in_sight = range(top // self.PITCH, -(-(top + self.HEIGHT) // self.PITCH))
            lines = -(-len(self._rows) // self.COLUMNS)
            is_drawn = self._first <= in_sight.start and (
                min(in_sight.stop, lines) <= self._first + self._lines
            )
            if is_drawn:
                return
            self._first = max(0, in_sight.start - self._lines // 3)
            self._place()
        self.canvas.draw()

    def press(self, key: object) -> bool:
        """Move the cursor, or open its picture; return whether the key has a meaning.

        Args:
            key: name of the key: arrows, Home, End or Enter.
        """
        if not len(self._rows):
            return False
        if key == "Enter":
            self._on_open(int(self._rows[self._cursor]))
            return True
        step = {"ArrowUp": -self.COLUMNS, "ArrowDown": self.COLUMNS, **_KEYS}.get(str(key))
        if step is None:
            return False
        with self._lock:
            place = min(max(self._cursor + step, 0), len(self._rows) - 1)
            self._cursor, self._has_cursor = place, True
            line = place // self.COLUMNS
            if not (
                self.keys.top <= line * self.PITCH
                and (line + 1) * self.PITCH <= self.keys.top + self.HEIGHT
            ):
                target = max(0, line * self.PITCH - self.HEIGHT // 2)
                self.keys.reveal = target
                self._first = max(0, target // self.PITCH - self._lines // 3)
                self._place()
        self.canvas.draw()
        return True

    @property
    def cursor_row(self) -> int | None:
        """The row of the survey's table where the keyboard is; None without pictures."""
        return int(self._rows[self._cursor]) if len(self._rows) else None

    def corner(self, place: int) -> tuple[int, int]:
        """Return the upper left corner (x, y) of a place of the sheet on the canvas, in CSS pixels."""
        line, column = divmod(place, self.COLUMNS)
        return column * self.PITCH, (line - self._first) * self.PITCH

    def _place(self) -> None:
        self.canvas.canvas.layout.top = f"{self._first * self.PITCH}px"

    def _click(self, x: float, y: float) -> None:
        column, line = int(x // self.PITCH), int(y // self.PITCH)
        place = (self._first + line) * self.COLUMNS + column
        if not (0 <= column < self.COLUMNS and 0 <= place < len(self._rows)):
            return
        self._cursor = place
        self._on_open(int(self._rows[place]))

    # -- drawing: called by the canvas ------------------------------------------------------

    def _draw(self) -> None:
        with self._lock:
            canvas = self.canvas.canvas
            canvas.clear()
            if self._survey is None:
                return
            start = self._first * self.COLUMNS
            shown = self._rows[start : start + self._lines * self.COLUMNS]
            image = np.zeros((self._lines * self.PITCH, self.COLUMNS * self.PITCH, 4), np.uint8)
            for number, row in enumerate(shown):
                line, column = divmod(number, self.COLUMNS)
                tile = survey_tile(self._survey, int(row), with_map=self._with_maps)
                height, width = tile.shape[:2]
                top = line * self.PITCH + (self.SIDE - height) // 2
                left = column * self.PITCH + (self.SIDE - width) // 2 + self.GAP // 2
                image[top : top + height, left : left + width, :3] = tile
                image[top : top + height, left : left + width, 3] = 255
            canvas.put_image_data(image, 0, 0)
            is_wrong = self._survey.is_wrong
            for number, row in enumerate(shown):
                x, y = self.corner(start + number)
                x += self.GAP // 2
                if is_wrong[row]:
                    canvas.fill_style = WRONG
                    canvas.fill_rect(x, y + self.SIDE - self.MARK, self.SIDE, self.MARK)
                is_cursor = self._has_cursor and start + number == self._cursor
                if is_cursor or row == self._opened:
                    canvas.stroke_style = ACCENT
                    canvas.line_width = 3 if row == self._opened else 1
                    canvas.stroke_rect(x + 1, y + 1, self.SIDE - 2, self.SIDE - 2)


def survey_tile(survey: SurveyResult, row: int, *, with_map: bool) -> NDArray[np.uint8]:
    """Draw a picture's thumbnail, with its map if wanted; uint8 (h, w, 3)."""
    picture = read_thumbnail(survey.thumbnails[row])
    if not with_map:
        return picture
    size = (picture.shape[1], picture.shape[0])
    saliency = Image.fromarray(survey.maps[row]).resize(size, Image.Resampling.BILINEAR)
    heat = np.asarray(saliency, np.float32) / 255
    # On a muted picture: the brightest heat is as pale as many things are.
    gray = picture.mean(-1, keepdims=True)
    muted = np.asarray(np.round(0.3 * gray + 0.25 * picture), np.uint8)
    return overlay_heat(muted, heat, 0.95, "inferno")
