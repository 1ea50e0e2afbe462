"""Static view of a footprint example: the feature maps, weights and maps as plain HTML, and as text."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from ...analysis.footprint_weights import FootprintMap
from ...plotting import SERIES
from ..host.static_outputs import StaticView
from ..view.footprint_canvas import map_colors

__all__ = ["footprint_static_view"]

_NOTE = "A still picture of camwidget's footprint example. Run the cell to draw other footprints."

#: Pixels of a cell.
_CELL = 10


def footprint_static_view(
    footprints: NDArray[np.bool_], found: Mapping[str, FootprintMap], formula: str
) -> StaticView:
    """Return what a footprint example shows now.

    Args:
        footprints: the feature maps, (K, h, w).
        found: from ``weigh_footprints``.
        formula: of the score.
    """
    names = [f"A{n}: {one.sum()} of {one.size} cells" for n, one in enumerate(footprints, 1)]
    grids = [np.where(one, SERIES[n % len(SERIES)], "#e4e6e8") for n, one in enumerate(footprints)]
    rows = [
        ["", *map(escape, names), "map"],
        ["", *(_picture(grid, name) for grid, name in zip(grids, names, strict=True)), ""],
    ]
    text = [formula, "  " + " · ".join(names)]
    for one in found.values():
        if one.reason:
            rows.append([escape(one.label), escape(one.reason)])
            text.append(f"  {one.label}: {one.reason}")
        else:
            weights = [f"{weight} = {weight.value:.3f}" for weight in one.weights]
            picture = _picture(map_colors(one.raw), f"map of {one.label}")
            rows.append([escape(one.label), *weights, picture])
            text.append(f"  {one.label}: {' · '.join(map(str, one.weights))}")
    lines = [_row(row, len(rows[0])) for row in rows]
    html = [
        f"<p>{escape(formula)}</p>",
        "<table>",
        *lines,
        "</table>",
        f"<p><small>{_NOTE}</small></p>",
    ]
    return StaticView("<div>\n" + "\n".join(html) + "\n</div>", "\n".join(text))


def _row(cells: Sequence[str], columns: int) -> str:
    """A row of a table, whose last cell takes the columns that are left."""
    *first, last = cells
    rest = columns - len(first)
    span = f' colspan="{rest}"' if rest > 1 else ""
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in first) + f"<td{span}>{last}</td></tr>"


def _picture(colors: NDArray[np.str_], caption: str) -> str:
    """A grid of colors as an image tag; PNG, since a few flat colors are small so."""
    pixels = np.array([[ImageColor.getrgb(str(c)) for c in row] for row in colors], np.uint8)
    large = pixels.repeat(_CELL, 0).repeat(_CELL, 1)
    large[_CELL - 1 :: _CELL] = large[:, _CELL - 1 :: _CELL] = 255
    stream = io.BytesIO()
    Image.fromarray(large).save(stream, "png", optimize=True)
    content = base64.b64encode(stream.getvalue()).decode()
    return f'<img src="data:image/png;base64,{content}" alt="{escape(caption)}">'
