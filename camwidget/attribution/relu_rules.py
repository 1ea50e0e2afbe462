"""Rules for backward passes through rectifiers: guided backpropagation and deconvnet.

Rectifiers are found in the autograd graph of a single pass, not among the modules. A ReLU may therefore be a module, a
function or in place, and the caller's modules stay unchanged.
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

#: (gradient at the input by the chain rule, gradient at the output) to the gradient at the input by the rule.
ReluRule: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def guided(inward: torch.Tensor, outward: torch.Tensor) -> torch.Tensor:
    """Guided backpropagation, Springenberg 2015, section 3.4: pass positive gradients through active ReLUs."""
    return inward.clamp(min=0)


def deconvolved(inward: torch.Tensor, outward: torch.Tensor) -> torch.Tensor:
    """Deconvnet, Zeiler and Fergus 2014, section 2.1: pass positive gradients, whether the ReLU was active or not."""
    return outward.clamp(min=0)


@contextmanager
def relu_rule(root: torch.Tensor, rule: ReluRule) -> Iterator[None]:
    """Apply a rule at each rectifier in backward passes from ``root`` within a ``with`` block."""

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
