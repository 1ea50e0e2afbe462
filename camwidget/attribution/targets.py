"""Targets: the score of each picture that is explained, computed from the module's output.

``Contrast``, ``Counterfactual`` and ``LogProbability`` take class names or indices, which are resolved for a model when
the target is used.
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
    "FunctionTarget",
    "LogProbability",
    "PerPictureTarget",
    "ProbabilityTarget",
    "Target",
    "TargetLike",
    "evidence_phrase",
    "predicted_target",
    "resolve_target",
    "score_of",
    "uses_module_output",
]


class Target(Protocol):
    """Protocol of targets: a label and a differentiable score.

    Targets are hashable, since a ``Trace`` stores gradients by target.
    """

    @property
    def label(self) -> str:
        """Display name."""

    @property
    def index(self) -> int | None:
        """Class index if the target is one class; None otherwise."""

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """Compute the score of each picture, (N,), from logits (N, classes), differentiably."""


TargetLike: TypeAlias = "int | str | Target | Callable[[Any], torch.Tensor]"


@dataclass(frozen=True)
class ClassTarget:
    """Target: the logit of one class.

    Args:
        index: class index.
        label: class name.
    """

    index: int
    label: str

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the class's logit, shape (N,)."""
        return logits[:, self.index]


@dataclass(frozen=True)
class PerPictureTarget:
    """Target: a separate class for each picture of a batch, explained by one backward pass.

    Args:
        targets: one class for each picture.
        label: display name.
    """

    targets: tuple[ClassTarget, ...]
    label: str = "predicted"
    index: None = None

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the logit of each picture's class, shape (N,)."""
        index = torch.tensor([t.index for t in self.targets], device=logits.device)
        return logits.gather(1, index[:, None])[:, 0]


@dataclass(frozen=True, eq=False)
class FunctionTarget:
    """Target: a function of the module's output.

    Args:
        function: from the module's output, logits (N, classes) or any other object, to one number per picture, (N,).
        label: display name.
    """

    function: Callable[[Any], torch.Tensor]
    label: str
    index: None = None

    def score(self, output: Any) -> torch.Tensor:
        """Return the function's value, shape (N,)."""
        return self.function(output)


@dataclass(frozen=True)
class Contrast:
    """Target: one class rather than another, as the difference of their logits.

    Args:
        of: class index, class name, or target.
        against: class index, class name, or target to compare with.
        index: always None: the target is not one class.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> target = cw.Contrast("polka-dotted", "waffled")
        >>> cw.explain(cw.load(), image, target).target.label
        'polka-dotted rather than waffled'
    """

    of: TargetLike
    against: TargetLike
    index: None = None

    @property
    def label(self) -> str:
        """Display name, such as "striped rather than dotted"."""
        return f"{_label(self.of)} rather than {_label(self.against)}"

    def resolved(self, model: VisionModel) -> Contrast:
        """Return the contrast with classes resolved for a model.

        Args:
            model: the model whose classes are named.

        Returns:
            A contrast of two targets of the model.

        Raises:
            TargetError: if a class is unknown, or both are the same.

        Example:
            >>> import camwidget as cw
            >>> cw.Contrast(6, 8).resolved(cw.load()).label
            'polka-dotted rather than waffled'
        """
        of, against = resolve_target(model, self.of), resolve_target(model, self.against)
        if of == against:
            raise TargetError(
                f"A contrast is between two classes, and {of.label!r} against itself is 0 for every picture. Name "
                "another, or explain the class alone."
            )
        return replace(self, of=of, against=against)

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """Compute the difference of the two scores.

        Args:
            logits: logits (N, classes).

        Returns:
            One number per picture, shape (N,).

        Raises:
            TargetError: if the contrast has not been resolved for a model.

        Example:
            >>> import torch
            >>> import camwidget as cw
            >>> contrast = cw.Contrast(6, 8).resolved(cw.load())
            >>> contrast.score(torch.arange(10.0)[None]).tolist()
            [-2.0]
        """
        return _inner(self.of).score(logits) - _inner(self.against).score(logits)


@dataclass(frozen=True)
class Counterfactual:
    """Target: evidence against a class, as the negated score.

    Removing that evidence would raise the score. The gradient of the negated score is the counterfactual explanation of
    Grad-CAM (Selvaraju et al. 2017, section 3.3).

    Args:
        of: class index, class name, or target.
        index: always None: the target is not one class.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, cw.Counterfactual("waffled")).target.label
        'against waffled'
    """

    of: TargetLike
    index: None = None

    @property
    def label(self) -> str:
        """Display name, such as "against striped"."""
        return f"against {_label(self.of)}"

    def resolved(self, model: VisionModel) -> Counterfactual:
        """Return the target with its class resolved for a model.

        Args:
            model: the model whose class is named.

        Returns:
            The negation of a target of the model.

        Raises:
            TargetError: if the class is unknown.

        Example:
            >>> import camwidget as cw
            >>> cw.Counterfactual(8).resolved(cw.load()).label
            'against waffled'
        """
        return replace(self, of=resolve_target(model, self.of))

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """Compute the negated score.

        Args:
            logits: logits (N, classes).

        Returns:
            One number per picture, shape (N,).

        Raises:
            TargetError: if the target has not been resolved for a model.

        Example:
            >>> import torch
            >>> import camwidget as cw
            >>> target = cw.Counterfactual(8).resolved(cw.load())
            >>> target.score(torch.arange(10.0)[None]).tolist()
            [-8.0]
        """
        return -_inner(self.of).score(logits)


@dataclass(frozen=True)
class LogProbability:
    """Target: the logarithm of a class's probability, which depends on the logits of all classes.

    Args:
        of: class index or class name.
        index: always None: the target is not the class's logit.
        scores: kind of the model's outputs, "softmax", "sigmoid" or "log"; set by ``resolved``.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, cw.LogProbability("waffled")).target.label
        'log p(waffled)'
    """

    of: int | str | ClassTarget
    index: None = None
    scores: str = field(default="softmax", repr=False)

    @property
    def label(self) -> str:
        """Display name, such as "log p(striped)"."""
        return f"log p({_label(self.of)})"

    def resolved(self, model: VisionModel) -> LogProbability:
        """Return the target with its class and kind of scores resolved for a model.

        Args:
            model: the model whose class is named.

        Returns:
            The log-probability of a class of the model.

        Raises:
            TargetError: if ``of`` is not a class of the model.

        Example:
            >>> import camwidget as cw
            >>> cw.LogProbability(8).resolved(cw.load()).scores
            'softmax'
        """
        of = resolve_target(model, self.of)
        if not isinstance(of, ClassTarget):
            raise TargetError(f"LogProbability is of a class, not of {of.label!r}.")
        return replace(self, of=of, scores=model.scores)

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """Compute the class's log-probability.

        Args:
            logits: logits (N, classes).

        Returns:
            One number per picture, ≤ 0, shape (N,).

        Raises:
            TargetError: if the target has not been resolved for a model.

        Example:
            >>> import torch
            >>> import camwidget as cw
            >>> target = cw.LogProbability(8).resolved(cw.load())
            >>> round(float(target.score(torch.zeros(1, 10)).exp()), 3)
            0.1
        """
        index = _inner(self.of).index
        assert index is not None
        return log_probabilities_of(logits, self.scores)[:, index]


class ProbabilityTarget:
    """Target: the probability of a class, for methods that rerun the model.

    Args:
        model: the model.
        of: the class.
    """

    index = None

    def __init__(self, model: VisionModel, of: ClassTarget) -> None:
        self._model = model
        self._of = of
        self.label = f"p({of.label})"

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the class's probability in each picture, shape (N,)."""
        return self._model.probabilities(logits)[:, self._of.index]


def uses_module_output(target: object) -> bool:
    """Return whether a target is computed from the module's own output rather than from its logits."""
    if isinstance(target, (Contrast, Counterfactual)):
        return uses_module_output(target.of) or uses_module_output(getattr(target, "against", None))
    return isinstance(target, FunctionTarget)


def score_of(
    target: Target, returned: Any, logits: torch.Tensor, *, are_finite: bool = False
) -> torch.Tensor:
    """Compute a target's score.

    Args:
        target: the target, resolved for the model.
        returned: the module's output.
        logits: the logits (N, classes) in the output.
        are_finite: whether the logits are known to be finite: then so is a class's score, for which a GPU would have
            to be waited for.

    Returns:
        One number per picture, shape (N,).

    Raises:
        TargetError: if the target fails, or does not give one number per picture.
    """
    if isinstance(target, Contrast):
        of, against = (
            score_of(_inner(t), returned, logits, are_finite=are_finite)
            for t in (target.of, target.against)
        )
        return of - against
    if isinstance(target, Counterfactual):
        return -score_of(_inner(target.of), returned, logits, are_finite=are_finite)
    count = len(logits)
    # A copy, since a user's function may modify its argument in place.
    source = logits.clone()
    if uses_module_output(target) and not is_plain(returned, logits):
        source = returned.output if isinstance(returned, ScoredOutput) else returned
    try:
        score = target.score(source)
    except CamwidgetError:
        raise
    except Exception as error:  # a user's function may raise anything
        raise TargetError(
            f"The target {target.label!r} fails on the model's output: {error_line(error)}"
        ) from error
    if isinstance(score, torch.Tensor) and score.ndim == 0 and count == 1:
        score = score[None]  # a scalar is accepted for a single picture
    if not isinstance(score, torch.Tensor) or score.shape != (count,):
        got = tuple(score.shape) if isinstance(score, torch.Tensor) else type(score).__name__
        raise TargetError(
            f"The target {target.label!r} must give one number per picture, shape ({count},), not {got}."
        )
    if are_finite and type(target) is ClassTarget:
        return score
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
    """Return a target that was resolved, or raise a ``TargetError`` for one that was not."""
    if not hasattr(target, "score"):
        raise TargetError(
            f"{target!r} has not been resolved for a model: pass the target to camwidget.explain."
        )
    return target  # type: ignore[return-value]


def _label(target: TargetLike) -> str:
    return str(getattr(target, "label", target))


def evidence_phrase(target: Target) -> str:
    """Return what the evidence in a map of a target is: "for striped", "against striped".

    Args:
        target: the target.

    Returns:
        The target's label, after "for" unless it begins with "against" already.
    """
    return target.label if isinstance(target, Counterfactual) else f"for {target.label}"


def resolve_target(model: VisionModel, target: TargetLike) -> Target:
    """Convert a class index, class name, target or callable to a target of a model.

    Args:
        model: the model.
        target: class index, class name, target, or callable from the module's output to (N,).

    Returns:
        The target, resolved for the model.

    Raises:
        TargetError: if there is no such class, which suggests similar names, or the argument is no target.
    """
    if isinstance(target, (Contrast, Counterfactual, LogProbability)):
        return target.resolved(model)
    if isinstance(target, (ClassTarget, PerPictureTarget, FunctionTarget)):
        return target
    if isinstance(target, str) or _is_integer(target):
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


def _is_integer(value: object) -> bool:
    try:
        operator.index(value)  # type: ignore[arg-type]
    except (TypeError, RuntimeError):
        return False
    return True


def predicted_target(model: VisionModel, logits: torch.Tensor) -> ClassTarget | PerPictureTarget:
    """Return the default target of a batch: the predicted class of each picture.

    Args:
        model: the model.
        logits: logits (N, classes).

    Returns:
        One class if all pictures have the same; otherwise a class for each picture.

    Raises:
        TargetError: if the model has no classes.
    """
    if not model.classes:
        raise TargetError(
            f"There is no predicted class, since {model.no_classes} Or pass target=…, a callable from the output to a "
            "number per picture."
        )
    targets = tuple(ClassTarget(i, model.classes[i]) for i in model.predicted(logits))
    return targets[0] if len(set(targets)) == 1 else PerPictureTarget(targets)
