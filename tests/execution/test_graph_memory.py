"""Bytes that a stored pass keeps, compared with the known sizes of its tensors."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import camwidget as cw
from camwidget.attribution.targets import resolve_target
from camwidget.attribution.trace import LargeGraphError, Trace
from camwidget.execution.graph_memory import graph_bytes


def test_what_operations_have_saved() -> None:
    x = torch.rand(100, requires_grad=True)
    y = x.sin()  # saves x
    z = y.exp()  # saves its result
    assert graph_bytes([y]) == 800
    assert graph_bytes([z, y]) == 1200
    assert graph_bytes([z]) == 800, "nobody keeps y"
    assert graph_bytes([z], [x]) == 400
    assert graph_bytes([torch.rand(10)]) == 40


def test_a_function_of_ones_own() -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):  # type: ignore[no-untyped-def]
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):  # type: ignore[no-untyped-def]
            return 2 * ctx.saved_tensors[0] * grad

    x = torch.rand(100, requires_grad=True)
    assert graph_bytes([Square.apply(x)]) == 800


def test_what_a_checkpoint_would_compute_is_not_computed() -> None:
    runs = []

    def inside(x: torch.Tensor) -> torch.Tensor:
        runs.append(1)
        return x.sin().exp()

    x = torch.rand(100, requires_grad=True)
    y = checkpoint(inside, x, use_reentrant=False)
    assert graph_bytes([y]) == 400 and len(runs) == 1
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.allclose(gradient, x.cos() * x.sin().exp())


@pytest.mark.parametrize("layers", [["0", "1.0"], ["0", "1.0", "1.1", "2"]])
def test_a_layer_within_a_checkpoint(layers: list[str]) -> None:
    """Its hook measures the graph while the checkpoint's own hooks are active, as ``save_on_cpu``'s may be too."""

    class Checkpointed(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return checkpoint(super().forward, x, use_reentrant=False)

    torch.manual_seed(0)
    inside = Checkpointed(nn.Conv2d(8, 8, 3, padding=1), nn.Softplus())
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), inside, nn.Softplus(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    )  # fmt: skip
    model, maps = cw.wrap(net.eval(), cw.Preprocess(size=32)), 8 * 32 * 32 * 4
    pixels = torch.rand(1, 3, 32, 32)
    trace = Trace(model, pixels, layers, most_bytes=20 * maps)
    with torch.autograd.graph.save_on_cpu():
        assert len(layers) * maps <= trace.nbytes < (len(layers) + 1) * maps
    with pytest.raises(LargeGraphError, match="smaller picture"):
        Trace(model, pixels, layers, most_bytes=maps)


def test_a_graph_that_has_been_let_go_of() -> None:
    x = torch.rand(100, requires_grad=True)
    y = x.sin()
    y.sum().backward()
    assert graph_bytes([y]) == 400


@pytest.fixture(scope="module")
def model() -> cw.VisionModel:
    torch.manual_seed(0)
    parts = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()]
    net = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    return cw.wrap(net.eval(), cw.Preprocess(size=32))


def test_a_pass_weighs_what_it_keeps(model: cw.VisionModel) -> None:
    pixels = torch.rand(1, 3, 32, 32)
    maps = 8 * 32 * 32 * 4  # bytes of one layer's
    shallow, deep = (Trace(model, pixels, [layer]) for layer in ("0", "3"))
    assert 3 * maps <= shallow.nbytes < 3.1 * maps, "the layer, and what both rectifiers saved"
    assert maps <= deep.nbytes < 1.1 * maps
    before = deep.nbytes
    deep.store_gradients([resolve_target(model, n) for n in range(3)])
    assert 2.9 * maps <= deep.nbytes - before < 4 * maps
    deep.memory["masks"] = torch.zeros(1000)
    assert 4000 <= deep.nbytes - before - 3 * maps < 1.1 * maps
    none = Trace(model, pixels, [])
    assert none.nbytes < 100, "weights and pixels are others'"


def test_a_pass_that_would_be_too_large_is_given_up(model: cw.VisionModel) -> None:
    pixels, maps = torch.rand(1, 3, 32, 32), 8 * 32 * 32 * 4
    with pytest.raises(LargeGraphError, match="smaller picture"):
        Trace(model, pixels, ["0", "1", "2", "3"], most_bytes=2 * maps)
    assert Trace(model, pixels, ["0", "1", "2", "3"], most_bytes=20 * maps).logits.shape == (1, 4)
    assert Trace(model, pixels, ["3"], most_bytes=2 * maps).logits.shape == (1, 4)
