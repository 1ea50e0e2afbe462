"""Kinds of scores: softmax, sigmoid, log-probabilities, probabilities, or quantities with a unit."""

from __future__ import annotations

import torch
from torch.nn import functional as nnF

from ..errors import ModelError, TargetError

__all__ = [
    "SCORES",
    "are_close",
    "are_proper",
    "check_log",
    "check_scores",
    "decimals",
    "log_probabilities_of",
    "number_text",
    "probabilities_of",
]

#: Kinds of outputs. "softmax": one class of several; "sigmoid": independent labels or words; "log": the outputs
#: are log-probabilities; "value": each output is a quantity, such as an age. "probability" is what may be passed for a
#: module whose outputs are probabilities already: it becomes "softmax" or "sigmoid".
SCORES = ("softmax", "sigmoid", "log", "probability", "value")


def probabilities_of(logits: torch.Tensor, scores: str) -> torch.Tensor:
    """Convert outputs (…, classes) to probabilities in [0, 1] of the same shape; quantities stay as they are."""
    if scores == "value":
        return logits
    if scores == "log":
        return logits.exp().clamp(max=1)
    if scores == "sigmoid" or logits.shape[-1] == 1:
        return logits.sigmoid()
    return logits.softmax(-1)


def log_probabilities_of(logits: torch.Tensor, scores: str) -> torch.Tensor:
    """Convert outputs (…, classes) to logarithms of probabilities, differentiably, also for tiny probabilities.

    Raises:
        TargetError: if the outputs are quantities.
    """
    if scores == "value":
        raise TargetError("A quantity has no probability: explain the output itself.")
    if scores == "log":
        return logits
    if scores == "sigmoid" or logits.shape[-1] == 1:
        return nnF.logsigmoid(logits)
    return logits.log_softmax(-1)


def check_scores(scores: str | None, unit: str) -> None:
    """Raise a ``ModelError`` if there is no such kind of scores, or a unit is given for a kind that has none."""
    if scores is not None and scores not in SCORES:
        raise ModelError(f"There is no scores={scores!r}: use {', '.join(map(repr, SCORES))}.")
    if not isinstance(unit, str):
        raise ModelError(f"unit is a word such as 'years', not {unit!r}.")
    if unit and scores not in (None, "value"):
        raise ModelError(f"scores={scores!r} has no unit: leave unit={unit!r} out.")


def check_log(logits: torch.Tensor, name: str) -> None:
    """Raise a ``ModelError`` if outputs (N, classes) cannot be log-probabilities."""
    highest = float(logits.detach().max()) if logits.numel() else 0.0
    if highest > 1e-3:
        raise ModelError(
            f"{name} returned {highest:.3g}, but log-probabilities are at most 0. Leave scores='log' out, or add a "
            "log_softmax at its end."
        )


def are_proper(logits: torch.Tensor, scores: str) -> bool:
    """Return whether outputs (N, classes) are finite, apart from −inf where a class is masked out."""
    finite = logits.isfinite()
    if bool(finite.all()):
        return True
    if scores == "value" or not bool((finite | logits.isneginf()).all()):
        return False
    return bool(finite.any(1).all())


def are_close(found: torch.Tensor, expected: torch.Tensor, part: float, least: float) -> bool:
    """Return whether outputs are equal up to a fraction of the largest, or of ``least``; −inf equals −inf."""
    masked = expected.isneginf()
    if found.shape != expected.shape or not torch.equal(found.isneginf(), masked):
        return False
    found, expected = found.masked_fill(masked, 0), expected.masked_fill(masked, 0)
    scale = expected.abs().max().clamp(min=least)
    return bool(((found - expected).abs() <= part * scale).all())


# -- numbers as a person reads them ----------------------------------------------------------


def decimals(*values: float, scores: str = "value") -> int:
    """Return the number of decimals: two for a probability; for quantities three significant digits of the largest.

    js/src/core/numberFormat.ts has the same rule.
    """
    if scores != "value":
        return 2
    largest = max((abs(v) for v in values), default=0.0)
    digits, bound = 2, 10.0
    while digits > 0 and largest >= bound:
        digits, bound = digits - 1, bound * 10
    small = 1.0
    while 0 < largest < small and digits < 9:
        digits, small = digits + 1, small / 10
    return digits


def number_text(value: float, scores: str, unit: str = "", *, digits: int | None = None) -> str:
    """Format a number with its unit, such as "0.97" or "58.2 years"; zero has no sign."""
    digits = decimals(value, scores=scores) if digits is None else digits
    number = f"{round(value, digits) + 0.0:.{digits}f}"
    return f"{number} {unit}" if unit else number
