"""Short trainings of the zoo's models, run on demand."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
from torch import nn

from camwidget.training import bias, captions, questions, scenes, textures
from camwidget.training.train import train

#: What trains a model, and the steps and pictures in each with which it learns far more than chance.
SHORT: dict[str, tuple[ModuleType, int, int]] = {
    "biased": (bias, 60, 16),
    "scenes-weak": (scenes, 240, 32),
    "captions": (captions, 80, 16),
    "vqa": (questions, 140, 24),
    "textures": (textures, 90, 16),
}


@pytest.fixture
def trained_shortly(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], nn.Module]:
    """A model of the zoo after a short training from nothing. No two tests ask for the same one."""

    def trained(name: str) -> nn.Module:
        module, steps, batch = SHORT[name]
        monkeypatch.setattr(module, "BATCH", batch)
        return train(name, steps=steps, seed=3, progress=False)

    return trained
