"""Gradient methods at the input: saliency, guided backpropagation, deconvnet, guided Grad-CAM."""

from __future__ import annotations

import torch

from ..._compat.pytorch import graph_changes
from ...models.vision_model import VisionModel
from ..relu_rules import deconvolved, guided
from ..targets import Target
from ..trace import INPUT, Trace
from .cam import gradcam
from .registry import method
from .target_reasons import absolute_gradients

__all__ = ["deconvnet", "guided_backprop", "guided_gradcam", "saliency"]

_GROUP = "Gradients"


def _rectifier_reason(model: VisionModel, layer: str) -> str | None:
    """Return why a rule for ReLUs does not apply to the model; None if it does."""
    if changes := graph_changes():
        return (
            f"it finds rectifiers by how PyTorch names them, and this version differs from those that are known "
            f"({changes}). Use 'saliency', or an older PyTorch."
        )
    rectifies, others = model.activations
    if others:
        return (
            f"its rule is defined for ReLU, and {model.name} has {', '.join(others)}. Use 'saliency', "
            "'integrated-gradients' or 'smoothgrad', which need no ReLU."
        )
    if not rectifies:
        return f"its rule is for ReLUs, and {model.name} has none. Use 'saliency' or 'smoothgrad'."
    return None


@method(
    "saliency",
    label="Saliency",
    citation="Simonyan et al. 2014, ICLR Workshops, arXiv:1312.6034",
    summary="How much the class's score would change with each pixel, whatever the direction.",
    needs="gradients at the picture",
    group=_GROUP,
    target_reason=absolute_gradients,
    needs_gradients=False,
    needs_input=True,
    at_input=True,
    tone_mapped=True,
)
def saliency(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Saliency map, section 3.1 of Simonyan et al. 2014: ``M = max_c |∂y/∂x_c|``.

    Args:
        trace: recorded forward pass of N pictures, with the gradient at the input.
        target: target whose score is explained.
        layer: unused: the map is at the input.

    Returns:
        Maps (N, H, W), ≥ 0.

    Raises:
        MethodError: if the target's score has no gradient at the input.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> explanation = cw.explain(cw.load(), image, method="saliency")
        >>> explanation.raw.shape, bool((explanation.raw >= 0).all())
        ((192, 192), True)
    """
    return _channel_maximum(trace.gradient(target, INPUT))


@method(
    "guided-backprop",
    label="Guided backprop",
    citation="Springenberg et al. 2015, ICLR Workshops, arXiv:1412.6806",
    summary="Gradients that pass a ReLU where its input and they are positive: sharp, but hardly class-specific.",
    needs="ReLUs, and no other activation",
    group=_GROUP,
    reason=_rectifier_reason,
    needs_gradients=False,
    needs_input=True,
    at_input=True,
    tone_mapped=True,
)
def guided_backprop(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Guided backpropagation, section 3.4 of Springenberg et al. 2015.

    At each ReLU ``R^l = 1[f^l > 0] · 1[R^(l+1) > 0] · R^(l+1)``; then the maximum over the channels, as for saliency.

    Args:
        trace: recorded forward pass of N pictures, with the gradient at the input.
        target: target whose score is explained.
        layer: unused: the map is at the input.

    Returns:
        Maps (N, H, W), ≥ 0.

    Raises:
        MethodError: if the target's score has no gradient at the input.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method="guided-backprop").raw.shape
        (192, 192)
    """
    return _channel_maximum(trace.gradient(target, INPUT, guided))


@method(
    "deconvnet",
    label="Deconvnet",
    citation="Zeiler and Fergus 2014, ECCV, arXiv:1311.2901",
    summary="Gradients rectified on their way back, whatever the ReLUs did on the way forth.",
    needs="ReLUs, and no other activation",
    group=_GROUP,
    reason=_rectifier_reason,
    needs_gradients=False,
    needs_input=True,
    at_input=True,
    tone_mapped=True,
)
def deconvnet(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Deconvnet, section 2.1 of Zeiler and Fergus 2014: at each ReLU ``R^l = 1[R^(l+1) > 0] · R^(l+1)``.

    The paper's switches at max pooling are equal to the gradient there. The map is the maximum over the channels.

    Args:
        trace: recorded forward pass of N pictures, with the gradient at the input.
        target: target whose score is explained.
        layer: unused: the map is at the input.

    Returns:
        Maps (N, H, W), ≥ 0.

    Raises:
        MethodError: if the target's score has no gradient at the input.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method="deconvnet").raw.shape
        (192, 192)
    """
    return _channel_maximum(trace.gradient(target, INPUT, deconvolved))


@method(
    "guided-gradcam",
    label="Guided Grad-CAM",
    citation="Selvaraju et al. 2017, ICCV, arXiv:1610.02391",
    summary="Guided backprop where Grad-CAM is high: the detail of one, the class of the other.",
    needs="ReLUs, and no other activation",
    group=_GROUP,
    reason=_rectifier_reason,
    needs_input=True,
    tone_mapped=True,
)
def guided_gradcam(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Guided Grad-CAM, section 3.2 of Selvaraju et al. 2017: guided backprop times upsampled Grad-CAM, per pixel.

    Args:
        trace: recorded forward pass of N pictures, with the gradient at the input.
        target: target whose score is explained.
        layer: layer of the Grad-CAM map.

    Returns:
        Maps (N, H, W), ≥ 0.

    Raises:
        LayerError: if the target's score has no gradient at the layer.
        MethodError: if it has none at the input.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method="guided-gradcam").raw.shape
        (192, 192)
    """
    fine = trace.gradient(target, INPUT, guided)
    coarse = trace.enlarged(gradcam(trace, target, layer), layer)
    return _channel_maximum(fine * coarse[:, None])


def _channel_maximum(gradient: torch.Tensor) -> torch.Tensor:
    """Return the largest magnitude over the channels: (N, C, H, W) to (N, H, W)."""
    return gradient.abs().amax(1)
