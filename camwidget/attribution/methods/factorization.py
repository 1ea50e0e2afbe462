"""Deep feature factorization as a method: the part of the picture with the strongest evidence for the target."""

from __future__ import annotations

from typing import Annotated

import torch

from ..factorization import MOST_PARTS, activation_parts, part_evidence
from ..targets import Target
from ..trace import Trace
from .registry import method
from .settings import Range

__all__ = ["deep_feature_factorization"]


@method(
    "deep-feature-factorization",
    label="Feature factorization",
    citation="Collins et al. 2018, ECCV, arXiv:1806.10206",
    summary="Of the parts that the layer sees in the picture, the one with the strongest evidence for the class.",
    needs="gradients at the layer, and positive activations",
    group="Class activation",
)
def deep_feature_factorization(
    trace: Trace,
    target: Target,
    layer: str,
    *,
    parts: Annotated[
        int, Range(1, MOST_PARTS, help="how many parts the picture is divided into")
    ] = 4,
) -> torch.Tensor:
    """Deep feature factorization of Collins et al. 2018: one column of H in ``A ≈ H W``, ``H ≥ 0``, ``W ≥ 0``.

    The rows of A are the positive parts of the activations at the places of one picture. The paper's parts know
    nothing of classes; which of them is shown is decided by their evidence for the target, the gradient of the score
    times the part's share of the activations (``camwidget.factorize`` has all parts, and their evidence). The part's
    evidence is spread over the places in proportion to how strong the part is there, so that the map says where the
    part is, and adds up to its evidence. Where no part speaks for the target it is negative, and nothing is shown.

    Args:
        trace: recorded forward pass of N pictures.
        target: target whose score is explained.
        layer: layer whose activations are factorized.
        parts: number of parts, from 1 to 8.

    Returns:
        Maps (N, h, w) at the layer's resolution, of one sign; the sum is the part's evidence.

    Raises:
        LayerError: if the target's score has no gradient at the layer.
        MethodError: if no activation of the layer is positive.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method="deep-feature-factorization").raw.shape
        (12, 12)
    """
    activation = trace.activation(layer)
    gradient = trace.gradient(target, layer)  # first: a large picture's graph is free afterwards
    key = ("parts", layer, parts)
    if key not in trace.memory:
        found = [activation_parts(one[None], parts) for one in activation]
        trace.memory[key] = (
            torch.cat([raw for raw, _ in found]),
            torch.stack([concepts for _, concepts in found]),
        )
    raw, concepts = trace.memory[key]
    best, index = part_evidence(gradient, raw, concepts).max(1)
    chosen: torch.Tensor = raw[torch.arange(len(raw), device=raw.device), index]
    share = chosen / chosen.sum((1, 2), keepdim=True).clamp(min=torch.finfo(chosen.dtype).tiny)
    return (share * best[:, None, None]).to(activation)
