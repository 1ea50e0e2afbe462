"""How far a change reaches through each operation, and what the operation costs.

An operation without a rule here reads everything and changes everything, which is right for any operation that keeps
the pictures of a batch apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import torch

from .geometry import SlidingWindow
from .recording import RecordedOperation

__all__ = [
    "BATCH_NORMS",
    "PACKED",
    "GlobalMean",
    "Padding",
    "Pointwise",
    "Rule",
    "Sliding",
    "Whole",
    "rule_of",
    "unpadded_settings",
]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Functions of one element.
_ELEMENTWISE = _names(
    "relu hardtanh leaky_relu elu celu selu silu gelu sigmoid tanh hardswish hardsigmoid mish softplus softshrink "
    "hardshrink log_sigmoid threshold clamp clamp_min clamp_max neg abs exp log log1p expm1 sqrt rsqrt square pow erf "
    "sin cos reciprocal clone _to_copy detach alias lift_fresh"
)

#: Functions of elements at the same place, or of one and a constant.
_ARITHMETIC = _names("add sub mul div rsub maximum minimum _prelu_kernel")

#: Normalize each channel by constants in evaluation mode.
BATCH_NORMS = _names(
    "native_batch_norm _native_batch_norm_legit_no_training cudnn_batch_norm miopen_batch_norm"
)

#: A convolution whose weights suit one size of inputs.
PACKED = "packed_convolution"

#: Position of the argument with the dimension, of operations that join or part tensors along it.
_ALONG = {"cat": 1, "split": 2, "split_with_sizes": 2, "slice": 1, "narrow": 1}


#: Settings of poolings behind kernel, stride and padding, as they are where they are left out.
_POOLING_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "max_pool2d_with_indices": (1, False),  # dilation, ceil_mode
    "avg_pool2d": (False, True, None),  # ceil_mode, count_include_pad, divisor_override
}
#: Position of ``ceil_mode`` among the settings.
_POOLING_CEIL = {"max_pool2d_with_indices": 4, "avg_pool2d": 3}


@dataclass(frozen=True)
class Whole:
    """Reads and changes everything.

    Attributes:
        cost: multiplications and additions for one picture, or elements moved.
    """

    cost: int


@dataclass(frozen=True)
class Pointwise:
    """Each cell of the result is computed from the same cell of the sources.

    Attributes:
        cost: for one cell.
    """

    cost: int


@dataclass(frozen=True)
class Sliding:
    """A convolution or a pooling.

    Attributes:
        rows: its windows along H.
        columns: its windows along W.
        fill: value of the padding.
        cost: for one cell of the result.
    """

    rows: SlidingWindow
    columns: SlidingWindow
    fill: float
    cost: int

    @property
    def is_pointwise(self) -> bool:
        """Whether each cell of the result reads the one at its place."""
        return self.rows.is_pointwise and self.columns.is_pointwise


@dataclass(frozen=True)
class Padding:
    """A border of constant cells.

    Attributes:
        top: cells above.
        left: cells to the left.
        fill: value of the cells.
        cost: for one cell of the result.
    """

    top: int
    left: int
    fill: float
    cost: int


@dataclass(frozen=True)
class GlobalMean:
    """The mean over all cells, corrected by what has changed.

    Attributes:
        cost: for one cell of the source.
    """

    cost: int


Rule = Whole | Pointwise | Sliding | Padding | GlobalMean


def rule_of(operation: RecordedOperation, sources: list[torch.Size]) -> Rule:
    """Return the rule of an operation.

    Args:
        operation: the operation.
        sources: shapes of what it reads that depends on the picture, in the order of ``operation.sources``.
    """
    whole = Whole(_whole_cost(operation))
    if not sources or any(len(s) != 4 or s[0] != 1 for s in sources):
        return whole
    name, shape = operation.name, operation.shape
    if name == "mean" and _is_global_mean(operation):
        return GlobalMean(sources[0][1])
    if len(shape) != 4:
        return whole
    if name == "convolution" and operation.output is None and len(sources) == 1:
        return _convolution(operation) or whole
    if name == "max_pool2d_with_indices" and operation.output == 0:
        return _max_pool(operation)
    if name == "avg_pool2d":
        return _average_pool(operation, sources[0]) or whole
    if name == "constant_pad_nd":
        return _padding(operation) or whole
    if any(s[2:] != shape[2:] for s in sources):
        return whole
    if name in BATCH_NORMS:
        return Pointwise(shape[1]) if operation.output == 0 and len(sources) == 1 else whole
    if name in _ALONG:
        place = _ALONG[name]
        dimension = operation.args[place] if len(operation.args) > place else 0
        along_channels = dimension in (1, -3)
        return Pointwise(shape[1]) if along_channels and not _constants(operation) else whole
    if name in _ELEMENTWISE or name in _ARITHMETIC:
        is_even = all(prod(c.shape[-2:]) == 1 for c in _constants(operation))
        return Pointwise(shape[1]) if is_even else whole
    return whole


def _constants(operation: RecordedOperation) -> list[torch.Tensor]:
    """Return the tensors among the arguments that do not depend on the picture."""
    return list(_tensors((operation.args, operation.kwargs)))


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _pair(value: Any) -> tuple[int, int]:
    """Return a setting for both axes; one number stands for both."""
    numbers = list(value) if isinstance(value, (list, tuple)) else [value]
    return int(numbers[0]), int(numbers[-1])


def _windows(kernel: Any, stride: Any, padding: Any, dilation: Any) -> list[SlidingWindow]:
    pairs = [_pair(value) for value in (kernel, stride, padding, dilation)]
    return [SlidingWindow(*numbers) for numbers in zip(*pairs, strict=True)]


def _convolution(operation: RecordedOperation) -> Sliding | None:
    _, weight, _, stride, padding, dilation, transposed, _, _ = operation.args
    if transposed or not isinstance(weight, torch.Tensor) or weight.ndim != 4:
        return None
    rows, columns = _windows(weight.shape[2:], stride, padding, dilation)
    return Sliding(rows, columns, 0.0, weight.numel())


def _settings(operation: RecordedOperation) -> list[Any]:
    """Return all settings of a pooling, also those that were left out; the stride is the kernel by default."""
    defaults: list[Any] = [None, (), 0, *_POOLING_DEFAULTS[operation.name]]
    given = list(operation.args[1:])
    settings = given + defaults[len(given) :]
    settings[1] = settings[1] or settings[0]
    return settings


def unpadded_settings(operation: RecordedOperation) -> list[Any]:
    """Return the settings of a pooling for cells that have their padding already."""
    settings = _settings(operation)
    settings[2] = 0
    settings[_POOLING_CEIL[operation.name]] = False
    return settings


def _max_pool(operation: RecordedOperation) -> Sliding:
    kernel, stride, padding, dilation, _ = _settings(operation)
    rows, columns = _windows(kernel, stride, padding, dilation)
    return Sliding(rows, columns, -torch.inf, operation.shape[1] * rows.kernel * columns.kernel)


def _average_pool(operation: RecordedOperation, source: torch.Size) -> Sliding | None:
    kernel, stride, padding, ceil_mode, counts_padding, divisor = _settings(operation)
    rows, columns = _windows(kernel, stride, padding, 1)
    # Where windows at the border have another divisor, a window is not the same function everywhere.
    passes_end = ceil_mode and any(
        (size - 1) * axis.stride + axis.kernel > length + 2 * axis.padding
        for size, axis, length in zip(operation.shape[2:], (rows, columns), source[2:], strict=True)
    )
    is_padded = rows.padding or columns.padding
    if divisor is None and (passes_end or (is_padded and not counts_padding)):
        return None
    return Sliding(rows, columns, 0.0, operation.shape[1] * rows.kernel * columns.kernel)


def _padding(operation: RecordedOperation) -> Padding | None:
    sides = list(operation.args[1])
    fill = float(operation.args[2]) if len(operation.args) > 2 else 0.0
    if len(sides) > 4 or min(sides) < 0:
        return None
    left, _, top, _ = [*sides, 0, 0][:4]
    return Padding(top, left, fill, operation.shape[1])


def _is_global_mean(operation: RecordedOperation) -> bool:
    """Return whether a mean is over H and W, and nothing else."""
    dimensions = operation.args[1] if len(operation.args) > 1 else None
    if not isinstance(dimensions, (list, tuple)):
        return False
    return sorted(d % 4 for d in dimensions) == [2, 3] and not operation.kwargs.get("dtype")


def _whole_cost(operation: RecordedOperation) -> int:
    """Return the number of multiplications of a matrix product or convolution; of all else that of elements."""
    count = prod(operation.shape)
    weights = [c for c in _constants(operation) if c.ndim >= 2]
    if operation.name in _names("addmm mm linear") and weights:
        return max(weight.numel() for weight in weights) * max(1, prod(operation.shape[:-1]))
    if operation.name in ("convolution", PACKED) and weights:
        weight = weights[0]
        return count * (weight.numel() // max(1, weight.shape[0]))
    return count
