"""``SegmentationModel``: a model with scores of every pixel, of which the means over a region are explained."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as nnF

from ..errors import ModelError, TargetError
from ..images.preprocess import Preprocess
from .findings import Findings, areas_found, mean_inside
from .layer_recorder import Reshape
from .output_tensors import (
    OutputPath,
    ScoredOutput,
    check_output_path,
    describe_output,
    pixel_scores_path,
    value_at,
)
from .spatial_model import SpatialModel
from .vision_model import VisionModel

__all__ = ["SegmentationModel"]


@dataclass(frozen=True)
class _PixelScores:
    """Callable from a module's output to the scores of every pixel (N, classes, h, w)."""

    path: OutputPath | None = None

    def __call__(self, output: Any) -> torch.Tensor:
        path = pixel_scores_path(output) if self.path is None else self.path
        if path is None:
            raise ModelError(
                f"A segmentation has scores of every pixel, (N, classes, height, width), and the module returns "
                f"{describe_output(output)}. Pass output=…, a key or a callable from the output to such a tensor, to "
                "camwidget.wrap."
            )
        found = value_at(output, path)
        if not isinstance(found, torch.Tensor) or found.ndim != 4 or not found.is_floating_point():
            raise ModelError(
                f"output=… gives {describe_output(found)}, and the scores of every pixel are a tensor "
                "(N, classes, height, width)."
            )
        return found


class _RegionMean:
    """Callable from scores of every pixel to their means over a region, (N, classes).

    Args:
        region: bool (H, W) in pixels of the model's input; None for the whole picture.
    """

    def __init__(self, region: np.ndarray | None) -> None:
        self._region = None if region is None else torch.from_numpy(region).float()
        shown = "all" if region is None else hashlib.sha256(np.packbits(region)).hexdigest()[:16]
        size = "" if region is None else f", {region.shape}"
        #: What ``VisionModel.output_path`` shows, by which an evaluation is recognized when it is resumed.
        self.__qualname__ = f"RegionMean({shown}{size})"

    def __call__(self, scores: torch.Tensor) -> torch.Tensor:
        if self._region is None:
            return scores.mean((2, 3))
        # Scores on a coarser grid count by the share of their cell that lies in the region.
        weights = nnF.interpolate(self._region[None, None], scores.shape[-2:], mode="area")[0, 0]
        # Not ``weights.to(scores)``, by which relevance propagation would take the weights for activations.
        weights = weights.to(scores.device, scores.dtype)
        return (scores * (weights / weights.sum())).sum((2, 3))


class SegmentationModel(SpatialModel):
    """A model that classifies every pixel. ``wrap(…, kind="segments")`` and ``load`` make it.

    The logit of a class is the mean of its logits over a region: over the whole picture, or over the pixels of
    ``model.given(region=mask)``. Grad-CAM of such a logit is Seg-Grad-CAM (Vinogradova et al. 2020, arXiv:2002.11434),
    divided by the number of pixels; every other method explains the same logit. The softmax of the means, which is
    shown as the class's probability, is the normalized geometric mean of the pixels' probabilities. Of a module that
    ends in a softmax, the probability is the mean of the pixels' probabilities, and the logit its logarithm.

    Args:
        module: module from a picture to scores of every pixel.
        preprocess: its preprocessing.
        classes: as in ``wrap``.
        name: name of the model.
        usual_classes: class names if there are none.
        reshape: as in ``wrap``.
        layers: as in ``wrap``.
        inputs: as in ``wrap``.
        scores: as in ``wrap``.
        output: place of the scores (N, classes, height, width) in the module's output; found by its name if None.

    Example:
        >>> import numpy as np, torch
        >>> import camwidget as cw
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1))
        >>> model = cw.wrap(net, cw.Preprocess(32), classes=["sky", "ground"], kind="segments")
        >>> upper = np.arange(32)[:, None].repeat(32, 1) < 16
        >>> picture = torch.rand(3, 32, 32)
        >>> cw.explain(model.given(region=upper), picture, "sky", layer="1").saliency.shape
        (32, 32)
        >>> model.segments(picture).shape
        (32, 32)
    """

    def __init__(
        self,
        module: nn.Module,
        preprocess: Preprocess,
        classes: Sequence[str] | None,
        *,
        name: str,
        usual_classes: Sequence[str] = (),
        reshape: Reshape | None = None,
        layers: Sequence[str] | None = None,
        inputs: Mapping[str, torch.Tensor] | None = None,
        scores: str | None = None,
        output: Any = None,
    ) -> None:
        self._pixel_scores = _PixelScores(None if output is None else check_output_path(output))
        #: The region whose pixels are explained, bool (H, W); None for the whole picture.
        self.region: np.ndarray | None = None
        super().__init__(
            module,
            preprocess,
            classes,
            name=name,
            usual_classes=usual_classes,
            reshape=reshape,
            layers=layers,
            inputs=inputs,
            scores=scores,
            output=(self._pixel_scores, _RegionMean(None)),
        )

    def given(self, **inputs: Any) -> VisionModel:
        """Return the same model with another region, or with other inputs besides the picture.

        Args:
            inputs: ``region``, a mask (H, W), bool or of 0 and 1, in pixels of ``model.pixels(picture)``, or None for
                the whole picture; tensors as in ``VisionModel.given``.

        Raises:
            TargetError: if the region is no mask, or has no pixel.
            ModelError: if the model takes nothing of that name.
        """
        has_region = "region" in inputs
        region = _checked_region(inputs.pop("region", None))
        self._extra_inputs.check_names(inputs, self.name, "region")
        changes: dict[str, Any] = {"_extra_inputs": self._extra_inputs.with_tensors(inputs)}
        if has_region:
            path = (self._pixel_scores, _RegionMean(region))
            origin = self.origin
            given: tuple[str, dict[str, Any]] | None = None if region is None else ("region", {})
            changes |= {
                "region": region,
                "_reader": replace(self._reader, path=path),
                "origin": None if origin is None else replace(origin, given=given),
            }
        return self._copy_with(**changes)

    @property
    def chosen_size(self) -> tuple[int, int] | None:
        """Rows and columns of the region; None for the whole picture."""
        return None if self.region is None else (self.region.shape[0], self.region.shape[1])

    def place_of(self, index: int) -> np.ndarray | None:
        """Return the region, bool (H, W); None for the whole picture."""
        return self.region

    def __repr__(self) -> str:
        where = (
            "the picture" if self.region is None else f"a region of {int(self.region.sum())} pixels"
        )
        return (
            f"SegmentationModel({self.name!r}, {len(self.classes)} classes of every pixel, asked about {where}, "
            f"default layer {self.default_layer!r}, {self.device})"
        )

    @property
    def _chosen(self) -> str:
        return "The region is"

    def segments(self, picture: Any) -> np.ndarray:
        """Return the most probable class of every pixel.

        Args:
            picture: one picture (see ``Preprocess.pixels``).

        Returns:
            Indices of classes, int64 (H, W), in pixels of ``model.pixels(picture)``. Scores on a coarser grid are
            interpolated bilinearly before the comparison.

        Raises:
            PictureError: if the picture cannot be read, or is a batch of several.

        Example:
            See ``SegmentationModel``.
        """
        return self.segments_of(self.one_picture(picture, "segments"))

    def segments_of(self, pixels: torch.Tensor) -> np.ndarray:
        """Return the most probable class of every pixel, int64 (H, W), of pixels (1, C, H, W) in [0, 1]."""
        size = pixels.shape[-2:]
        scores = self._pixel_scores(self.output_of(pixels)).float()
        if scores.shape[-2:] != size:
            scores = nnF.interpolate(scores, size, mode="bilinear", align_corners=False)
        found: np.ndarray = scores[0].argmax(0).cpu().numpy()
        return found

    def findings(self, pixels: torch.Tensor) -> Findings:
        """Return the areas of the classes in pixels (1, C, H, W) in [0, 1], and their share of the region."""
        with self.isolated() as isolated, torch.no_grad():
            returned = isolated.run(self.inputs(pixels))
            logits = isolated.logits_of(returned, len(pixels)).float()
        self.check_finite(logits)
        values = self.probabilities(logits[0]).double().cpu().numpy()
        if self.scores == "value":  # quantities have no areas
            return Findings(values)
        of_pixels = self._pixel_probabilities(returned, (pixels.shape[-2], pixels.shape[-1]))
        return areas_found(of_pixels, self.region, values)

    def _pixel_probabilities(self, returned: Any, size: tuple[int, int]) -> torch.Tensor:
        """Return the probabilities of every pixel of one picture at its size, (classes, H, W)."""
        output = returned.output if isinstance(returned, ScoredOutput) else returned
        scores = self._pixel_scores(output).float()
        scores = nnF.interpolate(scores, size, mode="bilinear", align_corners=False)
        if scores.shape[1] < len(self.classes):  # one logit for two classes
            scores = torch.cat([-scores, scores], 1)
        # Not ``movedim``, whose export needs a known rank.
        return self.probabilities(scores[0].permute(1, 2, 0)).permute(2, 0, 1)

    def exported_tensors(self, returned: Any, size: tuple[int, int]) -> dict[str, torch.Tensor]:
        """Return "logits" (1, classes), and, of probabilities, "areas" int32 (H, W) and "means" (classes,)."""
        logits = self.logits_of(returned, 1).float()
        if self.scores == "value":
            return {"logits": logits}
        of_pixels = self._pixel_probabilities(returned, size)
        return {
            "logits": logits,
            "areas": of_pixels.argmax(0).to(torch.int32),
            "means": mean_inside(of_pixels, self.region),
        }

    def exported_logits(self, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the logits (1, classes)."""
        return tensors["logits"]

    def region_of(self, picture: Any, name: int | str) -> np.ndarray:
        """Return the pixels of a picture whose most probable class is a given one, as a region to ask about.

        Args:
            picture: one picture.
            name: class name or index.

        Returns:
            bool (H, W), for ``given(region=…)``.

        Raises:
            TargetError: if there is no such class, or no pixel of it.
        """
        index = self.class_index(name)
        segments = self.segments(picture)
        found: np.ndarray = segments == index
        if not found.any():
            raise TargetError(
                f"No pixel of the picture is {self.classes[index]!r}: there is "
                f"{', '.join(self.classes[i] for i in np.unique(segments)[:8])}."
            )
        return found


def _checked_region(value: Any) -> np.ndarray | None:
    """Return a region as bool (H, W)."""
    region: np.ndarray
    if value is None:
        return None
    array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    if array.ndim != 2 or array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        raise TargetError(
            f"A region is a mask (H, W) of True and False, not {array.dtype} {array.shape}: "
            "model.region_of(picture, 'class'), or one of your own."
        )
    if not array.any():
        raise TargetError(
            "The region has no pixel: mark one at least, or give None for the whole picture."
        )
    region = np.ascontiguousarray(array.astype(bool))
    return region
