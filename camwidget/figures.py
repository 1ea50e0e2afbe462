"""Matplotlib figures that a notebook shows once, and that leave no global state behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["new_figure"]


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
