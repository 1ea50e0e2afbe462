"""``FootprintCanvas``: feature maps whose cells can be clicked, and beneath them each method's weights and map."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...analysis.footprint_weights import FootprintMap
from ...plotting import ACCENT, NEUTRAL, SERIES, lookup_tables
from .canvas import INK, SharpCanvas

__all__ = ["Cell", "FootprintCanvas", "FootprintContent", "map_colors"]

_EMPTY = NEUTRAL + "2b"


class Cell(NamedTuple):
    """A cell of one of the feature maps."""

    number: int  #: of the feature map, from 0
    row: int
    column: int


class FootprintContent(NamedTuple):
    """What the canvas shows, all of it of one moment."""

    footprints: NDArray[np.bool_]  #: (K, h, w)
    found: Mapping[str, FootprintMap]
    cursor: Cell | None  #: where the keyboard is; None while it is elsewhere


class FootprintCanvas:
    """The drawing, and where a click falls.

    Args:
        content: returns what is to be drawn.
        on_press: called with the cell that is clicked.
        on_drag: called with each cell that the pressed pointer passes.
        on_error: called with a text when one of these fails.
    """

    CELL = 15  #: CSS pixels of a cell of a feature map
    SMALL = 9  #: of a cell of a method's map
    LEFT, TOP = 132, 24  #: CSS pixels for the names of methods and of feature maps
    GAP = 24
    LEAST = 46  #: CSS pixels of a method's row, at least
    SHORT = 28  #: of the row of a method that does not apply

    def __init__(
        self,
        content: Callable[[], FootprintContent | None],
        on_press: Callable[[Cell], None],
        on_drag: Callable[[Cell], None],
        on_error: Callable[[str], None],
    ) -> None:
        self._content = content
        self._shape = (1, 1, 1)
        self.sharp = SharpCanvas(
            self._draw,
            lambda x, y: self._call(on_press, x, y),
            on_error,
            lambda x, y: self._call(on_drag, x, y),
        )

    def lay_out(self, shape: tuple[int, int, int], found: Mapping[str, FootprintMap]) -> None:
        """Set the size for feature maps (K, h, w) and what the methods make of them."""
        self._shape = shape
        count, height, width = shape
        self.sharp.resize(
            self.LEFT + count * (width * self.CELL + self.GAP) + width * self.SMALL,
            self.TOP + height * self.CELL + self.GAP + sum(map(self._height, found.values())),
        )

    def draw(self) -> None:
        """Draw everything."""
        self.sharp.draw()

    def _height(self, found: FootprintMap) -> int:
        """CSS pixels of a method's row, with the space below it."""
        if found.reason and ", " not in found.label:
            return self.SHORT
        return self.LEAST if found.reason else max(self.LEAST, self._shape[1] * self.SMALL) + 8

    def corner(self, cell: Cell) -> tuple[int, int]:
        """Return the upper left corner (x, y) of a cell, in CSS pixels."""
        x = self.LEFT + cell.number * (self._shape[2] * self.CELL + self.GAP)
        return x + cell.column * self.CELL, self.TOP + cell.row * self.CELL

    def cell_at(self, x: float, y: float) -> Cell | None:
        """Return the cell at a position in CSS pixels; None beside the feature maps."""
        count, height, width = self._shape
        number, right = divmod(x - self.LEFT, width * self.CELL + self.GAP)
        column, row = right // self.CELL, (y - self.TOP) // self.CELL
        if 0 <= number < count and 0 <= column < width and 0 <= row < height:
            return Cell(int(number), int(row), int(column))
        return None

    def _call(self, handler: Callable[[Cell], None], x: float, y: float) -> None:
        cell = self.cell_at(x, y)
        if cell is not None:
            handler(cell)

    # -- drawing: called by the canvas ------------------------------------------------------

    def _draw(self) -> None:
        content = self._content()
        if content is None:
            return
        self.sharp.canvas.clear()
        for number, one in enumerate(content.footprints):
            x, y = self.corner(Cell(number, 0, 0))
            filled = f"A{number + 1}: {one.sum()} of {one.size} cells"
            self._write(filled, x, y - self.TOP / 2)
            colors = np.where(one, SERIES[number % len(SERIES)], _EMPTY)
            self._squares(x, y, self.CELL, colors, 1)
        top = self.TOP + self._shape[1] * self.CELL + self.GAP
        self._write("feature maps", 0, self.TOP / 2)
        self._write("weights", 0, top - self.GAP / 2)
        self._write("map", self.corner(Cell(len(content.footprints), 0, 0))[0], top - self.GAP / 2)
        for one in content.found.values():
            self._draw_method(one, top)
            top += self._height(one)
        if content.cursor is not None:
            x, y = self.corner(content.cursor)
            canvas, sharp = self.sharp.canvas, SharpCanvas.SHARP
            # Two lines: one of them differs from the cell, whatever its color.
            for color, line in ((ACCENT, 4), ("#ffffff", 1)):
                canvas.stroke_style, canvas.line_width = color, line * sharp
                canvas.stroke_rect(x * sharp, y * sharp, self.CELL * sharp, self.CELL * sharp)

    def _draw_method(self, found: FootprintMap, top: float) -> None:
        count, _, width = self._shape
        side = width * self.CELL
        name, _, detail = found.label.partition(", ")
        self._write(name, 0, top + 12)
        self._write(detail, 0, top + 29)
        if found.reason:
            self._write(found.reason, self.LEFT, top + 12)
            return
        most = max((w.value for w in found.weights), default=0) or 1
        canvas, sharp = self.sharp.canvas, SharpCanvas.SHARP
        for number, weight in enumerate(found.weights):
            x, _ = self.corner(Cell(number, 0, 0))
            self._write(f"{weight} = {weight.value:.3f}", x, top + 12)
            for color, part in ((_EMPTY, 1.0), (SERIES[number % len(SERIES)], weight.value / most)):
                canvas.fill_style = color
                canvas.fill_rect(x * sharp, (top + 23) * sharp, part * side * sharp, 9 * sharp)
        x, _ = self.corner(Cell(count, 0, 0))
        self._squares(x, top, self.SMALL, map_colors(found.raw), 0)

    def _squares(self, x: float, y: float, side: int, colors: NDArray[np.str_], gap: int) -> None:
        canvas, sharp = self.sharp.canvas, SharpCanvas.SHARP
        for color in np.unique(colors):
            rows, columns = np.nonzero(colors == color)
            canvas.fill_style = str(color)
            canvas.fill_rects(
                (x + columns * side) * sharp,
                (y + rows * side) * sharp,
                (side - gap) * sharp,
                (side - gap) * sharp,
            )

    def _write(self, text: str, x: float, y: float) -> None:
        canvas, sharp = self.sharp.canvas, SharpCanvas.SHARP
        canvas.fill_style, canvas.font = INK, f"{12 * sharp}px system-ui, sans-serif"
        canvas.text_align, canvas.text_baseline = "left", "middle"
        canvas.fill_text(text, x * sharp, y * sharp)


def map_colors(raw: NDArray[np.float64]) -> NDArray[np.str_]:
    """Return the colors of a map's cells as ``#rrggbb``, of its share of the map's maximum."""
    most = raw.max()
    levels = np.round(255 * raw / most).astype(int) if most > 0 else np.zeros(raw.shape, int)
    return _colors()[levels]


@cache
def _colors() -> NDArray[np.str_]:
    triples = np.frombuffer(lookup_tables(("inferno",))["inferno"], np.uint8).reshape(-1, 3)
    return np.array(["#" + triple.tobytes().hex() for triple in triples])
