"""Activation functions and checkpoints in the autograd graph of a pass, however the module writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch

__all__ = ["graph_nodes", "has_reentrant_checkpoint", "is_rectifier", "other_activations"]

#: Graph nodes of activation functions other than rectifiers. Gates (sigmoid, softmax) do not count.
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
    # A rectifier written by hand, or something else.
    "MaximumBackward0": "torch.maximum",
    "WhereBackward0": "torch.where",
}


def other_activations(outputs: Iterable[torch.Tensor]) -> tuple[bool, tuple[str, ...]]:
    """Find the activation functions in the graph of a module's outputs.

    Args:
        outputs: output tensors with graph.

    Returns:
        Whether there are rectifiers, and the names of the other activation functions.
    """
    nodes = [node for root in outputs for node in graph_nodes(root)]
    others = (n for n in nodes if n.name() in _OTHERS and not _is_of_vectors(n))
    return any(map(is_rectifier, nodes)), tuple(dict.fromkeys(_OTHERS[n.name()] for n in others))


def has_reentrant_checkpoint(outputs: Iterable[torch.Tensor]) -> bool:
    """Return whether a part that the outputs depend on is checkpointed with ``use_reentrant=True``.

    PyTorch gives no gradients inside such a part or before it, except those of ``backward()`` for all parameters.
    """
    return any(
        node.name() == "CheckpointFunctionBackward"
        for root in outputs
        for node in graph_nodes(root)
    )


def _is_of_vectors(node: Any) -> bool:
    """Return whether an activation function was applied to vectors (N, C) rather than maps or tokens.

    Such activations keep their usual gradient, as in a recurrent decoder after the convolutions (guided Grad-CAM of a
    captioner, Selvaraju 2017, section 7.1).
    """
    saved = (getattr(node, f"_saved_{name}", None) for name in ("result", "self", "condition"))
    return any(isinstance(tensor, torch.Tensor) and tensor.ndim <= 2 for tensor in saved)


def graph_nodes(root: torch.Tensor, seen: set[Any] | None = None) -> Iterator[Any]:
    """Iterate over the graph nodes behind a tensor, each once; skip nodes in ``seen``, and add the others to it."""
    seen = set() if seen is None else seen
    stack = [root.grad_fn]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        stack.extend(parent for parent, _ in node.next_functions)


def is_rectifier(node: Any) -> bool:
    """Return whether a node is ReLU, ReLU6 or an equivalent clamp, hardtanh or threshold at zero."""
    name = node.name()
    if name == "ReluBackward0":
        return True
    if name == "HardtanhBackward0":
        return bool(node._saved_min_val == 0)
    if name in ("ClampMinBackward0", "ClampBackward0", "ClampBackward1"):
        return bool(getattr(node, "_saved_min", None) == 0)
    return bool(name == "ThresholdBackward0" and node._saved_threshold == 0)
