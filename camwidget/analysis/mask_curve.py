"""Hide pixels of a picture, and rerun the model: confidence changes and mask curves.

Which pixels a fraction covers is decided in ``ranks``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from .._validation import is_integer
from ..attribution.batched_inference import gather_probabilities
from ..attribution.explanation import Explanation
from ..attribution.explanation_checks import explained_class, model_as_explained
from ..attribution.targets import TargetLike, resolve_target
from ..errors import CamwidgetError, PictureError
from ..images.conversion import PictureLike
from ..masking.baselines import BASELINES, baseline_pixels, fill_pixels
from ..masking.inpainting import INPAINTINGS
from ..masking.ranks import SaliencyLike, hidden_by_rank, rank_levels, saliency_of, threshold
from ..masking.user_mask import HIDDEN, KEPT, as_paint
from ..models.argument_checks import require_model
from ..models.vision_model import VisionModel
from ..progress import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "BASELINES",
    "MODES",
    "ConfidenceChange",
    "MaskCurve",
    "baseline_pixels",
    "confidence_change",
    "hidden_pixels",
    "mask_curve",
    "mask_pixels",
    "multiply_pixels",
    "paint_pixels",
]

MODES = ("remove", "keep")


# -- taking away -----------------------------------------------------------------------------


def hidden_pixels(
    levels: np.ndarray,
    fractions: Sequence[float],
    mode: str = "remove",
    paint: np.ndarray | None = None,
) -> torch.Tensor:
    """Which pixels are replaced, bool (len(fractions), H, W): by rank first, then by what is painted.

    Args:
        levels: uint16 (H, W) from ``rank_levels``.
        fractions: each in [0, 1].
        mode: "remove" or "keep".
        paint: what is hidden, or kept, whatever its rank; see ``painting.as_paint``.
    """
    if mode not in MODES:
        raise CamwidgetError(f"There is no mode {mode!r}: use {' or '.join(map(repr, MODES))}.")
    cuts = torch.tensor([threshold(f) for f in fractions])[:, None, None]
    hidden = hidden_by_rank(torch.from_numpy(levels.astype(np.int32)), cuts, keep=mode == "keep")
    made = as_paint(paint, levels.shape)
    if made is None:
        return hidden
    return (hidden | torch.from_numpy(made == HIDDEN)) & torch.from_numpy(made != KEPT)


def mask_pixels(
    pixels: torch.Tensor,
    levels: np.ndarray,
    fractions: Sequence[float],
    *,
    mode: str = "remove",
    baseline: str = "blur",
    paint: np.ndarray | None = None,
    fill: torch.Tensor | None = None,
) -> torch.Tensor:
    """The picture with its top fractions removed, or with only them kept.

    Args:
        pixels: float32 (C, H, W) in [0, 1].
        levels: uint16 (H, W) from ``rank_levels``.
        fractions: each in [0, 1].
        mode: "remove" or "keep".
        baseline: what removed pixels become, as in ``fill_pixels``.
        paint: what is hidden, or kept, whatever its rank: bool (H, W), or 1, -1 and 0; see ``painting.as_paint``.
        fill: what ``baseline_pixels`` gave for this baseline, (C, H, W), where it is there already.

    Returns:
        float32 (len(fractions), C, H, W).
    """
    hidden = hidden_pixels(_fitting(levels, pixels), fractions, mode, paint)
    there = fill_pixels(pixels, hidden, baseline) if fill is None else fill
    return torch.where(hidden[:, None], there, pixels)


def _fitting(levels: np.ndarray, pixels: torch.Tensor) -> np.ndarray:
    if levels.shape != tuple(pixels.shape[-2:]):
        raise PictureError(
            f"The saliency is {levels.shape}, the model's input {tuple(pixels.shape[-2:])}: explain this very "
            "picture with this very model first."
        )
    return levels


def paint_pixels(
    masked: torch.Tensor, pixels: torch.Tensor, paint: np.ndarray | None, baseline: str = "blur"
) -> torch.Tensor:
    """A picture that is changed already, with what is painted hidden, or as it was.

    Args:
        masked: float32 (C, H, W) in [0, 1], such as the picture times its map.
        pixels: the picture itself, of which the fill is made.
        paint: as in ``mask_pixels``.
        baseline: what hidden pixels become, as in ``fill_pixels``.
    """
    made = as_paint(paint, (pixels.shape[-2], pixels.shape[-1]))
    if made is None:
        return masked
    hidden = torch.from_numpy(made == HIDDEN)
    fill = fill_pixels(pixels, hidden[None], baseline)[0]
    return torch.where(hidden, fill, torch.where(torch.from_numpy(made == KEPT), pixels, masked))


def multiply_pixels(pixels: torch.Tensor, saliency: SaliencyLike) -> torch.Tensor:
    """The picture multiplied by its saliency (Grad-CAM++, eq. in section 4.1: ``E = L ∘ I``).

    Nothing is rounded: a map that is low nearly everywhere would become zero there at 8 bits. The screen, which has no
    more, rounds what it shows.

    Args:
        pixels: float32 (C, H, W) in [0, 1].
        saliency: (H, W) in [0, 1].
    """
    values = saliency_of(saliency).to(pixels.device)
    if not bool(((values >= 0) & (values <= 1)).all()):
        raise CamwidgetError(
            "A picture is multiplied by a map in [0, 1], such as explanation.saliency: divide yours by its maximum."
        )
    return pixels * values


# -- what the model says then ---------------------------------------------------------------


@dataclass(frozen=True)
class MaskCurve:
    """A model's confidence as the top evidence of a picture goes, or comes.

    Attributes:
        fraction: float64 (steps,), from 0 to 1.
        probability: float64 (steps,), of the target; where that is a quantity, its value.
        target: the target's class index.
        name: the target's name.
        probabilities: float64 (steps, classes), of every class.
        others: indices of the three other classes with the highest probability anywhere on the curve, most probable for
            the whole picture first: also a class that rises when the evidence goes.
        other_names: their names.
        mode: "remove" or "keep".
        baseline: what the masked pixels became.
        scores: what the numbers are; see ``wrap``.
        unit: of quantities.
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

    @property
    def axis(self) -> str:
        """What the numbers are called: "probability", or the quantity's unit."""
        return (self.unit or "value") if self.scores == "value" else "probability"

    @property
    def span(self) -> tuple[float, float]:
        """The lowest and highest number on a chart's axis: 0 and 1, or just around all quantities."""
        if self.scores != "value":
            return 0.0, 1.0
        shown = self.probabilities[:, [self.target, *self.others]]
        low, high = float(shown.min()), float(shown.max())
        # Less than a twentieth of it is no large change, and should not look like one.
        half = 0.55 * (max(high - low, 0.05 * max(abs(low), abs(high))) or 1.0)
        middle = (low + high) / 2
        return middle - half, middle + half

    @property
    def area(self) -> float:
        """The area under the target's curve (trapezoids), in [0, 1]; of a quantity its mean, in its unit."""
        return float(np.trapezoid(self.probability, self.fraction))

    def plot(self) -> Figure:
        """The target's curve, and those of the other top classes (matplotlib)."""
        from ..plotting import new_figure, plain_text

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
            xlim=(0, 1),
            ylim=self.span if self.scores == "value" else (0, 1.02),
        )
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
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
    paint: np.ndarray | None = None,
    progress: Progress | None = None,
) -> MaskCurve:
    """Rerun the model while the top evidence is removed, or added, step by step.

    Args:
        model: from ``load`` or ``wrap``.
        image: the picture that was explained.
        saliency: the explanation, which has to be of this model and picture; or any map (H, W) at the model's input
            size, such as another model's ``explanation.saliency``.
        target: class index or name; if None, the class that was explained, and of a map the predicted class.
        mode: "remove" takes the top fraction away, "keep" shows nothing else.
        baseline: what the other pixels become: "blur", "mean" or "black", or inpainted: "inpaint" or "telea"
            (``fill_pixels``), which take their time.
        steps: how many fractions, evenly spaced from 0 to 1.
        paint: pixels that are hidden, or kept, all along: bool (H, W) at the model's input size, or 1 (hidden),
            -1 (kept) and 0.
        progress: called with (done, total); a bar appears after a second if None.

    Raises:
        PictureError: if the map is of another size, or the explanation of another picture.
        MetricError: if the explanation is of another model, or of another text than the model's.
        TargetError: if there is no such class.
    """
    require_model(model, "mask_curve", image, saliency)
    if not is_integer(steps, 2):
        raise CamwidgetError(f"A curve has at least 2 steps, not {steps!r}.")
    model, pixels, target = _asked_about(model, image, saliency, target)
    fractions = np.linspace(0, 1, steps)
    levels = _fitting(rank_levels(saliency), pixels)
    hidden = hidden_pixels(levels, fractions.tolist(), mode, paint)
    if paint is not None:  # then neither end is the whole picture: it comes last
        hidden = torch.cat([hidden, torch.zeros_like(hidden[:1])])
    # Made once where it can be; what is inpainted takes its time, batch by batch.
    fill = None if baseline in INPAINTINGS else baseline_pixels(pixels, baseline)[None]

    def masked(start: int, stop: int) -> torch.Tensor:
        part = hidden[start:stop]
        inside = fill_pixels(pixels, part, baseline) if fill is None else fill
        return model.inputs(torch.where(part[:, None], inside, pixels))

    label = "rerunning the model"
    values = gather_probabilities(model, len(hidden), masked, label, progress).double().numpy()
    whole = values[0 if paint is None and mode == "remove" else -1]
    values = values[:steps]
    return curve_of(model, fractions, values, whole, target, mode, baseline)


def curve_of(
    model: VisionModel,
    fractions: np.ndarray,
    values: np.ndarray,
    whole: np.ndarray,
    target: TargetLike | None,
    mode: str,
    baseline: str,
) -> MaskCurve:
    """Assemble a curve from the probabilities (steps, classes) at the fractions."""
    order = model.ordered(torch.from_numpy(whole)).tolist()
    index = _index_of(model, whole, target)
    if index is None:
        raise CamwidgetError("A mask curve follows a class: give its index or name.")
    others = _highest(values, whole, order, index)
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
    )


def _highest(
    values: np.ndarray, whole: np.ndarray, order: list[int], target: int
) -> tuple[int, ...]:
    """The three classes beside the target that are highest for the whole picture, or anywhere on a curve."""
    peaks = np.maximum(values.max(0), whole)
    # Sorting is stable: of equal peaks, the class that is more probable for the whole picture comes first.
    rivals = [i for i in order if i != target]
    chosen = set(sorted(rivals, key=lambda i: -peaks[i])[:3])
    return tuple(i for i in rivals if i in chosen)


@dataclass(frozen=True)
class ConfidenceChange:
    """How a class's probability, or a quantity, changes with a picture.

    Attributes:
        before: probability of the class for the whole picture, or the quantity.
        after: the same for the changed one.
    """

    before: float
    after: float

    @property
    def drop(self) -> float:
        """``max(0, before - after) / |before|``, of probabilities in [0, 1] (Grad-CAM++, section 4.1)."""
        return max(0.0, self.before - self.after) / abs(self.before) if self.before else 0.0

    @property
    def increase(self) -> bool:
        """Whether the probability, or the quantity, rose (Grad-CAM++, section 4.1: "increase in confidence")."""
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
    """The two ways in which our sources test a map with one more look at the picture.

    Args:
        model: from ``load`` or ``wrap``.
        image: the picture that was explained.
        saliency: as in ``mask_curve``.
        target: as in ``mask_curve``.
        change: "multiply" shows the model the picture times the map (drop and increase in confidence,
            Chattopadhyay 2018, section 4.1); "remove" shows it the picture without its top ``fraction``.
        baseline: for "remove", what removed pixels become, as in ``fill_pixels``.
        fraction: for "remove", how much; 25 % in the sources.

    Raises:
        PictureError, MetricError, TargetError: as ``mask_curve`` does.
    """
    require_model(model, "confidence_change", image, saliency)
    model, pixels, target = _asked_about(model, image, saliency, target)
    if change == "multiply":
        if saliency_of(saliency).shape != pixels.shape[-2:]:
            raise PictureError(
                f"The saliency is {tuple(saliency_of(saliency).shape)}, the model's input {tuple(pixels.shape[-2:])}."
            )
        changed = multiply_pixels(pixels, saliency)
    elif change == "remove":
        changed = mask_pixels(pixels, rank_levels(saliency), [fraction], baseline=baseline)[0]
    else:
        raise CamwidgetError(f"There is no change {change!r}: use 'multiply' or 'remove'.")
    inputs = model.inputs(torch.stack([pixels, changed]))
    values = gather_probabilities(model, 2, lambda a, b: inputs[a:b], "", _quiet)
    index = _index_of(model, values[0].numpy(), target)
    if index is None:
        raise CamwidgetError("The confidence is that of a class: give its index or name.")
    return ConfidenceChange(float(values[0, index]), float(values[1, index]))


def _asked_about(
    model: VisionModel, image: PictureLike, saliency: SaliencyLike, target: TargetLike | None
) -> tuple[VisionModel, torch.Tensor, TargetLike | None]:
    """The model under its text, the picture's pixels (C, H, W), and the target: an explanation brings its own."""
    if isinstance(saliency, Explanation):
        model = model_as_explained(model, [saliency])
    pixels = model.preprocess.pixels(image)
    model = model.told(pixels)
    if isinstance(saliency, Explanation):
        index = explained_class(model, pixels, saliency)
        if target is None and index is None:
            raise CamwidgetError(
                f"A class's confidence is asked for, and {saliency.target.label!r}, which was explained, is none: give "
                "a class's index or name as target."
            )
        target = index if target is None else target
    return model, pixels, target


def _index_of(model: VisionModel, whole: np.ndarray, target: TargetLike | None) -> int | None:
    """The class of a target; None if it is none. Of no target the predicted one's, by probabilities (classes,)."""
    if target is None:
        return model.foremost(torch.from_numpy(whole)[None])[0]
    return resolve_target(model, target).index


def _quiet(done: int, total: int) -> None:
    """Two pictures need no bar."""
