"""Rules of linear operations: ε and γ (``Gamma``) and z+ (``Positive``) for both signs, and flat (``Flat``).

They equal zennit's rules of the same names, in fewer products: contributions are split by sign with ``|x|·|w|``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .operation import STABILIZER, Operation

__all__ = ["Flat", "Gamma", "Positive", "stabilized"]


def stabilized(denominator: torch.Tensor) -> torch.Tensor:
    """Return a denominator moved away from zero by ``STABILIZER``, in the direction of its sign."""
    return torch.copysign(denominator.new_tensor(STABILIZER), denominator).add_(denominator)


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

    def denominator(
        self, operation: Operation, x: torch.Tensor, output: torch.Tensor
    ) -> torch.Tensor:
        """Return what relevance of the output is divided by (its shape), with the output's sign.

        Divided by 1 + γ/2, since contributions with the output's sign have the magnitude (|Σ_j z_jk| + Σ_j |z_jk|) / 2:
        ``|Σ_j z_jk| + β Σ_j |z_jk|`` with ``β = γ / (2 + γ)``.

        Args:
            operation: the operation.
            x: its input.
            output: its output.
        """
        if not self.gamma:
            return stabilized(output)
        return operation.magnitudes_sum(x, self._beta).copysign_(output).add_(output)

    def propagate(
        self,
        operation: Operation,
        x: torch.Tensor,
        denominator: torch.Tensor,
        relevance: torch.Tensor,
    ) -> torch.Tensor:
        """Return the relevance of an operation's input (its shape): the parts ``z_jk ± β |z_jk|`` of the output's.

        Args:
            operation: the operation.
            x: its input.
            denominator: what ``denominator`` returned.
            relevance: relevance of the output.
        """
        assert operation.weight is not None
        share = operation.memory.of("share", denominator)
        torch.div(relevance, denominator, out=share)
        received = operation.transposed(operation.weight, x, share).mul_(x)
        if self.gamma:  # relevance over the magnitude of the denominator has the relevance's sign
            unsigned = share.copysign_(relevance)
            absolute = operation.transposed(operation.magnitude(), x, unsigned, is_temporary=True)
            received.addcmul_(absolute, operation.memory.magnitude(x), value=self._beta)
        return received

    @property
    def _beta(self) -> float:
        return self.gamma / (2 + self.gamma)


@dataclass(frozen=True)
class Positive:
    """z+ without biases: relevance is shared by the positive contributions, whatever the output's sign.

    Eq. 60 of Bach et al. 2015 (α = 1, β = 0), with the positive contributions of negative inputs as well.
    """

    def denominator(
        self, operation: Operation, x: torch.Tensor, output: torch.Tensor
    ) -> torch.Tensor:
        """Return what relevance of the output is divided by, twice the positive contributions."""
        total = output if operation.bias is None else output - operation.broadcast_bias(output)
        size = operation.call(x.abs(), operation.magnitude(), None)
        return stabilized(size.add_(total).clamp_(min=0))

    def propagate(
        self,
        operation: Operation,
        x: torch.Tensor,
        denominator: torch.Tensor,
        relevance: torch.Tensor,
    ) -> torch.Tensor:
        """Return the relevance of an operation's input, as ``Gamma.propagate``."""
        assert operation.weight is not None
        share = relevance / denominator
        received = operation.transposed(operation.weight, x, share).mul_(x)
        absolute = operation.transposed(operation.magnitude(), x, share)
        return received.addcmul_(absolute, x.abs())


@dataclass(frozen=True)
class Flat:
    """Flat rule: relevance is shared equally by all inputs of an output (Lapuschkin et al. 2019, arXiv:1902.10178)."""

    def denominator(
        self, operation: Operation, x: torch.Tensor, output: torch.Tensor
    ) -> torch.Tensor:
        """Return the number of inputs of each output; padding does not count."""
        return stabilized(operation.call(torch.ones_like(x), self._ones(operation, x), None))

    def propagate(
        self,
        operation: Operation,
        x: torch.Tensor,
        denominator: torch.Tensor,
        relevance: torch.Tensor,
    ) -> torch.Tensor:
        """Return the relevance of an operation's input, as ``Gamma.propagate``."""
        weight = self._ones(operation, x)
        if len(weight) == 1:
            relevance = relevance.sum(1, keepdim=True)
        return operation.transposed(weight, x, relevance / denominator)

    def _ones(self, operation: Operation, x: torch.Tensor) -> torch.Tensor:
        """Return weights of 1: of one output channel where all channels have the same inputs."""
        assert operation.weight is not None
        weight = operation.weight
        is_shared = weight.ndim > 2 and operation.mergeable and weight.shape[1] == x.shape[1]
        return torch.ones_like(weight[:1] if is_shared else weight)
