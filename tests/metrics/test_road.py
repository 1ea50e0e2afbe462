"""ROAD, compared with pytorch-grad-cam, and its noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from faithfulness_helpers import (
    case_of,
    counted,
    picture,
    random_map,
    scores_of,
    small_model,
    smooth_map,
    subject_of,
    unasked,
    value_of,
)

import camwidget as cw
from camwidget.errors import MetricError
from camwidget.metrics import Case, ChangedPicture, MetricContext, get_metric
from camwidget.metrics.imputation import impute

TENS = tuple(range(10, 100, 10))

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model() -> cw.VisionModel:
    return small_model()


@pytest.fixture(scope="module")
def cases(model: cw.VisionModel) -> list[Case]:
    return [case_of(subject_of(model, picture(n), n), smooth_map(n), n % 4) for n in range(4)]


def changes_of(case: Case, **options: Any) -> list[ChangedPicture]:
    metric = get_metric("road", **options)
    return next(metric.function(case, **dict(metric.options)))  # type: ignore[call-overload]


def by_grad_cam(case: Case, remove: str, percentiles: tuple[int, ...] = TENS) -> float:
    """The mean of O − Y over the percentiles, without noise."""
    theirs = pytest.importorskip("pytorch_grad_cam.metrics.road", exc_type=ImportError)
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget

    averager = theirs.AveragerAcrossThresholds(
        lambda percentile: theirs.PerturbationConfidenceMetric(
            getattr(theirs, remove)(percentile, theirs.NoisyLinearImputer(noise=0))
        ),
        percentiles,
    )
    found = averager(
        case.subject.pixels[None],
        case.saliency[None].numpy(),
        [ClassifierOutputSoftmaxTarget(case.target)],
        case.subject.model.module,
    )
    return float(found[0])


@pytest.mark.parametrize(("percentiles", "tolerance"), [((25, 50, 75), 1e-5), (TENS, 1e-3)])
def test_grad_cams_road(cases: list[Case], percentiles: tuple[int, ...], tolerance: float) -> None:
    """Its percentiles are those that are kept, ours those that are removed: here the same ones from either end.

    Quarters are the same pixels; of tens numpy's percentile may take one pixel of 1024 more or less.
    """
    largest = 0.0
    for case in cases:
        morf = by_grad_cam(case, "RemoveMostRelevantFirst", percentiles)
        lerf = by_grad_cam(case, "RemoveLeastRelevantFirst", percentiles)
        largest = max(largest, abs(morf))
        for order, expected in (("morf", -morf), ("lerf", lerf), ("combined", (lerf - morf) / 2)):
            found = value_of(case, "road", noise=0, order=order, percentiles=percentiles)
            assert found == pytest.approx(expected, abs=tolerance)
    assert largest > 0.02, "the comparison would prove nothing"


def test_percentiles_are_removed(cases: list[Case]) -> None:
    case = cases[0]
    expected = -by_grad_cam(case, "RemoveMostRelevantFirst", (75,))
    found = value_of(case, "road", noise=0, order="morf", percentiles=[25])
    assert found == pytest.approx(expected, abs=1e-5)


def test_grad_cams_combined_within_noise(cases: list[Case]) -> None:
    theirs = pytest.importorskip("pytorch_grad_cam.metrics.road", exc_type=ImportError)
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget

    for case in cases:
        torch.manual_seed(0)
        found = theirs.ROADCombined()(
            case.subject.pixels[None],
            case.saliency[None].numpy(),
            [ClassifierOutputSoftmaxTarget(case.target)],
            case.subject.model.module,
        )
        assert value_of(case, "road") == pytest.approx(float(found[0]), abs=0.01)


def test_noise_is_where_pixels_were_and_as_strong_as_asked(cases: list[Case]) -> None:
    case = cases[0]
    rough = torch.stack([c.make() for c in changes_of(case, noise=0.05)])
    plain = torch.stack([c.make() for c in changes_of(case, noise=0)])
    for number, share in enumerate((*TENS, *TENS)):
        differs = (rough[number] != plain[number]).any(0)
        assert differs.double().mean() == pytest.approx(share / 100, abs=0.01)
        changed = (plain[number] != case.subject.pixels).any(0)
        assert not (differs & ~changed).any()
    inner = (plain > 0.2) & (plain < 0.8) & (plain != case.subject.pixels)
    assert (rough - plain)[inner].std() == pytest.approx(0.05, rel=0.1)
    assert rough.amin() >= 0 and rough.amax() <= 1


def test_noise_is_the_pictures_own(model: cw.VisionModel) -> None:
    """The same for all its maps, in any order; another for another picture or seed."""

    def grain(number: int = 0, seed: int = 0, map_number: int = 0, first: int = 0) -> torch.Tensor:
        subject = subject_of(model, torch.full((3, 32, 32), 0.5), number, MetricContext(seed=seed))
        case = case_of(subject, random_map(map_number))
        made = changes_of(case, percentiles=(50,))
        made[first].make()
        return made[0].make() + made[1].make() - 1

    once = grain()
    assert once.abs().max() > 0.01
    # Both halves of a gray picture: the whole field, whatever the map.
    torch.testing.assert_close(grain(map_number=3), once, rtol=0, atol=1e-4)
    assert torch.equal(grain(first=1), once)
    assert not torch.allclose(grain(number=1), once, atol=1e-3)
    assert not torch.allclose(grain(seed=1), once, atol=1e-3)


def test_pictures_do_not_depend_on_who_came_before(model: cw.VisionModel) -> None:
    def pictures(order: list[int]) -> dict[int, torch.Tensor]:
        context = MetricContext()
        found = {}
        for n in order:
            case = case_of(subject_of(model, picture(n), n, context), random_map(n))
            found[n] = torch.stack([c.make() for c in changes_of(case)])
        return found

    forwards, backwards = pictures([0, 1, 2]), pictures([2, 1, 0])
    for n in range(3):
        assert torch.equal(forwards[n], backwards[n])


def test_one_solution_a_map(model: cw.VisionModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """All holes at once, and no map's pictures kept beyond its turn: they are many."""
    calls: list[int] = []

    def counting(pixels: torch.Tensor, missing: torch.Tensor) -> torch.Tensor:
        calls.append(len(missing))
        return impute(pixels, missing)

    monkeypatch.setattr("camwidget.metrics.road.impute", counting)
    subject = subject_of(model, picture())
    cases = [case_of(subject, random_map(n)) for n in range(3)]
    with counted(model.module) as sizes:
        scores_of(cases, "road")
    # The first picture of the series is looked at once more, before the first batch.
    assert calls == [18, 18, 18]
    assert sum(sizes) <= 3 * 18 + 1
    assert sum(isinstance(v, tuple) for v in subject.context.cache.values()) == 1


def test_least_relevant_is_the_most_of_the_opposite(cases: list[Case]) -> None:
    for case in cases:
        opposite = case_of(case.subject, 1 - case.saliency, case.target)
        assert value_of(case, "road", order="morf", noise=0) == pytest.approx(
            -value_of(opposite, "road", order="lerf", noise=0), abs=2e-3
        )


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"order": "both"}, "'combined', 'morf', 'lerf'"),
    ({"noise": -0.1}, "at least 0"),
    ({"noise": float("nan")}, "at least 0"),
    ({"noise": "some"}, "at least 0"),
    ({"percentiles": ()}, "one or several numbers"),
    ({"percentiles": (0, 50)}, "between 0 and 100"),
    ({"percentiles": (50, 100)}, "between 0 and 100"),
    ({"percentiles": "ten"}, "between 0 and 100"),
    ({"percentiles": None}, "between 0 and 100"),
    ({"percentiles": (99.99,)}, "32 × 32.*lower percentiles"),
]


@pytest.mark.parametrize(("options", "remedy"), WRONG)
def test_settings_are_refused(cases: list[Case], options: dict[str, Any], remedy: str) -> None:
    with unasked(cases[0]), pytest.raises(MetricError, match=remedy):
        scores_of(cases[:1], "increase", get_metric("road", **options))


def test_a_single_percentile_needs_no_list(cases: list[Case]) -> None:
    assert value_of(cases[0], "road", percentiles=30) == value_of(
        cases[0], "road", percentiles=np.array([30.0])
    )
