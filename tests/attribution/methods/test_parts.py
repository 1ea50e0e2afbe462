"""Methods with parts as units: occlusion of parts, and KernelSHAP against exact Shapley values and captum's."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import camwidget as cw
from camwidget.attribution.methods import get_method
from camwidget.attribution.methods.settings import settings_payload
from camwidget.attribution.shapley import coalitions, estimate_shapley_values
from camwidget.attribution.targets import resolve_target
from camwidget.attribution.trace import Trace
from camwidget.errors import MethodError, PictureError
from camwidget.masking.parts import Parts, superpixels

SIDE = 24
Value = Callable[[torch.Tensor], torch.Tensor]


def game(players: int) -> Value:
    """A function of coalitions (m, n) in which players help and hinder each other."""
    generator = torch.Generator().manual_seed(players)
    pairs = torch.randn(players, players, generator=generator).double() / math.sqrt(players)
    single = torch.randn(players, generator=generator).double()

    def value(members: torch.Tensor) -> torch.Tensor:
        z = members.double()
        return 3 + 2 * torch.tanh(z @ single / 2) + ((z @ pairs) * z).sum(1)

    return value


def shapley_by_definition(value: Value, players: int) -> torch.Tensor:
    """The mean of what a player adds, over all orders in which the players may come."""
    added = torch.zeros(players, dtype=torch.float64)
    for order in itertools.permutations(range(players)):
        members = torch.zeros(players + 1, players)
        for step, player in enumerate(order):
            members[step + 1 :, player] = 1
        added[list(order)] += value(members).diff()
    return added / math.factorial(players)


def estimate(
    value: Value, players: int, samples: int, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    members = coalitions(players, samples, seed)
    empty, full = value(torch.stack([torch.zeros(players), torch.ones(players)])).tolist()
    exact = len(members) == 2**players - 2
    found = estimate_shapley_values(members, value(members), empty, full, exact=exact)
    assert float(found.values.sum()) == pytest.approx(full - empty)
    return found.values, found.errors


def test_all_coalitions_give_exact_shapley_values() -> None:
    value = game(6)
    values, errors = estimate(value, 6, samples=62)
    torch.testing.assert_close(values, shapley_by_definition(value, 6))
    assert not errors.any()
    assert len(coalitions(6, 61, 0)) == 60, "one too few: they are drawn, in pairs"


def test_the_stated_error_is_the_deviation_between_seeds() -> None:
    value = game(8)
    exact, _ = estimate(value, 8, samples=254)
    runs = [estimate(value, 8, samples=120, seed=seed) for seed in range(300)]
    values, errors = (torch.stack(column) for column in zip(*runs, strict=True))
    stated = errors.square().mean(0).sqrt()
    assert float((stated / values.std(0)).min()) > 0.8
    assert float((stated / values.std(0)).max()) < 1.2
    # 4 standard errors of the mean of the runs, and a little for the estimate's bias.
    assert float(((values.mean(0) - exact).abs() / values.std(0)).max()) < 4 / 300**0.5 + 0.1
    covered = ((values - exact).abs() < 2 * errors).double().mean()
    assert 0.9 < float(covered) < 0.99


def test_too_few_coalitions_tell_no_error() -> None:
    assert torch.isinf(estimate(game(8), 8, samples=10)[1]).all()


def test_coalitions_are_drawn_by_the_kernel() -> None:
    drawn = coalitions(5, 29, 0)
    assert len(drawn) == 28 and bool((drawn[::2] ^ drawn[1::2]).all()), "complements"
    sizes = coalitions(12, 2000, 1).sum(1)
    weights = torch.tensor([1 / (s * (12 - s)) for s in range(1, 12)])
    shares = torch.bincount(sizes, minlength=12)[1:] / 2000
    torch.testing.assert_close(shares, weights / weights.sum(), atol=0.03, rtol=0)


# -- of pictures ------------------------------------------------------------------------------


class Products(nn.Module):
    """Scores that multiply and add the mean brightness of places, so that parts interact."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.net = nn.Sequential(
            nn.Conv2d(3, 6, 5, stride=2), nn.Tanh(), nn.Conv2d(6, 4, 5, stride=3)
        )
        self.out = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.out(self.net(x).square().mean((2, 3)))
        return found


@pytest.fixture(scope="module")
def model() -> cw.VisionModel:
    return cw.wrap(Products().eval(), cw.Preprocess(SIDE, mean=[0.4] * 3, std=[0.2] * 3))


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    return torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def quarters() -> np.ndarray:
    rows, columns = np.indices((SIDE, SIDE)) // (SIDE // 2)
    return np.asarray(2 * rows + columns)


def score(model: cw.VisionModel, inputs: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.module(inputs)[:, 1]
    return found.double()


def test_kernelshap_of_a_picture_is_exact(
    model: cw.VisionModel, picture: torch.Tensor, quarters: np.ndarray
) -> None:
    inputs = model.inputs(model.pixels(picture))

    def value(members: torch.Tensor) -> torch.Tensor:
        return score(model, inputs * members.float()[:, None, quarters])

    explanation = cw.explain(model, picture, 1, get_method("kernelshap", parts=quarters))
    found = explanation.parts
    assert found is not None and not found.errors.any()
    expected = shapley_by_definition(value, 4).numpy()
    np.testing.assert_allclose(found.values, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(explanation.raw, expected[quarters], rtol=1e-4, atol=1e-6)
    assert list(found.order) == list(np.argsort(-expected))


@pytest.mark.full
def test_kernelshap_agrees_with_captum(model: cw.VisionModel, picture: torch.Tensor) -> None:
    """Its own draws scatter around the exact values as much as they differ from each other."""
    from captum.attr import KernelShap

    rows, columns = np.indices((SIDE, SIDE)) // 8
    labels = 3 * rows + columns
    found = cw.explain(model, picture, 1, get_method("kernelshap", parts=labels)).parts
    assert found is not None and not found.errors.any(), "2⁹ − 2 = 510 coalitions"
    runs = []
    for seed in range(8):
        torch.manual_seed(seed)
        theirs = KernelShap(model.module).attribute(
            model.inputs(model.pixels(picture)),
            target=1,
            feature_mask=torch.from_numpy(labels)[None, None],
            n_samples=400,
            perturbations_per_eval=50,
        )[0, 0]
        runs.append([float(theirs[labels == k][0]) for k in range(9)])
    mean, error = np.mean(runs, 0), np.std(runs, 0, ddof=1) / 8**0.5
    assert (np.abs(mean - found.values) < 5 * error).all()
    assert np.corrcoef(mean, found.values)[0, 1] > 0.995


def test_occlusion_of_parts_equals_its_equation(
    model: cw.VisionModel, picture: torch.Tensor, quarters: np.ndarray
) -> None:
    inputs = model.inputs(model.pixels(picture))
    hidden = torch.stack([inputs[0] * torch.from_numpy(quarters != k) for k in range(4)])
    expected = (score(model, inputs) - score(model, hidden)).numpy()
    found = cw.explain(model, picture, 1, get_method("part-occlusion", parts=quarters))
    np.testing.assert_allclose(found.raw, expected[quarters], rtol=1e-3, atol=1e-6)
    assert found.parts is not None
    np.testing.assert_allclose(found.parts.values, expected, rtol=1e-3, atol=1e-6)


def test_passes_are_kept_and_go_on(model: cw.VisionModel, picture: torch.Tensor) -> None:
    """Another class needs no pass, and what was stopped goes on; each step's map is of the coalitions so far."""
    passes = 0

    def count(*_: object) -> None:
        nonlocal passes
        passes += 1

    handle = model.module.register_forward_hook(count)
    try:
        trace = Trace(model, picture[None], [model.default_layer])
        labels = np.indices((SIDE, SIDE))[0]
        method = get_method("kernelshap", parts=labels, samples=300)
        first = next(iter(method.steps(trace, resolve_target(model, 0), model.default_layer)))
        assert 0 < first.done < first.total
        steps = list(method.steps(trace, resolve_target(model, 0), model.default_layer))
        assert steps[-1].done == steps[-1].total and len(steps) > 1
        passes = 0
        other = method.compute(trace, resolve_target(model, 1), model.default_layer)
        assert passes == 0 and not torch.allclose(other, steps[-1].maps)
    finally:
        handle.remove()


def test_two_pictures_have_parts_of_their_own(model: cw.VisionModel, picture: torch.Tensor) -> None:
    found = cw.explain(model, [picture, picture.flip(2)], 1, ["part-occlusion", "gradcam"])
    first, second = found[0].parts, found[2].parts
    assert first is not None and second is not None and first.parts != second.parts
    assert found[1].parts is None


def test_superpixels_follow_colors(picture: torch.Tensor) -> None:
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, 23:] = 255
    parts = superpixels(pixels, 8)
    assert all(len(np.unique(parts.labels[side])) for side in (np.s_[:, :23], np.s_[:, 23:]))
    assert not set(parts.labels[:, :23].ravel()) & set(parts.labels[:, 23:].ravel())
    assert parts.borders[:, 22].all() and parts == superpixels(pixels, 8)
    assert superpixels(np.zeros((4, 4, 3), np.uint8), 2).count >= 2


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 8])
def test_superpixels_follow_pictures_of_any_channels(channels: int) -> None:
    rng = np.random.default_rng(channels)
    y, x = np.mgrid[:96, :96]
    found = []
    for _ in range(2):
        pixels = np.full((96, 96, channels), 60, np.uint8)
        for row, column in rng.integers(0, 96, (5, 2)):
            disc = (y - row) ** 2 + (x - column) ** 2 < 18**2
            pixels[disc] = rng.integers(90, 255, channels)
        parts = superpixels(pixels, 30)
        numbers = parts.labels.ravel()
        values = pixels.reshape(-1, channels).astype(float)
        sums = np.stack([np.bincount(numbers, v) for v in values.T], axis=1)
        left = values - (sums / parts.sizes[:, None])[numbers]
        assert 1 - (left**2).sum() / ((values - values.mean(0)) ** 2).sum() > 0.9
        assert 10 < parts.count < 45
        found.append(parts)
    assert found[0] != found[1]


def test_parts_are_compared_by_what_they_divide(quarters: np.ndarray) -> None:
    same = Parts(10 - quarters)
    assert same == Parts(quarters) and hash(same) == hash(Parts(quarters))
    assert same != Parts(quarters // 2)
    assert get_method("kernelshap", parts=quarters) == get_method("kernelshap", parts=same)
    for wrong in (quarters * 0, quarters[0], quarters / 2):
        with pytest.raises(PictureError, match="part"):
            Parts(wrong)


def test_segments_of_the_model_are_parts() -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Conv2d(3, 3, 1))
    with torch.no_grad():  # the class of a pixel is its brightest color
        for part in (net[0], net[2]):
            part.weight[:] = torch.eye(3)[..., None, None]
    model = cw.wrap(net, cw.Preprocess(SIDE), kind="segments")
    picture = torch.zeros(3, SIDE, SIDE)
    picture[0, :, :9] = 1
    picture[2, 14:] = 1
    found = cw.explain(model, picture, 1, get_method("kernelshap", parts="segments"))
    assert found.parts is not None
    assert found.parts.parts == Parts(model.segments(picture))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ("segments", "kind='segments'"),
        ("pixels", "how many superpixels"),
        (1, "parts is an integer of at least 2"),
        (2001, "parts is an integer from 2 to 2000"),
        (Parts(np.indices((8, 8))[0]), "of 8×8 pixels"),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    model: cw.VisionModel, picture: torch.Tensor, parts: object, words: str
) -> None:
    for name in ("kernelshap", "part-occlusion"):
        with pytest.raises(MethodError, match=words):
            cw.explain(model, picture, 1, get_method(name, parts=parts))


def test_the_number_of_parts_has_a_range_and_a_word() -> None:
    parts, *_ = settings_payload(get_method("kernelshap").settings, words=["segments"])
    assert (parts["low"], parts["high"], parts["words"]) == (2, 2000, ["segments"])
