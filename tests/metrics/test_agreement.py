"""Agreement with occlusion and with the other maps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from case_helpers import case, number, scored
from scipy.stats import spearmanr

import camwidget as cw
from camwidget import zoo
from camwidget.attribution.methods import perturbation
from camwidget.errors import MetricError
from camwidget.metrics import Case

SAMPLE = zoo.samples("zoo/scenes")[0]


def quiet(done: int, total: int) -> None:
    """No bar."""


@pytest.fixture(scope="module")
def scenes() -> cw.VisionModel:
    return cw.load("zoo/scenes", device="cpu")


def test_correlation_with_occlusion(
    scenes: cw.VisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = cw.explain(
        scenes, SAMPLE.image, [0, SAMPLE.label], ["gradcam", "saliency"], ["stage2", "stage3"]
    )
    metric = cw.get_metric("occlusion-correlation", window=32, stride=16)
    passes: list[int] = []
    requested = perturbation.rerun_from_input
    monkeypatch.setattr(
        perturbation,
        "rerun_from_input",
        lambda trace, picture, total, make: requested(
            trace, picture, total, lambda a, b: passes.append(b - a) or make(a, b)
        ),
    )
    rows = cw.measure(scenes, SAMPLE, maps, metric, progress=quiet)  # type: ignore[arg-type]
    # 7 × 7 places and the picture itself, once for all classes, methods and layers (and one to learn the size).
    assert sum(passes) <= 51
    method = cw.get_method("occlusion", window=32, stride=16)
    for e, row in zip(maps, rows, strict=True):  # type: ignore[arg-type]
        other = cw.explain(scenes, SAMPLE.image, e.target.index, method, progress=quiet)
        assert isinstance(other, cw.Explanation)
        expected = spearmanr(e.saliency.ravel(), other.saliency.ravel())[0]
        assert row[metric.name].value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("shape", "settings", "requested"),
    [
        ((28, 40), {}, (4, 2)),  # a seventh of the shorter side, and half of that
        ((41, 40), {}, (5, 2)),
        ((13, 13), {}, (1, 1)),
        ((6, 9), {}, (1, 1)),
        ((9, 9), {"window": 9}, (9, 4)),
        ((9, 9), {"window": 4, "stride": 4}, (4, 4)),
    ],
)
def test_the_squares_of_the_occlusion_that_is_compared(
    shape: tuple[int, int], settings: dict[str, int], requested: tuple[int, int]
) -> None:
    made = case(np.random.default_rng(0).random(shape))
    request = next(cw.get_metric("occlusion-correlation").function(made, **settings))  # type: ignore[arg-type]
    assert request.method.name == "occlusion"
    assert dict(request.method.options) == dict(zip(("window", "stride"), requested, strict=True))
    assert torch.equal(request.pixels(), made.subject.pixels[None])
    assert request.model is None and request.target is None


@pytest.mark.parametrize("settings", [{"window": 10}, {"window": 4, "stride": 5}])
def test_squares_that_do_not_cover_the_picture_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(MetricError, match="do not cover a picture of 9 pixels"):
        scored(case(np.eye(9)), "occlusion-correlation", **settings)


def test_occlusion_agrees_with_itself(scenes: cw.VisionModel) -> None:
    e = cw.explain(scenes, SAMPLE.image, SAMPLE.label, "occlusion", progress=quiet)
    name = "occlusion-correlation"
    assert cw.measure(scenes, SAMPLE, e, name, progress=quiet)[name].value == pytest.approx(1)


def test_the_default_window_is_occlusions_own(scenes: cw.VisionModel) -> None:
    assert case(np.eye(128)).saliency.shape == (128, 128)
    e = cw.explain(scenes, SAMPLE.image, SAMPLE.label)
    name = "occlusion-correlation"
    plain = cw.measure(scenes, SAMPLE, e, name, progress=quiet)[name]
    other = cw.explain(scenes, SAMPLE.image, SAMPLE.label, "occlusion", progress=quiet)
    assert isinstance(e, cw.Explanation) and isinstance(other, cw.Explanation)
    assert plain.value == pytest.approx(spearmanr(e.saliency.ravel(), other.saliency.ravel())[0])


@pytest.mark.parametrize("settings", [{"window": 0}, {"window": 200}, {"window": 8, "stride": 9}])
def test_windows_that_do_not_fit(scenes: cw.VisionModel, settings: dict[str, Any]) -> None:
    e = cw.explain(scenes, SAMPLE.image, SAMPLE.label)
    with pytest.raises(MetricError, match="window"):
        cw.measure(scenes, SAMPLE, e, cw.get_metric("occlusion-correlation", **settings))


def test_agreement_is_the_mean_with_the_others_of_the_class(scenes: cw.VisionModel) -> None:
    methods, layers = ["gradcam", "saliency", "layercam"], ["stage2", "stage3"]
    maps = cw.explain(scenes, SAMPLE.image, [0, 1], methods, layers)
    rows = cw.measure(scenes, SAMPLE, maps, "agreement", progress=quiet)  # type: ignore[arg-type]
    for e, row in zip(maps, rows, strict=True):  # type: ignore[arg-type]
        # Saliency is listed at both layers, and is one map.
        others = {
            (o.method, o.layer): spearmanr(e.saliency.ravel(), o.saliency.ravel())[0]
            for o in maps  # type: ignore[union-attr]
            if o.target == e.target and (o.method, o.layer) != (e.method, e.layer)
        }
        assert len(others) == 4
        assert row["agreement"].value == pytest.approx(np.mean(list(others.values())), abs=1e-9)


def test_one_that_is_alone() -> None:
    rng = np.random.default_rng(0)
    alone = case(rng.random((6, 6)))
    score = scored(alone, "agreement")
    assert math.isnan(score.value) and "no other map of 'a'" in score.note
    subject = alone.subject
    subject.cases.append(Case(subject, 1, alone.saliency))  # of another class
    subject.cases.append(Case(subject, 0, alone.saliency, fault="constant map"))
    assert math.isnan(scored(alone, "agreement").value)
    subject.cases.append(Case(subject, 0, 1 - alone.saliency))
    assert number(alone, "agreement") == pytest.approx(-1)
