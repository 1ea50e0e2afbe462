"""Image processors of transformers, slow and fast: a ``Preprocess`` gives their pixels, one by one."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import camwidget as cw
from camwidget.errors import ModelError
from camwidget.models.image_processors import read_processor

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.usefixtures("one_thread")

SQUARE, EDGE = {"height": 48, "width": 48}, {"shortest_edge": 48}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "vit": ("ViT", {"size": SQUARE}),
    "vit, not square": ("ViT", {"size": {"height": 40, "width": 56}}),
    "vit, nearest": ("ViT", {"size": SQUARE, "resample": 0}),
    "vit, bicubic": ("ViT", {"size": SQUARE, "resample": 3}),
    "vit, lanczos": ("ViT", {"size": SQUARE, "resample": 1}),
    "vit, as it comes": ("ViT", {"do_resize": False}),
    "vit, not normalized": ("ViT", {"size": SQUARE, "do_normalize": False}),
    "vit, from -1 to 1": ("ViT", {"size": SQUARE, "rescale_factor": 1 / 127.5, "do_normalize": False}),
    "vit, not rescaled": ("ViT", {"size": SQUARE, "do_rescale": False, "do_normalize": False}),
    "vit, of bytes": ("ViT", {"size": SQUARE, "do_rescale": False, "image_mean": [120.0] * 3, "image_std": [60.0] * 3}),
    "deit": ("DeiT", {"size": {"height": 56, "width": 56}, "crop_size": SQUARE}),
    "deit, not cropped": ("DeiT", {"size": SQUARE, "do_center_crop": False}),
    "convnext": ("ConvNext", {"size": EDGE, "crop_pct": 0.875}),
    "convnext, wide": ("ConvNext", {"size": {"shortest_edge": 384}, "crop_pct": 0.875}),
    "dinov2": ("Bit", {"size": {"shortest_edge": 56}, "crop_size": SQUARE, "resample": 3}),
    "dinov2, padded": ("Bit", {"size": {"shortest_edge": 40}, "crop_size": SQUARE}),
    "clip": ("CLIP", {"size": EDGE, "crop_size": SQUARE}),
    "clip, not converted": ("CLIP", {"size": EDGE, "crop_size": SQUARE, "do_convert_rgb": False}),
    "siglip": ("Siglip", {"size": SQUARE}),
    "levit": ("Levit", {"size": {"shortest_edge": 48}, "crop_size": SQUARE}),
    "mobilenet": ("MobileNetV2", {"size": {"shortest_edge": 56}, "crop_size": SQUARE}),
    "efficientnet": ("EfficientNet", {"size": SQUARE, "rescale_offset": True, "include_top": False}),
    "beit": ("Beit", {"size": SQUARE}),
}  # fmt: skip


def random_picture(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(noise).resize(size).convert(mode)


PICTURES = {
    "landscape": random_picture((150, 90)),
    "portrait": random_picture((61, 120)),
    "small": random_picture((31, 33)),
    "gray": random_picture((100, 90), "L"),
    "palette": random_picture((100, 90), "P"),
}


def made(kind: str, values: dict[str, Any], speed: str) -> Any:
    name = {"fast": f"{kind}ImageProcessor", "slow": f"{kind}ImageProcessorPil"}[speed]
    if not hasattr(transformers, name):
        pytest.skip(f"transformers has no {name}")
    return getattr(transformers, name)(**values)


@pytest.mark.parametrize("speed", ["fast", "slow"])
@pytest.mark.parametrize("case", CASES)
def test_its_pixels_are_the_processors(case: str, speed: str) -> None:
    kind, values = CASES[case]
    processor = made(kind, values, speed)
    preprocess = read_processor(processor)
    assert isinstance(preprocess, cw.Preprocess)
    for name, picture in PICTURES.items():
        expected = processor(images=picture.convert("RGB"), return_tensors="pt")["pixel_values"][0]
        pixels = preprocess.pixels(picture)
        assert 0 <= float(pixels.min()) <= float(pixels.max()) <= 1, name
        scale = float(expected.abs().max())
        torch.testing.assert_close(
            preprocess.normalize(pixels),
            expected.float(),
            rtol=0,
            atol=1e-6 * max(1.0, scale),
            msg=name,
        )
        if kind != "Levit":  # it rounds nothing where it resizes in two steps
            levels = pixels * 255
            assert torch.equal(levels, levels.round()) or speed == "fast", name


@pytest.mark.parametrize("speed", ["fast", "slow"])
def test_one_channel(speed: str) -> None:
    values = {"size": SQUARE, "image_mean": [0.4], "image_std": [0.2]}
    processor = made("ViT", values, speed)
    preprocess = read_processor(processor, 1)
    assert preprocess.channels == 1
    for picture in PICTURES.values():
        expected = processor(images=picture.convert("L"), return_tensors="pt")["pixel_values"][0]
        found = preprocess.normalize(preprocess.pixels(picture))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_a_gray_model_of_transformers() -> None:
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=48, patch_size=8,
        num_channels=1,
    )  # fmt: skip
    module = transformers.ViTForImageClassification(config).eval()
    processor = transformers.ViTImageProcessor(size=SQUARE, image_mean=[0.4], image_std=[0.2])
    model = cw.wrap(module, processor)
    assert model.pixels(PICTURES["landscape"]).shape == (1, 1, 48, 48)
    assert not cw.explain(model, PICTURES["landscape"], method="eigencam").is_empty


def test_a_call_of_a_processor_is_the_processor() -> None:
    processor = made("ViT", {"size": SQUARE}, "fast")
    expected = read_processor(processor)
    picture = PICTURES["landscape"]
    for call in (partial(processor, return_tensors="pt"), processor.preprocess, processor.__call__):
        found = read_processor(call)
        assert torch.equal(found.pixels(picture), expected.pixels(picture))
        assert found.mean == expected.mean
    with pytest.raises(ModelError, match="calls ViTImageProcessor with do_resize: give these"):
        read_processor(partial(processor, do_resize=False))
    # Other functions stay what they are.
    own = partial(max, 1)
    assert read_processor(own) is own


@pytest.mark.parametrize("key", [slice(None), "pixel_values"])
def test_a_function_around_a_processor_is_refused_with_the_remedy(key: Any) -> None:
    processor = made("ViT", {"size": SQUARE}, "fast")

    def call(picture: Image.Image) -> Any:
        found = processor(picture, return_tensors="pt")
        return found["pixel_values"] if key == "pixel_values" else found

    with pytest.raises(ModelError, match="image processor of transformers.*itself"):
        cw.Preprocess.of(call).pixels(PICTURES["landscape"])
