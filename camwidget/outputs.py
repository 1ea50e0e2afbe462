"""What a module returns, and where in it the logits are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import torch

__all__ = [
    "Place",
    "as_logits",
    "at_place",
    "describe_output",
    "is_plain",
    "locate_logits",
    "tensors_of",
]

#: Steps into an output: keys, indices, attributes.
Place: TypeAlias = tuple[Any, ...]

#: Names under which models return their class scores, most telling first.
_KEYS = ("logits", "out", "scores", "pred", "prediction")


def locate_logits(output: Any, count: int, classes: int | None = None) -> Place | None:
    """Where the logits are in whatever a module returned for ``count`` pictures, or None.

    Of a mapping, a sequence, or an object with ``logits``: what has a telling name first; then (N, classes) before (N,)
    before (N, classes, h, w); then the first.

    Args:
        output: the module's.
        count: N.
        classes: how many there are, where that is known.
    """
    if isinstance(output, torch.Tensor):
        return () if as_logits(output, count) is not None else None
    if isinstance(output, Mapping):
        places: list[Any] = [*(k for k in _KEYS if k in output), *output]
    elif hasattr(output, "logits"):
        places = ["logits"]
    elif isinstance(output, (tuple, list)):
        places = list(range(len(output)))
    else:
        return None
    found = []
    for number, place in enumerate(places):
        tensor = at_place(output, (place,))
        logits = as_logits(tensor, count) if isinstance(tensor, torch.Tensor) else None
        if logits is not None:
            fits = classes is None or logits.shape[1] == classes
            named = place in _KEYS
            found.append((not fits, not named, (2, 1, 4).index(tensor.ndim), number, place))
    return (min(found)[-1],) if found else None


def at_place(output: Any, place: Place) -> Any:
    """What lies at a place of an output."""
    for step in place:
        by_name = isinstance(step, str) and not isinstance(output, Mapping)
        output = getattr(output, step) if by_name else output[step]
    return output


def as_logits(tensor: torch.Tensor, count: int) -> torch.Tensor | None:
    """A tensor (N, classes), (N,), or (N, classes, h, w), whose mean over the places is taken, as logits; or None."""
    if not tensor.is_floating_point() or tensor.ndim == 0 or len(tensor) != count:
        return None
    if tensor.ndim == 1:
        return tensor[:, None]
    if tensor.ndim == 2:
        return tensor
    # One score a class and place, as segmentation nets give: the class's evidence in the whole picture.
    return tensor.mean((2, 3)) if tensor.ndim == 4 else None


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
