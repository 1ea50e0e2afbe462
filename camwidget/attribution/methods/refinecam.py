"""RefineCAM: Grad-CAM++ of several layers, multiplied."""

from __future__ import annotations

from typing import Annotated

import torch

from ...models.vision_model import VisionModel
from ..targets import Target
from ..trace import Trace
from .cam import gradcam_plus_plus
from .registry import method
from .settings import Range

__all__ = ["refinecam"]


def _reason(model: VisionModel, layer: str) -> str | None:
    """Return why there is nothing to refine a layer's map with; None if there is."""
    if len(_refining_layers(model, layer, 2)) > 1:
        return None
    return (
        f"{model.name} has no layer of a finer resolution before {layer!r}, whose map could refine this one. Use "
        "'gradcam++', or a deeper layer."
    )


def _refining_layers(model: VisionModel, layer: str, most: int) -> list[str]:
    """Return the layer and, before it, the last listed layers of each finer resolution, deepest first.

    Args:
        model: the model.
        layer: module name of the coarsest layer.
        most: number of layers at most, that one included.
    """
    coarsest = model.layer(layer)
    listed = list(model.layers)
    names = [one.name for one in listed]
    if coarsest.name in names:
        listed = listed[: names.index(coarsest.name)]
    found = [coarsest.name]
    cells = coarsest.shape[1] * coarsest.shape[2]
    for one in reversed(listed):
        if one.shape[1] * one.shape[2] > cells:
            found.append(one.name)
            cells = one.shape[1] * one.shape[2]
    return found[:most]


@method(
    "refinecam",
    label="RefineCAM",
    citation="Domeniconi et al. 2026, ICPR, arXiv:2605.14641",
    summary="Grad-CAM++ of several layers multiplied: fine where the shallow ones are, quiet where the deep ones are.",
    needs="gradients at layers of different resolutions, and activations that are not negative",
    group="Class activation",
    reason=_reason,
    needs_gradients=False,
    own_passes=True,
    scale="range",
    clips="its layers are combined by their resolution in the picture alone. Use 'layercam' at a finer layer.",
)
def refinecam(
    trace: Trace,
    target: Target,
    layer: str,
    *,
    layers: Annotated[int, Range(2, help="how many layers' maps are multiplied")] = 4,
) -> torch.Tensor:
    """RefineCAM of Domeniconi et al. 2026: ``L = Π_l N(U(L_l))``, with Grad-CAM++ as ``L_l``.

    U enlarges a layer's map to the picture bilinearly, and N scales it from its minimum to its maximum. The equation is
    that of the first author's code in pytorch-grad-cam (``RefineCAM``); the authors' experiments have four layers, the
    last of each resolution (github.com/liuktc/RefineCAM). One forward pass and one backward pass give all maps.

    Args:
        trace: recorded forward pass of N pictures.
        target: target whose score is explained.
        layer: the coarsest layer; the others are the last ones of finer resolutions before it.
        layers: number of layers, ≥ 2; fewer if there are no more resolutions.

    Returns:
        Maps (N, H, W) at the size of the picture, in [0, 1].

    Raises:
        LayerError: if the target's score has no gradient at one of the layers.
        MethodError: if there is no finer layer, or ``layers`` is out of range.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method="refinecam").raw.shape
        (192, 192)
    """
    names = _refining_layers(trace.model, layer, layers)
    key = ("refinecam", *names)
    if key not in trace.memory:
        trace.memory[key] = Trace(
            trace.model, trace.pixels, names, precision=trace.precision, trims=trace.trims
        )
        if trace.trims:  # one pass for gradients gives those of all layers
            trace.memory[key].free_graph_early()
    deep: Trace = trace.memory[key]
    product: torch.Tensor | None = None
    for name in names:
        maps = _unit_range(gradcam_plus_plus(deep, target, name))
        scaled = _unit_range(trace.enlarged(maps, name))
        product = scaled if product is None else product * scaled
    assert product is not None
    return product


def _unit_range(maps: torch.Tensor) -> torch.Tensor:
    """Scale maps (N, h, w) from their minimum to their maximum; constant ones become 0."""
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    size = torch.where(high > low, high - low, torch.ones_like(high))
    return (maps - low) / size
