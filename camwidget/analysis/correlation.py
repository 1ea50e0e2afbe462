"""Correlation of two maps, of their values or of their ranks."""

from __future__ import annotations

import math

import torch

__all__ = [
    "as_float64",
    "average_ranks",
    "correlation",
    "rank_correlation",
    "standardized",
    "standardized_ranks",
]


def as_float64(values: torch.Tensor) -> torch.Tensor:
    """Values in float64, on their device, or on the CPU if the device has no float64."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def average_ranks(values: torch.Tensor) -> torch.Tensor:
    """Ranks from 1, float64 (n,), with average ranks for ties: large parts of a map are exactly 0."""
    _, which, counts = torch.unique(
        as_float64(values).flatten(), return_inverse=True, return_counts=True
    )
    middle = counts.cumsum(0) - (counts - 1) / 2
    return as_float64(middle)[which]


def standardized(values: torch.Tensor) -> torch.Tensor | None:
    """Standardized values, float64 (n,), with mean 0 and norm 1: the dot product of two is their correlation.

    None for values that are constant or not finite, whose correlation is undefined.
    """
    flat = as_float64(values).flatten()
    # Tested on the values themselves: the mean of a constant may be rounded.
    if not bool(torch.isfinite(flat).all()) or bool(flat.min() == flat.max()):
        return None
    centered = flat - flat.mean()
    unit: torch.Tensor = centered / centered.norm()
    return unit


def standardized_ranks(values: torch.Tensor) -> torch.Tensor | None:
    """``standardized`` of the values' ranks."""
    return standardized(average_ranks(values)) if bool(torch.isfinite(values).all()) else None


def correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    """Pearson correlation, in [-1, 1]; NaN if one map is constant or not finite."""
    return _product(standardized(first), standardized(second))


def rank_correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    """Spearman rank correlation, in [-1, 1]; NaN if one map is constant or not finite."""
    return _product(standardized_ranks(first), standardized_ranks(second))


def _product(first: torch.Tensor | None, second: torch.Tensor | None) -> float:
    if first is None or second is None:
        return math.nan
    return float((first @ second).clamp(-1, 1))
