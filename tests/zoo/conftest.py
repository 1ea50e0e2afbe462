"""Short trainings of the zoo's models, each in the test that asks for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn

from camwidget.zoo.train import train

#: Steps in which each model learns far more than chance.
STEPS = {
    "biased": 60,
    "scenes-weak": 240,
    "captions": 100,
    "vqa": 160,
    "textures": 90,
}


@pytest.fixture(scope="session")
def trained_shortly() -> Callable[[str], nn.Module]:
    """A model of the zoo after a short training from nothing. No two tests ask for the same one."""
    return lambda name: train(name, steps=STEPS[name], seed=3, progress=False)
