"""Score rules: softmax, sigmoid, probabilities as they are, or quantities with a unit."""

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

#: "softmax": one class of several; "sigmoid": each class for itself, as many labels or words are; "log": the outputs
#: are log-probabilities; "value": each output is a quantity, such as an age. "probability" is what may be passed for a
#: module whose outputs are probabilities already: it becomes "softmax" or "sigmoid".
SCORES = ("softmax", "sigmoid", "log", "probability", "value")


def probabilities_of(logits: torch.Tensor, scores: str) -> torch.Tensor:
    """Outputs (…, classes) as probabilities in [0, 1], of the same shape; quantities as they are."""
    if scores == "value":
        return logits
    if scores == "log":
        return logits.exp().clamp(max=1)
    if scores == "sigmoid" or logits.shape[-1] == 1:
        return logits.sigmoid()
    return logits.softmax(-1)


def log_probabilities_of(logits: torch.Tensor, scores: str) -> torch.Tensor:
    """Outputs (…, classes) as logarithms of probabilities, differentiably: where the probability is 1e-40, too.

    Raises:
        TargetError: if they are quantities.
    """
    if scores == "value":
        raise TargetError("A quantity has no probability: explain the output itself.")
    if scores == "log":
        return logits
    if scores == "sigmoid" or logits.shape[-1] == 1:
        return nnF.logsigmoid(logits)
    return logits.log_softmax(-1)


def check_scores(scores: str | None, unit: str) -> None:
    """Raise a ModelError if there is no such rule, or a unit for something that is no quantity."""
    if scores is not None and scores not in SCORES:
        raise ModelError(f"There is no scores={scores!r}: use {', '.join(map(repr, SCORES))}.")
    if not isinstance(unit, str):
        raise ModelError(f"unit is a word such as 'years', not {unit!r}.")
    if unit and scores not in (None, "value"):
        raise ModelError(f"scores={scores!r} has no unit: leave unit={unit!r} out.")


def check_log(logits: torch.Tensor, name: str) -> None:
    """Raise a ModelError if these outputs (N, classes) cannot be log-probabilities."""
    highest = float(logits.detach().max()) if logits.numel() else 0.0
    if highest > 1e-3:
        raise ModelError(
            f"{name} answers {highest:.3g}, and a log-probability is never above 0. Leave scores='log' out, or put a "
            "log_softmax at its end."
        )


def are_proper(logits: torch.Tensor, scores: str) -> bool:
    """Whether outputs (N, classes) can be worked with: finite, but for −inf where a class is masked out."""
    finite = logits.isfinite()
    if bool(finite.all()):
        return True
    if scores == "value" or not bool((finite | logits.isneginf()).all()):
        return False
    return bool(finite.any(1).all())


def are_close(found: torch.Tensor, expected: torch.Tensor, part: float, least: float) -> bool:
    """Whether outputs are the same up to a part of the largest, or of ``least``; −inf is the same as −inf."""
    masked = expected.isneginf()
    if found.shape != expected.shape or not torch.equal(found.isneginf(), masked):
        return False
    found, expected = found.masked_fill(masked, 0), expected.masked_fill(masked, 0)
    scale = expected.abs().max().clamp(min=least)
    return bool(((found - expected).abs() <= part * scale).all())


# -- numbers as a person reads them ----------------------------------------------------------


def decimals(*values: float, scores: str = "value") -> int:
    """How many digits to write after the point: two of a probability, of quantities three that count in the largest.

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
    """A number with its unit, as in a list: "0.97", "58.2 years"; of zero no sign."""
    digits = decimals(value, scores=scores) if digits is None else digits
    number = f"{round(value, digits) + 0.0:.{digits}f}"
    return f"{number} {unit}" if unit else number
