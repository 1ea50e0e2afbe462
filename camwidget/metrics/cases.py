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
from ..masking.ranks import LEVELS, levels_of, threshold
from ..models.vision_model import VisionModel

__all__ = ["Case", "Change", "MetricContext", "Recomputation", "ScoredPicture"]

T = TypeVar("T")


@dataclass(frozen=True)
class Change:
    """A changed picture for which a metric requests a prediction.

    Attributes:
        key: identifies the change among those of one picture; equal changes are predicted once.
        make: computes float32 pixels (C, H, W) in [0, 1].

    Example:
        >>> import torch
        >>> from camwidget.metrics import Change
        >>> Change(("black",), lambda: torch.zeros(3, 8, 8)) == Change(("black",), lambda: torch.zeros(3, 8, 8))
        True
    """

    key: Hashable
    make: Callable[[], torch.Tensor] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Recomputation:
    """A request for recomputed maps: of other pixels, of another model or class, or by another method.

    Attributes:
        key: identifies pixels and model among the requests of one picture; methods and layers with equal keys share one
            forward pass in each round.
        pixels: computes float32 (n, C, H, W) in [0, 1].
        model: the explained model; the picture's own if None.
        target: the explained class index; the case's own if None.
        method: the method; the case's own if None.

    Example:
        >>> import torch
        >>> from camwidget.metrics import Recomputation
        >>> request = Recomputation(("flipped",), lambda: torch.zeros(1, 3, 8, 8), target=2)
        >>> request.pixels().shape, request.target
        (torch.Size([1, 3, 8, 8]), 2)
    """

    key: Hashable
    pixels: Callable[[], torch.Tensor] = field(compare=False, repr=False)
    model: VisionModel | None = field(default=None, compare=False)
    target: int | None = None
    method: Method | None = None


@dataclass
class MetricContext:
    """State that all pictures of one measurement share.

    Attributes:
        precision: "fp32", "bf16" or "fp16", as in ``explain``.
        seed: seed of all random numbers. Those of a picture depend on it and on the picture's number, not on the
            pictures that were measured before.
        memory: results that are computed once, such as a copy of the model with random weights.

    Example:
        >>> from camwidget.metrics import MetricContext
        >>> MetricContext(seed=3)
        MetricContext(precision='fp32', seed=3, memory={})
    """

    precision: str = "fp32"
    seed: int = 0
    memory: dict[Hashable, Any] = field(default_factory=dict)


@dataclass(eq=False)
class ScoredPicture:
    """A picture whose maps are scored, with the model's prediction for it.

    Attributes:
        model: the model, under the picture's text if it takes one.
        pixels: float32 (C, H, W) in [0, 1], on the model's device.
        unmasked: probabilities (classes,) of the unchanged picture, float64 on the CPU.
        context: state shared with the other pictures of the measurement.
        number: number of the picture, part of the seed of its random numbers.
        label: index of the true class; None if unknown.
        where: maps a class index to the locations of its objects; to None if they are unknown.
        cases: the maps to be scored.
        memory: results that are computed once per picture, such as baselines and passes on noisy copies.

    Example:
        >>> import torch
        >>> import camwidget as cw
        >>> from camwidget.metrics import ScoredPicture
        >>> model = cw.load(device="cpu")
        >>> pixels = model.preprocess.pixels(cw.zoo.samples("zoo/textures")[0].image)
        >>> unmasked = model.probabilities(model.logits(pixels[None]))[0].double()
        >>> ScoredPicture(model, pixels, unmasked).baseline("blur").shape
        torch.Size([3, 192, 192])
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
    """One saliency map of one picture.

    Attributes:
        subject: the picture.
        target: index of the explained class.
        saliency: float32 (H, W) in [0, 1], on the model's device.
        method: the method of the map; None for a map from elsewhere, which cannot be recomputed.
        layer: the layer of the map; None for a map from elsewhere.
        fault: why the map ranks nothing ("constant map", "NaN in the map"); empty otherwise.
        peak: maximum of the map before scaling; None if unknown.

    Example:
        >>> import torch
        >>> import camwidget as cw
        >>> from camwidget.metrics import Case, ScoredPicture
        >>> model = cw.load(device="cpu")
        >>> pixels = model.preprocess.pixels(cw.zoo.samples("zoo/textures")[0].image)
        >>> unmasked = model.probabilities(model.logits(pixels[None]))[0].double()
        >>> case = Case(ScoredPicture(model, pixels, unmasked), target=6, saliency=torch.rand(192, 192))
        >>> case.name, case.removed(0.25, "blur").make().shape
        ('polka-dotted', torch.Size([3, 192, 192]))
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
            top = self.levels < cut
            return self.subject.without(~top if keep else top, baseline)

        return Change((id(self), keep, cut, baseline), make)
