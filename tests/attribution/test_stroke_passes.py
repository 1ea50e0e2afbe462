"""Predictions under a brush: exact, by partial passes, and never of other weights than the present ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from module_fingerprint import fingerprint
from test_partial_passes import Mirrored, Odd, deep, off_by_one
from torch import nn

import camwidget as cw
from camwidget._compat import onednn
from camwidget.attribution.partial import prepared_convolutions
from camwidget.attribution.partial.geometry import SlidingWindow
from camwidget.attribution.partial.replay import RecordedPass
from camwidget.attribution.partial.stroke_passes import StrokePasses

SIZE = 64


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMWIDGET_BATCHES", "measured")


@pytest.fixture
def updates(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes in pixels of the strokes that partial passes answered."""
    seen: list[int] = []
    update = RecordedPass.update

    def counted(self: RecordedPass, patch: torch.Tensor, plan: Any) -> torch.Tensor:
        seen.append(patch.shape[2] * patch.shape[3])
        return update(self, patch, plan)

    monkeypatch.setattr(RecordedPass, "update", counted)
    return seen


def narrow() -> nn.Sequential:
    """Convolutions of few cells, with and without a normalization and a rectifier, and a head that reads every cell."""
    torch.manual_seed(0)
    module = nn.Sequential(
        *(nn.Conv2d(3, 8, 5, 2, 2, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 24, 3, padding=1), nn.BatchNorm2d(24, affine=False)),
        *(nn.Conv2d(24, 24, 3, padding=1, groups=4), nn.ReLU(inplace=True)),
        *(nn.Conv2d(24, 32, 1, 2), nn.BatchNorm2d(32), nn.ReLU(inplace=True)),
        *(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(32 * 16, 3)),
    )
    for part in module:
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.uniform_(-0.3, 0.3)
            part.running_var.uniform_(0.2, 2)
    return module.eval()


def pictures(count: int, side: int = 9) -> list[torch.Tensor]:
    """A picture under a growing stroke of a brush."""
    generator = torch.Generator().manual_seed(3)
    found = [torch.rand((3, SIZE, SIZE), generator=generator)]
    for step in range(count - 1):
        masked = found[-1].clone()
        y, x = 3 + 4 * step, 50 - 4 * step
        masked[:, y : y + side, x : x + side] = 0.4
        found.append(masked)
    return found


def test_with_fixed_batches_a_picture_has_the_same_bits_whatever_came_before(
    updates: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMWIDGET_BATCHES", "fixed")
    torch.manual_seed(0)
    model = cw.wrap(deep(), cw.Preprocess(SIZE))
    passes = StrokePasses(model)
    for masked in pictures(5):
        assert torch.equal(passes.logits(masked), model.logits(masked[None]))
    assert not updates


@pytest.mark.parametrize(
    "make", [deep, lambda: Odd().eval(), narrow], ids=["deep", "odd", "narrow"]
)
def test_strokes_are_answered_exactly(make: Any, updates: list[int]) -> None:
    """In float64 no error adds up; the first small change records, and the second starts from there."""
    torch.manual_seed(0)
    module = make().double()
    model = cw.wrap(module, cw.Preprocess(SIZE))
    before = fingerprint(module)
    passes = StrokePasses(model)
    for number, masked in enumerate(pictures(9)):
        found = passes.logits(masked)
        torch.testing.assert_close(found, model.logits(masked[None]), rtol=1e-6, atol=1e-7)
        assert len(updates) == max(0, number - 1)
    # What was hidden comes back in one large change, and a stroke after it.
    for masked in (pictures(1)[0], *pictures(3)):
        torch.testing.assert_close(
            passes.logits(masked), model.logits(masked[None]), rtol=1e-6, atol=1e-7
        )
    assert fingerprint(module) == before


def test_no_error_adds_up(updates: list[int]) -> None:
    """Thirty strokes there and back, in float32."""
    model = cw.wrap(deep(), cw.Preprocess(SIZE))
    passes = StrokePasses(model)
    one, other = pictures(2)
    first = passes.logits(one)
    for _ in range(15):
        passes.logits(other)
        last = passes.logits(one)
    assert len(updates) == 29
    torch.testing.assert_close(last, first, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("fits", [True, False])
def test_prepared_convolutions(
    fits: bool, updates: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32 those of few cells are packed, unless weights and activations pass the limit of the caches."""
    packed: list[torch.Size] = []

    def counted(weights: torch.Tensor, *settings: Any) -> torch.Tensor | None:
        packed.append(weights.shape)
        return onednn.pack_weights(weights, *settings)

    monkeypatch.setattr(prepared_convolutions, "pack_weights", counted)
    module = narrow()
    before = fingerprint(module)
    model = cw.wrap(module, cw.Preprocess(SIZE))
    passes = StrokePasses(model)
    limit = cw.set_cache_limit(256 * 2**20 if fits else 160_000)
    try:
        for masked in (*pictures(6), *pictures(6)):
            expected = model.logits(masked[None])
            torch.testing.assert_close(passes.logits(masked), expected, rtol=1e-5, atol=1e-6)
    finally:
        cw.set_cache_limit(limit)
    assert len(updates) >= 8 and fingerprint(module) == before
    has_onednn = onednn.takes_weights(module[0].weight)
    assert len(packed) == (3 if fits and has_onednn else 0)


def test_new_weights_are_noticed(updates: list[int]) -> None:
    module = deep()
    model = cw.wrap(module, cw.Preprocess(SIZE))
    passes = StrokePasses(model)
    shown = pictures(5)
    for masked in shown[:3]:
        passes.logits(masked)
    assert updates
    with torch.no_grad():
        module[0].weight.mul_(1.5)
    for masked in shown[2:]:
        torch.testing.assert_close(passes.logits(masked), model.logits(masked[None]))


def test_a_module_that_cannot_be_followed(updates: list[int]) -> None:
    torch.manual_seed(0)
    model = cw.wrap(Mirrored().eval(), cw.Preprocess(SIZE), layers=["conv"])
    passes = StrokePasses(model)
    for masked in pictures(5):
        assert torch.equal(passes.logits(masked), model.logits(masked[None]))
    assert not updates


def test_a_wrong_partial_pass_is_found(monkeypatch: pytest.MonkeyPatch, updates: list[int]) -> None:
    """The first one is checked by a whole pass."""
    monkeypatch.setattr(SlidingWindow, "outputs", off_by_one)
    model = cw.wrap(deep(), cw.Preprocess(SIZE))
    passes = StrokePasses(model)
    for masked in pictures(5):
        torch.testing.assert_close(passes.logits(masked), model.logits(masked[None]))
    assert len(updates) == 1


def test_large_changes_are_whole_passes(updates: list[int]) -> None:
    """A slider changes pixels all over the picture: nothing is recorded, and nothing is kept."""
    model = cw.wrap(deep(), cw.Preprocess(SIZE))
    passes = StrokePasses(model)
    for _ in range(3):
        picture = torch.rand(3, SIZE, SIZE)
        assert torch.equal(passes.logits(picture), model.logits(picture[None]))
    assert not updates


def test_with_a_limit_of_no_bytes_nothing_is_kept(updates: list[int]) -> None:
    model = cw.wrap(nn.Sequential(*deep()), cw.Preprocess(SIZE))
    passes = StrokePasses(model)
    limit = cw.set_cache_limit(0)
    try:
        for masked in pictures(4):
            torch.testing.assert_close(passes.logits(masked), model.logits(masked[None]))
    finally:
        cw.set_cache_limit(limit)
    assert not updates
