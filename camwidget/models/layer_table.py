"""Table of the layers that the first pass has found, with look-up by name and the reason why a name has no map."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from ..errors import LayerError
from .cam_head import GapHead
from .spatial_layout import CONSTANT, QUERIES
from .token_grid import TokenGrid

__all__ = ["AT_INPUT", "Layer", "LayerTable"]

#: Layer name of explanations at the picture itself.
AT_INPUT = "input"


@dataclass(frozen=True)
class Layer:
    """A layer whose output is a stack of maps.

    Attributes:
        name: module name.
        shape: channels, height and width of the output. Of a clip, the height is that of all its frames, one below
            the other.
        frames: number of frames of the output; None for pictures.
    """

    name: str
    shape: tuple[int, int, int]
    frames: int | None = None

    def __str__(self) -> str:
        if self.frames is None:
            return f"{self.name} · {self.shape[2]}×{self.shape[1]}"
        height = self.shape[1] // self.frames
        return f"{self.name} · {self.shape[2]}×{height} in {self.frames} frames"


@dataclass(frozen=True)
class LayerTable:
    """Result of the first, traced forward passes of a network.

    Attributes:
        logits: logits (1, columns) of the module; no columns if the output has no class scores.
        layers: every module whose output is a map of the picture, by name, in order of execution.
        stages: the layers that are offered for choice.
        default: name of the default layer.
        gap_head: global average pooling with one linear map; None if there is none.
        calls: number of calls of each module.
        tokens: grid of a transformer's patches.
        rectifies: whether rectifiers influence the logits.
        activations: names of the other activation functions.
        same: groups of names that stand for one tensor.
        faults: reasons why outputs of a map's shape are no maps, by name.
        by_frame: whether frames of a clip may be computed one by one, as in ``may_compute_frames``.
        is_reentrant: whether a part is checkpointed so that gradients do not pass through it.
        draws: whether random numbers were drawn.
        no_maps: reason why no layer has a map, so that the picture is the only layer; empty otherwise.
    """

    logits: torch.Tensor
    layers: dict[str, Layer]
    stages: tuple[Layer, ...]
    default: str
    gap_head: GapHead | None
    calls: dict[str, int] = field(default_factory=dict)
    tokens: TokenGrid = field(default_factory=TokenGrid)
    rectifies: bool = False
    activations: tuple[str, ...] = ()
    same: tuple[tuple[str, ...], ...] = ()
    faults: dict[str, str] = field(default_factory=dict)
    by_frame: bool = True
    is_reentrant: bool = False
    draws: bool = False
    no_maps: str = ""

    def with_classes(self, count: int) -> LayerTable:
        """Return the same table for another number of outputs, which a text defines in some models."""
        if count == self.logits.shape[1]:
            return self
        # A recognized head has one row for each of the former outputs.
        return replace(self, logits=self.logits.new_zeros((1, count)), gap_head=None)

    def map_frames(
        self, name: str, size: Sequence[int], whole: Sequence[int], frames: int | None
    ) -> tuple[int, int] | None:
        """Return the number of frames of a map (h, w) and of the clip; None without frames.

        A map of the size of the clip's strip, ``whole``, is at the picture, and has all its frames. The layer's own
        size is no sign, since clips of another height and width give layers of another one.
        """
        if frames is None:
            return None
        layer = self.layers.get(name)
        if layer is None or layer.frames is None or tuple(size) == tuple(whole):
            return frames, frames
        return layer.frames, frames

    def why_no_maps(self, model: str) -> str:
        """Return why no layer of a model has a map, with the remedy; empty if a layer has one."""
        if not self.no_maps:
            return ""
        return (
            f"no layer of {model} has a map: {self.no_maps}. Use a method at the picture, such as 'saliency', "
            "'integrated-gradients', 'occlusion' or 'rise'."
        )

    def layer(self, name: str, model: str, *, exists: bool = False) -> Layer:
        """A layer by its module name.

        Args:
            name: the module's name; of a module with several names, the first.
            model: what the model is called.
            exists: whether there is a module of that name.

        Raises:
            LayerError: if there is none of that name, or it has no map, or runs more than once.
        """
        if name in self.layers and self.calls[name] == 1:
            return self.layers[name]
        if self.no_maps:
            raise LayerError(f"{model} has no layer {name!r}: {self.no_maps}.")
        refusal = self._refusal(name)
        if refusal is not None:
            raise LayerError(refusal)
        listed = ", ".join(repr(layer.name) for layer in self.stages)
        if exists:
            raise LayerError(
                f"Layer {name!r} of {model} was not seen to run when the model was wrapped (TorchScript is not seen at "
                f"all), so that it is not known whether it has a map. Layers that do: {listed}."
            )
        near = difflib.get_close_matches(str(name), self.layers, n=3, cutoff=0.6)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise LayerError(f"{model} has no layer {name!r}.{hint} Layers: {listed}.")

    def _refusal(self, name: str) -> str | None:
        """Return why a module that ran is no layer, with the remedy; None if it did not run."""
        calls = self.calls.get(name, 0)
        if calls > 1:
            parents = (name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1))
            parent = next((p for p in parents if p in self.layers), None)
            return (
                f"Layer {name!r} runs {calls} times in one forward pass, so its map is not one map. "
                + (
                    "Wrap the part of the module that runs once, such as one branch, or name a layer behind the "
                    "place where the branches join."
                    if parent is None
                    else f"Name the block that contains it, {parent!r}."
                )
            )
        if not calls:
            return None
        listed = ", ".join(repr(layer.name) for layer in self.stages)
        reason = self.faults.get(name, "its output has no height and width")
        if reason == CONSTANT:
            remedy = (
                "It may be a table of parameters, a branch that the picture does not reach, or rectifiers that are all "
                "off."
            )
        elif reason == QUERIES or reason.startswith("it returns") or "reshape=" in reason:
            remedy = ""
        else:
            remedy = "For tokens whose places are not found pass reshape=… to wrap."
        return f"Layer {name!r} has no map: {reason}. Layers that do: {listed}. {remedy}".rstrip()

    def is_same(self, name: str, other: str) -> bool:
        """Return whether two names stand for the same tensor, as a container and its last child do."""
        return name == other or any(name in group and other in group for group in self.same)
