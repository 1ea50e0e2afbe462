"""Operations of heads of cosines: division of features by their length, and cosines with constant vectors.

The length is a constant, as a normalization's scale is in the rules of Ali et al. 2022 (arXiv:2202.07304, section 4)
and Achtibat et al. 2024 (arXiv:2402.05602): an embedding divided by its length is RMSNorm without weights, times 1/√D.
So the feature ``f_k`` of ``s · cos(f, t) = Σ_k s f_k t_k / (|f| |t|)`` has the relevance of its own term, and the terms
add up to the score. The derivative of the length would take all of it back: a cosine does not change when f is scaled,
so that ``Σ_k f_k ∂cos/∂f_k = 0``.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch.nn import functional as nnF

from . import operation_names
from .operation import pass_through
from .tracked_tensor import Role, TrackedTensor, UnsupportedOperation

__all__ = ["CosineOperations"]


class LinearMode(Protocol):
    """What these operations need of the pass."""

    def refusal(self, what: str) -> UnsupportedOperation: ...
    def linear(
        self, name: str, func: Any, x: torch.Tensor, rest: Any, kwargs: Any, source: TrackedTensor
    ) -> torch.Tensor: ...


class CosineOperations:
    """Rules of a pass for lengths, divisions by them, and cosines.

    Args:
        mode: the pass.
    """

    def __init__(self, mode: LinearMode) -> None:
        self._mode = mode

    def run(
        self,
        name: str,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        sources: tuple[TrackedTensor, ...],
    ) -> tuple[Any, Role] | None:
        """Run an operation; return its result and the role of it, or None if it is none of these.

        Raises:
            UnsupportedOperation: if a length is used otherwise than to divide activations by it.
        """
        if any(source.role is Role.LENGTH for source in sources):
            return self._with_length(name, func, args, kwargs, sources)
        if name == "cosine_similarity":
            return self._cosine(args, kwargs, sources), Role.ACTIVATION
        source = sources[0]
        is_only_activation = (
            len(sources) == 1 and source.role.receives_relevance and not source.is_picture
        )
        if not is_only_activation or kwargs.get("out") is not None:
            return None
        if name in operation_names.LENGTHS:
            with torch.no_grad():
                return func(*args, **kwargs), Role.LENGTH
        if name == "normalize":
            rest = {k: v for k, v in kwargs.items() if k != "input"}
            output = pass_through(source.tensor, lambda value: func(value, *args[1:], **rest))
            return output, Role.ACTIVATION
        return None

    def _with_length(
        self,
        name: str,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        sources: tuple[TrackedTensor, ...],
    ) -> tuple[Any, Role]:
        """Divide an activation by a length, or move a length, or keep it from zero."""
        (length, *others) = sorted(sources, key=lambda source: source.role is not Role.LENGTH)
        first = args[0] if args else None
        if name in operation_names.DIVISIONS and len(others) == 1:
            signal = others[0]
            if first is signal.tensor and signal.role.receives_relevance:
                output = pass_through(signal.tensor, lambda value: func(value, *args[1:], **kwargs))
                if output.shape == signal.tensor.shape:
                    return output, Role.ACTIVATION
        is_kept = name in operation_names.MOVES or not others
        if first is length.tensor and is_kept and name in operation_names.KEEP_LENGTH:
            with torch.no_grad():
                return func(first.clone(), *args[1:], **kwargs), Role.LENGTH
        assert length.refusal is not None
        raise length.refusal

    def _cosine(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], sources: tuple[TrackedTensor, ...]
    ) -> torch.Tensor:
        """Run ``cosine_similarity`` with a constant as a weighted sum of the features divided by their length."""
        names = ("x1", "x2", "dim", "eps")
        given = {"dim": 1, "eps": 1e-8, **dict(zip(names, args, strict=False)), **kwargs}
        operands = [given["x1"], given["x2"]]
        source = sources[0]
        if len(sources) > 1 or source.is_picture or not source.role.receives_relevance:
            raise self._mode.refusal(operation_names.HEAD_DESCRIPTIONS["cosine_similarity"])
        other = operands[operands[0] is source.tensor]
        dim, eps = given["dim"], given["eps"]
        dim = dim if dim < 0 else dim - max(o.ndim for o in operands)
        divided = pass_through(source.tensor, lambda value: nnF.normalize(value, dim=dim, eps=eps))
        with torch.no_grad():
            weight = nnF.normalize(other, dim=dim, eps=eps)

        def weighted_sum(value: torch.Tensor, weights: torch.Tensor, bias: None) -> torch.Tensor:
            return (value * weights).sum(dim)

        return self._mode.linear("cosine", weighted_sum, divided, [weight], {}, source)
