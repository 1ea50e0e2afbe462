"""Drawing of attention on canvases: the grid of small maps with the frame of one, and that map over the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...plotting import ACCENT
from ..view.canvas import INK, SharpCanvas
from .attention_layout import BESIDE_HEADS, GridLayout, MapLayout
from .attention_maps import AttentionMaps

__all__ = [
    "DrawnAttention",
    "clear_frame",
    "draw_frame",
    "draw_grid",
    "draw_picture",
    "grid_pictures",
    "heat",
]

#: Canvas pixels per CSS pixel.
_SHARP = SharpCanvas.SHARP


@dataclass(frozen=True, eq=False)
class DrawnAttention:
    """What the canvases show.

    Attributes:
        maps: the maps.
        cells: places of the maps in the grid.
        patches: places of the patches on the picture.
    """

    maps: AttentionMaps
    cells: GridLayout
    patches: MapLayout


def draw_grid(canvas: Any, drawn: DrawnAttention, colors: np.ndarray) -> None:
    """Draw all maps with the numbers of layers and heads.

    Args:
        canvas: an empty ipycanvas canvas.
        drawn: maps and places.
        colors: colormap, uint8 (256, 3).
    """
    cells = drawn.cells
    canvas.image_smoothing_enabled = False
    canvas.save()
    canvas.scale(cells.unit, cells.unit)
    pictures = grid_pictures(drawn.maps.values, colors, cells)
    for column, picture in pictures.items():
        x, y = (_SHARP * side / cells.unit for side in cells.corner(0, column))
        canvas.put_image_data(picture, x, y)
    canvas.restore()
    canvas.fill_style, canvas.font = INK, f"{11 * _SHARP}px system-ui, sans-serif"
    canvas.text_align, canvas.text_baseline = "center", "middle"
    width, height = cells.cell
    above = (cells.TOP - 7) * _SHARP
    for column, name in enumerate(drawn.maps.columns):
        x = (cells.corner(0, column)[0] + width / 2) * _SHARP
        canvas.fill_text(name, x, above, (width + cells.space) * _SHARP)
    canvas.text_align = "right"
    canvas.fill_text("layer", (cells.LEFT - 2) * _SHARP, above)
    for row in range(cells.rows):
        y = (cells.corner(row, 0)[1] + height / 2) * _SHARP
        canvas.fill_text(str(row), (cells.LEFT - 4) * _SHARP, y)
    canvas.text_align = "left"
    canvas.fill_text("head", (cells.LEFT + cells.space) * _SHARP, 10 * _SHARP)


def clear_frame(canvas: Any, cells: GridLayout, cell: tuple[int, int]) -> None:
    """Clear the space around a cell of the grid, which has its frame."""
    (x, y), (width, height), space = cells.corner(*cell), cells.cell, cells.space
    for left, top, wide, high in (
        (x - space, y - space, width + 2 * space, space),
        (x - space, y + height, width + 2 * space, space),
        (x - space, y, space, height),
        (x + width, y, space, height),
    ):
        canvas.clear_rect(left * _SHARP, top * _SHARP, wide * _SHARP, high * _SHARP)


def draw_frame(canvas: Any, cells: GridLayout, cell: tuple[int, int]) -> None:
    """Draw a frame into the space around a cell of the grid."""
    (x, y), (width, height) = cells.corner(*cell), cells.cell
    line = min(cells.space, 3.0)
    canvas.stroke_style, canvas.line_width = ACCENT, line * _SHARP
    canvas.stroke_rect(
        (x - line / 2) * _SHARP,
        (y - line / 2) * _SHARP,
        (width + line) * _SHARP,
        (height + line) * _SHARP,
    )


def draw_picture(
    canvas: Any, drawn: DrawnAttention, cell: tuple[int, int], colors: np.ndarray
) -> None:
    """Draw the picture under the map of a cell, with circles at outlier tokens and a frame around the query.

    Args:
        canvas: an empty ipycanvas canvas.
        drawn: maps and places.
        cell: layer and column of the map.
        colors: colormap, uint8 (256, 3).
    """
    maps, patches = drawn.maps, drawn.patches
    width, height = (_SHARP * side for side in patches.patch)
    canvas.save()
    canvas.image_smoothing_enabled = True
    canvas.scale(_SHARP * patches.scale, _SHARP * patches.scale)
    canvas.put_image_data(maps.found.pixels, 0, 0)
    canvas.restore()
    canvas.save()
    canvas.image_smoothing_enabled = False
    canvas.scale(width, height)
    canvas.put_image_data(heat(maps.values[cell], colors), 0, 0)
    canvas.restore()
    outliers = np.argwhere(maps.found.on_grid(maps.found.outliers)).tolist()
    radius = min(width, height) * 0.3
    for color, line in (("#000a", 2.0), ("#fff", 1.0)):  # legible on any picture
        canvas.stroke_style, canvas.line_width = color, line * _SHARP
        for row, column in outliers:
            canvas.stroke_circle((column + 0.5) * width, (row + 0.5) * height, radius)
    if isinstance(maps.query, tuple):
        row, column = maps.query
        for color, line in (("#fff", 4.0), (ACCENT, 2.0)):
            canvas.stroke_style, canvas.line_width = color, line * _SHARP
            canvas.stroke_rect(column * width, row * height, width, height)


def grid_pictures(
    values: np.ndarray, colors: np.ndarray, layout: GridLayout
) -> dict[int, np.ndarray]:
    """Draw all maps, each divided by its own maximum.

    Args:
        values: maps (layers, columns, h, w), ≥ 0.
        colors: colormap, uint8 (256, 3).
        layout: places of the cells.

    Returns:
        Pictures uint8 (height, width, 4), transparent between the cells, by the column in which they begin: one of all
        heads, and one of each column beside them.
    """
    peaks = values.max((-2, -1), keepdims=True)
    levels = np.round(255 * values / np.where(peaks > 0, peaks, 1)).astype(np.uint8)
    times = layout.patch // layout.unit
    cells = colors[levels.repeat(times, -2).repeat(times, -1)]  # (layers, columns, h, w, 3)
    rows, columns, height, width, _ = cells.shape
    sheet = np.zeros((rows, height + layout.gap, columns, width + layout.gap, 4), np.uint8)
    sheet[:, :height, :, :width, :3] = cells.transpose(0, 2, 1, 3, 4)
    sheet[:, :height, :, :width, 3] = 255
    heads = columns - BESIDE_HEADS
    parts = [slice(0, heads), *(slice(n, n + 1) for n in range(heads, columns))]
    high = rows * (height + layout.gap)
    return {part.start: sheet[:, :, part].reshape(high, -1, 4) for part in parts}


def heat(values: np.ndarray, colors: np.ndarray, opacity: float = 0.85) -> np.ndarray:
    """Draw one map, divided by its maximum, to be laid over the picture: uint8 (h, w, 4).

    Alpha is that of the explorer's maps (``overlay_heat``).
    """
    peak = values.max()
    share = values / peak if peak > 0 else np.zeros_like(values)
    alpha = opacity * share * (0.35 + 0.65 * np.sqrt(share))
    drawn = colors[np.round(255 * share).astype(np.uint8)]
    return np.dstack([drawn, np.round(255 * alpha).astype(np.uint8)])
