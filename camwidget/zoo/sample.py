"""``Sample``: a drawn picture with its ground truth."""

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
    """A drawn picture with its ground truth: the class and the pixels of every object.

    Objects are ordered by area, largest first.

    Attributes:
        image: the picture, uint8 (H, W, 3), RGB.
        labels: class index of each object.
        masks: bool (n, H, W), the visible pixels of each object; masks do not overlap.
        classes: names of all classes, indexed by ``labels``.

    Example:
        >>> from camwidget import zoo
        >>> sample = zoo.samples("zoo/textures")[0]
        >>> sample.image.shape, sample.names
        ((192, 192, 3), ('polka-dotted', 'waffled', 'polka-dotted'))
        >>> bool(sample.evidence("waffled").any()), bool(sample.evidence("lined").any())
        (True, False)
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
        """Class name of every object, in the order of ``labels``."""
        return tuple(self.classes[label] for label in self.labels)

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Bounding box of every object: (left, top, right, bottom), the last two exclusive."""
        boxes = map(tight_box, self.masks)
        # No sample contains a fully covered object.
        return tuple(box for box in boxes if box is not None)

    def mask_of(self, label: int) -> NDArray[np.bool_]:
        """Find the pixels of all objects of a class.

        Args:
            label: class index.

        Returns:
            bool (H, W), all false if the class is absent.
        """
        chosen = [
            mask for mask, found in zip(self.masks, self.labels, strict=True) if found == label
        ]
        return np.logical_or.reduce(chosen) if chosen else np.zeros(self.image.shape[:2], bool)

    def evidence(self, target: str, text: str | None = None) -> NDArray[np.bool_] | None:
        """Find the evidence for a target: the pixels of all objects of a class.

        Args:
            target: class name, in upper or lower case.
            text: the text that the model was given; used by samples with a text only.

        Returns:
            bool (H, W), all false if the class is absent; None if these samples have no such class.
        """
        folded = target.strip().casefold()
        found = [i for i, name in enumerate(self.classes) if name.casefold() == folded]
        return self.mask_of(found[0]) if found else None

    def concepts(self) -> dict[str, NDArray[np.bool_]]:
        """The pixels of each class that is present, bool (H, W) by name."""
        return {self.classes[label]: self.mask_of(label) for label in dict.fromkeys(self.labels)}

    def pil(self) -> Image:
        """The picture as a PIL image."""
        from PIL import Image

        return Image.fromarray(self.image)
