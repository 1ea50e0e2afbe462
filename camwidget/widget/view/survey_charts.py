"""The two bqplot charts of a survey: pictures as points with a brush, and the confusion matrix to click."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import bqplot
import bqplot.interacts
import numpy as np
import pandas as pd
from ipywidgets import Layout
from numpy.typing import NDArray

from ...plotting import ACCENT, NEUTRAL, SERIES

__all__ = ["ConfusionChart", "PointChart"]

#: Height of both in CSS pixels; their width is that of their column.
_HEIGHT = "330px"


class PointChart:
    """A point for each picture, near to those of pictures that are alike; a brush selects.

    A browser draws some thousand points quickly: of more, every n-th is drawn, and the brush selects all the same.

    Args:
        on_brush: called with the corners ((left, bottom), (right, top)) of the brush, between -1 and 1; None without.
    """

    MOST = 3000  #: points that are drawn

    def __init__(
        self, on_brush: Callable[[tuple[tuple[float, float], tuple[float, float]] | None], None]
    ) -> None:
        self._on_brush = on_brush
        scales = {
            "x": bqplot.LinearScale(min=-1.06, max=1.06),
            "y": bqplot.LinearScale(min=-1.06, max=1.06),
        }
        self._colors = bqplot.OrdinalColorScale(domain=[0], colors=[NEUTRAL])
        options = {
            "scales": {**scales, "color": self._colors},
            "default_size": 22,
            "default_opacities": [0.75],
            "stroke_width": 0,
        }
        self.points = bqplot.Scatter(x=[0.0], y=[0.0], color=[0], **options)
        self.chosen = bqplot.Scatter(
            x=[], y=[], scales=scales, colors=[ACCENT], fill=False, default_size=110
        )
        self.brush = bqplot.interacts.BrushSelector(
            x_scale=scales["x"], y_scale=scales["y"], color=ACCENT
        )
        self.brush.observe(self._brushed, ["selected_x", "selected_y"])
        self.figure = bqplot.Figure(
            marks=[self.points, self.chosen],
            interaction=self.brush,
            fig_margin={"top": 4, "bottom": 4, "left": 4, "right": 4},
            padding_x=0,
            padding_y=0,
            display_toolbar=False,
            layout=Layout(width="100%", height=_HEIGHT, min_width="0"),
        )

    def show(self, positions: NDArray[np.float64], groups: NDArray[np.int64]) -> None:
        """Draw the points.

        Args:
            positions: (pictures, 2), between -1 and 1.
            groups: number of the color of each, ≥ 0, or -1 for no group.
        """
        step = max(1, -(-len(positions) // self.MOST))
        drawn = positions[::step]
        names = sorted({int(g) for g in groups})
        with self._colors.hold_sync():
            self._colors.domain = names
            self._colors.colors = [color_of(g) for g in names]
        with self.points.hold_sync():
            self.points.x, self.points.y = drawn[:, 0], drawn[:, 1]
            self.points.color = groups[::step]

    def mark(self, position: NDArray[np.float64] | None) -> None:
        """Ring the point of the picture that is open."""
        with self.chosen.hold_sync():
            self.chosen.x = [] if position is None else [float(position[0])]
            self.chosen.y = [] if position is None else [float(position[1])]

    def clear(self) -> None:
        """Remove the brush."""
        with self.brush.hold_trait_notifications():
            self.brush.selected_x = self.brush.selected_y = None

    def _brushed(self, change: Any) -> None:
        x, y = self.brush.selected_x, self.brush.selected_y
        if x is None or y is None or len(x) != 2 or len(y) != 2:
            self._on_brush(None)
            return
        self._on_brush(((float(min(x)), float(min(y))), (float(max(x)), float(max(y)))))


def color_of(group: int) -> str:
    """The color of a group of pictures; gray for none."""
    return SERIES[group % len(SERIES)] if group >= 0 else NEUTRAL


class ConfusionChart:
    """The number of pictures of each true class with each prediction; a click chooses a cell.

    Args:
        on_pick: called with (truth, prediction) of the chosen cell; None when it is chosen no longer.
    """

    MOST = 12  #: classes; of more, those with the most mistakes

    def __init__(self, on_pick: Callable[[tuple[str, str] | None], None]) -> None:
        self._on_pick = on_pick
        self._names: list[str] = []
        rows, columns = bqplot.OrdinalScale(reverse=True), bqplot.OrdinalScale()
        self._color = bqplot.ColorScale(min=0, max=1, colors=["#8080801a", "#4477aa"])
        self.cells = bqplot.GridHeatMap(
            color=np.zeros((2, 2)),
            scales={"row": rows, "column": columns, "color": self._color},
            interactions={"click": "select"},
            stroke=NEUTRAL,
            display_format="d",
            font_style={"font-size": "13px", "fill": "currentColor"},
            selected_style={"stroke": ACCENT, "stroke-width": "3px"},
            unselected_style={"opacity": 1.0},
        )
        self.cells.observe(self._selected, "selected")
        self._axes = [
            bqplot.Axis(scale=rows, orientation="vertical", label="true class", grid_lines="none"),
            bqplot.Axis(scale=columns, label="prediction", grid_lines="none"),
        ]
        self._axes[0].label_offset = "76px"
        self.figure = bqplot.Figure(
            marks=[self.cells],
            axes=self._axes,
            fig_margin={"top": 6, "bottom": 46, "left": 96, "right": 6},
            padding_y=0,
            display_toolbar=False,
            layout=Layout(width="100%", height=_HEIGHT, min_width="0"),
        )

    @property
    def names(self) -> list[str]:
        """The classes of the rows and columns."""
        return list(self._names)

    def show(self, confusion: pd.DataFrame) -> None:
        """Draw the matrix.

        Args:
            confusion: number of pictures, true classes × predictions.
        """
        counts = confusion.to_numpy()
        wrong = counts.sum(0) + counts.sum(1) - 2 * np.diag(counts)
        chosen = np.sort(np.argsort(-wrong, kind="stable")[: self.MOST])
        self._names = [str(confusion.index[n]) for n in chosen]
        shown = counts[np.ix_(chosen, chosen)]
        # bqplot takes no matrix of a single cell.
        labels = [_short(name) for name in self._names] + [""] * (2 - len(self._names))
        shown = np.pad(shown, (0, len(labels) - len(shown)))
        self._color.max = float(max(1, shown.max(initial=0)))
        with self.cells.hold_sync():
            self.cells.selected = None
            self.cells.color = shown
            self.cells.row = self.cells.column = labels

    def clear(self) -> None:
        """Choose no cell."""
        self.cells.selected = None

    def _selected(self, change: Any) -> None:
        chosen: Sequence[Any] | None = change["new"]
        if chosen is None or len(chosen) == 0:
            self._on_pick(None)
            return
        row, column = (int(n) for n in chosen[-1])
        if row < len(self._names) and column < len(self._names):
            self._on_pick((self._names[row], self._names[column]))


def _short(name: str) -> str:
    return name if len(name) <= 14 else name[:13] + "…"
