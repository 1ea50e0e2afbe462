"""Gradients averaged: along the way from black to the picture, or over noisy copies of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from ..errors import MethodError
from ..rerun import batch_size
from ..targets import Target
from ..trace import INPUT, Trace
from .backprop import saliency
from .registry import Method, Step, get_method, method

__all__ = ["integrated_gradients", "smoothed", "smoothgrad"]

_GROUP = "Gradients"


@method(
    "integrated-gradients",
    label="Integrated gradients",
    citation="Sundararajan et al. 2017, ICML, arXiv:1703.01365",
    summary="Gradients added up while the picture fades in from black; together they make up the change of the score.",
    needs="gradients at the picture",
    group=_GROUP,
    needs_gradients=False,
    at_input=True,
    slow=True,
    scale="peaks",
)
def integrated_gradients(
    trace: Trace, target: Target, layer: str, picture: int, *, steps: int = 32
) -> Iterator[Step]:
    """Integrated gradients, eq. 1 of Sundararajan et al. 2017, from a black picture x′.

    ``IG = (x − x′) · ∫₀¹ ∂y/∂x (x′ + α (x − x′)) dα``, by Gauss–Legendre quadrature, the channels added up.
    Signed: the sum over all pixels is ``y(x) − y(x′)`` (completeness), but for the quadrature.

    Args:
        trace: of the picture.
        target: what is explained.
        layer: of no matter.
        picture: its number in the trace.
        steps: how many points on the way.

    Yields:
        (H, W).
    """
    pixels = trace.pixels[picture : picture + 1]
    places, weights = np.polynomial.legendre.leggauss(steps)
    shares, weights = (places + 1) / 2, weights / 2
    way = trace.model.inputs(pixels) - trace.model.inputs(torch.zeros_like(pixels))
    mean = torch.zeros_like(way)
    size = batch_size(trace.model, *pixels.shape[-2:])
    for start in range(0, steps, size):
        part = slice(start, start + size)
        along = torch.as_tensor(shares[part], dtype=pixels.dtype, device=pixels.device)
        gradient = _gradient_at(trace, target, picture, pixels * along[:, None, None, None])
        share = torch.as_tensor(weights[part], dtype=gradient.dtype, device=gradient.device)
        mean = mean + torch.einsum("nchw,n->chw", gradient, share)
        yield Step(min(start + size, steps), steps, (mean * way).sum(1)[0])


def _gradient_at(trace: Trace, target: Target, picture: int, pixels: torch.Tensor) -> torch.Tensor:
    model = trace.model.given_of(picture)
    other = Trace(model, pixels, (), precision=trace.precision, with_input=True)
    return other.gradient(target, INPUT)


@method(
    "smoothgrad",
    label="SmoothGrad",
    citation="Smilkov et al. 2017, arXiv:1706.03825",
    summary="Saliency averaged over noisy copies of the picture, which takes the speckle out of it.",
    needs="gradients at the picture",
    group=_GROUP,
    needs_gradients=False,
    at_input=True,
    slow=True,
    scale="peaks",
)
def smoothgrad(
    trace: Trace,
    target: Target,
    layer: str,
    picture: int,
    *,
    base: Method | None = None,
    samples: int = 32,
    noise: float = 0.15,
    seed: int = 0,
) -> Iterator[Step]:
    """SmoothGrad, section 3 of Smilkov et al. 2017: the mean of ``M(x + N(0, σ²))``.

    Args:
        trace: of the picture.
        target: what is explained.
        layer: for a method that has its maps there.
        picture: its number in the trace.
        base: M, a quick method with gradients; saliency if None.
        samples: how many noisy copies.
        noise: σ as a share of the picture's range of values; 10 to 20 % in the paper.
        seed: of the noise.

    Yields:
        (H, W), or (h, w) at the layer for a method that has its maps there.
    """
    pixels = trace.pixels[picture : picture + 1]
    model = trace.model.given_of(picture)
    generator = torch.Generator().manual_seed(seed)
    sigma = noise * float(pixels.max() - pixels.min())
    layers = () if base is None or base.at_input else (layer,)
    with_input = base is None or base.needs_input
    total: torch.Tensor | None = None
    size = batch_size(model, *pixels.shape[-2:])
    for start in range(0, samples, size):
        count = min(size, samples - start)
        grain = torch.randn((count, *pixels.shape[1:]), generator=generator)
        noisy = pixels + sigma * grain.to(pixels)
        other = Trace(model, noisy, layers, precision=trace.precision, with_input=with_input)
        maps = (
            saliency(other, target, layer) if base is None else base.compute(other, target, layer)
        ).sum(0)
        total = maps if total is None else total + maps
        yield Step(start + count, samples, total / (start + count))


def smoothed(base: Method) -> Method:
    """SmoothGrad around a quick method with gradients.

    Raises:
        MethodError: if the method reruns the model itself, or has no gradients to smooth.
    """
    wrapper = get_method("smoothgrad")
    if base.slow or not (base.needs_gradients or base.needs_input):
        raise MethodError(
            f"{wrapper.label} averages a quick method with gradients, such as 'gradcam' or 'guided-backprop'; "
            f"{base.label} is none."
        )
    return replace(
        wrapper,
        name=f"smoothgrad({base.name})",
        label=f"Smooth {base.label}",
        citation=f"{wrapper.citation}; {base.citation}",
        summary=f"{base.label} averaged over noisy copies of the picture.",
        needs=base.needs,
        reason=base.reason,
        at_input=base.at_input,
        scale=base.scale,
        options=(("base", base),),
    )
