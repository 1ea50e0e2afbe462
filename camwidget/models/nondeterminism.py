"""Nondeterminism: random numbers in a model's forward pass, such as dropout that stays active in evaluation mode.

Random draws are detected by the states of the generators (``execution.random_state``), and by outputs that differ. So
is what depends on the other pictures of a batch, such as the scale of a dynamically quantized layer.
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
from ..execution.random_numbers import PrivateRandomNumbers
from ..execution.random_state import watch_random_draws
from ..images.preprocess import Preprocess
from .scores import are_close

__all__ = ["RunnableModel", "leaves_random_state", "randomness_note"]

F = TypeVar("F", bound=Callable[..., Any])

#: Relative difference below which outputs are equal, since the order of additions is not fixed; and the same where
#: convolutions and products may be computed in fewer bits, by another algorithm for each size of batch.
_ROUNDING, _COARSE = 1e-4, 1e-2

#: Passes in each of which a module has to draw again, if its outputs do not differ.
_AGAIN = 3

#: Parts of names of transforms that draw random numbers.
_RANDOM = ("random", "rand", "autoaugment", "trivialaugment", "augmix", "jitter", "erasing")


class RunnableModel(Protocol):
    """Protocol with the parts of ``VisionModel`` that the check for randomness uses."""

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

    def with_module(self, module: nn.Module) -> RunnableModel:
        """The same model around another module."""

    def inputs(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (N, C, H, W) in [0, 1] as the module's input."""

    def isolated(self) -> AbstractContextManager[RunnableModel]:
        """The model for one pass, around a copy of the module's structure in evaluation mode."""

    def run(self, inputs: torch.Tensor) -> Any:
        """The module's output for inputs (N, C, H, W)."""

    def logits_of(self, output: Any, count: int) -> torch.Tensor:
        """The logits (N, classes) in what ``run`` gave."""


def leaves_random_state(method: F) -> F:
    """Decorate a model's method so that it leaves the random generators unchanged."""

    @functools.wraps(method)
    def wrapped(model: RunnableModel, *args: Any, **kwargs: Any) -> Any:
        with watch_random_draws(model.device, model.module.modules()):
            return method(model, *args, **kwargs)

    return cast("F", wrapped)


def randomness_note(model: RunnableModel) -> str:
    """Return a note on random numbers in a model's outputs, and issue it as a warning; empty for a deterministic model.

    It takes a pass of one picture, one of two, which is repeated if that is not conclusive, and two runs of a custom
    transform. A model whose output for a picture depends on the others of its batch gets ``mixes_pictures``.
    """
    found = " ".join(filter(None, [_randomness_of_preprocess(model), _randomness_of_module(model)]))
    if found:
        found = f"{found} Two calls of camwidget may therefore explain two different things."
        warn(found)
    return found


def _randomness_of_preprocess(model: RunnableModel) -> str:
    geometry = model.preprocess.geometry
    if geometry is None:
        return ""
    steps = [geometry, *getattr(geometry, "transforms", ())]
    picture = _picture(model)
    owners = [step for step in steps if hasattr(step, "__dict__")]
    try:
        with (
            watch_random_draws(torch.device("cpu"), owners) as draws,
            PrivateRandomNumbers(0) as ours,
        ):
            first, second = (model.preprocess.pixels(picture) for _ in range(2))
            is_random = (
                draws.any
                or ours.any
                or first.shape != second.shape
                or not torch.equal(first, second)
            )
    except CamwidgetError:  # the next run reports the error
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


def _randomness_of_module(model: RunnableModel) -> str:
    preprocess = model.preprocess
    size = (preprocess.size[0] * (preprocess.frames or 1), preprocess.size[1])
    if preprocess.geometry is not None:
        try:
            with watch_random_draws(torch.device("cpu")), PrivateRandomNumbers(0):
                size = tuple(preprocess.pixels(_picture(model)).shape[-2:])  # type: ignore[assignment]
        except CamwidgetError:
            return ""
    # The generators are restored at the end only, so that two outputs may differ.
    is_known = model.isolation.draws_random_numbers or model.isolation.restores_generators
    owner, model = model, model.with_module(model.module)
    model.isolation = replace(model.isolation, restores_generators=False)
    pixels = _noise(preprocess.channels, *size)[None]
    if not model.mixes_pictures:
        pixels = torch.cat([pixels, _blocks(preprocess.channels, *size)[None]])
    inputs = model.inputs(pixels)
    with (
        watch_random_draws(model.device, model.module.modules()) as draws,
        PrivateRandomNumbers(0) as ours,
    ):
        try:
            try:
                outputs = _pass(model, inputs)
            except CamwidgetError:
                outputs = _pass(model, inputs[:1])
                # The module does not take two pictures at once.
                owner.mixes_pictures = True
                inputs = inputs[:1]
            alone = _pass(model, inputs[:1]) if len(inputs) > 1 else outputs
            is_drawn = draws.any or ours.any or is_known
            if not is_drawn and _same_outputs(model, outputs[0], alone[0]):
                return ""
            second_outputs = _pass(model, inputs)
        except CamwidgetError:  # the next run reports the error
            return ""
        # Draws from an unknown generator show in the outputs only.
        differ = not _same_outputs(model, outputs, second_outputs)
        is_random = differ or ours.any or owner.isolation.draws_random_numbers
        # Python's and NumPy's generators are everybody's: what drew may have been another thread.
        if not is_random and not (is_drawn and all(_draws(model, inputs) for _ in range(_AGAIN))):
            if not _same_outputs(model, outputs[0], alone[0]):
                owner.mixes_pictures = True
            return ""
    seen = ""
    if differ:
        index = int((outputs[0] - second_outputs[0]).abs().nan_to_num(0).argmax())
        first, second = float(outputs[0, index]), float(second_outputs[0, index])
        seen = f": output {index} of one picture was {first:.3g}, and then {second:.3g}"
    return (
        f"{model.name} draws random numbers in evaluation mode too{seen}. A dropout that is called as a function needs "
        "training=self.training."
    )


def _draws(model: RunnableModel, inputs: torch.Tensor) -> bool:
    """Return whether random numbers are drawn during a pass."""
    with watch_random_draws(model.device, model.module.modules()) as draws:
        _pass(model, inputs)
        return draws.any


def _pass(model: RunnableModel, inputs: torch.Tensor) -> torch.Tensor:
    with model.isolated() as isolated, torch.no_grad():
        return isolated.logits_of(isolated.run(inputs.clone()), len(inputs)).float()


def _same_outputs(model: RunnableModel, one: torch.Tensor, other: torch.Tensor) -> bool:
    if not one.numel():
        return True
    is_exact = model.device.type == "cpu" and torch.get_float32_matmul_precision() == "highest"
    part = max(_ROUNDING if is_exact else _COARSE, 16 * torch.finfo(model.dtype).eps)
    return are_close(other, one, part, 0.0)


def _picture(model: RunnableModel) -> np.ndarray:
    """A picture as a transform gets them: uint8 (H, W, channels)."""
    bands = 3 if model.preprocess.channels == 1 else model.preprocess.channels
    picture: np.ndarray = _noise(bands, 256, 256).mul(255).to(torch.uint8).permute(1, 2, 0).numpy()
    frames = model.preprocess.frames
    return picture if frames is None else np.repeat(picture[None], frames, axis=0)


def _blocks(channels: int, height: int, width: int) -> torch.Tensor:
    """A picture of large squares, each channel black or white: more contrast than noise has at any size."""
    shape = (channels, -(-height // 8), -(-width // 8))
    squares = (torch.rand(shape, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    return squares.repeat_interleave(8, 1).repeat_interleave(8, 2)[:, :height, :width]


def _noise(channels: int, height: int, width: int) -> torch.Tensor:
    return torch.rand((channels, height, width), generator=torch.Generator().manual_seed(1))
