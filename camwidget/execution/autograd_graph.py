"""Activations and checkpoints found in autograd's graph of a pass, however they are written in the module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch

__all__ = ["graph_nodes", "has_reentrant_checkpoint", "is_rectifier", "other_activations"]

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


def other_activations(outputs: Iterable[torch.Tensor]) -> tuple[bool, tuple[str, ...]]:
    """Whether there are rectifiers in the graph of a module's outputs, and which other activations there are."""
    nodes = [node for root in outputs for node in graph_nodes(root)]
    others = (n for n in nodes if n.name() in _OTHERS and not _is_of_vectors(n))
    return any(map(is_rectifier, nodes)), tuple(dict.fromkeys(_OTHERS[n.name()] for n in others))


def has_reentrant_checkpoint(outputs: Iterable[torch.Tensor]) -> bool:
    """Whether a part that a module's outputs depend on is checkpointed with ``use_reentrant=True``.

    Through such a part nothing can be differentiated but the whole of the parameters.
    """
    return any(
        node.name() == "CheckpointFunctionBackward"
        for root in outputs
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


def is_rectifier(node: Any) -> bool:
    """ReLU and ReLU6, and what people write for them: clamp, hardtanh or threshold at zero."""
    name = node.name()
    if name == "ReluBackward0":
        return True
    if name == "HardtanhBackward0":
        return bool(node._saved_min_val == 0)
    if name in ("ClampMinBackward0", "ClampBackward0", "ClampBackward1"):
        return bool(getattr(node, "_saved_min", None) == 0)
    return bool(name == "ThresholdBackward0" and node._saved_threshold == 0)
