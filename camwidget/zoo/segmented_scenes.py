"""Scenes whose ground is a class too, for a model that names the class of every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import scenes
from .sample import Sample
from .scenes import Scene

GROUND = "ground"
"""Name of the class of the pixels that no thing covers."""

CLASSES: tuple[str, ...] = (*scenes.CLASSES, GROUND)


@dataclass(frozen=True, eq=False)
class SegmentedScene(Scene):
    """A scene that knows which pixels are ground."""

    def mask_of(self, label: int) -> NDArray[np.bool_]:
        """Find the pixels of all objects of a class, or of the ground.

        Args:
            label: class index; the last one is the ground.

        Returns:
            bool (H, W), all false if the class is absent.
        """
        if label == len(CLASSES) - 1:
            return np.asarray(~self.masks.any(0))
        return super().mask_of(label)

    def segments(self) -> NDArray[np.int64]:
        """The class of every pixel, int64 (H, W)."""
        found = np.full(self.image.shape[:2], len(CLASSES) - 1, np.int64)
        for label, mask in zip(self.labels, self.masks, strict=True):
            found[mask] = label
        return found


def draw(
    seed: int | np.random.Generator, number: int | None = None, **options: Any
) -> SegmentedScene:
    """Draw one scene; equal arguments give equal pictures, those of ``scenes.draw``.

    Args:
        seed: as in ``scenes.draw``.
        number: as in ``scenes.draw``.
        options: ``objects``, ``radii`` and ``size``, as in ``scenes.draw``.

    Raises:
        ValueError: for an unknown class, or too many objects.
    """
    return _segmented(scenes.draw(seed, number, **options))


def gallery() -> Sequence[Sample]:
    """The scenes of ``scenes.gallery``."""
    return [_segmented(found) for found in scenes.gallery() if isinstance(found, Scene)]


def _segmented(scene: Scene) -> SegmentedScene:
    return SegmentedScene(scene.image, scene.labels, scene.masks, CLASSES, scene.objects)
