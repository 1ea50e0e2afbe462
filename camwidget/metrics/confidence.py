"""What the model's confidence does when the evidence is taken away, or nothing else is left."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch

from .cases import Case, Change
from .registry import Score, metric

__all__: list[str] = []

_CHATTOPADHYAY = "Chattopadhyay et al. 2018, Grad-CAM++, arXiv:1710.11063, section 4.1"
_PETSIUK = "Petsiuk et al. 2018, RISE, arXiv:1806.07421, section 4.2"

Asking = Generator[list[Change], torch.Tensor, float | Score]


@metric(
    "drop",
    label="Drop in confidence",
    citation=_CHATTOPADHYAY,
    summary="How much of its confidence the model loses when it sees the picture times the map.",
    group="faithfulness",
    range=(0, 1),
    better="lower",
)
def drop(case: Case) -> Asking:
    """``max(0, Y − O) / Y`` of the target's probability Y for the picture and O for picture × map."""
    (after,) = yield [case.multiplied()]
    return max(0.0, case.before - float(after)) / case.before if case.before > 0 else 0.0


@metric(
    "increase",
    label="Increase in confidence",
    citation=_CHATTOPADHYAY,
    summary="Whether the model is more confident when it sees the picture times the map.",
    group="faithfulness",
    range=(0, 1),
    better="higher",
)
def increase(case: Case) -> Asking:
    """1 if ``O > Y``, else 0; the mean over pictures is the paper's "increase in confidence"."""
    (after,) = yield [case.multiplied()]
    return float(float(after) > case.before)


@metric(
    "deletion",
    label="Deletion",
    citation=_PETSIUK,
    summary="The area under the confidence as the top evidence goes, bit by bit.",
    group="faithfulness",
    range=(0, 1),
    better="lower",
)
def deletion(case: Case, *, steps: int = 21, baseline: str = "mean") -> Asking:
    """The area (trapezoids) under the target's probability against the fraction removed."""
    fractions = np.linspace(0, 1, steps)
    answers = yield [case.removed(f, baseline) for f in fractions.tolist()]
    return area(answers)


def area(answers: torch.Tensor) -> Score:
    """The area under evenly spaced answers (n,) from 0 to 1, by trapezoids."""
    values = answers.double()
    return Score(float(torch.trapezoid(values) / (len(values) - 1)), curve=tuple(values.tolist()))
