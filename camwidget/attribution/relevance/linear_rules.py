"""Rules of linear operations on activations of both signs: ε and γ (``Gamma``), and z+ (``Positive``).

They equal zennit's rules of the same names, in fewer products: contributions are split by sign with ``|x|·|w|``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from .operation import Operation

__all__ = ["STABILIZER", "Gamma", "Positive", "stabilized"]

#: Keeps denominators from zero. It is small enough to absorb no relevance even where activations shrink with depth,
#: and large enough that its inverse is a float32.
STABILIZER = 1e-20


def stabilized(denominator: torch.Tensor) -> torch.Tensor:
    """Return a denominator moved away from zero by ``STABILIZER``, in the direction of its sign."""
    return denominator + torch.copysign(denominator.new_tensor(STABILIZER), denominator)


@dataclass(frozen=True)
class Gamma:
    """LRP-γ for activations of both signs, and LRP-ε with γ = 0.

    Section 10.2.3 of Montavon et al. 2019 (doi:10.1007/978-3-030-28954-6_10), generalized to negative inputs and
    outputs as in zennit: contributions ``z_jk = x_j w_jk`` with the output's sign count 1 + γ times, and the bias is a
    contribution.

    Attributes:
        gamma: γ ≥ 0.
    """

    gamma: float

    def propagate(
        self, operation: Operation, x: torch.Tensor, output: torch.Tensor, relevance: torch.Tensor
    ) -> torch.Tensor:
        """Return the relevance of an operation's input (its shape).

        Args:
            operation: the operation.
            x: its input.
            output: its output.
            relevance: relevance of its output.
        """
        assert operation.weight is not None
        if not self.gamma:
            share = relevance / stabilized(output)
            return x * operation.transposed(operation.weight, x, share)
        # Σ_j |z_jk|, so that the contributions with the output's sign have the magnitude (|Σ_j z_jk| + Σ_j |z_jk|) / 2.
        weight_size = operation.weight.abs()
        bias_size = None if operation.bias is None else operation.bias.abs()
        denominator = operation.call(x.abs(), weight_size, bias_size).mul_(self.gamma / 2)
        denominator.add_(output.abs(), alpha=1 + self.gamma / 2).add_(STABILIZER)
        unsigned = relevance / denominator
        share = torch.copysign(unsigned.new_ones(()), output).mul_(unsigned)
        linear = operation.transposed(operation.weight, x, share).mul_(x)
        absolute = operation.transposed(weight_size, x, unsigned).mul_(x.abs())
        return linear.mul_(1 + self.gamma / 2).add_(absolute, alpha=self.gamma / 2)


@dataclass(frozen=True)
class Positive:
    """z+ without biases: relevance is shared by the positive contributions, whatever the output's sign.

    Eq. 60 of Bach et al. 2015 (α = 1, β = 0), with the positive contributions of negative inputs as well.
    """

    def propagate(
        self, operation: Operation, x: torch.Tensor, output: torch.Tensor, relevance: torch.Tensor
    ) -> torch.Tensor:
        """Return the relevance of an operation's input, as ``Gamma.propagate``."""
        assert operation.weight is not None
        weight, magnitude = operation.weight, operation.weight.abs()
        total = output if operation.bias is None else output - operation.broadcast_bias(output)
        positive = (total + operation.call(x.abs(), magnitude, None)) / 2
        share = relevance / stabilized(positive.clamp(min=0)) / 2
        linear = x * operation.transposed(weight, x, share)
        return linear + x.abs() * operation.transposed(magnitude, x, share)
