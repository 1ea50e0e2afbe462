"""Adversarial attacks, and the change of saliency maps under them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from .._validation import check_integer, is_number
from ..attribution.explaining import explain
from ..attribution.explanation import Explanation
from ..attribution.methods import Method
from ..attribution.targets import ClassTarget, LogProbability, TargetLike
from ..attribution.trace import INPUT, Trace
from ..errors import MethodError, PictureError, TargetError
from ..images.conversion import shades
from ..images.ground_truth import share_inside
from ..masking.rank_rule import saliency_of
from ..models.argument_checks import require_model
from ..models.vision_model import Prediction, VisionModel
from ..progress import Progress, follow
from .correlation import correlation, rank_correlation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Attack", "MapSurvival", "attack", "map_survival"]


@dataclass(frozen=True, eq=False)
class Attack:
    """A picture before and after an adversarial perturbation towards a wrong class.

    Attributes:
        original: float32 (C, H, W) in multiples of 1/255, the pixels that the model got.
        pixels: float32 (C, H, W), the perturbed pixels. ``explain`` takes both without preprocessing.
        before: the model's prediction for ``original``.
        after: the model's prediction for ``pixels``.
        target: the wrong class.
        probability: probability of ``target`` for ``pixels``, in [0, 1].
        confidence: the probability at which the attack counts as successful, in (0, 1).
        steps: number of gradient steps until ``pixels`` was found.
        model: the model's name.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> picture = cw.zoo.samples("zoo/textures")[0].image
        >>> attack = cw.attack(model, picture, "fibrous")
        >>> attack.before.names[0], attack.after.names[0]
        ('polka-dotted', 'fibrous')
        >>> attack.image.size
        (192, 192)
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
        """Whether the probability of the wrong class reaches ``confidence``."""
        return self.probability >= self.confidence

    @property
    def distance(self) -> int:
        """The greatest change of any value, in units of 1/255 (the L∞ distance)."""
        return int(((self.pixels - self.original).abs().max() * 255).round())

    @property
    def image(self) -> Image.Image:
        """The perturbed picture, at the model's input size; a lossless file format keeps the perturbation.

        A model that resizes and crops its input resamples this picture too, which destroys the perturbation. Pass
        ``pixels`` instead: they are not preprocessed.
        """
        return Image.fromarray(shades(self.pixels))

    def plot(self) -> Figure:
        """The picture, the enlarged perturbation and the perturbed picture side by side (matplotlib)."""
        from ..plotting import new_figure, plain_text

        change = (self.pixels - self.original) / (2 * max(self.distance, 1) / 255) + 0.5
        panels = (
            (self.original, _prediction_text(self.before)),
            (change, f"the change, at most {self.distance}/255, enlarged"),
            (self.pixels, _prediction_text(self.after)),
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
    """Perturb a picture by at most ``epsilon`` so that a model predicts a wrong class with high confidence.

    Projected gradient descent (Madry et al. 2018, arXiv:1706.06083, eq. 1) on the loss -log p(target), within the L∞
    ball of radius ε, from a random start and in steps of ε/4. Gradient and success are computed at pixels rounded to
    multiples of 1/255, so that the result is a picture of 8 bits and survives being saved.

    Args:
        model: from ``load`` or ``wrap``; left unchanged.
        image: a path, PIL image, array or tensor; for a model with several inputs, a mapping.
        target: index or name of the wrong class. There is no untargeted attack.
        epsilon: the greatest change of any value, in [1/255, 1]; rounded down to a multiple of 1/255.
        steps: the greatest number of gradient steps, at least 1.
        confidence: the probability of ``target``, in (0, 1), at which the attack stops.
        seed: seed of the random start. The same seed gives the same picture on one machine with the same number of
            threads.
        progress: called with (done, total) after each step; may raise to cancel. If None, a bar appears after a second.

    Returns:
        The perturbed picture with the highest probability of ``target`` that was found. ``Attack.succeeded`` says
        whether that probability reaches ``confidence``.

    Raises:
        TargetError: if there is no such class, if the model predicts it already, or if it has no second class.
        MethodError: if a number is out of its range, or the model has no gradient at the picture.
        ModelError: if ``model`` is not from ``load`` or ``wrap``.
        PictureError: if the picture cannot be read.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> picture = cw.zoo.samples("zoo/textures")[0].image
        >>> attack = cw.attack(model, picture, "fibrous", epsilon=4 / 255)
        >>> attack.succeeded, attack.distance <= 4
        (True, True)
    """
    require_model(model, "attack", image, target)
    if not is_number(epsilon, (1 - 1e-9) / 255, 1):
        raise MethodError(
            f"epsilon is a number between 1/255, the smallest change of an 8-bit picture, and 1, not {epsilon!r}."
        )
    if not is_number(confidence, 0, 1, ends=False):
        raise MethodError(f"confidence is a number between 0 and 1, not {confidence!r}.")
    steps = check_integer("steps", steps, error=MethodError)
    if isinstance(image, Mapping):
        model, image = model.split_inputs(image)
    index = model.class_index(target)
    if model.scores == "value":
        raise TargetError(
            f"{model.name} predicts quantities; an attack needs a wrong class as its target."
        )
    if len(model.classes) < 2:
        raise TargetError(
            f"{model.name} has a single class, so there is no wrong class to attack towards."
        )
    levels = (model.preprocess.pixels(image)[None] * 255).round()
    descent = _GradientDescent(
        model, levels, index, int(epsilon * 255 + 1e-6), steps, confidence, seed
    )
    if descent.before.indices[0] == index:
        raise TargetError(
            f"{model.name} takes the picture for {model.classes[index]!r} already: name another class."
        )
    follow(descent.run(), f"Attacking towards {model.classes[index]}", progress)
    return descent.result()


@dataclass(frozen=True)
class _AttackProgress:
    done: int
    total: int


class _GradientDescent:
    """Projected gradient descent from a picture. Pictures are (1, C, H, W) in units of 1/255."""

    def __init__(
        self,
        model: VisionModel,
        original: torch.Tensor,
        index: int,
        radius: int,
        steps: int,
        confidence: float,
        seed: int,
    ) -> None:
        self.model, self.original, self.index = model, original, index
        self.low, self.high = (original - radius).clamp(min=0), (original + radius).clamp(max=255)
        self.rate = radius / 4
        self.steps, self.confidence = steps, confidence
        logits = model.logits(original / 255)
        self.before = self.after = model.prediction(logits[0])
        self.best, self.probability, self.best_step = original, -1.0, 0
        generator = torch.Generator().manual_seed(
            check_integer("seed", seed, None, error=MethodError)
        )
        noise = 2 * torch.rand(original.shape, generator=generator) - 1
        self.current = (original + radius * noise).clamp(self.low, self.high)

    def run(self) -> Iterator[_AttackProgress]:
        """Descend step by step, until the wrong class is probable enough or the steps are used up."""
        loss = LogProbability(ClassTarget(self.index, self.model.classes[self.index]))
        for done in range(self.steps + 1):
            rounded = self.current.round()
            trace = Trace(self.model, rounded / 255, (), with_input=True)
            self._update_best(rounded, trace.logits[0], done)
            if self.probability >= self.confidence or done == self.steps:
                yield _AttackProgress(self.steps, self.steps)
                return
            # Normalization does not change the sign of the gradient.
            direction = trace.gradient(loss, INPUT).sign().to(self.current)
            self.current = (self.current + self.rate * direction).clamp(self.low, self.high)
            yield _AttackProgress(done, self.steps)

    def _update_best(self, levels: torch.Tensor, logits: torch.Tensor, done: int) -> None:
        probability = float(self.model.probabilities(logits.float())[self.index])
        if probability > self.probability:
            self.best, self.probability, self.best_step = levels, probability, done
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
            steps=self.best_step,
            model=self.model.name,
        )


# -- change of the map ----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class MapSurvival:
    """How much of a class's saliency map remains after an attack.

    Attributes:
        before: the map of the original picture.
        after: the map of the perturbed picture.
        pearson: Pearson correlation of the two saliencies, in [-1, 1]; 0 if one of them is constant.
        spearman: Spearman rank correlation, in [-1, 1], with average ranks for ties; 0 if one of them is constant.
        inside_before: share of the saliency inside the mask before the attack, in [0, 1]; None without a mask.
        inside_after: share of the saliency inside the mask after the attack, in [0, 1]; None without a mask.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> sample = cw.zoo.samples("zoo/textures")[0]
        >>> attack = cw.attack(model, sample.image, "fibrous")
        >>> survival = cw.map_survival(model, attack, mask=sample.mask_of(sample.label))
        >>> survival.pearson > 0.5, survival.inside_after > 0.1
        (True, True)
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
    """Compare the map of a class before and after an attack.

    Selvaraju et al. 2017 (arXiv:1610.02391, section "Effect of adversarial noise on VGG-16") show one picture: the maps
    still find the cat and the dog although the net predicts an airliner with high confidence. This function measures
    that.

    Args:
        model: the model that was attacked.
        attack: result of ``camwidget.attack``.
        target: the class whose maps are compared; the class predicted before the attack if None.
        method: one saliency method, as in ``explain``.
        layer: one layer, as in ``explain``.
        mask: bool (H, W) at the model's input size: the pixels of the class.
        progress: as in ``explain``.

    Returns:
        Both maps, their correlations, and the share of each inside the mask.

    Raises:
        PictureError: if the mask has another size.
        TargetError: if there is no such class.
        MethodError: if ``attack`` is not from ``camwidget.attack``, or the method does not apply.
        LayerError: if there is no such layer.
        ModelError: if ``model`` is not from ``load`` or ``wrap``.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> picture = cw.zoo.samples("zoo/textures")[0].image
        >>> attack = cw.attack(model, picture, "fibrous")
        >>> survival = cw.map_survival(model, attack, method="gradcam")
        >>> survival.before.target.label, survival.pearson > 0.5
        ('polka-dotted', True)
    """
    require_model(model, "map_survival", attack)
    if not isinstance(attack, Attack):
        raise MethodError(
            f"map_survival takes what camwidget.attack(model, image, target) returns, not {type(attack).__name__}."
        )
    explained = attack.before.indices[0] if target is None else target
    before, after = (
        explain(model, pixels, explained, method, layer, progress=progress)
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
        pearson=_nan_to_zero(correlation(first, second)),
        spearman=_nan_to_zero(rank_correlation(first, second)),
        inside_before=None if mask is None else _inside(before.saliency, mask),
        inside_after=None if mask is None else _inside(after.saliency, mask),
    )


def _nan_to_zero(correlation: float) -> float:
    """A correlation, or 0 for the undefined correlation of a constant map."""
    return 0.0 if math.isnan(correlation) else correlation


def _inside(saliency: np.ndarray, mask: np.ndarray) -> float:
    """The share of a map inside a mask; 0 for a map of all zeros."""
    return float(np.nan_to_num(share_inside(saliency, np.asarray(mask, bool))))


def _prediction_text(prediction: Prediction) -> str:
    return f"{prediction.names[0]} {prediction.probabilities[0]:.4g}"
