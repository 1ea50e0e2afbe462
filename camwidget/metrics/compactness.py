"""Compactness of a map: the entropy and the Gini index of its saliency."""

from __future__ import annotations

import torch

from ..analysis.correlation import as_float64
from .cases import Case
from .registry import metric

__all__: list[str] = []


@metric(
    "complexity",
    label="Complexity",
    citation="Bhatt et al. 2020, arXiv:2005.00631, definition 4 (entropy of the shares of saliency)",
    summary="The entropy of the map: low where few pixels hold the evidence.",
    group="complexity",
    range=(0, float("inf")),
    better="lower",
)
def complexity(case: Case) -> float:
    """The entropy of the map.

    ``− Σ p ln p`` with p the share of each pixel in the saliency, in nats: from 0 to ln(H·W).
    """
    share = as_float64(case.saliency).flatten()
    share = share / share.sum()
    return float(torch.special.entr(share).sum())


@metric(
    "sparseness",
    label="Sparseness",
    citation="Chalasani et al. 2020, arXiv:1810.06583 (the Gini index of the attributions)",
    summary="The Gini index of the map: 0 where all pixels hold as much evidence, near 1 where one holds all of it.",
    group="complexity",
    range=(0, 1),
    better="higher",
)
def sparseness(case: Case) -> float:
    """The Gini index of the map.

    ``Σ_k (2k − n − 1) v_k / (n Σ v)`` with v the saliency of the n pixels in ascending order: from 0 to 1 − 1/n.
    """
    values = as_float64(case.saliency).flatten().sort().values
    count = len(values)
    rank = torch.arange(1, count + 1, dtype=values.dtype, device=values.device)
    return float(((2 * rank - count - 1) @ values) / (count * values.sum()))
