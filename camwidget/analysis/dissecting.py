"""Network dissection: find the concept that each unit of a layer answers to (Bau et al. 2017, arXiv:1704.05796).

Where the concepts in a picture are is known, as in the pictures that the zoo draws. A unit bears the name of the
concept that fits best what the unit answers to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from .._validation import check_filled, is_number
from ..attribution.batched_inference import batch_size, in_batches
from ..attribution.trace import Trace
from ..errors import CamwidgetError, LayerError, PictureError
from ..images.ground_truth import fit_mask
from ..models.argument_checks import require_model
from ..models.vision_model import VisionModel
from ..progress import Progress, follow
from .dissection import Dissection, LabeledPicture, Unit, answers

__all__ = ["dissect"]

#: Differences below this part of a unit's range are rounding: between equal values, interpolation changes last digits.
_ROUNDING = 1e-6

#: Numbers in the enlarged maps of a picture at once: 64 MiB of them.
_NUMBERS = 1 << 24


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
    """Name the units of a layer by the concepts they answer to (Bau et al. 2017, section 2.2).

    A unit k answers where its map, enlarged bilinearly to the picture, reaches T_k, with P(a_k > T_k) = 1 - quantile
    over all places of its maps in all pictures. Its name is the concept with the highest intersection over union with
    that, all pictures taken together. T_k is exact: the highest values of each unit are kept, 1 - quantile of all.

    Two things are not in the paper. Where T_k is the least value of a unit, as of one that is silent nearly everywhere,
    it parts nothing, and the unit answers wherever it is above that. A unit that is the same everywhere never answers.

    Args:
        model: from ``load`` or ``wrap``; left as it is.
        samples: the pictures, gone through twice; each has ``image``, uint8 (H, W, 3), and ``concepts()``, from names
            to bool masks (H, W). The masks are resized and cropped as the pictures are.
        layer: a module name; the model's default layer if None.
        quantile: in (0, 1), the part of all places where a unit is at most T_k; 0.995 in the paper.
        min_iou: from which intersection over union on a unit has a name; 0.04 in the paper.
        concept_categories: from concepts to their category, such as colour or shape. As in the paper, a concept counts
            in those pictures only whose ``concepts()`` name any concept of its category.
        progress: called with (done, total), in pictures, and may raise to cancel; a bar appears after a second if None.

    Raises:
        CamwidgetError: if samples is no sequence, or empty, or names no concept; or a number makes no sense.
        LayerError: if there is no such layer.
        PictureError: if a mask does not fit its picture.
    """
    require_model(model, "dissect", samples)
    if not (hasattr(samples, "__len__") and hasattr(samples, "__getitem__")):
        raise CamwidgetError(
            f"dissect goes through the samples twice, which {type(samples).__name__} may not allow: pass list(samples)."
        )
    if not len(samples):
        raise CamwidgetError("There is nothing to dissect with: samples is empty.")
    for name, value in (("quantile", quantile), ("min_iou", min_iou)):
        if not is_number(value, 0, 1, ends=False):
            raise CamwidgetError(f"{name} lies between 0 and 1, not at {value!r}.")
    if model.no_maps:
        raise LayerError(f"There is nothing to dissect, since {model.no_maps}")
    name = model.layer(layer).name
    work = _Work(model, samples, name, dict(concept_categories or {}), quantile)
    follow(work.steps(), f"Dissecting {name}", progress)
    return work.dissection(min_iou)


@dataclass(frozen=True)
class _Pass:
    done: int
    total: int


class _Work:
    """The two passes over the pictures, and what is counted in them."""

    def __init__(
        self,
        model: VisionModel,
        samples: Sequence[LabeledPicture],
        layer: str,
        categories: dict[str, str],
        quantile: float,
    ) -> None:
        self.model, self.samples, self.layer = model, samples, layer
        self.categories = categories
        self.quantile = quantile
        self.levels = _Levels()
        self.overlaps = _Overlaps()

    def steps(self) -> Iterator[_Pass]:
        """Both passes, batch by batch."""
        count = len(self.samples)
        size = batch_size(self.model, *self._pixels(0, 1).shape[-2:])

        def level(begin: int, end: int) -> torch.Tensor:
            return self._maps(self._pixels(begin, end))

        for done, maps in in_batches(self.model, 0, count, size, level):
            self.levels.add(maps, count, self.quantile)
            yield _Pass(done, 2 * count)
        cut = self.levels.cut()

        def overlap(begin: int, end: int) -> list[_Overlaps]:
            pixels = self._pixels(begin, end)
            maps = self._maps(pixels)
            return [
                self._overlaps(maps[n : n + 1], cut, self._masks(begin + n, pixels[n]))
                for n in range(end - begin)
            ]

        # Added up out here: a batch that did not fit into memory is done again.
        for done, parts in in_batches(self.model, 0, count, size, overlap):
            for part in parts:
                self.overlaps.add(part)
            yield _Pass(count + done, 2 * count)

    def dissection(self, min_iou: float) -> Dissection:
        """What was counted, as names."""
        concepts = tuple(sorted(self.overlaps.sizes, key=lambda c: (self.categories.get(c, ""), c)))
        if not concepts:
            raise CamwidgetError("The samples name no concept: concepts() is empty in all of them.")
        iou = np.stack([self._iou(c) for c in concepts], axis=1)
        best = iou.argmax(1)
        units = tuple(
            Unit(k, name := concepts[b], float(iou[k, b]), self.categories.get(name, ""))
            if iou[k, b] >= min_iou
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
            thresholds=self.levels.thresholds().cpu().numpy(),
            cuts=self.levels.cut().cpu().numpy(),
            peaks=torch.cat(self.levels.peaks).cpu().numpy(),
            min_iou=min_iou,
            subject=self.model,
            samples=self.samples,
        )

    def _iou(self, concept: str) -> np.ndarray:
        """Bau et al. 2017, eq. 1: |M ∩ L| / |M ∪ L|, both summed over the pictures; 0 where nothing answers."""
        counted = self.overlaps
        shared = counted.shared[concept].cpu().numpy().astype(np.float64)
        area = counted.areas[self.categories.get(concept, "")].cpu().numpy()
        return shared / np.maximum(area + counted.sizes[concept] - shared, 1)

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
        """The concepts of a sample, bool (H, W) each, where they are in the pixels that the model gets."""
        sample = self.samples[number]
        masks: dict[str, torch.Tensor] = {}
        for concept, mask in sample.concepts().items():
            check_filled(mask, f"the mask of {concept!r} in sample {number}", "False")
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
    ) -> _Overlaps:
        """What the units (1, K, h, w) of one picture share with its concepts."""
        part = _Overlaps()
        if not masks:
            return part
        stack = torch.stack([*masks.values()]).flatten(1).float()
        size = next(iter(masks.values())).shape
        step = max(1, _NUMBERS // stack.shape[1])
        areas, shared = [], []
        for k in range(0, maps.shape[1], step):
            covered = answers(maps[:, k : k + step], cut[k : k + step], size)[0].flatten(1)
            areas.append(covered.sum(1))
            # Counts of pixels are exact in float32 up to 16 million.
            shared.append((covered.float() @ stack.T).round().long())
        together = torch.cat(shared)
        for n, (concept, mask) in enumerate(masks.items()):
            part.shared[concept] = together[:, n]
            part.sizes[concept] = int(mask.sum())
            part.areas[self.categories.get(concept, "")] = torch.cat(areas)
        return part


class _Levels:
    """The highest values of each unit, as many as may lie above its threshold and one more, and its range."""

    def __init__(self) -> None:
        self.highest: torch.Tensor | None = None  # (K, kept), falling
        self.least = self.most = torch.empty(0)
        self.peaks: list[torch.Tensor] = []  # (pictures, K)

    def add(self, maps: torch.Tensor, pictures: int, quantile: float) -> None:
        """Add the maps (N, K, h, w) of some of so many pictures."""
        values = maps.transpose(0, 1).flatten(1)
        places = pictures * maps.shape[2] * maps.shape[3]
        keep = math.floor((1 - quantile) * places + 1e-9) + 1
        self.peaks.append(maps.amax((2, 3)))
        least, most = values.amin(1), values.amax(1)
        if self.highest is not None:
            values = torch.cat([self.highest, values], 1)
            least, most = torch.minimum(least, self.least), torch.maximum(most, self.most)
        self.highest = values.topk(min(keep, values.shape[1]), dim=1).values
        self.least, self.most = least, most

    def thresholds(self) -> torch.Tensor:
        """T_k (K,): the least value with no more than 1 - quantile of all above it."""
        assert self.highest is not None
        return self.highest[:, -1]

    def cut(self) -> torch.Tensor:
        """Above which value (K,) each unit answers: just below T_k, since what equals T_k counts."""
        slack = _ROUNDING * (self.most - self.least)
        level = self.thresholds()
        cut = torch.where(level <= self.least + slack, self.least + slack, level - slack)
        return cut.masked_fill(self.most == self.least, math.inf)


@dataclass
class _Overlaps:
    """Pixels, counted over pictures."""

    shared: dict[str, torch.Tensor] = field(default_factory=dict)  #: by concept, (K,)
    sizes: dict[str, int] = field(default_factory=dict)  #: by concept
    areas: dict[str, torch.Tensor] = field(default_factory=dict)  #: by category, (K,)

    def add(self, other: _Overlaps) -> None:
        """Count what another one counted."""
        for concept, shared in other.shared.items():
            self.shared[concept] = self.shared.get(concept, 0) + shared
        for concept, size in other.sizes.items():
            self.sizes[concept] = self.sizes.get(concept, 0) + size
        for category, area in other.areas.items():
            self.areas[category] = self.areas.get(category, 0) + area
