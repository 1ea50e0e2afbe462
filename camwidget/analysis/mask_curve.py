"""Predictions for masked pictures: mask curves and confidence changes.

``masking.masked_pixels`` makes the pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from .._validation import is_integer
from ..attribution.batched_inference import gather_probabilities
from ..attribution.explanation import Explanation
from ..attribution.explanation_checks import explained_class, model_as_explained
from ..attribution.targets import TargetLike, resolve_target
from ..errors import CamwidgetError
from ..images.conversion import PictureLike
from ..masking.baselines import baseline_pixels, fill_pixels
from ..masking.inpainting import INPAINTINGS
from ..masking.masked_pixels import check_map_size, hidden_pixels, mask_pixels, multiply_pixels
from ..masking.rank_rule import SaliencyLike, rank_levels, saliency_of
from ..models.argument_checks import require_model
from ..models.detection_model import while_masked
from ..models.vision_model import VisionModel
from ..progress import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "SPACINGS",
    "ConfidenceChange",
    "MaskCurve",
    "confidence_change",
    "mask_curve",
    "spaced_fractions",
]

#: How the fractions of a curve are spaced: evenly, or as the squares of evenly spaced numbers.
SPACINGS = ("even", "quadratic")


@dataclass(frozen=True)
class MaskCurve:
    """The predicted probability as a function of the masked fraction of a picture.

    Attributes:
        fraction: float64 (steps,), the masked or kept fraction, from 0 to 1.
        probability: float64 (steps,), the target's probability in [0, 1]; for a regression output, its value. Where a
            detection is lost whose edge is asked about, nan.
        target: the target's class index.
        name: the target's class name.
        probabilities: float64 (steps, classes), of every class.
        others: indices of the three other classes with the highest probability anywhere on the curve, sorted by their
            probability for the unmasked picture. A class that rises while evidence is removed is thus included.
        other_names: the names of ``others``.
        mode: "remove" or "keep".
        baseline: name of the baseline that replaces masked pixels.
        scores: kind of the model's outputs; see ``wrap``.
        unit: unit of a regression output; empty for probabilities.
        spacing: "even", or "quadratic" where the fractions are closer to each other the less is masked.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> picture = cw.zoo.samples("zoo/textures")[0].image
        >>> curve = cw.mask_curve(model, picture, cw.explain(model, picture), steps=3)
        >>> curve.name, curve.fraction.tolist(), curve.probabilities.shape
        ('polka-dotted', [0.0, 0.5, 1.0], (3, 10))
        >>> bool(curve.probability[0] > curve.probability[1])
        True
    """

    fraction: np.ndarray
    probability: np.ndarray
    target: int
    name: str
    mode: str
    baseline: str
    others: tuple[int, ...]
    other_names: tuple[str, ...]
    probabilities: np.ndarray = field(repr=False)
    scores: str = "softmax"
    unit: str = ""
    spacing: str = "even"

    @property
    def axis(self) -> str:
        """The label of the curve's axis: "probability", or the unit of a regression output."""
        return (self.unit or "value") if self.scores == "value" else "probability"

    @property
    def span(self) -> tuple[float, float]:
        """The limits of the curve's axis: 0 and 1, or a margin around all regression outputs."""
        if self.scores != "value":
            return 0.0, 1.0
        shown = self.probabilities[:, [self.target, *self.others]]
        low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
        # A change below a twentieth of the value should not fill the chart.
        half = 0.55 * (max(high - low, 0.05 * max(abs(low), abs(high))) or 1.0)
        middle = (low + high) / 2
        return middle - half, middle + half

    @property
    def area(self) -> float:
        """The area under the target's curve (trapezoidal rule), in [0, 1]; for a regression output its mean.

        Of an edge of a detection that is lost, nan.
        """
        return float(np.trapezoid(self.probability, self.fraction))

    def plot(self) -> Figure:
        """The target's curve, and those of the other top classes (matplotlib).

        The axis of quadratic fractions is a square root, as in the widget.
        """
        from ..plotting import new_figure, plain_text, set_fraction_axis

        figure = new_figure(5.2, 3.2)
        axes = figure.subplots()
        axes.plot(self.fraction, self.probability, lw=2.2, label=plain_text(self.name))
        for index, name in zip(self.others, self.other_names, strict=True):
            axes.plot(
                self.fraction, self.probabilities[:, index], lw=1.1, ls="--", label=plain_text(name)
            )
        verb = "removed" if self.mode == "remove" else "kept"
        axes.set(
            xlabel=f"top evidence {verb} ({self.baseline} elsewhere)"
            if self.mode == "keep"
            else f"top evidence {verb} (replaced by {self.baseline})",
            ylabel=self.axis,
            ylim=self.span if self.scores == "value" else (0, 1.02),
        )
        set_fraction_axis(axes, self.spacing)
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        return figure


def mask_curve(
    model: VisionModel,
    image: PictureLike,
    saliency: SaliencyLike,
    target: TargetLike | None = None,
    mode: str = "remove",
    baseline: str = "blur",
    steps: int = 21,
    *,
    spacing: str = "even",
    paint: np.ndarray | None = None,
    progress: Progress | None = None,
) -> MaskCurve:
    """Rerun the model while the pixels with the highest saliency are removed, or added, step by step.

    The deletion and insertion curves of Petsiuk et al. 2018 (RISE, arXiv:1806.07421, section 4.3), for one picture.

    Args:
        model: from ``load`` or ``wrap``.
        image: the picture that was explained.
        saliency: the explanation, of this model and picture; or any saliency map (H, W) at the model's input size,
            such as ``explanation.saliency`` of another model. Of a clip (T, H, W): the pixels of all frames are ranked
            together, so that a fraction is one of the whole clip.
        target: class index or name. If None, the explained class, or for a saliency map the predicted class.
        mode: "remove" masks the top fraction, "keep" masks all other pixels.
        baseline: replacement of masked pixels: "blur", "mean" or "black", or the slower inpaintings "inpaint" and
            "telea".
        steps: number of fractions from 0 to 1, at least 2.
        spacing: "even", or "quadratic" for fractions that are the squares of evenly spaced numbers, as in the widget:
            many nets' probability falls within the first tenth, where evenly spaced fractions are few.
        paint: pixels that are masked or kept at every fraction: bool (H, W) at the model's input size, or int (H, W)
            with 1 (masked), -1 (kept) and 0.
        progress: called with (done, total); may raise to cancel. If None, a bar appears after a second.

    Returns:
        The fractions and the probabilities of every class at them.

    Raises:
        CamwidgetError: if ``mode``, ``baseline``, ``steps`` or ``spacing`` is unknown or out of its range, or the
            target is no class.
        MetricError: if the explanation is of another model, or has another text than the model.
        ModelError: if ``model`` is not from ``load`` or ``wrap``.
        PictureError: if the picture cannot be read, the map has another size than the model's input, or the
            explanation is of another picture.
        TargetError: if there is no such class.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> picture = cw.zoo.samples("zoo/textures")[0].image
        >>> explanation = cw.explain(model, picture)
        >>> curve = cw.mask_curve(model, picture, explanation, mode="remove", baseline="blur", steps=3)
        >>> curve.probability.shape, bool(curve.probability[0] > 0.5)
        ((3,), True)
    """
    require_model(model, "mask_curve", image, saliency)
    if not is_integer(steps, 2):
        raise CamwidgetError(f"A curve has at least 2 steps, not {steps!r}.")
    fractions = spaced_fractions(steps, spacing)
    model, pixels, target = _resolve_arguments(model, image, saliency, target)
    levels = check_map_size(rank_levels(saliency), pixels, model.frames)
    hidden = hidden_pixels(levels, fractions.tolist(), mode, paint, model.frames)
    if paint is not None:  # then no fraction leaves the picture unmasked: it is appended
        hidden = torch.cat([hidden, torch.zeros_like(hidden[:1])])
    # A baseline is computed once; inpainting depends on the mask and runs batch by batch.
    frames = model.frames
    # On the model's device: of the masked pictures only the masks are copied there.
    device = model.device
    own = pixels.to(device)
    fill = None
    if baseline not in INPAINTINGS:
        fill = baseline_pixels(pixels, baseline, frames)[None].to(device)

    def masked(start: int, stop: int) -> torch.Tensor:
        part = hidden[start:stop]
        inside = fill_pixels(pixels, part, baseline, frames).to(device) if fill is None else fill
        return model.inputs(torch.where(part[:, None].to(device), inside, own))

    label = "rerunning the model"
    found = gather_probabilities(while_masked(model), len(hidden), masked, label, progress)
    values = found.double().numpy()
    unmasked = values[0 if paint is None and mode == "remove" else -1]
    values = values[:steps]
    return curve_of(model, fractions, values, unmasked, target, mode, baseline, spacing)


def spaced_fractions(steps: int, spacing: str) -> np.ndarray:
    """Return fractions float64 (steps,) from 0 to 1.

    Raises:
        CamwidgetError: if there is no such spacing.
    """
    if spacing not in SPACINGS:
        raise CamwidgetError(
            f"The spacing of fractions is {' or '.join(map(repr, SPACINGS))}, not {spacing!r}."
        )
    even = np.linspace(0, 1, steps)
    return even if spacing == "even" else even**2


def curve_of(
    model: VisionModel,
    fractions: np.ndarray,
    values: np.ndarray,
    unmasked: np.ndarray,
    target: TargetLike | None,
    mode: str,
    baseline: str,
    spacing: str = "even",
    rival: int | None = None,
) -> MaskCurve:
    """Assemble a curve.

    Args:
        model: the model.
        fractions: float64 (steps,), in [0, 1].
        values: probabilities (steps, classes) at the fractions.
        unmasked: probabilities (classes,) of the unmasked picture.
        target: as in ``mask_curve``, as the next two.
        mode: "remove" or "keep".
        baseline: name of the baseline.
        spacing: how the fractions are spaced.
        rival: a class that is among the others in any case.

    Raises:
        CamwidgetError: if the target is no class.
    """
    order = model.ordered(torch.from_numpy(unmasked)).tolist()
    index = _index_of(model, unmasked, target)
    if index is None:
        raise CamwidgetError("A mask curve follows a class: give its index or name.")
    others = _highest(values, unmasked, order, index, rival)
    return MaskCurve(
        fraction=fractions,
        probability=values[:, index],
        target=index,
        name=model.classes[index],
        mode=mode,
        baseline=baseline,
        others=others,
        other_names=tuple(model.classes[i] for i in others),
        probabilities=values,
        scores=model.scores,
        unit=model.unit,
        spacing=spacing,
    )


def _highest(
    values: np.ndarray, unmasked: np.ndarray, order: list[int], target: int, rival: int | None
) -> tuple[int, ...]:
    """The three classes besides the target that are highest for the unmasked picture, or anywhere on a curve.

    A rival is one of them in any case.
    """
    peaks = np.fmax(np.fmax.reduce(values), unmasked)
    rivals = np.array([i for i in order if i != target], int)
    # Sorting is stable: of equal peaks, the class that is more probable for the unmasked picture comes first.
    highest = np.lexsort((-peaks[rivals], rivals != rival))[:3]
    return tuple(rivals[np.sort(highest)].tolist())


@dataclass(frozen=True)
class ConfidenceChange:
    """The change of a class's probability, or of a regression output, when a picture is changed.

    Attributes:
        before: the value for the original picture.
        after: the value for the changed picture.
    """

    before: float
    after: float

    @property
    def drop(self) -> float:
        """``max(0, before - after) / |before|``, of probabilities in [0, 1] (Grad-CAM++, section 4.1)."""
        return max(0.0, self.before - self.after) / abs(self.before) if self.before else 0.0

    @property
    def increase(self) -> bool:
        """Whether the value rose (Grad-CAM++, section 4.1: "increase in confidence")."""
        return self.after > self.before


def confidence_change(
    model: VisionModel,
    image: PictureLike,
    saliency: SaliencyLike,
    target: TargetLike | None = None,
    *,
    change: str = "multiply",
    baseline: str = "black",
    fraction: float = 0.25,
) -> ConfidenceChange:
    """Measure how the confidence in a class changes when the picture is masked by its map.

    Args:
        model: from ``load`` or ``wrap``.
        image: the picture that was explained.
        saliency: the explanation, of this model and picture; or any saliency map (H, W) at the model's input size,
            such as ``explanation.saliency`` of another model.
        target: class index or name. If None, the explained class, or for a saliency map the predicted class.
        change: "multiply" multiplies the picture by the map (drop and increase in confidence, Chattopadhyay et al.
            2018, Grad-CAM++, arXiv:1710.11063, section 4.1); "remove" masks the top ``fraction`` of the pixels.
        baseline: for "remove", the replacement of masked pixels, as in ``mask_curve``.
        fraction: for "remove", the masked share of the pixels, in [0, 1].

    Returns:
        The probability of the class before and after; ``drop`` and ``increase`` follow from them.

    Raises:
        CamwidgetError: if ``change``, ``baseline`` or ``fraction`` is unknown or out of its range, or the target is no
            class.
        MetricError: if the explanation is of another model, or has another text than the model.
        ModelError: if ``model`` is not from ``load`` or ``wrap``.
        PictureError: if the picture cannot be read, the map has another size than the model's input, or the
            explanation is of another picture.
        TargetError: if there is no such class.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> picture = cw.zoo.samples("zoo/textures")[0].image
        >>> change = cw.confidence_change(model, picture, cw.explain(model, picture), change="remove", fraction=0.25)
        >>> 0 < change.drop <= 1, change.increase
        (True, False)
    """
    require_model(model, "confidence_change", image, saliency)
    model, pixels, target = _resolve_arguments(model, image, saliency, target)
    if change == "multiply":
        check_map_size(saliency_of(saliency).cpu().numpy(), pixels, model.frames)
        changed = multiply_pixels(pixels, saliency)
    elif change == "remove":
        levels = rank_levels(saliency)
        changed = mask_pixels(pixels, levels, [fraction], baseline=baseline, frames=model.frames)[0]
    else:
        raise CamwidgetError(f"There is no change {change!r}: use 'multiply' or 'remove'.")
    inputs = model.inputs(torch.stack([pixels, changed]))
    values = gather_probabilities(model, 2, lambda a, b: inputs[a:b], "", _quiet)
    index = _index_of(model, values[0].numpy(), target)
    if index is None:
        raise CamwidgetError("Confidence is defined for a class: pass its index or name as target.")
    return ConfidenceChange(float(values[0, index]), float(values[1, index]))


def _resolve_arguments(
    model: VisionModel, image: PictureLike, saliency: SaliencyLike, target: TargetLike | None
) -> tuple[VisionModel, torch.Tensor, TargetLike | None]:
    """The model with its text, the pixels (C, H, W), and the target, by default that of an explanation.

    Raises:
        CamwidgetError: if the explained target is no class.
    """
    if isinstance(saliency, Explanation):
        model = model_as_explained(model, [saliency])
    pixels = model.preprocess.pixels(image)
    model = model.with_text_for(pixels)
    if isinstance(saliency, Explanation):
        index = explained_class(model, pixels, saliency)
        if target is None and index is None:
            raise CamwidgetError(
                f"The explained target {saliency.target.label!r} is not a class, so it has no confidence: pass a "
                "class's index or name as target."
            )
        target = index if target is None else target
    return model, pixels, target


def _index_of(model: VisionModel, unmasked: np.ndarray, target: TargetLike | None) -> int | None:
    """The class index of a target; None if it is no class. Without a target, the predicted class."""
    if target is None:
        return model.most_probable(torch.from_numpy(unmasked)[None])[0]
    return resolve_target(model, target).index


def _quiet(done: int, total: int) -> None:
    """Report nothing: a pass over two pictures needs no progress bar."""
