"""Passes of large pictures, in which freed memory goes back to the system on the way.

glibc's allocator keeps freed blocks below 32 MiB, which in the pass of a large picture are as much as half of it.
"""

from __future__ import annotations

from typing import Any

import torch

from ..execution.autograd_graph import graph_nodes
from ..models.vision_model import VisionModel
from ..runtime.caches import is_large, trim_heap

__all__ = ["trim_before_nodes", "trimming_hooks", "trims_in_pass"]


def trims_in_pass(pixels: torch.Tensor) -> bool:
    """Return whether a pass of pictures (N, C, H, W) gives memory back on the way: a large one on a CPU does."""
    return pixels.device.type == "cpu" and is_large(pixels[0])


def trimming_hooks(model: VisionModel, module: torch.nn.Module) -> dict[torch.nn.Module, Any]:
    """Return hooks that trim the heap behind each of the model's layers; ``module`` is what runs, such as a copy."""

    def trim(module: torch.nn.Module, args: Any, output: Any) -> None:
        trim_heap()

    layers = () if model.no_maps else model.layers
    return {module.get_submodule(layer.name): trim for layer in layers}


def trim_before_nodes(scores: torch.Tensor) -> None:
    """Trim the heap before each node of the graph behind some scores computes its gradient."""
    for node in graph_nodes(scores):
        node.register_prehook(_trim_before)


def _trim_before(gradients: Any) -> None:
    trim_heap()
