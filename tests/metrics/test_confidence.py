"""Drop, increase, gain, removal and curves, compared with their equations and with other implementations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from faithfulness_helpers import (
    SIZE,
    GivenMap,
    case_of,
    confidence,
    picture,
    random_map,
    scores_of,
    small_model,
    subject_of,
    unasked,
    value_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import camwidget as cw
from camwidget.errors import MetricError
from camwidget.masking.baselines import baseline_pixels
from camwidget.metrics import Case, ScoredPicture

PICTURES = range(6)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model() -> cw.VisionModel:
    return small_model()


@pytest.fixture(scope="module")
def cases(model: cw.VisionModel) -> list[Case]:
    return [case_of(subject_of(model, picture(n), n), random_map(n), n % 4) for n in PICTURES]


def by_rank(case: Case, count: int, fill: torch.Tensor, *, keep: bool = False) -> torch.Tensor:
    """The picture with its ``count`` most salient pixels replaced, or all others; the slow way."""
    order = np.argsort(-case.saliency.numpy().ravel(), kind="stable")
    top = np.zeros(case.saliency.numel(), bool)
    top[order[:count]] = True
    mask = torch.from_numpy(top.reshape(case.saliency.shape))
    return torch.where(mask != keep, fill, case.subject.pixels)


def curve_by_rank(
    model: cw.VisionModel, case: Case, steps: int, baseline: str, *, keep: bool = False
) -> np.ndarray:
    fill = baseline_pixels(case.subject.pixels, baseline)
    pixels = case.saliency.numel()
    stack = [by_rank(case, pixels * k // (steps - 1), fill, keep=keep) for k in range(steps)]
    return confidence(model.module, torch.stack(stack), case.target).numpy()


# -- the picture times its map --------------------------------------------------------------


def test_the_maps_tell(cases: list[Case]) -> None:
    """Else the comparisons below would prove nothing: some pictures lose confidence, others gain."""
    scores = scores_of(cases, "drop", "gain")
    assert min(max(scores[c, name].value for c in cases) for name in ("drop", "gain")) > 0.05


def test_drop_and_increase_are_torchcams(model: cw.VisionModel, cases: list[Case]) -> None:
    """Ours rounds the product to 8 bits, half a level a pixel: hence 3e-3, a hundredth of what is compared."""
    torchcam = pytest.importorskip("torchcam.metrics", exc_type=ImportError)
    ours = scores_of(cases, "drop", "increase")
    for case in cases:
        theirs = torchcam.ClassificationMetric(
            GivenMap(model.module, case.saliency[None]), lambda logits: logits.softmax(-1)
        )
        theirs.update(case.subject.pixels[None], case.target)
        found = theirs.summary()
        assert ours[case, "drop"].value == pytest.approx(found["avg_drop"], abs=3e-3)
        assert ours[case, "increase"].value == found["conf_increase"]


def test_drop_and_increase_are_grad_cams(model: cw.VisionModel, cases: list[Case]) -> None:
    """Its drop is absolute (``max(0, Y − O)``), where the paper divides by Y."""
    theirs = pytest.importorskip("pytorch_grad_cam.metrics.cam_mult_image", exc_type=ImportError)
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget

    ours = scores_of(cases, "drop", "increase")
    for case in cases:
        requested = (
            case.subject.pixels[None],
            case.saliency[None].numpy(),
            [ClassifierOutputSoftmaxTarget(case.target)],
            model.module,
        )
        drop = float(theirs.DropInConfidence()(*requested)[0])
        assert ours[case, "drop"].value * case.before == pytest.approx(drop, abs=2e-3)
        assert ours[case, "increase"].value == theirs.IncreaseInConfidence()(*requested)[0]


def test_gain_is_its_equation(model: cw.VisionModel, cases: list[Case]) -> None:
    scores = scores_of(cases, "gain", "increase", "drop")
    for case in cases:
        after = confidence(model.module, (case.subject.pixels * case.saliency)[None], case.target)[
            0
        ]
        expected = max(0.0, float(after) - case.before) / (1 - case.before)
        assert scores[case, "gain"].value == pytest.approx(expected, abs=3e-3)
        # Who gains does not drop.
        assert (scores[case, "gain"].value > 0) == (scores[case, "increase"].value == 1)
        assert scores[case, "gain"].value * scores[case, "drop"].value == 0


def test_change_is_the_losses_and_the_rises_together(
    model: cw.VisionModel, cases: list[Case]
) -> None:
    """``O − Y``, and by the definitions of drop and gain ``(1 − Y) · gain − Y · drop``."""
    scores = scores_of(cases, "change", "drop", "gain")
    values = []
    for case in cases:
        multiplied = (case.subject.pixels * case.saliency)[None]
        after = float(confidence(model.module, multiplied, case.target)[0])
        found, drop, gain = (scores[case, name].value for name in ("change", "drop", "gain"))
        assert found == pytest.approx(after - case.before, abs=1e-5)
        assert found == pytest.approx((1 - case.before) * gain - case.before * drop, abs=1e-12)
        values.append(found)
    assert min(values) < -0.01 and max(values) > 0.01, "both signs"


@pytest.mark.parametrize(("before", "drop", "gain"), [(0.0, 0.0, 0.5), (1.0, 0.5, 0.0)])
def test_certainties_divide_by_nothing(before: float, drop: float, gain: float) -> None:
    """Y of 0 and 1, by the metrics' own hands."""
    subject = ScoredPicture(small_model(), picture(), torch.tensor([1 - before, before]).double())
    case = case_of(subject, random_map())
    for name, expected in (("drop", drop), ("gain", gain), ("remove25", drop)):
        work = cw.get_metric(name).function(case)
        next(work)  # type: ignore[call-overload]
        with pytest.raises(StopIteration) as end:
            work.send(torch.tensor([0.5]).double())  # type: ignore[union-attr]
        assert end.value.value == expected


@pytest.mark.parametrize(("after", "rose"), [(0.25, 0.0), (0.26, 1.0), (0.24, 0.0)])
def test_only_more_confidence_is_an_increase(after: float, rose: float) -> None:
    """``O > Y`` (Grad-CAM++, section 4.1): as much is not more."""
    subject = ScoredPicture(small_model(), picture(), torch.tensor([0.75, 0.25]).double())
    work = cw.get_metric("increase").function(case_of(subject, random_map()))
    next(work)  # type: ignore[call-overload]
    with pytest.raises(StopIteration) as end:
        work.send(torch.tensor([after]).double())  # type: ignore[union-attr]
    assert end.value.value == rose


# -- a part is gone -------------------------------------------------------------------------


@pytest.mark.parametrize("baseline", ["mean", "black", "blur"])
def test_remove25_by_hand(model: cw.VisionModel, cases: list[Case], baseline: str) -> None:
    for case in cases:
        fill = baseline_pixels(case.subject.pixels, baseline)
        changed = by_rank(case, SIZE * SIZE // 4, fill)
        after = float(confidence(model.module, changed[None], case.target)[0])
        expected = max(0.0, case.before - after) / case.before
        found = value_of(case, "remove25", baseline=baseline)
        assert found == pytest.approx(expected, abs=1e-5)
        change = cw.confidence_change(
            model,
            case.subject.pixels,
            case.saliency,
            case.target,
            change="remove",
            baseline=baseline,
        )
        assert found == pytest.approx(change.drop, abs=1e-5)


@pytest.mark.parametrize("baseline", ["mean", "black", "blur"])
def test_change25_by_hand(model: cw.VisionModel, cases: list[Case], baseline: str) -> None:
    values = []
    for case in cases:
        fill = baseline_pixels(case.subject.pixels, baseline)
        changed = by_rank(case, SIZE * SIZE // 4, fill)
        after = float(confidence(model.module, changed[None], case.target)[0])
        values.append(value_of(case, "change25", baseline=baseline))
        assert values[-1] == pytest.approx(after - case.before, abs=1e-5)
        clipped = max(0.0, -values[-1]) / case.before
        found = value_of(case, "remove25", baseline=baseline)
        assert found == pytest.approx(clipped, abs=1e-12), "remove25 is its negative part"
    assert min(values) < 0 < max(values), "both signs"


def test_changes_of_a_quantity_are_parts_of_it() -> None:
    """Y is 1 for a quantity above 0 and −1 for one below it."""
    model = small_model()
    model.module.head = torch.nn.Linear(12 * 16, 1)  # type: ignore[assignment]
    age = cw.wrap(model.module, model.preprocess, classes=["age"], scores="value")
    exp = cw.explain(age, picture(), 0)
    scores = cw.measure(age, picture(), exp, ["change", "change25"])
    whole = age.logits(picture()[None])[0, 0]
    for name, kind in (("change", "multiply"), ("change25", "remove")):
        changed = cw.confidence_change(age, picture(), exp, change=kind, baseline="mean")
        expected = (changed.after - float(whole)) / abs(float(whole))
        assert scores[name].value == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("baseline", ["mean", "black"])
def test_deletion_and_insertion_are_torchcams(
    model: cw.VisionModel, cases: list[Case], baseline: str
) -> None:
    """Sixteenths are whole numbers of pixels: the same pictures, so the same numbers up to rounding in the net."""
    torchcam = pytest.importorskip("torchcam.metrics", exc_type=ImportError)
    for case in cases:
        theirs = torchcam.DeletionInsertionMetric(
            GivenMap(model.module, case.saliency[None]),
            lambda logits: logits.softmax(-1),
            steps=16,
            baseline=baseline_pixels(case.subject.pixels, baseline),
        )
        theirs.update(case.subject.pixels[None], case.target)
        for name, expected in (("deletion", theirs.deletion), ("insertion", theirs.insertion)):
            found = value_of(case, name, steps=17, baseline=baseline)
            assert found == pytest.approx(expected, abs=1e-5)


def test_deletion_and_morf_are_quantus_pixel_flipping(
    model: cw.VisionModel, cases: list[Case]
) -> None:
    """It flips channels one by one: three of its steps are one of ours. Its black is the picture's least value, 0."""
    quantus = pytest.importorskip("quantus", exc_type=ImportError)
    theirs = quantus.PixelFlipping(
        features_in_step=SIZE * SIZE // 16, perturb_baseline="black", disable_warnings=True
    )
    curves = theirs(
        model=model.module,
        x_batch=torch.stack([c.subject.pixels for c in cases]).numpy(),
        y_batch=np.array([c.target for c in cases]),
        a_batch=torch.stack([c.saliency[None] for c in cases]).numpy(),
        softmax=True,
    )
    for case, curve in zip(cases, curves, strict=True):
        whole = [case.before, *curve[2::3]]
        deletion = scores_of([case], "deletion", steps=17, baseline="black")[case, "deletion"]
        np.testing.assert_allclose(deletion.curve, whole, atol=1e-5)
        assert deletion.value == pytest.approx(np.trapezoid(whole, dx=1 / 16), abs=1e-5)
        morf = value_of(case, "morf", steps=17, baseline="black")
        assert morf == pytest.approx(np.mean(case.before - np.array(whole)), abs=1e-5)


@pytest.mark.parametrize("name", ["deletion", "insertion", "morf", "lerf"])
@pytest.mark.parametrize("baseline", ["mean", "blur"])
def test_curves_by_hand(model: cw.VisionModel, cases: list[Case], name: str, baseline: str) -> None:
    keep = name in ("insertion", "lerf")
    for case in cases[:3]:
        curve = curve_by_rank(model, case, 9, baseline, keep=keep)
        score = scores_of([case], name, steps=9, baseline=baseline)[case, name]
        if name in ("deletion", "insertion"):
            expected, shown = np.trapezoid(curve, dx=1 / 8), curve
        else:
            # The least relevant go first where the most relevant come last.
            shown = case.before - (curve[::-1] if keep else curve)
            expected = shown.mean()
        assert score.value == pytest.approx(expected, abs=1e-5)
        np.testing.assert_allclose(score.curve, shown, atol=1e-5)


@pytest.mark.parametrize("name", ["deletion", "insertion", "remove25", "region-perturbation"])
def test_inpainted_holes(model: cw.VisionModel, cases: list[Case], name: str) -> None:
    """Each hole is filled from around it; that of the whole picture is its mean."""
    case = cases[0]
    options: dict[str, Any] = {"steps": 4} if name in ("deletion", "insertion") else {}
    if name == "region-perturbation":
        options = {"regions": 3}
    found = value_of(case, name, baseline="inpaint", **options)
    assert found != value_of(case, name, baseline="mean", **options)
    if name not in ("deletion", "insertion"):
        return
    mode = "remove" if name == "deletion" else "keep"
    curve = cw.mask_curve(
        model,
        case.subject.pixels,
        case.saliency,
        case.target,
        mode=mode,
        baseline="inpaint",
        steps=4,
    )
    assert found == pytest.approx(curve.area, abs=1e-6)


def test_insertions_own_baseline_is_the_blur(cases: list[Case]) -> None:
    case = cases[0]
    assert value_of(case, "insertion") == value_of(case, "insertion", baseline="blur", steps=21)
    assert value_of(case, "insertion") != value_of(case, "insertion", baseline="mean")


def test_the_curve_is_that_of_the_widget(model: cw.VisionModel, cases: list[Case]) -> None:
    case = cases[0]
    for name, mode in (("deletion", "remove"), ("insertion", "keep")):
        for baseline in ("mean", "blur"):
            curve = cw.mask_curve(
                model, case.subject.pixels, case.saliency, case.target, mode=mode, baseline=baseline
            )
            assert value_of(case, name, baseline=baseline) == pytest.approx(curve.area, abs=1e-6)


class HalfMatters(torch.nn.Module):
    """Two classes: how bright the left half is, and a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 1, 1, bias=False)
        torch.nn.init.constant_(self.conv.weight, 1 / 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left = self.conv(x)[..., : x.shape[-1] // 2].mean((1, 2, 3))
        return torch.stack([torch.zeros_like(left), 8 * left - 2], 1)


def test_a_right_map_beats_its_opposite() -> None:
    """Which way is better, said by every metric of the room: a map of what matters against one of what does not."""
    model = cw.wrap(HalfMatters(), cw.Preprocess(SIZE, mean=(0, 0, 0), std=(1, 1, 1)))
    pixels = torch.full((3, SIZE, SIZE), 0.2)
    pixels[:, :, : SIZE // 2] = 1  # brighter than the picture's mean
    ramp = 0.1 * random_map()
    right = ramp.clone()
    right[:, : SIZE // 2] += 0.9
    subject = subject_of(model, pixels)
    good, bad = case_of(subject, right / right.max()), case_of(subject, 1 - right / right.max())
    metrics = [m for m in cw.list_metrics() if m.reads_predictions]
    scores = scores_of([good, bad], *metrics)
    ties = {"increase", "gain"}  # nothing but the whole picture is as bright
    for metric in metrics:
        a, b = (scores[c, metric.name].value for c in (good, bad))
        assert (a == b == 0) if metric.name in ties else (a > b) == (metric.better == "higher"), (
            metric.name
        )


# -- ranges, faults, settings ---------------------------------------------------------------


@given(seed=st.integers(0, 10**6), shape=st.sampled_from(["random", "peak", "steps", "ramp"]))
@settings(max_examples=25, deadline=None)
def test_ranges_hold(seed: int, shape: str) -> None:
    values = random_map(seed)
    saliency = {
        "random": values,
        "peak": (values >= 1).float(),
        "steps": (values * 3).floor() / 3,
        "ramp": torch.linspace(0, 1, SIZE * SIZE).reshape(SIZE, SIZE),
    }[shape]
    case = case_of(subject_of(_SHARED, picture(seed)), saliency)
    metrics = [m for m in cw.list_metrics() if m.reads_predictions]
    scores = scores_of([case], *metrics)
    for metric in metrics:
        low, high = metric.range
        assert low <= scores[case, metric.name].value <= high, metric.name
        assert scores[case, metric.name].note == ""


_SHARED = small_model()


@pytest.mark.parametrize(
    ("saliency", "note"),
    [
        (torch.full((SIZE, SIZE), 0.5), "constant map"),
        (torch.zeros(SIZE, SIZE), "constant map"),
        (torch.full((SIZE, SIZE), torch.nan), "NaN in the map"),
    ],
)
def test_maps_that_rank_nothing_have_no_score(
    model: cw.VisionModel, saliency: torch.Tensor, note: str
) -> None:
    bad, good = (
        case_of(subject, s)
        for subject in [subject_of(model, picture())]
        for s in (saliency, random_map())
    )
    metrics = [m for m in cw.list_metrics() if m.reads_predictions]
    scores = scores_of([bad, good], *metrics)
    for metric in metrics:
        assert np.isnan(scores[bad, metric.name].value)
        assert scores[bad, metric.name].note == note
        assert np.isfinite(scores[good, metric.name].value)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    *((n, {"steps": 1}, "at least 2") for n in ("deletion", "insertion", "morf", "lerf")),
    ("deletion", {"steps": 2.5}, "integer"),
    ("deletion", {"steps": "many"}, "integer"),
    *(
        (n, {"baseline": "pink"}, "'blur', 'mean', 'black'")
        for n in ("remove25", "change25", "deletion", "insertion", "morf", "lerf")
    ),
    *(
        (n, {"fraction": f}, "such as 0.25")
        for n in ("remove25", "change25")
        for f in (0, 1, -0.1, float("nan"), "half")
    ),
    ("drop", {"baseline": "mean"}, "no setting baseline"),
]


@pytest.mark.parametrize(("name", "options", "remedy"), WRONG)
def test_settings_are_refused_before_the_model_is_asked(
    cases: list[Case], name: str, options: dict[str, Any], remedy: str
) -> None:
    with unasked(cases[0]), pytest.raises(MetricError, match=remedy):
        # Another metric, with questions of its own, comes first.
        scores_of(cases[:1], "increase", cw.get_metric(name, **options))


def test_two_steps_are_enough(cases: list[Case]) -> None:
    case = cases[0]
    gone = case.subject.baseline("mean")[None]
    after = float(confidence(case.subject.model.module, gone, case.target)[0])
    assert value_of(case, "deletion", steps=2) == pytest.approx((case.before + after) / 2, abs=1e-5)
    assert value_of(case, "morf", steps=2) == pytest.approx((case.before - after) / 2, abs=1e-5)


def test_settings_may_be_numpys(cases: list[Case]) -> None:
    case = cases[0]
    assert value_of(case, "remove25", fraction=np.float32(0.25)) == value_of(case, "remove25")
    assert value_of(case, "deletion", steps=np.int64(21)) == value_of(case, "deletion")
