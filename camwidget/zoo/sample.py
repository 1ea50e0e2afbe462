"""One drawn picture together with everything that is true about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..images.ground_truth import tight_box

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture, the classes of the objects in it, and where each object is.

    Objects are ordered by area, largest first.

    Attributes:
        image: the picture, uint8 of shape (H, W, 3), RGB.
        labels: one class index per object.
        masks: bool of shape (n, H, W), true where the object is visible; no two overlap.
        classes: the names the labels index.
    """

    image: NDArray[np.uint8]
    labels: tuple[int, ...]
    masks: NDArray[np.bool_]
    classes: tuple[str, ...]

    @property
    def label(self) -> int:
        """Class index of the largest object."""
        return self.labels[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Class name of every object, in the order of `labels`."""
        return tuple(self.classes[label] for label in self.labels)

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Bounding box of every object: (left, top, right, bottom), the last two exclusive."""
        boxes = map(tight_box, self.masks)
        # What is wholly covered is in no sample.
        return tuple(box for box in boxes if box is not None)

    def mask_of(self, label: int) -> NDArray[np.bool_]:
        """Where any object of this class is: bool of shape (H, W), all false if there is none."""
        chosen = [
            mask for mask, found in zip(self.masks, self.labels, strict=True) if found == label
        ]
        return np.logical_or.reduce(chosen) if chosen else np.zeros(self.image.shape[:2], bool)

    def evidence(self, target: str, text: str | None = None) -> NDArray[np.bool_] | None:
        """Where the objects of a class are, by its name (case does not matter): bool of shape (H, W).

        All false if there is none in the picture; None if it is no class of these samples.
        """
        folded = target.strip().casefold()
        found = [i for i, name in enumerate(self.classes) if name.casefold() == folded]
        return self.mask_of(found[0]) if found else None

    def concepts(self) -> dict[str, NDArray[np.bool_]]:
        """Where each class that is present is, by its name: bool of shape (H, W)."""
        return {self.classes[label]: self.mask_of(label) for label in dict.fromkeys(self.labels)}

    def pil(self) -> Image:
        """The picture as a PIL image."""
        from PIL import Image

        return Image.fromarray(self.image)
