"""The layers that a first pass has found, lookup by name, and the reason where a name has no map."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace

import torch

from ..errors import LayerError
from .cam_head import GapHead
from .picture_dependence import CONSTANT
from .token_grid import TokenGrid

__all__ = ["AT_INPUT", "Layer", "LayerTable"]

#: Stands for a layer's name where it is the picture itself that is explained.
AT_INPUT = "input"


@dataclass(frozen=True)
class Layer:
    """A layer whose output is a stack of maps."""

    name: str
    shape: tuple[int, int, int]  #: channels, height, width

    def __str__(self) -> str:
        return f"{self.name} · {self.shape[2]}×{self.shape[1]}"


@dataclass(frozen=True)
class LayerTable:
    """What one traced forward pass tells of a network."""

    #: (1, columns), as the module computes them; no columns where the output has no class scores.
    logits: torch.Tensor
    #: Every module whose output is a map of the picture, in order of execution.
    layers: dict[str, Layer]
    stages: tuple[Layer, ...]  #: the few that a person chooses from
    default: str
    gap_head: GapHead | None
    calls: dict[str, int] = field(default_factory=dict)
    tokens: TokenGrid = field(default_factory=TokenGrid)
    rectifies: bool = False  #: whether there are ReLUs on the way to the logits
    activations: tuple[str, ...] = ()  #: the other activations there
    same: tuple[tuple[str, ...], ...] = ()  #: names that stand for one tensor
    faults: dict[str, str] = field(
        default_factory=dict
    )  #: of outputs that are no maps: why, if it is not their shape
    is_reentrant: bool = (
        False  #: whether a part is checkpointed so that gradients cannot be asked through it
    )
    draws: bool = False  #: whether random numbers were drawn
    #: Why there is no layer with a map, so that the picture stands for one; empty if there are some.
    no_maps: str = ""

    def with_classes(self, count: int) -> LayerTable:
        """The same network with another number of outputs: what a text makes of some models."""
        if count == self.logits.shape[1]:
            return self
        # A head that was recognised has a row for each of the outputs there were.
        return replace(self, logits=self.logits.new_zeros((1, count)), gap_head=None)

    def why_no_maps(self, model: str) -> str:
        """Why no layer has a map, and what to do, with what the model is called; empty if there are some."""
        if not self.no_maps:
            return ""
        return (
            f"no layer of {model} has a map: {self.no_maps}. Use a method at the picture, such as 'saliency', "
            "'integrated-gradients', 'occlusion' or 'rise'."
        )

    def layer(self, name: str, model: str, *, exists: bool = False) -> Layer:
        """A layer by its module name.

        Args:
            name: the module's first name.
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
        """Why a module that ran is no layer, and what to do; None if it did not run."""
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
        elif reason.startswith("it returns"):
            remedy = ""
        else:
            remedy = "For tokens whose places are not found pass reshape=… to wrap."
        return f"Layer {name!r} has no map: {reason}. Layers that do: {listed}. {remedy}".rstrip()

    def is_same(self, name: str, other: str) -> bool:
        """Whether two names stand for one tensor, as a container and its last child do."""
        return name == other or any(name in group and other in group for group in self.same)
