"""Bytes kept by an autograd graph for its gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from .._compat.pytorch import saved_names
from .autograd_graph import graph_nodes

__all__ = ["graph_bytes"]


def graph_bytes(outputs: Iterable[torch.Tensor], besides: Iterable[torch.Tensor] = ()) -> int:
    """Return the bytes of some tensors, and of all that the graphs behind them have saved, each memory once.

    Args:
        outputs: where the graphs end.
        besides: whose memory does not count, such as a module's weights.
    """
    known = {_place(tensor) for tensor in besides}
    total = 0
    seen: set[Any] = set()
    # What is saved by a checkpoint (``torch.utils.checkpoint``) is computed when it is read: it is not kept, and with
    # hooks disabled reading it fails before anything is computed.
    with torch.autograd.graph.disable_saved_tensors_hooks("The size of a graph is being taken."):
        for output in outputs:
            found = [output]
            for node in graph_nodes(output, seen):
                found += _saved(node)
            for tensor in found:
                place = _place(tensor)
                if place not in known:
                    known.add(place)
                    total += tensor.untyped_storage().nbytes()
    return total


def _place(tensor: torch.Tensor) -> tuple[torch.device, int]:
    return tensor.device, tensor.untyped_storage().data_ptr()


def _saved(node: Any) -> list[torch.Tensor]:
    """The tensors that an operation has saved."""
    saved: list[Any] = []
    for name in saved_names(node.__class__):
        try:
            saved.append(getattr(node, name))
        except RuntimeError:  # it has been let go of, or is no tensor that is kept
            continue
    parts = [p for value in saved for p in (value if isinstance(value, (list, tuple)) else [value])]
    return [p for p in parts if isinstance(p, torch.Tensor) and p.layout == torch.strided]
