"""Perturbation methods at the input: occlusion and RISE."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import torch
from torch.nn import functional as nnF

from ...errors import MethodError
from ...images.film_strip import as_clip, as_strip
from ..batched_inference import Series, rerun_from_input, rerun_scores
from ..partial.windows import rerun_hidden_squares
from ..targets import ClassTarget, ProbabilityTarget, Target
from ..trace import Trace
from .registry import Step, method
from .settings import Range

__all__ = ["RandomMasks", "default_window", "occlusion", "rise"]

_GROUP = "Perturbation"

#: Defaults of RISE.
_MASKS, _CELLS, _KEEP, _SEED = 4000, 7, 0.5, 0


@method(
    "occlusion",
    label="Occlusion",
    citation="Zeiler and Fergus 2014, ECCV, arXiv:1311.2901",
    summary="How much the class's score falls when a gray square slides over the picture.",
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
    window: Annotated[int | None, Range(1, help="side of the square in pixels")] = None,
    stride: Annotated[int | None, Range(1, help="from square to square, in pixels")] = None,
) -> Iterator[Step]:
    """Occlusion, section 4.2 of Zeiler and Fergus 2014: the drop of the score under a gray square.

    Gray is zero after normalization, the mean color of the training pictures. A pixel gets the mean drop over all
    squares that cover it. The map is signed: it is negative where hiding raises the score.

    In a clip, what is hidden is a block in space and time: the square in a seventh of the frames, which does not move
    in time by less than its length.

    Args:
        trace: recorded forward pass of the pictures.
        target: target whose score is explained.
        layer: unused: the map is at the input.
        picture: index of the picture in the trace.
        window: side of the square in pixels, from 1 to the shorter side; a seventh of the shorter side if None.
        stride: distance between neighboring squares in pixels, from 1 to ``window``; half the window if None.

    Yields:
        Steps with the picture's map (H, W) so far; zero where no square has been. The squares are spread over the
        picture, coarse to fine.

    Raises:
        MethodError: if the window does not fit, or the stride would leave gaps.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> method = cw.get_method("occlusion", window=96, stride=96)
        >>> cw.explain(cw.load(), image, method=method).raw.shape
        (192, 192)
    """
    inputs = trace.model.inputs(trace.pixels[picture : picture + 1])
    frames = trace.model.frames
    shape = inputs.shape[-2:] if frames is None else as_clip(inputs, frames).shape[-3:]
    height, width = shape[-2:]
    usual = default_window(height, width)[0]
    window = usual if window is None else window
    stride = max(1, window // 2) if stride is None else stride
    if not 1 <= window <= min(height, width) or not 1 <= stride <= window:
        raise MethodError(
            f"A window of {window} and a stride of {stride} do not cover a picture of {width}×{height}: take a window "
            "of at most its shorter side, and a stride of at most the window."
        )
    rows = _window_starts(height, window, stride)
    columns = _window_starts(width, window, stride)
    corners = [(y, x) for y, x in _coarse_to_fine(rows, columns)]
    # The first input of the series is the unchanged picture.
    places: list[tuple[Any, ...]]
    if frames is None:
        places = [(..., slice(y, y + window), slice(x, x + window)) for y, x in corners]
        series = rerun_hidden_squares(trace, picture, corners, window)
    else:
        depth = max(1, frames // 7)
        places = [
            (..., slice(t, t + depth), slice(y, y + window), slice(x, x + window))
            for y, x in corners
            for t in range(0, frames, depth)
        ]
        series = _rerun_hidden_blocks(trace, picture, places, frames)
    total = len(places) + 1
    # On the CPU, since on a GPU each of the small additions would take longer than a picture's pass.
    dtype = np.float64 if inputs.dtype == torch.float64 else np.float32
    drop_sums, counts = np.zeros(shape, dtype), np.zeros(shape, dtype)
    added = 0
    key = ("occlusion", picture, window, stride)
    for scores in rerun_scores(trace, target, key, total, series):
        drops = (scores[0] - scores[added + 1 :]).tolist()
        for place, drop in zip(places[added : added + len(drops)], drops, strict=True):
            drop_sums[place] += drop
            counts[place] += 1
        added += len(drops)
        mean = torch.from_numpy(drop_sums / counts.clip(min=1)).reshape(-1, width)
        yield Step(len(scores), total, mean.to(inputs.device))


def _rerun_hidden_blocks(
    trace: Trace, picture: int, places: list[tuple[Any, ...]], frames: int
) -> Series:
    """Return the series of a clip as it is, and then with a block of zeros at each of several places in (T, H, W)."""
    inputs = trace.model.inputs(trace.pixels[picture : picture + 1])

    def make(start: int, stop: int) -> torch.Tensor:
        batch = as_clip(inputs, frames).repeat(stop - start, 1, 1, 1, 1)
        for row in range(max(start, 1), stop):
            batch[row - start][places[row - 1]] = 0
        return as_strip(batch)

    return rerun_from_input(trace, picture, len(places) + 1, make)


def default_window(height: int, width: int) -> tuple[int, int]:
    """The default window and stride of occlusion for a picture, in pixels."""
    window = max(1, min(height, width) // 7)
    return window, max(1, window // 2)


def _window_starts(length: int, window: int, stride: int) -> list[int]:
    """Return the first pixel of each window along one axis; the last window reaches the edge, and may pass it."""
    return [i * stride for i in range(math.ceil((length - window) / stride) + 1)]


def _coarse_to_fine(rows: list[int], columns: list[int]) -> list[tuple[int, int]]:
    """Return all (row, column): every fourth row and column first, then every second, then the rest."""
    cells = [(i, j) for i in range(len(rows)) for j in range(len(columns))]

    def level(cell: tuple[int, int]) -> int:
        return next(n for n, step in enumerate((4, 2, 1)) if not any(k % step for k in cell))

    return [(rows[i], columns[j]) for i, j in sorted(cells, key=level)]


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
    masks: Annotated[int, Range(1, help="how many random masks")] = _MASKS,
    cells: Annotated[int, Range(1, help="cells of a mask's grid on each side")] = _CELLS,
    keep: Annotated[float, Range(0.001, 1, "share of the cells that stay visible")] = _KEEP,
    seed: Annotated[int, Range(0, help="seed of the masks")] = _SEED,
) -> Iterator[Step]:
    """RISE, eq. 6 of Petsiuk et al. 2018: ``S = 1/(E[M] · N) Σ_i f(I ∘ M_i) · M_i``.

    A mask is a coarse random grid, upsampled bilinearly and shifted by up to one cell (section 3.2); f is the
    probability of the class, or the score of any other target. I is the normalized input. In a clip, the grid has cells
    in time too, is upsampled trilinearly, and is shifted in time as well.

    Args:
        trace: recorded forward pass of the pictures.
        target: target whose probability or score is explained.
        layer: unused: the map is at the input.
        picture: index of the picture in the trace.
        masks: N, number of masks, ≥ 1; the paper takes 4000 for VGG-16 and 8000 for ResNet-50.
        cells: number of grid cells per side, ≥ 1, and in time, at most one for each frame.
        keep: E[M], the probability that a cell stays visible, from 0.001 to 1.
        seed: seed of the masks, ≥ 0.

    Yields:
        Steps with the picture's map (H, W) so far.

    Raises:
        MethodError: if a setting is out of range.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> method = cw.get_method("rise", masks=16)
        >>> cw.explain(cw.load(), image, method=method).raw.shape
        (192, 192)
    """
    inputs = trace.model.inputs(trace.pixels[picture : picture + 1])
    frames = trace.model.frames
    size = inputs.shape[-2:] if frames is None else as_clip(inputs, frames).shape[-3:]
    drawn = RandomMasks.made(tuple(size), masks, cells, keep, seed)

    def masks_of(start: int, stop: int) -> torch.Tensor:
        return drawn.enlarged(start, stop, inputs).reshape(stop - start, 1, -1, size[-1])

    latest: tuple[int, torch.Tensor] = (0, inputs.new_zeros(0))

    def make(start: int, stop: int) -> torch.Tensor:
        nonlocal latest
        latest = (start, masks_of(start, stop))
        return inputs * latest[1]

    def visible_in(start: int, stop: int) -> torch.Tensor:
        """Return masks; those of the last batch are reused, not made again."""
        first, made = latest
        is_made = first <= start and stop <= first + len(made)
        return (made[start - first : stop - first] if is_made else masks_of(start, stop))[:, 0]

    weighted_sum, added = inputs.new_zeros(inputs.shape[-2:]), 0
    series = rerun_from_input(trace, picture, masks, make)
    key = ("rise", picture, masks, cells, keep, seed)
    measured = ProbabilityTarget(trace.model, target) if isinstance(target, ClassTarget) else target
    for scores in rerun_scores(trace, measured, key, masks, series):
        for start in range(added, len(scores), 64):
            stop = min(start + 64, len(scores))
            visible = visible_in(start, stop)
            weighted_sum += torch.einsum("nhw,n->hw", visible, scores[start:stop].to(visible))
        added = len(scores)
        yield Step(added, masks, weighted_sum / (keep * added))


@dataclass(frozen=True, eq=False)
class RandomMasks:
    """Random masks of RISE, before they are enlarged.

    Attributes:
        size: height and width of the picture; of a clip, the number of frames, height and width.
        keep: the probability with which a cell stays visible.
        grids: (N, 1, rows, columns) or (N, 1, times, rows, columns), 1 where a cell stays visible, else 0.
        shifts: by how many pixels, or frames, the start of each enlarged grid is cut off, (N, 2) or (N, 3).
    """

    size: tuple[int, ...]
    keep: float
    grids: torch.Tensor = field(repr=False)
    shifts: torch.Tensor = field(repr=False)

    @classmethod
    def made(
        cls, size: tuple[int, ...], masks: int, cells: int, keep: float, seed: int
    ) -> RandomMasks:
        """Draw masks for a picture or a clip; no side has more cells than pixels or frames."""
        generator = torch.Generator().manual_seed(seed)
        counts = [min(cells, length) for length in size]
        grids = (torch.rand((masks, 1, *counts), generator=generator) < keep).float()
        steps = [math.ceil(length / count) for length, count in zip(size, counts, strict=True)]
        shifts = [torch.randint(step, (masks,), generator=generator) for step in steps]
        return cls(size, keep, grids, torch.stack(shifts, 1))

    def enlarged(self, start: int, stop: int, like: torch.Tensor) -> torch.Tensor:
        """Masks (n, 1, H, W), or (n, 1, T, H, W), with the type and device of ``like``."""
        counts = self.grids.shape[2:]
        large = nnF.interpolate(
            self.grids[start:stop].to(like),
            size=[
                (count + 1) * math.ceil(length / count)
                for length, count in zip(self.size, counts, strict=True)
            ],
            mode="bilinear" if len(counts) == 2 else "trilinear",
            align_corners=False,
        )
        cut = [
            mask[
                (
                    slice(None),
                    *map(slice, corner, (a + n for a, n in zip(corner, self.size, strict=True))),
                )
            ]
            for mask, corner in zip(large, self.shifts[start:stop].tolist(), strict=True)
        ]
        return torch.stack(cut)
