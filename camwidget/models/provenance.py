"""Provenance of a model: the call that made it, from which the widget writes code that makes it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Provenance"]


@dataclass(frozen=True)
class Provenance:
    """The call that made a model.

    Attributes:
        maker: "load" or "wrap".
        name: for ``load``, the name it was given; for ``wrap``, the class of the module.
        weights: for ``load``, the file or the name of a set of weights; None for the model's own.
        weights_in_memory: for ``load``, whether the weights came from no file, so that no line can name them.
        classes: class names given to ``load``; None for those of the weights.
        device: the device given to ``load``; None for the best one.
        pretrained: for ``load``, False for random weights.
        given: keyword of ``model.given``, and the references by name that it was given, none for a region and
            for detections; None if it was not called.
    """

    maker: str
    name: str
    weights: str | None = None
    classes: tuple[str, ...] | None = None
    device: str | None = None
    weights_in_memory: bool = False
    pretrained: bool = True
    given: tuple[str, Mapping[str, Any]] | None = None
