"""The state of a module differs after every change that predictions may depend on, and after nothing else."""

from __future__ import annotations

import gc
import weakref
from collections import deque
from collections.abc import Callable

import pytest
import torch
from torch import nn

from camwidget.execution.module_state import ModuleState


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.middle = nn.Sequential(nn.ReLU(), nn.BatchNorm2d(4))
        self.head = nn.Linear(4, 2)
        self.gain, self.offset = 2.0, torch.zeros(2)
        self.steps, self.last = [1.5, 2.5], deque([torch.ones(1)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gain * self.head(self.middle(self.stem(x)).mean((2, 3))) + self.offset


def halve(net: Net) -> None:
    with torch.no_grad():
        net.stem.weight.mul_(0.5)


CHANGES: dict[str, Callable[[Net], object]] = {
    "weights in place": halve,
    "other data": lambda net: setattr(net.stem.weight, "data", net.stem.weight.data + 1),
    "another parameter": lambda net: setattr(net.stem, "bias", nn.Parameter(torch.ones(4))),
    "a buffer": lambda net: net.middle[1].running_mean.add_(1),
    "a layer with weights": lambda net: setattr(net, "head", nn.Linear(4, 2)),
    "a layer without": lambda net: net.middle.__setitem__(0, nn.Tanh()),
    "one more layer": lambda net: net.middle.append(nn.ReLU()),
    "one layer less": lambda net: net.middle.pop(0),
    "a hook": lambda net: net.stem.register_forward_hook(lambda *args: None),
    "a hook before": lambda net: net.stem.register_forward_pre_hook(lambda *args: None),
    "forward": lambda net: setattr(net, "forward", lambda x: x.mean((2, 3))),
    "a setting of a layer": lambda net: setattr(net.stem, "stride", (2, 2)),
    "a number": lambda net: setattr(net, "gain", 3.0),
    "a tensor": lambda net: setattr(net, "offset", torch.ones(2)),
    "a tensor in place": lambda net: net.offset.add_(1),
    "an element of a list": lambda net: net.steps.__setitem__(0, 3.5),
    "an element of a deque": lambda net: net.last[0].add_(1),
    "one element more": lambda net: net.last.append(torch.ones(1)),
    "another attribute": lambda net: setattr(net, "mask", None),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_noticed(change: Callable[[Net], object]) -> None:
    net = Net().eval()
    before = ModuleState(net)
    assert ModuleState(net) == before and hash(ModuleState(net)) == hash(before)
    change(net)
    assert ModuleState(net) != before and ModuleState(net) == ModuleState(net)


def test_no_change_is_none() -> None:
    net = Net().eval()
    before = ModuleState(net)
    net(torch.rand(1, 3, 8, 8)).sum().backward()
    net.train()
    hook = net.stem.register_forward_hook(lambda *args: None)
    hook.remove()
    assert ModuleState(net) == before
    assert before != "a module"


def test_attributes_may_be_left_out() -> None:
    net = Net().eval()
    before = ModuleState(net, with_attributes=False)
    net.gain = 3.0
    assert ModuleState(net, with_attributes=False) == before
    halve(net)
    assert ModuleState(net, with_attributes=False) != before


def test_what_was_replaced_is_not_kept_in_memory() -> None:
    net = Net().eval()
    state = ModuleState(net)
    replaced = [weakref.ref(net.head), weakref.ref(net.head.weight), weakref.ref(net.offset)]
    net.head, net.offset = nn.Linear(4, 2), torch.ones(2)
    gc.collect()
    assert [one() for one in replaced] == [None] * 3
    assert ModuleState(net) != state
