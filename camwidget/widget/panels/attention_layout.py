"""Places on the canvases of the attention panel: cells of the grid of maps, and patches of the enlarged picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..view.canvas import SharpCanvas

__all__ = ["BESIDE_HEADS", "GridLayout", "MapLayout"]

#: Columns at the right that are no heads: their mean, and the rollout.
BESIDE_HEADS = 2
#: CSS pixels: most for all cells, of one cell, and the space between cells at least.
_WIDEST, _HIGHEST, _LARGEST, _GAP = 540, 416, 56, 3
#: CSS pixels of the picture's longer side.
_SIDE = 280


@dataclass(frozen=True)
class GridLayout:
    """Places of the cells of a grid of maps, in CSS pixels.

    Each patch is a whole number of canvas pixels, so that cells are sharp. What is sent has ``unit`` canvas pixels for
    each of its own: an image of all cells as small as they allow.

    Attributes:
        rows: number of layers.
        columns: number of heads, and the two columns beside them.
        grid: height and width of the grid of patches.
        patch: canvas pixels of a patch.
        unit: canvas pixels of a pixel that is sent; divides ``patch``.
        gap: pixels that are sent between two cells.
    """

    rows: int
    columns: int
    grid: tuple[int, int]
    patch: int
    unit: int
    gap: int

    LEFT, TOP = 32, 36  #: for the numbers of layers and heads
    BESIDE = (12, 8)  #: before each of the columns that are no heads

    @classmethod
    def of(cls, rows: int, columns: int, grid: tuple[int, int]) -> GridLayout:
        """Lay out as large as there is room for."""
        side = min(_LARGEST, _WIDEST / columns - _GAP, _HIGHEST / rows - _GAP)
        patch = max(1, int(SharpCanvas.SHARP * side / max(grid)))
        if patch > 8:
            patch -= patch % 4
        unit = next(u for u in range(min(8, patch), 0, -1) if patch % u == 0)
        return cls(rows, columns, grid, patch, unit, -(-SharpCanvas.SHARP * _GAP // unit))

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of a cell."""
        height, width = self.grid
        return width * self.patch / SharpCanvas.SHARP, height * self.patch / SharpCanvas.SHARP

    @property
    def space(self) -> float:
        """Space between two cells."""
        return self.gap * self.unit / SharpCanvas.SHARP

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the canvas."""
        x, y = self.corner(self.rows, self.columns)
        return int(np.ceil(x)), int(np.ceil(y))

    def corner(self, row: int, column: int) -> tuple[float, float]:
        """Return the upper left corner (x, y) of a cell."""
        width, height = self.cell
        beside = sum(self.BESIDE[: max(0, column - (self.columns - BESIDE_HEADS) + 1)])
        return (
            self.LEFT + self.space + column * (width + self.space) + beside,
            self.TOP + self.space + row * (height + self.space),
        )

    def cell_at(self, x: float, y: float) -> tuple[int, int] | None:
        """Return the row and column of the cell at a position, with half of the space around it; None beside them."""
        width, height = self.cell
        row = int((y - self.TOP - self.space / 2) // (height + self.space))
        if not 0 <= row < self.rows:
            return None
        for column in range(self.columns):
            left = self.corner(row, column)[0] - self.space / 2
            if left <= x < left + width + self.space:
                return row, column
        return None


@dataclass(frozen=True)
class MapLayout:
    """Places of the patches on the enlarged picture, in CSS pixels.

    Attributes:
        size: height and width of the picture in pixels.
        grid: height and width of the grid of patches.
    """

    size: tuple[int, int]
    grid: tuple[int, int]

    @property
    def scale(self) -> float:
        """CSS pixels of a pixel of the picture."""
        return _SIDE / max(self.size)

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height of the canvas."""
        height, width = self.size
        return max(1, round(self.scale * width)), max(1, round(self.scale * height))

    @property
    def patch(self) -> tuple[float, float]:
        """Width and height of a patch."""
        return self.shown[0] / self.grid[1], self.shown[1] / self.grid[0]

    def patch_at(self, x: float, y: float) -> tuple[int, int] | None:
        """Return the row and column of the patch at a position; None beside the picture."""
        width, height = self.patch
        row, column = int(y // height), int(x // width)
        inside = 0 <= row < self.grid[0] and 0 <= column < self.grid[1]
        return (row, column) if inside else None
