"""How a model's outputs become probabilities: one rule of three, declared with the model."""

from __future__ import annotations

import torch
from torch.nn import functional as nnF

from .errors import ModelError

__all__ = ["SCORES", "check_scores", "log_probabilities_of", "probabilities_of"]

#: "softmax": one class of several (of a single logit, its sigmoid); "sigmoid": each class for itself, as many labels
#: or words are; "log": the outputs are log-probabilities already.
SCORES = ("softmax", "sigmoid", "log")


def probabilities_of(logits: torch.Tensor, scores: str) -> torch.Tensor:
    """Outputs (…, classes) as probabilities in [0, 1], of the same shape."""
    if scores == "log":
        return logits.exp().clamp(max=1)
    if scores == "sigmoid" or logits.shape[-1] == 1:
        return logits.sigmoid()
    return logits.softmax(-1)


def log_probabilities_of(logits: torch.Tensor, scores: str) -> torch.Tensor:
    """Outputs (…, classes) as logarithms of probabilities, differentiably: where the probability is 1e-40, too."""
    if scores == "log":
        return logits
    if scores == "sigmoid" or logits.shape[-1] == 1:
        return nnF.logsigmoid(logits)
    return logits.log_softmax(-1)


def check_scores(scores: str, name: str, logits: torch.Tensor | None = None) -> None:
    """Raise a ModelError if there is no such rule, or these outputs (N, classes) cannot be what it says."""
    if scores not in SCORES:
        raise ModelError(f"There is no scores={scores!r}: use {', '.join(map(repr, SCORES))}.")
    if logits is None or scores != "log" or not logits.numel():
        return
    highest = float(logits.max())
    if highest > 1e-3:
        raise ModelError(
            f"{name} answers {highest:.3g}, and a log-probability is never above 0. Leave scores='log' out, or put a "
            "log_softmax at its end."
        )
