"""Colormaps for the browser, taken from matplotlib, and the widget's few fixed colours."""

from __future__ import annotations

import numpy as np

__all__ = ["ACCENT", "COLORMAPS", "OTHERS", "lookup_tables"]

#: Perceptually uniform, or made for colour-blind eyes; never jet.
COLORMAPS = ("inferno", "magma", "viridis", "cividis", "turbo")

#: The chosen class, everywhere; legible on light and dark grounds.
ACCENT = "#e8710a"
#: The other top classes, from the nearest rival on.
OTHERS = ("#4f86c6", "#3a9d8f", "#9a7fc0")


def lookup_tables() -> dict[str, bytes]:
    """Each colormap as 256 RGB triples, 768 bytes."""
    from matplotlib import colormaps

    steps = np.linspace(0, 1, 256)
    return {name: colormaps[name](steps, bytes=True)[:, :3].tobytes() for name in COLORMAPS}
