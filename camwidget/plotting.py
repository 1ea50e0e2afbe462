"""Colormaps, fixed colors of the widget, and matplotlib figures without global state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "ACCENT",
    "COLORMAPS",
    "DIFFERENCE",
    "FRACTION_TICKS",
    "NEUTRAL",
    "RISING",
    "RIVALS",
    "SERIES",
    "class_colors",
    "lookup_tables",
    "new_figure",
    "plain_text",
    "set_fraction_axis",
]

#: Perceptually uniform colormaps, suitable for color-blind readers.
COLORMAPS = ("inferno", "magma", "viridis", "cividis", "turbo")

#: Diverging colormap with ends of equal brightness, distinct for color-blind readers (Moreland 2009).
DIFFERENCE = "coolwarm"

#: Color of the explained class, legible on light and dark backgrounds.
ACCENT = "#e8710a"
#: Colors of the three next most probable classes, in bars and curves.
RIVALS = ("#4f86c6", "#3a9d8f", "#9a7fc0")
#: Colors of other classes that rise on a curve.
RISING = ("#b5518f", "#7d8a1e", "#5f6ad1")
#: Colors of compared methods, distinct for color-blind readers (after Paul Tol's bright scheme) and from ACCENT.
SERIES = ("#4477aa", "#e4576b", "#2f9a48", "#b8a11f", "#3aa8d0", "#aa3377", "#7a5ae0", "#44b099")
#: Color of everything else.
NEUTRAL = "#8a929c"

#: Ticks of an axis of masked fractions that is a square root; js/src/page/curveChart.ts has the same.
FRACTION_TICKS = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0)


def class_colors(count: int, chosen: int) -> list[str]:
    """The colors of listed classes.

    Args:
        count: number of classes, most probable first.
        chosen: index of the explained class in the list.
    """
    rivals = iter(RIVALS)
    return [ACCENT if i == chosen else next(rivals, NEUTRAL) for i in range(count)]


def lookup_tables(names: Sequence[str] = COLORMAPS) -> dict[str, bytes]:
    """Each colormap as 256 RGB triples, 768 bytes, by name: one of ``COLORMAPS``, or ``DIFFERENCE``.

    They are matplotlib's, from a file: a map is on the screen before matplotlib, which draws figures, is needed.
    """
    content = Path(__file__).with_name("colormaps.bin").read_bytes()
    places = {name: 768 * number for number, name in enumerate((*COLORMAPS, DIFFERENCE))}
    return {name: content[places[name] : places[name] + 768] for name in names}


def plain_text(text: str) -> str:
    """Text for matplotlib to show as it is: it reads formulas between dollar signs, and hides what begins with "_"."""
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def set_fraction_axis(axes: Axes, spacing: str) -> None:
    """Make the horizontal axis one of masked fractions from 0 to 1.

    Args:
        axes: the axes.
        spacing: of the fractions. For "quadratic", the axis is a square root, on which they are evenly spaced.
    """
    ticks = [0, 0.25, 0.5, 0.75, 1] if spacing == "even" else list(FRACTION_TICKS)
    if spacing != "even":
        # The limits before are beyond 0.
        axes.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
    axes.set_xlim(0, 1)
    labels = [f"{100 * tick:g}{' %' if tick == 1 else ''}" for tick in ticks]
    axes.set_xticks(ticks, labels)


def new_figure(width: float, height: float, kind: type[Figure] | None = None) -> Figure:
    """Create a figure that pyplot does not keep.

    It is created through pyplot, which configures a notebook to display figures, and closed at once, so that it is
    displayed only where it is returned.

    Args:
        width: in inches.
        height: in inches.
        kind: class of the figure; matplotlib's if None.
    """
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    figure = plt.figure(figsize=(width, height), layout="constrained", FigureClass=kind or Figure)
    plt.close(figure)
    return figure
