"""One copy of a module's structure for many passes: reused where nothing has changed, and never out of date."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from module_fingerprint import fingerprint, has_hooks
from torch import nn
from torch.utils.checkpoint import checkpoint

import camwidget as cw
from camwidget._compat.pytorch import cloned_tensors, version_of
from camwidget.execution import reused_copy

PICTURE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


class Net(nn.Module):
    """A small network with batch statistics, a list of numbers and a setting that its forward reads."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(8, 4)
        self.scales = [1.0, 1.0]
        self.setting = {"shift": 0.0}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.second(self.first(x)).mean((2, 3)) * self.scales[0] + self.setting["shift"]
        return self.head(x) * self.scales[1]


@pytest.fixture
def module() -> Net:
    return Net().eval()


@pytest.fixture
def model(module: Net) -> cw.VisionModel:
    return cw.wrap(module, cw.Preprocess(16), list("abcd"))


def used(model: cw.VisionModel) -> nn.Module:
    """The copy that a pass uses."""
    with model.isolated() as isolated:
        return isolated.module


def assert_right(model: cw.VisionModel, module: nn.Module) -> None:
    """A pass gives what the module itself computes in evaluation mode."""
    was = module.training
    inputs = model.inputs(model.pixels(PICTURE))
    with torch.no_grad():
        expected = copy.deepcopy(module).eval()(inputs)
    assert module.training is was
    torch.testing.assert_close(model.logits(model.pixels(PICTURE)), expected, rtol=0, atol=0)


def test_passes_use_one_copy(model: cw.VisionModel, module: Net) -> None:
    first = used(model)
    assert first is not module
    assert all(used(model) is first for _ in range(3))
    before = fingerprint(module)
    cw.explain(model, PICTURE, 1, ["gradcam", "cam", "layercam", "occlusion"])
    assert fingerprint(module) == before and not has_hooks(first)
    assert used(model) is first
    assert_right(model, module)


def in_place(module: Net) -> None:
    with torch.no_grad():
        module.head.weight.mul_(2)


def through_data(module: Net) -> None:
    module.head.bias.data = module.head.bias.data + 1


def buffer_through_data(module: Net) -> None:
    module.first[1].running_mean.data.add_(3)


def another_parameter(module: Net) -> None:
    module.head.weight = nn.Parameter(torch.ones(4, 8))


@pytest.mark.parametrize("change", [in_place, through_data, buffer_through_data, another_parameter])
def test_weights_are_the_present_ones(
    model: cw.VisionModel, module: Net, change: Callable[[Net], None]
) -> None:
    first = used(model)
    change(module)
    assert_right(model, module)
    assert used(model) is first, "only its tensors are others"


CHANGES: dict[str, Callable[[Net], Any]] = {
    "number in a list": lambda m: m.scales.__setitem__(1, 3.0),
    "number in a dictionary": lambda m: m.setting.update(shift=2.0),
    "another list": lambda m: setattr(m, "scales", [2.0, 1.0]),
    "another part": lambda m: m.second.__setitem__(1, nn.Tanh()),
    "one more part": lambda m: m.second.append(nn.Sigmoid()),
    "hook": lambda m: m.second.register_forward_hook(lambda *args: args[2] * 2),
    "training mode": lambda m: m.train(),
    "setting of a part": lambda m: setattr(m.first[1], "eps", 0.5),
    "buffer that is no more": lambda m: m.first[1].register_buffer("num_batches_tracked", None),
    "function of an object": lambda m: setattr(m.head, "forward", lambda x: x[:, :4]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_structure_is_seen(model: cw.VisionModel, module: Net, name: str) -> None:
    used(model)
    CHANGES[name](module)
    assert_right(model, module)
    module.eval()
    assert_right(model, module)


class Counting(Net):
    """Its forward writes into an attribute and a list."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []
        self.last = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(self.seen))
        self.last = len(self.seen)
        return super().forward(x) * len(self.seen)


def test_what_a_pass_has_changed_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    module = Counting().eval()
    model = cw.wrap(module, cw.Preprocess(16))
    recorded = []
    make = reused_copy.copied_parts
    monkeypatch.setattr(
        reused_copy, "copied_parts", lambda *args: recorded.append(1) or make(*args)
    )
    for _ in range(12):
        assert_right(model, module)
    assert module.seen == [] and module.last is None
    assert 0 < len(recorded) < 10, "looking for changes ends where there always are some"


def test_a_pass_within_a_pass_has_another_copy(model: cw.VisionModel) -> None:
    with model.isolated() as outer, model.isolated() as inner:
        assert outer.module is not inner.module
        inputs = model.inputs(model.pixels(PICTURE))
        with torch.no_grad():
            assert torch.equal(outer.run(inputs.clone()), inner.run(inputs.clone()))


def test_a_failed_pass_is_no_harm(model: cw.VisionModel, module: Net) -> None:
    def interrupted() -> None:
        with model.isolated() as isolated:
            isolated.module.extra = 1  # type: ignore[assignment]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not hasattr(used(model), "extra")
    assert_right(model, module)


def test_no_tensor_is_kept(model: cw.VisionModel, module: Net) -> None:
    """A module that has been moved, or given other weights, does not stay in memory."""
    with model.isolated() as isolated:
        alias = weakref.ref(isolated.module.head.weight)
        mean = weakref.ref(isolated.module.first[1].running_mean)
    del isolated
    gc.collect()
    assert alias() is None and mean() is None


def test_copies_of_many_tensors_are_apart() -> None:
    """Small ones of a shape are copied together: each has the values of its own, and a version counter of its own."""
    tensors = [torch.full((16,), float(n)) for n in range(3)]
    tensors += [torch.tensor(n) for n in range(3)]
    tensors += [torch.full((3,), 7.0), torch.full((3,), 8.0)]  # too short to be aligned in a row
    last = torch.rand(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    tensors += [last, last + 1, nn.Parameter(torch.ones(16)), torch.empty(0), torch.empty(0)]
    copies = cloned_tensors(tensors)
    for copied, tensor in zip(copies, tensors, strict=True):
        assert torch.equal(copied, tensor) and copied.stride() == tensor.stride()
        assert not copied.requires_grad
        assert tensor.ndim == 0 or copied.data_ptr() % 64 == 0
    versions = [version_of(copied) for copied in copies]
    copies[0].zero_()
    copies[3].add_(5)
    assert [float(t.flatten()[0]) for t in copies[:6]] == [0, 1, 2, 5, 1, 2]
    assert [float(t.flatten()[0]) for t in tensors[:6]] == [0, 1, 2, 0, 1, 2]
    changed = [n for n, copied in enumerate(copies) if version_of(copied) != versions[n]]
    assert changed == [0, 3]


def test_a_remembered_pass_is_not_affected_by_the_next(model: cw.VisionModel, module: Net) -> None:
    """The gradients and CAM's weights belong to the pass, whose copy other passes use meanwhile."""
    from camwidget.attribution.methods import get_method
    from camwidget.attribution.targets import resolve_target
    from camwidget.attribution.trace import Trace

    def maps(trace: Trace) -> list[torch.Tensor]:
        target = resolve_target(model, 2)
        return [get_method(n).compute(trace, target, "second") for n in ("cam", "gradcam")]

    trace = Trace(model, model.pixels(PICTURE), ["second"])
    expected = maps(Trace(model, model.pixels(PICTURE), ["second"]))
    model.logits(model.pixels(PICTURE[::-1].copy()))
    module.head.weight = nn.Parameter(torch.ones(4, 8))
    module.first[1].running_mean.add_(1)
    model.logits(model.pixels(PICTURE))
    for found, wanted in zip(maps(trace), expected, strict=True):
        assert torch.equal(found, wanted)


class Checkpointed(Net):
    """A part of it runs again when gradients are computed."""

    def __init__(self, of: str) -> None:
        super().__init__()
        self.of = of

    def body(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x).sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.of == "part":
            x = checkpoint(self.first, x, use_reentrant=False)
            x = checkpoint(self.second, x.sigmoid(), use_reentrant=False)
        else:
            body = self.body if self.of == "method" else lambda x: self.body(x)
            x = checkpoint(body, x, use_reentrant=False)
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize("of", ["method", "part", "closure"])
def test_a_copy_belongs_to_the_graph_that_runs_a_part_of_it_again(of: str) -> None:
    """Also where the module has other weights by then, and other passes have run."""
    from camwidget.attribution.targets import resolve_target
    from camwidget.attribution.trace import INPUT, Trace

    module = Checkpointed(of).eval()
    model = cw.wrap(module, cw.Preprocess(16))
    pixels, target = model.pixels(PICTURE), resolve_target(model, 1)
    inputs = model.inputs(pixels).requires_grad_()
    (expected,) = torch.autograd.grad(copy.deepcopy(module)(inputs)[0, 1], inputs)
    before = fingerprint(module)
    trace = Trace(model, pixels, [], with_input=True)
    assert fingerprint(module) == before
    module.second[0].weight = nn.Parameter(torch.ones(8, 6, 3, 3))
    model.logits(pixels)
    torch.testing.assert_close(trace.gradient(target, INPUT), expected)
    passes = [used(model) for _ in range(2)]
    assert passes[0] is passes[1], "passes without a graph use one copy"


def test_models_that_are_copied_or_sent_have_copies_of_their_own(model: cw.VisionModel) -> None:
    first = used(model)
    assert used(copy.deepcopy(model)) is not first
    assert used(pickle.loads(pickle.dumps(model))) is not first
    assert used(model) is first


class Recurrent(nn.Module):
    """A recurrent layer with dropout, whose parameters are also held in a list."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 3, stride=2)
        self.rows = nn.LSTM(6, 8, num_layers=2, dropout=0.5, batch_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.conv(x).relu()
        return self.head(self.rows(features.mean(3).transpose(1, 2))[0][:, -1])


@pytest.mark.parametrize("training", [False, True])
def test_a_recurrent_layer_runs_as_in_evaluation_mode(training: bool) -> None:
    """Its copy is in training mode, in which cuDNN has gradients, and without its dropout."""
    module = Recurrent().eval()
    model = cw.wrap(module, cw.Preprocess(16))
    module.train(training)
    before = fingerprint(module)
    assert_right(model, module)
    assert np.abs(cw.explain(model, PICTURE, 1, "gradcam", "conv").raw).max() > 0
    in_place(module)  # type: ignore[arg-type]
    assert_right(model, module)
    in_place(module)  # type: ignore[arg-type]
    before["state"]["head.weight"] = fingerprint(module)["state"]["head.weight"]  # type: ignore[index]
    assert fingerprint(module) == before
