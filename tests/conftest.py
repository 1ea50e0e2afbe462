"""Fixtures that several rooms' tests share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision

import camwidget as cw

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"


@pytest.fixture(scope="session")
def real_folder() -> Path:
    """Real weights and photographs that lie beside the project on some machines."""
    if not (REAL / "labels.json").is_file():
        pytest.skip(f"no real weights and photographs at {REAL}")
    return REAL


@pytest.fixture(scope="session")
def real_model(real_folder: Path) -> cw.VisionModel:
    """SqueezeNet 1.1 with real ImageNet weights."""
    weights = real_folder / "weights" / "squeezenet1_1_imagenet.safetensors"
    return cw.load("squeezenet1_1", weights=weights, device="cpu")


@pytest.fixture(scope="session")
def real_labels(real_folder: Path) -> dict[str, Any]:
    """What is known of each photograph, by file name."""
    return json.loads((real_folder / "labels.json").read_text())


@pytest.fixture(scope="session")
def textures() -> cw.VisionModel:
    """The embedded default model."""
    return cw.load(device="cpu")


@pytest.fixture(scope="session")
def random_model() -> Callable[..., cw.VisionModel]:
    """A torchvision architecture with seeded random weights, wrapped."""

    def build(name: str, dtype: torch.dtype = torch.float32, seed: int = 0) -> cw.VisionModel:
        torch.manual_seed(seed)
        options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
        module = torchvision.models.get_model(name, weights=None, **options).eval().to(dtype)
        preset = torchvision.models.get_model_weights(name).DEFAULT
        return cw.wrap(module, preset.transforms(), preset.meta["categories"], name=name)

    return build


@pytest.fixture(scope="session")
def noise() -> torch.Tensor:
    """A smooth random picture, float32 (3, 224, 224) in [0, 1]."""
    coarse = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(7))
    return torch.nn.functional.interpolate(coarse, size=(224, 224), mode="bicubic")[0].clamp(0, 1)
