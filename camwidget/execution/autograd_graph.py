"""Activations and checkpoints found in autograd's graph of a pass, however they are written in the module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from .._compat.pytorch import ACTIVATION_NODES, CHECKPOINT_NODE, is_rectifier, saved_tensors

__all__ = ["graph_nodes", "has_reentrant_checkpoint", "other_activations"]


def other_activations(outputs: Iterable[torch.Tensor]) -> tuple[bool, tuple[str, ...]]:
    """Whether there are rectifiers in the graph of a module's outputs, and which other activations there are."""
    nodes = [node for root in outputs for node in graph_nodes(root)]
    others = (n for n in nodes if n.name() in ACTIVATION_NODES and not _is_of_vectors(n))
    names = dict.fromkeys(ACTIVATION_NODES[n.name()] for n in others)
    return any(map(is_rectifier, nodes)), tuple(names)


def has_reentrant_checkpoint(outputs: Iterable[torch.Tensor]) -> bool:
    """Whether a part that a module's outputs depend on is checkpointed with ``use_reentrant=True``.

    Through such a part nothing can be differentiated but the whole of the parameters.
    """
    return any(node.name() == CHECKPOINT_NODE for root in outputs for node in graph_nodes(root))


def _is_of_vectors(node: Any) -> bool:
    """Whether an activation is one of vectors (N, C), not of maps or tokens.

    Of these the gradient goes its usual way, as in a recurrent decoder after the convolutions (Selvaraju 2017,
    section 7.1, has guided Grad-CAM of a captioner).
    """
    return any(tensor.ndim <= 2 for tensor in saved_tensors(node))


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
