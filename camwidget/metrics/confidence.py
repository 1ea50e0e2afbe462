"""Change of the model's confidence when evidence is removed, or when only evidence is kept.

Y is the target's probability for the unmasked picture, O the one for a changed picture. A regression output, such as an
age, is divided by its magnitude for the unmasked picture, so that Y is 1 or −1 and a metric may leave its range.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch

from ..analysis.mask_curve import ConfidenceChange
from .cases import Case, ChangedPicture
from .registry import Score, metric
from .settings import check_baseline, check_fraction, check_integer

__all__: list[str] = []

_CHATTOPADHYAY = "Chattopadhyay et al. 2018, Grad-CAM++, arXiv:1710.11063, section 4.1"
_PETSIUK = "Petsiuk et al. 2018, RISE, arXiv:1806.07421, section 4.2"
_SAMEK = "Samek et al. 2017, arXiv:1509.06321 (AOPC)"
_REPORT = "a report on CAM, Grad-CAM and Grad-CAM++ (Bisen, Bakshi)"
_TOMSETT = "Tomsett et al. 2020, arXiv:1912.01451 (AOPC, MoRF and LeRF)"

PredictionSteps = Generator[list[ChangedPicture], torch.Tensor, float | Score]


# -- picture times map ----------------------------------------------------------------------


@metric(
    "drop",
    label="Drop in confidence",
    citation=_CHATTOPADHYAY,
    summary="How much of its confidence the model loses when the picture is multiplied by the map.",
    group="faithfulness",
    range=(0, 1),
    better="lower",
)
def drop(case: Case) -> PredictionSteps:
    """The relative loss of confidence when the picture is multiplied by its map.

    ``max(0, Y − O) / Y``, 0 if Y is 0; in [0, 1], lower is better. The mean over pictures is the paper's "average
    drop".
    """
    (after,) = yield [case.multiplied()]
    return ConfidenceChange(case.before, float(after)).drop


@metric(
    "increase",
    label="Increase in confidence",
    citation=_CHATTOPADHYAY,
    summary="Whether the model is more confident when the picture is multiplied by the map.",
    group="faithfulness",
    range=(0, 1),
    better="higher",
)
def increase(case: Case) -> PredictionSteps:
    """Whether the confidence rises when the picture is multiplied by its map.

    1 if ``O > Y``, else 0; higher is better. The mean over pictures is the paper's "increase in confidence".
    """
    (after,) = yield [case.multiplied()]
    return float(float(after) > case.before)


@metric(
    "gain",
    label="Gain in confidence",
    citation="Zhang et al. 2023, Opti-CAM, arXiv:2301.07002 (average gain)",
    summary="How much of the confidence missing to 1 the model gains when the picture is multiplied by the map.",
    group="faithfulness",
    range=(0, 1),
    better="higher",
    needs=("certainty",),
)
def gain(case: Case) -> PredictionSteps:
    """The relative gain of confidence when the picture is multiplied by its map.

    ``max(0, O − Y) / (1 − Y)``, 0 if Y is 1; in [0, 1], higher is better. It is the counterpart of drop and, unlike
    increase, measures how much the confidence rises. The mean over pictures is the paper's "average gain".
    """
    (after,) = yield [case.multiplied()]
    room = 1 - case.before
    return max(0.0, float(after) - case.before) / room if room > 0 else 0.0


@metric(
    "change",
    label="Change in confidence",
    citation=f"{_REPORT}, on the average change in confidence; the picture times its map as in "
    + _CHATTOPADHYAY,
    summary="How much confidence the model gains, or loses, when the picture is multiplied by the map.",
    group="faithfulness",
    range=(-1, 1),
    better="higher",
)
def change(case: Case) -> PredictionSteps:
    """The signed change of confidence when the picture is multiplied by its map.

    ``O − Y``; in [−1, 1], higher is better. Drop and gain are clipped at 0 and so count losses or rises alone: the mean
    drop of a map that loses 0.1 in half of the pictures and gains 0.1 in the others is not 0, the mean change is. The
    three are related by ``O − Y = (1 − Y) · gain − Y · drop``.
    """
    (after,) = yield [case.multiplied()]
    return float(after) - case.before


# -- removed pixels -------------------------------------------------------------------------


@metric(
    "remove25",
    label="Drop without the top 25 %",
    citation=f"{_REPORT}, its second test; drop as in " + _CHATTOPADHYAY,
    summary="How much of its confidence the model loses when the top quarter of the evidence is removed.",
    group="faithfulness",
    range=(0, 1),
    better="higher",
)
def remove25(case: Case, *, fraction: float = 0.25, baseline: str = "mean") -> PredictionSteps:
    """The relative loss of confidence without the top quarter of the pixels.

    ``max(0, Y − O) / Y``, 0 if Y is 0; in [0, 1], higher is better.

    Args:
        case: the map.
        fraction: the removed share of the pixels, in (0, 1).
        baseline: replacement of removed pixels: "blur", "mean", "black", or an inpainting ("inpaint", "telea").
    """
    (after,) = yield [case.removed(check_fraction(fraction), check_baseline(baseline))]
    return ConfidenceChange(case.before, float(after)).drop


@metric(
    "change25",
    label="Change without the top 25 %",
    citation=f"{_REPORT}, its second test",
    summary="How much confidence the model gains, or loses, when the top quarter of the evidence is removed.",
    group="faithfulness",
    range=(-1, 1),
    better="lower",
)
def change25(case: Case, *, fraction: float = 0.25, baseline: str = "mean") -> PredictionSteps:
    """The signed change of confidence without the top quarter of the pixels.

    ``O − Y``; in [−1, 1]: the more negative, the better. Above 0, the removed pixels were evidence against the class,
    which ``remove25`` rates as high as pixels without any influence.

    Args:
        case: the map.
        fraction: the removed share of the pixels, in (0, 1).
        baseline: replacement of removed pixels: "blur", "mean", "black", or an inpainting ("inpaint", "telea").
    """
    (after,) = yield [case.removed(check_fraction(fraction), check_baseline(baseline))]
    return float(after) - case.before


@metric(
    "deletion",
    label="Deletion",
    citation=_PETSIUK,
    summary="The area under the confidence curve while the strongest evidence is removed step by step.",
    group="faithfulness",
    range=(0, 1),
    better="lower",
)
def deletion(case: Case, *, steps: int = 21, baseline: str = "mean") -> PredictionSteps:
    """The area under the confidence curve while the most salient pixels are removed first.

    By the trapezoidal rule over the removed fraction; in [0, 1], lower is better.

    Args:
        case: the map.
        steps: number of fractions, evenly spaced from 0 to 1, at least 2.
        baseline: replacement of removed pixels: "blur", "mean", "black", or an inpainting ("inpaint", "telea").
    """
    probabilities = yield _most_relevant_first(case, steps, baseline)
    return _area(probabilities)


@metric(
    "insertion",
    label="Insertion",
    citation=_PETSIUK,
    summary="The area under the confidence curve while the strongest evidence is restored on a blurred picture.",
    group="faithfulness",
    range=(0, 1),
    better="higher",
)
def insertion(case: Case, *, steps: int = 21, baseline: str = "blur") -> PredictionSteps:
    """The area under the confidence curve while the most salient pixels are inserted first.

    By the trapezoidal rule over the shown fraction; in [0, 1], higher is better. As in the paper, pixels that are not
    yet inserted are blurred: on a constant background, the sharp edges of inserted pixels would be evidence themselves.

    Args:
        case: the map.
        steps: number of fractions, evenly spaced from 0 to 1, at least 2.
        baseline: replacement of pixels that are not inserted: "blur", "mean", "black", or an inpainting ("inpaint",
            "telea").
    """
    checked = check_baseline(baseline)
    probabilities = yield [case.kept(f, checked) for f in _fractions(steps)]
    return _area(probabilities)


@metric(
    "morf",
    label="Most relevant first",
    citation=f"{_SAMEK}; by pixels as in {_TOMSETT}",
    summary="The mean loss of confidence while the most relevant pixels are removed first.",
    group="faithfulness",
    range=(-1, 1),
    better="higher",
)
def morf(case: Case, *, steps: int = 21, baseline: str = "mean") -> PredictionSteps:
    """The area over the perturbation curve (AOPC), most relevant pixels first.

    ``1/(L+1) Σ_{k=0..L} (Y − O_k)`` with O_k the confidence without the top fraction k/L; in [−1, 1], higher is better.
    Below 0 the model is more confident without the evidence. This is Samek's AOPC with single pixels as regions and all
    pixels removed at the end. It uses the predictions of deletion, relative to the unmasked picture, so that a picture
    of low confidence is not rated as good.

    Args:
        case: the map.
        steps: L + 1, the number of fractions, evenly spaced from 0 to 1, at least 2.
        baseline: replacement of removed pixels: "blur", "mean", "black", or an inpainting ("inpaint", "telea").
    """
    probabilities = yield _most_relevant_first(case, steps, baseline)
    return mean_drop(case, probabilities)


@metric(
    "lerf",
    label="Least relevant first",
    citation=_TOMSETT,
    summary="The mean loss of confidence while the least relevant pixels are removed first.",
    group="faithfulness",
    range=(-1, 1),
    better="lower",
)
def lerf(case: Case, *, steps: int = 21, baseline: str = "mean") -> PredictionSteps:
    """The area over the perturbation curve (AOPC), least relevant pixels first.

    ``1/(L+1) Σ_{k=0..L} (Y − O_k)`` with O_k the confidence without the least relevant fraction k/L; in [−1, 1], lower
    is better: pixels that the map rates as irrelevant can be removed without loss. With the same baseline it shares the
    predictions of insertion.

    Args:
        case: the map.
        steps: L + 1, the number of fractions, evenly spaced from 0 to 1, at least 2.
        baseline: replacement of removed pixels: "blur", "mean", "black", or an inpainting ("inpaint", "telea").
    """
    checked = check_baseline(baseline)
    # Removing the least relevant fraction is the same as keeping the rest.
    probabilities = yield [case.kept(f, checked) for f in reversed(_fractions(steps))]
    return mean_drop(case, probabilities)


def mean_drop(case: Case, probabilities: torch.Tensor) -> Score:
    """The mean of ``Y − O`` over evenly spaced probabilities (n,), the first of the unmasked picture (AOPC)."""
    drops = case.before - probabilities.double()
    return Score(float(drops.mean()), curve=tuple(drops.tolist()))


def _fractions(steps: int) -> list[float]:
    return [float(f) for f in np.linspace(0, 1, check_integer("steps", steps, 2))]


def _most_relevant_first(case: Case, steps: int, baseline: str) -> list[ChangedPicture]:
    checked = check_baseline(baseline)
    return [case.removed(f, checked) for f in _fractions(steps)]


def _area(probabilities: torch.Tensor) -> Score:
    """The area under evenly spaced probabilities (n,) over [0, 1], by the trapezoidal rule."""
    values = probabilities.double()
    return Score(float(torch.trapezoid(values) / (len(values) - 1)), curve=tuple(values.tolist()))
