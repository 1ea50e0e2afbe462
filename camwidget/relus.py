"""The rectifiers of a remembered pass, and backward passes that treat them otherwise.

They are found in autograd's graph of this one pass, not among the modules: whether a ReLU is a module, in place,
or a function makes no difference, and no module of the caller's is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch

from .outputs import tensors_of

__all__ = [
    "ReluRule",
    "deconvolved",
    "graph_nodes",
    "guided",
    "has_reentrant_checkpoint",
    "other_activations",
    "ruled",
]

#: (gradient at the input by the chain rule, gradient at the output) to the gradient handed on.
ReluRule: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

#: Nodes of activations that are no rectifiers. A gate (sigmoid, softmax) is no activation of a map.
_OTHERS = {
    "GeluBackward0": "GELU",
    "SiluBackward0": "SiLU",
    "HardswishBackward0": "Hardswish",
    "EluBackward0": "ELU",
    "LeakyReluBackward0": "LeakyReLU",
    "MishBackward0": "Mish",
    "SoftplusBackward0": "Softplus",
    "TanhBackward0": "Tanh",
    "PreluKernelBackward0": "PReLU",
    "CeluBackward0": "CELU",
    "RreluWithNoiseBackward0": "RReLU",
    # What may be a rectifier written by hand, or not.
    "MaximumBackward0": "torch.maximum",
    "WhereBackward0": "torch.where",
}


def guided(inward: torch.Tensor, outward: torch.Tensor) -> torch.Tensor:
    """Guided backpropagation, Springenberg 2015, section 3.4: the ReLU was on, and the gradient is positive."""
    return inward.clamp(min=0)


def deconvolved(inward: torch.Tensor, outward: torch.Tensor) -> torch.Tensor:
    """Deconvnet, Zeiler and Fergus 2014, section 2.1: the gradient is rectified, whatever the ReLU did."""
    return outward.clamp(min=0)


@contextmanager
def ruled(root: torch.Tensor, rule: ReluRule) -> Iterator[None]:
    """While open, backward passes from ``root`` through its graph obey ``rule`` at each rectifier."""

    def hook(grad_inputs: Any, grad_outputs: Any) -> Any:
        inward, outward = grad_inputs[0], grad_outputs[0]
        if inward is None or outward is None:
            return None
        return (rule(inward, outward), *grad_inputs[1:])

    handles: list[Any] = []
    try:
        handles += [node.register_hook(hook) for node in graph_nodes(root) if _is_rectifier(node)]
        yield
    finally:
        for handle in handles:
            handle.remove()


def other_activations(output: Any) -> tuple[bool, tuple[str, ...]]:
    """Whether there are rectifiers in the graph of a module's output, and which other activations there are."""
    nodes = [node for root in tensors_of(output) for node in graph_nodes(root)]
    others = (n for n in nodes if n.name() in _OTHERS and not _is_of_vectors(n))
    return any(map(_is_rectifier, nodes)), tuple(dict.fromkeys(_OTHERS[n.name()] for n in others))


def has_reentrant_checkpoint(output: Any) -> bool:
    """Whether a part that a module's output depends on is checkpointed with ``use_reentrant=True``.

    Through such a part nothing can be differentiated but the whole of the parameters.
    """
    return any(
        node.name() == "CheckpointFunctionBackward"
        for root in tensors_of(output)
        for node in graph_nodes(root)
    )


def _is_of_vectors(node: Any) -> bool:
    """Whether an activation is one of vectors (N, C), not of maps or tokens.

    Of these the gradient goes its usual way, as in a recurrent decoder after the convolutions (Selvaraju 2017,
    section 7.1, has guided Grad-CAM of a captioner).
    """
    saved = (getattr(node, f"_saved_{name}", None) for name in ("result", "self", "condition"))
    return any(isinstance(tensor, torch.Tensor) and tensor.ndim <= 2 for tensor in saved)


def graph_nodes(root: torch.Tensor, seen: set[Any] | None = None) -> Iterator[Any]:
    """The operations behind a tensor, each once; those in ``seen`` are left out, and the others are put into it."""
    seen = set() if seen is None else seen
    waiting = [root.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        waiting.extend(parent for parent, _ in node.next_functions)


def _is_rectifier(node: Any) -> bool:
    """ReLU and ReLU6, and what people write for them: clamp, hardtanh or threshold at zero."""
    name = node.name()
    if name == "ReluBackward0":
        return True
    if name == "HardtanhBackward0":
        return bool(node._saved_min_val == 0)
    if name in ("ClampMinBackward0", "ClampBackward0", "ClampBackward1"):
        return bool(getattr(node, "_saved_min", None) == 0)
    return bool(name == "ThresholdBackward0" and node._saved_threshold == 0)
