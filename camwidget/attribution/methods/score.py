"""Gradient-free CAM methods that rerun the model: Score-CAM and Ablation-CAM."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn import functional as nnF

from ...errors import MethodError
from ..batched_inference import at_input, from_layer, rerun_scores
from ..targets import Target
from ..trace import Trace
from .registry import Step, method

__all__ = ["ablationcam", "scorecam"]

_GROUP = "Scores"


@method(
    "scorecam",
    label="Score-CAM",
    citation="Wang et al. 2020, CVPR Workshops, arXiv:1910.01279",
    summary="Maps weighted by how the class scores when only what each map shows is left of the picture.",
    needs="a forward pass for every channel of the layer",
    group=_GROUP,
    needs_gradients=False,
    slow=True,
)
def scorecam(trace: Trace, target: Target, layer: str, picture: int) -> Iterator[Step]:
    """Score-CAM, algorithm 1 of Wang et al. 2020.

    ``H_k = s(Up(A_k))`` with s scaling to [0, 1], ``C_k = f(X ∘ H_k) − f(X_b)``, ``α = softmax_k(C)`` and
    ``L = ReLU(Σ_k α_k A_k)``. f is the score before softmax, X the normalised input, and X_b is zero, as in the
    implementations at large. A flat channel has ``H_k = 0`` and thus ``C_k = 0``: it needs no pass.

    Channels go by falling spread, so that an unfinished map resembles the finished one: its α are those of
    the channels so far.

    Yields:
        (h, w), ≥ 0.
    """
    activation = trace.activation(layer)[picture]
    inputs = trace.model.inputs(trace.pixels[picture : picture + 1])
    spread = activation.amax((1, 2)) - activation.amin((1, 2))
    order = spread.argsort(descending=True, stable=True)
    live, flat = order[spread[order] > 0], order[spread[order] == 0]

    def make(start: int, stop: int) -> torch.Tensor:
        # The first of the series is X_b, the others the channels.
        channels = live[max(start - 1, 0) : stop - 1]
        masks = _unit_masks(activation[channels], inputs.shape[-2:]).to(inputs.dtype)
        if start == 0:
            masks = torch.cat([masks.new_zeros(1, 1, *inputs.shape[-2:]), masks])
        return inputs * masks

    total = len(live) + 1
    series = at_input(trace, picture, total, make)
    for scores in rerun_scores(trace, target, ("scorecam", layer, picture), total, series):
        done = len(scores)
        gains = scores[1:] - scores[0]
        seen = live[: done - 1]
        if done == total:
            gains = torch.cat([gains, gains.new_zeros(len(flat))])
            seen = order
        weights = gains.softmax(0)
        yield Step(done, total, torch.einsum("khw,k->hw", activation[seen], weights).relu())


def _unit_masks(maps: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Maps (K, h, w), none of them flat, as masks (K, 1, H, W) from 0 to 1."""
    masks = nnF.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)
    low, high = masks.amin((2, 3), keepdim=True), masks.amax((2, 3), keepdim=True)
    return (masks - low) / (high - low).clamp(min=torch.finfo(masks.dtype).tiny)


@method(
    "ablationcam",
    label="Ablation-CAM",
    citation="Desai and Ramaswamy 2020, WACV, doi:10.1109/WACV45572.2020.9093360",
    summary="Maps weighted by how much the class's score falls when each map is set to zero.",
    needs="a pass from the layer on for every channel",
    group=_GROUP,
    needs_gradients=False,
    slow=True,
)
def ablationcam(trace: Trace, target: Target, layer: str, picture: int) -> Iterator[Step]:
    """Ablation-CAM, eqs. 3 and 4 of Desai and Ramaswamy 2020.

    ``w_k = (y − y_k) / |y|``, y_k being the score with channel k set to zero, and ``L = ReLU(Σ_k w_k A^k)``. The
    paper divides by y; where the score is negative that would turn every weight about, so the magnitude is
    taken. A channel that is zero already has w = 0 and needs no pass. Channels go by falling magnitude.

    Yields:
        (h, w), ≥ 0.
    """
    activation = trace.activation(layer)[picture]
    output = trace.output(layer)[picture : picture + 1]
    dimension = _channel_dimension(trace, layer, output)
    magnitude = activation.abs().amax((1, 2))
    order = magnitude.argsort(descending=True, stable=True)
    live = order[magnitude[order] > 0]
    total = len(live) + 1

    def change(start: int, stop: int) -> torch.Tensor:
        # The first of the series is left as it is, and gives y.
        rows = output.expand(stop - start, *output.shape[1:]).clone()
        channels = rows.movedim(dimension, 1)
        numbers = torch.arange(max(start, 1), stop, device=rows.device)
        channels[numbers - start, live[numbers - 1]] = 0
        return rows

    series = from_layer(trace, layer, picture, total, change)
    for scores in rerun_scores(trace, target, ("ablationcam", layer, picture), total, series):
        done = len(scores)
        whole = scores[0]
        scale = whole.abs() if whole != 0 else torch.ones_like(whole)
        weights = (whole - scores[1:]) / scale
        maps = activation[live[: done - 1]]
        yield Step(done, total, torch.einsum("khw,k->hw", maps, weights).relu())


def _channel_dimension(trace: Trace, layer: str, output: torch.Tensor) -> int:
    """Where a layer's own output has its channels: (N, C, H, W), (N, C, 1, H, W), (N, H, W, C) or (N, T, C)."""
    count = trace.activation(layer).shape[1]
    if trace.model.reshape is None:
        maps = trace.model.maps(output, trace.pixels.shape[-2:])
        return 1 if maps is output or output.ndim == 5 else -1
    if output.ndim in (4, 5) and output.shape[1] == count:
        return 1
    if output.shape[-1] == count:
        return output.ndim - 1
    raise MethodError(
        f"Ablation-CAM does not know the channels of {layer!r}, which reshape= makes a map of. Use 'scorecam'."
    )
