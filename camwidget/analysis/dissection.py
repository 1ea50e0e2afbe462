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


__all__ = [
    "Dissection",
    "LabeledPicture",
    "Unit",
    "UnitExample",
    "active_regions",
    "unit_examples",
]


class LabeledPicture(Protocol):
    """Protocol of pictures with labeled pixels, such as ``zoo.Sample``."""

    @property
    def image(self) -> Any:
        """The picture, uint8 (H, W, 3)."""

    def concepts(self) -> Mapping[str, np.ndarray]:
        """Where each concept is, bool (H, W) by name. One that is not named is nowhere."""


@dataclass(frozen=True)
class Unit:
    """One unit of a layer, that is, one channel.

    Attributes:
        unit: the channel's number.
        concept: the concept that names the unit, or None.
        iou: intersection over union with its best concept, in [0, 1], whether or not it names the unit.
        category: the concept's category, such as color; empty if it has none.
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
    """The concepts that the units of a layer detect.

    Attributes:
        model: the model's name.
        layer: the layer's module name.
        units: all units, by channel.
        concepts: all concepts, sorted by category and name.
        categories: the category of each concept.
        iou: float64 (units, concepts), intersection over union in [0, 1].
        thresholds: (units,), T_k of Bau et al. 2017, in the unit of the layer's activations.
        cuts: (units,), the activation above which a unit counts as active: T_k less a rounding tolerance for most
            units.
        peaks: (pictures, units), the highest activation of each unit in each picture.
        min_iou: the IoU from which on a unit has a name.
        subject: the dissected model.
        samples: the pictures, in the order of ``peaks``.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> dissection = cw.dissect(model, cw.zoo.samples("zoo/textures")[:4])
        >>> dissection.layer, len(dissection.units)
        ('stage4', 96)
        >>> sorted(dissection.table()[0])
        ['category', 'concept', 'iou', 'threshold', 'unit']
        >>> figure = dissection.plot_unit(dissection.named[0].unit)
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
        """The units with a name, by falling IoU."""
        return tuple(sorted((u for u in self.units if u.concept), key=lambda u: -u.iou))

    @property
    def detectors(self) -> dict[str, tuple[int, ...]]:
        """The units of each concept that names any, by falling IoU.

        The number of keys is the number of unique detectors of Bau et al. 2017.
        """
        found = self.named
        return {
            c: tuple(u.unit for u in found if u.concept == c)
            for c in self.concepts
            if any(u.concept == c for u in found)
        }

    def table(self) -> list[dict[str, object]]:
        """One row per unit for a data frame: unit, concept, category, iou and threshold."""
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
        """A bar chart of the number of units per concept, by category (matplotlib)."""
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
        """The pictures with the unit's highest activations, with the active region outlined (matplotlib).

        Args:
            unit: the channel's number.
            pictures: the greatest number of pictures.

        Raises:
            LayerError: if there is no such unit.
        """
        from ..plotting import new_figure, plain_text

        examples = unit_examples(self, unit, pictures)
        figure = new_figure(2.1 * len(examples), 2.6)
        panels = figure.subplots(1, len(examples), squeeze=False)[0]
        for axes, example in zip(panels, examples, strict=True):
            axes.imshow(example.pixels)
            if example.region.any() and not example.region.all():
                axes.contour(example.region, levels=[0.5], colors="yellow", linewidths=1.5)
            axes.set_axis_off()
            axes.set_title(f"picture {example.picture} · {example.peak:.3g}", fontsize=8)
        found = self.units[unit]
        title = f"unit {unit} · {found.concept or 'no name'} · IoU {found.iou:.2f}"
        figure.suptitle(plain_text(title), fontsize=10)
        return figure

    def __repr__(self) -> str:
        return (
            f"Dissection({self.model!r} at {self.layer!r}: {len(self.named)} of {len(self.units)} units named, "
            f"{len(self.detectors)} of {len(self.concepts)} concepts)"
        )


@dataclass(frozen=True, eq=False)
class UnitExample:
    """A picture in which a unit's activation is high.

    Attributes:
        picture: its number among the dissection's samples.
        pixels: the picture at the model's input size, uint8 (H, W, 3).
        region: where the unit is active, bool (H, W).
        peak: the unit's highest activation in it.
    """

    picture: int
    pixels: np.ndarray
    region: np.ndarray
    peak: float


def unit_examples(dissection: Dissection, unit: int, pictures: int = 6) -> list[UnitExample]:
    """Return the pictures with a unit's highest activations, the highest first.

    Args:
        dissection: of the model that the unit belongs to.
        unit: the channel's number.
        pictures: the greatest number of pictures.

    Raises:
        LayerError: if there is no such unit.
    """
    layer, model, peaks = dissection.layer, dissection.subject, dissection.peaks
    if not 0 <= unit < len(dissection.units):
        raise LayerError(
            f"There is no unit {unit!r}: {layer} has units 0 to {len(dissection.units) - 1}."
        )
    best = np.argsort(-peaks[:, unit], kind="stable")[: max(1, pictures)].tolist()
    pixels = model.pixels([dissection.samples[n].image for n in best])
    # One picture at a time: many may not fit into memory.
    maps = torch.cat(
        [Trace(model, p[None], [layer]).activation(layer)[:, unit : unit + 1].cpu() for p in pixels]
    )
    cut = torch.as_tensor(dissection.cuts[unit : unit + 1])
    regions = active_regions(maps, cut, pixels.shape[-2:])[:, 0].numpy()
    return [
        UnitExample(number, shades(picture), region, float(peaks[number, unit]))
        for number, picture, region in zip(best, pixels, regions, strict=True)
    ]


def active_regions(maps: torch.Tensor, cut: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Return where units are active, bool (N, K, H, W): maps (N, K, h, w) enlarged to (H, W), above the cuts (K,)."""
    large = nnF.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)
    return large > cut[:, None, None]
