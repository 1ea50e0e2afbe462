"""Cases (one map of one picture to be scored) and the requests that a metric may make about one."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import torch

from ..analysis.correlation import standardized_ranks
from ..attribution.methods import Method
from ..images.ground_truth import ObjectLocations
from ..masking.baselines import baseline_pixels, fill_pixels
from ..masking.inpainting import INPAINTINGS
from ..masking.masked_pixels import multiply_pixels
from ..masking.rank_rule import LEVELS, hidden_by_rank, levels_of, threshold
from ..models.vision_model import VisionModel

__all__ = ["Case", "ChangedPicture", "MetricContext", "Recomputation", "ScoredPicture"]

T = TypeVar("T")


@dataclass(frozen=True)
class ChangedPicture:
    """A changed picture for which a metric requests a prediction.

    Attributes:
        key: identifies the change among those of one picture; equal changes are predicted once.
        make: computes float32 pixels (C, H, W) in [0, 1].

    Example:
        >>> import torch
        >>> from camwidget.metrics import ChangedPicture
        >>> first, second = (ChangedPicture("black", lambda: torch.zeros(3, 8, 8)) for _ in range(2))
        >>> first == second
        True
    """

    key: Hashable
    make: Callable[[], torch.Tensor] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Recomputation:
    """A request for recomputed maps: of other pixels, of another model or class, or by another method.

    Attributes:
        key: identifies pixels and model among the requests of one picture; methods and layers with equal keys are
            computed from the same forward passes.
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
        cache: results that are computed once, such as a copy of the model with random weights.

    Example:
        >>> from camwidget.metrics import MetricContext
        >>> MetricContext(seed=3)
        MetricContext(precision='fp32', seed=3, cache={})
    """

    precision: str = "fp32"
    seed: int = 0
    cache: dict[Hashable, Any] = field(default_factory=dict)


@dataclass(eq=False)
class ScoredPicture:
    """A picture whose maps are scored, with the model's prediction for it.

    Attributes:
        model: the model, under the picture's text if it takes one.
        pixels: float32 (C, H, W) in [0, 1], on the model's device.
        probabilities: float64 (classes,) on the CPU, of the unmasked picture.
        context: state shared with the other pictures of the measurement.
        number: number of the picture, part of the seed of its random numbers.
        label: index of the true class; None if unknown.
        locate: maps a class index to the locations of its objects; to None if they are unknown.
        cases: the maps to be scored.
        cache: results that are computed once per picture, such as baselines and passes on noisy copies.

    Example:
        >>> import torch
        >>> import camwidget as cw
        >>> from camwidget.metrics import ScoredPicture
        >>> model = cw.load(device="cpu")
        >>> pixels = model.preprocess.pixels(cw.zoo.samples("zoo/textures")[0].image)
        >>> probabilities = model.probabilities(model.logits(pixels[None]))[0].double()
        >>> ScoredPicture(model, pixels, probabilities).baseline("blur").shape
        torch.Size([3, 192, 192])
    """

    model: VisionModel
    pixels: torch.Tensor
    probabilities: torch.Tensor
    context: MetricContext = field(default_factory=MetricContext)
    number: int = 0
    label: int | None = None
    locate: Callable[[int], ObjectLocations | None] = lambda target: None
    cases: list[Case] = field(default_factory=list)
    cache: dict[Hashable, Any] = field(default_factory=dict)

    def cached(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result of ``make``, computed once per key."""
        if key not in self.cache:
            self.cache[key] = make()
        value: T = self.cache[key]
        return value

    def baseline(self, name: str) -> torch.Tensor:
        """The replacement of removed pixels, (C, H, W)."""
        return self.cached(
            ("baseline", name),
            lambda: baseline_pixels(self.pixels, name, self.model.frames).to(self.pixels.device),
        )

    def masked(self, hidden: torch.Tensor, baseline: str) -> torch.Tensor:
        """The picture (C, H, W) with a baseline in place of the hidden pixels, bool (H, W) on its device."""
        if baseline in INPAINTINGS:
            return fill_pixels(self.pixels, hidden[None], baseline, self.model.frames)[0]
        return torch.where(hidden, self.baseline(baseline), self.pixels)

    def locations_of(self, target: int) -> ObjectLocations | None:
        """The objects of a class, at the model's input size; None if unknown."""
        return self.cached(("locations", target), lambda: self.locate(target))

    def generator(self, purpose: str) -> torch.Generator:
        """A random generator (CPU) for one purpose: the same numbers for all maps of the picture, in any order."""
        seed = zlib.crc32(f"{self.context.seed}/{self.number}/{purpose}".encode())
        return torch.Generator().manual_seed(seed)


#: Key of the unmasked picture among the changes of a picture.
_UNMASKED = ("unmasked",)


@dataclass(eq=False)
class Case:
    """One saliency map of one picture.

    Attributes:
        subject: the picture.
        target: index of the explained class.
        saliency: float32 (H, W) in [0, 1], on the model's device.
        method: the method of the map; None for a map from elsewhere, which cannot be recomputed.
        layer: the layer of the map; None for a map from elsewhere.
        fault: why the map does not rank pixels ("constant map", "NaN in the map"); empty otherwise.
        peak: maximum of the map before scaling; None if unknown.

    Example:
        >>> import torch
        >>> import camwidget as cw
        >>> from camwidget.metrics import Case, ScoredPicture
        >>> model = cw.load(device="cpu")
        >>> pixels = model.preprocess.pixels(cw.zoo.samples("zoo/textures")[0].image)
        >>> probabilities = model.probabilities(model.logits(pixels[None]))[0].double()
        >>> case = Case(ScoredPicture(model, pixels, probabilities), target=6, saliency=torch.rand(192, 192))
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
        """Whether the map is 0 everywhere."""
        return not bool(self.saliency.any())

    @property
    def name(self) -> str:
        """The target's class name."""
        return self.subject.model.classes[self.target]

    @cached_property
    def ranks(self) -> torch.Tensor | None:
        """Standardized ranks (H·W,) of the pixels: the dot product of two maps' ranks is their rank correlation."""
        return standardized_ranks(self.saliency)

    @cached_property
    def levels(self) -> torch.Tensor:
        """The rank level of every pixel, int32 (H, W): 0 is the highest saliency (see ``masking.rank_rule``)."""
        return levels_of(self.saliency[None])[0]

    @property
    def locations(self) -> ObjectLocations | None:
        """The objects of the target's class; None if unknown."""
        return self.subject.locations_of(self.target)

    @property
    def value(self) -> float:
        """The target's probability for the unmasked picture, or the regression output."""
        return float(self.subject.probabilities[self.target])

    @property
    def scale(self) -> float:
        """The divisor of predictions: 1 for probabilities, the magnitude of a regression output."""
        return abs(self.value) if self.subject.model.scores == "value" else 1.0

    @property
    def before(self) -> float:
        """The target's probability for the unmasked picture; 1 or −1, the sign, for a regression output."""
        return self.value / self.scale

    @property
    def unmasked(self) -> ChangedPicture:
        """The unmasked picture."""
        return ChangedPicture(_UNMASKED, lambda: self.subject.pixels)

    def removed(self, fraction: float, baseline: str = "mean") -> ChangedPicture:
        """The picture with its top ``fraction`` replaced by a baseline."""
        return self._cut(threshold(fraction), baseline, keep=False)

    def kept(self, fraction: float, baseline: str = "mean") -> ChangedPicture:
        """The picture with all but its top ``fraction`` replaced by a baseline."""
        return self._cut(threshold(fraction), baseline, keep=True)

    def multiplied(self) -> ChangedPicture:
        """The picture multiplied by its map."""
        return ChangedPicture(
            (id(self), "multiplied"), lambda: multiply_pixels(self.subject.pixels, self.saliency)
        )

    def _cut(self, cut: int, baseline: str, *, keep: bool) -> ChangedPicture:
        if cut == (LEVELS if keep else 0):
            return self.unmasked
        if cut == (0 if keep else LEVELS):
            everything = torch.ones_like(self.levels, dtype=torch.bool)
            return ChangedPicture(
                ("baseline", baseline), lambda: self.subject.masked(everything, baseline)
            )

        def make() -> torch.Tensor:
            return self.subject.masked(hidden_by_rank(self.levels, cut, keep=keep), baseline)

        return ChangedPicture((id(self), keep, cut, baseline), make)
