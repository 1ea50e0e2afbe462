"""Averaged gradients: integrated gradients and SmoothGrad."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from ..._validation import real, whole
from ...errors import MethodError
from ..batched_inference import batch_size, in_batches
from ..targets import Target, wants_output
from ..trace import INPUT, Trace
from .backprop import saliency
from .registry import Method, Step, get_method, method, wrapper

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
    tone_mapped=True,
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
    steps = whole("steps", steps, error=MethodError)
    places, weights = np.polynomial.legendre.leggauss(steps)
    shares, weights = (places + 1) / 2, weights / 2
    way = trace.model.inputs(pixels) - trace.model.inputs(torch.zeros_like(pixels))
    mean = torch.zeros_like(way)

    def work(begin: int, end: int) -> torch.Tensor:
        along = torch.as_tensor(shares[begin:end], dtype=pixels.dtype, device=pixels.device)
        gradient = _gradient_at(trace, target, picture, pixels * along[:, None, None, None])
        share = torch.as_tensor(weights[begin:end], dtype=gradient.dtype, device=gradient.device)
        return torch.einsum("nchw,n->chw", gradient, share)

    for done, part in in_batches(trace.model, 0, steps, _size(trace, target), work):
        mean = mean + part
        yield Step(done, steps, (mean * way).sum(1)[0])


def _size(trace: Trace, target: Target) -> int:
    """How many pictures at once. A function of an output that is no tensor need not know of batches."""
    if wants_output(target) and not trace.is_plain:
        return 1
    return batch_size(trace.model, *trace.pixels.shape[-2:])


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
    tone_mapped=True,
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
    samples, seed = (
        whole("samples", samples, error=MethodError),
        whole("seed", seed, 0, error=MethodError),
    )
    sigma = real("noise", noise, 0, error=MethodError) * float(pixels.max() - pixels.min())
    if base is not None:
        _check_base(base)
    layers = () if base is None or base.at_input else (layer,)
    with_input = base is None or base.needs_input

    def work(begin: int, end: int) -> torch.Tensor:
        grain = [_grain(pixels, seed, number) for number in range(begin, end)]
        noisy = pixels + sigma * torch.cat(grain)
        other = Trace(model, noisy, layers, precision=trace.precision, with_input=with_input)
        if base is None:
            return saliency(other, target, layer).sum(0)
        return base.compute(other, target, layer).sum(0)

    total: torch.Tensor | None = None
    for done, part in in_batches(model, 0, samples, _size(trace, target), work):
        total = part if total is None else total + part
        yield Step(done, samples, total / done)


def _grain(pixels: torch.Tensor, seed: int, number: int) -> torch.Tensor:
    """The noise of one copy: its own, however many copies are made at once."""
    generator = torch.Generator().manual_seed((seed * 1_000_003 + number) % 2**63)
    return torch.randn(pixels.shape, generator=generator).to(pixels)


def _check_base(base: Method) -> None:
    if not isinstance(base, Method):
        raise MethodError(f"base is a method from get_method(…), not {base!r}.")
    if base.slow or not (base.needs_gradients or base.needs_input):
        raise MethodError(
            "SmoothGrad averages a quick method with gradients, such as 'gradcam' or 'guided-backprop'; "
            f"{base.label} is none."
        )


@wrapper("smoothgrad")
def smoothed(base: Method) -> Method:
    """SmoothGrad around a quick method with gradients.

    Raises:
        MethodError: if the method reruns the model itself, or has no gradients to smooth.
    """
    _check_base(base)
    plain = get_method("smoothgrad")
    return replace(
        plain,
        name=f"smoothgrad({base.name})",
        label=f"Smooth {base.label}",
        citation=f"{plain.citation}; {base.citation}",
        summary=f"{base.label} averaged over noisy copies of the picture.",
        needs=base.needs,
        applies=base.applies,
        at_input=base.at_input,
        scale=base.scale,
        tone_mapped=base.tone_mapped,
        options=(("base", base),),
    )
