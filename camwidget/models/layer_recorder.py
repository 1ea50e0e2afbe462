"""Recorder of every module's output in the first pass, and which outputs are maps of the picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence
from typing import Any

import torch
from torch import nn

from .._compat.pytorch import version_of
from ..images.film_strip import as_strip
from .cam_head import GapHeadDetector
from .clip_maps import ambiguous_axes, clip_maps
from .input_channels import may_compute_frames
from .layer_choice import has_weights
from .layer_table import Layer
from .output_tensors import describe_output, tensors_of
from .spatial_layout import QUERIES, is_constant, layout_fault, sketch_maps, sketch_tokens
from .token_grid import TokenGrid

__all__ = ["OutputRecorder", "Reshape", "needs_reshape", "spatial"]

#: Conversion of a layer's output to (N, C, H, W).
Reshape = Callable[[torch.Tensor], torch.Tensor]


def spatial(
    output: Any,
    size: Sequence[int],
    reshape: Reshape | None,
    tokens: TokenGrid | None = None,
    frames: int | None = None,
    *,
    by_frame: bool = True,
) -> torch.Tensor | None:
    """Convert a layer's output to maps (N, C, H, W) with more than one cell; None if it is no map.

    Args:
        output: the layer's output.
        size: height and width of the picture. Maps have about the same proportions, which distinguishes (N, C, H, W)
            from the (N, H, W, C) of Swin and of ConvNeXt's inner layers.
        reshape: conversion of outputs that are not (N, C, H, W).
        tokens: grid for a transformer's tokens (N, T, C), if there is no ``reshape``.
        frames: number of frames, if the picture is the strip of a clip; the maps are strips then.
        by_frame: of a clip, as in ``clip_maps``.
    """
    if not isinstance(output, torch.Tensor) or not output.is_floating_point():
        return None
    if frames is not None:
        volume = clip_maps(output, size, frames, reshape, by_frame=by_frame)
        return None if volume is None else as_strip(volume)
    if output.ndim == 5 and output.shape[2] == 1 and reshape is None:
        output = output.squeeze(2)  # a volume of one slice is a picture
    if needs_reshape(output, size):
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


def needs_reshape(output: torch.Tensor, size: Sequence[int]) -> bool:
    """Return whether an output is not (N, C, h, w), for a picture of a size."""
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


class OutputRecorder:
    """Forward hook that records every module's output, and which modules return the same tensor."""

    def __init__(
        self,
        module: nn.Module,
        size: Sequence[int],
        reshape: Reshape | None,
        frames: int | None = None,
    ) -> None:
        parts = {m: name for name, m in module.named_modules() if name}
        #: TorchScript modules, which take no hooks.
        self.scripted = [n for m, n in parts.items() if isinstance(m, torch.jit.ScriptModule)]
        self.names = {m: n for m, n in parts.items() if not isinstance(m, torch.jit.ScriptModule)}
        self.size = size
        self.reshape = reshape
        self.frames = frames
        #: Whether the frames of a clip may be computed one by one.
        self.by_frame = may_compute_frames(module)
        self.calls: dict[str, int] = {}
        self.gap_detector = GapHeadDetector()
        self.tokens = TokenGrid()
        #: Possible maps by name, kept alive, so that identity shows which modules return the same tensor.
        self.outputs: dict[str, torch.Tensor] = {}
        self.sketches: dict[str, torch.Tensor] = {}
        #: Descriptions of outputs that are no tensors.
        self.others: dict[str, str] = {}
        #: Why outputs may be maps of a clip or of its frames one by one, by name.
        self.ambiguous: dict[str, str] = {}
        #: Inputs of linear maps with zero weights, as heads are initialized: no score depends on them yet.
        self.zero_weight_inputs: list[torch.Tensor] = []
        #: Graph nodes of the outputs of modules with weights, where boxes are found.
        self.weighted: set[Any] = set()
        #: Whether no output can have height and width.
        self.is_flat = True
        self._shapes: dict[str, tuple[int, int, int]] = {}
        #: Number of frames of each map of a clip.
        self._map_frames: dict[str, int] = {}
        self._same: dict[tuple[int, int], list[str]] = {}

    @torch.no_grad()
    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        """Record the output of a module that has run."""
        name = self.names[module]
        self.calls[name] = self.calls.get(name, 0) + 1
        maps = self.maps(output)
        if maps is not None and len(maps) != 1:  # windows of a picture form a batch
            maps = None
        sketch = self.sketch(output)
        if not isinstance(output, torch.Tensor):
            self.others[name] = (
                f"it returns {describe_output(output)}, so that a layer inside it has to be named"
            )
        elif output.ndim > 2:
            self.is_flat = False
            why = self._ambiguity(output)
            if why:
                self.ambiguous[name] = why
        if sketch is not None:
            if maps is not None and output.ndim == 4 and self.frames is None:
                self.tokens.add_grid((maps.shape[2], maps.shape[3]), self.size)
            if maps is not None:
                self._shapes[name] = (maps.shape[1], maps.shape[2], maps.shape[3])
                if self.frames is not None:
                    volume = self._volume(output)
                    assert volume is not None  # maps are a strip of it
                    self._map_frames[name] = volume.shape[2]
            self.sketches[name] = sketch
            self.outputs[name] = output
            # An in-place ReLU hands on the tensor it was given, at a newer version.
            self._same.setdefault((id(output), version_of(output)), []).append(name)
        source = args[0] if args and isinstance(args[0], torch.Tensor) else None
        self.gap_detector.record(name, module, source, maps)
        if isinstance(module, nn.Linear) and source is not None and not bool(module.weight.any()):
            self.zero_weight_inputs.append(source)
        if has_weights(module):
            self.weighted.update(t.grad_fn for t in tensors_of(output) if t.grad_fn is not None)

    def maps(self, output: Any) -> torch.Tensor | None:
        """Return an output as maps (N, C, h, w); None if it is none (see ``spatial``)."""
        return spatial(
            output, self.size, self.reshape, self.tokens, self.frames, by_frame=self.by_frame
        )

    def _volume(self, output: torch.Tensor) -> torch.Tensor | None:
        """Return an output as maps (N, C, t, h, w) of a clip; None if it is none."""
        assert self.frames is not None
        return clip_maps(output, self.size, self.frames, self.reshape, by_frame=self.by_frame)

    def _ambiguity(self, output: torch.Tensor) -> str:
        """Return why it is not known which dimension of a clip's output is time; empty if it is, or for pictures."""
        if self.frames is None or self.reshape is not None or not self.by_frame:
            return ""
        return ambiguous_axes(output, self.size, self.frames)

    def sketch(self, output: Any) -> torch.Tensor | None:
        """Return a sketch of an output that may be maps or tokens; None for any other output."""
        if not isinstance(output, torch.Tensor) or not output.is_floating_point():
            return None
        if self.frames is not None:
            # Height and width are tested as those of a picture are; all frames change in the same corners.
            volume = self._volume(output)
            return None if volume is None or len(volume) != 1 else sketch_maps(volume.mean(2))
        if output.ndim == 3 and self.reshape is None:
            return sketch_tokens(output) if len(output) == 1 and output.numel() else None
        maps = spatial(output, self.size, self.reshape)
        return None if maps is None or len(maps) != 1 else sketch_maps(maps)

    @property
    def called_once(self) -> list[str]:
        """Names of possible layers that run once in a pass; the others have several maps."""
        return [n for n in self.sketches if self.calls[n] == 1]

    def is_tokens(self, name: str) -> bool:
        """Return whether a module gives tokens (1, T, C), whose positions have to be found."""
        return self.outputs[name].ndim == 3 and self.reshape is None and self.frames is None

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
        faults = dict(self.ambiguous)

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
        queries = self._find_queries(variants or ())
        for name in self.called_once:
            output = self.outputs[name]
            if self.is_tokens(name) and output.shape[1] in queries:
                faults[name] = QUERIES
                continue
            maps = self.tokens.maps(output, self.size) if self.is_tokens(name) else None
            if maps is not None and passes(name):
                found.add(name)
                self.tokens.record_extra_tokens(output, maps)
                self._shapes[name] = (maps.shape[1], maps.shape[2], maps.shape[3])
        layers = {
            n: Layer(n, self._shapes[n], self._map_frames.get(n))
            for n in self.called_once
            if n in found
        }
        return layers, faults

    def _find_queries(self, variants: Sequence[dict[str, torch.Tensor]]) -> set[int]:
        """Find where patches lie among the tokens of each number; return the numbers of those that are no patches."""
        constant: set[int] = set()
        placed: dict[int, bool] = {}
        for name in self.called_once if variants else ():
            sketches = [self.sketches[name], *(v[name] for v in variants if name in v)]
            count = sketches[0].shape[1]
            if not self.is_tokens(name) or count in placed or len({s.shape for s in sketches}) > 1:
                continue
            if len(sketches) < 3:
                continue
            if is_constant(sketches[0], sketches[1], sketches[2]):
                constant.add(count)
            else:
                placed[count] = self.tokens.find_places(
                    sketches, self.size, are_queries=count in constant
                )
        return {count for count, may_be in placed.items() if not may_be}
