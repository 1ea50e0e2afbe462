"""Cases: one map of one picture to be scored, and what a metric may request about it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import torch

from ..analysis.correlation import unit_ranks
from ..analysis.mask_curve import multiply_pixels
from ..attribution.methods import Method
from ..images.ground_truth import ObjectLocations
from ..masking.baselines import baseline_pixels
from ..masking.inpainting import INPAINTINGS, inpaint_pixels
from ..masking.ranks import LEVELS, hidden_by_rank, levels_of, threshold
from ..models.vision_model import VisionModel

__all__ = ["Case", "Change", "MetricContext", "Recomputation", "ScoredPicture"]

T = TypeVar("T")


@dataclass(frozen=True)
class Change:
    """A changed picture that the model is to be asked about.

    Attributes:
        key: tells it from the other changes of the same picture; equal ones are asked about once.
        make: gives float32 pixels (C, H, W) in [0, 1].
    """

    key: Hashable
    make: Callable[[], torch.Tensor] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Recomputation:
    """Maps that are to be made anew: of other pixels, by another model, of another class, or by another method.

    Attributes:
        key: names pixels and model among those of the same picture; their passes are shared by all methods and layers
            that ask in the same round.
        pixels: gives float32 (n, C, H, W) in [0, 1].
        model: by which model; the picture's own if None.
        target: of which class; the case's own if None.
        method: by which method; the case's own if None.
    """

    key: Hashable
    pixels: Callable[[], torch.Tensor] = field(compare=False, repr=False)
    model: VisionModel | None = field(default=None, compare=False)
    target: int | None = None
    method: Method | None = None


@dataclass
class MetricContext:
    """What all pictures of a measurement share.

    Attributes:
        precision: as in ``Trace``.
        seed: of all that is random. A picture's numbers depend on it and on the picture's own number, not on what was
            measured before.
        memory: what is made once, such as a copy of the model with random weights.
    """

    precision: str = "fp32"
    seed: int = 0
    memory: dict[Hashable, Any] = field(default_factory=dict)


@dataclass(eq=False)
class ScoredPicture:
    """A picture whose maps are scored, and what the model says of it.

    Attributes:
        model: under the picture's text, where it takes one.
        pixels: float32 (C, H, W) in [0, 1], on the model's device.
        whole: probabilities (classes,), float64 on the CPU, of the unchanged picture.
        bench: what it shares with others.
        number: of the picture, for what is random.
        label: index of its true class; None if unknown.
        where: from a class index to where its objects are; None where that is unknown.
        cases: the maps to be scored.
        memory: what is made once for the picture, such as baselines, and passes on noisy copies.
    """

    model: VisionModel
    pixels: torch.Tensor
    whole: torch.Tensor
    bench: MetricContext = field(default_factory=MetricContext)
    number: int = 0
    label: int | None = None
    where: Callable[[int], ObjectLocations | None] = lambda target: None
    cases: list[Case] = field(default_factory=list)
    memory: dict[Hashable, Any] = field(default_factory=dict)

    def remembered(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` gives, made once."""
        if key not in self.memory:
            self.memory[key] = make()
        value: T = self.memory[key]
        return value

    def baseline(self, name: str) -> torch.Tensor:
        """What shows where pixels are removed, (C, H, W)."""
        return self.remembered(
            ("baseline", name), lambda: baseline_pixels(self.pixels, name).to(self.pixels.device)
        )

    def without(self, hidden: torch.Tensor, baseline: str) -> torch.Tensor:
        """The picture (C, H, W) with a baseline where ``hidden``, bool (H, W) on its device, is True."""
        if baseline in INPAINTINGS:
            return inpaint_pixels(self.pixels, hidden, baseline)
        return torch.where(hidden, self.baseline(baseline), self.pixels)

    def whereabouts(self, target: int) -> ObjectLocations | None:
        """Where the objects of a class are, at the model's size."""
        return self.remembered(("where", target), lambda: self.where(target))

    def generator(self, purpose: str) -> torch.Generator:
        """A generator (CPU) of this picture's own for one purpose: the same numbers for all its maps, in any order."""
        seed = zlib.crc32(f"{self.bench.seed}/{self.number}/{purpose}".encode())
        return torch.Generator().manual_seed(seed)


#: The unchanged picture.
_WHOLE = ("whole",)


@dataclass(eq=False)
class Case:
    """One map of one picture.

    Attributes:
        subject: the picture.
        target: index of the class whose evidence the map shows.
        saliency: float32 (H, W) in [0, 1], on the model's device.
        method: how it was made; None of a map from elsewhere, which cannot be made anew.
        layer: where it was made; None as above.
        fault: why it ranks nothing ("constant map", "NaN in the map"); empty of a proper map.
        peak: the greatest value of the map before it was scaled; None where that is unknown.
    """

    subject: ScoredPicture
    target: int
    saliency: torch.Tensor
    method: Method | None = None
    layer: str | None = None
    fault: str = ""
    peak: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is no evidence anywhere."""
        return not bool(self.saliency.any())

    @property
    def name(self) -> str:
        """The target's class."""
        return self.subject.model.classes[self.target]

    @cached_property
    def ranks(self) -> torch.Tensor | None:
        """Standardised ranks (H·W,) of its pixels: the dot product of two maps' is their rank correlation."""
        return unit_ranks(self.saliency)

    @cached_property
    def levels(self) -> torch.Tensor:
        """The level of every pixel, int32 (H, W): 0 has the most evidence (``ranks``)."""
        return levels_of(self.saliency[None])[0]

    @property
    def whereabouts(self) -> ObjectLocations | None:
        """Where the objects of the target's class are."""
        return self.subject.whereabouts(self.target)

    @property
    def value(self) -> float:
        """The target's probability for the unchanged picture, or the quantity."""
        return float(self.subject.whole[self.target])

    @property
    def scale(self) -> float:
        """What metrics divide the model's answers by: 1 of probabilities, the size of a quantity."""
        return abs(self.value) if self.subject.model.scores == "value" else 1.0

    @property
    def before(self) -> float:
        """The target's probability for the unchanged picture; 1 of a quantity, or −1 of a negative one."""
        return self.value / self.scale

    @property
    def whole(self) -> Change:
        """The unchanged picture."""
        return Change(_WHOLE, lambda: self.subject.pixels)

    def removed(self, fraction: float, baseline: str = "mean") -> Change:
        """The picture without its top ``fraction``, a baseline in its place."""
        return self._cut(threshold(fraction), baseline, keep=False)

    def kept(self, fraction: float, baseline: str = "mean") -> Change:
        """The picture's top ``fraction``, all else a baseline."""
        return self._cut(threshold(fraction), baseline, keep=True)

    def multiplied(self) -> Change:
        """The picture times its map."""
        return Change(
            (id(self), "multiplied"), lambda: multiply_pixels(self.subject.pixels, self.saliency)
        )

    def _cut(self, cut: int, baseline: str, *, keep: bool) -> Change:
        if cut == (LEVELS if keep else 0):
            return self.whole
        if cut == (0 if keep else LEVELS):
            gone = torch.ones_like(self.levels, dtype=torch.bool)
            return Change(("baseline", baseline), lambda: self.subject.without(gone, baseline))

        def make() -> torch.Tensor:
            return self.subject.without(hidden_by_rank(self.levels, cut, keep=keep), baseline)

        return Change((id(self), keep, cut, baseline), make)
