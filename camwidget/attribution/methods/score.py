"""Gradient-free CAM methods that rerun the model: Score-CAM, Ablation-CAM and Recipro-CAM."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn import functional as nnF

from ...errors import MethodError
from ...models.clip_maps import is_channels_last
from ..batched_inference import rerun_from_input, rerun_from_layer, rerun_scores
from ..targets import ClassTarget, ProbabilityTarget, Target
from ..trace import Trace
from .registry import Step, method

__all__ = ["ablationcam", "reciprocam", "scorecam"]

_GROUP = "Scores"


@method(
    "scorecam",
    label="Score-CAM",
    citation="Wang et al. 2020, CVPR Workshops, arXiv:1910.01279",
    summary="Maps weighted by how the class scores when only what each map shows is left of the picture.",
    formula="M = ReLU(Σ_k α_k · A^k), with α = softmax over k of S(X · H_k) − S(0), "
    "H_k = A^k upsampled and scaled to [0, 1]",
    needs="a forward pass for every channel of the layer",
    group=_GROUP,
    needs_gradients=False,
    slow=True,
)
def scorecam(trace: Trace, target: Target, layer: str, picture: int) -> Iterator[Step]:
    """Score-CAM, algorithm 1 of Wang et al. 2020.

    ``H_k = s(Up(A_k))`` with s scaling to [0, 1], ``C_k = f(X ∘ H_k) − f(X_b)``, ``α = softmax_k(C)`` and
    ``L = ReLU(Σ_k α_k A_k)``. f is the score before softmax, X the normalized input, and X_b is zero, as in common
    implementations. A constant channel has ``H_k = 0`` and thus ``C_k = 0``: it needs no forward pass.

    Channels are processed by decreasing value range, so that an intermediate map resembles the final one; its α are
    the softmax over the channels so far.

    Args:
        trace: recorded forward pass of the pictures.
        target: target whose score is explained.
        layer: layer whose feature maps are weighted.
        picture: index of the picture in the trace.

    Yields:
        Steps with the picture's map (h, w) so far, ≥ 0.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method="scorecam", layer="stem").raw.shape
        (96, 96)
    """
    activation = trace.activation(layer)[picture]
    inputs = trace.model.inputs(trace.pixels[picture : picture + 1])
    value_range = activation.amax((1, 2)) - activation.amin((1, 2))
    order = value_range.argsort(descending=True, stable=True)
    varying, constant = order[value_range[order] > 0], order[value_range[order] == 0]

    def make(start: int, stop: int) -> torch.Tensor:
        # The first input of the series is X_b, the others are the masked pictures of the channels.
        channels = varying[max(start - 1, 0) : stop - 1]
        masks = _unit_masks(trace.enlarged(activation[channels], layer)).to(inputs.dtype)
        if start == 0:
            masks = torch.cat([masks.new_zeros(1, 1, *inputs.shape[-2:]), masks])
        return inputs * masks

    total = len(varying) + 1
    series = rerun_from_input(trace, picture, total, make)
    for scores in rerun_scores(trace, target, ("scorecam", layer, picture), total, series):
        done = len(scores)
        gains = scores[1:] - scores[0]
        channels = varying[: done - 1]
        if done == total:
            gains = torch.cat([gains, gains.new_zeros(len(constant))])
            channels = order
        weights = gains.softmax(0)
        yield Step(done, total, torch.einsum("khw,k->hw", activation[channels], weights).relu())


def _unit_masks(maps: torch.Tensor) -> torch.Tensor:
    """Return maps (K, H, W), none of them constant, as masks (K, 1, H, W) in [0, 1]."""
    masks = maps[:, None]
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

    ``w_k = (y − y_k) / |y|`` and ``L = ReLU(Σ_k w_k A^k)``; y_k is the score with channel k set to zero. The paper
    divides by y, which would flip the sign of every weight where the score is negative, so the magnitude is used.
    A channel that is zero has w = 0 and needs no forward pass. Channels are processed by decreasing magnitude.

    Args:
        trace: recorded forward pass of the pictures.
        target: target whose score is explained.
        layer: layer whose channels are ablated.
        picture: index of the picture in the trace.

    Yields:
        Steps with the picture's map (h, w) so far, ≥ 0.

    Raises:
        MethodError: if a custom ``reshape`` hides which dimension of the layer's output has the channels, or the output
            has not one row for each picture.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method="ablationcam").raw.shape
        (12, 12)
    """
    activation = trace.activation(layer)[picture]
    output = _own_output(trace, layer, picture, "Ablation-CAM")
    dimension = _channel_dimension(trace, layer, output)
    magnitude = activation.abs().amax((1, 2))
    order = magnitude.argsort(descending=True, stable=True)
    nonzero = order[magnitude[order] > 0]
    total = len(nonzero) + 1

    def ablated(start: int, stop: int) -> torch.Tensor:
        # The first output of the series is unchanged and gives y.
        rows = output.expand(stop - start, *output.shape[1:]).clone()
        channels = rows.movedim(dimension, 1)
        numbers = torch.arange(max(start, 1), stop, device=rows.device)
        channels[numbers - start, nonzero[numbers - 1]] = 0
        return rows

    series = rerun_from_layer(trace, layer, picture, total, ablated)
    for scores in rerun_scores(trace, target, ("ablationcam", layer, picture), total, series):
        done = len(scores)
        unchanged = scores[0]
        scale = unchanged.abs() if unchanged != 0 else torch.ones_like(unchanged)
        weights = (unchanged - scores[1:]) / scale
        maps = activation[nonzero[: done - 1]]
        yield Step(done, total, torch.einsum("khw,k->hw", maps, weights).relu())


def _own_output(trace: Trace, layer: str, picture: int, method: str) -> torch.Tensor:
    """Return the row of a layer's output that is a picture's, to be changed.

    Raises:
        MethodError: if the output has not one row for each picture, such as a clip's frames one by one, which reshape=
            puts together.
    """
    output = trace.output(layer)
    if len(output) != len(trace.pixels):
        raise MethodError(
            f"{method} changes a layer's output picture by picture, and {layer!r} gives {len(output)} rows for "
            f"{len(trace.pixels)}, such as frames one by one. Use 'scorecam' or 'gradcam', or another layer."
        )
    return output[picture : picture + 1]


def _channel_dimension(trace: Trace, layer: str, output: torch.Tensor) -> int:
    """Return the channel dimension of a layer's output: (N, C, H, W), (N, C, 1, H, W), (N, H, W, C) or (N, T, C)."""
    count = trace.activation(layer).shape[1]
    model = trace.model
    if model.frames is not None and model.reshape is None:
        return -1 if is_channels_last(output, trace.pixels.shape[-2:], model.frames) else 1
    if trace.model.reshape is None:
        maps = trace.model.maps(output, trace.pixels.shape[-2:])
        return 1 if maps is output or output.ndim == 5 else -1
    if output.ndim in (4, 5) and output.shape[1] == count:
        return 1
    if output.shape[-1] == count:
        return output.ndim - 1
    raise MethodError(
        f"Ablation-CAM does not know which dimension of {layer!r} has the channels, since reshape= makes its map. "
        "Use 'scorecam'."
    )


#: The Gaussian mask of Recipro-CAM around a position.
_GAUSSIAN = ((1 / 16, 1 / 8, 1 / 16), (1 / 8, 1 / 4, 1 / 8), (1 / 16, 1 / 8, 1 / 16))


@method(
    "recipro-cam",
    label="Recipro-CAM",
    citation="Byun and Lee 2022, arXiv:2209.14074; for transformers 2023, arXiv:2310.02588",
    summary="How probable the class is when only the layer's cells around one position are left, for each position.",
    needs="a pass from the layer on for every cell of its map",
    group=_GROUP,
    needs_gradients=False,
    slow=True,
    scale="range",
    clips="its masks are 3×3 cells of a picture's map, and its papers define none in time. Use 'scorecam'.",
)
def reciprocam(
    trace: Trace, target: Target, layer: str, picture: int, *, gaussian: bool = True
) -> Iterator[Step]:
    """Recipro-CAM of Byun and Lee 2022, section 3, and ViT-ReciproCAM of 2023.

    ``L(u, v) = f(A ∘ S_uv)`` with A the layer's output, S_uv a mask of positions, and f the probability of the class
    computed from the layer on (as in the authors' code, which applies softmax), or the score of any other target. S_uv
    is a 3×3 Gaussian around (u, v) with sum 1, cut off at the edges of the map, or 1 at (u, v) alone. Tokens that are
    not part of the map, such as the class token, stay as they are. The paper scales the map from its minimum to its
    maximum, as saliency is.

    The part of the network before the layer runs once for a batch of masks. Positions without a result yet have the
    least value so far.

    Args:
        trace: recorded forward pass of the pictures.
        target: target whose probability or score is explained.
        layer: layer whose output is masked.
        picture: index of the picture in the trace.
        gaussian: whether a mask is Gaussian; otherwise it is a single position.

    Yields:
        Steps with the picture's map (h, w) so far.

    Raises:
        MethodError: if a custom ``reshape`` does more than to rearrange the layer's output.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method="recipro-cam").raw.shape
        (12, 12)
    """
    output = _own_output(trace, layer, picture, "Recipro-CAM")
    places = _places_of_cells(trace, layer, output, picture)
    height, width = places.shape[-2:]
    cells = height * width
    places = places.flatten(1)
    kernel = torch.tensor(
        _GAUSSIAN if gaussian else ((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0))
    )

    def factors(start: int, stop: int) -> torch.Tensor:
        """Return each mask's factor of each cell, (masks, cells)."""
        at_positions = torch.zeros(stop - start, cells)
        at_positions[range(stop - start), range(start, stop)] = 1
        at_positions = at_positions.reshape(-1, 1, height, width)
        return nnF.conv2d(at_positions, kernel[None, None], padding=1).flatten(1).to(output)

    def masked(start: int, stop: int) -> torch.Tensor:
        # The first output of the series is unchanged.
        rows = output.reshape(1, -1).repeat(stop - start, 1)
        first = max(start, 1)
        at_cells = factors(first - 1, stop - 1)[:, None].expand(-1, len(places), -1)
        rows[first - start :, places.flatten()] *= at_cells.flatten(1)
        return rows.reshape(stop - start, *output.shape[1:])

    total = cells + 1
    measured = ProbabilityTarget(trace.model, target) if isinstance(target, ClassTarget) else target
    series = rerun_from_layer(trace, layer, picture, total, masked)
    key = ("recipro-cam", layer, picture, gaussian)
    for scores in rerun_scores(trace, measured, key, total, series):
        done = len(scores)
        found = scores[1:]
        if len(found):
            rest = found.min().expand(cells - len(found))
            yield Step(done, total, torch.cat([found, rest]).reshape(height, width))


def _places_of_cells(trace: Trace, layer: str, output: torch.Tensor, picture: int) -> torch.Tensor:
    """Return where each value of a layer's map (K, h, w) is in the layer's output: indices (K, h, w).

    Raises:
        MethodError: if the map is not a rearrangement of the output.
    """
    activation = trace.activation(layer)[picture]
    numbers = torch.arange(output.numel(), dtype=torch.float64, device=output.device)
    maps = trace.model.maps(numbers.reshape(output.shape), trace.pixels.shape[-2:])
    if maps is not None and maps.shape[1:] == activation.shape:
        places = maps[0].round().long()
        if bool((places == maps[0]).all()) and torch.equal(
            output.flatten()[places.clamp(0, output.numel() - 1)].to(activation), activation
        ):
            return places
    raise MethodError(
        f"Recipro-CAM does not know where the cells of {layer!r} are in its output, since reshape= does more than to "
        "rearrange it. Use 'scorecam'."
    )
