"""Tracked tensor: a tensor that was computed from the picture, and whether relevance may pass through it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch

__all__ = ["Role", "TrackedTensor", "UnsupportedOperation", "tensors_in"]


class UnsupportedOperation(Exception):  # noqa: N818 - it becomes the reason of a MethodError
    """The network has an operation without a relevance rule. The message names the operation and its module."""


class Role(Enum):
    """What a tensor is in an attention, a gate or a cosine, on which the rule of the next operation depends."""

    ACTIVATION = "an activation that receives relevance"
    SMOOTH = "the output of a smooth activation function, which may gate another activation"
    GATE = "factors of another activation, such as a sigmoid's output"
    SCORES = "products of queries and keys, before softmax"
    WEIGHTS = "attention weights, after softmax"
    LENGTH = "the length of activations, by which they are divided"
    NO_RULE = "computed from factors or scores by an operation without a rule"

    @property
    def receives_relevance(self) -> bool:
        """Whether operations on activations may read the tensor."""
        return self in (Role.ACTIVATION, Role.SMOOTH)


@dataclass(eq=False)
class TrackedTensor:
    """A tensor that was computed from the picture.

    Attributes:
        tensor: the tensor.
        sources: the tracked tensors that it was computed from.
        operation: index of the operation that computed it, if that operation has a rule.
        is_picture: whether it is still the picture, moved or normalized, so that only the rule ``first`` fits.
        role: what it is in an attention or a gate.
        refusal: raised if a tensor with another role than an activation is read as an activation.
        uses: number of operations that read it.
        is_stale: whether an operation wrote into memory that it shares.
    """

    tensor: torch.Tensor
    sources: tuple[TrackedTensor, ...] = ()
    operation: int | None = None
    is_picture: bool = False
    role: Role = Role.ACTIVATION
    refusal: UnsupportedOperation | None = None
    uses: int = 0
    is_stale: bool = False

    def __post_init__(self) -> None:
        self._grad_fn_type = type(self.tensor.grad_fn)

    @property
    def has_replaced_gradient(self) -> bool:
        """Whether an ``autograd.Function`` around the operation replaced the rule by a gradient."""
        return type(self.tensor.grad_fn) is not self._grad_fn_type


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Iterate over the tensors in arguments or results of an operation."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))
