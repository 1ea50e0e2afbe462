"""Patches of a tensor: cut from a base at a place of its own for each row, and put back among the base's cells."""

from __future__ import annotations

import torch

from .geometry import ChangedRegion, Span

__all__ = ["cut", "put", "repeated", "whole_region", "with_surroundings"]


def cut(base: torch.Tensor, region: ChangedRegion, fill: float) -> torch.Tensor:
    """Cut a region out of a base for each row; cells outside the base have the value ``fill``.

    Args:
        base: (1, C, H, W).
        region: where to cut, for N rows.
        fill: value of the padding.

    Returns:
        (N, C, h, w), in the base's memory format.
    """
    count, size = len(region.rows.starts), (region.rows.length, region.columns.length)
    found = _empty(base, count, size)
    height, width = base.shape[2:]
    if not (_is_inside(region.rows, height) and _is_inside(region.columns, width)):
        found.fill_(fill)
    for row, (y, x) in enumerate(zip(region.rows.starts, region.columns.starts, strict=True)):
        top, bottom = max(y, 0), min(y + size[0], height)
        left, right = max(x, 0), min(x + size[1], width)
        found[row, :, top - y : bottom - y, left - x : right - x] = base[
            0, :, top:bottom, left:right
        ]
    return found


def put(
    target: torch.Tensor, place: ChangedRegion, patch: torch.Tensor, region: ChangedRegion
) -> None:
    """Write patches into a target where the two overlap.

    Args:
        target: (N, C, h, w), modified.
        place: where the target's cells are in the layer.
        patch: (N, C, …).
        region: where the patch's cells are in the layer.
    """
    offsets = [
        (y - at_y, x - at_x)
        for y, at_y, x, at_x in zip(
            region.rows.starts,
            place.rows.starts,
            region.columns.starts,
            place.columns.starts,
            strict=True,
        )
    ]
    if len(set(offsets)) == 1:
        _put_at(target, patch, *offsets[0])
        return
    for row, (y, x) in enumerate(offsets):
        _put_at(target[row], patch[row], y, x)


def with_surroundings(
    base: torch.Tensor,
    patch: torch.Tensor,
    region: ChangedRegion,
    place: ChangedRegion,
    fill: float,
) -> torch.Tensor:
    """Return a larger or smaller part of a layer around changed cells.

    Args:
        base: the layer's values for the unchanged picture, (1, C, H, W).
        patch: its changed cells, (N, C, h, w).
        region: where they are.
        place: the part to return; it may begin and end outside the base.
        fill: value of the cells outside.

    Returns:
        (N, C, place.rows.length, place.columns.length); a view of the patch if that has all of it.
    """
    if place == region:
        return patch
    offset = _inner_offset(region, place)
    if offset is not None:
        y, x = offset
        return patch[:, :, y : y + place.rows.length, x : x + place.columns.length]
    found = cut(base, place, fill)
    put(found, place, patch, region)
    return found


def repeated(base: torch.Tensor, patch: torch.Tensor, region: ChangedRegion) -> torch.Tensor:
    """Return the whole layer for each row, (N, C, H, W): the base with the patches in it."""
    height, width = base.shape[2:]
    count = len(patch)
    found = _empty(base, count, (height, width))
    found.copy_(base.expand(count, -1, -1, -1))
    put(found, whole_region(found), patch, region)
    return found


def whole_region(tensor: torch.Tensor) -> ChangedRegion:
    """Return the region of all cells of a tensor (N, C, H, W)."""
    zeros = (0,) * len(tensor)
    return ChangedRegion(Span(zeros, tensor.shape[2]), Span(zeros, tensor.shape[3]))


def _empty(base: torch.Tensor, count: int, size: tuple[int, int]) -> torch.Tensor:
    last = base.is_contiguous(memory_format=torch.channels_last) and not base.is_contiguous()
    return torch.empty(
        (count, base.shape[1], *size),
        dtype=base.dtype,
        device=base.device,
        memory_format=torch.channels_last if last else torch.contiguous_format,
    )


def _is_inside(span: Span, size: int) -> bool:
    return min(span.starts) >= 0 and max(span.starts) + span.length <= size


def _put_at(target: torch.Tensor, patch: torch.Tensor, y: int, x: int) -> None:
    """Write a patch into a target at an offset, which may be negative; what does not fit is left out."""
    height, width = patch.shape[-2:]
    top, bottom = max(y, 0), min(y + height, target.shape[-2])
    left, right = max(x, 0), min(x + width, target.shape[-1])
    if top < bottom and left < right:
        target[..., top:bottom, left:right] = patch[..., top - y : bottom - y, left - x : right - x]


def _inner_offset(region: ChangedRegion, place: ChangedRegion) -> tuple[int, int] | None:
    """Return the place's offset in the region if it is inside, and the same in each row; None otherwise."""
    offsets = {
        (at_y - y, at_x - x)
        for y, at_y, x, at_x in zip(
            region.rows.starts,
            place.rows.starts,
            region.columns.starts,
            place.columns.starts,
            strict=True,
        )
    }
    if len(offsets) != 1:
        return None
    ((y, x),) = offsets
    fits_rows = y >= 0 and y + place.rows.length <= region.rows.length
    fits_columns = x >= 0 and x + place.columns.length <= region.columns.length
    return (y, x) if fits_rows and fits_columns else None
