"""Provenance of a model: how it was made, so that the code that makes it again can be written."""

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
        classes: the classes' names, where ``load`` was given any; None for those that the weights tell.
        device: the device that was asked for in ``load``; None for the best one.
        pretrained: for ``load``, False for random weights.
        given: keyword of ``model.given``, and the references by name that it was given; None if it was not called.
    """

    maker: str
    name: str
    weights: str | None = None
    classes: tuple[str, ...] | None = None
    device: str | None = None
    weights_in_memory: bool = False
    pretrained: bool = True
    given: tuple[str, Mapping[str, Any]] | None = None
