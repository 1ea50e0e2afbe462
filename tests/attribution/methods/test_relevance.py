"""Relevance methods, compared with conservation laws, with zennit, and with slow transcriptions of the equations."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as nnF

import camwidget as cw
from camwidget import errors
from camwidget.attribution.methods import get_method
from camwidget.attribution.relevance import supported_layers
from camwidget.attribution.relevance.rules import STABILIZER
from camwidget.attribution.targets import (
    ClassTarget,
    FunctionTarget,
    PerPictureTarget,
    predicted_target,
)
from camwidget.attribution.trace import Trace

pytestmark = pytest.mark.usefixtures("one_thread")

METHODS = ["lrp", "relevancecam", "excitation-backprop", "c-mwp"]


def network(name: str, *, biased: bool = False, seed: int = 0) -> nn.Module:
    """A torchvision network in float64; without biases, or with what training leaves in BatchNorm."""
    torch.manual_seed(seed)
    options = {"init_weights": False} if name == "googlenet" else {}
    module = torchvision.models.get_model(name, weights=None, num_classes=20, **options)
    if name.startswith(
        "vgg"
    ):  # its dense layers are slow in float64, and the equations do not know the width
        module.avgpool = nn.AdaptiveAvgPool2d(2)
        module.classifier = nn.Sequential(
            nn.Linear(2048, 64), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(64, 20)
        )
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d) and biased:
            # zennit's merging leaves a division by √(1 + ε) behind, so that ε = 1e-5 would be a difference of 5e-5.
            part.eps = 0.0
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.5, 1.5)
            nn.init.normal_(part.weight, 1, 0.3)
            nn.init.normal_(part.bias, 0, 0.2)
        elif getattr(part, "bias", None) is not None and not biased:
            nn.init.zeros_(part.bias)
    return module.eval().double()


def wrapped(module: nn.Module, side: int = 64) -> cw.VisionModel:
    return cw.wrap(module, cw.Preprocess(side, mean=(0.45,) * 3, std=(0.25,) * 3), name="net")


def pictures(count: int = 2, side: int = 64) -> torch.Tensor:
    return torch.rand((count, 3, side, side), generator=torch.Generator().manual_seed(3))


def compute(
    model: cw.VisionModel, method: str, layer: str, target: object = None, pixels: object = None
) -> torch.Tensor:
    trace = Trace(model, pictures() if pixels is None else pixels, [layer])  # type: ignore[arg-type]
    chosen = predicted_target(model, trace.logits) if target is None else target
    entry = get_method(method)
    entry.check(model, layer)
    return entry.compute(trace, chosen, layer)  # type: ignore[arg-type]


def agree(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float = 1e-9) -> None:
    assert theirs.abs().max() > 0, "the oracle's map is empty: the comparison would prove nothing"
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max()


# -- conservation -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "vgg11", "vgg11_bn", "squeezenet1_1", "googlenet"])
def test_lrp_hands_out_the_score(name: str) -> None:
    """Bach, eq. 2, in float64 and without biases: to 1e-6 of the score."""
    model = wrapped(network(name))
    trace = Trace(model, pictures(), [model.default_layer])
    target = predicted_target(model, trace.logits)
    total = get_method("lrp").compute(trace, target, model.default_layer).sum((1, 2))
    torch.testing.assert_close(total, target.score(trace.logits), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    "name",
    ["resnet18", "vgg11", "squeezenet1_1", "mobilenet_v2", "googlenet", "densenet121"],
)
def test_winning_probabilities_sum_to_one(name: str) -> None:
    model = wrapped(network(name))
    one = pictures(1)
    for layer in (model.layers[0].name, model.default_layer):
        winning = compute(model, "excitation-backprop", layer, pixels=one)
        assert (winning >= 0).all()
        torch.testing.assert_close(winning.sum((1, 2)), torch.ones(1).double(), rtol=1e-6, atol=0)
        if name != "squeezenet1_1":  # where the dual is silent, it has no winner
            contrast = compute(model, "c-mwp", layer, pixels=one)
            assert contrast.abs().max() > 0
            assert (contrast.sum((1, 2)).abs() < 1e-6).all()


# -- zennit by itself ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn", "vgg11"])
def test_lrp_equals_zennit(name: str) -> None:
    """Its own canonizer, composite and hooks on its own copy, BatchNorm with all it may hold."""
    from zennit.attribution import Gradient
    from zennit.composites import EpsilonPlusFlat
    from zennit.torchvision import ResNetCanonizer, VGGCanonizer

    module = network(name, biased=True)
    model = wrapped(module)
    index = 7
    ours = compute(model, "lrp", model.default_layer, ClassTarget(index, "x"))
    canonizer = ResNetCanonizer() if name == "resnet18" else VGGCanonizer()
    composite = EpsilonPlusFlat(epsilon=STABILIZER, stabilizer=STABILIZER, canonizers=[canonizer])
    inputs = model.inputs(pictures()).requires_grad_()

    def start(logits: torch.Tensor) -> torch.Tensor:
        return logits.detach() * torch.eye(20, dtype=logits.dtype)[index]

    with Gradient(model=module, composite=composite) as attributor:
        _, theirs = attributor(inputs, start)
    agree(ours, theirs.sum(1))


@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn"])
def test_excitation_equals_zennit(name: str) -> None:
    """At the layer that both can read, sums shared by positive contributions as the paper's eq. 3 has it."""
    from zennit.attribution import Gradient
    from zennit.composites import ExcitationBackprop
    from zennit.core import BasicHook
    from zennit.layer import Sum
    from zennit.rules import NoMod
    from zennit.torchvision import ResNetCanonizer, VGGCanonizer

    module = network(name, biased=True)
    model = wrapped(module)
    layer = "layer2" if name == "resnet18" else "features.13"
    ours = compute(model, "excitation-backprop", layer, ClassTarget(4, "x"))
    positive = BasicHook(
        input_modifiers=[lambda x: x.clamp(min=0)],
        param_modifiers=[NoMod(param_keys=[])],
        output_modifiers=[lambda z: z],
        gradient_mapper=lambda r, z: r / (z[0] + STABILIZER),
        reducer=lambda x, g: x[0] * g[0],
    )
    composite = ExcitationBackprop(
        stabilizer=STABILIZER,
        zero_params=["bias"],
        layer_map=[(Sum, positive)],
        canonizers=[ResNetCanonizer() if name == "resnet18" else VGGCanonizer()],
    )
    kept: list[torch.Tensor] = []

    def keep(part: nn.Module, args: object, output: torch.Tensor) -> torch.Tensor:
        kept.append(output)
        return output.clone()

    with Gradient(model=module, composite=composite), composite.context(module) as hooked:
        handle = module.get_submodule(layer).register_forward_hook(keep)
        logits = hooked(model.inputs(pictures()).requires_grad_())
        handle.remove()
        start = torch.eye(20).double()[4].expand_as(logits)
        (theirs,) = torch.autograd.grad(logits, kept[0], start)
    agree(ours, theirs.sum(1))


# -- slow transcriptions --------------------------------------------------------------------------


class Small(nn.Module):
    """conv, ReLU, conv, ReLU, mean, linear: with biases, and small enough for loops."""

    def __init__(self, kind: str = "module") -> None:
        super().__init__()
        torch.manual_seed(1)
        self.kind = kind
        self.one = nn.Conv2d(3, 4, 3, 2, bias=True)
        self.two = nn.Conv2d(4, 5, 3, 1, padding=1)
        self.act = nn.ReLU(inplace=kind == "in place")
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(5, 4)

    def rectify(self, x: torch.Tensor) -> torch.Tensor:
        if self.kind == "function":
            return nnF.relu(x)
        if self.kind == "method":
            return x.clamp(min=0)
        if self.kind == "forgotten":  # the result of the in-place call is not even looked at
            nnF.relu(x, inplace=True)
            return x
        return self.act(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.rectify(self.two(self.rectify(self.one(x))))
        return self.head(x.mean((2, 3)) if self.kind == "function" else self.pool(x).flatten(1))


def small_model(kind: str = "module") -> cw.VisionModel:
    return wrapped(Small(kind).double().eval(), 11)


def matrix_of_two(module: Small, size: int) -> torch.Tensor:
    """The second convolution as a matrix (outputs, inputs), from the images of unit vectors."""
    units = torch.eye(4 * size * size).double().reshape(-1, 4, size, size)
    return nnF.conv2d(units, module.two.weight, padding=1).flatten(1).T.detach()


def hand_down(weights: torch.Tensor, below: torch.Tensor, above: torch.Tensor) -> torch.Tensor:
    """Zhang et al., eqs. 2 and 3, unit by unit; Bach's z+ is the same sum."""
    received = torch.zeros_like(below)
    for i, probability in enumerate(above):
        excitatory = torch.where(weights[i] >= 0, weights[i] * below, 0)
        if excitatory.sum() > 0:
            received += excitatory / excitatory.sum() * probability
    return received


@pytest.fixture(scope="module")
def small() -> tuple[cw.VisionModel, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]]:
    """A small model, and the slow way from (start at the logits, head's weights) to channels at ``one``'s ReLU."""
    model = small_model("function")
    module = model.module
    inputs = model.inputs(pictures(1, 11))
    with torch.no_grad():
        first = module.one(inputs).relu()
        second = module.two(first).relu()
    size = first.shape[-1]
    matrix = matrix_of_two(module, size)

    def down(start: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
        pooled = hand_down(head.detach(), second.mean((2, 3))[0], start)
        share = second[0] / second[0].sum((1, 2), keepdim=True).clamp(min=1e-300)
        at_second = (share * pooled[:, None, None]).flatten()
        return hand_down(matrix, first.flatten(), at_second).reshape(first.shape[1:])

    return model, down


def test_excitation_and_contrast_equal_the_equations(small: tuple) -> None:
    model, down = small
    head = model.module.head.weight
    start = torch.eye(4).double()[2]
    target = ClassTarget(2, "x")
    winning = compute(model, "excitation-backprop", "one", target, pictures(1, 11))
    agree(winning[0], down(start, head).sum(0))
    contrast = compute(model, "c-mwp", "one", target, pictures(1, 11))
    agree(contrast[0], (down(start, head) - down(start, -head)).sum(0))


@pytest.mark.parametrize("index", range(4))
def test_relevance_cam_equals_the_equations(small: tuple, index: int) -> None:
    model, down = small
    trace = Trace(model, pictures(1, 11), ["one"])
    own = trace.logits[0, index].abs()
    start = torch.full((4,), -1.0).double() * own / 4
    start[index] = own
    weights = down(start, model.module.head.weight).sum((1, 2))
    theirs = (weights[:, None, None] * trace.activation("one")[0]).sum(0)
    agree(get_method("relevancecam").compute(trace, ClassTarget(index, "x"), "one")[0], theirs)


@pytest.mark.parametrize("kind", ["function", "in place", "method", "forgotten"])
@pytest.mark.parametrize("method", METHODS)
def test_how_a_relu_is_written_does_not_matter(kind: str, method: str) -> None:
    agree(
        compute(small_model(kind), method, "one", pixels=pictures(2, 11)),
        compute(small_model(), method, "one", pixels=pictures(2, 11)),
    )


# -- targets, batches, randomization ------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["lrp", *(pytest.param(name, marks=pytest.mark.full) for name in METHODS[1:])]
)
def test_a_batch_is_its_pictures_each_with_its_class(method: str) -> None:
    model = wrapped(network("resnet18", biased=True))
    each = PerPictureTarget((ClassTarget(3, "3"), ClassTarget(11, "11")))
    both = compute(model, method, "layer3", each)
    for n, target in enumerate(each.targets):
        agree(both[n], compute(model, method, "layer3", target, pictures()[n : n + 1])[0])


@pytest.mark.full
def test_a_contrast_is_the_difference_of_its_terms() -> None:
    model, one = wrapped(network("resnet18", biased=True)), pictures(1)
    contrast = FunctionTarget(lambda z: z[:, 3] - z[:, 5], "3 rather than 5")
    for method in ("lrp", "relevancecam"):
        apart = [compute(model, method, "layer3", ClassTarget(i, ""), one) for i in (3, 5)]
        agree(compute(model, method, "layer3", contrast, one), apart[0] - apart[1])
    falling = FunctionTarget(lambda z: 2 * z[:, 3] - z[:, 5], "twice 3 rather than 5")
    for method in ("excitation-backprop", "c-mwp"):
        for refused in (contrast, falling):
            with pytest.raises(errors.MethodError, match="'lrp' or 'gradcam'"):
                compute(model, method, "layer3", refused, one)
        together = FunctionTarget(lambda z: z[:, 3] + z[:, 5], "3 or 5")
        apart = [compute(model, method, "layer3", ClassTarget(i, ""), one) for i in (3, 5)]
        agree(compute(model, method, "layer3", together, one), (apart[0] + apart[1]) / 2)
    for wrong in (lambda z: z, lambda z: z.detach()[:, 0]):
        with pytest.raises(errors.TargetError):
            compute(model, "lrp", "layer3", FunctionTarget(wrong, "wrong"), one)


@pytest.mark.full
@pytest.mark.parametrize("method", METHODS)
def test_other_weights_have_another_map(method: str) -> None:
    """Sanity check of Adebayo et al. 2018. Much of these maps is the picture's, but not nearly all."""
    one, two = (
        compute(wrapped(network("resnet18", seed=s)), method, "layer2", ClassTarget(1, ""))
        for s in (0, 1)
    )
    one, two = one / one.abs().max(), two / two.abs().max()
    assert (one - two).abs().max() > 0.1


def test_what_was_trained_since_counts() -> None:
    module = network("resnet18")
    model = wrapped(module)
    before = compute(model, "lrp", "layer4", ClassTarget(1, ""))
    with torch.no_grad():
        module.fc.weight.neg_()
    agree(compute(model, "lrp", "layer4", ClassTarget(1, "")), -before, 1e-6)


# -- real photographs --------------------------------------------------------------------------


@pytest.mark.real
def test_the_contrast_finds_the_dog(real_model: cw.VisionModel, real_folder: Path) -> None:
    """There is no box for misc_both.jpg: seen by eye, the dog's head is in x 60 to 150, y 15 to 115 of 224."""
    path = real_folder / "images" / "misc_both.jpg"
    for layer in ("features.12", "features.9"):
        exp = cw.explain(real_model, path, target=243, method="c-mwp", layer=layer)
        y, x = divmod(int(exp.saliency.argmax()), 224)
        assert 60 <= x <= 150 and 15 <= y <= 115
        assert abs(exp.raw.sum()) < 1e-4


def test_two_threads_ask_whether_it_applies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither waits for the other's passes, which may need what it holds; both hear the same."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    model = cw.wrap(module, cw.Preprocess(16))
    barrier = threading.Barrier(2)
    judged: list[supported_layers.Reach] = []

    def judge(_: cw.VisionModel) -> supported_layers.Reach:
        barrier.wait(60)  # both are here at once
        judged.append(supported_layers.Reach(frozenset({"0", str(len(judged))})))
        return judged[-1]

    monkeypatch.setattr(supported_layers, "_find_reach", judge)
    threads = [
        threading.Thread(target=supported_layers.reason_at_layer, args=(model, "0"))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert len(judged) == 2 and supported_layers._reaches[model] in judged
    assert supported_layers.reason_at_layer(model, "0") is None and len(judged) == 2, (
        "it is remembered"
    )
