"""Gradient methods at the input, compared with captum and with their equations, for every way to write a ReLU."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch
from module_fingerprint import has_hooks
from oracles import Rectified, agree, computed, plain
from torch import nn

import camwidget as cw
from camwidget.attribution.methods import get_method
from camwidget.errors import MethodError

captum = pytest.importorskip("captum.attr", exc_type=ImportError)

RELU_NETS = ["resnet18", "vgg11", "squeezenet1_1"]
RULED = ["guided-backprop", "deconvnet", "guided-gradcam"]


@pytest.fixture(scope="module", params=RELU_NETS)
def model(
    request: pytest.FixtureRequest, random_model: Callable[..., cw.VisionModel]
) -> cw.VisionModel:
    return random_model(request.param, torch.float64)


@pytest.fixture(scope="module")
def pixels(noise: torch.Tensor) -> torch.Tensor:
    return noise[None, :, :64, :64].double()


def with_own_relus(module: nn.Module) -> nn.Module:
    """A copy with a module of its own for each ReLU: captum, as everyone, refuses one that is used twice."""
    from torch.fx import symbolic_trace

    traced = symbolic_trace(module)
    for number, node in enumerate(list(traced.graph.nodes)):
        is_relu = node.op == "call_module" and isinstance(
            traced.get_submodule(node.target), nn.ReLU
        )
        if is_relu or (node.op == "call_function" and node.target is nn.functional.relu):
            traced.add_module(f"own_relu_{number}", nn.ReLU())
            node.op, node.target = "call_module", f"own_relu_{number}"
            node.args, node.kwargs = node.args[:1], {}
    traced.recompile()
    return traced


def test_saliency_equals_captum(model: cw.VisionModel, pixels: torch.Tensor) -> None:
    oracle = captum.Saliency(model.module).attribute(model.inputs(pixels), target=1)
    agree(computed(model, pixels, "saliency"), oracle.amax(1), 1e-9)


@pytest.mark.parametrize(
    ("method", "oracle"), [("guided-backprop", "GuidedBackprop"), ("deconvnet", "Deconvolution")]
)
def test_ruled_backprop_equals_captum(
    model: cw.VisionModel, pixels: torch.Tensor, method: str, oracle: str
) -> None:
    copy = with_own_relus(model.module)
    theirs = getattr(captum, oracle)(copy).attribute(model.inputs(pixels), target=1)
    agree(computed(model, pixels, method), theirs.detach().abs().amax(1), 1e-9)


def test_guided_gradcam_equals_captum(model: cw.VisionModel, pixels: torch.Tensor) -> None:
    copy = with_own_relus(model.module)
    fine = captum.GuidedBackprop(copy).attribute(model.inputs(pixels), target=1).detach()
    coarse = computed(model, pixels, "gradcam")[:, None]
    up = nn.functional.interpolate(coarse, size=(64, 64), mode="bilinear")
    agree(computed(model, pixels, "guided-gradcam"), (fine * up).abs().amax(1), 1e-9)


@pytest.mark.full
def test_integrated_gradients_equal_captum_and_are_complete(
    model: cw.VisionModel, pixels: torch.Tensor
) -> None:
    black = model.inputs(torch.zeros_like(pixels))
    oracle = captum.IntegratedGradients(model.module)
    theirs = oracle.attribute(model.inputs(pixels), black, target=1, n_steps=32)
    ours = computed(model, pixels, "integrated-gradients")
    agree(ours, theirs.detach().sum(1), 1e-6)
    with torch.no_grad():
        change = (model.module(model.inputs(pixels)) - model.module(black))[0, 1]
    finer = computed(model, pixels, get_method("integrated-gradients", steps=96))
    assert float(finer.sum()) == pytest.approx(
        float(change), rel=0.01, abs=2e-3 * float(finer.abs().sum())
    )


def test_integrated_gradients_of_a_linear_model_are_exact() -> None:
    """One step is enough where the gradient is the same everywhere: IG = (x − x′) · w."""
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)
    ).double()
    model = cw.wrap(module, plain(), layers=["0"])
    pixels = torch.rand((2, 3, 12, 12), dtype=torch.float64)
    maps = computed(model, pixels, get_method("integrated-gradients", steps=1))
    with torch.no_grad():
        change = module(model.inputs(pixels)) - module(model.inputs(torch.zeros_like(pixels)))
    torch.testing.assert_close(maps.sum((1, 2)), change[:, 1])


def test_smoothgrad_is_the_mean_over_noisy_copies() -> None:
    """Section 3 of Smilkov 2017, sample by sample."""
    model = cw.wrap(Rectified().double(), plain())
    pixels = torch.rand((1, 3, 16, 20), dtype=torch.float64)
    ours = computed(model, pixels, get_method("smoothgrad", samples=5, noise=0.2, seed=4))
    sigma = 0.2 * float(pixels.max() - pixels.min())
    mean = torch.zeros(16, 20, dtype=torch.float64)
    for number in range(5):
        generator = torch.Generator().manual_seed(4 * 1_000_003 + number)
        grain = torch.randn((1, 3, 16, 20), generator=generator)
        inputs = model.inputs(pixels + sigma * grain).requires_grad_()
        (gradient,) = torch.autograd.grad(model.module(inputs)[0, 1], inputs)
        mean += gradient[0].abs().amax(0) / 5
    agree(ours, mean, 1e-6)


def test_smoothgrad_wraps_any_quick_gradient_method() -> None:
    model = cw.wrap(Rectified().double(), plain())
    pixels = torch.rand((1, 3, 16, 16), dtype=torch.float64)
    without_noise = get_method("smoothgrad(gradcam++)", samples=3, noise=0.0)
    agree(computed(model, pixels, without_noise), computed(model, pixels, "gradcam++"), 1e-6)
    guided = computed(model, pixels, get_method("smoothgrad(guided-gradcam)", samples=2))
    assert guided.shape == (1, 16, 16)
    for name in ("scorecam", "random", "smoothgrad"):
        with pytest.raises(MethodError, match="quick gradient method"):
            get_method(f"smoothgrad({name})")


@pytest.mark.parametrize("method", RULED)
def test_a_relu_is_a_relu_however_it_is_written(method: str) -> None:
    pixels = torch.rand((2, 3, 16, 16), dtype=torch.float64)
    maps = [
        computed(cw.wrap(Rectified(way).double(), plain()), pixels, method, 2)
        for way in Rectified.WAYS
    ]
    plainly = computed(cw.wrap(Rectified().double(), plain()), pixels, "saliency", 2)
    assert not torch.allclose(maps[0], plainly), "the rule must do something"
    for other in maps[1:]:
        agree(maps[0], other, 1e-12)


@pytest.mark.parametrize("method", RULED)
@pytest.mark.parametrize("architecture", ["efficientnet_b0", "mobilenet_v3_small", "convnext_tiny"])
def test_other_activations_are_refused_by_name(
    random_model: Callable[..., cw.VisionModel], architecture: str, method: str
) -> None:
    model = random_model(architecture)
    with pytest.raises(MethodError, match=r"SiLU|Hardswish|GELU.*saliency"):
        cw.explain(model, np.zeros((64, 64, 3), np.uint8), method=method)
    leaky = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(MethodError, match="LeakyReLU"):
        cw.explain(cw.wrap(leaky), np.zeros((32, 32, 3), np.uint8), method=method)


def test_a_forward_pass_beside_a_guided_one_sees_the_module_unchanged() -> None:
    """Another thread runs and differentiates the same module all the while, and always gets the same."""
    module = Rectified("inplace").double()
    model = cw.wrap(module, plain())
    pixels = torch.rand((1, 3, 24, 24), dtype=torch.float64)
    inputs = model.inputs(pixels)

    def once() -> tuple[torch.Tensor, torch.Tensor]:
        leaf = inputs.clone().requires_grad_()
        logits = module(leaf)
        return logits.detach(), torch.autograd.grad(logits[0, 1], leaf)[0]

    expected = once()
    wrong: list[str] = []
    seen = 0
    stop = threading.Event()

    def watch() -> None:
        nonlocal seen
        while not stop.is_set():
            logits, gradient = once()
            seen += 1
            if not torch.equal(logits, expected[0]) or not torch.equal(gradient, expected[1]):
                wrong.append("another answer")
            if any(map(has_hooks, (module.head, module.relu))):
                wrong.append("a hook on a module that nobody asked for")

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(60):
            for method in RULED:
                computed(model, pixels, method)
    finally:
        stop.set()
        watcher.join()
    assert seen > 10
    assert not wrong


def test_several_targets_at_the_input_equal_one_by_one() -> None:
    model = cw.wrap(Rectified(), plain())
    picture = np.random.default_rng(0).integers(0, 255, (24, 24, 3), np.uint8)
    methods = ["saliency", "guided-backprop", "gradcam"]
    together = cw.explain(model, picture, [0, 1, 2], methods)
    for exp in together:
        alone = cw.explain(model, picture, exp.target.index, exp.method)
        np.testing.assert_allclose(exp.raw, alone.raw, rtol=1e-5, atol=1e-8)
        assert exp.layer == ("input" if exp.method != "gradcam" else model.default_layer)
