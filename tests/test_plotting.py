"""Colormaps of the widget and of figures are the same."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colormaps

from camwidget.plotting import COLORMAPS, DIFFERENCE, lookup_tables


@pytest.mark.parametrize("name", [*COLORMAPS, DIFFERENCE])
def test_stored_colormaps_are_those_of_matplotlib(name: str) -> None:
    expected = colormaps[name](np.linspace(0, 1, 256), bytes=True)[:, :3]
    assert lookup_tables([name]) == {name: expected.tobytes()}
