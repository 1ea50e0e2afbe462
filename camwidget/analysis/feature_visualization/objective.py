"""Objectives of feature visualization: the score of a target, a channel of a layer, or one unit of a channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, SupportsIndex

import torch

from ..._validation import check_integer
from ...attribution.target_scores import score_of
from ...attribution.targets import PerPictureTarget, Target, TargetLike, resolve_target
from ...errors import LayerError, MethodError, TargetError
from ...execution.running import hooked
from ...models.vision_model import VisionModel

__all__ = ["Objective", "ObjectiveValue"]


class ObjectiveValue(NamedTuple):
    """Values of an objective for one picture."""

    score: torch.Tensor  #: the maximized value, a scalar
    surrogate: torch.Tensor  #: replaces the score where its gradient is 0, a scalar
    logits: torch.Tensor  #: (1, classes), detached


@dataclass(frozen=True)
class Objective:
    """The maximized score: that of a target, computed from the logits, or of a channel of a layer, or of one of its
    units.

    Attributes:
        target: the target; None for a channel.
        layer: the layer's module name; None for a target.
        channel: the channel's number; None for a target.
        unit: (row, column) of one unit of the channel; None for the mean of its map.
    """

    target: Target | None
    layer: str | None = None
    channel: int | None = None
    unit: tuple[int, int] | None = None

    @classmethod
    def of(
        cls,
        model: VisionModel,
        target: TargetLike | None = None,
        layer: Any = None,
        channel: SupportsIndex | None = None,
        unit: tuple[int, int] | None = None,
    ) -> Objective:
        """Create an objective from the arguments of ``visualize``.

        Raises:
            MethodError: if not exactly one of a target and a channel is given.
            TargetError: if there is no such class.
            LayerError: if there is no such layer or channel.
            PromptError: if the model needs a text and has none.
        """
        model.require_text()
        if target is not None:
            if not (layer is None and channel is None and unit is None):
                raise MethodError(
                    "Pass either a target or a channel of a layer to visualize, not both."
                )
            found = resolve_target(model, target)
            if isinstance(found, PerPictureTarget):
                raise TargetError("Pass a single class to visualize, by its name or index.")
            return cls(found)
        if channel is None:
            raise MethodError(
                "Pass what to visualize: a class (its name or index), or layer=… and channel=…, with unit=(row, "
                "column) for one cell."
            )
        if model.no_maps:
            raise LayerError(f"There is no channel to visualize, since {model.no_maps}")
        found_layer = model.layer(layer)
        index, count = (
            check_integer("channel", channel, None, error=MethodError),
            found_layer.shape[0],
        )
        if not 0 <= index < count:
            raise LayerError(
                f"Layer {found_layer.name!r} has no channel {index}: it has channels 0 to {count - 1}."
            )
        if unit is None:
            return cls(None, found_layer.name, index)
        try:
            row, column = unit
        except (TypeError, ValueError):
            raise LayerError(f"unit is a cell of the map, (row, column), not {unit!r}.") from None
        cell = (
            check_integer("unit", row, None, error=MethodError),
            check_integer("unit", column, None, error=MethodError),
        )
        return cls(None, found_layer.name, index, cell)

    @property
    def label(self) -> str:
        """A short name of the maximized score."""
        if self.target is not None:
            return self.target.label
        cell = "" if self.unit is None else f" at row {self.unit[0]}, column {self.unit[1]}"
        return f"channel {self.channel} of {self.layer}{cell}"

    def evaluate(self, model: VisionModel, picture: torch.Tensor) -> ObjectiveValue:
        """Evaluate the objective for one picture, in the caller's grad mode.

        The score is that of the target (for a class its logit before the softmax, Simonyan et al. 2014), or the mean of
        the channel's map, or the activation of the unit. A unit with an inactive ReLU has no gradient, but its
        neighbors, which share its weights, may have one: the surrogate of a unit is the sum over the channel's map,
        weighted by the distance.

        Args:
            model: the model.
            picture: (C, H, W) in [0, 1].

        Returns:
            Score, surrogate and logits.

        Raises:
            MethodError: if the score is not finite.
            LayerError: if the layer does not run, has no map for this size, or has no such unit.
            ModelError: if the model returns NaN.
        """
        outputs: list[torch.Tensor] = []

        def record(module: torch.nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
            outputs.append(output)
            # Later modules may overwrite their input (an in-place ReLU), so they get a copy.
            return output.clone()

        with model.isolated() as isolated:
            hooks = (
                {} if self.layer is None else {isolated.module.get_submodule(self.layer): record}
            )
            with hooked(hooks):
                returned = isolated.run(model.inputs(picture[None]))
            logits = model.logits_of(returned, 1)
            model.check_finite(logits.detach())
            if self.target is not None:
                score = surrogate = score_of(self.target, returned, logits)[0]
            else:
                score, surrogate = self._of_map(model, outputs, picture)
        if not torch.isfinite(score):
            raise MethodError(
                f"The score of {self.label} is {float(score.detach())}: it cannot be raised."
            )
        return ObjectiveValue(score, surrogate, logits.detach())

    def _of_map(
        self, model: VisionModel, outputs: list[torch.Tensor], picture: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not outputs:
            raise LayerError(f"Layer {self.layer!r} did not run. Choose another.")
        output = outputs[0]
        maps = model.maps(output, picture.shape[-2:])
        if maps is None:
            raise LayerError(
                f"Layer {self.layer!r} has a single cell, no map, for a picture of "
                f"{picture.shape[2]}×{picture.shape[1]}. Use a larger size, or a shallower layer."
            )
        plane = maps[0, self.channel]
        if self.unit is None:
            return plane.mean(), plane.mean()
        height, width = maps.shape[-2:]
        row, column = self.unit
        if not (0 <= row < height and 0 <= column < width):
            raise LayerError(
                f"There is no cell {self.unit}: the map of {self.layer!r} has rows 0 to {height - 1} and "
                f"columns 0 to {width - 1} for this size."
            )
        down = torch.arange(height, device=plane.device)[:, None] - row
        across = torch.arange(width, device=plane.device)[None] - column
        return plane[row, column], (plane / (1 + down**2 + across**2)).sum()
