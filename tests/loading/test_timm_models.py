"""``load("timm/…")``: names and folders, with the library's own preprocessing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import camwidget as cw
from camwidget.errors import ModelError, TargetError, WeightsError

timm = pytest.importorskip("timm")
pytestmark = pytest.mark.usefixtures("one_thread")

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 150, 3), np.uint8))
NAMES = ["cat", "dog", "owl"]


def saved(folder: Path, name: str = "test_resnet", *, is_safe: bool = True, **config: Any) -> Any:
    """Write a folder of a model with random weights, as timm does for the hub."""
    torch.manual_seed(0)
    module = timm.create_model(name, num_classes=3).eval()
    module.pretrained_cfg.update(config)
    timm.models.save_for_hf(
        module, folder, model_config={"label_names": NAMES}, safe_serialization=is_safe
    )
    return module


@pytest.mark.parametrize(
    "config",
    [
        {"input_size": (3, 64, 64), "crop_pct": 0.8, "interpolation": "bicubic"},
        {"input_size": (3, 64, 64), "crop_pct": 1.0, "crop_mode": "squash", "interpolation": "bilinear"},
        {"input_size": (3, 64, 64), "crop_pct": 0.9, "crop_mode": "border", "mean": (0.5,) * 3},
        {"input_size": (3, 48, 80), "crop_pct": 0.9, "std": (0.25, 0.5, 1.0)},
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_safe", [True, False])
def test_a_folder_with_its_data_configuration(
    config: dict[str, Any], is_safe: bool, tmp_path: Path
) -> None:
    module = saved(tmp_path, is_safe=is_safe, **config)
    model = cw.load(f"timm/{tmp_path}", device="cpu")
    assert model.classes == tuple(NAMES)
    data = timm.data.resolve_model_data_config(module)
    assert tuple(data["input_size"]) == config["input_size"]
    transform = timm.data.create_transform(**data, is_training=False)
    expected = transform(PICTURE)[None]
    pixels = model.pixels(PICTURE)
    torch.testing.assert_close(model.inputs(pixels), expected, rtol=0, atol=2e-6)
    with torch.no_grad():
        torch.testing.assert_close(model.logits(pixels), module(expected))
    assert not all(e.is_empty for e in cw.explain(model, PICTURE, NAMES))


def test_random_weights_by_name() -> None:
    model = cw.load("timm/test_resnet", pretrained=False, classes=NAMES, device="cpu")
    assert model.classes == tuple(NAMES)
    assert model.origin is not None and not model.origin.pretrained


def test_a_model_without_a_head_compares_pictures(tmp_path: Path) -> None:
    module = timm.create_model("test_resnet", num_classes=0).eval()
    timm.models.save_for_hf(module, tmp_path, safe_serialization=True)
    model = cw.load(f"timm/{tmp_path}", device="cpu")
    with pytest.raises(TargetError, match=r"model.given\(pictures="):
        cw.explain(model, PICTURE)
    assert model.given(pictures=[PICTURE]).predict(PICTURE).probabilities[0] == pytest.approx(1)


def test_what_a_folder_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="lacks config.json.*It has no files"):
        cw.load(f"timm/{tmp_path}")
    saved(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="lacks model.safetensors"):
        cw.load(f"timm/{tmp_path}")
    assert cw.load(f"timm/{tmp_path}", pretrained=False, device="cpu").classes == tuple(NAMES)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["architecture"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="names no architecture of timm.*'hf/"):
        cw.load(f"timm/{tmp_path}")
    with pytest.raises(ModelError, match="Did you mean 'timm/resnet"):
        cw.load("timm/resnet10")
