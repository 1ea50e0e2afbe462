"""Region perturbation and non-sensitivity, compared with Quantus, and with handmade results where it has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from faithfulness_helpers import (
    SIZE,
    Small,
    case_of,
    confidence,
    counted,
    picture,
    random_map,
    scores_of,
    small_model,
    subject_of,
    unasked,
    value_of,
)
from torch import nn

import camwidget as cw
from camwidget.errors import MetricError
from camwidget.masking.baselines import baseline_pixels
from camwidget.metrics import Case, get_metric

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model() -> cw.VisionModel:
    return small_model()


@pytest.fixture(scope="module")
def cases(model: cw.VisionModel) -> list[Case]:
    return [case_of(subject_of(model, picture(n), n), random_map(n), n % 4) for n in range(4)]


def squares(height: int, width: int, side: int) -> list[tuple[slice, slice]]:
    return [
        (slice(top, top + side), slice(left, left + side))
        for top in range(0, height, side)
        for left in range(0, width, side)
    ]


# -- region perturbation --------------------------------------------------------------------


@pytest.mark.parametrize(("patch", "regions"), [(4, 20), (8, 16), (8, 5)])
def test_quantus_region_perturbation(cases: list[Case], patch: int, regions: int) -> None:
    """Its black is the picture's least value, 0. It gives the losses one by one, without the whole picture's 0."""
    quantus = pytest.importorskip("quantus", exc_type=ImportError)
    theirs = quantus.RegionPerturbation(
        patch_size=patch,
        regions_evaluation=regions,
        order="morf",
        perturb_baseline="black",
        disable_warnings=True,
    )
    losses = theirs(
        model=cases[0].subject.model.module,
        x_batch=torch.stack([c.subject.pixels for c in cases]).numpy(),
        y_batch=np.array([c.target for c in cases]),
        a_batch=torch.stack([c.saliency[None] for c in cases]).numpy(),
        softmax=True,
    )
    options = {"patch": patch, "regions": regions, "baseline": "black"}
    for case, loss in zip(cases, losses, strict=True):
        score = scores_of([case], "region-perturbation", **options)
        found = score[case, "region-perturbation"]
        assert np.abs(loss).max() > 0.01
        np.testing.assert_allclose(found.curve, [0, *loss], atol=1e-5)
        assert found.value == pytest.approx(np.sum(loss) / (regions + 1), abs=1e-5)


@pytest.mark.parametrize("size", [(32, 32), (27, 40)])
@pytest.mark.parametrize("patch", [None, 6])
def test_regions_by_hand(model: cw.VisionModel, size: tuple[int, int], patch: int | None) -> None:
    """Also where patches do not divide the picture: those at the far edges are smaller."""
    height, width = size
    pixels, saliency = picture(1, 40)[:, :height, :width], random_map(1, 40)[:height, :width]
    case = case_of(subject_of(model, pixels), saliency)
    side = patch or int(np.ceil(min(size) / 14))
    places = squares(height, width, side)
    order = sorted(places, key=lambda s: -float(saliency[s].double().sum()))
    fill = baseline_pixels(pixels, "mean")
    changed, stack = pixels.clone(), [pixels]
    for rows, columns in order[:32]:
        changed[:, rows, columns] = fill[:, rows, columns]
        stack.append(changed.clone())
    drops = case.before - confidence(model.module, torch.stack(stack)).numpy()
    score = scores_of([case], "region-perturbation", patch=patch)[case, "region-perturbation"]
    np.testing.assert_allclose(score.curve, drops, atol=1e-5)
    assert score.value == pytest.approx(drops.mean(), abs=1e-5)


def test_more_regions_than_patches_are_all(cases: list[Case]) -> None:
    case = cases[0]
    options = {"patch": 16, "baseline": "black"}
    all_four = scores_of([case], "region-perturbation", regions=4, **options)
    many = scores_of([case], "region-perturbation", regions=99, **options)
    assert many[case, "region-perturbation"] == all_four[case, "region-perturbation"]
    gone = torch.zeros(1, 3, SIZE, SIZE)
    after = float(confidence(case.subject.model.module, gone, case.target)[0])
    last = many[case, "region-perturbation"].curve[-1]  # type: ignore[index]
    assert last == pytest.approx(case.before - after, abs=1e-6)


def test_equal_patches_go_in_reading_order(model: cw.VisionModel) -> None:
    saliency = torch.zeros(SIZE, SIZE)
    saliency[20, 20] = 1
    case = case_of(subject_of(model, picture()), saliency)
    changes = next(get_metric("region-perturbation").function(case, patch=8, regions=3))  # type: ignore[call-overload]
    gone = (changes[-1].make() != case.subject.pixels).any(0)
    expected = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    expected[16:24, 16:24] = expected[:8, :16] = True
    assert not (gone & ~expected).any()
    assert gone[expected].double().mean() > 0.95


def test_maps_that_agree_share_their_passes(model: cw.VisionModel) -> None:
    """What is asked depends on the patches, not on the map."""
    subject = subject_of(model, picture())
    first, second = case_of(subject, random_map()), case_of(subject, random_map() ** 1.01, 2)
    with counted(model.module) as sizes:
        scores_of([first, second], get_metric("region-perturbation", patch=8, regions=10))
    assert sum(sizes) <= 12


# -- non-sensitivity ------------------------------------------------------------------------


class Gray(nn.Module):
    """A net for one channel, which also stands before three equal ones. It looks at the upper left part only."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x[:, :1, :11, :10])


@pytest.fixture(scope="module")
def gray() -> cw.VisionModel:
    module = Gray(Small(channels=1)).eval()
    return cw.wrap(module, cw.Preprocess(16, mean=(0, 0, 0), std=(1, 1, 1)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("epsilon", [1e-5, 0.02])
def test_quantus_non_sensitivity(gray: cw.VisionModel, seed: int, epsilon: float) -> None:
    """Pixel by pixel, of a gray picture: its features are the values of channels, ours are places.

    Quantus counts, we divide by the number of pixels. One epsilon serves both for the map and for the model.
    """
    quantus = pytest.importorskip("quantus", exc_type=ImportError)
    pixels = picture(seed, 16)[:1]
    pixels[0, 3, 3] = 0  # its black is the picture's least value
    saliency = random_map(seed, 16) * (random_map(seed + 1, 16) < 0.6)
    saliency /= saliency.max()
    case = case_of(subject_of(gray, pixels.expand(3, -1, -1)), saliency)
    theirs = quantus.NonSensitivity(
        eps=epsilon, features_in_step=1, perturb_baseline="black", disable_warnings=True
    )
    (count,) = theirs(
        model=gray.module,
        x_batch=pixels[None].numpy(),
        y_batch=np.array([case.target]),
        a_batch=saliency[None, None].numpy(),
        softmax=True,
    )
    assert 0 < count < 256
    found = value_of(case, "non-sensitivity", patch=1, epsilon=epsilon, baseline="black")
    assert found * 256 == pytest.approx(count, abs=1e-9)


@pytest.mark.parametrize("size", [(32, 32), (27, 40)])
@pytest.mark.parametrize("patch", [None, 6])
def test_non_sensitivity_by_hand(
    model: cw.VisionModel, size: tuple[int, int], patch: int | None
) -> None:
    height, width = size
    pixels = picture(2, 40)[:, :height, :width]
    saliency = random_map(2, 40)[:height, :width] * (torch.arange(width) > width // 2)
    case = case_of(subject_of(model, pixels), saliency)
    side = patch or int(np.ceil(min(size) / 7))
    fill = baseline_pixels(pixels, "mean")
    wrong = []
    for rows, columns in squares(height, width, side):
        changed = pixels.clone()
        changed[:, rows, columns] = fill[:, rows, columns]
        change = abs(float(confidence(model.module, changed[None])[0]) - case.before)
        assert abs(change - 0.005) > 1e-5, "too near to call"
        wrong.append((change < 0.005) != (float(saliency[rows, columns].mean()) < 0.005))
    found = value_of(case, "non-sensitivity", patch=patch, epsilon=0.005)
    assert 0 < found < 1
    assert found == pytest.approx(np.mean(wrong), abs=1e-9)


def test_a_map_of_just_what_matters_makes_no_mistake(gray: cw.VisionModel) -> None:
    case = case_of(subject_of(gray, picture(0, 16)), torch.zeros(16, 16).fill_diagonal_(1))
    seen = torch.zeros(16, 16)
    seen[:11, :10] = 1
    right, wrong = case_of(case.subject, seen), case_of(case.subject, 1 - seen)
    options = {"patch": 1, "epsilon": 1e-7}
    # Some pixels within are gray as the mean, or have no say.
    assert value_of(right, "non-sensitivity", **options) < 0.1
    assert value_of(wrong, "non-sensitivity", **options) > 0.9


def test_all_maps_of_a_picture_share_what_is_asked(model: cw.VisionModel) -> None:
    subject = subject_of(model, picture())
    cases = [case_of(subject, random_map(n), n) for n in range(4)]
    with counted(model.module) as sizes:
        scores_of(cases, "non-sensitivity")
    assert sum(sizes) == 49


# -- settings -------------------------------------------------------------------------------

WRONG: list[tuple[str, dict[str, Any], str]] = [
    *(
        (name, options, remedy)
        for name in ("region-perturbation", "non-sensitivity")
        for options, remedy in (
            ({"patch": 0}, "at least 1"),
            ({"patch": 1.5}, "integer"),
            ({"patch": 33}, "32 × 32: use a smaller"),
            ({"baseline": "pink"}, "'blur', 'mean', 'black'"),
        )
    ),
    ("region-perturbation", {"regions": 0}, "at least 1"),
    ("non-sensitivity", {"epsilon": 0}, "above 0"),
    ("non-sensitivity", {"epsilon": -1}, "at least 0"),
]


@pytest.mark.parametrize(("name", "options", "remedy"), WRONG)
def test_settings_are_refused(
    cases: list[Case], name: str, options: dict[str, Any], remedy: str
) -> None:
    with unasked(cases[0]), pytest.raises(MetricError, match=remedy):
        scores_of(cases[:1], "increase", get_metric(name, **options))
