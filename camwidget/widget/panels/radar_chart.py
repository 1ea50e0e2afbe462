"""``RadarChart``: the ranks of methods by metric as polygons."""

from __future__ import annotations

from collections.abc import Sequence

import bqplot
import numpy as np
import pandas as pd
from ipywidgets import Layout

from ...evaluation.radar_geometry import radar_outline, rank_scores
from ...plotting import NEUTRAL

__all__ = ["RadarChart", "rank_shares"]

#: bqplot needs at least two points for a line.
_NOWHERE = [[0.0, 0.0], [0.0, 0.0]]


def rank_shares(values: np.ndarray, higher: Sequence[bool]) -> np.ndarray:
    """Return the distance of each method's rank from the center, in [0, 1]; ties have equal ranks.

    Args:
        values: scores (methods, metrics); NaN where there is none.
        higher: whether higher is better, for each metric.
    """
    signed = pd.DataFrame(values * np.where(higher, 1.0, -1.0))
    return rank_scores(signed.rank(ascending=False))


class RadarChart:
    """Ranks of methods by metric. The table next to it is the legend: its rows have the polygons' colors."""

    WIDTH, HEIGHT = 400, 280  #: CSS pixels
    HEAD = 24  #: CSS pixels for the title
    REACH = 1.3  #: end of the vertical axis: the metrics' names are beyond 1
    LETTERS = 13  #: the most letters of a name

    def __init__(self) -> None:
        across = self.REACH * self.WIDTH / self.HEIGHT
        above = 2 * self.REACH * self.HEAD / self.HEIGHT
        self._scales = {
            axis: bqplot.LinearScale(min=-low, max=high, allow_padding=False)
            for axis, low, high in (("x", across, across), ("y", self.REACH, self.REACH + above))
        }
        self._grid = self._lines(stroke_width=1, colors=[NEUTRAL], opacities=[0.45])
        self._methods = self._lines(stroke_width=2)
        self._chosen = self._lines(stroke_width=4)
        self._names = [self._label(align) for align in ("start", "middle", "end")]
        # Not bqplot's own title: its color is wrong in dark pages, and it needs a margin.
        title = self._label(
            "middle", [0.0], [self.REACH + above / 2], ["Ranks: further out is better"]
        )
        self.figure = bqplot.Figure(
            marks=[self._grid, self._methods, self._chosen, *self._names, title],
            fig_margin=dict.fromkeys(("top", "bottom", "left", "right"), 0),
            padding_x=0,
            padding_y=0,
            display_toolbar=False,
            layout=Layout(
                width=f"{self.WIDTH}px", height=f"{self.HEAD + self.HEIGHT}px", display="none"
            ),
        )
        self.figure.add_class("camwidget-radar")

    def _lines(self, **look: object) -> bqplot.Lines:
        return bqplot.Lines(x=_NOWHERE, y=_NOWHERE, scales=self._scales, visible=False, **look)

    def _label(
        self, align: str, x: Sequence[float] = (), y: Sequence[float] = (), text: Sequence[str] = ()
    ) -> bqplot.Label:
        return bqplot.Label(
            x=list(x),
            y=list(y),
            text=list(text),
            scales=self._scales,
            align=align,
            default_size=11,
            font_weight="normal",
            colors=[NEUTRAL],
        )

    def show(
        self, shares: np.ndarray, names: Sequence[str], colors: Sequence[str], chosen: int | None
    ) -> None:
        """Draw the polygons of ranks (methods, metrics); of fewer than three metrics there is none.

        Args:
            shares: from ``rank_shares``.
            names: of the metrics.
            colors: of the methods.
            chosen: number of the method to stress.
        """
        drawn = len(names) >= 3
        self.figure.layout.display = None if drawn else "none"
        if not drawn:
            return
        self._name(names)
        self._set(self._methods, shares, colors)
        self.stress(shares, colors, chosen)

    def stress(self, shares: np.ndarray, colors: Sequence[str], chosen: int | None) -> None:
        """Draw one polygon thicker, on top."""
        if chosen is None:
            self._chosen.visible = False
        else:
            self._set(self._chosen, shares[chosen : chosen + 1], [colors[chosen]])

    @staticmethod
    def _set(mark: bqplot.Lines, values: np.ndarray, colors: Sequence[str]) -> None:
        with mark.hold_sync():
            mark.x, mark.y = radar_outline(values)
            mark.colors = list(colors)
            mark.visible = True

    def _name(self, names: Sequence[str]) -> None:
        """Axes, two rings, and each metric's name outside."""
        count = len(names)
        x, y = radar_outline(np.ones((1, count)))
        x, y = x[0], y[0]
        rings = [np.stack([share * x, share * y]) for share in (0.5, 1.0)]
        # To each metric and back, as one line.
        spokes = np.stack([np.outer(line, [0, 1]).ravel() for line in (x, y)])
        lines = [*rings, spokes]
        longest = max(line.shape[1] for line in lines)
        padded = [
            np.pad(line, ((0, 0), (0, longest - line.shape[1])), mode="edge") for line in lines
        ]
        with self._grid.hold_sync():
            self._grid.x, self._grid.y = (
                np.stack([line[axis] for line in padded]) for axis in (0, 1)
            )
            self._grid.visible = True
        side = np.where(np.abs(x[:count]) < 0.1, 1, np.where(x[:count] > 0, 0, 2))
        for at, mark in enumerate(self._names):
            mine = np.flatnonzero(side == at).tolist()
            with mark.hold_sync():
                mark.x, mark.y = 1.1 * x[mine], 1.14 * y[mine]
                mark.text = [_short(names[i], self.LETTERS) for i in mine]


def _short(name: str, letters: int) -> str:
    return name if len(name) <= letters else name[: letters - 1] + "…"
