"""Backward passes with other rules at rectifiers: guided backpropagation and deconvnet.

They are found in autograd's graph of this one pass, not among the modules: whether a ReLU is a module, in place,
or a function makes no difference, and no module of the caller's is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch

from .._compat.pytorch import is_rectifier
from ..execution.autograd_graph import graph_nodes

__all__ = [
    "ReluRule",
    "deconvolved",
    "guided",
    "relu_rule",
]

#: (gradient at the input by the chain rule, gradient at the output) to the gradient handed on.
ReluRule: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def guided(inward: torch.Tensor, outward: torch.Tensor) -> torch.Tensor:
    """Guided backpropagation, Springenberg 2015, section 3.4: the ReLU was on, and the gradient is positive."""
    return inward.clamp(min=0)


def deconvolved(inward: torch.Tensor, outward: torch.Tensor) -> torch.Tensor:
    """Deconvnet, Zeiler and Fergus 2014, section 2.1: the gradient is rectified, whatever the ReLU did."""
    return outward.clamp(min=0)


@contextmanager
def relu_rule(root: torch.Tensor, rule: ReluRule) -> Iterator[None]:
    """While open, backward passes from ``root`` through its graph obey ``rule`` at each rectifier."""

    def hook(grad_inputs: Any, grad_outputs: Any) -> Any:
        inward, outward = grad_inputs[0], grad_outputs[0]
        if inward is None or outward is None:
            return None
        return (rule(inward, outward), *grad_inputs[1:])

    handles: list[Any] = []
    try:
        handles += [node.register_hook(hook) for node in graph_nodes(root) if is_rectifier(node)]
        yield
    finally:
        for handle in handles:
            handle.remove()
