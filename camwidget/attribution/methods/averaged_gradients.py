"""Averaged gradients: integrated gradients and SmoothGrad."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import numpy as np
import torch

from ...errors import MethodError
from ...execution.batch_search import BatchSeries
from ..batched_inference import batch_series, in_batches, limit_graph
from ..target_scores import uses_module_output
from ..targets import Target
from ..trace import INPUT, Trace
from .backprop import saliency
from .registry import Method, Step, get_method, method, wrapper
from .settings import Range
from .target_reasons import absolute_gradients

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
    trace: Trace,
    target: Target,
    layer: str,
    picture: int,
    *,
    steps: Annotated[int, Range(1, help="points between black and the picture")] = 32,
) -> Iterator[Step]:
    """Integrated gradients, eq. 1 of Sundararajan et al. 2017, from a black picture x′.

    ``IG = (x − x′) · ∫₀¹ ∂y/∂x (x′ + α (x − x′)) dα``, by Gauss–Legendre quadrature, summed over the channels.
    The map is signed: its sum over all pixels is ``y(x) − y(x′)`` (completeness), up to the quadrature error.

    Args:
        trace: recorded forward pass of the pictures.
        target: target whose score is explained.
        layer: unused: the map is at the input.
        picture: index of the picture in the trace.
        steps: number of quadrature points between x′ and x, ≥ 1.

    Yields:
        Steps with the picture's map (H, W) so far.

    Raises:
        MethodError: if ``steps`` is not an integer ≥ 1, or the target has no gradient at the input.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> method = cw.get_method("integrated-gradients", steps=4)
        >>> cw.explain(cw.load(), image, method=method).raw.shape
        (192, 192)
    """
    pixels = trace.pixels[picture : picture + 1]
    model = trace.model.with_inputs_of(picture)
    # Gauss-Legendre nodes and weights are for [-1, 1]; the path runs from 0 to 1.
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    alphas, weights = (nodes + 1) / 2, weights / 2
    difference = trace.model.inputs(pixels) - trace.model.inputs(torch.zeros_like(pixels))
    mean = torch.zeros_like(difference)

    def weighted_gradients(begin: int, end: int) -> torch.Tensor:
        alpha = torch.as_tensor(alphas[begin:end], dtype=pixels.dtype, device=pixels.device)
        inputs = pixels * alpha[:, None, None, None]
        other = Trace(
            model, inputs, (), precision=trace.precision, with_input=True, trims=trace.trims
        )
        limit_graph(model, series, other.nbytes, end - begin)
        other.free_graph_early()  # this is its only gradient
        gradient = other.gradient(target, INPUT)
        weight = torch.as_tensor(weights[begin:end], dtype=gradient.dtype, device=gradient.device)
        return torch.einsum("nchw,n->chw", gradient, weight)

    series = _batches(trace, target, "gradients at the picture", steps)
    for done, part in in_batches(trace.model, 0, steps, series, weighted_gradients):
        mean = mean + part
        yield Step(done, steps, (mean * difference).sum(1)[0])


def _batches(trace: Trace, target: Target, work: str, total: int) -> BatchSeries:
    """Return the batches of a series: of one picture if the target may be a function of a single picture's output."""
    most = 1 if uses_module_output(target) and not trace.is_plain else None
    return batch_series(trace.model, work, total, *trace.pixels.shape[-2:], most=most)


@method(
    "smoothgrad",
    label="SmoothGrad",
    citation="Smilkov et al. 2017, arXiv:1706.03825",
    summary="Saliency averaged over noisy copies of the picture, which takes the speckle out of it.",
    needs="gradients at the picture",
    group=_GROUP,
    target_reason=absolute_gradients,
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
    samples: Annotated[int, Range(1, help="how many noisy copies of the picture")] = 32,
    noise: Annotated[float, Range(0, help="of the picture's range of values", usual=0.5)] = 0.15,
    seed: Annotated[int, Range(0, help="seed of the noise")] = 0,
) -> Iterator[Step]:
    """SmoothGrad, section 3 of Smilkov et al. 2017: the mean of ``M(x + N(0, σ²))``.

    Args:
        trace: recorded forward pass of the pictures.
        target: target whose score is explained.
        layer: layer of the base method's maps; unused if the base method works at the input.
        picture: index of the picture in the trace.
        base: M, a fast method that uses gradients; saliency if None.
        samples: number of noisy copies, ≥ 1.
        noise: σ as a fraction of the picture's range of values, ≥ 0; 0.1 to 0.2 in the paper.
        seed: seed of the noise, ≥ 0.

    Yields:
        Steps with the picture's map so far: (H, W), or (h, w) if the base method works at a layer.

    Raises:
        MethodError: if a setting is out of range, or the base method is slow or uses no gradients.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> method = cw.get_method("smoothgrad", samples=2)
        >>> cw.explain(cw.load(), image, method=method).raw.shape
        (192, 192)
    """
    pixels = trace.pixels[picture : picture + 1]
    model = trace.model.with_inputs_of(picture)
    sigma = noise * float(pixels.max() - pixels.min())
    if base is not None:
        _check_base(base)
    layers = () if base is None or base.at_input else (layer,)
    with_input = base is None or base.needs_input

    def noisy_maps(begin: int, end: int) -> torch.Tensor:
        draws = [_unit_noise(pixels, seed, number) for number in range(begin, end)]
        noisy = pixels + sigma * torch.cat(draws)
        other = Trace(
            model,
            noisy,
            layers,
            precision=trace.precision,
            with_input=with_input,
            trims=trace.trims,
        )
        limit_graph(model, series, other.nbytes, end - begin)
        if base is None or trace.trims:  # another method may need several gradients
            other.free_graph_early()
        compute = saliency if base is None else base.compute
        return compute(other, target, layer).sum(0)

    total: torch.Tensor | None = None
    series = _batches(
        trace, target, f"maps by {'saliency' if base is None else base.name}", samples
    )
    for done, part in in_batches(model, 0, samples, series, noisy_maps):
        total = part if total is None else total + part
        yield Step(done, samples, total / done)


def _unit_noise(pixels: torch.Tensor, seed: int, number: int) -> torch.Tensor:
    """Return standard normal noise for one copy; it does not depend on the batch size."""
    generator = torch.Generator().manual_seed((seed * 1_000_003 + number) % 2**63)
    return torch.randn(pixels.shape, generator=generator).to(pixels)


def _check_base(base: Method) -> None:
    if not isinstance(base, Method):
        raise MethodError(f"base is a method from get_method(…), not {base!r}.")
    if base.slow or not (base.needs_gradients or base.needs_input):
        raise MethodError(
            f"SmoothGrad averages a quick gradient method, such as 'gradcam' or 'guided-backprop'; {base.label} is "
            "not one."
        )


@wrapper("smoothgrad")
def smoothed(base: Method) -> Method:
    """Return the method that averages another method over noisy copies of the picture (SmoothGrad).

    Args:
        base: a fast method that uses gradients.

    Returns:
        The method ``smoothgrad(NAME)``, with the base method's layer and scale.

    Raises:
        MethodError: if the base method is slow, or uses no gradients.

    Example:
        >>> from camwidget.attribution.methods import averaged_gradients, get_method
        >>> averaged_gradients.smoothed(get_method("gradcam")).name
        'smoothgrad(gradcam)'
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
        applies_to=base.applies_to,
        at_input=base.at_input,
        scale=base.scale,
        tone_mapped=base.tone_mapped,
        options=(("base", base),),
    )
