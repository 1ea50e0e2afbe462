"""Random control: a map that every explanation must beat."""

from __future__ import annotations

import torch

from ..targets import Target
from ..trace import Trace
from .registry import method
from .target_reasons import one_map_for_all

__all__ = ["random_map"]


@method(
    "random",
    label="Random",
    citation="the control of every comparison",
    summary="A random map as coarse as the layer's own cells; an explanation should do better than this.",
    needs="nothing",
    group="Control",
    target_reason=one_map_for_all,
    needs_gradients=False,
)
def random_map(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Uniform noise at the layer's resolution, the same for every picture, target and call.

    Args:
        trace: recorded forward pass of N pictures.
        target: unused: the map is the same for every target.
        layer: layer whose resolution the map has.

    Returns:
        Maps (N, h, w) in [0, 1).

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method="random", layer="stage3").raw.shape
        (24, 24)
    """
    count, _, height, width = trace.activation(layer).shape
    generator = torch.Generator().manual_seed(height * 65537 + width)
    noise = torch.rand((height, width), generator=generator)
    return noise.to(trace.logits.device).expand(count, -1, -1)
