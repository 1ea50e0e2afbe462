"""Discovery of the layers that have maps, by traced forward passes."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Container, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from .._compat.pytorch import version_of
from ..errors import CamwidgetError, LayerError, ModelError
from ..execution.autograd_graph import has_reentrant_checkpoint, other_activations
from ..execution.random_numbers import PrivateRandomNumbers
from ..execution.running import hooked
from ..runtime.error_reports import error_line, log_error
from .cam_head import GapHeadDetector
from .layer_choice import is_routed, last_features, list_stages, listed_name
from .layer_table import AT_INPUT, Layer, LayerTable
from .output_reader import OutputReader
from .outputs import describe_output, tensors_of
from .spatial_layout import (
    CONSTANT,
    MISPLACED,
    corner_variants,
    layout_fault,
    sketch_maps,
    sketch_tokens,
)
from .token_grid import TokenGrid

__all__ = ["Reshape", "discover_layers", "spatial"]

#: Remedy for a module without layers.
_WITHOUT = "For methods at the picture alone, such as 'saliency' and 'occlusion', pass layers=[]."

#: Conversion of a layer's output to (N, C, H, W).
Reshape = Callable[[torch.Tensor], torch.Tensor]


def spatial(
    output: Any, size: Sequence[int], reshape: Reshape | None, tokens: TokenGrid | None = None
) -> torch.Tensor | None:
    """Convert a layer's output to maps (N, C, H, W) with more than one cell; None if it is no map.

    Args:
        output: the layer's output.
        size: height and width of the picture. Maps have about the same proportions, which distinguishes (N, C, H, W)
            from the (N, H, W, C) of Swin and of ConvNeXt's inner layers.
        reshape: conversion of outputs that are not (N, C, H, W).
        tokens: grid for a transformer's tokens (N, T, C), if there is no ``reshape``.
    """
    if not isinstance(output, torch.Tensor) or not output.is_floating_point():
        return None
    if output.ndim == 5 and output.shape[2] == 1 and reshape is None:
        output = output.squeeze(2)  # a volume of one slice is a picture
    if _needs_reshape(output, size):
        if reshape is not None and output.ndim >= 3:
            try:
                output = reshape(output)
            except (RuntimeError, ValueError, IndexError, TypeError):
                return None
        elif output.ndim == 4:
            output = output.permute(0, 3, 1, 2)
        elif output.ndim == 3 and tokens is not None:
            output = tokens.maps(output, size)
            if output is None:
                return None
    maps: torch.Tensor = output
    if (
        maps.ndim != 4
        or maps.shape[-1] * maps.shape[-2] < 2
        or not _has_picture_proportions(maps, size)
    ):
        return None
    return maps


def _needs_reshape(output: torch.Tensor, size: Sequence[int]) -> bool:
    return output.ndim != 4 or _is_channels_last(output, size)


def _is_channels_last(output: torch.Tensor, size: Sequence[int]) -> bool:
    first, second, third = output.shape[1:]
    if 0 in output.shape:
        return False
    return _skew(first, second, size) < _skew(second, third, size)


def _skew(height: int, width: int, size: Sequence[int]) -> float:
    """Return how far a map's proportions are from the picture's."""
    return abs(math.log(height / width) - math.log(size[0] / size[1]))


def _has_picture_proportions(maps: torch.Tensor, size: Sequence[int]) -> bool:
    """Return whether height and width have the picture's proportions, unlike those of attention."""
    height, width = maps.shape[-2:]
    # The proportions of few cells are rounded coarsely.
    return min(height, width) <= 4 or _skew(height, width, size) < math.log(1.5)


class _OutputRecorder:
    """Forward hook that records every module's output, and which modules return the same tensor."""

    def __init__(self, module: nn.Module, size: Sequence[int], reshape: Reshape | None) -> None:
        parts = {m: name for name, m in module.named_modules() if name}
        #: TorchScript modules, which take no hooks.
        self.scripted = [n for m, n in parts.items() if isinstance(m, torch.jit.ScriptModule)]
        self.names = {m: n for m, n in parts.items() if not isinstance(m, torch.jit.ScriptModule)}
        self.size = size
        self.reshape = reshape
        self.calls: dict[str, int] = {}
        self.gap_detector = GapHeadDetector()
        self.tokens = TokenGrid()
        #: Possible maps by name, kept alive, so that identity shows which modules return the same tensor.
        self.outputs: dict[str, torch.Tensor] = {}
        self.sketches: dict[str, torch.Tensor] = {}
        #: Descriptions of outputs that are no tensors.
        self.others: dict[str, str] = {}
        #: Inputs of linear maps with zero weights, as heads are initialized: no score depends on them yet.
        self.zero_weight_inputs: list[torch.Tensor] = []
        #: Whether no output can have height and width.
        self.is_flat = True
        self._shapes: dict[str, tuple[int, int, int]] = {}
        self._same: dict[tuple[int, int], list[str]] = {}

    @torch.no_grad()
    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        name = self.names[module]
        self.calls[name] = self.calls.get(name, 0) + 1
        maps = spatial(output, self.size, self.reshape, self.tokens)
        if maps is not None and len(maps) != 1:  # windows of a picture form a batch
            maps = None
        sketch = _sketch(output, self.size, self.reshape)
        if not isinstance(output, torch.Tensor):
            self.others[name] = (
                f"it returns {describe_output(output)}, so that a layer inside it has to be named"
            )
        elif output.ndim > 2:
            self.is_flat = False
        if sketch is not None:
            if maps is not None and output.ndim == 4:
                self.tokens.add_grid((maps.shape[2], maps.shape[3]), self.size)
            if maps is not None:
                self._shapes[name] = (maps.shape[1], maps.shape[2], maps.shape[3])
            self.sketches[name] = sketch
            self.outputs[name] = output
            # An in-place ReLU hands on the tensor it was given, at a newer version.
            self._same.setdefault((id(output), version_of(output)), []).append(name)
        source = args[0] if args and isinstance(args[0], torch.Tensor) else None
        self.gap_detector.record(name, module, source, maps)
        if isinstance(module, nn.Linear) and source is not None and not bool(module.weight.any()):
            self.zero_weight_inputs.append(source)

    @property
    def called_once(self) -> list[str]:
        """Names of possible layers that run once in a pass; the others have several maps."""
        return [n for n in self.sketches if self.calls[n] == 1]

    def is_tokens(self, name: str) -> bool:
        """Return whether a module gives tokens (1, T, C), whose positions have to be found."""
        return self.outputs[name].ndim == 3 and self.reshape is None

    def same(self, layers: Container[str]) -> tuple[tuple[str, ...], ...]:
        """Return groups of layer names that stand for the same tensor, the module that computed it first."""
        groups = (tuple(n for n in group if n in layers) for group in self._same.values())
        return tuple(group for group in groups if len(group) > 1)

    def find_layers(
        self, variants: Sequence[dict[str, torch.Tensor]] | None
    ) -> tuple[dict[str, Layer], dict[str, str]]:
        """Return the outputs that are maps, by name, and the reasons why other outputs of a map's shape are not.

        Args:
            variants: sketches for the corner variants of the picture; None to decide by shapes alone.
        """
        faults: dict[str, str] = {}

        def passes(name: str) -> bool:
            sketches = [self.sketches[name], *(v[name] for v in variants or () if name in v)]
            if self.is_tokens(name):
                maps = [self.tokens.maps(s, self.size) for s in sketches]
                sketches = [sketch_maps(m) for m in maps if m is not None]
            # A layer that did not run for every variant is accepted.
            fault = layout_fault(*sketches) if len(sketches) == 3 else None
            if fault is not None:
                faults[name] = fault
            return fault is None

        found = {n for n in self.called_once if not self.is_tokens(n) and passes(n)}
        # Tokens lie on the grids of the outputs that are maps.
        self.tokens.keep_grids([self._shapes[n][1:] for n in found])
        for name in self.called_once:
            output = self.outputs[name]
            maps = self.tokens.maps(output, self.size) if self.is_tokens(name) else None
            if maps is not None and passes(name):
                found.add(name)
                self.tokens.record_extra_tokens(output, maps)
                self._shapes[name] = (maps.shape[1], maps.shape[2], maps.shape[3])
        return {n: Layer(n, self._shapes[n]) for n in self.called_once if n in found}, faults


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
    recorder = _OutputRecorder(module, inputs.shape[-2:], reshape)

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
        for picture in corner_variants(inputs):
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
        place = Layer(AT_INPUT, (inputs.shape[1], inputs.shape[2], inputs.shape[3]))
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
    default = (
        head.layer
        if head is not None and is_at_head
        else last_features(module, stages, reader.channels, recorder.calls)
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
        is_reentrant=is_reentrant,
        draws=draws.any,
    )


def _sketch(output: Any, size: Sequence[int], reshape: Reshape | None) -> torch.Tensor | None:
    """Return a sketch of an output that may be maps or tokens; None for any other output."""
    if not isinstance(output, torch.Tensor) or not output.is_floating_point():
        return None
    if output.ndim == 3 and reshape is None:
        return sketch_tokens(output) if len(output) == 1 and output.numel() else None
    maps = spatial(output, size, reshape)
    return None if maps is None or len(maps) != 1 else sketch_maps(maps)


def _sketch_hooks(
    module: nn.Module, recorder: _OutputRecorder, sketches: dict[str, torch.Tensor], ran: set[str]
) -> dict[nn.Module, Callable[..., Any]]:
    """Return hooks that sketch the outputs of the possible layers."""

    def sketch_output(layer: nn.Module, args: Any, output: Any) -> None:
        ran.add(recorder.names[layer])
        with torch.no_grad():
            sketch = _sketch(output, recorder.size, recorder.reshape)
        if sketch is not None:
            sketches[recorder.names[layer]] = sketch

    return {module.get_submodule(name): sketch_output for name in recorder.called_once}


def _gradients(
    logits: torch.Tensor | None, recorder: _OutputRecorder
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
    recorder: _OutputRecorder,
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
        maps = spatial(gradient, recorder.size, recorder.reshape, recorder.tokens)
        return maps is None or bool(maps.any())

    return {n: layer for n, layer in layers.items() if reaches(n)} or layers


def _has_zero_gradient(name: str, gradients: dict[str, torch.Tensor | None] | None) -> bool:
    """Return whether the score's gradient at a layer is zero everywhere, as at the queries of unused patches."""
    gradient = None if gradients is None else gradients.get(name)
    return gradient is not None and not bool(gradient.any())


def _is_reshape_wrong(
    recorder: _OutputRecorder, layers: dict[str, Layer], faults: dict[str, str]
) -> bool:
    """Return whether ``reshape`` makes no map of any output that needs it."""
    reshaped = {n for n, o in recorder.outputs.items() if _needs_reshape(o, recorder.size)}
    return reshaped.isdisjoint(layers) and any(faults.get(n) == MISPLACED for n in reshaped)


def _why_no_maps(recorder: _OutputRecorder) -> str:
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


def _no_layer(recorder: _OutputRecorder, faults: dict[str, str]) -> str:
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
