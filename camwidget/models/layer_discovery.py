"""Discovery of the layers that have maps, by traced forward passes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..errors import CamwidgetError, LayerError, ModelError
from ..execution.autograd_graph import has_reentrant_checkpoint, other_activations
from ..execution.random_numbers import PrivateRandomNumbers
from ..execution.running import hooked
from ..runtime.error_reports import error_line, log_error
from .layer_choice import (
    is_routed,
    last_features,
    last_shared_features,
    list_stages,
    listed_name,
)
from .layer_recorder import OutputRecorder, Reshape, needs_reshape
from .layer_table import AT_INPUT, Layer, LayerTable
from .logits_reader import OutputReader
from .output_tensors import tensors_of
from .spatial_layout import (
    CONSTANT,
    MISPLACED,
    corner_variants,
)

__all__ = ["discover_layers"]

#: Remedy for a module without layers.
_WITHOUT = "For methods at the picture alone, such as 'saliency' and 'occlusion', pass layers=[]."


def discover_layers(
    module: nn.Module,
    inputs: torch.Tensor,
    reader: OutputReader,
    reshape: Reshape | None = None,
    extras: dict[str, torch.Tensor] | None = None,
    without: bool = False,
) -> LayerTable:
    """Find the layers of a module by three forward passes, and the backward pass of one score.

    Args:
        module: module in evaluation mode.
        inputs: its input (1, C, H, W).
        reader: runs the module, and finds the scores in its output.
        reshape: as in ``wrap``.
        extras: inputs besides the picture, by name.
        without: whether layers are left out.

    Raises:
        ModelError: if the module fails.
        LayerError: if no layer has a map of the picture, though an output has a map's shape.
    """
    extras = extras or {}
    recorder = OutputRecorder(module, inputs.shape[-2:], reshape, reader.frames)

    draws = PrivateRandomNumbers(0)

    def run(picture: torch.Tensor) -> Any:
        # With a graph, which shows the activations; and some modules take another branch without one.
        with torch.enable_grad():
            return reader.call(module, picture.clone().requires_grad_().clone(), extras)

    def own_draws() -> AbstractContextManager[object]:
        """Repeat the random numbers of the first pass, if it used any; a search for draws would take time."""
        draws.restart()
        return draws if draws.any else nullcontext()

    try:
        with draws, hooked(dict.fromkeys(recorder.names, recorder)):
            output = run(inputs)
        with own_draws(), torch.enable_grad():
            found = reader.interpret_first_output(output, module, inputs, extras)
        rectifies, others = other_activations(tensors_of(output if found is None else found))
        is_reentrant = has_reentrant_checkpoint(tensors_of(output))
        gradients = _gradients(found, recorder)
        variants, variant_logits = [], []
        ran = set(recorder.calls)
        for picture in corner_variants(inputs, reader.frames):
            sketches: dict[str, torch.Tensor] = {}
            now: set[str] = set()
            with own_draws(), hooked(_sketch_hooks(module, recorder, sketches, now)):
                variant_output = run(picture)
            variants.append(sketches)
            ran &= now
            variant_logits.append(None if found is None else reader.logits(variant_output, 1))
    except CamwidgetError:
        raise
    except Exception as error:  # a user's module may raise anything
        if "Inference tensor" in str(error):
            raise ModelError(
                f"{type(module).__name__} runs under torch.inference_mode, so that nothing can be differentiated "
                "through it. Use torch.no_grad instead, or wrap the module inside."
            ) from error
        raise ModelError(
            f"{type(module).__name__} fails on an input of shape {tuple(inputs.shape)}: {error_line(error)}. For "
            "another size pass preprocess=camwidget.Preprocess(size, mean=…, std=…); for other inputs than the "
            "picture, inputs={name: tensor}."
        ) from error
    logits = inputs.new_zeros((len(inputs), 0)) if found is None else found.detach()
    no_maps = "it was wrapped with layers=[]" if without else _why_no_maps(recorder)
    if no_maps:
        shape = (inputs.shape[1], inputs.shape[2], inputs.shape[3])
        place = Layer(AT_INPUT, shape, reader.frames)
        return LayerTable(
            logits=logits.cpu(),
            layers={AT_INPUT: place},
            stages=(place,),
            default=AT_INPUT,
            gap_head=None,
            calls={AT_INPUT: 1},
            no_maps=no_maps,
            rectifies=rectifies,
            activations=others,
            is_reentrant=is_reentrant,
            draws=draws.any,
        )
    layers, faults = recorder.find_layers(variants)
    if not layers and all(
        a is None or torch.equal(a[:, -logits.shape[1] :], logits) for a in variant_logits
    ):
        # A module whose output is the same for all pictures can only be judged by shapes.
        layers, faults = recorder.find_layers(None)
    if not layers or (reshape is not None and _is_reshape_wrong(recorder, layers, faults)):
        raise LayerError(f"{_no_layer(recorder, faults)} {_WITHOUT}")
    same = recorder.same(layers)
    influential = _influential_layers(layers, gradients, recorder)
    # Layers that run for some pictures only are available by name.
    influential = {
        n: x
        for n, x in influential.items()
        if n in ran and not is_routed(module, n, recorder.calls)
    } or influential
    # NaN equals nothing; the caller reports weights that are NaN.
    finite = found is not None and bool(torch.isfinite(logits).all())
    head = recorder.gap_detector.find(logits, recorder.calls, layers) if finite else None
    stages = list_stages(influential, same)
    if head is not None:
        head = replace(head, layer=listed_name(head.layer, stages, same))
    is_at_head = head is not None and head.layer in influential
    shared = (
        last_shared_features(module, stages, found, recorder.outputs, recorder.weighted)
        if reader.finds_boxes and found is not None
        else None
    )
    default = (
        head.layer
        if head is not None and is_at_head
        else shared or last_features(module, stages, reader.channels, recorder.calls)
    )
    if not is_at_head and recorder.is_tokens(default):
        # A class token reads the patches for the last time inside the last block, from queries, keys and values;
        # the normalization before them is their source.
        same_shape = [n for n in influential if influential[n].shape == layers[default].shape]
        same_shape = [n for n in same_shape if not _has_zero_gradient(n, gradients)] or same_shape
        other_layers = [n for n in same_shape if not isinstance(module.get_submodule(n), nn.Linear)]
        default = listed_name((other_layers or same_shape)[-1], stages, same)
    if all(default != s.name for s in stages):
        order = list(layers)
        stages = tuple(sorted((*stages, layers[default]), key=lambda s: order.index(s.name)))
    return LayerTable(
        logits=logits.cpu(),
        layers=layers,
        stages=stages,
        default=default,
        gap_head=head,
        calls=recorder.calls,
        tokens=recorder.tokens,
        rectifies=rectifies,
        activations=others,
        same=same,
        faults={**recorder.others, **faults},
        by_frame=recorder.by_frame,
        is_reentrant=is_reentrant,
        draws=draws.any,
    )


def _sketch_hooks(
    module: nn.Module, recorder: OutputRecorder, sketches: dict[str, torch.Tensor], ran: set[str]
) -> dict[nn.Module, Callable[..., Any]]:
    """Return hooks that sketch the outputs of the possible layers."""

    def record_sketch(layer: nn.Module, args: Any, output: Any) -> None:
        ran.add(recorder.names[layer])
        with torch.no_grad():
            sketch = recorder.sketch(output)
        if sketch is not None:
            sketches[recorder.names[layer]] = sketch

    return {module.get_submodule(name): record_sketch for name in recorder.called_once}


def _gradients(
    logits: torch.Tensor | None, recorder: OutputRecorder
) -> dict[str, torch.Tensor | None] | None:
    """Return the gradient of the highest logit at the possible layers; None if it cannot be computed.

    A layer that runs without gradients has none, since the trace cuts the graph off there. If a linear head with zero
    weights blocks the gradient, the gradient of the head's input is returned.
    """
    differentiable = [n for n in recorder.called_once if recorder.outputs[n].requires_grad]
    if logits is None or not logits.requires_grad or not differentiable:
        return None
    outputs = [recorder.outputs[n] for n in differentiable]
    zero_weight_inputs = [source for source in recorder.zero_weight_inputs if source.requires_grad]
    try:
        found = torch.autograd.grad(
            logits.max(), outputs, allow_unused=True, retain_graph=bool(zero_weight_inputs)
        )
        if zero_weight_inputs and not any(g is not None and bool(g.any()) for g in found):
            found = torch.autograd.grad(
                sum(map(_random_sum, zero_weight_inputs), logits.new_zeros(())),
                outputs,
                allow_unused=True,
            )
    except Exception as error:  # a custom function may have no backward pass
        message = "There are no gradients at the layers; methods that need none remain."
        log_error(error, message, level=logging.INFO)
        return None
    return dict(zip(differentiable, found, strict=True))


def _random_sum(features: torch.Tensor) -> torch.Tensor:
    """Return a random linear function of features, as a head would compute; their plain sum may be constant."""
    generator = torch.Generator().manual_seed(0)
    return (features * torch.randn(features.shape, generator=generator).to(features)).sum()


def _influential_layers(
    layers: dict[str, Layer],
    gradients: dict[str, torch.Tensor | None] | None,
    recorder: OutputRecorder,
) -> dict[str, Layer]:
    """Return the layers whose maps influence the score; unused patches and auxiliary heads do not."""
    if gradients is None:
        return layers

    def reaches(name: str) -> bool:
        gradient = gradients.get(name)
        if gradient is None:
            return name not in gradients
        # Rectifiers may be active for another picture; a token that is never read stays without influence.
        if gradient.ndim != 3:
            return True
        maps = recorder.maps(gradient)
        return maps is None or bool(maps.any())

    return {n: layer for n, layer in layers.items() if reaches(n)} or layers


def _has_zero_gradient(name: str, gradients: dict[str, torch.Tensor | None] | None) -> bool:
    """Return whether the score's gradient at a layer is zero everywhere, as at the queries of unused patches."""
    gradient = None if gradients is None else gradients.get(name)
    return gradient is not None and not bool(gradient.any())


def _is_reshape_wrong(
    recorder: OutputRecorder, layers: dict[str, Layer], faults: dict[str, str]
) -> bool:
    """Return whether ``reshape`` makes no map of any output that needs it."""
    reshaped = {n for n, o in recorder.outputs.items() if needs_reshape(o, recorder.size)}
    return reshaped.isdisjoint(layers) and any(faults.get(n) == MISPLACED for n in reshaped)


def _why_no_maps(recorder: OutputRecorder) -> str:
    """Return why no module of a network can have a map; empty if one might."""
    if recorder.scripted and recorder.is_flat and not recorder.others:
        return f"{recorder.scripted[0]!r} is TorchScript, which does not show its layers (use what it was made from)"
    if not recorder.calls:
        return (
            "its forward calls functions and no submodules (PyTorch does not register modules in a plain list: use "
            "nn.ModuleList)"
        )
    if recorder.is_flat and not recorder.others:
        return "none of its modules gives anything but rows of numbers"
    return ""


def _no_layer(recorder: OutputRecorder, faults: dict[str, str]) -> str:
    """Return the message for a module without layers, with the remedy."""
    again = [n for n in recorder.sketches if recorder.calls[n] > 1 and not recorder.is_tokens(n)]
    if again and not any(fault != CONSTANT for fault in faults.values()):
        return (
            f"Every layer of this module that may have maps runs more than once in one forward pass ({again[-1]!r} "
            f"{recorder.calls[again[-1]]} times), so that none has one map. Wrap the part that runs once, such as "
            "one branch with its head."
        )
    if faults and recorder.reshape is not None:
        name, fault = next(
            reversed([f for f in faults.items() if f[1] == MISPLACED] or [*faults.items()])
        )
        return (
            f"What reshape= makes of this module's layers are no maps of the picture. Of {name!r}, {fault}. For tokens "
            "(N, T, C) that go row by row, reshape is x.transpose(1, 2).reshape(N, C, height, width), without "
            "extra tokens."
        )
    what = "".join(f" Of {n!r}, {fault}." for n, fault in list(faults.items())[-1:])
    return (
        "No layer of this module has an output of shape (N, channels, height, width) that is a map of the "
        f"picture.{what} For a transformer whose patches are not found pass reshape=…, a callable from its tokens to "
        "(N, channels, height, width)."
    )
