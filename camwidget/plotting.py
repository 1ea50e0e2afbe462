"""Colormaps, the fixed colors of the widget, and matplotlib figures that leave no global state behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "ACCENT",
    "COLORMAPS",
    "DIFFERENCE",
    "NEUTRAL",
    "RISING",
    "RIVALS",
    "SERIES",
    "class_colors",
    "lookup_tables",
    "new_figure",
    "plain_text",
]

#: Perceptually uniform, or made for colour-blind eyes; never jet.
COLORMAPS = ("inferno", "magma", "viridis", "cividis", "turbo")

#: From less to more, its ends as bright as each other and apart for colour-blind eyes (Moreland 2009).
DIFFERENCE = "coolwarm"

#: The chosen class, everywhere; legible on light and dark grounds.
ACCENT = "#e8710a"
#: The three nearest rivals, in their bars and in their curves.
RIVALS = ("#4f86c6", "#3a9d8f", "#9a7fc0")
#: Classes that rise on a curve, but are not among the three nearest rivals.
RISING = ("#b5518f", "#7d8a1e", "#5f6ad1")
#: Methods that are compared, told apart by colour-blind eyes too (after Paul Tol's bright scheme); ACCENT is none.
SERIES = ("#4477aa", "#e4576b", "#2f9a48", "#b8a11f", "#3aa8d0", "#aa3377", "#7a5ae0", "#44b099")
#: Everything else.
NEUTRAL = "#8a929c"


def class_colors(count: int, chosen: int) -> list[str]:
    """The colours of ``count`` listed classes, most probable first."""
    rivals = iter(RIVALS)
    return [ACCENT if i == chosen else next(rivals, NEUTRAL) for i in range(count)]


def lookup_tables(names: Sequence[str] = COLORMAPS) -> dict[str, bytes]:
    """Each colormap as 256 RGB triples, 768 bytes."""
    from matplotlib import colormaps

    steps = np.linspace(0, 1, 256)
    return {name: colormaps[name](steps, bytes=True)[:, :3].tobytes() for name in names}


def plain_text(text: str) -> str:
    """Text for matplotlib to show as it is: it reads formulas between dollar signs, and hides what begins with "_"."""
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def new_figure(width: float, height: float, kind: type[Figure] | None = None) -> Figure:
    """A figure of ``width`` × ``height`` inches that is no longer known to pyplot; of matplotlib's class if None.

    Made through pyplot, because that is what sets up a notebook to show figures; closed at
    once, so that it is shown where it is returned and nowhere else.
    """
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    figure = plt.figure(figsize=(width, height), layout="constrained", FigureClass=kind or Figure)
    plt.close(figure)
    return figure
