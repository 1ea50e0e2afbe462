"""Networks that relevance methods support or refuse, and that these stay unchanged."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
import torchvision
from module_fingerprint import has_hooks
from torch import nn
from torch.nn import functional as nnF

import camwidget as cw
from camwidget import errors
from camwidget.attribution.methods import get_method
from camwidget.attribution.targets import ClassTarget, predicted_target
from camwidget.attribution.trace import Trace

pytestmark = pytest.mark.usefixtures("one_thread")

METHODS = ["lrp", "relevancecam", "excitation-backprop", "c-mwp"]
FOLLOWED = [
    *("alexnet", "vgg11", "vgg11_bn", "resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2"),
    *("squeezenet1_0", "squeezenet1_1", "googlenet", "inception_v3", "mobilenet_v2", "mnasnet0_5"),
    *("densenet121", "shufflenet_v2_x0_5", "regnet_x_400mf"),
]
#: Bottlenecks, grouped and wide, with one block a stage: the others would only cost time.
BOTTLENECKS = {
    "resnet50": {},
    "resnext50_32x4d": {"groups": 8, "width_per_group": 8},
    "wide_resnet50_2": {"width_per_group": 128},
}
#: Networks that LRP and Relevance-CAM follow, and the operation for which the others refuse them.
WITHOUT_RELU = {
    "mobilenet_v3_small": "hardswish",
    "efficientnet_b0": "silu",
    "convnext_tiny": "layer_norm",
    "regnet_y_400mf": "sigmoid",
    "vit_b_16": "layer_norm",
    "swin_t": "layer_norm",
    "maxvit_t": "gelu",
}


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    options = {}
    if name in ("googlenet", "inception_v3"):
        options = {"init_weights": False, "transform_input": True}
    if name == "maxvit_t":
        options = {"input_size": (64, 64), "partition_size": 2}
        return torchvision.models.MaxVit(
            stem_channels=16,
            block_channels=[16, 16],
            block_layers=[1, 1],
            head_dim=8,
            stochastic_depth_prob=0.0,
            num_classes=10,
            **options,
        ).eval()
    if name in BOTTLENECKS:
        resnet = torchvision.models.resnet
        module = resnet.ResNet(resnet.Bottleneck, [1, 1, 1, 1], 10, **BOTTLENECKS[name]).eval()
    else:
        module = torchvision.models.get_model(name, weights=None, **options).eval()
    if name.startswith("vgg"):
        module.avgpool = nn.AdaptiveAvgPool2d(1)
        module.classifier = nn.Sequential(nn.Linear(512, 64), nn.ReLU(True), nn.Linear(64, 10))
    for part in module.modules():  # random networks fade with depth: let them not
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
    return module


def side_of(name: str) -> int:
    return {"inception_v3": 96, "vit_b_16": 224}.get(name, 64)


@pytest.mark.parametrize("name", FOLLOWED)
def test_followed(name: str) -> None:
    side = side_of(name)
    model = cw.wrap(build(name), cw.Preprocess(side), name=name)
    pixels = torch.rand((2, 3, side, side), generator=torch.Generator().manual_seed(0))
    layers = [model.default_layer, model.layers[0].name]
    trace = Trace(model, pixels, layers)
    target = predicted_target(model, trace.logits)
    for method in METHODS:
        entry = get_method(method)
        for layer in layers[: 1 if entry.at_input else 2]:
            assert entry.reason(model, layer) is None
            maps = entry.compute(trace, target, layer)
            shape = (side, side) if entry.at_input else trace.activation(layer).shape[2:]
            assert maps.shape == (2, *shape)
            assert torch.isfinite(maps).all() and maps.abs().amax((1, 2)).min() > 0


@pytest.mark.parametrize("name", WITHOUT_RELU)
def test_networks_without_relu(name: str) -> None:
    """Excitation backprop is undefined in them, and says why."""
    reshape: Callable[[torch.Tensor], torch.Tensor] | None = None
    if name == "vit_b_16":
        module: nn.Module = torchvision.models.VisionTransformer(64, 16, 1, 2, 32, 64).eval()
        nn.init.normal_(module.heads.head.weight)  # which torchvision makes zero
        reshape = lambda x: x[:, 1:].mT.unflatten(2, (4, 4))  # noqa: E731
    else:
        module = build(name)
    model = cw.wrap(module, cw.Preprocess(64), name=name, reshape=reshape)
    for method in ("excitation-backprop", "c-mwp"):
        reason = get_method(method).reason(model, model.default_layer)
        assert reason is not None and WITHOUT_RELU[name] in reason and "'gradcam'" in reason
        with pytest.raises(errors.MethodError, match=WITHOUT_RELU[name]):
            cw.explain(model, torch.rand(3, 64, 64), method=method)
    pixels = torch.rand((2, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    trace = Trace(model, pixels, [model.default_layer])
    target = predicted_target(model, trace.logits)
    for method in ("lrp", "relevancecam"):
        for rule in ("attn", "cp"):
            entry = get_method(method, rule=rule)
            assert entry.reason(model, model.default_layer) is None
            maps = entry.compute(trace, target, model.default_layer)
            assert torch.isfinite(maps).all() and maps.abs().amax((1, 2)).min() > 0


def test_the_embedded_model(textures: cw.VisionModel) -> None:
    for method in METHODS:
        exp = cw.explain(textures, torch.rand(3, 96, 96), method=method)
        assert exp.saliency.max() == 1


# -- what must not be followed ----------------------------------------------------------------


class Odd(nn.Module):
    """A small network with something of the caller's in the middle."""

    def __init__(self, middle: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = nn.Conv2d(3, 6, 3, 2), nn.Conv2d(6, 6, 3, padding=1)
        self.head = nn.Linear(6, 4)
        self.middle = middle

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.middle(nnF.relu(self.one(x)))
        return self.head(nnF.relu(self.two(x)).mean((2, 3)))


class Hidden(torch.autograd.Function):
    """Computes without telling PyTorch, and has an opinion of its own on gradients."""

    @staticmethod
    def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:
        return gradient * 17


def gate(x: torch.Tensor) -> torch.Tensor:
    return x * nnF.relu(x.mean((2, 3), keepdim=True))


def write_into_a_part(x: torch.Tensor) -> torch.Tensor:
    nnF.relu_(x[:, :3].sub_(1))
    return x


REFUSALS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "mul": gate,
    "function with a gradient": Hidden.apply,
    "detach": lambda x: x + x.detach(),
    "data": lambda x: x + x.data,
    "matmul": lambda x: x @ x,
    "softmax": lambda x: x.softmax(1),
    "__rtruediv__": lambda x: 1 / (1 + x),
    "another shape": lambda x: x[:, :1] * torch.ones(6, 1, 1),
    "part": write_into_a_part,
    "dropout": lambda x: nnF.dropout(x, 0.5),
    "hardtanh": lambda x: nnF.hardtanh(x, 0.5, 1.0),
    "batch": lambda x: nnF.batch_norm(x, None, None, training=True),
    "mean over the batch": lambda x: x - x.mean(0),
    "sigmoid": lambda x: x + x.sigmoid(),
    "larger gate": lambda x: x.mean((2, 3), keepdim=True) * x.sigmoid(),
    "uses softmax": lambda x: (x @ x.mT).softmax(-1) + x,
}


@pytest.mark.parametrize("what", REFUSALS)
def test_no_map_rather_than_a_wrong_one(what: str) -> None:
    model = cw.wrap(Odd(REFUSALS[what]).eval(), cw.Preprocess(16), name="odd")
    for method in ("lrp", "c-mwp"):
        reason = get_method(method).reason(model, "one")
        assert reason is not None and (what in reason or method == "c-mwp")


HARMLESS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "plain": lambda x: x,
    "chunks": lambda x: torch.cat([*x.chunk(2, 1)], 1),
    "shape": lambda x: (
        x.permute(0, 2, 3, 1)
        .reshape(len(x), -1, 6)
        .unflatten(1, tuple(x.shape[2:]))
        .permute(0, 3, 1, 2)
        .contiguous()
    ),
    "zeros": lambda x: torch.cat([x, torch.zeros_like(x)], 1)[:, :6],
    "dropout": lambda x: nnF.dropout(x, 0.5, training=False),
    "scaled": lambda x: (x * 2) / 2,
    "no_grad": lambda x: torch.no_grad()(nnF.relu)(x),
    "in place, twice": lambda x: x.mul_(2).div_(2),
}


@pytest.mark.parametrize("what", HARMLESS)
@pytest.mark.parametrize("method", METHODS)
def test_ways_of_writing_the_same(what: str, method: str) -> None:
    maps = []
    for middle in (HARMLESS[what], HARMLESS["plain"]):
        model = cw.wrap(Odd(middle).eval().double(), cw.Preprocess(16), name="odd")
        trace = Trace(model, torch.rand((1, 3, 16, 16), generator=torch.manual_seed(1)), ["one"])
        maps.append(get_method(method).compute(trace, ClassTarget(1, ""), "one"))
    torch.testing.assert_close(*maps)
    assert maps[0].abs().max() > 0


def test_a_layer_beside_the_output_is_refused() -> None:
    class Beside(Odd):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = nnF.relu(self.one(x))
            self.two(y)
            return self.head(y.mean((2, 3)))

    model = cw.wrap(Beside(lambda x: x).eval(), cw.Preprocess(16), name="beside")
    with pytest.raises(errors.LayerError, match="does not depend on it"):
        cw.explain(model, torch.rand(3, 16, 16), method="excitation-backprop", layer="two")
    assert cw.explain(model, torch.rand(3, 16, 16), method="lrp", layer="two").raw.any()


def test_a_hook_that_changes_the_answer_is_noticed() -> None:
    module = Odd(lambda x: x).eval()
    model = cw.wrap(module, cw.Preprocess(16), name="odd")
    cw.explain(model, torch.rand(3, 16, 16), method="lrp")
    module.two.register_forward_hook(lambda part, args, output: output * 3 + 1)
    with pytest.raises(errors.MethodError, match="has other outputs"):
        cw.explain(model, torch.rand(3, 16, 16), method="lrp")


# -- and the caller's module stays as it is ----------------------------------------------------


def fingerprint(module: nn.Module) -> list[object]:
    return [
        [
            (k, v.detach().double().numpy().tobytes(), id(v))
            for k, v in module.state_dict(keep_vars=True).items()
        ],
        [
            (p.requires_grad, None if p.grad is None else p.grad.sum().item())
            for p in module.parameters()
        ],
        [(type(m), m.training, has_hooks(m)) for m in module.modules()],
        [dict(vars(m)).keys() for m in module.modules()],
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("method", METHODS)
def test_the_module_is_left_as_it_was(method: str, dtype: torch.dtype) -> None:
    class Net(Odd):
        def __init__(self) -> None:
            super().__init__(nn.Sequential(nn.BatchNorm2d(6), nn.ReLU(inplace=True)))

    module = Net().to(dtype)
    module(torch.rand(2, 3, 16, 16, dtype=dtype)).sum().backward()
    module.one.weight.requires_grad_(False)
    calls: list[object] = []
    module.two.register_forward_hook(lambda *args: calls.append(copy))
    before = fingerprint(module)
    model = cw.wrap(module, cw.Preprocess(16), name="net")
    with torch.inference_mode():
        exp = cw.explain(model, torch.rand(3, 16, 16), method=method, layer="one")
    assert exp.raw.any()
    with torch.no_grad(), pytest.raises(errors.TargetError):
        cw.explain(model, torch.rand(3, 16, 16), target=lambda z: z, method=method)
    after = fingerprint(module)
    for one, two in zip(before, after, strict=True):
        assert one == two
    assert module.training
