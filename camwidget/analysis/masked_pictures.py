"""Interventions: hide part of a picture, and run the model on many pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .._validation import is_number
from ..attribution.batched_inference import gather_probabilities
from ..attribution.explanation import Explanation
from ..attribution.explanation_checks import explained_class, model_as_explained
from ..errors import CamwidgetError, PictureError
from ..images.clips import Clip, as_clips
from ..images.containers import list_entries
from ..images.conversion import LazyPicture, PictureLike
from ..masking.masked_pixels import (
    MODES,
    check_map_size,
    mask_pixels,
    multiply_pixels,
    paint_pixels,
)
from ..masking.rank_rule import SaliencyLike, rank_levels, saliency_of
from ..masking.user_mask import as_paint
from ..models.argument_checks import require_model
from ..models.vision_model import VisionModel
from ..progress import Progress

__all__ = ["mask_picture", "probabilities"]


def mask_picture(
    model: VisionModel,
    image: PictureLike,
    hide: Any = None,
    *,
    by: SaliencyLike | None = None,
    fraction: float = 0.25,
    mode: str = "remove",
    baseline: str = "blur",
) -> torch.Tensor:
    """Hide part of a picture, as the model gets it.

    Args:
        model: from ``load`` or ``wrap``.
        image: a picture in any form that ``explain`` accepts.
        hide: which pixels are hidden, at the model's input size: bool (H, W), or whole numbers where 1 is hidden, -1 is
            kept whatever ``by`` says, and 0 is left to ``by``; or a box (left, top, right, bottom) in pixels, the last
            two exclusive. None hides nothing but what ``by`` selects.
        by: an explanation of this picture, or a saliency map, float (H, W) in [0, 1]: its highest pixels are
            removed, or kept. None: ``hide`` alone decides.
        fraction: with ``by``, the share of pixels that is masked, in [0, 1]: ties go in reading order.
        mode: with ``by``, "remove" replaces the top fraction, "keep" replaces everything else, "multiply" multiplies
            the picture by the map.
        baseline: what replaces hidden pixels: "blur", "mean", "black", or inpainted, "inpaint" or "telea".

    Returns:
        float32 (C, H, W) in [0, 1] at the model's input size. It is a picture itself: give it to ``explain``,
        ``probabilities`` or ``Explorer``.

    Raises:
        CamwidgetError: if neither ``hide`` nor ``by`` is given, or a setting is unknown.
        PictureError: if the picture cannot be read, a mask has another size, or ``by`` explains another picture.

    Example:
        >>> import camwidget as cw
        >>> model, picture = cw.load(device="cpu"), cw.zoo.samples("zoo/textures")[0].image
        >>> masked = cw.mask_picture(model, picture, (40, 40, 90, 90), baseline="mean")
        >>> tuple(masked.shape)
        (3, 192, 192)
    """
    require_model(model, "mask_picture", image)
    if hide is None and by is None:
        raise CamwidgetError(
            "There is nothing to hide: give hide=, a bool mask (H, W) or a box, or by=, an explanation of the picture."
        )
    if isinstance(by, Explanation):
        model = model_as_explained(model, [by])
    pixels = model.preprocess.pixels(image)
    size = (pixels.shape[-2], pixels.shape[-1])
    paint = as_paint(_box_mask(hide, size), size, model.frames)
    if by is None:
        return paint_pixels(pixels, pixels, paint, baseline, model.frames)
    if isinstance(by, Explanation):
        explained_class(model, pixels, by)
    else:
        check_map_size(saliency_of(by).numpy(), pixels, model.frames)
    if mode == "multiply":
        return paint_pixels(multiply_pixels(pixels, by), pixels, paint, baseline, model.frames)
    if mode not in MODES:
        raise CamwidgetError(f"There is no mode {mode!r}: use 'remove', 'keep' or 'multiply'.")
    return mask_pixels(
        pixels,
        rank_levels(by),
        [fraction],
        mode=mode,
        baseline=baseline,
        paint=paint,
        frames=model.frames,
    )[0]


def probabilities(
    model: VisionModel, pictures: Any, *, progress: Progress | None = None
) -> np.ndarray:
    """Run the model on many pictures, in batches.

    Args:
        model: from ``load`` or ``wrap``; a model that takes a text has to have one (``model.given``).
        pictures: one picture, or several in any container that ``Explorer`` accepts: a list, a folder, a generator, an
            array (N, H, W, C), a tensor (N, C, H, W), a data set, a DataLoader. Files are read batch by batch.
        progress: called with (done, total); a bar appears after a second if None.

    Returns:
        float64 (N, classes): the probability of each class, in [0, 1]; the values themselves of a model of quantities.

    Raises:
        PictureError: if a picture cannot be read.
        PromptError: if the model takes a text and has none.

    Example:
        >>> import camwidget as cw
        >>> model, samples = cw.load(device="cpu"), cw.zoo.samples("zoo/textures")
        >>> cw.probabilities(model, [sample.image for sample in samples[:3]]).shape
        (3, 10)
    """
    require_model(model, "probabilities", pictures)
    model.require_text()
    pictures = pictures if model.frames is None else as_clips(pictures)
    entries = list_entries(pictures)
    sources = [pictures] if entries is None else [entry.source for entry in entries]

    def inputs(start: int, stop: int) -> torch.Tensor:
        opened = [_opened(source) for source in sources[start:stop]]
        return model.inputs(model.pixels(opened))

    found = gather_probabilities(model, len(sources), inputs, "running the model", progress)
    return found.double().numpy()


def _opened(source: Any) -> Any:
    """A picture of a data set, read; any other picture, and a clip, as it is."""
    is_lazy = isinstance(source, LazyPicture) and not isinstance(source, Clip)
    return source.open() if is_lazy else source


def _box_mask(hide: Any, size: tuple[int, int]) -> Any:
    """A box as a bool mask (H, W); anything else as it is."""
    if not isinstance(hide, (tuple, list, np.ndarray)) or np.ndim(hide) != 1 or len(hide) != 4:
        return hide
    height, width = size
    left, top, right, bottom = hide
    if not all(is_number(side, 0) for side in hide) or not (left < right and top < bottom):
        raise PictureError(
            f"A box is (left, top, right, bottom) in pixels with left < right and top < bottom, not {tuple(hide)!r}."
        )
    if (right <= 1 and bottom <= 1) or left >= width or top >= height:
        raise PictureError(
            f"The box {tuple(hide)!r} is not in the model's picture of {width} × {height} pixels: give its sides in "
            "pixels at the model's input size."
        )
    mask = np.zeros(size, bool)
    mask[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = True
    return mask
