"""Sanity checks that every method must pass (Adebayo et al. 2018, arXiv:1810.03292)."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import tiny_transformers as tiny
import torch
from scipy.stats import spearmanr
from torch import nn

import camwidget as cw
from camwidget import zoo
from camwidget.attribution.randomization import randomized_copy

CONTROLS = {"random", "center"}
#: Few passes for each method that runs the model again.
SETTINGS = {
    "rise": {"masks": 60},
    "part-occlusion": {"parts": 12},
    "kernelshap": {"parts": 12, "samples": 60},
    "occlusion": {"window": 48, "stride": 24},
    "integrated-gradients": {"steps": 16},
    "smoothgrad": {"samples": 8},
}
#: Attention methods have a network of their own, in test_attention_methods.py.
METHODS = [m.name for m in cw.list_methods() if m.group != "Attention"]
SAMPLES = zoo.samples("zoo/textures")[:2]


def maps(
    model: cw.VisionModel, name: str, samples: Sequence[zoo.Sample] = SAMPLES
) -> list[np.ndarray]:
    method = cw.get_method(name, **SETTINGS.get(name, {}))
    return [
        cw.explain(model, s.image, s.label, method, progress=lambda *_: None).saliency
        for s in samples
    ]


def randomized(model: cw.VisionModel) -> cw.VisionModel:
    """The same architecture with fresh weights, its statistics those of the pictures it sees."""
    torch.manual_seed(1)
    module = copy.deepcopy(model.module)
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    module.train()
    with torch.no_grad():
        module(model.inputs(torch.cat([model.pixels(s.image) for s in SAMPLES])))
    return cw.wrap(module.eval(), model.preprocess, model.classes)


@pytest.fixture(scope="module")
def trained_maps(textures: cw.VisionModel) -> Callable[[str], list[np.ndarray]]:
    """The maps of the trained net, each made once."""
    return functools.cache(lambda name: maps(textures, name))


@pytest.fixture(scope="module")
def untrained(textures: cw.VisionModel) -> cw.VisionModel:
    return randomized(textures)


@pytest.mark.parametrize("name", METHODS)
def test_a_map_changes_when_the_weights_are_randomized(
    trained_maps: Callable[[str], list[np.ndarray]],
    untrained: cw.VisionModel,
    name: str,
    record_property: object,
) -> None:
    pairs = zip(trained_maps(name), maps(untrained, name), strict=True)
    correlation = float(np.mean([spearmanr(a.ravel(), b.ravel())[0] for a, b in pairs]))
    record_property("rank_correlation", correlation)  # type: ignore[operator]
    print(f"{name}: rank correlation with a randomized net {correlation:+.2f}")
    if name in CONTROLS:
        assert correlation == pytest.approx(1), "the control does not look at the weights"
    else:
        assert correlation < 0.9


#: Methods that go through a transformer in a way of their own: relevance by both rules, and parts.
IN_TRANSFORMERS = [
    ("lrp", {"rule": "attn"}),
    ("lrp", {"rule": "cp", "gamma": 0}),
    ("relevancecam", {"rule": "attn"}),
    ("relevancecam", {"rule": "cp"}),
    ("deep-feature-factorization", {}),
    ("recipro-cam", {}),
    ("gradcam", {}),
    ("integrated-gradients", {"steps": 8}),
]


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.full)])
@pytest.mark.parametrize(("name", "settings"), IN_TRANSFORMERS)
def test_a_map_of_a_transformer_changes_when_the_weights_are_randomized(
    name: str, settings: dict[str, object], seed: int
) -> None:
    """Of all weights, and of those of the last block and the head alone."""
    model = cw.wrap(tiny.timm_vit(), cw.Preprocess(tiny.SIDE))
    layer = model.layers[-2].name
    pictures = torch.rand((4, 3, tiny.SIDE, tiny.SIDE), generator=torch.Generator().manual_seed(3))
    module = randomized_copy(model, seed)
    partly = copy.deepcopy(model.module)
    ends = (f"blocks.{tiny.DEPTH - 1}.", "norm.", "head.")
    partly.load_state_dict(
        {
            k: module.state_dict()[k] if k.startswith(ends) else v
            for k, v in partly.state_dict().items()
        }
    )
    method = cw.get_method(name, **settings)

    def raws(one: cw.VisionModel) -> list[np.ndarray]:
        found = cw.explain(one, pictures, 1, method, layer, progress=lambda *_: None)
        return [e.raw for e in found]

    before = raws(model)
    # The parts of a layer stay while the layer does; which of them is shown depends on the rest.
    for other, bound in ((module, 0.6), (partly, 0.8)):
        pairs = zip(before, raws(model.with_module(other)), strict=True)
        assert np.mean([spearmanr(a.ravel(), b.ravel())[0] for a, b in pairs]) < bound


#: One of each family that computes its maps in another way; names are nothing that a method sees.
QUICK = {"gradcam", "eigencam", "ablationcam", "smoothgrad", "lrp", "random"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.full) for name in METHODS],
)
def test_a_map_does_not_change_when_another_class_is_renamed(
    textures: cw.VisionModel, trained_maps: Callable[[str], list[np.ndarray]], name: str
) -> None:
    other = next(i for i in range(10) if i not in {s.label for s in SAMPLES})
    names = list(textures.classes)
    names[other] = "<renamed>"
    renamed = cw.wrap(textures.module, textures.preprocess, names)
    (again,) = maps(renamed, name, SAMPLES[:1])
    np.testing.assert_array_equal(trained_maps(name)[0], again)


CLASSLESS = {"eigencam", *CONTROLS}


@pytest.mark.parametrize("name", METHODS)
def test_a_map_depends_on_the_class(textures: cw.VisionModel, name: str) -> None:
    method = cw.get_method(name, **SETTINGS.get(name, {}))
    first, second = cw.explain(textures, SAMPLES[0].image, [0, 1], method, progress=lambda *_: None)
    assert np.allclose(first.raw, second.raw) == (name in CLASSLESS)


@pytest.mark.parametrize("name", METHODS)
def test_the_model_is_left_as_it_was(name: str) -> None:
    """Hooks, parameters, gradients, flags and buffers, to the bit; also when it is interrupted."""
    model = cw.load(device="cpu")
    module = model.module.train()
    module.stage1.requires_grad_(False)
    for n, p in enumerate(module.parameters()):
        if p.requires_grad and n % 2:
            p.grad = torch.full_like(p, n)

    def fingerprint() -> list[object]:
        facts: list[object] = []
        for key, value in module.state_dict().items():
            facts.append((key, value.numpy().tobytes()))
        for key, p in module.named_parameters():
            grad = None if p.grad is None else p.grad.numpy().tobytes()
            facts.append((key, id(p), p.requires_grad, grad))
        for key, m in module.named_modules():
            hooks = [len(v) for k, v in vars(m).items() if k.endswith("_hooks")]
            facts.append((key, id(m), type(m), m.training, hooks, sorted(vars(m))))
        return facts

    before = fingerprint()
    method = cw.get_method(name, **SETTINGS.get(name, {}))
    cw.explain(model, SAMPLES[0].image, [0, 2], method, progress=lambda *_: None)
    assert fingerprint() == before
    if method.slow:

        def interrupt(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            cw.explain(model, SAMPLES[0].image, 1, method, progress=interrupt)
        assert fingerprint() == before
    with pytest.raises(cw.CamwidgetError):
        cw.explain(model, SAMPLES[0].image, 99, method)
    assert fingerprint() == before
