"""Location of maps that are asked about one of two things of the same class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...attribution.explaining import explain
from ...attribution.methods import Method, get_method
from ...attribution.targets import TargetLike
from ...images.ground_truth import share_inside
from ...models.vision_model import VisionModel
from ..scenes import CLASSES, Scene
from ..scenes import draw as draw_scene

METHODS = ("gradcam", "gradcam++", "xgradcam", "layercam", "hirescam")
"""Methods of one pass that weight a layer's maps."""

RISE_MASKS = 1000


def rise() -> Method:
    """RISE with the grid of D-RISE (Petsiuk et al. 2021, arXiv:2006.03204, section 4)."""
    return get_method("rise", masks=RISE_MASKS, cells=16)


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
    targets: Sequence[tuple[TargetLike, Sequence[int]]],
    layers: Sequence[str],
    *,
    with_rise: bool,
) -> None:
    """Add the maps of a scene of two things to the figures, by method and layer.

    Args:
        figures: results so far; the key of a map at the picture has no layer.
        model: the model, asked.
        scene: a scene of two things.
        targets: what is explained, and the numbers of the things with which its maps are compared.
        layers: layers at which the methods of a layer are compared.
        with_rise: whether to add RISE, which takes a thousand passes.
    """
    for target, things in targets:
        found = list(explain(model, scene.image, target, list(METHODS), list(layers)))
        maps = {f"{exp.method} at {exp.layer}": exp.saliency for exp in found}
        if with_rise:
            maps["rise"] = explain(model, scene.image, target, rise(), progress=_silent).saliency
        for key, saliency in maps.items():
            for n in things:
                figures.setdefault(key, AskedFigures()).add_map(
                    saliency, scene.masks[n], scene.masks[1 - n]
                )


def _silent(done: int, total: int) -> None:
    """Show nothing."""
