"""The rules by which an operation hands relevance from its output to its input. zennit computes them."""

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

#: A rule of zennit (a ``BasicHook``), for an operation whose input is signed or not.
Rule = Callable[[bool], Any]


@dataclass(frozen=True)
class Rules:
    """One rule for each kind of operation. All else is moved (views, max pooling) or passed (ReLU)."""

    first: Rule  #: the linear operation that sees the picture
    convolution: Rule
    dense: Rule
    sum: Rule  #: of two activations, as at a residual connection
    average: Rule  #: average pooling, sums and means over places, interpolation


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
    result: torch.Tensor = _HandOn.apply(x, operation)  # type: ignore[no-untyped-call]
    return result


def passed(x: torch.Tensor, call: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """``call(x)``, element by element; all relevance of an element goes to the element it came from."""
    result: torch.Tensor = _Pass.apply(x, call)  # type: ignore[no-untyped-call]
    return result


class _HandOn(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, operation: Operation) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.operation = operation
        return operation.forward(x)

    @staticmethod
    def backward(ctx: Any, *relevance: torch.Tensor) -> Any:
        (x,) = ctx.saved_tensors
        rule = ctx.operation.rule(bool((x < 0).any()))
        rule.stored_tensors["input"] = (x,)
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


def _flat(signed: bool) -> Any:
    from zennit.rules import Flat

    return Flat(stabilizer=STABILIZER)


def _epsilon(signed: bool) -> Any:
    from zennit.rules import Epsilon

    return Epsilon(epsilon=STABILIZER)


def _norm(signed: bool) -> Any:
    from zennit.rules import Norm

    return Norm(stabilizer=STABILIZER)


def _excitatory(signed: bool) -> Any:
    """Shares by positive contributions only: those of the inputs themselves, where there are no weights."""
    from zennit.core import BasicHook, ParamMod, Stabilizer

    stabilize = Stabilizer(STABILIZER)
    return BasicHook(
        input_modifiers=[lambda x: x.clamp(min=0)],
        param_modifiers=[ParamMod(lambda weight, name: weight, param_keys=[])],
        output_modifiers=[lambda output: output],
        gradient_mapper=lambda relevance, outputs: relevance / stabilize(outputs[0]),
        reducer=lambda inputs, gradients: inputs[0] * gradients[0],
    )


def _positive(zero: tuple[str, ...]) -> Rule:
    def rule(signed: bool) -> Any:
        from zennit.core import BasicHook, Stabilizer
        from zennit.rules import ClampMod, ZPlus

        if signed:
            return ZPlus(stabilizer=STABILIZER, zero_params=list(zero))
        # Without negative inputs the half of z+ that looks for them finds nothing: half the work.
        stabilize = Stabilizer(STABILIZER)
        return BasicHook(
            input_modifiers=[lambda x: x],
            param_modifiers=[ClampMod(min=0.0, zero_params=list(zero))],
            output_modifiers=[lambda output: output],
            gradient_mapper=lambda relevance, outputs: relevance / stabilize(outputs[0]),
            reducer=lambda inputs, gradients: inputs[0] * gradients[0],
        )

    return rule


_zplus, _zplus_unbiased = _positive(()), _positive(("bias",))

#: ε in dense layers, z+ in convolutions, flat at the picture: zennit's EpsilonPlusFlat.
LRP = Rules(_flat, _zplus, _epsilon, _norm, _norm)
#: z+ in all layers, without biases; sums are shared by signed contributions.
POSITIVE = Rules(_zplus_unbiased, _zplus_unbiased, _zplus_unbiased, _norm, _norm)
#: Probabilities: only excitatory contributions share, in sums and averages too.
EXCITATION = Rules(_zplus_unbiased, _zplus_unbiased, _zplus_unbiased, _excitatory, _excitatory)
