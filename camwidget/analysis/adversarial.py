"""Adversarial attacks, and how well saliency maps survive them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from .._validation import is_number, whole
from ..attribution.explaining import explain
from ..attribution.explanation import Explanation
from ..attribution.methods import Method
from ..attribution.targets import ClassTarget, LogProbability, TargetLike
from ..attribution.trace import INPUT, Trace
from ..errors import MethodError, PictureError, TargetError
from ..images.conversion import shades
from ..images.ground_truth import share_inside
from ..masking.ranks import saliency_of
from ..models.argument_checks import require_model
from ..models.vision_model import Prediction, VisionModel
from ..progress import Progress, follow
from .correlation import correlation, rank_correlation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Attack", "MapSurvival", "attack", "map_survival"]


@dataclass(frozen=True, eq=False)
class Attack:
    """A picture before and after a perturbation that is to make a model sure of a wrong class.

    Attributes:
        original: float32 (C, H, W) in whole 255ths, the pixels that the model got.
        pixels: the same, perturbed. ``explain`` takes both as they are.
        before: what the model says of ``original``.
        after: what it says of ``pixels``.
        target: the class that the model was to be made sure of.
        probability: of that class for ``pixels``.
        confidence: the probability that was wanted.
        steps: how many steps were taken.
        model: the model's name.
    """

    original: torch.Tensor = field(repr=False)
    pixels: torch.Tensor = field(repr=False)
    before: Prediction
    after: Prediction
    target: ClassTarget
    probability: float
    confidence: float
    steps: int
    model: str

    @property
    def succeeded(self) -> bool:
        """Whether the model is as sure of the wrong class as was wanted."""
        return self.probability >= self.confidence

    @property
    def distance(self) -> int:
        """The greatest change of any value, in 255ths (the L∞ distance)."""
        return int(((self.pixels - self.original).abs().max() * 255).round())

    @property
    def image(self) -> Image.Image:
        """The perturbed picture, as it can be saved without loss.

        It is of the model's input size. A model that resizes and crops would do so again to a picture, and wash the
        perturbation out: ``pixels`` it takes as they are.
        """
        return Image.fromarray(shades(self.pixels))

    def plot(self) -> Figure:
        """The picture, the perturbation times as much as shows it, and the perturbed picture (matplotlib)."""
        from ..plotting import new_figure, plain_text

        change = (self.pixels - self.original) / (2 * max(self.distance, 1) / 255) + 0.5
        panels = (
            (self.original, _said(self.before)),
            (change, f"the change, at most {self.distance}/255, enlarged"),
            (self.pixels, _said(self.after)),
        )
        figure = new_figure(8.4, 3.1)
        for axes, (picture, title) in zip(figure.subplots(1, 3), panels, strict=True):
            axes.imshow(shades(picture.clamp(0, 1)))
            axes.set_axis_off()
            axes.set_title(plain_text(title), fontsize=9)
        return figure

    def _repr_png_(self) -> bytes | None:
        return self.image._repr_png_()


def attack(
    model: VisionModel,
    image: Any,
    target: int | str,
    *,
    epsilon: float = 4 / 255,
    steps: int = 40,
    confidence: float = 0.99,
    seed: int = 0,
    progress: Progress | None = None,
) -> Attack:
    """Change a picture by at most ``epsilon`` so that a model is sure of a wrong class.

    Projected gradient descent on the loss -log p(target), eq. 1 of Madry et al. 2018, within the L∞ ball and from a
    random start in it, in steps of ε/4. The picture stays one of 8 bits: each gradient is taken, and success judged, at
    the pixels rounded to whole 255ths, so that what is found survives being saved.

    Args:
        model: from ``load`` or ``wrap``; left as it is.
        image: a path, PIL image, array or tensor; for a model with several inputs, a mapping.
        target: the wrong class, by index or name. (There is no attack on "any other class": which class is wrong in
            an interesting way, is the caller's to say.)
        epsilon: the most that any value may change, in [0, 1]; whole 255ths of it count.
        steps: of the descent, at most.
        confidence: the probability in (0, 1) of ``target`` at which to stop.
        seed: of the random start; the same seed gives the same picture (on one machine, with as many threads).
        progress: called with (done, total) after each step, and may raise to cancel; a bar appears after a second if
            None.

    Returns:
        The surest picture found, whether or not sure enough: see ``Attack.succeeded``.

    Raises:
        TargetError: if there is no such class, or the model takes the picture for it already, or has but one.
        MethodError: if a number makes no sense, or the model cannot be differentiated down to the picture.
    """
    require_model(model, "attack", image, target)
    if not is_number(epsilon, (1 - 1e-9) / 255, 1):
        raise MethodError(
            f"epsilon lies between 1/255, the least that changes a picture of 8 bits, and 1, not at {epsilon!r}."
        )
    if not is_number(confidence, 0, 1, ends=False):
        raise MethodError(f"confidence lies between 0 and 1, not at {confidence!r}.")
    steps = whole("steps", steps, error=MethodError)
    if isinstance(image, Mapping):
        model, image = model.split_inputs(image)
    index = model.class_index(target)
    if model.scores == "value":
        raise TargetError(f"{model.name} gives quantities, and an attack is towards a wrong class.")
    if len(model.classes) < 2:
        raise TargetError(f"{model.name} has a single class: there is no wrong one.")
    levels = (model.preprocess.pixels(image)[None] * 255).round()
    descent = _Descent(model, levels, index, int(epsilon * 255 + 1e-6), steps, confidence, seed)
    if descent.before.indices[0] == index:
        raise TargetError(
            f"{model.name} takes the picture for {model.classes[index]!r} already: name another class."
        )
    follow(descent.run(), f"Attacking towards {model.classes[index]}", progress)
    return descent.result()


@dataclass(frozen=True)
class _Step:
    done: int
    total: int


class _Descent:
    """The way from a picture to a perturbed one. Pictures are (1, C, H, W) in 255ths."""

    def __init__(
        self,
        model: VisionModel,
        original: torch.Tensor,
        index: int,
        reach: int,
        steps: int,
        confidence: float,
        seed: int,
    ) -> None:
        self.model, self.original, self.index = model, original, index
        self.low, self.high = (original - reach).clamp(min=0), (original + reach).clamp(max=255)
        self.rate = reach / 4
        self.steps, self.confidence = steps, confidence
        logits = model.logits(original / 255)
        self.before = self.after = model.prediction(logits[0])
        self.best, self.probability, self.taken = original, -1.0, 0
        generator = torch.Generator().manual_seed(whole("seed", seed, None, error=MethodError))
        noise = 2 * torch.rand(original.shape, generator=generator) - 1
        self.here = (original + reach * noise).clamp(self.low, self.high)

    def run(self) -> Iterator[_Step]:
        """Step by step, until the model is sure or the steps are used up."""
        loss = LogProbability(ClassTarget(self.index, self.model.classes[self.index]))
        for done in range(self.steps + 1):
            rounded = self.here.round()
            trace = Trace(self.model, rounded / 255, (), with_input=True)
            self._note(rounded, trace.logits[0], done)
            if self.probability >= self.confidence or done == self.steps:
                yield _Step(self.steps, self.steps)
                return
            # The gradient at the normalised input has the sign of that at the pixels.
            way = trace.gradient(loss, INPUT).sign().to(self.here)
            self.here = (self.here + self.rate * way).clamp(self.low, self.high)
            yield _Step(done, self.steps)

    def _note(self, levels: torch.Tensor, logits: torch.Tensor, done: int) -> None:
        probability = float(self.model.probabilities(logits.float())[self.index])
        if probability > self.probability:
            self.best, self.probability, self.taken = levels, probability, done
            self.after = self.model.prediction(logits)

    def result(self) -> Attack:
        return Attack(
            original=self.original[0] / 255,
            pixels=self.best[0] / 255,
            before=self.before,
            after=self.after,
            target=ClassTarget(self.index, self.model.classes[self.index]),
            probability=self.probability,
            confidence=self.confidence,
            steps=self.taken,
            model=self.model.name,
        )


# -- what is left of a map ------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class MapSurvival:
    """How much of a class's map is left after an attack.

    Attributes:
        before: the map for the picture as it was.
        after: the map for the perturbed picture.
        pearson: correlation of the two saliencies, in [-1, 1]; 0 if one of them is the same everywhere.
        spearman: the same of their ranks, equal values sharing a rank.
        inside_before: the part of the saliency that lies inside the mask, in [0, 1]; None without a mask.
        inside_after: the same after the attack.
    """

    before: Explanation = field(repr=False)
    after: Explanation = field(repr=False)
    pearson: float
    spearman: float
    inside_before: float | None
    inside_after: float | None


def map_survival(
    model: VisionModel,
    attack: Attack,
    target: TargetLike | None = None,
    method: str | Method = "gradcam",
    layer: str | None = None,
    *,
    mask: np.ndarray | None = None,
    progress: Progress | None = None,
) -> MapSurvival:
    """Compare the map of a true class before and after an attack.

    Selvaraju et al. 2017, section "Effect of adversarial noise on VGG-16", show one picture: the maps still find the
    cat and the dog, though the net is sure of an airliner. These are figures for that.

    Args:
        model: the model that was attacked.
        attack: from ``attack``.
        target: the class whose maps are compared; the class predicted before the attack if None.
        method: as in ``explain``, one.
        layer: as in ``explain``, one.
        mask: bool (H, W) at the model's input size, where the class is.
        progress: as in ``explain``.

    Raises:
        PictureError: if the mask is of another size.
        TargetError, MethodError, LayerError: as ``explain`` does.
    """
    require_model(model, "map_survival", attack)
    if not isinstance(attack, Attack):
        raise MethodError(
            f"map_survival takes what camwidget.attack(model, image, target) returns, not {type(attack).__name__}."
        )
    wanted = attack.before.indices[0] if target is None else target
    before, after = (
        explain(model, pixels, wanted, method, layer, progress=progress)
        for pixels in (attack.original, attack.pixels)
    )
    if not isinstance(before, Explanation) or not isinstance(after, Explanation):
        raise MethodError("map_survival compares the maps of one target, method and layer.")
    if mask is not None and np.shape(mask) != before.saliency.shape:
        raise PictureError(
            f"The mask has shape {np.shape(mask)}, the map {before.saliency.shape}: draw it at the model's input size."
        )
    first, second = saliency_of(before.saliency), saliency_of(after.saliency)
    return MapSurvival(
        before=before,
        after=after,
        pearson=_or_zero(correlation(first, second)),
        spearman=_or_zero(rank_correlation(first, second)),
        inside_before=None if mask is None else _inside(before.saliency, mask),
        inside_after=None if mask is None else _inside(after.saliency, mask),
    )


def _or_zero(correlation: float) -> float:
    """Of a map that is the same everywhere nothing is left."""
    return 0.0 if math.isnan(correlation) else correlation


def _inside(saliency: np.ndarray, mask: np.ndarray) -> float:
    """The share of a map inside a mask; a map of nothing has none of it there."""
    return float(np.nan_to_num(share_inside(saliency, np.asarray(mask, bool))))


def _said(prediction: Prediction) -> str:
    return f"{prediction.names[0]} {prediction.probabilities[0]:.4g}"
