"""How concentrated a map is, whatever the model says of it."""

from __future__ import annotations

import torch

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
    """``− Σ p ln p``, p being each pixel's share of the saliency, in nats: from 0 to ln(H·W)."""
    share = case.saliency.double().flatten()
    share = share / share.sum()
    return float(torch.special.entr(share).sum())
