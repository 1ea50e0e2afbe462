"""``measure``: the metrics of one explanation, or of several of one picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import overload

import numpy as np
import torch

from ..errors import MetricError, PictureError
from ..explanation import Explanation
from ..images import PictureLike, open_picture
from ..methods import get_method
from ..models import VisionModel
from ..progress import Progress, follow
from ..truth import GroundTruth, Whereabouts, find_objects, whereabouts, whereabouts_of
from .cases import Bench, Case, Subject
from .registry import Metric, Score, get_metric
from .scoring import faults, score_steps

__all__ = ["measure"]


@overload
def measure(
    model: VisionModel,
    image: PictureLike | GroundTruth,
    explanation: Explanation,
    metrics: str | Metric | Sequence[str | Metric] = ...,
    *,
    mask: np.ndarray | None = ...,
    label: int | str | None = ...,
    precision: str = ...,
    seed: int = ...,
    progress: Progress | None = ...,
) -> dict[str, Score]: ...
@overload
def measure(
    model: VisionModel,
    image: PictureLike | GroundTruth,
    explanation: Sequence[Explanation],
    metrics: str | Metric | Sequence[str | Metric] = ...,
    *,
    mask: np.ndarray | None = ...,
    label: int | str | None = ...,
    precision: str = ...,
    seed: int = ...,
    progress: Progress | None = ...,
) -> list[dict[str, Score]]: ...
def measure(
    model: VisionModel,
    image: PictureLike | GroundTruth,
    explanation: Explanation | Sequence[Explanation],
    metrics: str | Metric | Sequence[str | Metric] = ("drop", "increase", "deletion"),
    *,
    mask: np.ndarray | None = None,
    label: int | str | None = None,
    precision: str = "fp32",
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Score] | list[dict[str, Score]]:
    """How good explanations of a picture are, by one metric or several.

    Args:
        model: that was explained.
        image: the picture that was explained; a sample of the zoo brings its masks along.
        explanation: from ``explain``; or several, of which what they share is computed once.
        metrics: names of ``list_metrics()``, or ``get_metric`` with settings.
        mask: bool (H, W), where the target's objects are, at the picture's own size or the model's.
        label: the picture's true class, index or name.
        precision: as in ``explain``.
        seed: of all that is random.
        progress: called with (done, total), and may raise to cancel; a bar appears after a second if None.

    Returns:
        For each explanation its scores by the metric's name.

    Raises:
        MetricError: if there is no such metric, or it lacks what it needs.
        PictureError: if the explanation is of another picture size than the model's.
    """
    explanations = [explanation] if isinstance(explanation, Explanation) else list(explanation)
    names = [metrics] if isinstance(metrics, (str, Metric)) else metrics
    chosen = [get_metric(m) for m in names]
    if not chosen or not explanations:
        raise MetricError("Nothing to measure: a list of explanations or metrics is empty.")
    pixels = model.preprocess.pixels(_picture(image))
    told = model.told(pixels)
    pixels = pixels.to(told.device)
    whole = told.probabilities(told.logits(pixels[None]))[0].double().cpu()
    subject = Subject(told, pixels, whole, Bench(precision, seed))
    if label is not None:
        subject.label = told.class_index(label)
    subject.where = _finder(told, image, mask)
    for exp in explanations:
        subject.cases.append(case_of(subject, exp))
    last = follow(score_steps(subject.cases, chosen), "measuring", progress)
    rows = [{m.name: last.scores[case, m.name] for m in chosen} for case in subject.cases]
    return rows[0] if isinstance(explanation, Explanation) else rows


def _picture(image: PictureLike | GroundTruth) -> PictureLike:
    return image.image if isinstance(image, GroundTruth) else image


def case_of(subject: Subject, explanation: Explanation) -> Case:
    """An explanation of a picture as a case to be scored.

    Raises:
        MetricError: if it is not of a class.
        PictureError: if it has another size.
    """
    index = explanation.target.index
    if index is None:
        raise MetricError(
            f"Metrics score the map of a class; {explanation.target.label!r} is none."
        )
    size = tuple(subject.pixels.shape[-2:])
    if explanation.saliency.shape != size:
        raise PictureError(
            f"The saliency is {explanation.saliency.shape}, the model's input {size}: explain this very picture with "
            "this very model first."
        )
    saliency = torch.from_numpy(np.array(explanation.saliency)).to(subject.pixels.device)
    (fault,) = faults(torch.from_numpy(np.array(explanation.raw))[None], saliency[None])
    method = get_method(explanation.method)
    layer = subject.model.default_layer if method.at_input else explanation.layer
    return Case(subject, index, saliency, method, layer, fault)


def _finder(
    model: VisionModel, image: PictureLike | GroundTruth, mask: np.ndarray | None
) -> Callable[[int], Whereabouts | None]:
    """From a class to where its objects are; a mask that is given is the evidence for whatever is explained."""
    preprocess = model.preprocess
    if mask is None:
        if not isinstance(image, GroundTruth):
            return lambda target: None
        return lambda target: find_objects(image, model.classes[target], model.text, preprocess)
    mask = np.asarray(mask, dtype=bool)
    picture = _picture(image)
    is_pixels = isinstance(picture, torch.Tensor)
    size = tuple(picture.shape[-2:]) if is_pixels else open_picture(picture).size[::-1]
    if mask.shape == size:
        found = whereabouts(mask[None], preprocess)
    elif mask.shape == preprocess.size:
        found = whereabouts_of(mask[None])
    else:
        raise PictureError(
            f"The mask is {mask.shape}; the picture is {size}, the model's input {preprocess.size}: give a mask of one "
            "of these sizes."
        )
    return lambda target: found
