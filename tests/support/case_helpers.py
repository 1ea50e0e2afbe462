"""Handmade cases: a map, a mask, and the predictions of a model that is never run."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from camwidget.images.ground_truth import object_locations
from camwidget.metrics import Case, Score, ScoredPicture, get_metric, score_steps

NAMES = tuple("abcdefgh")


def case(
    saliency: Any,
    masks: Any = None,
    *,
    target: int = 0,
    label: int | None = None,
    probabilities: Any = None,
    peak: float | None = None,
) -> Case:
    """A map (H, W), with masks (n, H, W) of the target's objects."""
    values = torch.as_tensor(np.array(saliency, dtype=np.float32))
    probabilities = torch.as_tensor(
        probabilities if probabilities is not None else [1 / 8] * 8
    ).double()
    model: Any = SimpleNamespace(classes=NAMES, scores="softmax", frames=None)
    subject = ScoredPicture(model, torch.zeros(3, *values.shape), probabilities, label=label)
    if masks is not None:
        found = object_locations(np.array(masks, dtype=bool))
        subject.locate = lambda target: found
    result = Case(subject, target, values, peak=peak)
    subject.cases.append(result)
    return result


def scored(result: Case, name: str, **settings: Any) -> Score:
    """The case's score by a metric that asks nothing of the model."""
    metric = get_metric(name, **settings)
    *_, last = score_steps([result], [metric])
    return last.scores[result, name]


def number(result: Case, name: str, **settings: Any) -> float:
    """A score that must be a number within the metric's range."""
    score = scored(result, name, **settings)
    low, high = get_metric(name).range
    assert not math.isnan(score.value) and low - 1e-9 <= score.value <= high + 1e-9
    return score.value
