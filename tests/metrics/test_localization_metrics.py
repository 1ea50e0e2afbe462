"""Localization metrics, compared with Quantus and with their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from case_helpers import case, number, scored
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import camwidget as cw
from camwidget import zoo
from camwidget.errors import MetricError
from camwidget.images.ground_truth import share_inside

GRIDS = st.tuples(
    hnp.arrays(np.float32, (6, 8), elements=st.sampled_from([0.0, 0.125, 0.5, 0.75, 1.0])),
    hnp.arrays(np.bool_, (6, 8)),
).filter(lambda pair: pair[0].any() and pair[1].any() and not pair[1].all())


def theirs(kind: Any, values: np.ndarray, mask: np.ndarray) -> float:
    metric = kind(abs=False, normalise=False, disable_warnings=True, display_progressbar=False)
    (score,) = metric(
        model=None,
        x_batch=np.zeros((1, 3, *values.shape)),
        y_batch=np.zeros(1, int),
        a_batch=values.astype(np.float64)[None, None],
        s_batch=mask[None, None],
    )
    return float(score)


def test_pointing_and_energy_as_quantus_has_them() -> None:
    quantus = pytest.importorskip("quantus")
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(20):
        values, mask = rng.random((12, 9)).astype(np.float32), rng.random((12, 9)) < 0.5
        made = case(values, mask[None])
        assert number(made, "energy") == pytest.approx(
            theirs(quantus.RelevanceMassAccuracy, values, mask), abs=1e-9
        )
        hit = number(made, "pointing", tolerance=0)
        assert hit == theirs(quantus.PointingGame, values, mask)
        hits += int(hit)
    assert 0 < hits < 20


@settings(deadline=None)
@given(GRIDS, st.floats(0, 5))
def test_by_their_definitions(pair: tuple[np.ndarray, np.ndarray], tolerance: float) -> None:
    values, mask = pair
    made = case(values, mask[None])
    assert number(made, "energy") == share_inside(values, mask)
    inside, outside = values[mask].mean(dtype=float), values[~mask].mean(dtype=float)
    ratio = inside / max(outside, 1e-3)
    assert number(made, "inside-outside") == pytest.approx(ratio, rel=1e-6)
    high = values >= 0.5 * values.max()
    both = (high & mask).sum() / (high | mask).sum()
    assert number(made, "iou", threshold=0.5) == pytest.approx(both)
    y, x = min(map(tuple, np.argwhere(values == values.max()).tolist()))
    distance = min(math.hypot(y - i, x - j) for i, j in np.argwhere(mask).tolist())
    assert number(made, "pointing", tolerance=tolerance) == (distance <= tolerance)


def test_the_peak_may_be_a_little_off() -> None:
    """15 pixels of 500, as in the paper: of a picture 100 pixels long three."""
    values, mask = np.zeros((60, 100)), np.zeros((60, 100), bool)
    mask[20:30, 40:50] = True
    values[25, 52] = 1
    assert number(case(values, mask[None]), "pointing") == 1
    assert number(case(values, mask[None]), "pointing", tolerance=2) == 0
    values[25, 53] = 2
    assert number(case(values, mask[None]), "pointing") == 0
    assert number(case(values, mask[None]), "pointing", tolerance=15) == 1


def test_recall_asks_also_of_classes_that_are_not_there() -> None:
    there, absent = np.zeros((1, 5, 5), bool), np.zeros((0, 5, 5), bool)
    there[0, 1, 1] = True
    hit, miss, nothing = np.zeros((5, 5)), np.zeros((5, 5)), np.zeros((5, 5))
    hit[1, 1] = miss[4, 4] = 1
    for values, mask, peak, expected in (
        (hit, there, 3.0, 1),
        (hit, there, 2.0, 0),  # it abstains, and should not
        (miss, there, 3.0, 0),
        (miss, absent, 3.0, 0),
        (miss, absent, 2.0, 1),
        (nothing, absent, 0.0, 1),
        (nothing, there, 0.0, 0),
    ):
        made = case(values, mask, peak=peak)
        assert number(made, "pointing-recall", threshold=2) == expected
    assert number(case(nothing, absent), "pointing-recall") == 1
    assert number(case(hit, absent), "pointing-recall") == 0
    with pytest.raises(MetricError, match="threshold"):
        scored(case(hit, there), "pointing-recall", threshold=-1)


def test_an_empty_map_abstains_only_where_that_is_asked() -> None:
    """All the other metrics have a note for it."""
    absent = np.zeros((0, 5, 5), bool)
    made = case(np.zeros((5, 5)), absent)
    made.fault = "constant map"
    assert scored(made, "pointing-recall").value == 1
    assert scored(made, "pointing").note == "constant map"
    broken = case(np.full((5, 5), np.nan), absent)
    broken.fault = "NaN in the map"
    assert math.isnan(scored(broken, "pointing-recall").value)


def test_a_box_fits_the_object_that_it_fits_best() -> None:
    first, second = np.zeros((2, 20, 20), bool)
    first[0:4, 0:4] = True
    second[10:20, 10:20] = True
    values = np.zeros((20, 20))
    values[10:15, 10:20] = 1
    values[0, 0] = 0.5  # a part of its own, smaller
    values[16, 10:20] = 0.14  # below the threshold
    made = case(values, [first, second])
    assert number(made, "localization") == 0.5
    assert number(made, "localization", threshold=0.1) == 0.5  # a row is missing between
    values[15, 10:20] = 0.14
    assert number(case(values, [first, second]), "localization", threshold=0.1) == 0.7


@pytest.mark.parametrize(
    ("probabilities", "width", "top1", "top5"),
    [
        ([0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0, 0], 5, 0, 0),
        ([0.2, 0.8, 0, 0, 0, 0, 0, 0], 5, 1, 0),
        ([0.1, 0.3, 0.2, 0.15, 0.12, 0.09, 0.04, 0], 5, 1, 0),  # the fifth
        ([0.01, 0.2, 0.2, 0.2, 0.2, 0.19, 0, 0], 5, 1, 1),
        ([0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0, 0], 4, 1, 1),  # the box is too narrow
    ],
)
def test_localization_errors(probabilities: list[float], width: int, top1: int, top5: int) -> None:
    mask, values = np.zeros((1, 12, 12), bool), np.zeros((12, 12))
    mask[0, :10, :10] = True
    values[:10, :width] = 1
    made = case(values, mask, label=0, probabilities=probabilities)
    assert number(made, "top1-localization") == top1
    assert number(made, "top5-localization") == top5
    other = case(values, mask, target=1, label=0, probabilities=probabilities)
    assert "the map is of b, the picture of a" in scored(other, "top5-localization").note


NAMES = [m.name for m in cw.list_metrics() if "truth" in m.needs]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_there_has_no_score(name: str) -> None:
    made = case(np.eye(4), np.zeros((0, 4, 4)), label=0)
    score = scored(made, name)
    if name == "pointing-recall":
        assert score.value == 0
        return
    assert math.isnan(score.value) and score.note == "a is not in the picture"
    with pytest.raises(MetricError, match="mask"):
        scored(case(np.eye(4), label=0), name)


@pytest.mark.parametrize("name", ["iou", "localization", "top1-localization", "top5-localization"])
def test_thresholds_that_make_no_sense(name: str) -> None:
    made = case(np.eye(4), np.ones((1, 4, 4)), label=0)
    for threshold in (0, 1.5, math.nan, "half"):
        with pytest.raises(MetricError, match="threshold"):
            scored(made, name, threshold=threshold)
    with pytest.raises(MetricError, match="tolerance"):
        scored(made, "pointing", tolerance=-1)
    with pytest.raises(MetricError, match="no setting radius"):
        scored(made, "pointing", radius=1)


def test_nothing_outside() -> None:
    made = case(np.eye(4), np.ones((1, 4, 4)))
    assert "no outside" in scored(made, "inside-outside").note
    assert number(case(np.eye(4), np.eye(4)[None]), "inside-outside") == pytest.approx(1000)


@pytest.mark.parametrize("name", [n for n in NAMES if "-localization" not in n])
def test_gradcam_knows_better_than_chance(name: str) -> None:
    """On scenes with several things, of each that is there."""
    model = cw.load("zoo/scenes", device="cpu")
    scores: dict[str, list[float]] = {"gradcam": [], "random": []}
    for sample in zoo.samples("zoo/scenes")[:4]:
        maps = cw.explain(model, sample.image, sorted(set(sample.labels)), list(scores))
        assert isinstance(maps, cw.Explanations)
        for e, row in zip(maps, cw.measure(model, sample, maps, name), strict=True):
            scores[e.method].append(row[name].value)
    assert np.nanmean(scores["gradcam"]) > 1.3 * np.nanmean(scores["random"])
