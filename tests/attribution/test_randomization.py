"""Copies of models with random weights."""

from __future__ import annotations

import logging

import pytest
import torch
from module_fingerprint import fingerprint
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

import camwidget as cw
from camwidget.attribution.randomization import randomized_copy
from camwidget.errors import CamwidgetWarning, ModelError


class Odd(nn.Module):
    """With parameters that no part knows how to begin, a shared one, and one that others make."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.third = weight_norm(nn.Conv2d(8, 8, 1))
        self.place = nn.Parameter(torch.randn(8, 1, 1))
        self.head = nn.Linear(8, 4)
        self.first.bias = self.second.bias
        self.needy = Needy()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.first(x)).relu() + self.place
        x = self.third(self.second(x).relu()).relu() * self.needy.gain
        return self.head(x.mean((2, 3)))


class Torn(nn.Module):
    """Its beginning fails half-way."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Parameter(torch.rand(64)), nn.Parameter(torch.rand(64))

    def reset_parameters(self) -> None:
        self.one.zero_()
        raise ZeroDivisionError("torn")


class Needy(nn.Module):
    """Can only begin again if it is told how."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.rand(8, 1, 1) + 0.5)

    def reset_parameters(self, how: str) -> None:
        raise AssertionError(how)


@pytest.fixture
def odd() -> cw.VisionModel:
    torch.manual_seed(4)
    module = Odd()
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.1 * torch.randn_like(p))
    module.first.weight.requires_grad_(False)
    module.head.weight.grad = torch.ones_like(module.head.weight)
    module.train()
    return cw.wrap(module, cw.Preprocess(32))


def test_every_weight_is_another_and_the_model_is_as_it_was(odd: cw.VisionModel) -> None:
    before, numbers = fingerprint(odd.module), torch.get_rng_state()
    copy = randomized_copy(odd, seed=3)
    assert fingerprint(odd.module) == before
    assert torch.equal(torch.get_rng_state(), numbers), "nobody's random numbers are used up"
    own = dict(odd.module.named_parameters())
    for name, parameter in copy.named_parameters():
        assert not torch.equal(parameter, own[name]), name
        assert parameter.data_ptr() != own[name].data_ptr()
    place = copy.get_parameter("place")
    assert torch.equal(place.flatten().sort()[0], own["place"].flatten().sort()[0]), "shuffled"
    assert copy.first.bias is copy.second.bias  # type: ignore[union-attr]
    assert not any(m.training for m in copy.modules())
    assert torch.equal(copy.norm.running_var, torch.ones(8))  # type: ignore[union-attr, arg-type]
    again, other = randomized_copy(odd, seed=3), randomized_copy(odd, seed=4)
    for first, second, third in zip(*(m.parameters() for m in (copy, again, other)), strict=True):
        # A normalization always begins as the identity.
        is_fixed = len(first.unique()) == 1
        assert torch.equal(first, second) and torch.equal(first, third) == is_fixed


def test_the_model_around_a_copy_is_the_same_but_for_its_weights(odd: cw.VisionModel) -> None:
    other = odd.with_module(randomized_copy(odd))
    picture = torch.rand(3, 32, 32)
    assert other.classes == odd.classes and other.default_layer == odd.default_layer
    assert not torch.allclose(other.logits(picture[None]), odd.logits(picture[None]))
    e = cw.explain(other, picture, 1)
    fresh = cw.explain(cw.wrap(other.module, cw.Preprocess(32)), picture, 1)
    assert isinstance(e, cw.Explanation) and isinstance(fresh, cw.Explanation)
    assert (e.raw == fresh.raw).all() and e.layer == fresh.layer
    # A layer may be named by the module itself.
    assert other.layer(other.module.second).name == "second"  # type: ignore[arg-type]


def test_what_cannot_be_copied_is_refused(odd: cw.VisionModel) -> None:
    odd.module.place.holder = None  # type: ignore[union-attr]
    odd.module.lock = __import__("threading").Lock()
    with pytest.raises(ModelError, match="cannot be copied"):
        randomized_copy(odd)


def test_a_part_that_cannot_begin_again_is_shuffled_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "camwidget")
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), Torn(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    module[1].forward = lambda x: x * module[1].two[:1]
    model = cw.wrap(module, cw.Preprocess(16))
    with pytest.warns(CamwidgetWarning, match=r"Torn failed \(ZeroDivisionError: torn\)"):
        copy = randomized_copy(model)
    assert (copy[1].one == 0).all() and not torch.equal(copy[1].two, module[1].two)
    assert torch.equal(copy[1].two.sort()[0], module[1].two.sort()[0])
    (record,) = caplog.records
    assert record.exc_info and record.exc_info[0] is ZeroDivisionError
