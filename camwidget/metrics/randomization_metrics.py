"""Randomization tests: whether a map depends on the class and on the trained weights."""

from __future__ import annotations

import math
from collections.abc import Generator

import torch

from ..analysis.correlation import unit_ranks
from ..attribution.randomization import randomized_copy
from ..models.scores import are_proper
from ..models.vision_model import VisionModel
from .cases import Case, Recomputation, ScoredPicture
from .registry import Score, metric

__all__: list[str] = []

Asking = Generator[Recomputation, torch.Tensor, Score]


@metric(
    "random-logit",
    label="Random logit",
    citation="Sixt et al. 2020, ICML, arXiv:1912.09818 (random logit test)",
    summary="How much the map resembles that of another class, chosen at random.",
    group="randomisation",
    range=(-1, 1),
    better="lower",
    needs=("method",),
)
def random_logit(case: Case) -> Asking:
    """The rank correlation of the map with that of a random other class: 1 if the method does not heed the class.

    The authors compare the maps by SSIM. Ranks are compared here, as in ``parameter-randomisation``: SSIM is made for
    photographs, and finds maps alike that are both flat nearly everywhere; ranks do not depend on how a map is scaled.
    All maps of a class of a picture are compared with the same other class.
    """
    whole, is_value = case.subject.whole, case.subject.model.scores == "value"
    # Of a class that the model masks out there is no map.
    others = [i for i in range(len(whole)) if i != case.target and (is_value or whole[i] > 0)]
    if not others:
        return Score(math.nan, "the model has no other class")
    generator = case.subject.generator(f"random-logit/{case.target}")
    other = others[int(torch.randint(len(others), (1,), generator=generator))]
    maps = yield Recomputation(("whole",), lambda: case.subject.pixels[None], target=other)
    return likeness(case, maps[0], f"the map of {case.subject.model.classes[other]!r}")


@metric(
    "parameter-randomisation",
    label="Parameter randomisation",
    citation="Adebayo et al. 2018, NeurIPS, arXiv:1810.03292 (model parameter randomization test)",
    summary="How much the map resembles that of the same net with random weights, which has learned nothing.",
    group="randomisation",
    range=(-1, 1),
    better="lower",
    needs=("method",),
)
def parameter_randomisation(case: Case) -> Asking:
    """The rank correlation of the map with that of a net of random weights: 1 if what was learned is of no matter.

    All weights are random at once, the last stage of the authors' cascade; one net serves all pictures.
    """
    subject = case.subject
    untrained = subject.remembered("untrained", lambda: _untrained(subject))
    if untrained is None:
        return Score(math.nan, "with random weights the model answers NaN or infinity")
    maps = yield Recomputation(("untrained",), lambda: subject.pixels[None], model=untrained)
    return likeness(case, maps[0], "the map with random weights")


def _untrained(subject: ScoredPicture) -> VisionModel | None:
    """The picture's model with random weights; None if it cannot say anything of the picture."""
    bench, module = subject.bench, subject.model.module
    key = ("untrained", module)
    if key not in bench.memory:
        bench.memory[key] = randomized_copy(subject.model, bench.seed)
    untrained = subject.model.around(bench.memory[key])
    with untrained.undisturbed() as held, torch.no_grad():
        pixels = subject.pixels[None]
        logits = held.logits_of(held.run(held.inputs(pixels)), 1)
    return untrained if are_proper(logits, untrained.scores) else None


def likeness(case: Case, other: torch.Tensor, name: str) -> Score:
    """The rank correlation of a case's map with another (H, W); NaN if that one ranks nothing."""
    own, theirs = case.ranks, unit_ranks(other)
    if own is None:
        return Score(math.nan, "the map ranks nothing")
    if theirs is None:
        fault = "constant" if bool(torch.isfinite(other).all()) else "NaN"
        return Score(math.nan, f"{name} is {fault}")
    return Score(float((own @ theirs).clamp(-1, 1)))
