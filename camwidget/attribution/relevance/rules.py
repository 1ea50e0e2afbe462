"""Relevance propagation rules for each kind of operation, computed by zennit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

__all__ = ["EXCITATION", "LRP", "POSITIVE", "STABILIZER", "Operation", "Rules", "hand_on", "passed"]

#: Keeps denominators from zero. So small that it takes no relevance even where activations fade with depth, and
#: large enough that its inverse is a float32.
STABILIZER = 1e-20

#: A rule of zennit (a ``BasicHook``), for an operation whose input is negative somewhere or not, and whose output is
#: negative where it has relevance or not.
Rule = Callable[[bool, bool], Any]


@dataclass(frozen=True)
class Rules:
    """One rule for each kind of operation. All else is moved (views, max pooling) or passed (ReLU)."""

    first: Rule  #: the linear operation that sees the picture
    convolution: Rule
    dense: Rule
    sum: Rule  #: of two activations, as at a residual connection
    average: Rule  #: average pooling, sums and means over places, interpolation
    last: Rule | None = (
        None  #: the linear operation after which there is no other, if it is another rule
    )
    after: Rule | None = None  #: sums and averages after that


class Operation(nn.Module):
    """One executed operation, as a module that zennit's rules can run again with other weights.

    Args:
        call: (input, weight, bias) to the output.
        rule: how relevance is handed on.
        weight: None for operations that have none.
    """

    weight: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(
        self,
        call: Callable[..., torch.Tensor],
        rule: Rule,
        weight: torch.Tensor | None = None,
        bias: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        self.call = call
        self.rule = rule
        self.mergeable = weight is not None
        self.weight = _fixed(weight)
        self.bias = _fixed(bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The operation's output."""
        return self.call(x, self.weight, self.bias)

    def merge(self, scale: torch.Tensor, shift: torch.Tensor) -> None:
        """Take in an affine map of the output's channels: relevance is handed on by the product's weights."""
        assert self.weight is not None
        bias = shift if self.bias is None else self.bias * scale + shift
        self.weight = _fixed(self.weight * scale.reshape(-1, *[1] * (self.weight.ndim - 1)))
        self.bias = _fixed(bias)


def hand_on(x: torch.Tensor, operation: Operation) -> torch.Tensor:
    """The operation's output; its gradient is not the gradient, but the relevance by the operation's rule."""
    result: torch.Tensor = _HandOn.apply(x, operation)
    return result


def passed(x: torch.Tensor, call: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """``call(x)``, element by element; all relevance of an element goes to the element it came from."""
    result: torch.Tensor = _Pass.apply(x, call)
    return result


class _HandOn(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, operation: Operation) -> torch.Tensor:
        output = operation.forward(x)
        ctx.save_for_backward(x, output)
        ctx.operation = operation
        return output

    @staticmethod
    def backward(ctx: Any, *relevance: torch.Tensor) -> Any:
        x, output = ctx.saved_tensors
        negative = (output < 0) & (relevance[0] != 0)
        rule = ctx.operation.rule(bool((x < 0).any()), bool(negative.any()))
        # What a rule's own forward hook would remember; the second since zennit 1.0.
        rule.stored_tensors["input"] = (x,)
        rule.stored_tensors["kwargs"] = {}
        (handed,) = rule.backward(ctx.operation, (x,), relevance)
        return handed, None


class _Pass(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, call: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        return call(x.clone())  # some calls write into what they get

    @staticmethod
    def backward(ctx: Any, *relevance: torch.Tensor) -> Any:
        return relevance[0], None


def _fixed(tensor: torch.Tensor | None) -> nn.Parameter | None:
    return None if tensor is None else nn.Parameter(tensor.detach(), requires_grad=False)


# -- zennit is imported where it is needed: importing camwidget stays fast -------------------


def _flat(signed: bool, negative: bool) -> Any:
    from zennit.rules import Flat

    return Flat(stabilizer=STABILIZER)


def _epsilon(signed: bool, negative: bool) -> Any:
    from zennit.rules import Epsilon

    return Epsilon(epsilon=STABILIZER)


def _norm(signed: bool, negative: bool) -> Any:
    from zennit.rules import Norm

    return Norm(stabilizer=STABILIZER)


def _share(parts: list[tuple[Any, Any]]) -> Any:
    """Shares by the contributions of (input modifier, weight modifier), which are of one sign."""
    from zennit.core import BasicHook, Stabilizer

    stabilize = Stabilizer(STABILIZER)
    return BasicHook(
        input_modifiers=[x for x, _ in parts],
        param_modifiers=[weight for _, weight in parts],
        output_modifiers=[_same] * len(parts),
        gradient_mapper=lambda relevance, z: [relevance / stabilize(sum(z))] * len(parts),
        reducer=lambda xs, gradients: sum(x * g for x, g in zip(xs, gradients, strict=True)),
    )


def _positive(zero: list[str]) -> Rule:
    def rule(signed: bool, negative: bool) -> Any:
        from zennit.rules import ClampMod, ZPlus

        if signed:
            return ZPlus(stabilizer=STABILIZER, zero_params=zero)
        # Without negative inputs the half of z+ that looks for them finds nothing: half the work.
        return _share([(_same, ClampMod(min=0.0, zero_params=zero))])

    return rule


def _excitatory(signed: bool, negative: bool) -> Any:
    """Shares by the contributions of the output's own sign, which for activations ≥ 0 are the excitatory ones."""
    from zennit.core import BasicHook, Stabilizer
    from zennit.rules import ClampMod, NoMod

    if not (signed or negative):
        return _positive(["bias"])(signed, negative)
    up, down = ClampMod(min=0.0, zero_params="bias"), ClampMod(max=0.0, zero_params="bias")
    stabilize = Stabilizer(STABILIZER)

    def split(relevance: torch.Tensor, z: list[torch.Tensor]) -> list[torch.Tensor]:
        above = (z[4] >= 0) * relevance / stabilize(z[0] + z[1])
        below = (z[4] < 0) * relevance / stabilize(z[2] + z[3])
        return [above, above, below, below, torch.zeros_like(relevance)]

    return BasicHook(
        input_modifiers=[_plus, _minus, _plus, _minus, _same],
        param_modifiers=[up, down, down, up, NoMod()],
        output_modifiers=[_same] * 5,
        gradient_mapper=split,
        reducer=lambda xs, gs: sum(x * g for x, g in zip(xs[:4], gs[:4], strict=True)),
    )


def _excitatory_sum(signed: bool, negative: bool) -> Any:
    """The same where all weights are positive."""
    from zennit.core import BasicHook, ParamMod, Stabilizer

    stabilize = Stabilizer(STABILIZER)
    keep = ParamMod(lambda weight, name: weight, param_keys=[])

    def split(relevance: torch.Tensor, z: list[torch.Tensor]) -> list[torch.Tensor]:
        above = (z[0] + z[1] >= 0) * relevance / stabilize(z[0])
        below = (z[0] + z[1] < 0) * relevance / stabilize(z[1])
        return [above, below]

    return BasicHook(
        input_modifiers=[_plus, _minus],
        param_modifiers=[keep, keep],
        output_modifiers=[_same, _same],
        gradient_mapper=split,
        reducer=lambda xs, gradients: xs[0] * gradients[0] + xs[1] * gradients[1],
    )


def _positive_sum(signed: bool, negative: bool) -> Any:
    """Shares by positive contributions, whatever they add up to."""
    from zennit.core import ParamMod

    return _share([(_plus, ParamMod(lambda weight, name: weight, param_keys=[]))])


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


def _plus(x: torch.Tensor) -> torch.Tensor:
    return x.clamp(min=0)


def _minus(x: torch.Tensor) -> torch.Tensor:
    return x.clamp(max=0)


_zplus, _zplus_unbiased = _positive([]), _positive(["bias"])

#: ε in dense layers, z+ in convolutions, flat at the picture: zennit's EpsilonPlusFlat.
LRP = Rules(_flat, _zplus, _epsilon, _norm, _norm)
#: z+ in all layers, without biases; sums are shared by signed contributions.
POSITIVE = Rules(_zplus_unbiased, _zplus_unbiased, _zplus_unbiased, _norm, _norm)
#: Probabilities: only what drives a unit the way it went has a share, in sums and averages too; and of what drives
#: a class's unit, only what is for the class.
EXCITATION = Rules(
    first=_excitatory,
    convolution=_excitatory,
    dense=_excitatory,
    sum=_excitatory_sum,
    average=_excitatory_sum,
    last=_zplus_unbiased,
    after=_positive_sum,
)
