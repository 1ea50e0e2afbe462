"""``measure``: scores of one explanation, or of several explanations of one picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

import numpy as np
import torch

from .._validation import check_filled
from ..attribution.batched_inference import rerun_probabilities
from ..attribution.explanation import Explanation
from ..attribution.explanation_checks import explained_class, model_as_explained
from ..attribution.methods import Method, get_method
from ..attribution.precision import check_precision
from ..errors import MethodError, MetricError, PictureError
from ..images.conversion import PictureLike, is_prepared
from ..images.ground_truth import (
    GroundTruth,
    ObjectLocations,
    find_objects,
    object_locations,
    whereabouts,
)
from ..models.argument_checks import require_model
from ..models.vision_model import VisionModel
from ..progress import Progress, follow
from .cases import Case, MetricContext, ScoredPicture
from .registry import Metric, Score, get_metric
from .scoring import faults, score_steps
from .settings import listed, whole

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
        model: that was explained. One that takes a text is measured under the explanation's, if it has none itself.
        image: the picture that was explained; a sample of the zoo brings its masks along. For a model with several
            inputs, a mapping as in ``explain``.
        explanation: from ``explain``; or several, of which what they share is computed once.
        metrics: names of ``list_metrics()``, or ``get_metric`` with settings.
        mask: where the target's objects are, at the picture's own size or the model's: bool (H, W), which counts as
            one object, or (n, H, W), of each.
        label: the picture's true class, index or name.
        precision: as in ``explain``.
        seed: of all that is random.
        progress: called with (done, total), and may raise to cancel; a bar appears after a second if None.

    Returns:
        For each explanation its scores by the metric's name.

    Raises:
        MetricError: if there is no such metric, or it lacks what it needs; if an explanation is not of a class, of
            another model, or under another text than the model.
        PictureError: if an explanation is of another picture, or the mask of another size.
    """
    require_model(model, "measure", image)
    explanations: list[Explanation] = listed(explanation)
    for each in explanations:
        if not isinstance(each, Explanation):
            raise MetricError(
                f"An explanation comes from camwidget.explain, not as {type(each).__name__}: give one, or several of "
                "one picture."
            )
    chosen = [get_metric(m) for m in listed(metrics)]
    check_precision(precision)
    seed = whole("seed", seed, 0)
    if not chosen or not explanations:
        raise MetricError("Nothing to measure: a list of explanations or metrics is empty.")
    if len({m.name for m in chosen}) < len(chosen):
        raise MetricError("A metric is asked for twice: measure it with other settings by itself.")
    if isinstance(image, Mapping):
        model, image = model.split_inputs(image)
    pixels = model.preprocess.pixels(_picture(image))
    told = model_as_explained(model, explanations).told(pixels)
    pixels = pixels.to(told.device)
    subject = ScoredPicture(
        told, pixels, _whole(told, pixels, precision), MetricContext(precision, seed)
    )
    if label is not None:
        subject.label = told.class_index(label)
    subject.where = _finder(told, image, mask, tuple(pixels.shape[-2:]))
    for each in explanations:
        explained_class(told, pixels, each)
        subject.cases.append(case_of(subject, each))
    last = follow(score_steps(subject.cases, chosen), "measuring", progress)
    rows = [{m.name: last.scores[case, m.name] for m in chosen} for case in subject.cases]
    return rows[0] if isinstance(explanation, Explanation) else rows


def _picture(image: PictureLike | GroundTruth) -> PictureLike:
    return image.image if isinstance(image, GroundTruth) else image


def _whole(model: VisionModel, pixels: torch.Tensor, precision: str) -> torch.Tensor:
    """Probabilities (classes,) of the unchanged picture, in the precision that the changed ones are asked in."""
    inputs = model.inputs(pixels[None])
    (found,) = rerun_probabilities(model, 1, lambda a, b: inputs, precision=precision)
    return found[0].double()


def case_of(subject: ScoredPicture, explanation: Explanation) -> Case:
    """An explanation of a picture as a case to be scored.

    Raises:
        MetricError: if it is not of a class.
    """
    index = explanation.target.index
    if index is None:
        raise MetricError(
            f"Metrics score the map of a class; {explanation.target.label!r} is none."
        )
    saliency = torch.from_numpy(np.array(explanation.saliency)).to(subject.pixels.device)
    (fault,) = faults(torch.from_numpy(np.array(explanation.raw))[None], saliency[None])
    method, layer = _maker(subject.model, explanation)
    return Case(subject, index, saliency, method, layer, fault, float(explanation.raw.max()))


def _maker(model: VisionModel, explanation: Explanation) -> tuple[Method | None, str | None]:
    """The method and the layer that make the map anew; None and None if it is not known how, as of an average."""
    try:
        method = get_method(explanation.method, **dict(explanation.options))
    except MethodError:
        return None, None
    layer = model.default_layer if method.at_input else explanation.layer
    return (method, layer) if model.has_layer(layer) else (None, None)


def _as_masks(mask: Any) -> np.ndarray:
    """A mask that a person gave, as bool."""
    check_filled(mask, "the mask", "False")
    try:
        values = np.asarray(mask, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.full((), np.nan)
    if not np.isfinite(values).all():
        raise PictureError(
            "A mask has shape (H, W) or (n, H, W), and is 0 or false where the object is not; this one, of type "
            f"{type(mask).__name__}, has values that are no numbers."
        )
    return np.asarray(values != 0)


def _finder(
    model: VisionModel,
    image: PictureLike | GroundTruth,
    mask: np.ndarray | None,
    fitted: tuple[int, ...],
) -> Callable[[int], ObjectLocations | None]:
    """From a class to where its objects are; a mask that is given is the evidence for whatever is explained.

    ``fitted`` is the size (H, W) of the model's pixels.
    """
    preprocess = model.preprocess
    if mask is None:
        if not isinstance(image, GroundTruth):
            return lambda target: None
        return lambda target: find_objects(image, model.classes[target], model.text, preprocess)
    masks = _as_masks(mask)
    masks = masks[None] if masks.ndim == 2 else masks
    picture = _picture(image)
    # A floating-point tensor is what the model gets, and so is its mask: nothing is resized.
    own = fitted if is_prepared(picture) else preprocess.read(picture).size[::-1]
    if masks.shape[1:] == own and not is_prepared(picture):
        found = whereabouts(masks, preprocess)
    elif masks.shape[1:] == fitted:
        found = object_locations(masks)
    else:
        hint = ""
        if np.ndim(mask) <= 2 and np.shape(mask)[-1:] == (4,):
            hint = " Of boxes make masks: mask[top:bottom, left:right] = True; evaluate(…, truth=…) takes boxes too."
        raise PictureError(
            f"The mask is {np.shape(mask)}; the picture is {own}, the model's input {fitted}: give a mask of one of "
            f"these sizes, or (n, H, W) of several objects.{hint}"
        )
    return lambda target: found
