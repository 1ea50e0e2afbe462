"""The two bqplot charts of an explorer: bars of the class list, and confidence against the masked fraction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import bqplot
import numpy as np
from ipywidgets import Layout

from ...analysis.mask_curve import MaskCurve
from ...models.scores import decimals
from ...plotting import ACCENT, FRACTION_TICKS, NEUTRAL, RISING, RIVALS, class_colors

__all__ = ["ROW_HEIGHT", "ClassBars", "CurveChart", "line_colors", "spread"]

#: Height of a class row in pixels; view.css has the same number for the names and numbers next to the bars.
ROW_HEIGHT = 28


#: Positions of the ticks on a quantity's axis, from 0 at its lower end to 1.
_PARTS = (0.1, 0.5, 0.9)
#: Width in pixels of the names next to the curves; grid.css has the same number.
_NAMES = 104
#: The least distance between two names, as a share of the chart's height.
_APART = 0.17
#: Places of the ticks on the axis of fractions, and their labels.
_LABELS = {
    float(np.sqrt(tick)): f"{100 * tick:g}{'%' if tick == 1 else ''}" for tick in FRACTION_TICKS
}
_TICKS = list(_LABELS)
#: bqplot needs at least two points for a line, even for a hidden one.
_NOWHERE = [0.0, 0.0]


class ClassBars:
    """Bars of the listed classes: those of the masked picture in front of those of the unmasked one.

    A click anywhere in a row picks its class.

    Args:
        on_pick: called with the row number that was clicked.
        is_quantity: whether the numbers are quantities: the axis is then scaled to the longest bar.
    """

    def __init__(self, on_pick: Callable[[int], None], *, is_quantity: bool = False) -> None:
        self._is_quantity = is_quantity
        self.scales = {
            "x": bqplot.OrdinalScale(reverse=False),
            "y": bqplot.LinearScale(min=0, max=1),
        }
        # A track of full width makes rows of low probability as easy to click as the others.
        self._track = self._bars(opacity=0.13, padding=0.5, color=NEUTRAL)
        self.unmasked_bars = self._bars(opacity=0.38, padding=0.5)
        self.masked_bars = self._bars(opacity=1.0, padding=0.5)
        for mark in (self._track, self.unmasked_bars, self.masked_bars):
            mark.on_element_click(lambda _mark, event: self._clicked(event, on_pick))
        self.figure = bqplot.Figure(
            marks=[self._track, self.unmasked_bars, self.masked_bars],
            fig_margin={"top": 0, "bottom": 0, "left": 0, "right": 0},
            padding_x=0,
            padding_y=0,
            display_toolbar=False,
            layout=Layout(width="auto", height=f"{ROW_HEIGHT}px", min_width="0"),
        )
        self.figure.add_class("camwidget-bars")

    def _bars(self, opacity: float, padding: float, color: str = ACCENT) -> bqplot.Bars:
        return bqplot.Bars(
            x=[0],
            y=[0.0],
            scales=self.scales,
            orientation="horizontal",
            padding=padding,
            colors=[color],
            opacities=[opacity],
            stroke=None,
        )

    @staticmethod
    def _clicked(event: object, on_pick: Callable[[int], None]) -> None:
        data = event.get("data", {}) if isinstance(event, dict) else {}
        index = data.get("index") if isinstance(data, dict) else None
        if isinstance(index, int):
            on_pick(index)

    def show(self, unmasked: Sequence[float], chosen: int) -> None:
        """Draw the bars of the unmasked picture; the chosen row and its rivals have the colors of their curves."""
        rows = list(range(len(unmasked)))
        # bqplot draws a horizontal ordinal scale from the bottom; row 0 belongs on top.
        domain = rows[::-1]
        if list(self.scales["x"].domain or []) != domain:
            self.scales["x"].domain = domain
        height = f"{ROW_HEIGHT * max(len(rows), 1)}px"
        if self.figure.layout.height != height:
            self.figure.layout.height = height
        colors = class_colors(len(rows), chosen)
        self._fit(unmasked)
        self._set(self._track, rows, [self.scales["y"].max] * len(rows))
        self._set(self.unmasked_bars, rows, unmasked, colors)
        self._set(self.masked_bars, rows, unmasked, colors)

    def set_quantity(self, is_quantity: bool) -> None:
        """Prepare for probabilities, or for quantities, whose axis is scaled to the longest bar."""
        self._is_quantity = is_quantity
        if not is_quantity:
            self._set_range(0.0, 1.0)

    def _set_range(self, low: float, high: float) -> None:
        scale = self.scales["y"]
        with scale.hold_sync():
            scale.min, scale.max = low, high

    def show_nothing(self) -> None:
        """Remove all bars."""
        for mark in (self._track, self.unmasked_bars, self.masked_bars):
            # bqplot needs at least one bar.
            self._set(mark, [0], [0.0])

    def _fit(self, *values: Sequence[float]) -> None:
        """Scale the axis to quantities: from the least to the greatest value, 0 included."""
        if not self._is_quantity:
            return
        shown = [0.0, *(float(v) for each in values for v in each)]
        self._set_range(min(shown), max(shown) if any(shown) else 1.0)

    def show_masked(self, masked: Sequence[float]) -> None:
        """Draw the prediction for the masked picture, over the bars of the unmasked one; no bar for nan."""
        shown = np.nan_to_num(np.asarray(masked, dtype=np.float64))
        self._fit(self.unmasked_bars.y, shown.tolist())
        if self._is_quantity:
            self._track.y = np.full(len(self._track.y), self.scales["y"].max)
        self.masked_bars.y = shown

    @staticmethod
    def _set(
        mark: bqplot.Bars, rows: Sequence[int], values: Sequence[float], colors: Sequence[str] = ()
    ) -> None:
        with mark.hold_sync():
            mark.x = rows
            mark.y = np.asarray(values, dtype=np.float64)
            if colors:
                mark.colors = list(colors)


class CurveChart:
    """Predictions of the target and its rivals as the top evidence is masked, and the slider's position.

    The axis of fractions is a square root, which gives the first tenth a third of the room: there the answer of many
    nets falls. It is the same for all maps, so that two curves can be compared.

    Args:
        is_quantity: whether the numbers are quantities: the axis is then scaled to their range.
    """

    HEIGHT = 176
    _span = (0.0, 1.0)  #: the lowest and highest number on the axis

    def __init__(self, *, is_quantity: bool = False) -> None:
        self._is_quantity = is_quantity
        # Without padding, which a scatter would add beyond 0 and 1.
        scales = {
            axis: bqplot.LinearScale(min=0, max=1, allow_padding=False) for axis in ("x", "y")
        }
        self._others = bqplot.Lines(
            x=_NOWHERE,
            y=[_NOWHERE, _NOWHERE],
            scales=scales,
            colors=list(RIVALS),
            stroke_width=1.5,
            opacities=[0.8],
            visible=False,
        )
        self._others.line_style = "dashed"
        self.target_line = bqplot.Lines(
            x=_NOWHERE, y=_NOWHERE, scales=scales, colors=[ACCENT], stroke_width=2.5, visible=False
        )
        self.other_line = bqplot.Lines(
            x=_NOWHERE,
            y=_NOWHERE,
            scales=scales,
            colors=[ACCENT],
            stroke_width=2,
            visible=False,
        )
        self.other_line.line_style = "dash_dotted"
        self.other_name = bqplot.Label(
            x=[0.0],
            y=[0.0],
            scales=scales,
            text=["B"],
            colors=[ACCENT],
            default_size=12,
            font_weight="bold",
            y_offset=-6,
            visible=False,
        )
        self.position_line = bqplot.Lines(
            x=[0.0, 0.0], y=[0.0, 1.0], scales=scales, colors=[NEUTRAL], stroke_width=1.2
        )
        self.position_dot = bqplot.Scatter(
            x=[], y=[], scales=scales, colors=[ACCENT], default_size=54, stroke="white"
        )
        self.y_scale = scales["y"]
        self._y_axis = bqplot.Axis(
            scale=self.y_scale,
            orientation="vertical",
            tick_format=".1f",
            tick_values=[0, 0.5, 1],
            grid_lines="solid",
            grid_color="#80808033",
        )
        axes = [
            bqplot.Axis(
                scale=scales["x"],
                tick_values=_TICKS,
                # By the numbers as JavaScript writes them: 1, not 1.0.
                tick_labels={f"{place!r}".removesuffix(".0"): _LABELS[place] for place in _TICKS},
                grid_lines="none",
            ),
            self._y_axis,
        ]
        self.figure = bqplot.Figure(
            marks=[
                self.position_line,
                self._others,
                self.other_line,
                self.other_name,
                self.target_line,
                self.position_dot,
            ],
            axes=axes,
            fig_margin=self._margin,
            padding_x=0,
            padding_y=0,
            display_toolbar=False,
            layout=Layout(width="auto", height=f"{self.HEIGHT}px", min_width="0"),
        )
        self.figure.add_class("camwidget-curve")

    def set_quantity(self, is_quantity: bool) -> None:
        """Prepare for probabilities, or for quantities, whose axis is scaled to their range; clear the other kind."""
        if is_quantity == self._is_quantity:
            return
        self.clear()
        self._is_quantity = is_quantity
        self.figure.fig_margin = self._margin
        if not is_quantity:
            self._set_span((0.0, 1.0), [0, 0.5, 1], ".1f")

    @property
    def _margin(self) -> dict[str, int]:
        left = 52 if self._is_quantity else 34
        return {"top": 10, "bottom": 26, "left": left, "right": _NAMES}

    def show(self, curve: MaskCurve, colors: Sequence[str] = RIVALS) -> None:
        """Draw a curve, complete or not. The axis is scaled to it if it is of a quantity.

        Args:
            curve: predictions of the target and its rivals.
            colors: colors of the rivals' lines.
        """
        self._fit(curve.span)
        with self._others.hold_sync():
            self._others.colors = list(colors)
            self._others.x = _places(curve.fraction)
            self._others.y = curve.probabilities[:, list(curve.others)].T
            self._others.visible = bool(curve.others)
        with self.target_line.hold_sync():
            self.target_line.x = _places(curve.fraction)
            self.target_line.y = curve.probability
            self.target_line.visible = True

    def names(self, curve: MaskCurve, colors: Sequence[str]) -> list[dict[str, Any]]:
        """Return name, color and height of each line's end; heights are from 0 at the foot of the chart to 1.

        The view writes the names: bqplot clips marks outside of the axes.
        """
        low, high = self._span
        lines = [(curve.target, curve.name, ACCENT)]
        lines += zip(curve.others, curve.other_names, colors, strict=False)
        ends = sorted(
            ((_last(curve.probabilities[:, i]), name, color) for i, name, color in lines),
            key=lambda end: end[0],
        )
        places = spread([(value - low) / (high - low) for value, _, _ in ends], _APART)
        return [
            {"name": name, "color": color, "place": place}
            for (_, name, color), place in zip(ends, places, strict=True)
        ]

    def show_other(self, curve: MaskCurve | None) -> None:
        """Draw the curve of the compared map; None removes it."""
        # A probability cannot be drawn on the axis of a quantity, nor the other way round.
        shown = curve is not None and (curve.scores == "value") == self._is_quantity
        for mark in (self.other_line, self.other_name):
            mark.visible = shown
        if curve is None or not shown:
            return
        low, high = curve.span
        if curve.scores == "value":
            self._fit((min(low, self._span[0]), max(high, self._span[1])))
        with self.other_line.hold_sync():
            self.other_line.x = _places(curve.fraction)
            self.other_line.y = curve.probability
        at = self._far(curve)
        with self.other_name.hold_sync():
            self.other_name.x = [float(_places(curve.fraction[at]))]
            self.other_name.y = [float(curve.probability[at])]

    def _fit(self, span: tuple[float, float]) -> None:
        """Scale the axis to quantities."""
        if not self._is_quantity or span == self._span:
            return
        low, high = span
        ticks = [low + part * (high - low) for part in _PARTS]
        self._set_span(span, ticks, f".{decimals(low, high)}f")
        if self.position_line.visible:
            self.position_line.y = list(span)

    def _set_span(self, span: tuple[float, float], ticks: Sequence[float], form: str) -> None:
        self._span = span
        with self.y_scale.hold_sync():
            self.y_scale.min, self.y_scale.max = span
        with self._y_axis.hold_sync():
            self._y_axis.tick_values = list(ticks)
            self._y_axis.tick_format = form

    def _far(self, curve: MaskCurve) -> int:
        """Return the index where a curve is furthest from the target's, for its name; never one of its ends."""
        main = np.interp(_places(curve.fraction), self.target_line.x, self.target_line.y)
        apart = np.nan_to_num(np.abs(curve.probability - main), nan=-1.0)
        return 1 + int(np.argmax(apart[1:-1]))

    def clear(self) -> None:
        """Remove all curves and the slider's position."""
        self._others.visible = False
        self.other_line.visible = self.other_name.visible = False
        self.target_line.visible = False
        self.unmark()

    def unmark(self) -> None:
        """Remove the slider's position."""
        self.position_line.visible = False
        self.position_dot.x, self.position_dot.y = [], []

    def mark(self, fraction: float, probability: float | None) -> None:
        """Mark the slider's position, and the target's present number on it."""
        place = float(_places(fraction))
        self.position_line.x, self.position_line.y = [place, place], list(self._span)
        self.position_line.visible = True
        if probability is None or np.isnan(probability):
            self.position_dot.x, self.position_dot.y = [], []
        else:
            with self.position_dot.hold_sync():
                self.position_dot.x = [place]
                self.position_dot.y = [probability]


def _last(values: np.ndarray) -> float:
    """Return the last number that is not nan."""
    known = values[~np.isnan(values)]
    return float(known[-1]) if len(known) else 0.0


def _places(fractions: Any) -> Any:
    """Where fractions lie on the axis: bqplot has no scale of that kind."""
    return np.sqrt(fractions)


def spread(places: Sequence[float], apart: float) -> list[float]:
    """Move ascending positions within [0, 1] so that neighbors have at least the distance ``apart``."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + apart) if moved else max(0.0, place))
    # Positions above 1 are moved down, and push the lower ones down.
    most = 1.0
    for at in range(len(moved) - 1, -1, -1):
        moved[at] = min(moved[at], most)
        most = moved[at] - apart
    return moved


def line_colors(others: Sequence[int], rows: Sequence[int], target: int) -> list[str]:
    """Return the colors of a curve's other lines: the bars' colors, or further ones for classes without a colored bar.

    Args:
        others: classes of the lines.
        rows: the listed classes.
        target: the chosen class.
    """
    bars = (
        dict(zip(rows, class_colors(len(rows), rows.index(target)), strict=True))
        if target in rows
        else {}
    )
    more = iter(RISING)
    own = [bars.get(index, NEUTRAL) for index in others]
    return [next(more, NEUTRAL) if color == NEUTRAL else color for color in own]
