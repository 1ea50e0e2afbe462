"""``measure``: scores of one or several explanations of one picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

import numpy as np
import torch

from .._validation import check_no_masked_values
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
    locate_objects,
    object_locations,
)
from ..models.argument_checks import require_model
from ..models.spatial_model import SpatialModel
from ..models.vision_model import VisionModel
from ..progress import Progress, follow
from .cases import Case, MetricContext, ScoredPicture
from .registry import Metric, Score, get_metric
from .scoring import find_faults, score_steps
from .settings import as_list, check_integer

__all__ = ["measure", "place_asked_about"]


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
    """Score one explanation, or several explanations of one picture, by one metric or several.

    Args:
        model: the explained model. A model that takes a text and has none gets the text of the explanations.
        image: the explained picture; a sample of the zoo brings its masks along. For a model with several inputs, a
            mapping as in ``explain``.
        explanation: an explanation from ``explain``, or several. Computations that they share run once.
        metrics: names from ``list_metrics``, or metrics from ``get_metric``.
        mask: the target's pixels, at the picture's own size or the model's input size: bool (H, W), which counts as one
            object, or bool (n, H, W), one mask for each of n objects; of a clip (T, H, W) or (n, T, H, W), at the
            model's input size only. If None, those of the sample; of chosen detections, each one's own box, and of a
            region, the region.
        label: the picture's true class, as an index or a name.
        precision: "fp32", "bf16" or "fp16", as in ``explain``.
        seed: seed of all random numbers, ≥ 0.
        progress: called with (done, total); may raise to cancel. If None, a bar appears after a second.

    Returns:
        A dict of scores by metric name; for a sequence of explanations a list of such dicts.

    Raises:
        MetricError: if there is no such metric, or it lacks what it needs; if an explanation has no class, is of
            another model, or has another text than the model.
        ModelError: if ``model`` is not from ``load`` or ``wrap``.
        PictureError: if an explanation is of another picture, or the mask has another size.
        TargetError: if ``label`` is no class.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> sample = cw.zoo.samples("zoo/textures")[0]
        >>> explanation = cw.explain(model, sample.image)
        >>> scores = cw.measure(model, sample, explanation, ["drop", "pointing"])
        >>> scores["pointing"].value, 0 <= scores["drop"].value <= 1
        (1.0, True)
    """
    require_model(model, "measure", image)
    explanations: list[Explanation] = as_list(explanation)
    for each in explanations:
        if not isinstance(each, Explanation):
            raise MetricError(
                f"measure takes explanations from camwidget.explain, not {type(each).__name__}: pass one, or "
                "several of one picture."
            )
    chosen = [get_metric(m) for m in as_list(metrics)]
    check_precision(precision)
    seed = check_integer("seed", seed, 0)
    if not chosen or not explanations:
        raise MetricError("Nothing to measure: a list of explanations or metrics is empty.")
    if len({m.name for m in chosen}) < len(chosen):
        raise MetricError(
            "A metric is listed twice: measure it with other settings in a separate call."
        )
    if isinstance(image, Mapping):
        model, image = model.split_inputs(image)
    pixels = model.preprocess.pixels(_picture(image))
    prompted = model_as_explained(model, explanations).with_text_for(pixels)
    pixels = pixels.to(prompted.device)
    subject = ScoredPicture(
        prompted,
        pixels,
        _unmasked_probabilities(prompted, pixels, precision),
        MetricContext(precision, seed),
    )
    if label is not None:
        subject.label = prompted.class_index(label)
    subject.locate = _object_locator(prompted, image, mask, tuple(pixels.shape[-2:]))
    for each in explanations:
        explained_class(prompted, pixels, each)
        subject.cases.append(case_of(subject, each))
    last = follow(score_steps(subject.cases, chosen), "measuring", progress)
    rows = [{m.name: last.scores[case, m.name] for m in chosen} for case in subject.cases]
    return rows[0] if isinstance(explanation, Explanation) else rows


def _picture(image: PictureLike | GroundTruth) -> PictureLike:
    return image.image if isinstance(image, GroundTruth) else image


def _unmasked_probabilities(
    model: VisionModel, pixels: torch.Tensor, precision: str
) -> torch.Tensor:
    """Probabilities (classes,) of the unmasked picture, in the precision of the changed ones."""
    inputs = model.inputs(pixels[None])
    (found,) = rerun_probabilities(model, 1, lambda a, b: inputs, precision=precision)
    return found[0].double()


def case_of(subject: ScoredPicture, explanation: Explanation) -> Case:
    """Convert an explanation of a picture to a case.

    Raises:
        MetricError: if the explained target is no class.
    """
    index = explanation.target.index
    if index is None:
        raise MetricError(
            f"Metrics score the map of a class; {explanation.target.label!r} is not a class."
        )
    explanation = explanation.of_strip()
    saliency = torch.from_numpy(np.array(explanation.saliency)).to(subject.pixels.device)
    (fault,) = find_faults(torch.from_numpy(np.array(explanation.raw))[None], saliency[None])
    method, layer = _method_and_layer(subject.model, explanation)
    return Case(subject, index, saliency, method, layer, fault, float(explanation.raw.max()))


def _method_and_layer(
    model: VisionModel, explanation: Explanation
) -> tuple[Method | None, str | None]:
    """The method and the layer that recompute the map; (None, None) if it cannot be, such as an average of maps."""
    try:
        method = get_method(explanation.method, **dict(explanation.options))
    except MethodError:
        return None, None
    layer = model.default_layer if method.at_input else explanation.layer
    return (method, layer) if model.has_layer(layer) else (None, None)


def _as_masks(mask: Any) -> np.ndarray:
    """Convert a user's mask to bool, true where it is not 0.

    Raises:
        PictureError: if a value is not a finite number.
    """
    check_no_masked_values(mask, "the mask", "False")
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


def place_asked_about(model: VisionModel, target: int) -> ObjectLocations | None:
    """Return the box of a detection, or the region, as the object at which its map should lie.

    Args:
        model: any model.
        target: index of the class.

    Returns:
        None if the box or the region has no pixel, and for a model that is not asked about a place.
    """
    place = model.place_of(target) if isinstance(model, SpatialModel) else None
    return None if place is None or not place.any() else object_locations(place[None])


def _object_locator(
    model: VisionModel,
    image: PictureLike | GroundTruth,
    mask: np.ndarray | None,
    fitted: tuple[int, ...],
) -> Callable[[int], ObjectLocations | None]:
    """A function from a class index to the locations of its objects.

    Args:
        model: the explained model.
        image: the explained picture, perhaps with a ground truth.
        mask: the user's mask, which applies to every class; None for the place that the model is asked about, or
            otherwise for the ground truth of ``image``.
        fitted: (H, W) of the model's input.

    Raises:
        PictureError: if the mask has the size of neither the picture nor the model's input.
    """
    preprocess = model.preprocess
    if mask is None:
        # A sample knows the places of classes, and not which of its objects a detection is.
        if model.finds_boxes or not isinstance(image, GroundTruth):
            return lambda target: place_asked_about(model, target)
        return lambda target: find_objects(image, model.classes[target], model.text, preprocess)
    masks = _as_masks(mask)
    picture = _picture(image)
    is_clip = preprocess.frames is not None
    if is_clip and masks.ndim > 2 and masks.shape[-3] == preprocess.frames:
        masks = masks.reshape(*masks.shape[:-3], -1, masks.shape[-1])  # a strip for each object
    masks = masks[None] if masks.ndim == 2 else masks
    # A floating-point tensor is passed to the model as it is, so its mask is not resized either.
    is_fitted = is_prepared(picture) or is_clip
    own = fitted if is_fitted else preprocess.read(picture).size[::-1]
    if masks.shape[1:] == own and not is_fitted:
        found = locate_objects(masks, preprocess)
    elif masks.shape[1:] == fitted:
        found = object_locations(masks)
    else:
        hint = ""
        if preprocess.frames is not None:
            own = fitted = (preprocess.frames, fitted[0] // preprocess.frames, fitted[1])
        if np.ndim(mask) <= 2 and np.shape(mask)[-1:] == (4,):
            hint = " Of boxes make masks: mask[top:bottom, left:right] = True; evaluate(…, truth=…) takes boxes too."
        raise PictureError(
            f"The mask is {np.shape(mask)}; the picture is {own}, the model's input {fitted}: give a mask of one of "
            f"these sizes, or (n, H, W) of several objects.{hint}"
        )
    return lambda target: found
