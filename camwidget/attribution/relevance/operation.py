"""Executed operation with weights, whose backward pass propagates relevance by a rule instead of a gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import torch
from torch import nn

__all__ = ["Magnitudes", "Operation", "Rule", "ZennitRule", "pass_through", "propagate"]


class DirectRule(Protocol):
    """Rule that computes the relevance of an operation's input itself (see ``linear_rules``)."""

    def denominator(
        self, operation: Operation, x: torch.Tensor, output: torch.Tensor
    ) -> torch.Tensor:
        """Return what the output's relevance is divided by, from the operation's input and output."""

    def propagate(
        self,
        operation: Operation,
        x: torch.Tensor,
        denominator: torch.Tensor,
        relevance: torch.Tensor,
    ) -> torch.Tensor:
        """Return the relevance of the operation's input, from its input and the output's relevance."""


#: (whether the input is negative somewhere, whether the output is negative where it has relevance) to a rule
#: of zennit (a ``BasicHook``).
ZennitRule: TypeAlias = Callable[[bool, bool], Any]
Rule: TypeAlias = ZennitRule | DirectRule


class Magnitudes:
    """Memory for the magnitudes of weights, one tensor of each shape, which the operations of a pass share.

    New memory for each large weight takes longer than the magnitudes themselves.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[Any, ...], tuple[torch.Tensor, torch.Tensor]] = {}

    def of(self, weight: torch.Tensor) -> torch.Tensor:
        """Return |w|, valid until the magnitude of another weight of this shape is requested."""
        key = (weight.shape, weight.dtype, weight.device)
        found = self._found.get(key)
        if found is None or found[0] is not weight:
            memory = torch.empty_like(weight) if found is None else found[1]
            self._found[key] = found = (weight, torch.abs(weight.detach(), out=memory.detach()))
        return found[1]


class Operation(nn.Module):
    """One executed operation as a module, which zennit's rules run again with modified weights.

    Args:
        call: (input, weight, bias) to the output.
        rule: rule that propagates relevance.
        weight: None for operations without weights.
        bias: None for operations without bias.
        is_dense: whether it is ``x @ weight.T + bias``.
        magnitudes: memory for the magnitude of the weight; its own if None.
        is_reused: whether relevance is propagated several times, so that the rule's denominator is kept.
    """

    weight: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(
        self,
        call: Callable[..., torch.Tensor],
        rule: Rule,
        weight: torch.Tensor | None = None,
        bias: torch.Tensor | None = None,
        *,
        is_dense: bool = False,
        magnitudes: Magnitudes | None = None,
        is_reused: bool = False,
    ) -> None:
        super().__init__()
        self.call = call
        self.rule = rule
        self.is_dense = is_dense
        self.mergeable = weight is not None
        self.is_merged = False
        self.weight = _fixed(weight)
        self.bias = _fixed(bias)
        self._magnitudes = magnitudes or Magnitudes()
        self._is_reused = is_reused
        #: The rows that had relevance, and the rule's denominator there.
        self._kept: tuple[torch.Tensor | None, torch.Tensor] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the operation's output."""
        return self.call(x, self.weight, self.bias)

    def merge(self, scale: torch.Tensor, shift: torch.Tensor) -> None:
        """Merge an affine map of the output's channels into the weights, which relevance then follows."""
        assert self.weight is not None
        self.is_merged = True
        bias = shift if self.bias is None else self.bias * scale + shift
        self.weight = _fixed(self.weight * scale.reshape(-1, *[1] * (self.weight.ndim - 1)))
        self.bias = _fixed(bias)

    def magnitude(self) -> torch.Tensor:
        """Return the magnitude of the weight, valid until that of another operation is requested."""
        assert self.weight is not None
        return self._magnitudes.of(self.weight)

    def propagate_directly(
        self, x: torch.Tensor, output: torch.Tensor, relevance: torch.Tensor
    ) -> torch.Tensor:
        """Return the relevance of the input by a ``DirectRule``; tokens without relevance cost nothing."""
        rule: Any = self.rule
        # Behind the last attention, relevance is at the class token only.
        is_everywhere = not self.is_dense or bool(relevance[..., 0].all())
        rows = None if is_everywhere else relevance.any(-1)
        if rows is None or bool(rows.all()):
            denominator = self._denominator(x, output, None)
            result: torch.Tensor = rule.propagate(self, x, denominator, relevance)
            return result
        denominator = self._denominator(x[rows], output[rows], rows)
        received = torch.zeros_like(x)
        received[rows] = rule.propagate(self, x[rows], denominator, relevance[rows])
        return received

    def _denominator(
        self, x: torch.Tensor, output: torch.Tensor, rows: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the rule's denominator at the rows with relevance, all if None; it is the same for every class."""
        if self._kept is not None:
            before, kept = self._kept
            if before is rows or (
                before is not None and rows is not None and torch.equal(before, rows)
            ):
                return kept
        found: torch.Tensor = self.rule.denominator(self, x, output)  # type: ignore[union-attr]
        if self._is_reused:
            self._kept = (rows, found)
        return found

    def transposed(
        self, weight: torch.Tensor, x: torch.Tensor, share: torch.Tensor
    ) -> torch.Tensor:
        """Return ``W^T share``: ``share`` at the output, taken to the input x by weights W of the operation's shape."""
        if self.is_dense:
            return share @ weight
        with torch.enable_grad():
            leaf = torch.zeros_like(x).requires_grad_()
            (result,) = torch.autograd.grad(self.call(leaf, weight, None), leaf, share)
        return result

    def broadcast_bias(self, output: torch.Tensor) -> torch.Tensor:
        """Return the bias in a shape that can be added to the output."""
        assert self.bias is not None
        if self.is_dense:
            return self.bias
        return self.bias.reshape(-1, *[1] * (self.weight.ndim - 2))  # type: ignore[union-attr]


def propagate(x: torch.Tensor, operation: Operation) -> torch.Tensor:
    """Return the operation's output; its backward pass propagates relevance by the operation's rule."""
    result: torch.Tensor = _RulePropagation.apply(x, operation)
    return result


def pass_through(x: torch.Tensor, call: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Return ``call(x)`` of an elementwise function; its backward pass leaves relevance unchanged."""
    result: torch.Tensor = _PassThrough.apply(x, call)
    return result


class _RulePropagation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, operation: Operation) -> torch.Tensor:
        output = operation.forward(x)
        ctx.save_for_backward(x, output)
        ctx.operation = operation
        return output

    @staticmethod
    def backward(ctx: Any, *relevance: torch.Tensor) -> Any:
        x, output = ctx.saved_tensors
        if not callable(ctx.operation.rule):
            if ctx.operation.is_merged:
                output = ctx.operation(x)
            return ctx.operation.propagate_directly(x, output, relevance[0]), None
        negative = (output < 0) & (relevance[0] != 0)
        rule = ctx.operation.rule(bool((x < 0).any()), bool(negative.any()))
        # The rule's own forward hook would store these; "kwargs" since zennit 1.0.
        rule.stored_tensors["input"] = (x,)
        rule.stored_tensors["kwargs"] = {}
        (propagated,) = rule.backward(ctx.operation, (x,), relevance)
        return propagated, None


class _PassThrough(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, call: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        return call(x.clone())  # some calls write into their argument

    @staticmethod
    def backward(ctx: Any, *relevance: torch.Tensor) -> Any:
        return relevance[0], None


def _fixed(tensor: torch.Tensor | None) -> nn.Parameter | None:
    return None if tensor is None else nn.Parameter(tensor.detach(), requires_grad=False)
