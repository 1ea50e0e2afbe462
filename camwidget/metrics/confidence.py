"""Change of the model's confidence when evidence is removed, or when only evidence is left.

Y is the target's probability for the whole picture, O that for a changed one. Of a quantity, such as an age, both are
parts of the quantity for the whole picture, so that Y is 1 (−1 of a negative one), and a metric may leave its range.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch

from ..analysis.mask_curve import ConfidenceChange
from .cases import Case, Change
from .registry import Score, metric
from .settings import a_baseline, a_fraction, whole

__all__: list[str] = []

_CHATTOPADHYAY = "Chattopadhyay et al. 2018, Grad-CAM++, arXiv:1710.11063, section 4.1"
_PETSIUK = "Petsiuk et al. 2018, RISE, arXiv:1806.07421, section 4.2"
_SAMEK = "Samek et al. 2017, arXiv:1509.06321 (AOPC)"
_TOMSETT = "Tomsett et al. 2020, arXiv:1912.01451 (AOPC, MoRF and LeRF)"

Asking = Generator[list[Change], torch.Tensor, float | Score]


# -- the picture times its map --------------------------------------------------------------


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
    """``max(0, Y − O) / Y``, O being the probability for picture × map; 0 where Y is 0.

    In [0, 1], lower is better. The mean over pictures is the paper's "average drop".
    """
    (after,) = yield [case.multiplied()]
    return ConfidenceChange(case.before, float(after)).drop


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
    """1 if ``O > Y``, else 0, O being the probability for picture × map.

    Higher is better. The mean over pictures is the paper's "increase in confidence".
    """
    (after,) = yield [case.multiplied()]
    return float(float(after) > case.before)


@metric(
    "gain",
    label="Gain in confidence",
    citation="Zhang et al. 2023, Opti-CAM, arXiv:2301.07002 (average gain)",
    summary="How much of what is missing to certainty the model gains when it sees the picture times the map.",
    group="faithfulness",
    range=(0, 1),
    better="higher",
    needs=("certainty",),
)
def gain(case: Case) -> Asking:
    """``max(0, O − Y) / (1 − Y)``, O being the probability for picture × map; 0 where Y is 1.

    In [0, 1], higher is better: drop's counterpart, as increase says only whether there is any. The mean over pictures
    is the paper's "average gain".
    """
    (after,) = yield [case.multiplied()]
    missing = 1 - case.before
    return max(0.0, float(after) - case.before) / missing if missing > 0 else 0.0


# -- a part of the picture is gone ----------------------------------------------------------


@metric(
    "remove25",
    label="Drop without the top 25 %",
    citation="the second test in reports on CAM, Grad-CAM and Grad-CAM++; drop as in "
    + _CHATTOPADHYAY,
    summary="How much of its confidence the model loses when the top quarter of the evidence is removed.",
    group="faithfulness",
    range=(0, 1),
    better="higher",
)
def remove25(case: Case, *, fraction: float = 0.25, baseline: str = "mean") -> Asking:
    """``max(0, Y − O) / Y``, O being the probability without the top pixels; 0 where Y is 0.

    In [0, 1], higher is better: without the evidence the model should no longer be sure.

    Args:
        case: the map.
        fraction: how much is removed.
        baseline: what removed pixels become: "blur", "mean", "black", or inpainted ("inpaint", "telea").
    """
    change = case.removed(a_fraction(fraction), a_baseline(baseline))
    (after,) = yield [change]
    return ConfidenceChange(case.before, float(after)).drop


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
    """The area (trapezoids) under O against the fraction removed, the top evidence first.

    In [0, 1], lower is better: a good map's confidence falls at once.

    Args:
        case: the map.
        steps: how many fractions, evenly spaced from 0 to 1.
        baseline: what removed pixels become: "blur", "mean", "black", or inpainted ("inpaint", "telea").
    """
    answers = yield _most_relevant_first(case, steps, baseline)
    return _area(answers)


@metric(
    "insertion",
    label="Insertion",
    citation=_PETSIUK,
    summary="The area under the confidence as the top evidence comes back on a blurred picture, bit by bit.",
    group="faithfulness",
    range=(0, 1),
    better="higher",
)
def insertion(case: Case, *, steps: int = 21, baseline: str = "blur") -> Asking:
    """The area (trapezoids) under O against the fraction shown, the top evidence first.

    In [0, 1], higher is better: a good map's confidence rises at once. The paper blurs what is not shown yet, since the
    sharp edges of what appears on a plain ground are evidence of their own.

    Args:
        case: the map.
        steps: how many fractions, evenly spaced from 0 to 1.
        baseline: what pixels are that are not shown: "blur", "mean", "black", or inpainted ("inpaint", "telea").
    """
    kind = a_baseline(baseline)
    answers = yield [case.kept(f, kind) for f in _fractions(steps)]
    return _area(answers)


@metric(
    "morf",
    label="Most relevant first",
    citation=f"{_SAMEK}; by pixels as in {_TOMSETT}",
    summary="The mean loss of confidence as the most relevant pixels go first.",
    group="faithfulness",
    range=(-1, 1),
    better="higher",
)
def morf(case: Case, *, steps: int = 21, baseline: str = "mean") -> Asking:
    """``1/(L+1) Σ_{k=0..L} (Y − O_k)``, O_k without the top fraction k/L: the area over the perturbation curve.

    In [−1, 1], higher is better; below 0 the model is surer without the evidence. Samek's AOPC with single pixels as
    regions, and all of them removed in the end. It reads deletion's answers, relative to the whole picture's: pictures
    of which the model was never sure do not count as good.

    Args:
        case: the map.
        steps: L + 1, how many fractions, evenly spaced from 0 to 1.
        baseline: what removed pixels become: "blur", "mean", "black", or inpainted ("inpaint", "telea").
    """
    answers = yield _most_relevant_first(case, steps, baseline)
    return mean_drop(case, answers)


@metric(
    "lerf",
    label="Least relevant first",
    citation=_TOMSETT,
    summary="The mean loss of confidence as the least relevant pixels go first.",
    group="faithfulness",
    range=(-1, 1),
    better="lower",
)
def lerf(case: Case, *, steps: int = 21, baseline: str = "mean") -> Asking:
    """``1/(L+1) Σ_{k=0..L} (Y − O_k)``, O_k without the least relevant fraction k/L.

    In [−1, 1], lower is better: what the map says is irrelevant can go without loss. With the same baseline it shares
    its passes with insertion.

    Args:
        case: the map.
        steps: L + 1, how many fractions, evenly spaced from 0 to 1.
        baseline: what removed pixels become: "blur", "mean", "black", or inpainted ("inpaint", "telea").
    """
    kind = a_baseline(baseline)
    # Without the least relevant fraction is the same as with the rest alone.
    answers = yield [case.kept(f, kind) for f in reversed(_fractions(steps))]
    return mean_drop(case, answers)


def mean_drop(case: Case, answers: torch.Tensor) -> Score:
    """The mean of ``Y − O`` over evenly spaced answers (n,), the first being the whole picture's (AOPC)."""
    drops = case.before - answers.double()
    return Score(float(drops.mean()), curve=tuple(drops.tolist()))


def _fractions(steps: int) -> list[float]:
    return [float(f) for f in np.linspace(0, 1, whole("steps", steps, 2))]


def _most_relevant_first(case: Case, steps: int, baseline: str) -> list[Change]:
    kind = a_baseline(baseline)
    return [case.removed(f, kind) for f in _fractions(steps)]


def _area(answers: torch.Tensor) -> Score:
    """The area under evenly spaced answers (n,) from 0 to 1, by trapezoids."""
    values = answers.double()
    return Score(float(torch.trapezoid(values) / (len(values) - 1)), curve=tuple(values.tolist()))
