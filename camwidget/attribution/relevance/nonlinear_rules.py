"""Rules of operations that are linear once a part is held constant: normalization, attention, gates.

Each holds a part of the operation constant and distributes relevance by the contributions to what is left:
``R_x = x · J^T (R_y / y)`` with the Jacobian J of that part (LRP-ε). Softmax has a rule of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from .linear_rules import stabilized

__all__ = ["epsilon", "frozen_norm", "signed_sum", "taylor_softmax"]


def epsilon(
    output: Callable[..., torch.Tensor],
    inputs: Sequence[torch.Tensor],
    *,
    linear: Callable[..., torch.Tensor] | None = None,
    share: float = 1.0,
) -> torch.Tensor:
    """Run an operation; its backward pass distributes relevance to its inputs by their contributions.

    Args:
        output: the operation, a function of the inputs.
        inputs: inputs that receive relevance.
        linear: the part of it in which contributions are counted, linear in each input; ``output`` if None.
        share: factor of each input's relevance, 1/2 for a product of two inputs (uniform rule, proposition 3.3 of
            Achtibat et al. 2024).

    Returns:
        The operation's output.
    """
    result: torch.Tensor = _Epsilon.apply(output, linear or output, share, *inputs)
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


def frozen_norm(
    name: str, args: Sequence[Any], kwargs: dict[str, Any]
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a normalization as a function of its input in which the scale is a constant.

    Args:
        name: "layer_norm", "rms_norm" or "group_norm".
        args: arguments after the input.
        kwargs: named arguments.

    Returns:
        Function of x to the normalized x. Its Jacobian is that of ``(x − mean(x)) · constant``, as the LN rule of Ali
        et al. 2022 (arXiv:2202.07304, section 4) and the detached variance of Achtibat et al. 2024 have it.
    """
    names = {
        "layer_norm": ("normalized_shape", "weight", "bias", "eps"),
        "rms_norm": ("normalized_shape", "weight", "eps"),
        "group_norm": ("num_groups", "weight", "bias", "eps"),
    }[name]
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    weight, bias = given.get("weight"), given.get("bias")

    def normalize(x: torch.Tensor) -> torch.Tensor:
        if name == "group_norm":
            parts = x.reshape(len(x), given["num_groups"], -1)
            dimensions: tuple[int, ...] = (2,)
        else:
            parts, shape = x, given["normalized_shape"]
            dimensions = tuple(range(x.ndim - len(shape), x.ndim))
        eps = given.get("eps")
        if eps is None:
            eps = torch.finfo(x.dtype).eps if name == "rms_norm" else 1e-5
        if name != "rms_norm":
            parts = parts - parts.mean(dimensions, keepdim=True)
        scale = (parts.detach().square().mean(dimensions, keepdim=True) + eps).rsqrt()
        result = (parts * scale).reshape(x.shape)
        per_channel = (-1, *[1] * (x.ndim - 2)) if name == "group_norm" else None
        if weight is not None:
            result = result * (weight if per_channel is None else weight.reshape(per_channel))
        if bias is not None:
            result = result + (bias if per_channel is None else bias.reshape(per_channel))
        return result

    return normalize


class _Epsilon(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        output: Callable[..., torch.Tensor],
        linear: Callable[..., torch.Tensor],
        share: float,
        *inputs: torch.Tensor,
    ) -> torch.Tensor:
        ctx.linear, ctx.share, ctx.graph = linear, share, None
        # Some operations write into their argument, so that they get a copy.
        if linear is not output:
            result = output(*(x.clone() for x in inputs))
        else:  # what is run here need not be run again in the backward pass
            with torch.enable_grad():
                leaves = [x.detach().requires_grad_() for x in inputs]
                graph = output(*(x.clone() for x in leaves))
            ctx.graph, result = (leaves, graph), graph.detach()
        ctx.save_for_backward(result, *inputs)
        return result

    @staticmethod
    def backward(ctx: Any, *relevance: torch.Tensor) -> Any:
        result, *inputs = ctx.saved_tensors
        with torch.enable_grad():
            if ctx.graph is None:
                leaves = [x.detach().requires_grad_() for x in inputs]
                linear = ctx.linear(*(x.clone() for x in leaves))
            else:
                leaves, linear = ctx.graph
            share = relevance[0] / stabilized(result)
            gradients = torch.autograd.grad(linear, leaves, share, retain_graph=True)
        received = [ctx.share * x * g for x, g in zip(inputs, gradients, strict=True)]
        return None, None, None, *received


class _SignedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        total = x + y
        ctx.save_for_backward(x, y, total)
        return total

    @staticmethod
    def backward(ctx: Any, *relevance: torch.Tensor) -> Any:
        x, y, total = ctx.saved_tensors
        share = relevance[0] / stabilized(total)
        return x * share, y * share


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
        received = (relevance[0] - weights * total).mul_(x)
        if not bool(weights.amin() > 0):
            # A masked score is −inf: it has no influence, and must not become −inf · 0.
            received.masked_fill_(torch.isinf(x), 0)
        return received, None, None
