"""Convolutions prepared for many replays: normalization and rectifier merged into them, weights as oneDNN wants them.

Behind a stroke of the brush most of the time goes into layers whose maps have so few cells that the change has reached
all of them. There a product takes no longer than bringing its weights into the library's form, which PyTorch does again
at each call.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

import torch

from ..._compat.onednn import convolve, convolve_packed, pack_weights, takes_weights
from .recording import RecordedOperation, Source, substituted
from .rules import BATCH_NORMS, PACKED

__all__ = ["prepared", "weight_bytes"]

#: Largest number of cells of a result for which weights are packed. It is computed as a whole then: the form of the
#: weights suits one size of inputs, and part of a small map takes hardly less time than all of it.
_FEW_CELLS = 256

#: Operations that need their input in the memory format that was recorded.
_VIEWS = frozenset({"view", "_unsafe_view", "_reshape_alias"})


def weight_bytes(operations: list[RecordedOperation]) -> int:
    """Return the size of all weights of convolutions in bytes, which preparing them takes at most."""
    weights = [o.args[1] for o in operations if _is_convolution(o)]
    return sum(w.numel() * w.element_size() for w in weights)


def prepared(operations: list[RecordedOperation]) -> list[RecordedOperation]:
    """Return operations with the same results up to rounding, in which convolutions are prepared.

    Args:
        operations: of ``record``, with all their values; left unchanged.
    """
    readers: defaultdict[int, list[int]] = defaultdict(list)
    for index, operation in enumerate(operations):
        for source in operation.sources:
            readers[source].append(index)

    def next_of(index: int) -> int | None:
        """Return the only operation that reads a result."""
        return readers[index][0] if len(readers[index]) == 1 else None

    made: list[RecordedOperation] = []
    number: dict[int, int] = {}
    merged: set[int] = set()
    for index, operation in enumerate(operations):
        if index in merged:
            continue
        last, prepares, rectifies = index, _is_convolution(operation), False
        if prepares:
            following = next_of(last)
            if following is not None and _is_fixed_norm(operations[following]):
                operation = _with_norm(operation, operations[following])
                merged.add(following)
                last, following = following, next_of(following)
            if following is not None and operations[following].name == "relu":
                rectifies = True
                merged.add(following)
                last = following
        operation = replace(
            operation,
            args=substituted(operation.args, lambda i: Source(number[i])),
            kwargs=substituted(operation.kwargs, lambda i: Source(number[i])),
            sources=tuple(number[i] for i in operation.sources),
            value=operations[last].value,
        )
        if operation.name in _VIEWS:
            # A packed convolution chooses the memory format of its result.
            args, reshape = operation.args[:2], torch.ops.aten.reshape.default
            operation = replace(operation, name="reshape", function=reshape, args=args)
        if prepares:
            operation = _of_onednn(operation, made[operation.sources[0]].shape, rectifies)
        number[index] = number[last] = len(made)
        made.append(operation)
    return made


def _is_convolution(operation: RecordedOperation) -> bool:
    """Return whether an operation is a convolution of two axes by weights that do not depend on the picture."""
    if operation.name != "convolution" or operation.output is not None:
        return False
    source, weights, bias, *_, transposed, _, _ = operation.args
    return (
        isinstance(source, Source)
        and isinstance(weights, torch.Tensor)
        and not isinstance(bias, Source)
        and weights.ndim == 4
        and len(operation.shape) == 4
        and not transposed
    )


def _is_fixed_norm(operation: RecordedOperation) -> bool:
    """Return whether an operation is a batch normalization by constants."""
    if operation.name not in BATCH_NORMS or operation.output != 0:
        return False
    _, scale, shift, mean, variance, *settings = operation.args
    constants = all(isinstance(c, torch.Tensor) for c in (mean, variance))
    given = not any(isinstance(c, Source) for c in (scale, shift))
    return constants and given and True not in settings[:1]


def _with_norm(operation: RecordedOperation, norm: RecordedOperation) -> RecordedOperation:
    """Return a convolution whose weights include the batch normalization behind it."""
    source, weights, bias, *settings = operation.args
    _, scale, shift, mean, variance, *norm_settings = (
        c.double() if isinstance(c, torch.Tensor) else c for c in norm.args
    )
    factor = (variance + norm_settings[-1]).rsqrt()
    if scale is not None:
        factor = factor * scale
    offset = ((0 if bias is None else bias.double()) - mean) * factor
    if shift is not None:
        offset = offset + shift
    merged = (weights.double() * factor[:, None, None, None]).to(weights.dtype)
    return replace(operation, args=(source, merged, offset.to(weights.dtype), *settings))


def _of_onednn(
    operation: RecordedOperation, inputs: torch.Size, rectifies: bool
) -> RecordedOperation:
    """Return a convolution as oneDNN runs it, where it does; with the rectifier behind it."""
    source, weights, bias, stride, padding, dilation, _, _, groups = operation.args
    run: Callable[..., torch.Tensor] = torch.ops.aten.convolution.default
    if takes_weights(weights):
        run = _by_onednn
        if prod(operation.shape[2:]) <= _FEW_CELLS:
            settings = stride, padding, dilation, groups
            packed = pack_weights(weights, *settings, inputs)
            if packed is not None:
                return replace(
                    operation,
                    name=PACKED,
                    function=partial(convolve_packed, rectifies=rectifies),
                    args=(source, packed, bias, *settings),
                )
    return replace(operation, function=partial(_rectified, run) if rectifies else run)


def _by_onednn(
    inputs: torch.Tensor,
    weights: torch.Tensor,
    bias: torch.Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
) -> torch.Tensor:
    return convolve(inputs, weights, bias, stride, padding, dilation, groups)


def _rectified(run: Callable[..., torch.Tensor], *args: Any) -> torch.Tensor:
    return run(*args).relu_()
