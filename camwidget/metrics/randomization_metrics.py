"""Randomization tests: whether a map depends on the class and on the trained weights."""

from __future__ import annotations

import math
from collections.abc import Generator

import torch

from ..analysis.correlation import standardized_ranks
from ..attribution.randomization import randomized_copy
from ..models.scores import are_proper
from ..models.vision_model import VisionModel
from .cases import Case, Recomputation, ScoredPicture
from .registry import Score, metric

__all__: list[str] = []

PredictionSteps = Generator[Recomputation, torch.Tensor, Score]


@metric(
    "random-logit",
    label="Random logit",
    citation="Sixt et al. 2020, ICML, arXiv:1912.09818 (random logit test)",
    summary="How much the map resembles that of another class, chosen at random.",
    group="randomization",
    range=(-1, 1),
    better="lower",
    needs=("method",),
)
def random_logit(case: Case) -> PredictionSteps:
    """The rank correlation of the map with the map of another, random class.

    1 if the method ignores the class. The paper compares maps by SSIM. Ranks are compared here, as in
    ``parameter-randomization``: SSIM is designed for photographs and rates two maps as similar that are both flat
    nearly everywhere, and ranks do not depend on the scale of a map. All maps of one class of a picture are compared
    with the same other class.
    """
    probabilities, is_value = case.subject.probabilities, case.subject.model.scores == "value"
    # A class that the model masks out has no map.
    others = [
        i
        for i in range(len(probabilities))
        if i != case.target and (is_value or probabilities[i] > 0)
    ]
    if not others:
        return Score(math.nan, "the model has no other class")
    generator = case.subject.generator(f"random-logit/{case.target}")
    other = others[int(torch.randint(len(others), (1,), generator=generator))]
    maps = yield Recomputation(("unmasked",), lambda: case.subject.pixels[None], target=other)
    return map_correlation(case, maps[0], f"the map of {case.subject.model.classes[other]!r}")


@metric(
    "parameter-randomization",
    label="Parameter randomization",
    citation="Adebayo et al. 2018, NeurIPS, arXiv:1810.03292 (model parameter randomization test)",
    summary="How much the map resembles that of the same net with random weights, which has learned nothing.",
    group="randomization",
    range=(-1, 1),
    better="lower",
    needs=("method",),
)
def parameter_randomization(case: Case) -> PredictionSteps:
    """The rank correlation of the map with the map of the same network with random weights.

    1 if the map does not depend on what was learned. All weights are randomized at once, the last stage of the paper's
    cascade, and one randomized network serves all pictures.
    """
    subject = case.subject
    untrained = subject.cached("untrained", lambda: _untrained(subject))
    if untrained is None:
        return Score(math.nan, "with random weights the model returns NaN or infinity")
    maps = yield Recomputation(("untrained",), lambda: subject.pixels[None], model=untrained)
    return map_correlation(case, maps[0], "the map with random weights")


def _untrained(subject: ScoredPicture) -> VisionModel | None:
    """The picture's model with random weights; None if it predicts NaN or infinity."""
    context, module = subject.context, subject.model.module
    key = ("untrained", module)
    if key not in context.cache:
        context.cache[key] = randomized_copy(subject.model, context.seed)
    untrained = subject.model.with_module(context.cache[key])
    with untrained.isolated() as isolated, torch.no_grad():
        pixels = subject.pixels[None]
        logits = isolated.logits_of(isolated.run(isolated.inputs(pixels)), 1)
    return untrained if are_proper(logits, untrained.scores) else None


def map_correlation(case: Case, other: torch.Tensor, name: str) -> Score:
    """The rank correlation of a case's map with another map.

    Args:
        case: the case.
        other: the other map, (H, W).
        name: name of the other map, for the note.

    Returns:
        The correlation in [-1, 1]; NaN with a note if one of the maps is constant or not finite.
    """
    own, theirs = case.ranks, standardized_ranks(other)
    if own is None:
        return Score(math.nan, "the map is constant or not finite")
    if theirs is None:
        fault = "constant" if bool(torch.isfinite(other).all()) else "NaN"
        return Score(math.nan, f"{name} is {fault}")
    return Score(float((own @ theirs).clamp(-1, 1)))
