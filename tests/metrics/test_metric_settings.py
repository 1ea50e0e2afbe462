"""Settings of metrics: valid values, defaults, and refusals."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from case_helpers import case
from faithfulness_helpers import SIZE, picture, small_model

import camwidget as cw
from camwidget.attribution import batched_inference, trace
from camwidget.errors import MetricError
from camwidget.metrics import confidence, score_steps, settings

#: The papers' numbers, or those that a metric's docstring gives reasons for.
DEFAULTS: dict[str, dict[str, Any]] = {
    "drop": {},
    "increase": {},
    "gain": {},
    "change": {},
    "remove25": {"fraction": 0.25, "baseline": "mean"},
    "change25": {"fraction": 0.25, "baseline": "mean"},
    "deletion": {"steps": 21, "baseline": "mean"},
    "insertion": {"steps": 21, "baseline": "blur"},
    "morf": {"steps": 21, "baseline": "mean"},
    "lerf": {"steps": 21, "baseline": "mean"},
    "road": {
        "percentiles": (10, 20, 30, 40, 50, 60, 70, 80, 90),
        "order": "combined",
        "noise": 0.01,
    },
    "region-perturbation": {"patch": None, "regions": 32, "baseline": "mean"},
    "non-sensitivity": {"patch": None, "epsilon": 0.01, "baseline": "mean"},
    "max-sensitivity": {"samples": 10, "radius": 0.02},
    "continuity": {"samples": 10, "radius": 0.02},
    "complexity": {},
    "sparseness": {},
    "random-logit": {},
    "parameter-randomization": {},
    "occlusion-correlation": {"window": None, "stride": None},
    "agreement": {},
    "pointing": {"tolerance": None},
    "pointing-recall": {"threshold": 0.0, "tolerance": None},
    "energy": {},
    "inside-outside": {},
    "iou": {"threshold": 0.15},
    "localization": {"threshold": 0.15},
    "top1-localization": {"threshold": 0.15},
    "top5-localization": {"threshold": 0.15},
}


def test_what_metrics_take_unless_told() -> None:
    found = {
        m.name: {
            p.name: p.default
            for p in inspect.signature(m.function).parameters.values()
            if p.kind is p.KEYWORD_ONLY
        }
        for m in cw.list_metrics()
    }
    assert found == DEFAULTS


def test_a_registered_function_stays_what_it_was() -> None:
    assert confidence.drop is cw.get_metric("drop").function


def test_which_metrics_are_computed_of_answers() -> None:
    """Those of quantities are parts of the quantity."""
    assert {m.name for m in cw.list_metrics() if m.reads_predictions} == {
        "drop", "increase", "gain", "change", "remove25", "change25", "deletion", "insertion", "morf", "lerf", "road",
        "region-perturbation", "non-sensitivity",
    }  # fmt: skip
    assert [m.name for m in cw.list_metrics() if m.takes_empty] == ["pointing-recall"]


def test_groups_are_those_of_the_study() -> None:
    """The study of textures has one metric of each of five kinds, an axiomatic one among them."""
    group = {m.name: m.group for m in cw.list_metrics()}
    assert (
        group["non-sensitivity"] == "axiomatic" and group["region-perturbation"] == "faithfulness"
    )
    assert group["continuity"] == group["max-sensitivity"] == "robustness"
    assert group["complexity"] == "complexity" and group["random-logit"] == "randomization"


def test_a_metric_has_the_settings_that_it_was_given() -> None:
    metric = cw.get_metric("deletion", steps=5)
    assert metric.options == (("steps", 5),)
    other = cw.get_metric(metric, baseline="black")
    assert dict(other.options) == {"steps": 5, "baseline": "black"}
    assert metric.options == (("steps", 5),) and cw.get_metric("deletion").options == ()
    assert (other.name, other.better, other.range) == ("deletion", "lower", (0, 1))
    with pytest.raises(MetricError, match=r"no metric 'deletoin'\. Did you mean 'deletion'"):
        cw.get_metric("deletoin")
    with pytest.raises(MetricError, match="no metric 3"):
        cw.get_metric(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_all_passes_are_in_the_precision_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    """The whole picture's too: changed pictures are compared with it."""
    for module in (batched_inference, trace):  # it takes times of both
        monkeypatch.setattr(module, "warn_if_slower", lambda *_: None)
    model, pixels = small_model(), picture()
    exp = cw.explain(model, pixels, 1)
    seen: list[bool] = []
    model.module.register_forward_pre_hook(lambda *_: seen.append(torch.is_autocast_enabled("cpu")))
    for metrics in (["drop", "remove25"], [cw.get_metric("continuity", samples=2)]):
        cw.measure(model, pixels, exp, metrics, precision=precision)
        assert len(seen) >= 2 and set(seen) == {precision == "bf16"}
        seen.clear()


def test_progress_is_of_passes_and_never_promises_more_than_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(batched_inference._PIXELS, "cpu", 4 * SIZE * SIZE)  # four at once
    model, pixels = small_model(), picture()
    exp = cw.explain(model, pixels, 1)
    reports: list[tuple[int, int]] = []
    occlusion = cw.get_metric("occlusion-correlation", window=16, stride=8)
    metrics = [cw.get_metric("continuity", samples=3), "random-logit", occlusion, "deletion"]
    cw.measure(model, pixels, exp, metrics, progress=lambda *p: reports.append(p))
    done, totals = zip(*reports, strict=True)
    # Twenty for the curve, three noisy copies, the picture for another class, nine squares and the picture.
    assert reports[-1] == (34, 34)
    assert list(done) == sorted(done) and max(totals) == 34
    assert all(a <= b for a, b in reports) and list(totals) == sorted(totals)
    squares = [n for n in dict.fromkeys(done) if n > 24]
    assert len(squares) > 1, "a map that grows says how far it is"


def test_what_a_case_lacks_is_a_note_where_that_is_allowed() -> None:
    made = case(np.eye(4))
    metrics = [
        cw.get_metric(n) for n in ("pointing", "top1-localization", "continuity", "complexity")
    ]
    *_, last = score_steps([made], metrics, lenient=True)
    notes = [last.scores[made, m.name].note for m in metrics]
    assert notes == ["location of the object unknown", "true class unknown", "method unknown", ""]
    assert math.isnan(last.scores[made, "pointing"].value)
    assert last.scores[made, "complexity"].value == pytest.approx(math.log(4))
    for metric, remedy in zip(metrics, ("mask=", "label=", "as returned by explain"), strict=False):
        with pytest.raises(MetricError, match=f"{metric.label} has no score: .*{remedy}"):
            next(score_steps([made], [metric]))


# -- checks ---------------------------------------------------------------------------------------


def test_one_or_several() -> None:
    metric = cw.get_metric("drop")
    assert settings.as_list("drop") == ["drop"] and settings.as_list(metric) == [metric]
    assert settings.as_list(("drop", metric)) == ["drop", metric]
    assert settings.as_list(name for name in ("a", "b")) == ["a", "b"]


@pytest.mark.parametrize("value", [2, np.int64(2), 2**63 - 1])
def test_whole_numbers(value: Any) -> None:
    found = settings.check_integer("steps", value, 2)
    assert found == value and type(found) is int


@pytest.mark.parametrize("value", [1, 0, -3, 2.0, "2", None, 2**63, math.nan])
def test_what_is_no_whole_number(value: Any) -> None:
    with pytest.raises(MetricError, match=r"^steps is an integer of at least 2, not "):
        settings.check_integer("steps", value, 2)


def test_whole_numbers_are_at_least_1_unless_told() -> None:
    assert settings.check_integer("steps", 1) == 1
    with pytest.raises(MetricError, match="at least 1"):
        settings.check_integer("steps", 0)


@pytest.mark.parametrize("value", [0, 0.25, 1, np.float32(0.5), Fraction(1, 4)])
def test_numbers(value: Any) -> None:
    found = settings.check_number("noise", value, 0, 1)
    assert found == value and type(found) is float
    assert settings.check_number("noise", 1e300, 0) == 1e300


@pytest.mark.parametrize("value", [-1e-9, 1.0001, math.nan, math.inf, "half", None])
def test_what_is_no_number(value: Any) -> None:
    with pytest.raises(MetricError, match=r"^noise is a number between 0 and 1, not "):
        settings.check_number("noise", value, 0, 1)
    if value not in (1.0001,):
        with pytest.raises(MetricError, match=r"^noise is a number of at least 0, not "):
            settings.check_number("noise", value, 0)


def test_fractions() -> None:
    for value in (0.25, np.float32(0.25), Fraction(1, 4)):
        found = settings.check_fraction(value)
        assert found == 0.25 and type(found) is float
    for bad in (0, 1, -0.1, 1.5, math.nan, "half", None):
        with pytest.raises(MetricError, match="between 0 and 1, such as 0.25"):
            settings.check_fraction(bad)


def test_percentages() -> None:
    assert settings.check_percentiles([0.5, np.float64(99.5)]) == (0.5, 99.5)
    assert settings.check_percentiles(50) == (50.0,)
    assert all(type(value) is float for value in settings.check_percentiles((10, 20)))
    for bad in ((), 0, 100, (10, 100), (0, 10), "ab", None, [math.nan]):
        with pytest.raises(MetricError, match="between 0 and 100"):
            settings.check_percentiles(bad)


@pytest.mark.parametrize(
    ("check", "good", "message"),
    [
        (
            lambda name: settings.check_choice(name, ("a", "b"), "order"),
            "b",
            "no order 'x': use 'a', 'b'",
        ),
        (settings.check_baseline, "blur", "no baseline 'x': use 'blur', 'mean', 'black'"),
    ],
)
def test_names(check: Callable[[Any], str], good: str, message: str) -> None:
    assert check(good) == good
    with pytest.raises(MetricError, match=message):
        check("x")
