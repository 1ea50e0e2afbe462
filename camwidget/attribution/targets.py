"""Targets: the number per picture that is explained, computed from the module's output.

``Contrast``, ``Counterfactual`` and ``LogProbability`` are written with class names or indices, and
resolved for a model when they are used.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import torch

from ..errors import CamwidgetError, TargetError
from ..models.outputs import ScoredOutput, is_plain
from ..models.scores import log_probabilities_of
from ..runtime.error_reports import error_line

if TYPE_CHECKING:
    from ..models.vision_model import VisionModel

__all__ = [
    "ClassTarget",
    "Contrast",
    "Counterfactual",
    "EachTarget",
    "FunctionTarget",
    "LogProbability",
    "Target",
    "TargetLike",
    "predicted_target",
    "resolve_target",
    "score_of",
    "wants_output",
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


TargetLike: TypeAlias = "int | str | Target | Callable[[Any], torch.Tensor]"


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
    """Any function of the model's output that gives a number per picture (N,).

    The output is the module's own: logits (N, C), or whatever a module without plain logits returns.
    """

    function: Callable[[Any], torch.Tensor]
    label: str
    index: None = None

    def score(self, output: Any) -> torch.Tensor:
        """The function's value, shape (N,)."""
        return self.function(output)


@dataclass(frozen=True)
class Contrast:
    """One class rather than another: the difference of their logits.

    Args:
        of: a class index, class name, or target.
        against: the same.
    """

    of: TargetLike
    against: TargetLike
    index: None = None

    @property
    def label(self) -> str:
        """As a person says it."""
        return f"{_label(self.of)} rather than {_label(self.against)}"

    def resolved(self, model: VisionModel) -> Contrast:
        """The same contrast between a model's own classes.

        Raises:
            TargetError: if a class is unknown, or both are the same.
        """
        of, against = resolve_target(model, self.of), resolve_target(model, self.against)
        if of == against:
            raise TargetError(
                f"A contrast is between two classes, and {of.label!r} against itself is 0 for every picture. Name "
                "another, or explain the class alone."
            )
        return replace(self, of=of, against=against)

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """The difference, shape (N,)."""
        return _inner(self.of).score(logits) - _inner(self.against).score(logits)


@dataclass(frozen=True)
class Counterfactual:
    """What speaks against a class: removing it would make the model surer.

    The negated score, whose gradient is the counterfactual explanation of Grad-CAM (Selvaraju 2017,
    section 3.3).

    Args:
        of: a class index, class name, or target.
    """

    of: TargetLike
    index: None = None

    @property
    def label(self) -> str:
        """As a person says it."""
        return f"against {_label(self.of)}"

    def resolved(self, model: VisionModel) -> Counterfactual:
        """The same for a model's own class."""
        return replace(self, of=resolve_target(model, self.of))

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """The negated score, shape (N,)."""
        return -_inner(self.of).score(logits)


@dataclass(frozen=True)
class LogProbability:
    """The logarithm of a class's probability: what tells it from all the others.

    Args:
        of: a class index or class name.
        scores: how the model's outputs become probabilities; the model says it.
    """

    of: int | str | ClassTarget
    index: None = None
    scores: str = field(default="softmax", repr=False)

    @property
    def label(self) -> str:
        """As a person says it."""
        return f"log p({_label(self.of)})"

    def resolved(self, model: VisionModel) -> LogProbability:
        """The same for a model's own class.

        Raises:
            TargetError: if ``of`` is not a class.
        """
        of = resolve_target(model, self.of)
        if not isinstance(of, ClassTarget):
            raise TargetError(f"LogProbability is of a class, not of {of.label!r}.")
        return replace(self, of=of, scores=model.scores)

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """The class's log-probability, shape (N,)."""
        index = _inner(self.of).index
        assert index is not None
        return log_probabilities_of(logits, self.scores)[:, index]


def wants_output(target: object) -> bool:
    """Whether a target is computed from the module's own output rather than from the logits in it."""
    if isinstance(target, (Contrast, Counterfactual)):
        return wants_output(target.of) or wants_output(getattr(target, "against", None))
    return isinstance(target, FunctionTarget)


def score_of(target: Target, returned: Any, logits: torch.Tensor) -> torch.Tensor:
    """A target's score (N,) of what the module returned, and the logits (N, C) in it.

    Raises:
        TargetError: if the target gives anything else than a number per picture.
    """
    if isinstance(target, Contrast):
        sides = (score_of(_inner(t), returned, logits) for t in (target.of, target.against))
        return next(sides) - next(sides)
    if isinstance(target, Counterfactual):
        return -score_of(_inner(target.of), returned, logits)
    count = len(logits)
    # A copy of logits, which somebody's function may write into.
    source = logits.clone()
    if wants_output(target) and not is_plain(returned, logits):
        source = returned.output if isinstance(returned, ScoredOutput) else returned
    try:
        score = target.score(source)
    except CamwidgetError:
        raise
    except Exception as error:  # somebody's function
        raise TargetError(
            f"The target {target.label!r} fails on the model's output: {error_line(error)}"
        ) from error
    if isinstance(score, torch.Tensor) and score.ndim == 0 and count == 1:
        score = score[None]  # for one picture, a bare number is as clear
    if not isinstance(score, torch.Tensor) or score.shape != (count,):
        got = tuple(score.shape) if isinstance(score, torch.Tensor) else type(score).__name__
        raise TargetError(
            f"The target {target.label!r} must give one number per picture, shape ({count},), not {got}."
        )
    if not bool(score.detach().isfinite().all()):
        if bool(torch.isfinite(logits).all()):
            raise TargetError(
                f"The target {target.label!r} is NaN or infinite for this picture. Explain a finite number."
            )
        raise TargetError(
            f"The score of {target.label!r} is infinite for this picture: the model masks a class out, for which "
            "there is no evidence. Choose another class."
        )
    return score


def _inner(target: TargetLike) -> Target:
    if not hasattr(target, "score"):
        raise TargetError(
            f"{target!r} has not been resolved for a model: pass the target to camwidget.explain."
        )
    return target  # type: ignore[return-value]


def _label(target: TargetLike) -> str:
    return str(getattr(target, "label", target))


def resolve_target(model: VisionModel, target: TargetLike) -> Target:
    """A class index, class name, target or callable as a target.

    Raises:
        TargetError: if there is no such class; close names are suggested.
    """
    if isinstance(target, (Contrast, Counterfactual, LogProbability)):
        return target.resolved(model)
    if isinstance(target, (ClassTarget, EachTarget, FunctionTarget)):
        return target
    if isinstance(target, str) or _is_whole(target):
        index = model.class_index(target)  # type: ignore[arg-type]
        return ClassTarget(index, model.classes[index])
    if hasattr(target, "score"):
        try:
            hash(target)
        except TypeError:
            raise TargetError(
                f"A target must be hashable, so that its gradients can be remembered; {type(target).__name__} is not: "
                "@dataclass(frozen=True) makes it so."
            ) from None
        return target  # type: ignore[return-value]
    if callable(target):
        return FunctionTarget(target, getattr(target, "__name__", "target").strip("<>"))
    raise TargetError(
        "A target is a class index, a class name, a camwidget.Contrast, Counterfactual or LogProbability, or a "
        f"callable from the model's output to (N,), not {type(target).__name__}."
    )


def _is_whole(value: object) -> bool:
    try:
        operator.index(value)  # type: ignore[arg-type]
    except (TypeError, RuntimeError):
        return False
    return True


def predicted_target(model: VisionModel, logits: torch.Tensor) -> ClassTarget | EachTarget:
    """The class that each picture of a batch is explained for unless another is asked for; logits (N, C).

    Raises:
        TargetError: if the model has no classes.
    """
    if not model.classes:
        raise TargetError(
            f"There is no predicted class, since {model.no_classes} Or pass target=…, a callable from the output to a "
            "number per picture."
        )
    targets = tuple(ClassTarget(i, model.classes[i]) for i in model.predicted(logits))
    return targets[0] if len(set(targets)) == 1 else EachTarget(targets)
