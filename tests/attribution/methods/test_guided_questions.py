"""Guided Grad-CAM of answers to questions (Selvaraju et al. 2017, section 7.2): by its equation, and where it lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from oracles import agree
from torch import nn

import camwidget as cw
from camwidget.errors import MethodError
from camwidget.zoo import vqa

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("one_thread")]


class Guided(torch.autograd.Function):
    """A ReLU with the rule of guided backpropagation, Springenberg 2015, section 3.4."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return slopes[0].clamp(min=0) * (x > 0)


def asked(start: int, number: int) -> list[tuple[Any, str]]:
    """Pictures, each with its first question whose answer rests on a thing."""
    found = []
    for seed in range(start, start + number):
        scene = vqa.draw(seed)
        found += [(scene, q) for q in scene.questions if vqa.answer(scene, q).about][:1]
    return found


def test_of_an_answer_by_its_equation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tanh beside the ReLUs is of the question, a vector, and keeps its gradient."""
    (scene, question), *_ = asked(72_000, 3)
    model = cw.load("zoo/vqa", device="cpu").given(question=question)
    fine, coarse, both = cw.explain(
        model, scene.image, method=["guided-backprop", "gradcam", "guided-gradcam"]
    )
    index = fine.target.index
    inputs = model.inputs(model.pixels(scene.image)).requires_grad_()
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: Guided.apply(x))
    monkeypatch.setattr(torch.Tensor, "relu", lambda x: Guided.apply(x))
    score = model.module(inputs, **model.extras(1))[0, index]
    (slope,) = torch.autograd.grad(score, inputs)
    agree(torch.from_numpy(fine.raw)[None], slope.abs().amax(1), 1e-5)
    up = nn.functional.interpolate(
        torch.from_numpy(coarse.raw)[None, None], size=slope.shape[-2:], mode="bilinear"
    )
    agree(torch.from_numpy(both.raw)[None], (slope * up).abs().amax(1), 1e-5)


@pytest.mark.parametrize("start", [72_000, 572_000])
def test_it_lies_on_what_the_answer_rests_on(start: int) -> None:
    """The share of the saliency there: above that of both its factors, and of a uniform map."""
    model = cw.load("zoo/vqa", device="cpu")
    methods = ["guided-gradcam", "gradcam", "guided-backprop"]
    rows = []
    for scene, question in asked(start, 24):
        maps = cw.explain(model.given(question=question), scene.image, method=methods)
        place = scene.evidence(vqa.answer(scene, question).text, question)
        shares = [e.saliency[place].sum() / max(e.saliency.sum(), 1e-9) for e in maps]
        rows.append([*shares, place.mean()])
    table = np.array(rows)
    for other in range(1, 4):
        gain = table[:, 0] - table[:, other]
        low = np.percentile(np.random.default_rng(0).choice(gain, (4000, len(gain))).mean(1), 2.5)
        assert low > 0, [*methods, "uniform"][other]


def test_with_co_attention_it_is_refused() -> None:
    """Tanh stands between the maps of words and places, where no rule is defined."""
    scene, question = asked(72_000, 3)[0]
    model = cw.load("zoo/vqa-attention", device="cpu").given(question=question)
    with pytest.raises(MethodError, match="Tanh"):
        cw.explain(model, scene.image, method="guided-gradcam")
