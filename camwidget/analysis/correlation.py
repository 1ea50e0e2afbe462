"""Correlation of two maps, by values or by ranks."""

from __future__ import annotations

import math

import torch

__all__ = ["correlation", "rank_correlation", "ranks", "unit", "unit_ranks", "wide"]


def wide(values: torch.Tensor) -> torch.Tensor:
    """Values in float64, on their device where it knows float64, else on the CPU."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def ranks(values: torch.Tensor) -> torch.Tensor:
    """Ranks from 1, float64 (n,), equal values having the mean of theirs: large parts of a map are exactly 0."""
    _, which, counts = torch.unique(wide(values).flatten(), return_inverse=True, return_counts=True)
    middle = counts.cumsum(0) - (counts - 1) / 2
    return wide(middle)[which]


def unit(values: torch.Tensor) -> torch.Tensor | None:
    """Values as float64 (n,), their mean taken off, of length 1: a dot product of two is their correlation.

    None where nothing correlates: of values that are all the same, or not finite.
    """
    flat = wide(values).flatten()
    # Asked of the values themselves: rounding can leave a constant a little off its mean.
    if not bool(torch.isfinite(flat).all()) or bool(flat.min() == flat.max()):
        return None
    centred = flat - flat.mean()
    unit: torch.Tensor = centred / centred.norm()
    return unit


def unit_ranks(values: torch.Tensor) -> torch.Tensor | None:
    """``unit`` of the ranks of values."""
    return unit(ranks(values)) if bool(torch.isfinite(values).all()) else None


def correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    """Pearson's, in [-1, 1]; NaN if one of them is the same everywhere, or not finite."""
    return _product(unit(first), unit(second))


def rank_correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    """Spearman's, in [-1, 1]; NaN if one of them is the same everywhere, or not finite."""
    return _product(unit_ranks(first), unit_ranks(second))


def _product(first: torch.Tensor | None, second: torch.Tensor | None) -> float:
    if first is None or second is None:
        return math.nan
    return float((first @ second).clamp(-1, 1))
