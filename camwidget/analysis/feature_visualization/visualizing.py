"""``visualize``: synthesize a picture that raises a class, a channel or a unit (activation maximization)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np
import torch
from PIL import Image

from ..._validation import whole
from ...attribution.targets import TargetLike
from ...errors import MethodError
from ...models.argument_checks import require_model
from ...models.vision_model import VisionModel
from ...progress import Progress, track
from .objective import Objective
from .parameterization import FourierImage, Regularizers, total_variation, wobble

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Visualization", "dream_steps", "visualize"]

#: Adam's step in the canvas's coefficients; 0.05 in the scale of Olah et al. 2017 is about this in ours.
RATE = 0.07

#: Steps until Adam takes whole ones: the first would shut what hardly began to answer.
WARM = 5

#: Standard deviation, before the sigmoid, of the noise that a picture starts from. In fainter noise fewer units
#: answer at all, so that pictures grow from a few spots; what is left of it is soon gone.
CONTRAST = 0.5

#: Behind a shut ReLU there is no slope to climb: so many times noise is added, each time more by this factor.
TRIES, STRONGER = 8, 1.5


@dataclass(frozen=True, eq=False)
class Visualization:
    """A picture drawn to raise a score: what a part of the net answers to, not what it is shown in life.

    Attributes:
        pixels: uint8 (H, W, 3), the picture.
        before: the score of the noise it started from.
        score: the score of ``pixels``, as they are: a logit, the mean of a channel, or a cell's activation.
        scores: float32 (steps,), the score before each step, of the picture as moved and turned for that step.
        probability: of the class, where the target is one; None of a quantity.
        label: what was raised.
        model: the model's name.
        seed: of the noise.
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
        """What was raised, from where to where, in one line."""
        sure = "" if self.probability is None else f", probability {self.probability:.2f}"
        return f"{self.label} · {self.before:.4g} → {self.score:.4g}{sure}"

    @property
    def image(self) -> Image.Image:
        """The picture."""
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
    """Draw a picture, from noise, that raises the score of a class, of a channel, or of one cell of a channel.

    Activation maximisation (Simonyan et al. 2014; Yosinski et al. 2015), in the frequencies and decorrelated colours of
    Olah et al. 2017. Each regulariser keeps the picture natural in its own way, and 0 switches it off.

    Args:
        model: from ``load`` or ``wrap``; left as it is.
        target: a class by name or index, a target, or a callable from logits (1, classes) to a number.
            Either this, or ``channel``.
        layer: a module name; the model's default layer if None.
        channel: which channel of the layer; the mean of its map is raised.
        unit: (row, column) of the one cell of the map that is raised instead.
        steps: of Adam; more are sharper.
        size: of the picture, one side or (height, width); the model's own if None.
        seed: of the noise and the wobbling; the same seed gives the same picture (on one machine, with as many threads:
            the order of additions decides the last digits).
        progress: called with (done, total) after each step; may raise to cancel. A bar if None.
        spectrum: how amplitudes fall with frequency, 1/f to this power (Olah et al. 2017); 0 for plain pixels.
        decay: the part of its contrast that the picture loses each step: L2 decay (Yosinski et al. 2015).
        blur: pixels of the Gaussian blur (Yosinski et al. 2015), each ``blur_every`` steps.
        blur_every: see ``blur``.
        clip_norm: percent of pixels nearest to grey that are made grey each step (Yosinski et al. 2015).
        clip_contribution: percent of pixels contributing least that are made grey (Yosinski et al. 2015).
        tv: weight of the total variation (Mahendran & Vedaldi 2015).
        jitter: pixels by which the picture is moved before each step (Olah et al. 2017, as the next two).
        scale: the part by which it is grown or shrunk.
        rotate: degrees by which it is turned.

    Raises:
        MethodError: if not exactly one of target and channel is given, or nothing can be raised.
        TargetError: if there is no such class.
        LayerError: if there is no such layer, channel or cell.
        ModelError: if the model cannot run on that size, or answers NaN.
    """
    require_model(model, "visualize", target)
    regularizers = Regularizers(
        spectrum, decay, blur, blur_every, clip_norm, clip_contribution, tv, jitter, scale, rotate
    )
    aim = Objective.of(model, target, layer, channel, unit)
    pieces = dream_steps(
        model, aim, steps=steps, size=size, seed=seed, every=0, regularizers=regularizers
    )
    for _ in track(range(steps), f"Visualizing {aim.label}", progress):
        next(pieces)
    result = next(pieces)
    assert result is not None
    return result


def dream_steps(
    model: VisionModel,
    aim: Objective,
    *,
    steps: int = 128,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    every: int = 8,
    regularizers: Regularizers | None = None,
) -> Iterator[Visualization | None]:
    """Draw step by step: something is yielded after each step, where the work may be left.

    Args:
        model: from ``load`` or ``wrap``.
        aim: what is raised.
        steps: see ``visualize``, as for the next two.
        size: height and width, or one side.
        seed: of the noise and the wobbling.
        every: yield the present picture each so many steps, and None otherwise; with 0 only at the end.
        regularizers: the defaults if None.

    Yields:
        ``steps`` times the present picture or None, and then the finished picture.
    """
    steps = whole("steps", steps, error=MethodError)
    seed = whole("seed", seed, None, error=MethodError)
    return _draw(model, aim, steps, _size(model, size), seed, every, regularizers or Regularizers())


def _draw(
    model: VisionModel,
    aim: Objective,
    steps: int,
    size: tuple[int, int],
    seed: int,
    every: int,
    keep: Regularizers,
) -> Iterator[Visualization | None]:
    generator = torch.Generator().manual_seed(seed)
    with _gradients(True):  # what is made in inference mode cannot be optimised
        canvas = FourierImage(
            size,
            model.preprocess.channels,
            spectrum=keep.spectrum,
            contrast=CONTRAST,
            generator=generator,
            device=model.device,
        )
        adam = torch.optim.Adam([canvas.coefficients], lr=RATE)
    before = _look(model, aim, canvas)[1]
    scores: list[float] = []

    def present() -> Visualization:
        pixels, score, probability = _look(model, aim, canvas)
        curve = np.asarray(scores, np.float32)
        return Visualization(pixels, before, score, curve, probability, aim.label, model.name, seed)

    for step in range(1, steps + 1):
        scores.append(_step(model, aim, canvas, adam, keep, generator, step))
        yield present() if every and step % every == 0 and step < steps else None
    yield present()


@contextmanager
def _gradients(on: bool) -> Iterator[None]:
    """Whatever the caller's mode. Never held across a yield: the mode belongs to the thread."""
    with torch.inference_mode(False), torch.set_grad_enabled(on):
        yield


def _slope(
    model: VisionModel, aim: Objective, seen: torch.Tensor, moved: torch.Tensor
) -> tuple[float, torch.Tensor]:
    """Score of the picture ``moved``, made from the leaf ``seen``, and the way up from there (C, H, W)."""
    score, guide, _ = aim.read(model, moved)
    gradient = None
    if score.requires_grad:
        # With respect to the picture only: parameters and their .grad take no part.
        (gradient,) = torch.autograd.grad(score, seen, allow_unused=True, retain_graph=True)
    if gradient is None:
        raise MethodError(
            f"The score of {aim.label} does not depend on the picture in a way that can be differentiated "
            "(is something detached, or run under no_grad?)."
        )
    if guide is not score and not gradient.any():
        (gradient,) = torch.autograd.grad(guide, seen)
    if not torch.isfinite(gradient).all():
        raise MethodError(
            f"The gradient of {aim.label} is not finite. Try the model in float32: module.float()."
        )
    return float(score.detach()), gradient


def _step(
    model: VisionModel,
    aim: Objective,
    canvas: FourierImage,
    adam: torch.optim.Optimizer,
    keep: Regularizers,
    generator: torch.Generator,
    step: int,
) -> float:
    """One step of ascent, and what keeps it natural; the score before it."""
    with _gradients(True):
        for attempt in range(TRIES):
            x = canvas.field()
            picture = x.sigmoid()
            seen = picture.detach().requires_grad_()
            moved = wobble(
                seen, generator, jitter=keep.jitter, scale=keep.scale, rotate=keep.rotate
            )
            score, gradient = _slope(model, aim, seen, moved)
            if gradient.any():
                break
            canvas.stir(CONTRAST * STRONGER**attempt, generator)
        else:
            raise MethodError(
                f"{aim.label} answers to no noise: its activation, or the slope of it, is 0 in {TRIES} tries. Choose "
                "another, another seed, or a layer before the ReLU."
            )
        # Scores of different layers have different scales; the weight of the total variation has one.
        ascent = gradient / gradient.square().mean().sqrt().clamp(min=1e-30)
        if keep.tv:
            (rough,) = torch.autograd.grad(total_variation(seen), seen)
            ascent = ascent - keep.tv * rough
        (canvas.coefficients.grad,) = torch.autograd.grad(picture, canvas.coefficients, -ascent)
        for group in adam.param_groups:
            group["lr"] = RATE * min(1.0, step / WARM)
        adam.step()
    with _gradients(False):
        if keep.decay:
            canvas.decay(keep.decay)
        if keep.blur and keep.blur_every and step % keep.blur_every == 0:
            canvas.blur(keep.blur)
        if keep.clip_norm:
            canvas.erase(canvas.field().norm(dim=0), keep.clip_norm)
        if keep.clip_contribution:
            contribution = (x * gradient * picture * (1 - picture)).sum(0).abs()
            canvas.erase(contribution, keep.clip_contribution)
    return score


def _look(
    model: VisionModel, aim: Objective, canvas: FourierImage
) -> tuple[np.ndarray, float, float | None]:
    """The picture as uint8 (H, W, 3), its score, and the probability of the class that is raised, if one is."""
    with _gradients(False):
        pixels = (canvas.picture() * 255).round().to(torch.uint8)
        # Of the rounded pixels, so that whoever gives them to the model finds the same.
        score, _, logits = aim.read(model, pixels.float() / 255)
        index = None if aim.target is None else aim.target.index
        has_none = index is None or model.scores == "value"
        probability = None if has_none else float(model.probabilities(logits.float())[0, index])
        shown = pixels.expand(3, -1, -1).permute(1, 2, 0)
        return np.ascontiguousarray(shown.cpu().numpy()), float(score), probability


def _size(model: VisionModel, size: int | tuple[int, int] | None) -> tuple[int, int]:
    if size is None:
        if model.preprocess.geometry is None:
            return model.preprocess.size
        # A transform of someone's own: what it makes of a picture tells.
        shape = model.preprocess.pixels(Image.new("RGB", (256, 256))).shape
        return shape[1], shape[2]
    try:
        height, width = size if isinstance(size, (tuple, list)) else (size, size)
    except ValueError:
        raise MethodError(f"size is one side, or (height, width), not {size!r}.") from None
    height, width = (whole("size", side, None, error=MethodError) for side in (height, width))
    if not (8 <= height <= 4096 and 8 <= width <= 4096):
        raise MethodError(f"size must be from 8 to 4096 pixels a side, not {size!r}.")
    return height, width
