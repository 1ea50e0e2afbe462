"""Rules of nonlinear operations (normalization, attention, gates), made linear by holding a part constant.

Each holds a part of the operation constant and distributes relevance by the contributions to what is left:
``R_x = x · J^T (R_y / y)`` with the Jacobian J of that part (LRP-ε). Softmax has a rule of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .linear_rules import stabilized

__all__ = [
    "NormConstants",
    "epsilon",
    "frozen_norm",
    "norm_constants",
    "signed_sum",
    "taylor_softmax",
]


def epsilon(
    output: Callable[..., torch.Tensor],
    inputs: Sequence[torch.Tensor],
    *,
    share: float | Sequence[float] = 1.0,
    may_write: bool = True,
) -> torch.Tensor:
    """Run an operation; its backward pass distributes relevance to its inputs by their contributions.

    Args:
        output: the operation, a function of the inputs that is linear in each, but for a constant.
        inputs: inputs that receive relevance.
        share: factor of each input's relevance, 1/2 for a product of two inputs (uniform rule, proposition 3.3 of
            Achtibat et al. 2024); or one for each input.
        may_write: whether the operation may write into its arguments.

    Returns:
        The operation's output.
    """
    shares = (share,) * len(inputs) if isinstance(share, float) else tuple(share)
    result: torch.Tensor = _Epsilon.apply(output, shares, may_write, *inputs)
    return result


@dataclass(frozen=True)
class NormConstants:
    """Arguments of a normalization except its input.

    Attributes:
        groups: number of groups of channels of a group normalization; None for the others.
        dimensions: number of the last dimensions that others normalize over.
        weight: factors of the normalized values; None for 1.
        eps: what is added to the variance; None for the smallest step of the input's type.
        is_centered: whether the mean is subtracted.
    """

    groups: int | None
    dimensions: int
    weight: torch.Tensor | None
    eps: float | None
    is_centered: bool


def norm_constants(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> NormConstants:
    """Read the arguments of a normalization.

    Args:
        name: "layer_norm", "rms_norm" or "group_norm".
        args: arguments after the input.
        kwargs: named arguments.
    """
    names = {
        "layer_norm": ("normalized_shape", "weight", "bias", "eps"),
        "rms_norm": ("normalized_shape", "weight", "eps"),
        "group_norm": ("num_groups", "weight", "bias", "eps"),
    }[name]
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    is_centered = name != "rms_norm"
    return NormConstants(
        groups=given.get("num_groups"),
        dimensions=len(given.get("normalized_shape", ())),
        weight=given.get("weight"),
        eps=given.get("eps", 1e-5 if is_centered else None),
        is_centered=is_centered,
    )


def frozen_norm(
    x: torch.Tensor, normalize: Callable[[torch.Tensor], torch.Tensor], constants: NormConstants
) -> torch.Tensor:
    """Run a normalization; its backward pass takes the scale for a constant, and distributes by contributions.

    What is left is ``(x − mean(x)) · constant``, as the LN rule of Ali et al. 2022 (arXiv:2202.07304, section 4) and
    the detached variance of Achtibat et al. 2024 have it.

    Args:
        x: the input.
        normalize: the normalization.
        constants: what it is.

    Returns:
        The normalized input.
    """
    result: torch.Tensor = _FrozenNorm.apply(x, normalize, constants)
    return result


def signed_sum(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Add two activations of one shape; each receives relevance by its signed share of the sum (LRP-ε)."""
    result: torch.Tensor = _SignedSum.apply(x, y)
    return result


def taylor_softmax(
    x: torch.Tensor, softmax: Callable[[torch.Tensor], torch.Tensor], dimension: int
) -> torch.Tensor:
    """Run a softmax; relevance is ``R_x = x (R_y − y Σ R_y)``, proposition 3.1 of Achtibat et al. 2024.

    Args:
        x: attention scores; −inf where masked.
        softmax: the operation.
        dimension: dimension of the sum.

    Returns:
        The attention weights.
    """
    result: torch.Tensor = _TaylorSoftmax.apply(x, softmax, dimension)
    return result


class _Epsilon(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        output: Callable[..., torch.Tensor],
        shares: tuple[float, ...],
        may_write: bool,
        *inputs: torch.Tensor,
    ) -> torch.Tensor:
        with torch.enable_grad():  # what is run here need not be run again in the backward pass
            leaves = [x.detach().requires_grad_() for x in inputs]
            graph = output(*(x.clone() if may_write else x for x in leaves))
        ctx.graph, ctx.shares = (leaves, graph), shares
        result = graph.detach()
        ctx.save_for_backward(result, *inputs)
        return result

    @staticmethod
    def backward(ctx: Any, *relevance: torch.Tensor) -> Any:
        result, *inputs = ctx.saved_tensors
        leaves, graph = ctx.graph
        share = stabilized(result)
        torch.div(relevance[0], share, out=share)
        most = max(ctx.shares)
        if most != 1:
            share.mul_(most)
        gradients = torch.autograd.grad(graph, leaves, share, retain_graph=True)
        # Not in place: gradients of several inputs may be one tensor.
        received = [x * g for x, g in zip(inputs, gradients, strict=True)]
        for each, part in zip(received, ctx.shares, strict=True):
            if part != most:
                each.mul_(part / most)
        return None, None, None, *received


class _FrozenNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        normalize: Callable[[torch.Tensor], torch.Tensor],
        constants: NormConstants,
    ) -> torch.Tensor:
        result = normalize(x)
        ctx.save_for_backward(x, result)
        ctx.constants = constants
        return result

    @staticmethod
    def backward(ctx: Any, *relevance: torch.Tensor) -> Any:
        x, result = ctx.saved_tensors
        constants: NormConstants = ctx.constants
        share = stabilized(result)
        torch.div(relevance[0], share, out=share)
        groups = constants.groups
        if constants.weight is not None:
            of_channels = constants.weight.shape if groups is None else (-1, *[1] * (x.ndim - 2))
            share.mul_(constants.weight.reshape(of_channels))
        shape = x.shape if groups is None else (len(x), groups, -1)
        parts, shares = x.reshape(shape), share.reshape(shape)
        over = list(range(x.ndim - constants.dimensions, x.ndim)) if groups is None else [-1]
        if constants.is_centered:
            # ``var`` takes twenty times as long.
            variance = parts.sub(parts.mean(over, keepdim=True)).square_().mean(over, keepdim=True)
            shares = shares.sub_(shares.mean(over, keepdim=True))
        else:
            variance = parts.square().mean(over, keepdim=True)
        eps = torch.finfo(x.dtype).eps if constants.eps is None else constants.eps
        return shares.mul_(variance.add_(eps).rsqrt_()).mul_(parts).reshape(x.shape), None, None


class _SignedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        total = x + y
        ctx.save_for_backward(x, y, total)
        return total

    @staticmethod
    def backward(ctx: Any, *relevance: torch.Tensor) -> Any:
        x, y, total = ctx.saved_tensors
        share = stabilized(total)
        torch.div(relevance[0], share, out=share)
        return x * share, share.mul_(y)


class _TaylorSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, softmax: Callable[[torch.Tensor], torch.Tensor], dimension: int
    ) -> torch.Tensor:
        weights = softmax(x)
        ctx.save_for_backward(x, weights)
        ctx.dimension = dimension
        return weights

    @staticmethod
    def backward(ctx: Any, *relevance: torch.Tensor) -> Any:
        x, weights = ctx.saved_tensors
        total = relevance[0].sum(ctx.dimension, keepdim=True)
        received = torch.addcmul(relevance[0], weights, total, value=-1).mul_(x)
        if not bool(weights.amin() > 0):
            # A masked score is −inf: it has no influence, and must not become −inf · 0.
            received.masked_fill_(torch.isinf(x), 0)
        return received, None, None
