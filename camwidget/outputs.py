"""What a module returns, and where in it the logits are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

__all__ = ["describe_output", "find_logits", "is_plain", "tensors_of"]

#: Names under which models return their class scores, most telling first.
_KEYS = ("logits", "out", "scores", "pred", "prediction")


def find_logits(output: Any, count: int) -> torch.Tensor | None:
    """The logits (N, classes) in whatever a module returned for N pictures, or None.

    Args:
        output: a tensor (N, classes), (N,), or (N, classes, h, w), whose mean over the places is taken; or a
            mapping, tuple, list, or object with a ``logits`` attribute that holds one.
        count: N.
    """
    if isinstance(output, torch.Tensor):
        return _as_logits(output, count)
    if isinstance(output, Mapping):
        known = [output[k] for k in _KEYS if k in output]
        candidates = [*known, *output.values()]
    elif hasattr(output, "logits"):
        candidates = [output.logits]
    elif isinstance(output, (tuple, list)):
        candidates = list(output)
    else:
        candidates = []
    for candidate in candidates:
        if isinstance(candidate, torch.Tensor):
            logits = _as_logits(candidate, count)
            if logits is not None:
                return logits
    return None


def is_plain(output: Any) -> bool:
    """Whether a module's output is its logits and nothing else."""
    return isinstance(output, torch.Tensor) and output.ndim == 2


def tensors_of(output: Any) -> Iterator[torch.Tensor]:
    """Every tensor in an output, however nested."""
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from tensors_of(value)
    elif isinstance(output, (tuple, list)):
        for value in output:
            yield from tensors_of(value)
    elif hasattr(output, "__dict__"):
        yield from tensors_of(vars(output))


def describe_output(output: Any) -> str:
    """An output in a few words, for an error."""
    if isinstance(output, torch.Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    if isinstance(output, Mapping):
        return f"a mapping with {', '.join(map(repr, list(output)[:6]))}"
    if isinstance(output, (tuple, list)):
        return f"a {type(output).__name__} of {len(output)}"
    return type(output).__name__


def _as_logits(tensor: torch.Tensor, count: int) -> torch.Tensor | None:
    if not tensor.is_floating_point() or tensor.ndim == 0 or len(tensor) != count:
        return None
    if tensor.ndim == 1:
        return tensor[:, None]
    if tensor.ndim == 2:
        return tensor
    # One score a class and place, as segmentation nets give: the class's evidence in the whole picture.
    return tensor.mean((2, 3)) if tensor.ndim == 4 else None
