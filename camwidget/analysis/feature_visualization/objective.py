"""Objectives of feature visualization: a target's score, a channel of a layer, or one unit of a channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, SupportsIndex

import torch

from ..._validation import whole
from ...attribution.targets import EachTarget, Target, TargetLike, resolve_target, score_of
from ...errors import LayerError, MethodError, TargetError
from ...execution.running import hooked
from ...models.vision_model import VisionModel

__all__ = ["Objective", "ObjectiveValue", "whole"]


class ObjectiveValue(NamedTuple):
    """What one pass says of one picture."""

    score: torch.Tensor  #: the number that is raised, a scalar
    guide: torch.Tensor  #: what leads there while the score itself has no slope, a scalar
    logits: torch.Tensor  #: (1, classes), detached


@dataclass(frozen=True)
class Objective:
    """What is raised: a target computed from the logits, or a channel of a layer, or one of its cells."""

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
        """Check what was asked for.

        Raises:
            MethodError: if it is not either a target, or a layer and its channel.
            TargetError: if there is no such class.
            LayerError: if there is no such layer or channel.
            PromptError: if the model needs a text and has none.
        """
        model.check_told()
        if target is not None:
            if not (layer is None and channel is None and unit is None):
                raise MethodError(
                    "Either a target is visualised, or a channel of a layer: leave one of them out."
                )
            found = resolve_target(model, target)
            if isinstance(found, EachTarget):
                raise TargetError("One picture is drawn for one class: name it, or give its index.")
            return cls(found)
        if channel is None:
            raise MethodError(
                "Say what to visualise: a class (its name or index), or layer=… and channel=…, with "
                "unit=(row, column) for one cell."
            )
        if model.no_maps:
            raise LayerError(f"There is no channel to visualise, since {model.no_maps}")
        place = model.layer(layer)
        index, count = whole("channel", channel, None, error=MethodError), place.shape[0]
        if not 0 <= index < count:
            raise LayerError(
                f"Layer {place.name!r} has no channel {index}: it has channels 0 to {count - 1}."
            )
        if unit is None:
            return cls(None, place.name, index)
        try:
            row, column = unit
        except (TypeError, ValueError):
            raise LayerError(f"unit is a cell of the map, (row, column), not {unit!r}.") from None
        cell = (
            whole("unit", row, None, error=MethodError),
            whole("unit", column, None, error=MethodError),
        )
        return cls(None, place.name, index, cell)

    @property
    def label(self) -> str:
        """What is raised, in a few words."""
        if self.target is not None:
            return self.target.label
        cell = "" if self.unit is None else f" at row {self.unit[0]}, column {self.unit[1]}"
        return f"channel {self.channel} of {self.layer}{cell}"

    def read(self, model: VisionModel, picture: torch.Tensor) -> ObjectiveValue:
        """One pass of one picture (C, H, W) in [0, 1], in the caller's grad mode.

        The score is the target's, which for a class is its logit (before the softmax, Simonyan et al. 2014); or the
        mean of the channel's map; or the one cell. A cell whose ReLU is shut has no slope, but its neighbours,
        which have the same weights, may: the channel's sum is its guide, what is near weighing more.
        """
        seen: list[torch.Tensor] = []

        def keep(module: torch.nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
            seen.append(output)
            # What follows may overwrite what it gets (an in-place ReLU), so it gets a copy.
            return output.clone()

        with model.undisturbed() as held:
            place = {} if self.layer is None else {held.module.get_submodule(self.layer): keep}
            with hooked(place):
                returned = held.run(model.inputs(picture[None]))
            logits = model.logits_of(returned, 1)
            model.check_finite(logits.detach())
            if self.target is not None:
                score = guide = score_of(self.target, returned, logits)[0]
            else:
                score, guide = self._of_map(model, seen, picture)
        if not torch.isfinite(score):
            raise MethodError(
                f"The score of {self.label} is {float(score.detach())}: it cannot be raised."
            )
        return ObjectiveValue(score, guide, logits.detach())

    def _of_map(
        self, model: VisionModel, seen: list[torch.Tensor], picture: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not seen:
            raise LayerError(f"Layer {self.layer!r} did not run. Choose another.")
        output = seen[0]
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
