"""``SpatialModel``: a model whose output belongs to places in the picture, such as boxes or scores of every pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..errors import PictureError, TargetError
from .output_tensors import ScoredOutput
from .vision_model import VisionModel

__all__ = ["SpatialModel"]


class SpatialModel(VisionModel):
    """A model whose output belongs to places in the picture; the base of ``SegmentationModel`` and ``DetectionModel``.

    A region or detections, once chosen, are of pictures of one size; pictures of other sizes are refused.
    """

    @property
    def chosen_size(self) -> tuple[int, int] | None:
        """Rows and columns of the pixels in which the chosen region or detections lie; None if nothing is chosen."""
        raise NotImplementedError

    def place_of(self, index: int) -> np.ndarray | None:
        """Return the pixels that a class is asked about, bool (H, W) of ``chosen_size``; None without a choice.

        Args:
            index: the class: of a ``DetectionModel``, the detection, whose box is its place; of a
                ``SegmentationModel``, any, since the region is that of all classes.
        """
        raise NotImplementedError

    @property
    def _chosen(self) -> str:
        """What is chosen, as the subject of a sentence in the plural, and where more of it comes from."""
        raise NotImplementedError

    def inputs(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalize pixels (N, C, H, W) in [0, 1] to the module's input.

        Raises:
            TargetError: if the chosen region or detections are of pixels of another size.
        """
        size = size_of(pixels)
        chosen = self.chosen_size
        if chosen is not None and chosen != size:
            raise TargetError(
                f"{self._chosen} of a picture of {chosen[0]}×{chosen[1]} pixels (rows × columns), and this one, as "
                f"{self.name} gets it, has {size[0]}×{size[1]}: choose those of this picture, in pixels of "
                "model.pixels(picture)."
            )
        return super().inputs(pixels)

    def one_picture(self, picture: Any, what: str) -> torch.Tensor:
        """Return the pixels of a picture, and refuse a batch.

        Args:
            picture: one picture (see ``Preprocess.pixels``).
            what: what a picture has of this model, for the error: "segments".

        Returns:
            Pixels (1, C, H, W) in [0, 1].

        Raises:
            PictureError: if the picture cannot be read, or is a batch of several.
        """
        pixels = self.pixels(picture)
        if len(pixels) != 1:
            raise PictureError(
                f"One picture has {what}, not a batch of {len(pixels)}: pass them one by one."
            )
        return pixels

    def output_of(self, pixels: torch.Tensor) -> Any:
        """Run the module on pixels (N, C, H, W) in [0, 1], and return its output, without graph."""
        with self.isolated() as isolated, torch.no_grad():
            returned = isolated.run(self.inputs(pixels))
        return returned.output if isinstance(returned, ScoredOutput) else returned


def size_of(pixels: torch.Tensor) -> tuple[int, int]:
    """Return the rows and columns of pixels (N, C, H, W)."""
    return int(pixels.shape[-2]), int(pixels.shape[-1])
