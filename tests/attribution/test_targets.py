"""Targets: classes, contrasts, counterfactuals and log-probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import camwidget as cw
from camwidget.attribution.targets import resolve_target
from camwidget.errors import TargetError


@pytest.fixture
def model() -> cw.VisionModel:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    )
    return cw.wrap(module, classes=["cat", "dog", "bird", "fish"])


def test_scores(model: cw.VisionModel) -> None:
    logits = torch.randn(5, 4)
    for target, expected, label in [
        (cw.Contrast("cat", "dog"), logits[:, 0] - logits[:, 1], "cat rather than dog"),
        (cw.Contrast(2, cw.Contrast(0, 1)), logits[:, 2] - logits[:, 0] + logits[:, 1],
         "bird rather than cat rather than dog"),
        (cw.Counterfactual("fish"), -logits[:, 3], "against fish"),
        (cw.LogProbability("bird"), logits.log_softmax(1)[:, 2], "log p(bird)"),
        (cw.Counterfactual(cw.LogProbability(1)), -logits.log_softmax(1)[:, 1], "against log p(dog)"),
    ]:  # fmt: skip
        resolved = resolve_target(model, target)
        torch.testing.assert_close(resolved.score(logits), expected)
        assert resolved.label == label
        assert resolved.index is None
        hash(resolved)


def test_the_map_of_a_log_probability_is_that_of_the_softmaxs_output(
    model: cw.VisionModel,
) -> None:
    """``∂p/∂A = p · ∂(log p)/∂A``: Grad-CAM of the probability itself, by autograd."""
    picture = torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(3))
    exp = cw.explain(model, picture, cw.LogProbability("bird"), layer="1")
    cells = model.module[:2](model.inputs(picture[None])).detach().requires_grad_()  # type: ignore[index]
    probability = model.module[2:](cells).softmax(1)[0, 2]  # type: ignore[index]
    (gradient,) = torch.autograd.grad(probability, cells)
    by_hand = (gradient.mean((2, 3), keepdim=True) * cells).sum(1)[0].relu().detach()
    raw = torch.from_numpy(exp.raw)
    torch.testing.assert_close(raw * probability.detach(), by_hand, rtol=1e-4, atol=1e-8)
    of_logit = torch.from_numpy(cw.explain(model, picture, "bird", layer="1").raw)
    assert raw.max() > 0
    assert not torch.allclose(raw / raw.max(), of_logit / of_logit.max(), atol=0.01)


def test_a_single_logits_log_probability_is_a_sigmoids() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1)
    )
    logits = torch.randn(3, 1)
    target = resolve_target(cw.wrap(module, scores="sigmoid"), cw.LogProbability(0))
    torch.testing.assert_close(target.score(logits), logits[:, 0].sigmoid().log())


def test_the_counterfactual_map_is_gradcam_with_the_gradient_negated(
    model: cw.VisionModel, noise: torch.Tensor
) -> None:
    """Grad-CAM, section 3.3: on a GAP head its signed sum is the other half of the class's."""
    evidence = cw.explain(model, noise, "cat", "hirescam")
    against = cw.explain(model, noise, cw.Counterfactual("cat"), "hirescam")
    np.testing.assert_allclose(against.raw, -evidence.raw, rtol=1e-5, atol=1e-9)
    both = cw.explain(model, noise, ["cat", cw.Counterfactual("cat")])
    assert not ((both[0].raw > 1e-9) & (both[1].raw > 1e-9)).any()


def test_a_contrast_is_the_difference_of_signed_maps(
    model: cw.VisionModel, noise: torch.Tensor
) -> None:
    cat, dog, rather = cw.explain(
        model, noise, ["cat", "dog", cw.Contrast("cat", "dog")], "hirescam"
    )
    np.testing.assert_allclose(rather.raw, cat.raw - dog.raw, rtol=1e-4, atol=1e-7)


def test_finercam_without_strength_is_gradcam_and_with_all_references_a_contrast(
    model: cw.VisionModel, noise: torch.Tensor
) -> None:
    plain = cw.explain(model, noise, "bird")
    none = cw.explain(model, noise, "bird", cw.get_method("finercam", strength=0.0))
    np.testing.assert_allclose(none.raw, plain.raw, rtol=1e-5, atol=1e-9)
    finer = cw.explain(model, noise, "bird", cw.get_method("finercam", strength=0.7, references=9))
    others = [0, 1, 3]
    direct = cw.explain(
        model, noise, lambda y: y[:, 2] - 0.7 * torch.stack([y[:, d] for d in others]).mean(0)
    )
    np.testing.assert_allclose(finer.raw, direct.raw, rtol=1e-4, atol=1e-8)
    one = cw.explain(model, noise, "bird", cw.get_method("finercam", references=1))
    logits = model.logits(noise[None])[0]
    nearest = min(others, key=lambda d: abs(float(logits[d] - logits[2])))
    contrast = cw.explain(model, noise, cw.Contrast("bird", nearest))
    np.testing.assert_allclose(one.raw, contrast.raw, rtol=1e-4, atol=1e-8)


def test_finercam_on_a_batch_has_references_for_each_picture(model: cw.VisionModel) -> None:
    pictures = torch.rand((4, 3, 20, 20), generator=torch.Generator().manual_seed(1))
    together = cw.explain(model, pictures, method="finercam")
    for number, exp in enumerate(together):
        alone = cw.explain(model, pictures[number], method="finercam")
        np.testing.assert_allclose(exp.raw, alone.raw, rtol=1e-4, atol=1e-7)


def test_wrong_targets_are_refused_with_a_remedy(
    model: cw.VisionModel, noise: torch.Tensor
) -> None:
    with pytest.raises(TargetError, match="'dog'"):
        cw.explain(model, noise, cw.Contrast("cat", "dogg"))
    with pytest.raises(TargetError, match="is of a class"):
        cw.explain(model, noise, cw.LogProbability(cw.Counterfactual(1)))
    with pytest.raises(TargetError, match="has not been resolved"):
        cw.Counterfactual("cat").score(torch.zeros(1, 4))
    with pytest.raises(TargetError, match="one number per picture"):
        cw.explain(model, noise, lambda y: y)
    with pytest.raises(TargetError, match="IndexError"):
        cw.explain(model, noise, lambda y: y[:, 99])
