"""``Dissection``: the units of a layer with their concepts, and figures of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch.nn import functional as nnF

from ..attribution.trace import Trace
from ..errors import LayerError
from ..images.conversion import shades
from ..models.vision_model import VisionModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure


__all__ = ["Dissection", "LabeledPicture", "Unit", "answers"]


class LabeledPicture(Protocol):
    """A picture in which it is known what is where, such as ``zoo.Sample``."""

    @property
    def image(self) -> Any:
        """The picture, uint8 (H, W, 3)."""

    def concepts(self) -> Mapping[str, np.ndarray]:
        """Where each concept is, bool (H, W) by name. One that is not named is nowhere."""


@dataclass(frozen=True)
class Unit:
    """One unit of a layer, that is, one channel.

    Attributes:
        unit: its number.
        concept: the concept it is named by, or None.
        iou: intersection over union with its best concept, in [0, 1], named or not.
        category: of the concept, such as colour; empty if there is none.
    """

    unit: int
    concept: str | None
    iou: float
    category: str = ""

    @property
    def name(self) -> str:
        """The concept, or "unit 17"."""
        return self.concept or f"unit {self.unit}"


@dataclass(frozen=True, eq=False)
class Dissection:
    """What the units of a layer answer to.

    Attributes:
        model: the model's name.
        layer: the layer's module name.
        units: all of them, in order.
        concepts: what they may be named by, by category and name; ``categories`` has the category of each.
        iou: float64 (units, concepts), intersection over union in [0, 1].
        thresholds: (units,), T_k of Bau et al. 2017, in the units of the layer's activation.
        cuts: (units,), above which activation a unit counts as answering: as good as ``thresholds`` for most.
        peaks: (pictures, units), the highest activation of each unit in each picture.
        min_iou: from which on a unit has a name.
        subject: the model that was dissected, and ``samples`` the pictures, to show units with.
    """

    model: str
    layer: str
    units: tuple[Unit, ...] = field(repr=False)
    concepts: tuple[str, ...]
    categories: tuple[str, ...]
    iou: np.ndarray = field(repr=False)
    thresholds: np.ndarray = field(repr=False)
    cuts: np.ndarray = field(repr=False)
    peaks: np.ndarray = field(repr=False)
    min_iou: float
    subject: VisionModel = field(repr=False)
    samples: Sequence[LabeledPicture] = field(repr=False)

    @property
    def named(self) -> tuple[Unit, ...]:
        """The units with a name, those that fit it best first."""
        return tuple(sorted((u for u in self.units if u.concept), key=lambda u: -u.iou))

    @property
    def detectors(self) -> dict[str, tuple[int, ...]]:
        """The units of each concept that has any, best first; their number is Bau's count of unique detectors."""
        found = self.named
        return {
            c: tuple(u.unit for u in found if u.concept == c)
            for c in self.concepts
            if any(u.concept == c for u in found)
        }

    def table(self) -> list[dict[str, object]]:
        """A row a unit: unit, concept, category, iou and threshold, for a data frame, say."""
        return [
            {
                "unit": u.unit,
                "concept": u.concept,
                "category": u.category,
                "iou": u.iou,
                "threshold": float(level),
            }
            for u, level in zip(self.units, self.thresholds, strict=True)
        ]

    def plot(self) -> Figure:
        """How many units each concept has, by category (matplotlib)."""
        from matplotlib.ticker import MaxNLocator

        from ..plotting import new_figure

        counts = {c: len(self.detectors.get(c, ())) for c in self.concepts}
        figure = new_figure(1.6 + 0.32 * len(counts), 3.2)
        axes = figure.subplots()
        for category in dict.fromkeys(self.categories):
            chosen = [
                c for c, k in zip(self.concepts, self.categories, strict=True) if k == category
            ]
            axes.bar(chosen, [counts[c] for c in chosen], label=category or None)
        axes.set_xticks(
            range(len(counts)), list(counts), rotation=45, ha="right", rotation_mode="anchor"
        )
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel("units")
        axes.set_title(f"{len(self.named)} of {len(self.units)} units · {self.layer}", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        if any(self.categories):
            axes.legend(frameon=False, fontsize=8)
        return figure

    def plot_unit(self, unit: int, pictures: int = 6) -> Figure:
        """The pictures that a unit answers to most, with an outline round what it answers to (matplotlib).

        Args:
            unit: its number.
            pictures: how many at most.

        Raises:
            LayerError: if there is no such unit.
        """
        from ..plotting import new_figure, plain_text

        if not 0 <= unit < len(self.units):
            raise LayerError(
                f"There is no unit {unit!r}: {self.layer} has units 0 to {len(self.units) - 1}."
            )
        best = np.argsort(-self.peaks[:, unit], kind="stable")[: max(1, pictures)].tolist()
        pixels = self.subject.pixels([self.samples[n].image for n in best])
        # One by one: many pictures at once may not fit into memory.
        maps = torch.cat(
            [
                Trace(self.subject, p[None], [self.layer])
                .activation(self.layer)[:, unit : unit + 1]
                .cpu()
                for p in pixels
            ]
        )
        cut = torch.as_tensor(self.cuts[unit : unit + 1])
        regions = answers(maps, cut, pixels.shape[-2:])[:, 0].numpy()
        figure = new_figure(2.1 * len(best), 2.6)
        panels = figure.subplots(1, len(best), squeeze=False)[0]
        for axes, number, picture, region in zip(panels, best, pixels, regions, strict=True):
            axes.imshow(shades(picture))
            if region.any() and not region.all():
                axes.contour(region, levels=[0.5], colors="yellow", linewidths=1.5)
            axes.set_axis_off()
            axes.set_title(f"picture {number} · {self.peaks[number, unit]:.3g}", fontsize=8)
        found = self.units[unit]
        title = f"unit {unit} · {found.concept or 'no name'} · IoU {found.iou:.2f}"
        figure.suptitle(plain_text(title), fontsize=10)
        return figure

    def __repr__(self) -> str:
        return (
            f"Dissection({self.model!r} at {self.layer!r}: {len(self.named)} of {len(self.units)} units named, "
            f"{len(self.detectors)} of {len(self.concepts)} concepts)"
        )


def answers(maps: torch.Tensor, cut: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Where units answer, bool (N, K, H, W): maps (N, K, h, w) enlarged to (H, W), above each unit's cut (K,)."""
    large = nnF.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)
    return large > cut[:, None, None]
