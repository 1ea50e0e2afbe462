"""``load("open_clip/…")``: names and folders; texts are the classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import camwidget as cw
from camwidget.errors import ModelError, PromptError, WeightsError

open_clip = pytest.importorskip("open_clip")
pytestmark = pytest.mark.usefixtures("one_thread")

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 150, 3), np.uint8))
TEXTS = ["a photo of a cat", "two dogs", "an owl at night"]
TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
TOWERS: dict[str, dict[str, Any]] = {
    "vit": {"image_size": 64, "layers": 3, "width": 32, "head_width": 16, "patch_size": 8},
    "resnet": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8},
    "timm": {
        "timm_model_name": "test_resnet", "timm_model_pretrained": False, "timm_pool": "avg", "timm_proj": "linear",
        "image_size": 64,
    },
}  # fmt: skip


def config(tower: str, **values: Any) -> dict[str, Any]:
    return {"embed_dim": 16, "vision_cfg": TOWERS[tower], "text_cfg": TEXT, **values}


def saved(folder: Path, tower: str, preprocess: dict[str, Any], **values: Any) -> Any:
    """Write a folder of a model with random weights, as open_clip does for the hub."""
    written = {"model_cfg": config(tower, **values), "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(written))
    torch.manual_seed(0)
    module = open_clip.create_model(f"local-dir:{folder}", load_weights=False).eval()
    save_file(module.state_dict(), folder / "open_clip_model.safetensors")
    return module


@pytest.mark.parametrize(
    ("tower", "preprocess", "values"),
    [
        ("vit", {"resize_mode": "shortest", "interpolation": "bicubic"}, {}),
        ("vit", {"resize_mode": "squash", "interpolation": "bilinear", "mean": [0.5] * 3}, {}),
        ("resnet", {"resize_mode": "longest", "fill_color": 114}, {}),
        ("timm", {}, {"custom_text": True}),
        ("vit", {}, {"custom_text": True, "init_logit_bias": -10.0}),
    ],
)
def test_a_folder_answers_as_its_library_does(
    tower: str, preprocess: dict[str, Any], values: dict[str, Any], tmp_path: Path
) -> None:
    module = saved(tmp_path, tower, preprocess, **values)
    model = cw.load(f"open_clip/{tmp_path}", device="cpu").given(texts=TEXTS)
    transform = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(**module.visual.preprocess_cfg), is_train=False
    )
    expected = transform(PICTURE)[None]
    pixels = model.pixels(PICTURE)
    torch.testing.assert_close(model.inputs(pixels), expected, rtol=0, atol=2e-6)
    tokens = open_clip.get_tokenizer(f"local-dir:{tmp_path}")(TEXTS)
    with torch.no_grad():
        logits, _ = module.get_logits(expected, tokens)
    found = model.logits(pixels)
    torch.testing.assert_close(found, logits, rtol=1e-4, atol=1e-4)
    probabilities = logits.sigmoid() if "init_logit_bias" in values else logits.softmax(1)
    torch.testing.assert_close(model.probabilities(found), probabilities, rtol=1e-4, atol=1e-5)
    assert model.classes == tuple(TEXTS)
    assert all(layer.name.startswith("visual.") for layer in model.layers)
    assert not all(e.is_empty for e in cw.explain(model, PICTURE, TEXTS))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a small model that open_clip lists."""
    listed = {n: open_clip.get_model_config(n) for n in ("ViT-B-32", "roberta-ViT-B-32")}
    monkeypatch.setattr("open_clip.factory._MODEL_CONFIGS", {"tiny": config("vit"), **listed})
    return "tiny"


def test_weights_by_name_and_from_a_file(tiny: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="nothing is fetched unasked.*pretrained=False"):
        cw.load("open_clip/tiny")
    with pytest.raises(WeightsError, match="'laion2b_s34b_b79k'"):
        cw.load("open_clip/ViT-B-32", weights="laion2b")
    module = saved(tmp_path, "vit", {})
    file = tmp_path / "open_clip_model.safetensors"
    model = cw.load("open_clip/tiny", weights=file, device="cpu").given(texts=TEXTS)
    tokens = open_clip.get_tokenizer("tiny")(TEXTS)
    with torch.no_grad():
        logits, _ = module.get_logits(model.inputs(model.pixels(PICTURE)), tokens)
    torch.testing.assert_close(model.logits(model.pixels(PICTURE)), logits, rtol=1e-4, atol=1e-4)
    torch.manual_seed(1)
    other = cw.load("open_clip/tiny", pretrained=False, device="cpu").given(texts=TEXTS)
    assert not torch.allclose(other.logits(other.pixels(PICTURE)), logits)


def test_what_is_refused(tiny: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Did you mean 'open_clip/ViT-B-32'"):
        cw.load("open_clip/ViT-B32", pretrained=False)
    with pytest.raises(ModelError, match="lacks open_clip_config.json"):
        cw.load(f"open_clip/{tmp_path}")
    with pytest.raises(ModelError, match="are texts.*given"):
        cw.load("open_clip/tiny", classes=TEXTS, pretrained=False)
    with pytest.raises(ModelError, match="Hugging Face hub"):
        cw.load("open_clip/roberta-ViT-B-32", pretrained=False)
    model = cw.load("open_clip/tiny", pretrained=False, device="cpu")
    with pytest.raises(PromptError, match="has 22 tokens, and the model takes at most 16"):
        model.given(texts=["a " * 20])
