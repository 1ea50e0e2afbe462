"""Randomness in a model's forward pass, such as dropout that stays active in evaluation mode.

A drawn number is seen in the generators (``execution.random_state``), and in answers that differ.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol, TypeVar, cast

import numpy as np
import torch
from torch import nn

from ..errors import CamwidgetError, warn
from ..execution.isolated_pass import PassIsolation
from ..execution.random_numbers import PrivateDraws
from ..execution.random_state import draws_watched
from ..images.preprocess import Preprocess
from .scores import are_close

__all__ = ["RunnableModel", "leaves_random_state", "randomness_note"]

F = TypeVar("F", bound=Callable[..., Any])

#: Answers that differ by less than this part of the largest are the same: the order of additions is not fixed.
_ROUNDING = 1e-4

#: Parts of names of transforms that draw random numbers.
_RANDOM = ("random", "rand", "autoaugment", "trivialaugment", "augmix", "jitter", "erasing")


class RunnableModel(Protocol):
    """A model as far as a check of its randomness runs it: the part of ``VisionModel`` that this module uses."""

    name: str
    module: nn.Module
    preprocess: Preprocess
    mixes_pictures: bool
    isolation: PassIsolation

    @property
    def device(self) -> torch.device:
        """Where the module's parameters are."""

    @property
    def dtype(self) -> torch.dtype:
        """The floating point type of the module's parameters."""

    def around(self, module: nn.Module) -> RunnableModel:
        """The same model around another module."""

    def inputs(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (N, C, H, W) in [0, 1] as the module's input."""

    def undisturbed(self) -> AbstractContextManager[RunnableModel]:
        """The model for one pass, around a copy of the module's structure in evaluation mode."""

    def run(self, inputs: torch.Tensor) -> Any:
        """The module's output for inputs (N, C, H, W)."""

    def logits_of(self, output: Any, count: int) -> torch.Tensor:
        """The logits (N, classes) in what ``run`` gave."""


def leaves_random_state(method: F) -> F:
    """A model's method that leaves the generators of random numbers as they were."""

    @functools.wraps(method)
    def wrapped(model: RunnableModel, *args: Any, **kwargs: Any) -> Any:
        with draws_watched(model.device, model.module.modules()):
            return method(model, *args, **kwargs)

    return cast("F", wrapped)


def randomness_note(model: RunnableModel) -> str:
    """Say, with a ``CamwidgetWarning`` too, what of a model's answers is left to chance; "" if nothing is.

    It takes one pass of two equal pictures, and one more where that does not settle it; of a transform of one's own
    two runs. Where the module fails on two pictures, and not on one, it is known from then on (``mixes_pictures``).
    """
    found = " ".join(filter(None, [_chance_in_preprocess(model), _chance_in_module(model)]))
    if found:
        found = f"{found} Two calls of camwidget may therefore explain two different things."
        warn(found)
    return found


def _chance_in_preprocess(model: RunnableModel) -> str:
    geometry = model.preprocess.geometry
    if geometry is None:
        return ""
    steps = [geometry, *getattr(geometry, "transforms", ())]
    picture = _picture(model)
    owners = [step for step in steps if hasattr(step, "__dict__")]
    try:
        with draws_watched(torch.device("cpu"), owners) as draws, PrivateDraws(0) as ours:
            first, second = (model.preprocess.pixels(picture) for _ in range(2))
            is_random = (
                draws.any
                or ours.any
                or first.shape != second.shape
                or not torch.equal(first, second)
            )
    except CamwidgetError:  # whoever runs it next is told
        return ""
    if not is_random:
        return ""
    names = [type(step).__name__ for step in steps[1:]]
    named = [name for name in names if any(part in name.lower() for part in _RANDOM)]
    which = f" ({', '.join(named)})" if named else ""
    return (
        f"The preprocessing of {model.name} draws random numbers{which}: pass the transform that evaluation uses, "
        "without augmentation."
    )


def _chance_in_module(model: RunnableModel) -> str:
    preprocess = model.preprocess
    size = preprocess.size
    if preprocess.geometry is not None:
        try:
            with draws_watched(torch.device("cpu")), PrivateDraws(0):
                size = tuple(preprocess.pixels(_picture(model)).shape[-2:])  # type: ignore[assignment]
        except CamwidgetError:
            return ""
    # Here the generators are put back at the end only: two answers are to be as different as they may be.
    is_known = model.isolation.draws or model.isolation.moves
    owner, model = model, model.around(model.module)
    model.isolation = replace(model.isolation, moves=False)
    inputs = model.inputs(_noise(preprocess.channels, *size)[None])
    if not model.mixes_pictures:
        inputs = inputs.repeat(2, 1, 1, 1)
    with draws_watched(model.device, model.module.modules()) as draws, PrivateDraws(0) as ours:
        try:
            try:
                answers = _pass(model, inputs)
            except CamwidgetError:
                answers = _pass(model, inputs[:1])
                # It takes no two pictures at once.
                owner.mixes_pictures = True
                inputs = inputs[:1]
            is_drawn = draws.any or ours.any or is_known
            if not is_drawn and _alike(model, answers[0], answers[-1]):
                return ""
            again = _pass(model, inputs)
        except CamwidgetError:  # whoever runs it next is told
            return ""
        # Of a generator that nobody holds only the answers tell.
        differ = not _alike(model, answers, again)
        if not (differ or draws.any or is_drawn):
            return ""
    seen = ""
    if differ:
        index = int((answers[0] - again[0]).abs().nan_to_num(0).argmax())
        first, second = float(answers[0, index]), float(again[0, index])
        seen = f": output {index} of one picture was {first:.3g}, and then {second:.3g}"
    return (
        f"{model.name} draws random numbers in evaluation mode too{seen}. A dropout that is called as a function needs "
        "training=self.training."
    )


def _pass(model: RunnableModel, inputs: torch.Tensor) -> torch.Tensor:
    with model.undisturbed() as held, torch.no_grad():
        return held.logits_of(held.run(inputs.clone()), len(inputs)).float()


def _alike(model: RunnableModel, one: torch.Tensor, other: torch.Tensor) -> bool:
    if not one.numel():
        return True
    part = max(_ROUNDING, 16 * torch.finfo(model.dtype).eps)
    return are_close(other, one, part, 0.0)


def _picture(model: RunnableModel) -> np.ndarray:
    """A picture as a transform gets them: uint8 (H, W, channels)."""
    bands = 3 if model.preprocess.channels == 1 else model.preprocess.channels
    picture: np.ndarray = _noise(bands, 256, 256).mul(255).to(torch.uint8).permute(1, 2, 0).numpy()
    return picture


def _noise(channels: int, height: int, width: int) -> torch.Tensor:
    return torch.rand((channels, height, width), generator=torch.Generator().manual_seed(1))
