"""Imputation, compared with scipy's direct solution as in pytorch-grad-cam, and its general properties."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from faithfulness_helpers import picture, random_map, smooth_map
from hypothesis import given, settings
from hypothesis import strategies as st

from camwidget.masking.rank_rule import top_mask
from camwidget.metrics import imputation
from camwidget.metrics.imputation import impute

pytestmark = pytest.mark.usefixtures("one_thread")


def by_scipy(pixels: torch.Tensor, missing: torch.Tensor) -> torch.Tensor:
    road = pytest.importorskip("pytorch_grad_cam.metrics.road", exc_type=ImportError)
    return road.NoisyLinearImputer(noise=0)(pixels, (~missing).float())


@pytest.mark.parametrize("size", [8, 33, 96])
@pytest.mark.parametrize("kind", ["random", "smooth"])
def test_scipys_solution(size: int, kind: str) -> None:
    """To 1e-4, a fortieth of an 8-bit level; the largest hole has 95 % of the picture."""
    pixels = picture(1, size)
    values = random_map(1, size) if kind == "random" else smooth_map(1, size)
    missing = torch.stack(
        [torch.from_numpy(top_mask(values, fraction)) for fraction in (0.1, 0.5, 0.9, 0.95)]
    )
    for mask, found in zip(missing, impute(pixels, missing), strict=True):
        expected = by_scipy(pixels, mask)
        assert (expected - pixels).abs().max() > 0.1, "the hole would prove nothing"
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_neighbors_count_by_a_sixth_and_a_twelfth() -> None:
    """The weights of Rong et al. 2022; there is nothing beyond the edge, and nothing of the pixel itself."""
    place = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    place[0, 0, 1, 1] = 12
    expected = [[1, 2, 1, 0], [2, 0, 2, 0], [1, 2, 1, 0], [0, 0, 0, 0]]
    found = imputation._neighbor_sum(place)[0, 0]
    torch.testing.assert_close(found, torch.tensor(expected).double())
    corner = imputation._neighbor_sum(torch.ones(1, 1, 4, 4, dtype=torch.float64))[0, 0, 0]
    torch.testing.assert_close(corner[:2] * 12, torch.tensor([5.0, 8.0]).double())


def test_holes_that_are_special() -> None:
    """None; all but a pixel; a frame, which touches every edge; two that have nothing to do with each other."""
    size = 24
    pixels = picture(2, size)
    missing = torch.zeros((4, size, size), dtype=torch.bool)
    missing[1] = True
    missing[1, 5, 7] = False
    missing[2] = True
    missing[2, 4:-4, 4:-4] = False
    missing[3, 2:8, 2:8] = missing[3, 12:22, 14:20] = True
    found = impute(pixels, missing)
    assert torch.equal(found[0], pixels)
    # A single pixel is all there is to go by.
    only = pixels[:, 5, 7][:, None, None].expand_as(pixels)
    torch.testing.assert_close(found[1], only, rtol=0, atol=1e-4)
    for number in (2, 3):
        torch.testing.assert_close(
            found[number], by_scipy(pixels, missing[number]), rtol=0, atol=1e-4
        )


def test_oblong_pictures() -> None:
    pixels = picture(3, 50)[:, :13]
    missing = torch.from_numpy(top_mask(random_map(3, 50)[:13].contiguous(), 0.8))
    torch.testing.assert_close(
        impute(pixels, missing[None])[0], by_scipy(pixels, missing), rtol=0, atol=1e-4
    )


@given(
    seed=st.integers(0, 10**6),
    height=st.integers(1, 20),
    width=st.integers(2, 20),
    share=st.floats(0, 0.95),
)
@settings(max_examples=40, deadline=None)
def test_each_is_the_mean_of_its_neighbors(
    seed: int, height: int, width: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.random((2, height, width), dtype=np.float32)
    missing = rng.random((height, width)) < share
    missing[rng.integers(height), rng.integers(width)] = False
    found = impute(torch.from_numpy(pixels), torch.from_numpy(missing)[None])[0].double().numpy()
    np.testing.assert_array_equal(found[:, ~missing], pixels[:, ~missing])
    assert found.min() >= pixels.min() - 1e-4
    assert found.max() <= pixels.max() + 1e-4
    for row, column in np.argwhere(missing):
        total = weights = 0.0
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                if (down or right) and 0 <= row + down < height and 0 <= column + right < width:
                    weight = 1 / 12 if down and right else 1 / 6
                    total = total + weight * found[:, row + down, column + right]
                    weights += weight
        np.testing.assert_allclose(found[:, row, column], total / weights, atol=1e-4)


def test_many_masks_are_each_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are solved at once, each has its solution."""
    pixels = picture(4)
    missing = torch.stack([random_map(n) < 0.1 * n + 0.1 for n in range(7)])
    together = impute(pixels, missing)
    monkeypatch.setitem(imputation._AT_ONCE, "cpu", 1)
    torch.testing.assert_close(impute(pixels, missing), together, rtol=0, atol=2e-5)


def test_large_holes_take_few_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the coarser networks are for: without them it takes hundreds."""
    cycles = 0
    once = imputation._Pixels.cycle

    def counting(self: imputation._Network, rest: torch.Tensor) -> torch.Tensor:
        nonlocal cycles
        cycles += isinstance(self, imputation._Pixels)
        return once(self, rest)

    monkeypatch.setattr(imputation._Network, "cycle", counting)
    for size in (64, 256):
        cycles = 0
        impute(picture(5, size), torch.from_numpy(top_mask(smooth_map(1, size), 0.9))[None])
        assert cycles <= 20
