"""Attention capture: the attention weights of a pass, also of fused attention, without touching a module.

Every implementation ends in ``scaled_dot_product_attention``, in ``multi_head_attention_forward``, or in a softmax
whose result multiplies the values. A function mode around the pass sees the queries and keys of fused attention, which
hooks do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn import functional as nnF
from torch.overrides import TorchFunctionMode

from .._compat.pytorch import body_of

__all__ = [
    "AttentionCapture",
    "AttentionOperation",
    "attention_weights",
    "heads_apart",
    "mean_over_heads",
    "with_heads_of",
]

_SOFTMAX = frozenset({"softmax", "special_softmax", "_safe_softmax"})
#: Products of weights and values.
_PRODUCTS = frozenset({"matmul", "__matmul__", "bmm", "einsum"})
#: Operations between softmax and product, after which the result still is the weights.
_KEEP_WEIGHTS = frozenset(
    {"dropout", "alpha_dropout", "masked_fill", "nan_to_num"}
    | {"to", "type", "type_as", "float", "half", "bfloat16", "double"}
    | {"contiguous", "clone", "view", "reshape", "flatten", "unflatten"}
)


@dataclass(frozen=True)
class AttentionOperation:
    """One attention operation of a pass.

    Attributes:
        weights: what is kept of the weights (…, queries, keys): all of them, or what ``keep`` made of them.
        shape: shape of the weights.
        modules: names of the modules that were running, outermost first, if the capture was told.
        values: mean of the values that the weights multiply, over the keys (…, E), if the capture was told ``running``.
    """

    weights: torch.Tensor
    shape: tuple[int, ...]
    modules: tuple[str, ...] = ()
    values: torch.Tensor | None = None


class AttentionCapture(TorchFunctionMode):
    """Function mode that records the attention weights of a pass.

    Args:
        keep: what to keep of the detached weights (…, queries, keys) of an operation; all of them if None.
        differentiable: whether fused attention is computed with explicit weights, so that a score has a gradient at
            ``operation.weights``. The outputs are those of the fused operation up to rounding; dropout is off. Weights
            without graph become leaves of one.
        running: names of the modules that run at the moment, which each operation records, with its values.

    Attributes:
        operations: the attention operations, in order of execution.
    """

    def __init__(
        self,
        keep: Callable[[torch.Tensor], torch.Tensor] | None = None,
        *,
        differentiable: bool = False,
        running: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.operations: list[AttentionOperation] = []
        self._keep = keep
        self._differentiable = differentiable
        self._running = running
        #: Results of softmax that no product has used yet, by identity; kept alive, so that identities stay theirs.
        self._pending: dict[int, torch.Tensor] = {}

    @property
    def unfollowed(self) -> list[tuple[int, ...]]:
        """Shapes of square softmax results (…, n, n) that were not multiplied with values."""
        shapes = [tuple(p.shape) for p in self._pending.values()]
        return [shape for shape in shapes if shape[-1] == shape[-2] > 1]

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "scaled_dot_product_attention":
            return self._fused(func, args, kwargs)
        if func is nnF.multi_head_attention_forward:
            with self:  # its own operations are seen too
                return body_of(func)(*args, **kwargs)
        if name in _PRODUCTS and self._pending:
            args = self._product(args)
        result = func(*args, **kwargs)
        if isinstance(result, torch.Tensor) and result.ndim > 2:
            if name in _SOFTMAX:
                if _is_over_last(args, kwargs, result.ndim):
                    self._pending[id(result)] = result
            elif (
                name in _KEEP_WEIGHTS
                and args
                and id(args[0]) in self._pending
                and args[0].shape[-2:] == result.shape[-2:]
            ):
                del self._pending[id(args[0])]
                self._pending[id(result)] = result
        return result

    def _fused(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        value = args[2] if len(args) > 2 else kwargs["value"]
        if not self._differentiable:
            result = func(*args, **kwargs)
            with torch.no_grad():
                self._record(attention_weights(*args, **kwargs), value)
            return result
        weights = self._record(attention_weights(*args, **kwargs), value)
        return weights.to(value.dtype) @ with_heads_of(weights, value)

    def _product(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Record the weights among the operands of a product, and return the operands to use."""
        found = list(args)
        for number, operand in enumerate(found):
            if isinstance(operand, (list, tuple)):  # of einsum
                found[number] = self._product(tuple(operand))
            elif id(operand) in self._pending:
                del self._pending[id(operand)]
                found[number] = self._record(operand, found[number + 1 :])
        return tuple(found)

    def _record(self, weights: torch.Tensor, values: Any) -> torch.Tensor:
        if self._differentiable and torch.is_grad_enabled() and not weights.requires_grad:
            weights = weights.detach().requires_grad_()
        kept = weights
        if self._keep is not None:
            with torch.no_grad():
                kept = self._keep(weights.detach())
        elif not self._differentiable:
            kept = weights.detach()
        operation = AttentionOperation(kept, tuple(weights.shape))
        if self._running is not None:
            value = next(iter(values), None) if isinstance(values, list) else values
            mean = value.detach().mean(-2) if isinstance(value, torch.Tensor) else None
            operation = replace(operation, modules=tuple(self._running), values=mean)
        self.operations.append(operation)
        return weights


def attention_weights(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """Compute the weights that ``scaled_dot_product_attention`` applies to the values, without dropout.

    Args:
        query: queries (…, L, E).
        key: keys (…, S, E).
        value: unused.
        attn_mask: as in ``scaled_dot_product_attention``, like all that follow.
        dropout_p: unused.
        is_causal: whether a query sees no key behind it.
        scale: factor of the products; 1/√E if None.
        enable_gqa: whether several heads share a key.

    Returns:
        Weights (…, L, S), whose rows add up to 1, or are 0 where the mask leaves no key.
    """
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
    scores = (query * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)) @ key.mT
    if is_causal:
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~seen, -math.inf)
    if attn_mask is None:
        return scores.softmax(-1)
    is_bool = attn_mask.dtype == torch.bool
    scores = scores.masked_fill(~attn_mask, -math.inf) if is_bool else scores + attn_mask
    blind = scores.detach().amax(-1, keepdim=True) == -math.inf
    return scores.masked_fill(blind, 0).softmax(-1).masked_fill(blind, 0)


def with_heads_of(weights: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Return values (…, S, E) with one head for each head of the weights (…, L, S): groups of heads may share them."""
    if value.ndim < 3 or value.shape[-3] in (1, weights.shape[-3]):
        return value
    return value.repeat_interleave(weights.shape[-3] // value.shape[-3], -3)


def heads_apart(weights: torch.Tensor, pictures: int) -> torch.Tensor:
    """Return the weights of a number N of pictures as (N, heads, queries, keys), from (N · heads, queries, keys)."""
    return weights.unflatten(0, (pictures, -1)) if weights.ndim == 3 else weights


def mean_over_heads(weights: torch.Tensor, pictures: int) -> torch.Tensor:
    """Return the mean of weights over the heads, (N, queries, keys)."""
    return heads_apart(weights, pictures).mean(-3)


def _is_over_last(args: tuple[Any, ...], kwargs: dict[str, Any], dimensions: int) -> bool:
    dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
    return dim in (-1, dimensions - 1)
