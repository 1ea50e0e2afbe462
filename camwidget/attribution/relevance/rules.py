"""Sets of relevance propagation rules, one rule for each kind of operation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from .linear_rules import Flat, Gamma, Positive
from .operation import STABILIZER, Rule, ZennitRule

__all__ = [
    "ATTENTION_RULES",
    "EXCITATION",
    "LRP",
    "STABILIZER",
    "ZPLUS",
    "Rules",
    "with_attention",
    "with_gamma",
    "with_positive",
]


@dataclass(frozen=True)
class Rules:
    """One propagation rule for each kind of operation.

    All other operations move relevance with the elements (views, max pooling) or pass it through (ReLU).

    Attributes:
        first: rule of linear operations on the picture itself.
        convolution: rule of the other convolutions.
        dense: rule of the other linear layers.
        sum: rule of sums of two activations, as at a residual connection.
        average: rule of average pooling, sums and means over positions, and interpolation.
        last: rule of the last linear operations; as any other if None.
        after: rule of sums and averages after the last linear operations; as any other if None.
        attention: "attn" or "cp" for networks with attention, normalization of activations, gates or smooth activation
            functions (see ``transformer_operations``); None to refuse them.
    """

    first: Rule
    convolution: Rule
    dense: Rule
    sum: Rule
    average: Rule
    last: Rule | None = None
    after: Rule | None = None
    attention: str | None = None


# -- rules: zennit is imported inside them, so that importing camwidget stays fast -----------


def _epsilon(signed: bool, negative: bool) -> Any:
    from zennit.rules import Epsilon

    return Epsilon(epsilon=STABILIZER)


def _norm(signed: bool, negative: bool) -> Any:
    from zennit.rules import Norm

    return Norm(stabilizer=STABILIZER)


def _share(parts: list[tuple[Any, Any]]) -> Any:
    """Return a rule that distributes by the contributions of (input modifier, weight modifier), all of one sign."""
    from zennit.core import BasicHook, Stabilizer

    stabilize = Stabilizer(STABILIZER)
    return BasicHook(
        input_modifiers=[x for x, _ in parts],
        param_modifiers=[weight for _, weight in parts],
        output_modifiers=[_same] * len(parts),
        gradient_mapper=lambda relevance, z: [relevance / stabilize(sum(z))] * len(parts),
        reducer=lambda xs, gradients: sum(x * g for x, g in zip(xs, gradients, strict=True)),
    )


def _positive(zero: list[str]) -> ZennitRule:
    def rule(signed: bool, negative: bool) -> Any:
        from zennit.rules import ClampMod, ZPlus

        if signed:
            return ZPlus(stabilizer=STABILIZER, zero_params=zero)
        # Without negative inputs, the half of z+ for negative inputs is zero and can be skipped.
        return _share([(_same, ClampMod(min=0.0, zero_params=zero))])

    return rule


def _excitatory(signed: bool, negative: bool) -> Any:
    """Return a rule that distributes by the contributions that have the output's sign (excitatory if all are ≥ 0)."""
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
    """Return the rule of ``_excitatory`` for an operation whose weights are all positive."""
    from zennit.core import BasicHook, ParamMod, Stabilizer

    stabilize = Stabilizer(STABILIZER)
    unchanged = ParamMod(lambda weight, name: weight, param_keys=[])

    def split(relevance: torch.Tensor, z: list[torch.Tensor]) -> list[torch.Tensor]:
        above = (z[0] + z[1] >= 0) * relevance / stabilize(z[0])
        below = (z[0] + z[1] < 0) * relevance / stabilize(z[1])
        return [above, below]

    return BasicHook(
        input_modifiers=[_plus, _minus],
        param_modifiers=[unchanged, unchanged],
        output_modifiers=[_same, _same],
        gradient_mapper=split,
        reducer=lambda xs, gradients: xs[0] * gradients[0] + xs[1] * gradients[1],
    )


def _positive_sum(signed: bool, negative: bool) -> Any:
    """Return a rule that distributes by positive contributions, whatever the sign of the output."""
    from zennit.core import ParamMod

    return _share([(_plus, ParamMod(lambda weight, name: weight, param_keys=[]))])


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


def _plus(x: torch.Tensor) -> torch.Tensor:
    return x.clamp(min=0)


def _minus(x: torch.Tensor) -> torch.Tensor:
    return x.clamp(max=0)


_zplus, _zplus_unbiased = _positive([]), _positive(["bias"])

#: LRP: ε in dense layers, z+ in convolutions, flat at the picture, as zennit's EpsilonPlusFlat.
LRP = Rules(Flat(), _zplus, _epsilon, _norm, _norm)
#: Relevance-CAM: z+ in all layers, without biases; sums distribute by signed contributions.
ZPLUS = Rules(_zplus_unbiased, _zplus_unbiased, _zplus_unbiased, _norm, _norm)
#: Excitation backprop: only contributions with the output's sign count, in sums and averages too; at the last linear
#: operations only positive contributions count.
EXCITATION = Rules(
    first=_excitatory,
    convolution=_excitatory,
    dense=_excitatory,
    sum=_excitatory_sum,
    average=_excitatory_sum,
    last=_zplus_unbiased,
    after=_positive_sum,
)

#: Names of the sets of rules for attention (see ``transformer_operations``).
ATTENTION_RULES = ("attn", "cp")


def with_gamma(rules: Rules, gamma: float) -> Rules:
    """Return the rules with LRP-γ in linear layers and convolutions, but for those on the picture; γ = 0 is LRP-ε."""
    return replace(rules, convolution=Gamma(gamma), dense=Gamma(gamma))


def with_attention(rules: Rules, attention: str) -> Rules:
    """Return the rules with one of ``ATTENTION_RULES``."""
    return replace(rules, attention=attention)


def with_positive(rules: Rules) -> Rules:
    """Return the rules with z+ for activations of both signs in linear layers and convolutions."""
    return replace(rules, convolution=Positive(), dense=Positive())
