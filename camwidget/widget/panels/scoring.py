"""Scores of several methods by several metrics on one picture, computed step by step."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ...attribution.methods import Method
from ...images.ground_truth import ObjectLocations
from ...metrics import Case, Metric, Score, ScoredPicture, score_steps
from ...metrics.measuring import case_of
from ...runtime.error_reports import error_text
from ..control.cache import ModelCache, Picture
from ..control.given_truth import true_class
from ..control.map_location import objects_of_picture

__all__ = ["MethodScores", "lacks", "score_methods"]

#: Share of the progress bar that the maps take: how many passes the metrics need is known once there are maps.
_QUICK_MAPS, _SLOW_MAPS = 0.05, 0.5


@dataclass
class MethodScores:
    """Scores so far, and the progress of the evaluation.

    Attributes:
        share: of the work, from 0 to 1.
        text: the present step, to be shown.
        scores: final scores by (method, metric).
        faults: reasons why a method has no map, by method.
    """

    share: float = 0.0
    text: str = ""
    scores: dict[tuple[str, str], Score] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


def lacks(
    metric: Metric,
    where: ObjectLocations | None,
    name: str,
    *,
    is_quantity: bool = False,
    is_labeled: bool = False,
) -> str | None:
    """Return why a metric cannot score the maps of a class; None if it can.

    Args:
        metric: which.
        where: the objects of the class; None where that is unknown.
        name: of the class.
        is_quantity: whether the model's numbers are no probabilities.
        is_labeled: whether the picture's true class is known.
    """
    if "certainty" in metric.needs and is_quantity:
        return "It needs a certainty to gain, and this model gives a quantity."
    if "label" in metric.needs and not is_labeled:
        return "It needs the picture's true class, which is not known here."
    if "truth" in metric.needs:
        if where is None:
            return "It needs to know where the object is, and this picture does not say."
        if not where.mask.any():
            return f"There is no {name} in this picture."
    return None


def score_methods(
    cache: ModelCache,
    picture: Picture,
    target: int,
    layer: str,
    methods: Sequence[Method],
    metrics: Sequence[Metric],
) -> Iterator[MethodScores]:
    """Score the maps of a picture for a class at a layer, yielding after each piece of work.

    A method that fails is a fault, a metric that fails is a note, and the others go on.
    """
    now = MethodScores()
    model = cache.model
    unmasked = torch.from_numpy(cache.probabilities(picture))
    subject = ScoredPicture(model, cache.pixels(picture).to(model.device), unmasked)
    subject.label = true_class(picture.label, picture.truth, model)
    subject.locate = lambda index: objects_of_picture(picture, model, index)
    names = {}
    part = _SLOW_MAPS if any(m.slow for m in methods) else _QUICK_MAPS
    for number, method in enumerate(methods):
        label, name = method.label, method.name
        try:
            for share, explanation in cache.growing(picture, target, method, layer):
                made = explanation
                now.share = part * (number + share) / len(methods)
                now.text = f"{label}: its map, {100 * share:.0f} %"
                yield now
            case = case_of(subject, made)
        except Exception as error:
            now.faults[name] = error_text(error, cache)
            yield now
            continue
        subject.cases.append(case)
        names[case] = name
    if not subject.cases:
        return
    for step in score_steps(subject.cases, [_forgiving(m, cache) for m in metrics]):
        now.scores = {(names[case], metric): score for (case, metric), score in step.scores.items()}
        # Some metrics need further passes after a result: the total grows, and the bar must not go back.
        now.share = max(now.share, part + (1 - part) * step.done / max(step.total, 1))
        now.text = f"Model runs for the metrics: {step.done} of {step.total}"
        yield now


def _forgiving(metric: Metric, owner: object) -> Metric:
    """The metric, with a note instead of a number where its function fails."""

    def function(case: Case, **options: Any) -> Generator[Any, torch.Tensor, float | Score]:
        try:
            result = metric.function(case, **options)
            return (yield from result) if isinstance(result, Generator) else result
        except Exception as error:
            return Score(math.nan, error_text(error, owner))

    return replace(metric, function=function)
