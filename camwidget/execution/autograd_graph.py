"""Activation functions and checkpoints in the autograd graph of a pass, and gradients of several scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch

from .._compat.pytorch import ACTIVATION_NODES, CHECKPOINT_NODE, is_rectifier, saved_tensors

__all__ = ["gradient_rows", "graph_nodes", "has_reentrant_checkpoint", "other_activations"]


def other_activations(outputs: Iterable[torch.Tensor]) -> tuple[bool, tuple[str, ...]]:
    """Find the activation functions in the graph of a module's outputs.

    Args:
        outputs: output tensors with graph.

    Returns:
        Whether there are rectifiers, and the names of the other activation functions.
    """
    nodes = [node for root in outputs for node in graph_nodes(root)]
    others = (n for n in nodes if n.name() in ACTIVATION_NODES and not _is_of_vectors(n))
    names = dict.fromkeys(ACTIVATION_NODES[n.name()] for n in others)
    return any(map(is_rectifier, nodes)), tuple(names)


def has_reentrant_checkpoint(outputs: Iterable[torch.Tensor]) -> bool:
    """Return whether a part that the outputs depend on is checkpointed with ``use_reentrant=True``.

    PyTorch gives no gradients inside such a part or before it, except those of ``backward()`` for all parameters.
    """
    return any(node.name() == CHECKPOINT_NODE for root in outputs for node in graph_nodes(root))


def _is_of_vectors(node: Any) -> bool:
    """Return whether an activation function was applied to vectors (N, C) rather than maps or tokens.

    Such activations keep their usual gradient, as in a recurrent decoder after the convolutions (guided Grad-CAM of a
    captioner, Selvaraju 2017, section 7.1).
    """
    return any(tensor.ndim <= 2 for tensor in saved_tensors(node))


def graph_nodes(root: torch.Tensor | Any, seen: set[Any] | None = None) -> Iterator[Any]:
    """Iterate over the graph nodes behind a tensor or from a node on, each once.

    Skips nodes in ``seen``, and adds the others to it.
    """
    seen = set() if seen is None else seen
    stack = [root.grad_fn if isinstance(root, torch.Tensor) else root]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        stack.extend(parent for parent, _ in node.next_functions)


def gradient_rows(
    scores: torch.Tensor, leaves: Sequence[torch.Tensor], *, retain_graph: bool = True
) -> list[Sequence[torch.Tensor | None]]:
    """Return the gradients of scores (n,) at tensors, one row of gradients a score, if possible by one batched pass.

    Args:
        scores: sums over the pictures, which do not mix.
        leaves: tensors in the graph. A gradient is None where no score, or this score, depends on the tensor.
        retain_graph: whether the graph is kept; False for a single score only.
    """
    if len(scores) > 1:
        try:
            batched = torch.autograd.grad(
                scores,
                leaves,
                torch.eye(len(scores), dtype=scores.dtype, device=scores.device),
                retain_graph=True,
                is_grads_batched=True,
                allow_unused=True,
            )
            return [[g if g is None else g[i] for g in batched] for i in range(len(scores))]
        except RuntimeError:
            pass  # an operation cannot be batched by vmap: compute one score at a time
    return [
        torch.autograd.grad(score, leaves, retain_graph=retain_graph, allow_unused=True)
        for score in scores
    ]
