"""The radar chart: rings are circles, spokes are metrics, polygons are methods."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import labeled, run, small_model

from camwidget.evaluation.plots import draw_radar
from camwidget.evaluation.radar_geometry import radar_outline, rank_scores


def test_what_the_radar_chart_shows() -> None:
    found = run(small_model(), labeled(2), ("complexity", "sparseness", "drop"), layers="all")
    (axes,) = draw_radar(found).axes
    lines = axes.get_lines()
    methods, metrics = len(found.table), 3
    assert methods > 1 and len(lines) == 4 + metrics + methods
    for line, radius in zip(lines[:4], (0.25, 0.5, 0.75, 1), strict=True):
        np.testing.assert_allclose(np.hypot(*line.get_xydata().T), radius, atol=1e-9)
    for line, angle in zip(lines[4:7], (0, 120, 240), strict=True):
        x, y = line.get_xydata().T
        end = np.sin(np.radians(angle)), np.cos(np.radians(angle))
        np.testing.assert_allclose([x, y], [[0, end[0]], [0, end[1]]], atol=1e-9)
    scores = rank_scores(found.ranks[[m.name for m in found.metrics]])
    for number, line in enumerate(lines[7:]):
        x, y = radar_outline(scores)
        np.testing.assert_allclose(line.get_xydata().T, [x[number], y[number]])
    assert [t.get_text().replace("\n", " ") for t in axes.texts] == [m.label for m in found.metrics]
    assert [t.get_ha() for t in axes.texts] == ["center", "left", "right"]
    for low, high in (axes.get_xlim(), axes.get_ylim()):
        assert low < -1 and high > 1, "the outermost ring is within the axes"
    assert axes.texts[0].get_position() == pytest.approx((0, 1.08))
    looks = {(line.get_color(), line.get_linestyle()) for line in lines[7:]}
    assert len(looks) == methods, "told apart"
