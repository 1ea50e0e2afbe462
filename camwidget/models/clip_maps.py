"""Maps of clips: a layer's output with a time axis, and which of its dimensions are time, height and width."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

__all__ = ["ambiguous_axes", "clip_maps", "is_channels_last"]


def clip_maps(
    output: torch.Tensor,
    size: Sequence[int],
    frames: int,
    reshape: Callable[[torch.Tensor], torch.Tensor] | None = None,
    *,
    by_frame: bool = True,
) -> torch.Tensor | None:
    """Return a layer's output as maps (N, C, t, h, w) with more than one cell; None if it is no map of the clip.

    Three-dimensional convolutions give this shape, and transformers with windows in time (N, t, h, w, C). Which of the
    two it is, the proportions tell: those of height and width are about the frame's. Pictures that are computed one by
    one and put together are (N, t, C, h, w); where a module may compute them, an output whose second dimension is as
    long as the clip is no map without ``reshape`` (``ambiguous_axes``).

    Args:
        output: the layer's output.
        size: height and width of the clip's strip.
        frames: number of frames of the clip.
        reshape: conversion of an output to (N, C, t, h, w).
        by_frame: whether the module may compute frames one by one, as in ``may_compute_frames``.
    """
    if reshape is not None and output.ndim >= 3:
        try:
            output = reshape(output)
        except (RuntimeError, ValueError, IndexError, TypeError):
            return None
    if output.ndim != 5 or 0 in output.shape:
        return None
    is_last = is_channels_last(output, size, frames)
    maps = output.movedim(-1, 1) if is_last else output
    height, width = maps.shape[-2:]
    if maps.shape[2] > frames:
        return None  # what is taken for time is not
    if reshape is None and by_frame and not is_last and maps.shape[1] == frames:
        return None  # it may be (N, t, C, h, w), of frames that were computed one by one
    # The proportions of few cells are rounded coarsely.
    fits = min(height, width) <= 4 or _skew(height, width, size, frames) < math.log(1.5)
    return maps if fits and maps[0, 0].numel() > 1 else None


def ambiguous_axes(output: torch.Tensor, size: Sequence[int], frames: int) -> str:
    """Return why an output may be (N, C, t, h, w) or (N, t, C, h, w), with the remedy; empty for any other output."""
    is_volume = output.ndim == 5 and 0 not in output.shape
    if not is_volume or output.shape[1] != frames or is_channels_last(output, size, frames):
        return ""
    return (
        f"its output {tuple(output.shape)} has as many channels as the clip has frames, or is (N, t, C, h, w): pass "
        "reshape=lambda t: t to wrap if its second dimension is the channels, and "
        "reshape=lambda t: t.transpose(1, 2) if it is time"
    )


def is_channels_last(output: torch.Tensor, size: Sequence[int], frames: int) -> bool:
    """Return whether an output is (N, t, h, w, C), and not (N, C, t, h, w), of clips of a strip's size."""
    first, second, third, fourth = output.shape[1:]
    return first <= frames and _skew(second, third, size, frames) < _skew(
        third, fourth, size, frames
    )


def _skew(height: int, width: int, size: Sequence[int], frames: int) -> float:
    """Return how far a map's proportions are from a frame's."""
    return abs(math.log(height / width) - math.log(size[0] / frames / size[1]))
