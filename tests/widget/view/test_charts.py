"""The two charts: where names stand beside their lines, and in which colors lines are drawn."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camwidget.plotting import ACCENT, NEUTRAL, RISING, RIVALS
from camwidget.widget.view.charts import line_colors, spread


@given(st.lists(st.floats(0, 1), min_size=1, max_size=4).map(sorted))
def test_names_keep_their_order_and_their_distance(places: list[float]) -> None:
    moved = spread(places, 0.17)
    assert moved == sorted(moved)
    assert all(b - a >= 0.17 - 1e-9 for a, b in pairwise(moved))
    assert moved[0] >= -1e-9 and moved[-1] <= 1


def test_names_that_have_room_stay_where_their_lines_end() -> None:
    assert spread([0.1, 0.5, 0.9], 0.17) == [0.1, 0.5, 0.9]
    assert spread([0.95, 1.0], 0.2) == pytest.approx([0.8, 1.0])


def test_a_line_has_the_color_of_its_bar_or_one_of_its_own() -> None:
    rows = [7, 3, 9, 4, 5]
    assert line_colors([3, 9, 4], rows, 7) == list(RIVALS)
    # Neither the neutral bar of 5 nor the class 8, which is not listed, could be told from others.
    assert line_colors([3, 5, 8], rows, 7) == [RIVALS[0], RISING[0], RISING[1]]
    assert len({*RIVALS, *RISING, ACCENT, NEUTRAL}) == 8
