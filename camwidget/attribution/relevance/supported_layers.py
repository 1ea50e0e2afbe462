"""How far relevance can be propagated in a model's network, and the passes that find it out and use it."""

from __future__ import annotations

import logging
import weakref
from dataclasses import dataclass

import torch

from ...errors import MethodError
from ...execution.device_errors import device_lost_error, is_device_lost, is_out_of_memory
from ...models.scores import are_close
from ...models.vision_model import VisionModel
from ...runtime import fork_safety
from ...runtime.error_reports import log_error
from .propagation import RelevancePass
from .rules import LRP, Rules, with_attention
from .tracked_tensor import UnsupportedOperation

__all__ = [
    "REMEDY",
    "Reach",
    "check_logits",
    "reach_of",
    "reason_at_input",
    "reason_at_layer",
    "reason_with_relu",
    "relevance_pass",
]

REMEDY = "Use 'gradcam' or 'layercam', which need only gradients."


@dataclass(frozen=True)
class Reach:
    """How far relevance goes in a network. It depends on the network's operations only, which training keeps.

    Attributes:
        layers: names of the layers at which relevance can be read.
        failure: why relevance cannot be propagated with any rules; None if it can.
        transformer: why relevance cannot be propagated with rules for networks of ReLUs; None if it can.
    """

    layers: frozenset[str] = frozenset()
    failure: str | None = None
    transformer: str | None = None


_reaches: weakref.WeakKeyDictionary[VisionModel, Reach] = weakref.WeakKeyDictionary()
_lock = fork_safety.lock()


def reach_of(model: VisionModel) -> Reach:
    """Return how far relevance goes in a model's network; found out once for each model."""
    with _lock:
        result = _reaches.get(model)
    if result is None:
        # Not under the lock: this waits for the model's lock, whose holder may be waiting for this one.
        result = _find_reach(model)
        with _lock:
            result = _reaches.setdefault(model, result)
    return result


def reason_at_layer(
    model: VisionModel, layer: str | None, *, needs_relu: bool = False
) -> str | None:
    """Return why relevance does not reach a layer, or the input if None; None if it does."""
    reach = reach_of(model)
    reason = (reach.transformer if needs_relu else None) or reach.failure
    if reason is not None:
        return reason
    if layer is not None and model.layer(layer).name not in reach.layers:
        return f"no relevance goes through layer {layer!r}. Choose another layer, or 'gradcam'."
    return None


def _find_reach(model: VisionModel) -> Reach:
    """Run a relevance pass on noise."""
    if model.finds_boxes:
        return Reach(
            failure=f"{model.name} finds boxes: the score of a detection is that of the best box times its overlap, "
            f"and no relevance rule is defined for choosing, moving and comparing boxes. {REMEDY}"
        )
    side = 64 if model.preprocess.geometry is None else 256
    bands = 3 if model.preprocess.channels == 1 else model.preprocess.channels
    noise = torch.rand((side, side, bands), generator=torch.Generator().manual_seed(0))
    pixels = _reduced_picture(model, model.pixels(noise.mul(255).to(torch.uint8).numpy()))
    try:
        with torch.no_grad():
            forward = relevance_pass(model, pixels, with_attention(LRP, "cp"), None)
            check_logits(forward.logits, model.logits(pixels), model)
    except MethodError as error:
        return Reach(failure=str(error).removeprefix("Relevance cannot be computed: "))
    first = forward.first_transformer_operation
    return Reach(
        forward.readable_layers,
        transformer=None
        if first is None
        else f"{model.name} cannot be followed: {first}. {REMEDY}",
    )


def _reduced_picture(model: VisionModel, pixels: torch.Tensor) -> torch.Tensor:
    """Return a large picture (1, C, H, W) subsampled to save memory, or as it is if the model refuses that."""
    factor = min(pixels.shape[-2:]) // 256
    if factor < 2:
        return pixels
    smaller = pixels[..., ::factor, ::factor].contiguous()
    try:
        model.logits(smaller)
    except Exception as error:  # a module of fixed input size may raise anything
        message = "The relevance pass is tried on the picture at its full size."
        log_error(error, message, model, level=logging.DEBUG)
        return pixels
    return smaller


def reason_at_input(model: VisionModel, layer: str) -> str | None:
    """Return why relevance does not reach the input; None if it does. ``layer`` is ignored."""
    return reason_at_layer(model, None)


def reason_with_relu(model: VisionModel, layer: str) -> str | None:
    """Return why relevance does not reach a layer by rules for networks of ReLUs; None if it does."""
    return reason_at_layer(model, layer, needs_relu=True)


def relevance_pass(
    model: VisionModel,
    pixels: torch.Tensor,
    rules: Rules,
    layers: tuple[str, ...] | None,
    negated: frozenset[int] = frozenset(),
    *,
    is_reused: bool = False,
) -> RelevancePass:
    """Run a relevance pass of the model for pixels (N, C, H, W); other arguments as in ``RelevancePass``.

    Raises:
        MethodError: if the model takes inputs besides the picture, or has an operation without a rule.
    """
    problem: Exception
    if model.extras(1):
        raise MethodError(
            f"Relevance cannot be computed: {model.name} takes inputs besides the picture, which would receive a part "
            f"of the relevance. {REMEDY}"
        )
    try:
        with model.isolated(is_kept=True) as isolated:
            inputs = model.inputs(pixels.clone() if pixels.is_inference() else pixels)
            # A copy of the structure has its own of whatever the module writes into.
            return RelevancePass(
                isolated.module,
                inputs,
                rules,
                layers,
                negated,
                model.read_copy,
                shares_weights=isolated.module is not model.module,
                is_reused=is_reused,
            )
    except UnsupportedOperation as error:
        problem = error
        text = f"{model.name} cannot be followed: {error}. {REMEDY}"
    except MethodError:
        raise
    except (RuntimeError, TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
        if is_out_of_memory(error):
            raise
        if is_device_lost(error):
            raise device_lost_error(model.name, model.device, error) from error
        problem = error
        text = f"a copy of {model.name} does not run ({error}). {REMEDY}"
    try:
        raise MethodError(f"Relevance cannot be computed: {text}") from problem
    finally:
        del problem  # which refers to this frame: the two would wait for Python's garbage collector


def check_logits(found: torch.Tensor, expected: torch.Tensor, model: VisionModel) -> None:
    """Check that a replica computes the model's logits; it does not if a hook changes the model's output, say.

    Raises:
        MethodError: if the logits differ.
    """
    tolerance = 0.2 if model.dtype in (torch.float16, torch.bfloat16) else 0.01
    expected = expected.to(found)
    if found.shape == expected.shape:
        if not found.numel():  # a module without logits, whose targets are callables
            return
        if are_close(found, expected, tolerance, torch.finfo(found.dtype).tiny):
            return
    raise MethodError(
        f"Relevance cannot be computed: a copy of {model.name} without hooks has other outputs. {REMEDY}"
    )
