"""Perturbation methods at the input: occlusion and RISE."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch.nn import functional as nnF

from ..._validation import real, whole
from ...errors import MethodError
from ...models.vision_model import VisionModel
from ..batched_inference import at_input, rerun_scores
from ..targets import ClassTarget, Target
from ..trace import Trace
from .registry import Step, method

__all__ = ["occlusion", "rise"]

_GROUP = "Perturbation"


@method(
    "occlusion",
    label="Occlusion",
    citation="Zeiler and Fergus 2014, ECCV, arXiv:1311.2901",
    summary="How much the class's score falls when a grey square slides over the picture.",
    needs="a forward pass for every place of the square",
    group=_GROUP,
    needs_gradients=False,
    at_input=True,
    slow=True,
)
def occlusion(
    trace: Trace,
    target: Target,
    layer: str,
    picture: int,
    *,
    window: int | None = None,
    stride: int | None = None,
) -> Iterator[Step]:
    """Occlusion, section 4.2 of Zeiler and Fergus 2014: the fall of the score with a grey square over a place.

    Grey is zero after normalisation, the mean colour of the training pictures. Of the squares that cover a pixel
    the mean is taken. Signed: where hiding a place raises the score, it is negative.

    Args:
        trace: of the picture.
        target: what is explained.
        layer: of no matter.
        picture: its number in the trace.
        window: side of the square in pixels; a seventh of the shorter side if None.
        stride: from one place to the next, in pixels; half the window if None.

    Yields:
        (H, W); zero where no square has been yet. They come spread over the picture, coarse to fine.

    Raises:
        MethodError: if the window does not fit, or the stride would leave gaps.
    """
    inputs = trace.model.inputs(trace.pixels[picture : picture + 1])
    height, width = inputs.shape[-2:]
    window = (
        max(1, min(height, width) // 7)
        if window is None
        else whole("window", window, error=MethodError)
    )
    stride = max(1, window // 2) if stride is None else whole("stride", stride, error=MethodError)
    if not 1 <= window <= min(height, width) or not 1 <= stride <= window:
        raise MethodError(
            f"A window of {window} and a stride of {stride} do not cover a picture of {width}×{height}: take a window "
            "of at most its shorter side, and a stride of at most the window."
        )
    rows = _places(height, window, stride)
    columns = _places(width, window, stride)
    corners = [(y, x) for y, x in _spread(rows, columns)]
    total = len(corners) + 1

    def make(start: int, stop: int) -> torch.Tensor:
        # The first of the series is the picture as it is.
        batch = inputs.repeat(stop - start, 1, 1, 1)
        for row in range(max(start, 1), stop):
            y, x = corners[row - 1]
            batch[row - start, :, y : y + window, x : x + window] = 0
        return batch

    falls, covers = inputs.new_zeros(height, width), inputs.new_zeros(height, width)
    added = 0
    key = ("occlusion", picture, window, stride)
    for scores in rerun_scores(trace, target, key, total, at_input(trace, picture, total, make)):
        fall = (scores[0] - scores[1:]).tolist()
        for (y, x), value in zip(corners[added : len(fall)], fall[added:], strict=True):
            falls[y : y + window, x : x + window] += value
            covers[y : y + window, x : x + window] += 1
        added = len(fall)
        yield Step(len(scores), total, falls / covers.clamp(min=1))


def _places(length: int, window: int, stride: int) -> list[int]:
    """Where squares begin, so that the last one reaches the end, if cut off there."""
    return [i * stride for i in range(math.ceil((length - window) / stride) + 1)]


def _spread(rows: list[int], columns: list[int]) -> list[tuple[int, int]]:
    """All places, every fourth row and column first, then every second, then the rest."""
    places = [(i, j) for i in range(len(rows)) for j in range(len(columns))]

    def turn(place: tuple[int, int]) -> int:
        return next(n for n, step in enumerate((4, 2, 1)) if not any(k % step for k in place))

    return [(rows[i], columns[j]) for i, j in sorted(places, key=turn)]


@method(
    "rise",
    label="RISE",
    citation="Petsiuk et al. 2018, BMVC, arXiv:1806.07421",
    summary="The mean of random masks, each weighted by how probable the class is with what it leaves.",
    needs="a forward pass for every mask, some thousands",
    group=_GROUP,
    needs_gradients=False,
    at_input=True,
    slow=True,
    scale="range",
)
def rise(
    trace: Trace,
    target: Target,
    layer: str,
    picture: int,
    *,
    masks: int = 4000,
    cells: int = 7,
    keep: float = 0.5,
    seed: int = 0,
) -> Iterator[Step]:
    """RISE, eq. 6 of Petsiuk et al. 2018: ``S = 1/(E[M] · N) Σ_i f(I ∘ M_i) · M_i``.

    A mask is a coarse random grid, upsampled bilinearly and shifted by up to a cell (section 3.2); f is the
    probability of the class, and for any other target its score. I is the normalised input.

    Args:
        trace: of the picture.
        target: what is explained.
        layer: of no matter.
        picture: its number in the trace.
        masks: N; the paper takes 4000 for VGG-16 and 8000 for ResNet-50.
        cells: cells of the grid on a side.
        keep: the probability that a cell is kept.
        seed: of the masks.

    Yields:
        (H, W).
    """
    inputs = trace.model.inputs(trace.pixels[picture : picture + 1])
    size = inputs.shape[-2:]
    masks, cells = (
        whole("masks", masks, error=MethodError),
        whole("cells", cells, error=MethodError),
    )
    seed = whole("seed", seed, 0, error=MethodError)
    keep = real("keep", keep, 0.001, 1, error=MethodError)
    generator = torch.Generator().manual_seed(seed)
    grids = (torch.rand((masks, 1, cells, cells), generator=generator) < keep).float()
    cell = [math.ceil(length / cells) for length in size]
    shifts = torch.stack([torch.randint(c, (masks,), generator=generator) for c in cell], 1)

    def masks_of(start: int, stop: int) -> torch.Tensor:
        large = nnF.interpolate(
            grids[start:stop].to(inputs),
            size=[(cells + 1) * c for c in cell],
            mode="bilinear",
            align_corners=False,
        )
        places = shifts[start:stop].tolist()
        return torch.stack(
            [
                m[:, y : y + size[0], x : x + size[1]]
                for m, (y, x) in zip(large, places, strict=True)
            ]
        )

    def make(start: int, stop: int) -> torch.Tensor:
        return inputs * masks_of(start, stop)

    summed, added = inputs.new_zeros(size), 0
    series = at_input(trace, picture, masks, make)
    key = ("rise", picture, masks, cells, keep, seed)
    asked = _Probability(trace.model, target) if isinstance(target, ClassTarget) else target
    for scores in rerun_scores(trace, asked, key, masks, series):
        for start in range(added, len(scores), 64):
            stop = min(start + 64, len(scores))
            shown = masks_of(start, stop)[:, 0]
            summed += torch.einsum("nhw,n->hw", shown, scores[start:stop].to(shown))
        added = len(scores)
        yield Step(added, masks, summed / (keep * added))


class _Probability:
    """The probability of a class."""

    index = None

    def __init__(self, model: VisionModel, of: ClassTarget) -> None:
        self._model = model
        self._of = of
        self.label = f"p({of.label})"

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """As the model's scores become probabilities, shape (N,)."""
        return self._model.probabilities(logits)[:, self._of.index]
