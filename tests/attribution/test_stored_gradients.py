"""Gradients that a trace stores: computed once, equal to single passes, and errors where there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

import camwidget as cw
from camwidget.attribution.precision import check_precision, in_precision
from camwidget.attribution.relu_rules import guided
from camwidget.attribution.targets import resolve_target
from camwidget.attribution.trace import INPUT, Trace
from camwidget.errors import CamwidgetWarning, LayerError, MethodError


class Branches(nn.Module):
    """Two branches, each of which decides on a class of its own; of the third class one is evidence against."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.left = nn.Conv2d(3, 4, 3, padding=1)
        self.right = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = (part(x).relu().mean((1, 2, 3)) for part in (self.left, self.right))
        return 9 * torch.stack([left, right, left * right - right], 1)


@pytest.fixture(scope="module")
def model() -> cw.VisionModel:
    return cw.wrap(Branches(), classes=["left", "right", "both"], layers=["left", "right"])


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.rand((2, 3, 10, 12), generator=torch.Generator().manual_seed(1))


def targets(model: cw.VisionModel) -> list[Any]:
    return [resolve_target(model, number) for number in range(3)]


@pytest.fixture
def backward(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many scores each backward pass has."""
    counts: list[int] = []
    grad = torch.autograd.grad

    def counting(outputs: torch.Tensor, *args: Any, **settings: Any) -> Any:
        counts.append(outputs.numel())
        return grad(outputs, *args, **settings)

    monkeypatch.setattr(torch.autograd, "grad", counting)
    return counts


def test_activations_are_what_the_layers_gave(model: cw.VisionModel, pixels: torch.Tensor) -> None:
    trace = Trace(model, pixels, ["right", "left", "right"])
    assert trace.layers == ("right", "left") and trace.pixels is pixels
    with torch.no_grad():
        expected = model.module.left(model.inputs(pixels))
    torch.testing.assert_close(trace.activation("left"), expected)
    torch.testing.assert_close(trace.output("left"), expected)
    torch.testing.assert_close(trace.logits, model.logits(pixels))
    for tensor in (trace.activation("left"), trace.output("left"), trace.logits):
        assert not tensor.requires_grad


def test_the_input_is_a_layer_too(model: cw.VisionModel, pixels: torch.Tensor) -> None:
    trace = Trace(model, pixels, ["left"], with_input=True)
    inputs = model.inputs(pixels).requires_grad_()
    torch.testing.assert_close(trace.activation(INPUT), inputs.detach())
    score = model.module(inputs)[:, 2].sum()
    (expected,) = torch.autograd.grad(score, inputs)
    found = trace.gradient(targets(model)[2], INPUT)
    torch.testing.assert_close(found, expected)
    assert not found.requires_grad
    assert not torch.equal(trace.gradient(targets(model)[2], INPUT, guided), found)


def test_gradients_of_all_targets_and_layers_come_from_one_pass(
    model: cw.VisionModel, pixels: torch.Tensor, backward: list[int]
) -> None:
    trace, (left, right, both) = Trace(model, pixels, ["left", "right"]), targets(model)
    trace.store_gradients([both, left, both])
    assert backward == [2], "each target once"
    trace.store_gradients([left, both], ["right"])
    trace.gradient(left, "left")
    trace.gradient(both, "right")
    assert backward == [2], "nothing is computed again"
    trace.store_gradients([left, right])
    assert backward == [2, 1], "only what is new"
    for target in (left, right, both):
        alone = Trace(model, pixels, ["left", "right"])
        for layer in ("left", "right"):
            expected = alone.gradient(target, layer)
            torch.testing.assert_close(trace.gradient(target, layer), expected)
    before = len(backward)
    trace.store_gradients([])
    trace.store_gradients([left], [])
    assert len(backward) == before


def test_one_gradient_brings_those_at_the_other_layers(
    model: cw.VisionModel, pixels: torch.Tensor, backward: list[int]
) -> None:
    trace, both = Trace(model, pixels, ["left", "right"], with_input=True), targets(model)[2]
    assert not trace.has_gradient(both, "left")
    trace.gradient(both, "left")
    assert trace.has_gradient(both, "left") and trace.has_gradient(both, "right")
    assert not trace.has_gradient(targets(model)[0], "left") and backward == [1]
    assert not trace.has_gradient(both, INPUT), "which would be a pass through all of the model"
    trace.gradient(both, INPUT)
    assert trace.has_gradient(both, INPUT) and backward == [1, 1]
    trace.gradient(both, "left", guided)
    assert backward == [1, 1, 1], "a rule has gradients of its own"


def test_a_branch_that_does_not_lead_to_the_score(pixels: torch.Tensor) -> None:
    """Asked for alone, it is refused; beside a score that it leads to, it has no evidence."""

    class Apart(Branches):
        def forward(self, x: torch.Tensor) -> Any:
            maps = self.left(x).relu()
            return {"logits": 9 * maps.mean((2, 3)), "other": self.right(x).mean((1, 2, 3))}

    model = cw.wrap(Apart(), layers=["left"])
    left, other = resolve_target(model, 1), resolve_target(model, lambda out: out["other"])
    trace = Trace(model, pixels, ["left", "right"])
    name = model.classes[1]
    with pytest.raises(LayerError, match=f"'{name}' does not depend on layer 'right'"):
        trace.gradient(left, "right")
    assert not trace.has_gradient(left, "right") and trace.has_gradient(left, "left")
    together = Trace(model, pixels, ["left", "right"])
    together.store_gradients([left, other])
    for target, reached, not_reached in ((left, "left", "right"), (other, "right", "left")):
        none = together.gradient(target, not_reached)
        assert none.shape == together.activation(not_reached).shape and not none.any()
        assert together.gradient(target, reached).any()


def test_a_picture_that_the_score_cannot_be_differentiated_down_to(pixels: torch.Tensor) -> None:
    class Cut(Branches):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.detach())

    model = cw.wrap(Cut(), layers=["left"])
    trace = Trace(model, pixels, ["left"], with_input=True)
    with pytest.raises(MethodError, match="down to the picture.*layer behind it, or 'occlusion'"):
        trace.gradient(resolve_target(model, 0), INPUT)
    assert trace.gradient(resolve_target(model, 0), "left").any()


def test_what_was_not_asked_for_is_named(model: cw.VisionModel, pixels: torch.Tensor) -> None:
    trace = Trace(model, pixels, ["left"])
    with pytest.raises(LayerError, match=r"'right' was not requested for this trace \(left\)"):
        trace.activation("right")
    with pytest.raises(LayerError, match="'input' was not requested"):
        trace.gradient(targets(model)[0], INPUT)


def test_a_trace_apart_has_gradients_of_its_own(
    model: cw.VisionModel, pixels: torch.Tensor, backward: list[int]
) -> None:
    trace, both = Trace(model, pixels, ["left"]), targets(model)[2]
    gradient = trace.gradient(both, "left")
    other = trace.with_own_gradients()
    assert not other.has_gradient(both, "left") and trace.has_gradient(both, "left")
    assert other.logits is trace.logits and other.memory is trace.memory
    torch.testing.assert_close(other.gradient(both, "left"), gradient)
    assert backward == [1, 1]


@pytest.fixture
def passes(model: cw.VisionModel) -> Iterator[list[int]]:
    """The size of each batch that the model has run on."""
    sizes: list[int] = []

    def count(module: nn.Module, inputs: Any) -> None:
        sizes.append(len(inputs[0]))

    handle = model.module.register_forward_pre_hook(count)
    yield sizes
    handle.remove()


def test_a_graph_that_is_freed_early_gives_the_same_gradients(
    model: cw.VisionModel, pixels: torch.Tensor, passes: list[int]
) -> None:
    kept, trace = (Trace(model, pixels, ["left", "right"], trims=trims) for trims in (False, True))
    before = trace.nbytes
    trace.free_graph_early()
    assert trace.frees_graph and not kept.frees_graph
    passes.clear()
    activation = trace.activation("left").clone()
    for target in targets(model):
        for layer in ("left", "right"):
            assert torch.equal(trace.gradient(target, layer), kept.gradient(target, layer))
        assert torch.equal(trace.activation("left"), activation)
    assert len(passes) == 2, "the first target has the graph of the first pass"
    guided_one = trace.gradient(targets(model)[2], "left", guided)
    assert torch.equal(guided_one, kept.gradient(targets(model)[2], "left", guided))
    freed = trace.with_own_gradients()
    assert freed.nbytes < before, "what rectifiers saved is gone"
    assert torch.equal(
        freed.gradient(targets(model)[0], "left"), kept.gradient(targets(model)[0], "left")
    )
    freed.drop_gradients()
    freed.store_gradients(targets(model))
    for target in targets(model):
        torch.testing.assert_close(freed.gradient(target, "left"), kept.gradient(target, "left"))


def test_a_pass_without_a_graph_makes_one_for_its_first_gradient(
    model: cw.VisionModel, pixels: torch.Tensor, passes: list[int]
) -> None:
    usual = Trace(model, pixels, ["left", "right"])
    trace = Trace(model, pixels, ["left", "right"], with_graph=False)
    assert torch.equal(trace.activation("left"), usual.activation("left"))
    assert torch.equal(trace.logits, usual.logits)
    before = trace.nbytes
    assert before < usual.nbytes, "nothing is saved for gradients"
    passes.clear()
    for target in targets(model):
        for layer in ("left", "right"):
            assert torch.equal(trace.gradient(target, layer), usual.gradient(target, layer))
    assert len(passes) == 1
    assert torch.equal(trace.activation("left"), usual.activation("left"))
    trace.drop_gradients()
    assert trace.nbytes > before, "the graph that there is now counts"


class Following(nn.Module):
    """A layer, and an operation behind it."""

    def __init__(self, operation: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.head = nn.Conv2d(3, 6, 3), nn.Linear(6, 4)
        self.operation = operation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.operation(self.layer(x)).mean((2, 3)))


def without_autograd(x: torch.Tensor) -> torch.Tensor:
    """Writes into its input, which autograd does not see."""
    with torch.no_grad():
        x.clamp_(max=0.3)
    return x * 2


@pytest.mark.parametrize(
    ("operation", "runs"), [(torch.sigmoid, 1), (torch.relu_, 2), (without_autograd, 2)]
)
def test_only_what_is_written_into_is_copied_of_a_large_layer(
    operation: Callable[[torch.Tensor], torch.Tensor], runs: int, pixels: torch.Tensor
) -> None:
    """Where a pass trims the heap, the next operation gets the layer's output itself, unless it writes into it."""
    calls: list[int] = []
    module = Following(lambda x: calls.append(1) or operation(x))
    model = cw.wrap(module.eval(), layers=["layer"])
    target = resolve_target(model, 2)
    expected = Trace(model, pixels, ["layer"])
    calls.clear()
    for again in range(2):
        trace = Trace(model, pixels, ["layer"], trims=True)
        assert len(calls) == runs + again, "what was found out is remembered"
        assert torch.equal(trace.logits, expected.logits)
        assert torch.equal(trace.activation("layer"), expected.activation("layer"))
        assert torch.equal(trace.gradient(target, "layer"), expected.gradient(target, "layer"))


@pytest.mark.parametrize("trims", [True, False])
def test_the_heap_of_a_large_pass_is_trimmed_on_the_way(
    trims: bool, model: cw.VisionModel, pixels: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind each listed layer on the way there, and before each operation on the way back."""
    counted: list[int] = []
    monkeypatch.setattr("camwidget.attribution.trimmed_passes.trim_heap", lambda: counted.append(1))
    trace = Trace(model, pixels, ["left"], trims=trims)
    assert len(counted) == (len(model.layers) if trims else 0)
    trace.free_graph_early()
    counted.clear()
    trace.gradient(targets(model)[0], "left")
    assert len(counted) >= 5 if trims else not counted, "ReLU, mean, stack, factor and sum"


def test_a_graph_of_random_numbers_is_not_freed(pixels: torch.Tensor) -> None:
    class Random(Branches):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(nn.functional.dropout(x, 0.5))

    with pytest.warns(CamwidgetWarning, match="draws random numbers"):
        model = cw.wrap(Random(), layers=["left", "right"])
    trace = Trace(model, pixels, ["left"])
    trace.free_graph_early()
    assert not trace.frees_graph
    trace.store_gradients([resolve_target(model, n) for n in range(2)])


def test_a_module_that_returns_more_than_its_logits(pixels: torch.Tensor) -> None:
    class Both(Branches):
        def forward(self, x: torch.Tensor) -> Any:
            return {"logits": super().forward(x), "mean": x.mean((1, 2, 3))}

    plain, more = cw.wrap(Branches(), layers=["left"]), cw.wrap(Both(), layers=["left"])
    assert Trace(plain, pixels, ["left"]).is_plain
    trace = Trace(more, pixels, ["left"], with_input=True)
    assert not trace.is_plain
    target = resolve_target(more, lambda out: out["mean"])
    expected = torch.full_like(pixels, 1 / pixels[0].numel())
    torch.testing.assert_close(trace.gradient(target, INPUT), expected)


@pytest.mark.parametrize(
    ("dtype", "widened"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_half_precision_is_widened(
    pixels: torch.Tensor, dtype: torch.dtype, widened: torch.dtype
) -> None:
    model = cw.wrap(Branches().to(dtype), layers=["left"])
    trace = Trace(model, pixels, ["left"], with_input=True)
    target = resolve_target(model, 2)
    for tensor in (
        trace.logits,
        trace.activation("left"),
        trace.gradient(target, "left"),
        trace.gradient(target, INPUT),
    ):
        assert tensor.dtype == widened
    assert trace.output("left").dtype == dtype


def test_precisions() -> None:
    device = torch.device("cpu")
    for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16)):
        check_precision(name)
        with in_precision(name, device):
            assert torch.is_autocast_enabled("cpu")
            assert torch.get_autocast_dtype("cpu") == dtype
    with torch.autocast("cpu", torch.bfloat16), in_precision("fp32", device):
        assert not torch.is_autocast_enabled("cpu")
    for bad in ("fp8", "", None, 16, ["fp32"]):
        with pytest.raises(MethodError, match="no precision .*'fp32', 'bf16', 'fp16'"):
            check_precision(bad)


def test_a_layer_of_a_single_cell_is_no_map() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 4, 8, stride=8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )
    model = cw.wrap(module, layers=["0"])
    trace = Trace(model, torch.rand(1, 3, 8, 9), ["0"])
    with pytest.raises(LayerError, match="single cell, no map, for a picture of 9×8"):
        trace.activation("0")
