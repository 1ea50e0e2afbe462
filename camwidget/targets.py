"""What is explained: a number per picture, computed from the model's output."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import torch

from .errors import TargetError

if TYPE_CHECKING:
    from .models import VisionModel

__all__ = [
    "ClassTarget",
    "EachTarget",
    "FunctionTarget",
    "Target",
    "TargetLike",
    "predicted_target",
    "resolve_target",
]


class Target(Protocol):
    """Anything with a label and a score. Targets are hashable: gradients are remembered by target."""

    @property
    def label(self) -> str:
        """What a person calls it."""

    @property
    def index(self) -> int | None:
        """The class index, where the target is one class."""

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits (N, C) to the explained number of each picture (N,), differentiably."""


TargetLike: TypeAlias = "int | str | Target | Callable[[torch.Tensor], torch.Tensor]"


@dataclass(frozen=True)
class ClassTarget:
    """The logit of one class."""

    index: int
    label: str

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """The class's logit, shape (N,)."""
        return logits[:, self.index]


@dataclass(frozen=True)
class EachTarget:
    """A class of its own for each picture of a batch: one score, one backward pass for all."""

    targets: tuple[ClassTarget, ...]
    label: str = "predicted"
    index: None = None

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """Each picture's own logit, shape (N,)."""
        index = torch.tensor([t.index for t in self.targets], device=logits.device)
        return logits.gather(1, index[:, None])[:, 0]


@dataclass(frozen=True, eq=False)
class FunctionTarget:
    """Any function of the logits (N, C) that gives a number per picture (N,)."""

    function: Callable[[torch.Tensor], torch.Tensor]
    label: str
    index: None = None

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """The function's value, shape (N,)."""
        value = self.function(logits)
        # For one picture, a bare number is as clear.
        if isinstance(value, torch.Tensor) and value.ndim == 0 and len(logits) == 1:
            return value[None]
        return value


def resolve_target(model: VisionModel, target: TargetLike) -> Target:
    """A class index, class name, target or callable as a target.

    Raises:
        TargetError: if there is no such class; close names are suggested.
    """
    if isinstance(target, (ClassTarget, EachTarget, FunctionTarget)):
        return target
    if isinstance(target, str) or _is_whole(target):
        index = model.class_index(target)  # type: ignore[arg-type]
        return ClassTarget(index, model.classes[index])
    if hasattr(target, "score"):
        return target  # type: ignore[return-value]
    if callable(target):
        return FunctionTarget(target, getattr(target, "__name__", "target").strip("<>"))
    raise TargetError(
        "A target is a class index, a class name, or a callable from logits (N, C) to (N,), "
        f"not {type(target).__name__}."
    )


def _is_whole(value: object) -> bool:
    try:
        operator.index(value)  # type: ignore[arg-type]
    except (TypeError, RuntimeError):
        return False
    return True


def predicted_target(model: VisionModel, logits: torch.Tensor) -> ClassTarget | EachTarget:
    """The class that each picture of a batch is taken for; logits (N, C)."""
    targets = tuple(ClassTarget(i, model.classes[i]) for i in logits.argmax(dim=1).tolist())
    return targets[0] if len(set(targets)) == 1 else EachTarget(targets)
