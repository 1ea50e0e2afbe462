"""Randomness in a model's forward pass, such as dropout that stays active in evaluation mode.

Whoever draws random numbers is known by that the generators have moved on: a comparison of two answers alone would
miss what happens in one pass of ten. The generators are put back, so that looking at a model changes no experiment.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import torch

from ..errors import CamwidgetError, warn
from ..execution.random_numbers import PrivateDraws
from .scores import are_close

if TYPE_CHECKING:
    from .vision_model import VisionModel

__all__ = ["RandomDraws", "draws_watched", "leaves_random_state", "randomness_note"]

F = TypeVar("F", bound=Callable[..., Any])

#: A generator's state, and how to compare and put it back.
State = tuple[Callable[[], Any], Callable[[Any], Any]]

#: Answers that differ by less than this part of the largest are the same: the order of additions is not fixed.
_ROUNDING = 1e-4

#: Parts of names of transforms that draw random numbers.
_RANDOM = ("random", "rand", "autoaugment", "trivialaugment", "augmix", "jitter", "erasing")


class RandomDraws:
    """Generators of random numbers, and whether they have been used since.

    Args:
        device: whether the computer's torch generator, or this device's, is seeded is watched, too.
        owners: objects that may have generators of their own among their attributes.
    """

    def __init__(self, device: torch.device, owners: Iterable[object] = ()) -> None:
        self._generators: list[State] = [
            (random.getstate, random.setstate),
            (np.random.get_state, np.random.set_state),
        ]
        #: Of torch's own generators: what is drawn from them is another thread's, or seen by ``PrivateDraws``.
        self._seeded: list[State] = [(torch.get_rng_state, torch.set_rng_state)]
        if device.type == "cuda":
            self._seeded.append(
                (
                    lambda: torch.cuda.get_rng_state(device),
                    lambda state: torch.cuda.set_rng_state(state, device),
                )
            )
        elif device.type == "mps":
            self._seeded.append((torch.mps.get_rng_state, torch.mps.set_rng_state))
        self._seed = torch.initial_seed()
        self._before_seeding = [get() for get, _ in self._seeded]
        for owner in owners:
            self._generators += [
                _of(value) for value in vars(owner).values() if _is_generator(value)
            ]
        self._before = [get() for get, _ in self._generators]

    @property
    def any(self) -> bool:
        """Whether any random number has been drawn, or torch's generator been seeded."""
        return torch.initial_seed() != self._seed or any(
            not _same(get(), before)
            for (get, _), before in zip(self._generators, self._before, strict=True)
        )

    def undo(self) -> None:
        """Put the generators back that have moved on."""
        for (get, put), before in zip(self._generators, self._before, strict=True):
            if not _same(get(), before):
                put(before)
        if torch.initial_seed() != self._seed:
            for (_, put), before in zip(self._seeded, self._before_seeding, strict=True):
                put(before)


@contextmanager
def draws_watched(device: torch.device, owners: Iterable[object] = ()) -> Iterator[RandomDraws]:
    """Within it, it is known whether random numbers are drawn; afterwards they have not been."""
    draws = RandomDraws(device, owners)
    try:
        yield draws
    finally:
        draws.undo()


def leaves_random_state(method: F) -> F:
    """A model's method that leaves the generators of random numbers as they were."""

    @functools.wraps(method)
    def wrapped(model: VisionModel, *args: Any, **kwargs: Any) -> Any:
        with draws_watched(model.device, model.module.modules()):
            return method(model, *args, **kwargs)

    return cast("F", wrapped)


def randomness_note(model: VisionModel) -> str:
    """Say, with a ``CamwidgetWarning`` too, what of a model's answers is left to chance; "" if nothing is.

    It takes one pass of two equal pictures, and one more where that does not settle it; of a transform of one's own
    two runs. Where the module fails on two pictures, and not on one, it is known from then on (``mixes_pictures``).
    """
    found = " ".join(filter(None, [_chance_in_preprocess(model), _chance_in_module(model)]))
    if found:
        found = f"{found} Two calls of camwidget may therefore explain two different things."
        warn(found)
    return found


def _chance_in_preprocess(model: VisionModel) -> str:
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


def _chance_in_module(model: VisionModel) -> str:
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


def _pass(model: VisionModel, inputs: torch.Tensor) -> torch.Tensor:
    with model.undisturbed() as held, torch.no_grad():
        return held.logits_of(held.run(inputs.clone()), len(inputs)).float()


def _alike(model: VisionModel, one: torch.Tensor, other: torch.Tensor) -> bool:
    if not one.numel():
        return True
    part = max(_ROUNDING, 16 * torch.finfo(model.dtype).eps)
    return are_close(other, one, part, 0.0)


def _picture(model: VisionModel) -> np.ndarray:
    """A picture as a transform gets them: uint8 (H, W, channels)."""
    bands = 3 if model.preprocess.channels == 1 else model.preprocess.channels
    picture: np.ndarray = _noise(bands, 256, 256).mul(255).to(torch.uint8).permute(1, 2, 0).numpy()
    return picture


def _noise(channels: int, height: int, width: int) -> torch.Tensor:
    return torch.rand((channels, height, width), generator=torch.Generator().manual_seed(1))


# -- generators ------------------------------------------------------------------------------


def _is_generator(value: object) -> bool:
    kinds = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
    return isinstance(value, kinds)


def _of(generator: Any) -> State:
    if isinstance(generator, torch.Generator):
        return generator.get_state, generator.set_state
    if isinstance(generator, np.random.Generator):
        bits = generator.bit_generator
        return lambda: bits.state, lambda state: setattr(bits, "state", state)
    if isinstance(generator, np.random.RandomState):
        return generator.get_state, generator.set_state
    return generator.getstate, generator.setstate


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, dict):
        return all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, tuple):
        return all(map(_same, one, other))
    return bool(one == other)
