"""A softmax or sigmoid at the end of a module: detected while it runs, and the logits before it."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch.overrides import TorchFunctionMode

from .outputs import as_scores, is_row_each

__all__ = ["ActivationRecorder", "Ending", "SkippedActivation", "looks_like", "undo"]

#: What a module may end in.
Ending: TypeAlias = Literal["softmax", "log_softmax", "sigmoid", "logsigmoid"]

#: Names of PyTorch's functions, methods and in-place methods.
_ENDINGS: dict[str, Ending] = {
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
    ending: Ending
    source: torch.Tensor
    result: torch.Tensor


class ActivationRecorder(TorchFunctionMode):
    """Remembers what went into each softmax and sigmoid of one pass that gave a row of scores for each picture."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[_Call] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        ending = _ENDINGS.get(getattr(func, "__name__", ""))
        if ending is None:
            return func(*args, **kwargs)
        source = args[0] if args else kwargs.get("input")
        if isinstance(source, torch.Tensor) and func.__name__.endswith("_"):
            source = source.clone()  # which is about to be overwritten
        result = func(*args, **kwargs)
        # Attention's and gates' are not kept alive: only what could be a row of scores is.
        if isinstance(source, torch.Tensor) and (
            not result.ndim or is_row_each(result, len(result))
        ):
            self._calls.append(_Call(ending, source, result))
        return result

    def before(self, scores: torch.Tensor) -> tuple[Ending, torch.Tensor] | None:
        """What the scores (N, columns) were made from, and how; None if they are no softmax or sigmoid."""
        for call in reversed(self._calls):
            result = as_scores(call.result, len(scores), scores.shape[1])
            source = as_scores(call.source, len(scores), scores.shape[1])
            if result is None or source is None:
                continue
            # Not to the last bit: percentages that are divided again may differ in it.
            if torch.allclose(result.detach().to(scores.dtype), scores.detach(), 1e-5, 1e-9):
                return call.ending, source
        return None


class SkippedActivation(TorchFunctionMode):
    """Leaves one kind of ending out, for rows of so many scores: what goes in comes out."""

    def __init__(self, ending: Ending, columns: int) -> None:
        super().__init__()
        self._ending = ending
        self._columns = columns

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if _ENDINGS.get(getattr(func, "__name__", "")) == self._ending:
            source = args[0] if args else kwargs["input"]
            if source.numel() == len(source) * self._columns:
                return source
        return func(*args, **kwargs)


def looks_like(scores: torch.Tensor) -> frozenset[Ending]:
    """Which endings the values of scores (N, columns) leave possible."""
    values = scores.detach().double().cpu()
    digits = 1e-3 if torch.finfo(scores.dtype).bits >= 32 else 1e-2
    several = values.shape[1] > 1
    found: set[Ending] = set()
    if bool(((values >= 0) & (values <= 1)).all()):
        found.add("sigmoid")
        if several and bool(((values.sum(1) - 1).abs() < digits).all()):
            found.add("softmax")
    if bool((values <= 0).all()):
        found.add("logsigmoid")
        if several and bool((values.logsumexp(1).abs() < digits).all()):
            found.add("log_softmax")
    return frozenset(found)


def undo(scores: torch.Tensor, ending: Ending) -> torch.Tensor:
    """Logits from the scores alone, differentiable, and finite where a probability is 0 or 1.

    Of a softmax these are the logarithms, which give the same probabilities. Where a probability is 1 to its last
    digit, nothing tells any more what went in, and there is no gradient.
    """
    if ending in ("log_softmax", "logsigmoid"):
        return scores if ending == "log_softmax" else undo(scores.exp(), "sigmoid")
    wide = scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores
    digits = torch.finfo(wide.dtype)
    if ending == "softmax":
        return wide.clamp(min=digits.tiny).log()
    return wide.clamp(min=digits.tiny).log() - (1 - wide).clamp(min=digits.eps / 2).log()
