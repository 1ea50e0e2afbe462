"""Comparison of two maps: validation of ``compare``, look-up of map B's inputs, and the difference A − B."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ..._registry import did_you_mean
from ...attribution.explanation import Explanation
from ...attribution.methods import get_method
from ...attribution.stance import FOR
from ...errors import CamwidgetError, LayerError, MethodError, ModelError, PictureError, TargetError
from ...masking.rank_rule import threshold
from ...models.argument_checks import require_model
from ...models.class_names import unique_names
from ...models.detection_model import DetectionModel
from ...models.similarity_model import SimilarityModel
from ...models.vision_model import VisionModel
from .cache import ModelCache, Picture
from .compared_target import compared_target, compared_target_to_json
from .map_request import MapInputs, MapRequest
from .method_settings import options_of
from .prompt_control import PromptController
from .reference_control import ReferenceController

__all__ = [
    "ARRANGEMENTS",
    "KEYS",
    "REFERENCE",
    "ComparedInputs",
    "as_models",
    "difference",
    "index_of_class",
    "model_names",
    "resolve",
    "valid_compare",
    "why_no_difference",
]

#: The settings in which B may differ from A.
KEYS = ("model", "picture", "target", "method", "layer", "fraction")

#: As B's picture: the reference that A's picture is compared with, which is compared with A's picture in turn.
REFERENCE = "reference"

#: How the two are shown.
ARRANGEMENTS = ("side", "split", "difference")


def as_models(model: VisionModel | Sequence[VisionModel]) -> tuple[VisionModel, ...]:
    """Return the models of an explorer as a tuple.

    Raises:
        CamwidgetError: if there is none, or one is no model, or has no classes to choose from.
    """
    models = tuple(model) if isinstance(model, (list, tuple)) else (model,)
    if not models:
        raise CamwidgetError("The list of models is empty: Explorer takes one or more.")
    for one in models:
        require_model(one, "Explorer")
        if not one.classes and not isinstance(one, (SimilarityModel, DetectionModel)):
            raise CamwidgetError(
                f"There is nothing to choose from: {one.no_classes} Or use camwidget.explain(…, target=callable)."
            )
    return models


def model_names(models: Sequence[VisionModel]) -> tuple[str, ...]:
    """Return a unique name for each model: two with different weights may have the same name."""
    return unique_names([m.name for m in models], len(models))


def index_of_class(model: VisionModel, name: str) -> int | None:
    """Return the index of a class by its name; None if the model has no such class."""
    try:
        return model.class_index(name)
    except TargetError:
        return None


def valid_compare(
    value: Any,
    models: Sequence[VisionModel],
    pictures: int,
    under: Callable[[Mapping[str, Any]], VisionModel | None],
) -> dict[str, Any] | None:
    """Check a value of ``Explorer.compare``; return it with complete names, or None if nothing is compared.

    Args:
        value: the value set.
        models: the explorer's models.
        pictures: the number of its pictures.
        under: returns B's model under its text; None if its classes are not known yet.

    Raises:
        CamwidgetError: of the class that the explorer's own trait would raise.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise CamwidgetError(
            f"compare is None, or a mapping with any of {', '.join(map(repr, KEYS))}; not {type(value).__name__}."
        )
    unknown = [k for k in value if k not in KEYS]
    if unknown:
        raise CamwidgetError(
            f"B cannot differ in {unknown[0]!r}.{did_you_mean(unknown[0], KEYS)} "
            f"It can in {', '.join(map(repr, KEYS))}."
        )
    checked = dict(value)
    if "model" in checked:
        checked["model"] = _number(checked["model"], len(models), "model", ModelError)
    if checked.get("picture") == REFERENCE and isinstance(checked["picture"], str):
        if "target" in checked or checked.get("model", 0) != 0 or not _has_pictures(models[0]):
            raise PictureError(
                "B is of A's reference, compared with A's picture, only for a model that compares pictures with "
                "pictures, and for the same model and no other class."
            )
    elif "picture" in checked:
        checked["picture"] = _number(checked["picture"], pictures, "picture", PictureError)
    model = models[checked.get("model", 0)]
    if "method" in checked:
        if not isinstance(checked["method"], str):
            raise MethodError(f"A method is a name, not {type(checked['method']).__name__}.")
        get_method(checked["method"])  # whether it applies is checked when B is computed
    if "layer" in checked:
        if not isinstance(checked["layer"], str):
            raise LayerError(f"A layer is a name, not {type(checked['layer']).__name__}.")
        checked["layer"] = model.layer(checked["layer"]).name
    if "fraction" in checked:
        threshold(checked["fraction"])  # raises for a value outside [0, 1]
        checked["fraction"] = float(checked["fraction"])
    if checked.get("target") is not None:
        checked["target"] = compared_target_to_json(checked["target"], model, under(checked))
    return checked or None


def _has_pictures(model: VisionModel) -> bool:
    return isinstance(model, SimilarityModel) and model.compared_with == "pictures"


def _number(value: Any, count: int, what: str, error: type[CamwidgetError]) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise error(f"A {what} is a number here, not {type(value).__name__}.") from None
    if isinstance(value, bool) or not 0 <= number < count:
        raise error(f"There is no {what} {value!r}: there are {count}, from 0.")
    return number


@dataclass(frozen=True)
class ComparedInputs(MapInputs):
    """Inputs of map B.

    Attributes:
        number: number of its model.
        note: sentences on settings of A that B's model does not have, and what B has instead; empty if there are none.
        main: map A.
        main_picture: the picture of map A.
        is_mirrored: whether B is of A's reference, compared with A's picture.
    """

    number: int = 0
    note: str = ""
    is_mirrored: bool = False
    main: Explanation = field(kw_only=True)
    main_picture: Picture = field(kw_only=True)


def resolve(
    compare: Mapping[str, Any],
    shown: MapRequest,
    main: Explanation,
    prompts: Sequence[PromptController],
    pictures: Sequence[Picture],
    settings: Mapping[str, Mapping[str, Any]],
) -> ComparedInputs:
    """Look up the inputs of map B for a main map that is shown. B's model may run to propose a text.

    Args:
        compare: how B differs.
        shown: the request of map A.
        main: map A.
        prompts: texts and caches of each model.
        pictures: the explorer's pictures.
        settings: settings of methods.

    Raises:
        PromptError: if B's model cannot read A's text.
    """
    number = compare.get("model", 0)
    prompt, notes = prompts[number], []
    index: int | None
    if compare.get("picture") == REFERENCE:
        assert isinstance(prompt, ReferenceController)
        assert shown.target is not None and isinstance(shown.text, tuple)
        picture = prompt.picture_of(shown.text[shown.target])
        cache = prompt.cache(picture, (pictures.index(shown.picture),))
        index, stance = 0, FOR
        note = "" if shown.stance == FOR else "B is for A's picture alone."
    else:
        picture = pictures[compare["picture"]] if "picture" in compare else shown.picture
        given = prompt.carried(shown.text, is_same_picture=picture is shown.picture)
        cache = prompt.cache(picture, given)
        index, stance, note = compared_target(compare, main.target, cache.model)
    model = cache.model
    if note:
        notes.append(note)
    method = compare.get("method", shown.method)
    layer = compare.get("layer", shown.layer)
    try:
        layer = model.layer(layer).name
    except LayerError:
        if not get_method(method).at_input:
            notes.append(f"No layer {layer!r} here: its default, {model.default_layer}.")
        layer = model.default_layer
    return ComparedInputs(
        cache,
        picture,
        index,
        method,
        layer,
        stance,
        options_of(settings, method),
        picture is shown.picture
        and _are_same(prompts[0].base.pixels(picture), cache.pixels(picture)),
        number,
        " ".join(notes),
        compare.get("picture") == REFERENCE,
        fraction=compare.get("fraction"),
        main=main,
        main_picture=shown.picture,
    )


def _are_same(one: torch.Tensor, two: torch.Tensor) -> bool:
    return one.shape == two.shape and bool((one == two).all())


def difference(a: Explanation, b: Explanation) -> np.ndarray:
    """Return A's saliency minus B's, float32 (H, W) in [-1, 1]; each map has its maximum at 1."""
    return np.asarray(a.saliency, np.float32) - np.asarray(b.saliency, np.float32)


def why_no_difference(main: ModelCache, other: ComparedInputs) -> str:
    """Return why two maps cannot be subtracted pixel by pixel; empty if they can."""
    shown = other.main_picture
    if other.picture is not shown:
        return f"No difference: A is of {shown.name}, B of {other.picture.name}."
    one, two = (cache.pixels(shown) for cache in (main, other.cache))
    (height, width), (tall, wide) = one.shape[-2:], two.shape[-2:]
    if (height, width) != (tall, wide):
        return f"No difference: A sees the picture at {width}×{height}, B at {wide}×{tall}."
    if _are_same(one, two):
        return ""
    first, second = main.model.preprocess, other.cache.model.preprocess
    is_known = first.geometry is None and second.geometry is None
    # The pixels differ only by interpolation or color: each still shows the same place.
    if is_known and (first.size, first.resize) == (second.size, second.resize):
        return ""
    return "No difference: the two models crop the picture differently."
