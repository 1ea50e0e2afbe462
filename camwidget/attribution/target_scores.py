"""Scores of targets: computed from a module's output, checked, one number a picture."""

from __future__ import annotations

from typing import Any

import torch

from ..errors import CamwidgetError, TargetError
from ..models.output_tensors import ScoredOutput, is_plain
from ..runtime.error_reports import error_line
from .targets import ClassTarget, Contrast, Counterfactual, FunctionTarget, Target, resolved_target

__all__ = ["score_of", "uses_module_output"]


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
            score_of(resolved_target(t), returned, logits, are_finite=are_finite)
            for t in (target.of, target.against)
        )
        return of - against
    if isinstance(target, Counterfactual):
        return -score_of(resolved_target(target.of), returned, logits, are_finite=are_finite)
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
