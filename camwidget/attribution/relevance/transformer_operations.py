"""Operations of transformers and gated networks: attention, normalization, gates and smooth activation functions.

Two sets of rules, which differ in what receives relevance in an attention or a gated product:

- "cp" (CP-LRP, Ali et al. 2022, arXiv:2202.07304): attention weights are constants; only values receive relevance.
- "attn" (AttnLRP, Achtibat et al. 2024, arXiv:2402.05602): both factors of a product receive half (proposition 3.3),
  and softmax hands its half on to queries and keys (proposition 3.1).

In both, a normalization's scale is a constant, smooth activation functions pass relevance through, and a gate (a
sigmoid) is a constant factor (Arras et al. 2017, doi:10.18653/v1/W17-5221). Constants that are added, such as
positional embeddings, absorb their contribution, as biases do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch

from ..._compat.pytorch import body_of
from ...execution.attention_capture import attention_weights, with_heads_of
from . import operation_names
from .nonlinear_rules import epsilon, frozen_norm, norm_constants, taylor_softmax
from .operation import pass_through
from .tracked_tensor import Role, TrackedTensor, UnsupportedOperation, tensors_in

__all__ = ["TransformerOperations"]

#: Result of an operation, and its role.
Result = tuple[Any, Role]


class ReentrantMode(Protocol):
    """What these operations need of the pass: entered again, it sees operations that an operation consists of."""

    def __enter__(self) -> Any: ...
    def __exit__(self, *error: Any) -> Any: ...
    def refusal(self, what: str) -> UnsupportedOperation: ...


class TransformerOperations:
    """Rules of a pass for operations that networks of ReLUs do not have.

    Args:
        mode: the pass.
        rule: "attn" or "cp".
    """

    def __init__(self, mode: ReentrantMode, rule: str) -> None:
        self._mode = mode
        self._is_attn = rule == "attn"

    def run(
        self,
        name: str,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        sources: tuple[TrackedTensor, ...],
    ) -> Result | None:
        """Run an operation; None if it is none of these, and activations alone take part in it.

        Raises:
            UnsupportedOperation: if it has no rule.
        """
        if name == "scaled_dot_product_attention":
            return self._attention(func, args, kwargs, sources), Role.ACTIVATION
        if name == "multi_head_attention_forward":
            with self._mode:
                return body_of(func)(*args, **kwargs), Role.ACTIVATION
        if name == "baddbmm" and not any(kwargs.get(k, 1) != 1 for k in ("beta", "alpha")):
            with self._mode:
                mask, query, key = args
                return torch.bmm(query, key) + mask, Role.SCORES
        x: Any = args[0] if args else kwargs.get("input")
        rest = args[1:]
        kwargs = {k: v for k, v in kwargs.items() if k != "input"}
        roles = {source.role for source in sources}
        is_only_source = len(sources) == 1 and sources[0].tensor is x
        if name in operation_names.MATRIX_PRODUCTS:
            return self._matrix_product(name, func, (x, *rest), kwargs, sources)
        if name in operation_names.GATES and is_only_source and roles <= _READABLE:
            with torch.no_grad():
                return func(x.clone(), *rest, **kwargs), Role.GATE
        if name in operation_names.PRODUCTS and len(sources) == 2:
            return self._product(name, func, args, kwargs, sources)
        if name == "softmax" and roles == {Role.SCORES} and is_only_source:
            return self._softmax(func, x, rest, kwargs), Role.WEIGHTS
        if not all(role.receives_relevance for role in roles):
            return self._on_factors(name, func, args, kwargs, sources)
        if not is_only_source:
            return None
        if name in operation_names.NORMALIZATIONS and not sources[0].is_picture:
            constants = norm_constants(name, rest, kwargs)
            return frozen_norm(
                x, lambda value: func(value, *rest, **kwargs), constants
            ), Role.ACTIVATION
        if name in operation_names.MOVES and roles == {Role.SMOOTH}:
            return func(*args, **kwargs), Role.SMOOTH
        if name in operation_names.SMOOTH_ACTIVATIONS:
            writes = operation_names.is_in_place(name, args, kwargs)
            output = pass_through(x, lambda value: func(value, *rest, **kwargs), may_write=writes)
            return output, Role.SMOOTH
        return None

    def adds_constant(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], source: TrackedTensor
    ) -> bool:
        """Return whether an operation adds a tensor of constants, which absorb relevance, to an activation."""
        is_addition = name in operation_names.ADDITIONS and not source.is_picture
        return is_addition and len(list(tensors_in([args, kwargs]))) > 1

    def absorb(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], source: TrackedTensor
    ) -> torch.Tensor:
        """Run an operation that adds constants; they absorb their contribution."""
        return epsilon(_function_of([source.tensor], func, args, kwargs), [source.tensor])

    # -- attention ----------------------------------------------------------------------------

    def _attention(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        sources: tuple[TrackedTensor, ...],
    ) -> torch.Tensor:
        """Run fused attention; relevance is that of the operations that it consists of."""
        names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        if given.pop("dropout_p", 0.0) > 0:
            raise self._mode.refusal("dropout")
        query, key, value = (given.pop(name) for name in names[:3])
        tracked = {id(source.tensor) for source in sources}
        has_roles = id(value) in tracked and (id(query) in tracked or id(key) in tracked)
        if self._is_attn and has_roles and id(given.get("attn_mask")) not in tracked:
            self._check_activations(sources)
            return _attention_in_one(func, (query, key, value), tracked, given)
        with self._mode:
            weights = attention_weights(query, key, value, **given)
            return torch.matmul(weights, with_heads_of(weights, value))

    def _matrix_product(
        self,
        name: str,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        sources: tuple[TrackedTensor, ...],
    ) -> Result:
        operands = len(list(tensors_in(args)))
        if operands != 2:
            raise self._mode.refusal(f"{name} of {operands} tensors")
        roles = [source.role for source in sources]
        if Role.WEIGHTS in roles:
            return self._weighted_values(name, func, args, kwargs, sources), Role.ACTIVATION
        self._check_activations(sources)
        if not self._is_attn:
            with torch.no_grad():
                return func(*args, **kwargs), Role.SCORES
        tracked = [source.tensor for source in sources]
        call = _function_of(tracked, func, args, kwargs)
        return epsilon(call, tracked, share=1 / len(tracked), may_write=False), Role.SCORES

    def _weighted_values(
        self,
        name: str,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        sources: tuple[TrackedTensor, ...],
    ) -> torch.Tensor:
        values = [source for source in sources if source.role is not Role.WEIGHTS]
        self._check_activations(values)
        if (
            len(values) != 1
        ):  # the values are constants, or the weights are multiplied by themselves
            raise self._mode.refusal(f"{name} of attention weights without values")
        received = [source.tensor for source in (sources if self._is_attn else values)]
        call = _function_of(received, func, args, kwargs)
        return epsilon(call, received, share=1 / len(received), may_write=False)

    def _softmax(
        self, func: Any, x: torch.Tensor, rest: Any, kwargs: dict[str, Any]
    ) -> torch.Tensor:
        if not self._is_attn:
            with torch.no_grad():
                weights: torch.Tensor = func(x, *rest, **kwargs)
            return weights
        dimension = kwargs.get("dim", rest[0] if rest else -1)
        return taylor_softmax(x, lambda value: func(value, *rest, **kwargs), dimension)

    # -- gates ----------------------------------------------------------------------------------

    def _product(
        self,
        name: str,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        sources: tuple[TrackedTensor, ...],
    ) -> Result | None:
        """Run an elementwise product of two activations: one is a gate, a smooth activation, or neither."""
        gates = [source for source in sources if source.role is Role.GATE]
        signals = [source for source in sources if source.role is not Role.GATE]
        if len(gates) == 2:
            with torch.no_grad():
                return func(*args, **kwargs), Role.GATE
        self._check_activations(signals)
        if len(gates) == 1:
            (signal,) = signals
            output = pass_through(signal.tensor, _function_of([signal.tensor], func, args, kwargs))
            if output.shape != signal.tensor.shape:
                raise self._mode.refusal(f"{name} of an activation and a larger gate")
            return output, Role.ACTIVATION
        smooth = [source for source in sources if source.role is Role.SMOOTH]
        if len(smooth) != 1:
            return None
        # A gated linear unit.
        received = [
            source.tensor for source in sources if self._is_attn or source.role is not Role.SMOOTH
        ]
        output = epsilon(
            _function_of(received, func, args, kwargs), received, share=1 / len(received)
        )
        return output, Role.ACTIVATION

    # -- factors and scores -----------------------------------------------------------------------

    def _on_factors(
        self,
        name: str,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        sources: tuple[TrackedTensor, ...],
    ) -> Result:
        """Run an operation on gates, scores or weights, which changes nothing but their values and places."""
        role = sources[0].role
        if any(source.role is not role for source in sources):
            self._check_activations(sources)
        if name in operation_names.MOVES:
            return func(*args, **kwargs), role
        if name in ("masked_fill", "masked_fill_") and role in (Role.SCORES, Role.WEIGHTS):
            return func(args[0].clone(), *args[1:], **kwargs), role
        if name in operation_names.AFFINE and len(sources) == 1 and role is not Role.WEIGHTS:
            if role is not Role.SCORES or not self._is_attn:
                with torch.no_grad():
                    return func(*args, **kwargs), role
            if self.adds_constant(name, args, kwargs, sources[0]):
                return self.absorb(func, args, kwargs, sources[0]), role
            tensor = sources[0].tensor
            return pass_through(tensor, _function_of([tensor], func, args, kwargs)), role
        if name in operation_names.IDENTITIES and not kwargs.get(
            "training", args[2] if len(args) > 2 else True
        ):
            return args[0], role
        # Such as the mean over the heads, which is returned beside the output.
        with torch.no_grad():
            return func(*args, **kwargs), Role.NO_RULE

    def _check_activations(self, sources: Any) -> None:
        """Raise an error if an operation reads a gate, scores or weights as an activation."""
        for source in sources:
            if not source.role.receives_relevance:
                assert source.refusal is not None
                raise source.refusal


_READABLE = {Role.ACTIVATION, Role.SMOOTH}


def _attention_in_one(
    func: Any,
    operands: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    tracked: set[int],
    settings: dict[str, Any],
) -> torch.Tensor:
    """Run fused attention with the rules "attn" of its products and softmax, applied in one backward pass.

    With ``S = Q K^T``, ``A = softmax(S)``, ``O = A V`` and ``G = R_O / O``, the rules are ``R_V = ½ V ⊙ A^T G``,
    ``R_A = ½ A ⊙ G V^T``, ``R_S = S ⊙ (R_A − A Σ R_A)`` and ``R_Q = ½ Q ⊙ (R_S / S) K``. The factor S of ``R_S``
    cancels in the last one, also where a mask was added to S, and ``R_A − A Σ R_A`` is half of what the gradient of a
    softmax gives for ``G V^T``. So queries, keys and values have their gradients for G, times themselves, times ¼, ¼
    and ½.

    Args:
        func: ``scaled_dot_product_attention``.
        operands: queries, keys and values.
        tracked: identities of the tensors that receive relevance: the values, and queries or keys or both.
        settings: the other arguments; the mask is a constant.

    Returns:
        The operation's output.
    """
    received = [tensor for tensor in operands if id(tensor) in tracked]
    at_scores = len(received) - 1  # how many of queries and keys receive relevance
    shares = [0.5 / at_scores] * at_scores + [0.5]

    def call(*values: torch.Tensor) -> torch.Tensor:
        given = iter(values)
        filled = [next(given) if id(tensor) in tracked else tensor for tensor in operands]
        result: torch.Tensor = func(*filled, **settings)
        return result

    return epsilon(call, received, share=shares, may_write=False)


def _function_of(
    tensors: list[torch.Tensor], func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Callable[..., torch.Tensor]:
    """Return an operation as a function of some of the tensors in its arguments."""

    def replaced(value: Any, by: dict[int, torch.Tensor]) -> Any:
        if isinstance(value, torch.Tensor):
            return by.get(id(value), value)
        if type(value) in (list, tuple):
            return type(value)(replaced(item, by) for item in value)
        return value

    def call(*values: torch.Tensor) -> torch.Tensor:
        by = {id(tensor): value for tensor, value in zip(tensors, values, strict=True)}
        result: torch.Tensor = func(
            *replaced(args, by), **{k: replaced(v, by) for k, v in kwargs.items()}
        )
        return result

    return call
