"""Figures of an evaluation: mean curves with confidence intervals, and a radar chart of the ranks."""

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plotting import new_figure, plain_text
from .html_table import heading
from .radar_geometry import radar_outline, rank_scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .table import EvaluationTable

__all__ = ["COLOURS", "draw_all", "draw_radar"]

#: Told apart by colour-blind people too (Okabe & Ito 2008), without their yellow, which is lost on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_STYLES = ("-", "--", ":", "-.")
_RINGS = 4
#: From how many spokes on a radar chart has an inside.
_SPOKES = 3


def draw_all(evaluation: EvaluationTable) -> Figure:
    """A panel for each metric with a curve, and the radar chart, if three metrics or more give it an inside."""
    curves = evaluation.curves
    has_radar = len(evaluation.metrics) >= _SPOKES or not curves
    figure = new_figure(4.4 * (len(curves) + has_radar) + 0.4, 4.2)
    panels = figure.subplots(1, len(curves) + has_radar, squeeze=False)[0]
    for axes, (name, frame) in zip(panels, curves.items(), strict=False):
        _draw_curve(axes, evaluation, name, frame)
    if has_radar:
        _draw_radar(panels[-1], evaluation)
    _legend(figure, panels[0])
    return figure


def draw_radar(evaluation: EvaluationTable) -> Figure:
    """The radar chart alone."""
    figure = new_figure(5.6, 4.8)
    axes = figure.subplots()
    _draw_radar(axes, evaluation)
    _legend(figure, axes)
    return figure


def _looks(count: int) -> list[dict[str, Any]]:
    """A colour and a line style for each: other styles when the colours are used up, and in between."""
    # Steps of both at once, so that neighbours differ in both; 7 and 4 have no common factor.
    pairs = zip(itertools.cycle(COLOURS), itertools.cycle(_STYLES), strict=False)
    return [{"color": c, "linestyle": s} for c, s in itertools.islice(pairs, count)]


def _labels(evaluation: EvaluationTable) -> list[str]:
    index = evaluation.table.index
    names = [" · ".join(map(str, key)) if isinstance(key, tuple) else str(key) for key in index]
    return [plain_text(name) for name in names]


def _draw_curve(axes: Any, evaluation: EvaluationTable, name: str, frame: Any) -> None:
    keys = list(evaluation.table.index)
    for key, label, look in zip(keys, _labels(evaluation), _looks(len(keys)), strict=True):
        mean, low, high = (
            frame[(*(key if isinstance(key, tuple) else (key,)), what)]
            for what in ("mean", "low", "high")
        )
        axes.plot(frame.index, mean, label=label, linewidth=1.6, **look)
        axes.fill_between(frame.index, low, high, color=look["color"], alpha=0.15, linewidth=0)
    metric = next(m for m in evaluation.metrics if m.name == name)
    arrow = "higher" if metric.better == "higher" else "lower"
    axes.set_title(f"{plain_text(heading(metric))} ({arrow} is better)", fontsize=9)
    axes.set_xlabel("fraction removed, or shown", fontsize=8)
    axes.set_ylabel("mean over pictures", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.set_xlim(0, 1)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_radar(axes: Any, evaluation: EvaluationTable) -> None:
    ranks = evaluation.ranks[[m.name for m in evaluation.metrics]]
    x, y = radar_outline(rank_scores(ranks))
    spokes = len(evaluation.metrics)
    for radius in np.linspace(1 / _RINGS, 1, _RINGS):
        ring = radar_outline(np.full((1, max(spokes, 60)), radius))
        axes.plot(ring[0][0], ring[1][0], color="0.88", linewidth=0.7, zorder=0)
    tips = radar_outline(np.ones((1, spokes)))
    for metric, tip_x, tip_y in zip(
        evaluation.metrics, tips[0][0][:-1], tips[1][0][:-1], strict=True
    ):
        axes.plot([0, tip_x], [0, tip_y], color="0.88", linewidth=0.7, zorder=0)
        axes.text(
            1.08 * tip_x,
            1.08 * tip_y,
            plain_text(textwrap.fill(heading(metric), 16)),
            ha="center" if abs(tip_x) < 0.2 else "left" if tip_x > 0 else "right",
            va="center" if abs(tip_y) < 0.8 else "bottom" if tip_y > 0 else "top",
            fontsize=8,
        )
    looks, labels = _looks(len(x)), _labels(evaluation)
    for outline_x, outline_y, label, look in zip(x, y, labels, looks, strict=True):
        axes.plot(outline_x, outline_y, label=label, linewidth=1.6, marker=".", **look)
    axes.set_aspect("equal")
    axes.set_xlim(-1.5, 1.5)
    axes.set_ylim(-1.3, 1.3)
    axes.set_axis_off()
    axes.set_title("ranks (outermost is best)", fontsize=9)


def _legend(figure: Figure, axes: Any) -> None:
    """One for all panels, below them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(4, max(1, len(labels))),
        frameon=False,
        fontsize=8,
    )
