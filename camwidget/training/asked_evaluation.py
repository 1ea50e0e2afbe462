"""Location of maps that are asked about one of two things of the same class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..attribution.explaining import explain
from ..attribution.explanation import Explanations
from ..attribution.targets import TargetLike
from ..images.ground_truth import share_inside
from ..models.vision_model import VisionModel
from ..zoo.scenes import CLASSES, Scene
from ..zoo.scenes import draw as draw_scene

METHODS = ("gradcam", "gradcam++", "xgradcam", "layercam", "hirescam")
"""Methods of one pass that weight a layer's maps."""


def two_alike(seed: int) -> Scene:
    """A scene of two things of one class, which the seed chooses."""
    return draw_scene(seed, objects=[seed % len(CLASSES)] * 2)


@dataclass
class AskedFigures:
    """Results over some maps, one entry per map.

    Attributes:
        peak: whether the peak is in the thing asked about.
        peak_other: whether it is in the other thing of the class.
        share: share of the map in the thing asked about.
        share_other: share in the other thing.
    """

    peak: list[bool] = field(default_factory=list)
    peak_other: list[bool] = field(default_factory=list)
    share: list[float] = field(default_factory=list)
    share_other: list[float] = field(default_factory=list)

    def add_map(
        self, saliency: NDArray[np.floating], asked: NDArray[np.bool_], other: NDArray[np.bool_]
    ) -> None:
        """Compare a map (H, W) with the masks of both things."""
        place = int(saliency.argmax())
        self.peak.append(bool(asked.flat[place]))
        self.peak_other.append(bool(other.flat[place]))
        self.share.append(float(np.nan_to_num(share_inside(saliency, asked))))
        self.share_other.append(float(np.nan_to_num(share_inside(saliency, other))))

    def means(self) -> dict[str, float]:
        """The means, rounded for the model card."""
        return {
            "maps": len(self.peak),
            "peak_in_asked": round(float(np.mean(self.peak)), 4),
            "peak_in_other": round(float(np.mean(self.peak_other)), 4),
            "share_in_asked": round(float(np.mean(self.share)), 4),
            "share_in_other": round(float(np.mean(self.share_other)), 4),
        }


def add_maps(
    figures: dict[str, AskedFigures],
    model: VisionModel,
    scene: Scene,
    targets: Sequence[TargetLike],
    layers: Sequence[str],
    things: Sequence[int] = (0, 1),
) -> None:
    """Add the maps of a scene of two things to the figures, by method and layer.

    Args:
        figures: results so far.
        model: the model, asked.
        scene: a scene of two things.
        targets: what is explained.
        layers: layers at which the methods are compared.
        things: number of the thing with which the maps of each target are compared; one target is compared with each.
    """
    wanted = list(dict.fromkeys(targets))
    found = explain(model, scene.image, wanted, list(METHODS), list(layers))
    assert isinstance(found, Explanations)
    for n, thing in enumerate(things):
        for exp in found[_part(len(found), len(wanted), n % len(wanted))]:
            add_map(figures, f"{exp.method} at {exp.layer}", exp.saliency, scene, thing)


def add_map(
    figures: dict[str, AskedFigures],
    key: str,
    saliency: NDArray[np.floating],
    scene: Scene,
    thing: int,
) -> None:
    """Add a map (H, W) that is asked about one of a scene's two things."""
    masks = scene.masks[thing], scene.masks[1 - thing]
    figures.setdefault(key, AskedFigures()).add_map(saliency, *masks)


def means_of(
    asked: dict[str, AskedFigures], of_class: dict[str, AskedFigures]
) -> dict[str, dict[str, dict[str, float]]]:
    """The means by kind of question and by method, for the model card."""
    return {
        question: {key: figures.means() for key, figures in found.items()}
        for question, found in (("asked", asked), ("whole_class", of_class))
    }


def _part(length: int, parts: int, number: int) -> slice:
    """The part of a sequence of equal parts."""
    size = length // parts
    return slice(number * size, (number + 1) * size)
