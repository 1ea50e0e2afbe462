"""Requests of a case: changed pictures, their sharing between maps, and random numbers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from case_helpers import case, scored

from camwidget.errors import MetricError
from camwidget.masking.baselines import baseline_pixels
from camwidget.metrics import MetricContext, ScoredPicture, get_metric
from camwidget.metrics.cases import ChangedPicture, Recomputation
from camwidget.metrics.randomization_metrics import map_correlation

#: Sixteen pixels that all differ, the most evidence first in its last place.
VALUES = np.arange(16, dtype=np.float32).reshape(4, 4) / 15


def drawn(**facts: Any) -> Any:
    made = case(VALUES, **facts)
    generator = torch.Generator().manual_seed(0)
    made.subject.pixels = (torch.rand((3, 4, 4), generator=generator) * 255).round() / 255
    return made


def test_changes_are_told_apart_by_their_keys() -> None:
    def nothing() -> torch.Tensor:
        return torch.zeros(0)

    assert (
        ChangedPicture("a", nothing)
        == ChangedPicture("a", torch.rand)
        != ChangedPicture("b", nothing)
    )
    assert (
        Recomputation("a", nothing) == Recomputation("a", torch.rand) != Recomputation("b", nothing)
    )
    assert Recomputation("a", nothing, target=1) != Recomputation("a", nothing, target=2)


@pytest.mark.parametrize("baseline", ["mean", "black", "blur"])
def test_a_part_is_removed_or_kept(baseline: str) -> None:
    made = drawn()
    pixels, fill = made.subject.pixels, baseline_pixels(made.subject.pixels, baseline)
    top = torch.from_numpy(VALUES > 11.5 / 15)  # a quarter
    removed, kept = made.removed(0.25, baseline), made.kept(0.25, baseline)
    assert removed != kept
    torch.testing.assert_close(removed.make(), torch.where(top, fill, pixels))
    torch.testing.assert_close(kept.make(), torch.where(top, pixels, fill))
    torch.testing.assert_close(made.removed(0.75).make(), made.removed(0.75, "mean").make())
    torch.testing.assert_close(made.kept(0.75).make(), made.kept(0.75, "mean").make())


def test_the_ends_are_the_picture_and_the_baseline_for_every_map() -> None:
    made, other = drawn(), drawn()
    assert made.removed(0) == made.kept(1) == made.unmasked == other.unmasked
    assert torch.equal(made.unmasked.make(), made.subject.pixels)
    gone = made.removed(1, "black")
    assert gone == made.kept(0, "black") == other.removed(1, "black") != made.removed(1, "mean")
    assert not gone.make().any() and gone != made.unmasked
    assert made.removed(0.5) != other.removed(0.5), "what goes is each map's own"
    assert made.removed(0.5) == made.removed(0.5) != made.removed(0.25)
    assert made.removed(0.5) != made.removed(0.5, "black")


def test_the_picture_times_its_map() -> None:
    made, other = drawn(), drawn()
    found = made.multiplied().make()
    torch.testing.assert_close(found, made.subject.pixels * made.saliency, rtol=0, atol=1.01 / 255)
    assert made.multiplied() == made.multiplied() != other.multiplied()


def test_what_is_made_once() -> None:
    subject = drawn().subject
    counts: list[int] = []
    for _ in range(2):
        assert subject.cached("key", lambda: counts.append(1) or "made") == "made"
    assert counts == [1]
    assert subject.baseline("mean") is subject.baseline("mean")
    assert not torch.equal(subject.baseline("mean"), subject.baseline("black"))
    requested: list[int] = []
    subject.locate = lambda target: requested.append(target)
    for target in (1, 1, 2):
        assert subject.locations_of(target) is None
    assert requested == [1, 2]


def test_random_numbers_depend_on_seed_picture_and_purpose() -> None:
    def drawn_by(seed: int, number: int, purpose: str) -> float:
        made = case(VALUES).subject
        subject = ScoredPicture(
            made.model, made.pixels, made.probabilities, MetricContext(seed=seed), number
        )
        return float(torch.rand((), generator=subject.generator(purpose)))

    first = drawn_by(0, 0, "noise")
    assert first == drawn_by(0, 0, "noise")
    assert (
        len({first, drawn_by(1, 0, "noise"), drawn_by(0, 1, "noise"), drawn_by(0, 0, "grain")}) == 4
    )


def test_what_a_case_says_of_itself() -> None:
    made = drawn(target=2, probabilities=[0.125, 0.125, 0.75])
    assert (made.name, made.value, made.scale, made.before) == ("c", 0.75, 1.0, 0.75)
    assert not made.is_empty and case(np.zeros((2, 2))).is_empty
    np.testing.assert_array_equal(made.levels // 4096, (15 - np.arange(16)).reshape(4, 4))
    ranks = made.ranks
    assert float(ranks @ ranks) == pytest.approx(1) and abs(float(ranks.sum())) < 1e-6


@pytest.mark.parametrize(("value", "before"), [(4.0, 1.0), (-4.0, -1.0)])
def test_a_quantity_is_measured_by_itself(value: float, before: float) -> None:
    made = drawn(target=1, probabilities=[0.0, value])
    made.subject.model.scores = "value"
    assert (made.value, made.scale, made.before) == (value, 4.0, before)


def test_a_bench_starts_empty() -> None:
    one, other = MetricContext(), MetricContext()
    assert (one.precision, one.seed, one.cache) == ("fp32", 0, {})
    one.cache["a"] = 1
    assert other.cache == {}
    subject = case(VALUES).subject
    fresh = ScoredPicture(subject.model, subject.pixels, subject.probabilities)
    assert (fresh.number, fresh.label, fresh.cases, fresh.locate(0)) == (0, None, [], None)


@pytest.mark.parametrize(
    ("name", "shape", "settings", "side", "count"),
    [
        ("region-perturbation", (30, 45), {}, 3, 1 + 32),  # 1/14 of the shorter side, rounded up
        ("region-perturbation", (28, 28), {}, 2, 1 + 32),
        ("region-perturbation", (28, 28), {"patch": 14, "regions": 9}, 14, 1 + 4),
        ("region-perturbation", (28, 28), {"patch": 7, "regions": 3}, 7, 1 + 3),
        ("non-sensitivity", (30, 45), {}, 5, 6 * 9),  # 1/7 of it
        ("non-sensitivity", (28, 28), {"patch": 28}, 28, 1),
    ],
)
def test_patches(
    name: str, shape: tuple[int, int], settings: dict[str, int], side: int, count: int
) -> None:
    made = case(np.random.default_rng(1).random(shape))
    requested = next(get_metric(name).function(made, **settings))
    assert len(requested) == count
    sides = {change.key[1] for change in requested if change.key[0] == "patches"}
    assert sides <= {side} and (sides or count == 1)
    if name == "region-perturbation":
        assert requested[0] == made.unmasked
        chosen = [change.key[2] for change in requested[1:] if change.key[0] == "patches"]
        assert [len(patches) for patches in chosen] == [*range(1, len(chosen) + 1)]
        assert all(a < b for a, b in itertools.pairwise(chosen)), "one more each time"


def test_equal_patches_go_in_reading_order() -> None:
    requested = next(get_metric("region-perturbation").function(case(np.ones((64, 64))), patch=1))
    assert requested[-1].key[2] == frozenset(range(32))


@pytest.mark.parametrize("patch", [29, 100])
def test_patches_larger_than_the_picture_are_refused(patch: int) -> None:
    with pytest.raises(MetricError, match=f"patch of {patch} pixels is larger .*28 × 40"):
        scored(case(np.random.default_rng(1).random((28, 40))), "non-sensitivity", patch=patch)


def test_maps_that_rank_nothing_are_like_none() -> None:
    flat, ramp = case(np.ones((4, 4))), drawn()
    found = map_correlation(flat, ramp.saliency, "the other")
    assert np.isnan(found.value) and found.note == "the map is constant or not finite"
    found = map_correlation(ramp, flat.saliency, "the other")
    assert np.isnan(found.value) and found.note == "the other is constant"
    found = map_correlation(ramp, flat.saliency * torch.nan, "the other")
    assert np.isnan(found.value) and found.note == "the other is NaN"
    assert map_correlation(ramp, ramp.saliency, "itself").value == pytest.approx(1)
    assert map_correlation(ramp, 1 - ramp.saliency, "its opposite").value == pytest.approx(-1)
    assert scored(flat, "agreement").note == "the map is constant or not finite"
