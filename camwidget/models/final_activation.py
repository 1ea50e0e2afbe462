"""Final activation: detect a softmax or sigmoid at the end of a module, and recover the logits before it."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch.overrides import TorchFunctionMode

from .output_tensors import as_scores, has_row_per_picture

__all__ = [
    "ActivationRecorder",
    "FinalActivation",
    "SkippedActivation",
    "invert_activation",
    "possible_activations",
]

#: Kinds of final activations.
FinalActivation: TypeAlias = Literal["softmax", "log_softmax", "sigmoid", "logsigmoid"]

#: Final activations by the names of PyTorch's functions, methods and in-place methods.
_ACTIVATION_NAMES: dict[str, FinalActivation] = {
    "softmax": "softmax",
    "special_softmax": "softmax",
    "log_softmax": "log_softmax",
    "special_log_softmax": "log_softmax",
    "sigmoid": "sigmoid",
    "sigmoid_": "sigmoid",
    "special_expit": "sigmoid",
    "logsigmoid": "logsigmoid",
    "log_sigmoid": "logsigmoid",
}


class _Call(NamedTuple):
    ending: FinalActivation
    source: torch.Tensor
    result: torch.Tensor


class ActivationRecorder(TorchFunctionMode):
    """Function mode that records the input of each softmax and sigmoid whose result is one row of scores a picture."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[_Call] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        ending = _ACTIVATION_NAMES.get(getattr(func, "__name__", ""))
        if ending is None:
            return func(*args, **kwargs)
        source = args[0] if args else kwargs.get("input")
        if isinstance(source, torch.Tensor) and func.__name__.endswith("_"):
            source = source.clone()  # the operation overwrites its input
        result = func(*args, **kwargs)
        # Activations of attention and gates are not kept alive: only possible rows of scores are.
        if isinstance(source, torch.Tensor) and (
            not result.ndim or has_row_per_picture(result, len(result))
        ):
            self._calls.append(_Call(ending, source, result))
        return result

    def source_of(self, scores: torch.Tensor) -> tuple[FinalActivation, torch.Tensor] | None:
        """Return the activation that computed the scores (N, columns), and its input; None if there is none."""
        for call in reversed(self._calls):
            result = as_scores(call.result, len(scores), scores.shape[1])
            source = as_scores(call.source, len(scores), scores.shape[1])
            if result is None or source is None:
                continue
            # With a tolerance, since percentages that are divided again may differ in the last bit.
            if torch.allclose(result.detach().to(scores.dtype), scores.detach(), 1e-5, 1e-9):
                return call.ending, source
        return None


class SkippedActivation(TorchFunctionMode):
    """Function mode that replaces one kind of activation by the identity, for rows of a number of scores."""

    def __init__(self, ending: FinalActivation, columns: int) -> None:
        super().__init__()
        self._ending = ending
        self._columns = columns

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if _ACTIVATION_NAMES.get(getattr(func, "__name__", "")) == self._ending:
            source = args[0] if args else kwargs["input"]
            if source.numel() == len(source) * self._columns:
                return source
        return func(*args, **kwargs)


def possible_activations(scores: torch.Tensor) -> frozenset[FinalActivation]:
    """Return the final activations whose range fits the values of scores (N, columns)."""
    values = scores.detach().double().cpu()
    digits = 1e-3 if torch.finfo(scores.dtype).bits >= 32 else 1e-2
    several = values.shape[1] > 1
    found: set[FinalActivation] = set()
    if bool(((values >= 0) & (values <= 1)).all()):
        found.add("sigmoid")
        if several and bool(((values.sum(1) - 1).abs() < digits).all()):
            found.add("softmax")
    if bool((values <= 0).all()):
        found.add("logsigmoid")
        if several and bool((values.logsumexp(1).abs() < digits).all()):
            found.add("log_softmax")
    return frozenset(found)


def invert_activation(scores: torch.Tensor, ending: FinalActivation) -> torch.Tensor:
    """Compute logits from scores by the inverse of their activation, differentiably, finite at 0 and 1.

    The logits of a softmax are the logarithms, which give the same probabilities. Where a probability is 1 to the last
    digit, its logit cannot be recovered, and there is no gradient.
    """
    if ending in ("log_softmax", "logsigmoid"):
        return scores if ending == "log_softmax" else invert_activation(scores.exp(), "sigmoid")
    wide = scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores
    digits = torch.finfo(wide.dtype)
    if ending == "softmax":
        return wide.clamp(min=digits.tiny).log()
    return wide.clamp(min=digits.tiny).log() - (1 - wide).clamp(min=digits.eps / 2).log()
