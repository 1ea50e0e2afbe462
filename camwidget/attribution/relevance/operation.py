"""Executed operation with weights, whose backward pass propagates relevance by a rule instead of a gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import torch
from torch import nn

__all__ = [
    "STABILIZER",
    "Operation",
    "Rule",
    "WorkingMemory",
    "ZennitRule",
    "pass_through",
    "propagate",
]


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

#: Keeps denominators from zero. It is small enough to absorb no relevance even where activations shrink with depth,
#: and large enough that its inverse is a float32.
STABILIZER = 1e-20


class WorkingMemory:
    """Memory for what the rules of a pass compute on the way, one tensor for each use and shape.

    New memory takes longer than the elementwise operation that writes into it: the pages have to be mapped first.
    """

    def __init__(self) -> None:
        self._tensors: dict[tuple[Any, ...], torch.Tensor] = {}
        #: By use and shape, the tensor whose magnitude is in the memory.
        self._sources: dict[tuple[Any, ...], torch.Tensor] = {}

    def of(
        self, use: str, like: torch.Tensor, shape: tuple[int, ...] | None = None
    ) -> torch.Tensor:
        """Return a tensor to write into, valid until the next request for the same use and shape.

        Args:
            use: what it is for.
            like: tensor with its type and device.
            shape: shape; that of ``like`` if None.
        """
        key = (use, shape or tuple(like.shape), like.dtype, like.device)
        found = self._tensors.get(key)
        if found is None:
            found = self._tensors[key] = like.new_empty(shape or like.shape)
        return found

    def magnitude(self, x: torch.Tensor, use: str = "activation") -> torch.Tensor:
        """Return |x|, to be read only; valid until that of another tensor of the same use and shape is requested."""
        memory = self.of(use, x)
        key = (use, x.shape, x.dtype, x.device)
        if self._sources.get(key) is not x:
            torch.abs(x.detach(), out=memory)
            self._sources[key] = x
        return memory


class Operation(nn.Module):
    """One executed operation as a module, which zennit's rules run again with modified weights.

    Args:
        call: (input, weight, bias) to the output.
        rule: rule that propagates relevance.
        weight: None for operations without weights.
        bias: None for operations without bias.
        is_dense: whether it is ``x @ weight.T + bias``.
        memory: memory that it shares with the other operations of the pass; its own if None.
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
        memory: WorkingMemory | None = None,
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
        self.memory = memory or WorkingMemory()
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
        return self.memory.magnitude(self.weight, "weight")

    def magnitudes_sum(self, x: torch.Tensor, factor: float) -> torch.Tensor:
        """Return ``factor · Σ_j |z_jk|`` over the contributions and the bias of each output, above zero.

        Args:
            x: the operation's input.
            factor: factor ≥ 0.

        Returns:
            Sums of the output's shape, to write into; valid until another operation runs, unless denominators are kept.
        """
        assert self.weight is not None
        magnitude, weight = self.memory.magnitude(x), self.magnitude()
        bias = None if self.bias is None else self.bias.abs().mul_(factor)
        if not self.is_dense:
            return self.call(magnitude.mul(factor), weight, bias).add_(STABILIZER)
        bias = x.new_full((len(weight),), STABILIZER) if bias is None else bias.add_(STABILIZER)
        shape = (len(x), len(weight))
        memory = x.new_empty(shape) if self._is_reused else self.memory.of("sum", x, shape)
        return torch.addmm(bias, magnitude, weight.T, alpha=factor, out=memory)

    def propagate_directly(
        self, x: torch.Tensor, output: torch.Tensor, relevance: torch.Tensor
    ) -> torch.Tensor:
        """Return the relevance of the input by a ``DirectRule``; tokens without relevance cost nothing."""
        if self.is_dense and x.ndim != 2:
            rows = [t.reshape(-1, t.shape[-1]) for t in (x, output, relevance)]
            return self._propagate_rows(*rows).view(x.shape)
        return self._propagate_rows(x, output, relevance)

    def _propagate_rows(
        self, x: torch.Tensor, output: torch.Tensor, relevance: torch.Tensor
    ) -> torch.Tensor:
        rule: Any = self.rule
        # Behind the last attention, relevance is at the class token only.
        is_everywhere = not self.is_dense or bool(relevance[..., 0].all())
        rows = None if is_everywhere else relevance.any(-1)
        if rows is None or bool(rows.all()):
            denominator = self._denominator(x, output, None)
            result: torch.Tensor = rule.propagate(self, x, denominator, relevance)
            return result
        some = x[rows]
        denominator = self._denominator(some, output[rows], rows)
        received = torch.zeros_like(x)
        received[rows] = rule.propagate(self, some, denominator, relevance[rows])
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
        self,
        weight: torch.Tensor,
        x: torch.Tensor,
        share: torch.Tensor,
        *,
        is_temporary: bool = False,
    ) -> torch.Tensor:
        """Return ``W^T share``: ``share`` at the output, taken to the input x by weights W of the operation's shape.

        Args:
            weight: the weights W.
            x: the operation's input.
            share: what is taken to it.
            is_temporary: whether the result is no longer needed when another operation runs.
        """
        if self.is_dense:
            memory = self.memory.of("transposed", x) if is_temporary else None
            return torch.mm(share, weight, out=memory)
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


def pass_through(
    x: torch.Tensor, call: Callable[[torch.Tensor], torch.Tensor], *, may_write: bool = True
) -> torch.Tensor:
    """Return ``call(x)`` of an elementwise function; its backward pass leaves relevance unchanged.

    Args:
        x: the argument.
        call: the function.
        may_write: whether it may write into its argument, or return it.
    """
    result: torch.Tensor = _PassThrough.apply(x, call, may_write)
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
        ctx: Any, x: torch.Tensor, call: Callable[[torch.Tensor], torch.Tensor], may_write: bool
    ) -> torch.Tensor:
        return call(x.clone() if may_write else x)

    @staticmethod
    def backward(ctx: Any, *relevance: torch.Tensor) -> Any:
        return relevance[0], None, None


def _fixed(tensor: torch.Tensor | None) -> nn.Parameter | None:
    return None if tensor is None else nn.Parameter(tensor.detach(), requires_grad=False)
