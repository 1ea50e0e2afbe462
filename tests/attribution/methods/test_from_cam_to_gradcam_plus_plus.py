"""Identities from which the methods follow: score and map of CAM, the bias, and the derivatives behind Grad-CAM++."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import camwidget as cw
from camwidget.export.method_payload import method_payload
from camwidget.zoo import scenes


@pytest.fixture(scope="module")
def model() -> cw.VisionModel:
    return cw.load("zoo/scenes", device="cpu")


def test_the_score_is_the_sum_of_the_map(model: cw.VisionModel) -> None:
    """``S = (1/Z) Σ_xy M(x, y) + b``, section 2 of Zhou et al. 2016, for each class in the picture."""
    sample = scenes.draw(71_000, 3)
    logits = model.logits(model.pixels(sample.image))[0]
    for exp in cw.explain(model, sample.image, list(sample.labels), "cam"):
        index = exp.target.index
        bias = model.module.get_parameter("head.bias")[index].item()
        assert exp.raw.mean() + bias == pytest.approx(logits[index].item(), abs=1e-4)


def test_the_answer_seldom_changes_without_the_bias(model: cw.VisionModel) -> None:
    pictures = [scenes.draw(71_000 + n, 2).image for n in range(24)]
    logits = model.logits(model.pixels(pictures))
    bias = model.module.get_parameter("head.bias").detach()
    same = (logits.argmax(1) == (logits - bias).argmax(1)).float().mean().item()
    assert same > 0.8
    assert bias.std() < 0.15 * logits.std(1).mean(), (
        "it differs less between classes than scores do"
    )


def again(values: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """The derivative of each value by its own cell."""
    rows = [
        torch.autograd.grad(value, by, create_graph=True)[0].flatten()[n]
        for n, value in enumerate(values.flatten())
    ]
    return torch.stack(rows).reshape(by.shape)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.SiLU])
def test_the_derivatives_behind_the_weights(activation: type[nn.Module]) -> None:
    """Eqs. 10 and 19 of Chattopadhyay et al. 2018 agree where the score is piecewise linear, and only there."""
    torch.manual_seed(3)
    tail = nn.Sequential(nn.Conv2d(2, 6, 2), activation(), nn.Flatten(), nn.Linear(36, 1)).double()
    maps = torch.rand(2, 3, 4, dtype=torch.float64, requires_grad=True)
    score = tail(maps[None])[0, 0]
    (g,) = torch.autograd.grad(score, maps, create_graph=True)
    first = torch.autograd.grad(score.exp(), maps, create_graph=True)[0]
    second = again(first, maps)
    third = again(second, maps)
    torch.testing.assert_close(first, score.exp() * g)
    total = maps.sum((1, 2), keepdim=True)
    exact = second / (2 * second + total * third)
    short = g**2 / (2 * g**2 + total * g**3)
    linear = activation is nn.ReLU
    for one, other in ((second, score.exp() * g**2), (third, score.exp() * g**3), (exact, short)):
        assert torch.allclose(one, other, rtol=1e-9, atol=0) == linear


def test_formulas_stand_behind_the_buttons() -> None:
    """Of the three methods that the report sets beside each other, and their relatives."""
    for name, part in (
        ("cam", "Σ_k w_k · A^k"),
        ("gradcam", "α_k = 1/Z · Σ_ij ∂S/∂A^k_ij"),
        ("gradcam++", "α^k_ij = g² / (2 g² + Σ_ab A^k_ab · g³)"),
    ):
        method = cw.get_method(name)
        assert part in method.formula
        assert method_payload(method)["tip"] == method.tip
        assert method.tip.split("\n") == [method.summary, method.formula, f"({method.citation})"]
    assert cw.get_method("rise").tip == method_payload(cw.get_method("rise"))["tip"]
    assert cw.get_method("smoothgrad(gradcam)").formula == ""
