"""Reasons why maps of some methods say nothing of a counterfactual or a contrast."""

# Functions and not closures, since explanations refer to their method and must be picklable.

from __future__ import annotations

from typing import TYPE_CHECKING

from ..targets import ClassTarget, Contrast, Counterfactual, PerPictureTarget, Target

if TYPE_CHECKING:
    from .registry import Method

__all__ = [
    "absolute_gradients",
    "classes_compared_already",
    "one_map_for_all",
    "prior_of_outputs",
    "target_reasons",
    "weights_of_a_class",
]


def _is_class(target: Target) -> bool:
    return isinstance(target, (ClassTarget, PerPictureTarget))


def weights_of_a_class(target: Target) -> str | None:
    """Return why a method that takes a class's own weights says nothing of a target; None for classes."""
    if _is_class(target):
        return None
    return "it is defined by the weights of one class. Use 'gradcam'."


def classes_compared_already(target: Target) -> str | None:
    """Return why a method that compares classes by itself says nothing of a target; None for classes."""
    if _is_class(target):
        return None
    return "it already contrasts the class with the most similar ones. Use 'gradcam'."


def one_map_for_all(target: Target) -> str | None:
    """Return why a method whose map does not depend on the target says nothing of it; None for other targets."""
    if not isinstance(target, (Contrast, Counterfactual)):
        return None
    return "its map is the same for every class, and so for and against one. Use 'gradcam'."


def prior_of_outputs(target: Target) -> str | None:
    """Return why a method that starts from a probability of each output says nothing of a target."""
    if not isinstance(target, (Contrast, Counterfactual)):
        return None
    return (
        "it starts from a probability of each output, and a score that falls as one rises gives none. "
        "Use 'lrp' or 'gradcam'."
    )


def absolute_gradients(target: Target) -> str | None:
    """Return why the magnitude of a gradient says nothing of a target: it is that of the negated score too."""
    if not isinstance(target, Counterfactual):
        return None
    return (
        "the magnitude of a gradient is the same for and against a class. "
        "Use 'gradcam' or 'integrated-gradients'."
    )


def target_reasons(method: Method) -> dict[str, str | None]:
    """Return why a method has no maps against a class, and for one class rather than another; None where it has.

    The keys are the kinds of ``Stance``. The reasons do not depend on which classes these are.
    """
    one, two = ClassTarget(0, ""), ClassTarget(1, "")
    return {
        "against": method.target_reason(Counterfactual(one)),
        "rather": method.target_reason(Contrast(one, two)),
    }
