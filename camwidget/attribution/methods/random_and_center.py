"""Controls: a random map and the center of the picture, which every explanation must beat."""

from __future__ import annotations

import torch

from ..targets import Target
from ..trace import Trace
from .registry import method
from .target_reasons import one_map_for_all

__all__ = ["center_map", "random_map"]

#: Standard deviation of the center prior in sides of the picture.
_CENTER_DEVIATION = 0.25


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


@method(
    "center",
    label="Center",
    citation="the control of pointing games and localization",
    summary="The middle of every picture; an explanation should do better than pointing there.",
    needs="nothing",
    group="Control",
    target_reason=one_map_for_all,
    needs_gradients=False,
    clips="its center is that of a picture. Use 'random'.",
)
def center_map(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Two-dimensional Gaussian around the middle of the picture, the same for every picture and target.

    Its standard deviation is a quarter of the picture's height and of its width. Photographers put things in the
    middle, so that localization scores of this map say how much of a score the data alone give.

    Args:
        trace: recorded forward pass of N pictures.
        target: unused: the map is the same for every target.
        layer: layer whose resolution the map has.

    Returns:
        Maps (N, h, w) in (0, 1].

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> raw = cw.explain(cw.load(), image, method="center", layer="stage3").raw
        >>> raw.shape, bool(raw[12, 12] > raw[0, 0])
        ((24, 24), True)
    """
    count, _, *size = trace.activation(layer).shape
    row, column = (
        # Cells' middles, from −1/2 to 1/2.
        ((torch.arange(length) + 0.5) / length - 0.5) / _CENTER_DEVIATION
        for length in size
    )
    squares = row[:, None].square() + column.square()
    return torch.exp(-squares / 2).to(trace.logits.device).expand(count, -1, -1)
