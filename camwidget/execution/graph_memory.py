"""Memory of an autograd graph: the bytes that it keeps for gradients."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import torch

from .._compat.pytorch import saved_names
from .autograd_graph import graph_nodes

__all__ = ["graph_bytes"]


def graph_bytes(outputs: Iterable[torch.Tensor], excluded: Iterable[torch.Tensor] = ()) -> int:
    """Return the size in bytes of some tensors and of all tensors saved in the graphs behind them.

    Within hooks on saved tensors (in a checkpoint, or ``save_on_cpu``), where they cannot be read, only the tensors
    themselves count.

    Args:
        outputs: output tensors of the graphs.
        excluded: tensors whose memory does not count, such as a module's weights.

    Returns:
        Number of bytes; memory that several tensors share counts once.
    """
    counted = {_storage_key(tensor) for tensor in excluded}
    total = 0
    seen: set[Any] = set()
    with contextlib.ExitStack() as stack:
        # Tensors of a checkpoint (``torch.utils.checkpoint``) are computed when they are read: they take no memory, and
        # with hooks disabled reading them fails before anything is computed.
        off = torch.autograd.graph.disable_saved_tensors_hooks("The size of a graph is measured.")
        try:
            stack.enter_context(off)
            is_readable = True
        except RuntimeError:  # hooks are active
            is_readable = False
        for output in outputs:
            found = [output]
            for node in graph_nodes(output, seen) if is_readable else ():
                found += _saved(node)
            for tensor in found:
                key = _storage_key(tensor)
                if key not in counted:
                    counted.add(key)
                    total += tensor.untyped_storage().nbytes()
    return total


def _storage_key(tensor: torch.Tensor) -> tuple[torch.device, int]:
    return tensor.device, tensor.untyped_storage().data_ptr()


def _saved(node: Any) -> list[torch.Tensor]:
    """Return the tensors that a graph node has saved."""
    saved: list[Any] = []
    for name in saved_names(node.__class__):
        try:
            saved.append(getattr(node, name))
        except RuntimeError:  # already freed, or computed by a checkpoint
            continue
    parts = [p for value in saved for p in (value if isinstance(value, (list, tuple)) else [value])]
    return [p for p in parts if isinstance(p, torch.Tensor) and p.layout == torch.strided]
