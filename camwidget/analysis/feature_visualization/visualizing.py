"""``visualize``: synthesize a picture that maximizes a class, a channel or a unit (activation maximization)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np
import torch
from PIL import Image

from ..._validation import check_integer
from ...attribution.targets import TargetLike
from ...errors import MethodError
from ...models.argument_checks import require_model
from ...models.vision_model import VisionModel
from ...progress import Progress, track
from .objective import Objective
from .parameterization import FourierImage, Regularizers, random_transform, total_variation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Visualization", "visualization_steps", "visualize"]

#: Adam's learning rate for the coefficients, about the 0.05 of Olah et al. 2017 in our scale.
RATE = 0.07

#: Number of warm-up steps of the learning rate: a full first step would deactivate units that are barely active.
WARMUP_STEPS = 5

#: Standard deviation of the initial noise, before the sigmoid. In weaker noise fewer units are active, and pictures
#: grow from a few spots; the noise itself soon vanishes.
CONTRAST = 0.5

#: An inactive ReLU has no gradient: noise is then added up to so many times, each time more by this factor.
NOISE_TRIES, NOISE_GROWTH = 8, 1.5


@dataclass(frozen=True, eq=False)
class Visualization:
    """A picture synthesized to maximize a score: what a part of the net responds to.

    Attributes:
        pixels: uint8 (H, W, 3), the picture.
        before: the score of the initial noise.
        score: the score of ``pixels``: a logit, the mean of a channel, or the activation of one position.
        scores: float32 (steps,), the score before each step, of the randomly transformed picture of that step.
        probability: the class's probability in [0, 1]; None for a target that is no class.
        label: name of the maximized class, target, channel or unit.
        model: the model's name.
        seed: seed of the noise.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> visualization = cw.visualize(model, "bubbly", steps=8, size=64)
        >>> visualization.pixels.shape, visualization.scores.shape
        ((64, 64, 3), (8,))
        >>> visualization.label, visualization.score > visualization.before
        ('bubbly', True)
    """

    pixels: np.ndarray = field(repr=False)
    before: float
    score: float
    scores: np.ndarray = field(repr=False)
    probability: float | None
    label: str
    model: str
    seed: int

    @property
    def title(self) -> str:
        """The label, the score before and after, and the probability, in one line."""
        sure = "" if self.probability is None else f", probability {self.probability:.2f}"
        return f"{self.label} · {self.before:.4g} → {self.score:.4g}{sure}"

    @property
    def image(self) -> Image.Image:
        """The picture as a PIL image."""
        return Image.fromarray(self.pixels)

    def plot(self) -> Figure:
        """The picture, and the score at each step (matplotlib)."""
        from ...plotting import new_figure, plain_text

        figure = new_figure(7.4, 3.6)
        left, right = figure.subplots(1, 2)
        left.imshow(self.pixels)
        left.set_axis_off()
        left.set_title(plain_text(self.label), fontsize=9)
        right.plot(np.arange(len(self.scores)), self.scores)
        right.set_xlabel("step")
        right.set_ylabel("score")
        right.set_title(f"{self.before:.4g} → {self.score:.4g}", fontsize=9)
        return figure

    def _repr_png_(self) -> bytes | None:
        return self.image._repr_png_()


def visualize(
    model: VisionModel,
    target: TargetLike | None = None,
    *,
    layer: str | None = None,
    channel: SupportsIndex | None = None,
    unit: tuple[int, int] | None = None,
    steps: int = 128,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    spectrum: float = Regularizers.spectrum,
    decay: float = Regularizers.decay,
    blur: float = Regularizers.blur,
    blur_every: int = Regularizers.blur_every,
    clip_norm: float = Regularizers.clip_norm,
    clip_contribution: float = Regularizers.clip_contribution,
    tv: float = Regularizers.tv,
    jitter: float = Regularizers.jitter,
    scale: float = Regularizers.scale,
    rotate: float = Regularizers.rotate,
) -> Visualization:
    """Synthesize a picture that maximizes the score of a class, of a channel, or of one unit of a channel.

    Activation maximization (Simonyan et al. 2014, arXiv:1312.6034; Yosinski et al. 2015, arXiv:1506.06579),
    parameterized by Fourier coefficients and decorrelated colors (Olah et al. 2017, doi:10.23915/distill.00007). A
    regularizer of 0 is off.

    Args:
        model: from ``load`` or ``wrap``; left unchanged.
        target: a class name or index, a target, or a callable from logits (1, classes) to a scalar. Pass either
            ``target`` or ``channel``.
        layer: a module name; the model's default layer if None.
        channel: a channel of the layer, from 0; the mean of its map is maximized.
        unit: (row, column) of the position of the map that is maximized instead of the mean.
        steps: number of steps of Adam, at least 1; more steps give a sharper picture.
        size: side of the picture in pixels, or (height, width), from 8 to 4096; the model's input size if None.
        seed: seed of the noise and of the random transforms. The same seed gives the same picture on one machine with
            the same number of threads, which decides the order of additions.
        progress: called with (done, total) after each step; may raise to cancel. If None, a bar appears after a second.
        spectrum: exponent of the 1/f amplitude spectrum (Olah et al. 2017), ≥ 0; 0 optimizes plain pixels.
        decay: share of the contrast that is lost in each step, in [0, 1]: L2 decay (Yosinski et al. 2015).
        blur: standard deviation in pixels of a Gaussian blur every ``blur_every`` steps (Yosinski et al. 2015).
        blur_every: period of the blur in steps.
        clip_norm: percentage of pixels, those nearest to gray, that are set to gray in each step (Yosinski et al.
            2015).
        clip_contribution: percentage of pixels, those that contribute least to the score, that are set to gray in each
            step (Yosinski et al. 2015).
        tv: weight of the total variation (Mahendran and Vedaldi 2015, arXiv:1412.0035, eq. 4).
        jitter: greatest random shift before each step, in pixels (Olah et al. 2017).
        scale: greatest relative random change of size, in [0, 0.9] (Olah et al. 2017).
        rotate: greatest random rotation, in degrees (Olah et al. 2017).

    Returns:
        The picture, its score, and the scores of all steps.

    Raises:
        MethodError: if not exactly one of ``target`` and ``channel`` is given, if a number is out of its range, or if
            the score has no gradient.
        TargetError: if there is no such class.
        LayerError: if there is no such layer, channel or unit.
        ModelError: if ``model`` is not from ``load`` or ``wrap``, cannot run on that size, or returns NaN.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> of_class = cw.visualize(model, "bubbly", steps=4, size=64)
        >>> of_channel = cw.visualize(model, layer="stage4", channel=3, steps=4, size=64)
        >>> of_channel.label, of_channel.probability
        ('channel 3 of stage4', None)
    """
    require_model(model, "visualize", target)
    regularizers = Regularizers(
        spectrum, decay, blur, blur_every, clip_norm, clip_contribution, tv, jitter, scale, rotate
    )
    objective = Objective.of(model, target, layer, channel, unit)
    results = visualization_steps(
        model, objective, steps=steps, size=size, seed=seed, every=0, regularizers=regularizers
    )
    for _ in track(range(steps), f"Visualizing {objective.label}", progress):
        next(results)
    result = next(results)
    assert result is not None
    return result


def visualization_steps(
    model: VisionModel,
    objective: Objective,
    *,
    steps: int = 128,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    every: int = 8,
    regularizers: Regularizers | None = None,
) -> Iterator[Visualization | None]:
    """Synthesize a picture step by step, yielding after each step so that the caller may stop.

    Args:
        model: from ``load`` or ``wrap``.
        objective: the maximized score.
        steps: as in ``visualize``, as the next two.
        size: side in pixels, or (height, width).
        seed: seed of the noise and of the random transforms.
        every: yield the current picture every so many steps, and None otherwise; 0 for only at the end.
        regularizers: the regularizers; the defaults if None.

    Yields:
        ``steps`` times the current picture or None, and then the finished picture.

    Raises:
        MethodError: if a number is out of its range, or the score has no gradient.
    """
    steps = check_integer("steps", steps, error=MethodError)
    seed = check_integer("seed", seed, None, error=MethodError)
    return _synthesize(
        model, objective, steps, _size(model, size), seed, every, regularizers or Regularizers()
    )


def _synthesize(
    model: VisionModel,
    objective: Objective,
    steps: int,
    size: tuple[int, int],
    seed: int,
    every: int,
    regularizers: Regularizers,
) -> Iterator[Visualization | None]:
    generator = torch.Generator().manual_seed(seed)
    with _grad_mode(True):  # tensors created in inference mode cannot be optimized
        image = FourierImage(
            size,
            model.preprocess.channels,
            spectrum=regularizers.spectrum,
            contrast=CONTRAST,
            generator=generator,
            device=model.device,
        )
        adam = torch.optim.Adam([image.coefficients], lr=RATE)
    before = _evaluate(model, objective, image)[1]
    scores: list[float] = []

    def current() -> Visualization:
        pixels, score, probability = _evaluate(model, objective, image)
        curve = np.asarray(scores, np.float32)
        return Visualization(
            pixels, before, score, curve, probability, objective.label, model.name, seed
        )

    for step in range(1, steps + 1):
        scores.append(_step(model, objective, image, adam, regularizers, generator, step))
        yield current() if every and step % every == 0 and step < steps else None
    yield current()


@contextmanager
def _grad_mode(on: bool) -> Iterator[None]:
    """Set the grad mode, whatever the caller's. Never held across a yield, since the mode belongs to the thread."""
    with torch.inference_mode(False), torch.set_grad_enabled(on):
        yield


def _score_and_gradient(
    model: VisionModel, objective: Objective, picture_leaf: torch.Tensor, transformed: torch.Tensor
) -> tuple[float, torch.Tensor]:
    """The score of ``transformed``, and its gradient (C, H, W) with respect to the leaf ``picture_leaf``."""
    score, surrogate, _ = objective.evaluate(model, transformed)
    gradient = None
    if score.requires_grad:
        # Only the picture's gradient: parameters and their .grad are left alone.
        (gradient,) = torch.autograd.grad(score, picture_leaf, allow_unused=True, retain_graph=True)
    if gradient is None:
        raise MethodError(
            f"The score of {objective.label} does not depend on the picture in a way that can be differentiated "
            "(is something detached, or run under no_grad?)."
        )
    if surrogate is not score and not gradient.any():
        (gradient,) = torch.autograd.grad(surrogate, picture_leaf)
    if not torch.isfinite(gradient).all():
        raise MethodError(
            f"The gradient of {objective.label} is not finite. Try the model in float32: module.float()."
        )
    return float(score.detach()), gradient


def _step(
    model: VisionModel,
    objective: Objective,
    image: FourierImage,
    adam: torch.optim.Optimizer,
    regularizers: Regularizers,
    generator: torch.Generator,
    step: int,
) -> float:
    """Take one step of gradient ascent with regularization, and return the score before it."""
    with _grad_mode(True):
        for attempt in range(NOISE_TRIES):
            x = image.field()
            picture = x.sigmoid()
            picture_leaf = picture.detach().requires_grad_()
            transformed = random_transform(
                picture_leaf,
                generator,
                jitter=regularizers.jitter,
                scale=regularizers.scale,
                rotate=regularizers.rotate,
            )
            score, gradient = _score_and_gradient(model, objective, picture_leaf, transformed)
            if gradient.any():
                break
            image.add_noise(CONTRAST * NOISE_GROWTH**attempt, generator)
        else:
            raise MethodError(
                f"{objective.label} has no gradient: its activation or its derivative is 0 for {NOISE_TRIES} random "
                "pictures. Choose another unit, another seed, or a layer before the ReLU."
            )
        # Normalized, since scores of different layers have different scales and the weight of the variation is fixed.
        ascent = gradient / gradient.square().mean().sqrt().clamp(min=1e-30)
        if regularizers.tv:
            (variation,) = torch.autograd.grad(total_variation(picture_leaf), picture_leaf)
            ascent = ascent - regularizers.tv * variation
        (image.coefficients.grad,) = torch.autograd.grad(picture, image.coefficients, -ascent)
        for group in adam.param_groups:
            group["lr"] = RATE * min(1.0, step / WARMUP_STEPS)
        adam.step()
    with _grad_mode(False):
        if regularizers.decay:
            image.decay(regularizers.decay)
        if regularizers.blur and regularizers.blur_every and step % regularizers.blur_every == 0:
            image.blur(regularizers.blur)
        if regularizers.clip_norm:
            image.erase(image.field().norm(dim=0), regularizers.clip_norm)
        if regularizers.clip_contribution:
            contribution = (x * gradient * picture * (1 - picture)).sum(0).abs()
            image.erase(contribution, regularizers.clip_contribution)
    return score


def _evaluate(
    model: VisionModel, objective: Objective, image: FourierImage
) -> tuple[np.ndarray, float, float | None]:
    """The picture as uint8 (H, W, 3), its score, and the probability of the maximized class, if there is one."""
    with _grad_mode(False):
        pixels = (image.picture() * 255).round().to(torch.uint8)
        # Evaluated on the rounded pixels, so that users who pass them to the model get the same score.
        score, _, logits = objective.evaluate(model, pixels.float() / 255)
        index = None if objective.target is None else objective.target.index
        has_none = index is None or model.scores == "value"
        probability = None if has_none else float(model.probabilities(logits.float())[0, index])
        shown = pixels.expand(3, -1, -1).permute(1, 2, 0)
        return np.ascontiguousarray(shown.cpu().numpy()), float(score), probability


def _size(model: VisionModel, size: int | tuple[int, int] | None) -> tuple[int, int]:
    if size is None:
        if model.preprocess.geometry is None:
            return model.preprocess.size
        # The output size of a custom transform is found by applying it.
        shape = model.preprocess.pixels(Image.new("RGB", (256, 256))).shape
        return shape[1], shape[2]
    try:
        height, width = size if isinstance(size, (tuple, list)) else (size, size)
    except ValueError:
        raise MethodError(f"size is one side, or (height, width), not {size!r}.") from None
    height, width = (
        check_integer("size", side, None, error=MethodError) for side in (height, width)
    )
    if not (8 <= height <= 4096 and 8 <= width <= 4096):
        raise MethodError(f"size must be from 8 to 4096 pixels a side, not {size!r}.")
    return height, width
