"""``dissect``: find the concept that each unit of a layer detects (network dissection, Bau et al. 2017,
arXiv:1704.05796).

It needs pictures with the masks of their concepts, such as those that the zoo draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from .._validation import check_no_masked_values, is_number
from ..attribution.batched_inference import batch_series, in_batches
from ..attribution.trace import Trace
from ..errors import CamwidgetError, LayerError, PictureError
from ..execution.batch_search import BatchSeries
from ..images.ground_truth import fit_mask
from ..models.argument_checks import require_model
from ..models.vision_model import VisionModel
from ..progress import Progress, follow
from .dissection import Dissection, LabeledPicture, Unit, active_regions

__all__ = ["dissect", "dissection_steps"]

#: Share of a unit's range below which differences are rounding errors: interpolation changes the last digits.
_ROUNDING = 1e-6

#: Greatest number of upsampled values per batch of units: 64 MiB.
_VALUES_AT_ONCE = 1 << 24


def dissect(
    model: VisionModel,
    samples: Sequence[LabeledPicture],
    layer: str | None = None,
    *,
    quantile: float = 0.995,
    min_iou: float = 0.04,
    concept_categories: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Dissection:
    """Name the units of a layer by the concepts they detect (network dissection, Bau et al. 2017, section 2.2).

    Unit k is active where its map, upsampled bilinearly to the picture, reaches a threshold T_k with
    P(a_k > T_k) = 1 - quantile over all positions of its maps in all pictures. The unit is named after the concept
    whose masks have the highest intersection over union (IoU) with the active region, summed over all pictures. T_k is
    exact: the highest values of each unit are kept, a share of 1 - quantile of all.

    Two rules are not in the paper. Where T_k equals the minimum of a unit, as for a unit that is zero nearly
    everywhere, the unit is active wherever it exceeds that minimum. A constant unit is never active.

    Args:
        model: from ``load`` or ``wrap``; left unchanged.
        samples: a sequence of labeled pictures, read twice. Each has ``image``, uint8 (H, W, 3), and ``concepts()``, a
            mapping from names to bool masks (H, W). The masks are resized and cropped like the pictures.
        layer: a module name; the model's default layer if None.
        quantile: share of positions where a unit is at most T_k, in (0, 1); 0.995 in the paper.
        min_iou: the IoU from which on a unit gets a name, in (0, 1); 0.04 in the paper.
        concept_categories: from concepts to their category, such as color or shape. As in the paper, a concept is
            compared only in pictures whose ``concepts()`` name some concept of its category.
        progress: called with (done, total), in pictures; may raise to cancel. If None, a bar appears after a second.

    Returns:
        The units with their concepts, IoUs and thresholds.

    Raises:
        CamwidgetError: if ``samples`` is no sequence, is empty or names no concept, or a number is out of its range.
        LayerError: if there is no such layer, or the model has no maps.
        ModelError: if ``model`` is not from ``load`` or ``wrap``.
        PictureError: if a mask has another size than its picture.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> dissection = cw.dissect(model, cw.zoo.samples("zoo/textures")[:4], layer="stage4")
        >>> dissection.iou.shape  # units, concepts
        (96, 8)
        >>> dissection.named[0].concept in dissection.concepts
        True
    """
    steps = dissection_steps(
        model,
        samples,
        layer,
        quantile=quantile,
        min_iou=min_iou,
        concept_categories=concept_categories,
    )
    name = model.layer(layer).name
    dissection = follow(steps, f"Dissecting {name}", progress).dissection
    assert dissection is not None
    return dissection


def dissection_steps(
    model: VisionModel,
    samples: Sequence[LabeledPicture],
    layer: str | None = None,
    *,
    quantile: float = 0.995,
    min_iou: float = 0.04,
    concept_categories: Mapping[str, str] | None = None,
    max_batch: int | None = None,
) -> Iterator[DissectionStep]:
    """Dissect batch by batch, yielding after each batch so that the caller may stop.

    Args:
        model: as in ``dissect``, as the next five.
        samples: the pictures.
        layer: a module name.
        quantile: share of positions where a unit is at most T_k.
        min_iou: the IoU from which on a unit gets a name.
        concept_categories: from concepts to their category.
        max_batch: the greatest number of pictures in a batch; what suits the device if None.

    Yields:
        The progress; the last one has the dissection.

    Raises:
        CamwidgetError: as ``dissect``; its errors are raised before the first step where they can be.
    """
    require_model(model, "dissect", samples)
    if not (hasattr(samples, "__len__") and hasattr(samples, "__getitem__")):
        raise CamwidgetError(
            f"dissect iterates over the samples twice, which {type(samples).__name__} may not allow: pass "
            "list(samples)."
        )
    if not len(samples):
        raise CamwidgetError("There is nothing to dissect with: samples is empty.")
    for name, value in (("quantile", quantile), ("min_iou", min_iou)):
        if not is_number(value, 0, 1, ends=False):
            raise CamwidgetError(f"{name} is a number between 0 and 1, not {value!r}.")
    if model.no_maps:
        raise LayerError(f"There is nothing to dissect, since {model.no_maps}")
    name = model.layer(layer).name
    run = _DissectionRun(model, samples, name, dict(concept_categories or {}), quantile, min_iou)
    return run.steps(max_batch)


@dataclass(frozen=True)
class DissectionStep:
    """Progress of a dissection, in pictures; the last step has the result."""

    done: int
    total: int
    dissection: Dissection | None = None


class _DissectionRun:
    """The two passes over the pictures: thresholds of the units, then overlaps with the concepts."""

    def __init__(
        self,
        model: VisionModel,
        samples: Sequence[LabeledPicture],
        layer: str,
        categories: dict[str, str],
        quantile: float,
        min_iou: float,
    ) -> None:
        self.model, self.samples, self.layer = model, samples, layer
        self.categories = categories
        self.quantile, self.min_iou = quantile, min_iou
        self.thresholds = _UnitThresholds()
        self.overlaps = _OverlapCounts()

    def steps(self, max_batch: int | None) -> Iterator[DissectionStep]:
        """Run both passes batch by batch."""
        count = len(self.samples)
        side = self._pixels(0, 1).shape[-2:]

        def batches(work: str) -> BatchSeries:
            return batch_series(self.model, f"{work} of {self.layer}", count, *side, most=max_batch)

        def level(begin: int, end: int) -> torch.Tensor:
            return self._maps(self._pixels(begin, end))

        for done, maps in in_batches(self.model, 0, count, batches("maps"), level):
            self.thresholds.add(maps, count, self.quantile)
            yield DissectionStep(done, 2 * count)
        cut = self.thresholds.cut()

        def overlap(begin: int, end: int) -> list[_OverlapCounts]:
            pixels = self._pixels(begin, end)
            maps = self._maps(pixels)
            return [
                self._overlaps(maps[n : n + 1], cut, self._masks(begin + n, pixels[n]))
                for n in range(end - begin)
            ]

        # Added outside of the batch function, which is repeated if a batch does not fit into memory.
        for done, parts in in_batches(self.model, 0, count, batches("overlaps"), overlap):
            for part in parts:
                self.overlaps.add(part)
            yield DissectionStep(
                count + done, 2 * count, self._dissection() if done == count else None
            )

    def _dissection(self) -> Dissection:
        """The result of both passes."""
        concepts = tuple(sorted(self.overlaps.sizes, key=lambda c: (self.categories.get(c, ""), c)))
        if not concepts:
            raise CamwidgetError("The samples name no concept: concepts() is empty in all of them.")
        iou = np.stack([self._iou(c) for c in concepts], axis=1)
        best = iou.argmax(1)
        units = tuple(
            Unit(k, name := concepts[b], float(iou[k, b]), self.categories.get(name, ""))
            if iou[k, b] >= self.min_iou
            else Unit(k, None, float(iou[k, b]), "")
            for k, b in enumerate(best.tolist())
        )
        return Dissection(
            model=self.model.name,
            layer=self.layer,
            units=units,
            concepts=concepts,
            categories=tuple(self.categories.get(c, "") for c in concepts),
            iou=iou,
            thresholds=self.thresholds.thresholds().cpu().numpy(),
            cuts=self.thresholds.cut().cpu().numpy(),
            peaks=torch.cat(self.thresholds.peaks).cpu().numpy(),
            min_iou=self.min_iou,
            subject=self.model,
            samples=self.samples,
        )

    def _iou(self, concept: str) -> np.ndarray:
        """Bau et al. 2017, eq. 1: |M ∩ L| / |M ∪ L|, both summed over the pictures; 0 for an inactive unit."""
        counts = self.overlaps
        shared = counts.shared[concept].cpu().numpy().astype(np.float64)
        area = counts.areas[self.categories.get(concept, "")].cpu().numpy()
        return shared / np.maximum(area + counts.sizes[concept] - shared, 1)

    def _pixels(self, begin: int, end: int) -> torch.Tensor:
        samples = [self.samples[n] for n in range(begin, end)]
        for sample in samples:
            if not (hasattr(sample, "image") and callable(getattr(sample, "concepts", None))):
                raise CamwidgetError(
                    "A sample has an image, uint8 (H, W, 3), and concepts(), from names to masks (H, W), as those of "
                    f"camwidget.zoo have; {type(sample).__name__} has not."
                )
        return self.model.pixels([sample.image for sample in samples])

    def _maps(self, pixels: torch.Tensor) -> torch.Tensor:
        return Trace(self.model, pixels, [self.layer]).activation(self.layer)

    def _masks(self, number: int, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        """The masks of a sample's concepts, bool (H, W) at the model's input size."""
        sample = self.samples[number]
        masks: dict[str, torch.Tensor] = {}
        for concept, mask in sample.concepts().items():
            check_no_masked_values(mask, f"the mask of {concept!r} in sample {number}", "False")
            mask = np.asarray(mask, dtype=bool)
            if mask.shape != np.shape(sample.image)[:2]:
                raise PictureError(
                    f"The mask of {concept!r} in sample {number} has shape {mask.shape}, its picture "
                    f"{np.shape(sample.image)[:2]}: a mask has the height and width of its picture."
                )
            fitted = torch.from_numpy(fit_mask(mask, self.model.preprocess))
            masks[concept] = fitted.to(self.model.device)
        return masks

    def _overlaps(
        self, maps: torch.Tensor, cut: torch.Tensor, masks: dict[str, torch.Tensor]
    ) -> _OverlapCounts:
        """The overlaps of the units (1, K, h, w) of one picture with its concepts."""
        part = _OverlapCounts()
        if not masks:
            return part
        stack = torch.stack([*masks.values()]).flatten(1).float()
        size = next(iter(masks.values())).shape
        step = max(1, _VALUES_AT_ONCE // stack.shape[1])
        areas, shared = [], []
        for k in range(0, maps.shape[1], step):
            covered = active_regions(maps[:, k : k + step], cut[k : k + step], size)[0].flatten(1)
            areas.append(covered.sum(1))
            # Counts of pixels are exact in float32 up to 16 million.
            shared.append((covered.float() @ stack.T).round().long())
        shared_pixels = torch.cat(shared)
        for n, (concept, mask) in enumerate(masks.items()):
            part.shared[concept] = shared_pixels[:, n]
            part.sizes[concept] = int(mask.sum())
            part.areas[self.categories.get(concept, "")] = torch.cat(areas)
        return part


class _UnitThresholds:
    """The highest values of each unit, enough to determine its threshold exactly, and its range."""

    def __init__(self) -> None:
        self.highest: torch.Tensor | None = None  # (K, kept), descending
        self.minimum = self.maximum = torch.empty(0)
        self.peaks: list[torch.Tensor] = []  # (pictures, K)

    def add(self, maps: torch.Tensor, pictures: int, quantile: float) -> None:
        """Add the maps (N, K, h, w) of a batch.

        Args:
            maps: the maps.
            pictures: the number of pictures of all batches.
            quantile: as in ``dissect``.
        """
        values = maps.transpose(0, 1).flatten(1)
        places = pictures * maps.shape[2] * maps.shape[3]
        keep = math.floor((1 - quantile) * places + 1e-9) + 1
        self.peaks.append(maps.amax((2, 3)))
        least, most = values.amin(1), values.amax(1)
        if self.highest is not None:
            values = torch.cat([self.highest, values], 1)
            least, most = torch.minimum(least, self.minimum), torch.maximum(most, self.maximum)
        self.highest = values.topk(min(keep, values.shape[1]), dim=1).values
        self.minimum, self.maximum = least, most

    def thresholds(self) -> torch.Tensor:
        """T_k (K,): the lowest value that at most a share of 1 - quantile of all values exceeds."""
        assert self.highest is not None
        return self.highest[:, -1]

    def cut(self) -> torch.Tensor:
        """The activation (K,) above which each unit is active: just below T_k, since values equal to T_k count."""
        slack = _ROUNDING * (self.maximum - self.minimum)
        level = self.thresholds()
        cut = torch.where(level <= self.minimum + slack, self.minimum + slack, level - slack)
        return cut.masked_fill(self.maximum == self.minimum, math.inf)


@dataclass
class _OverlapCounts:
    """Numbers of pixels, summed over pictures."""

    shared: dict[str, torch.Tensor] = field(default_factory=dict)  #: by concept, (K,)
    sizes: dict[str, int] = field(default_factory=dict)  #: by concept
    areas: dict[str, torch.Tensor] = field(default_factory=dict)  #: by category, (K,)

    def add(self, other: _OverlapCounts) -> None:
        """Add the counts of other pictures."""
        for concept, shared in other.shared.items():
            self.shared[concept] = self.shared.get(concept, 0) + shared
        for concept, size in other.sizes.items():
            self.sizes[concept] = self.sizes.get(concept, 0) + size
        for category, area in other.areas.items():
            self.areas[category] = self.areas.get(category, 0) + area
