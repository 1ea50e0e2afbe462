"""Models and image processors of transformers and timm with random weights: how their outputs are interpreted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import camwidget as cw
from camwidget.errors import ModelError, TargetError

transformers = pytest.importorskip("transformers")
timm = pytest.importorskip("timm")

PICTURE = (np.random.default_rng(0).random((50, 70, 3)) * 255).astype(np.uint8)
SMALL: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip


def made(kind: str, config: str, **values: Any) -> nn.Module:
    torch.manual_seed(0)
    module: nn.Module = getattr(transformers, kind)(getattr(transformers, config)(**values))
    return module.eval()


def vit(kind: str = "ViTForImageClassification", **values: Any) -> nn.Module:
    return made(kind, "ViTConfig", **{**SMALL, **values})


NAMES = {0: "cat", 1: "dog", 2: "owl"}
CONVOLUTIONS: dict[str, Any] = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}
SEGMENTS: dict[str, Any] = {
    "hidden_sizes": [8, 8, 8, 8], "depths": [1] * 4, "num_attention_heads": [1] * 4, "decoder_hidden_size": 8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("make", "names", "scores"),
    [
        (lambda: vit(id2label=NAMES), ("cat", "dog", "owl"), "softmax"),
        (lambda: vit(num_labels=2), ("class 0", "class 1"), "softmax"),
        (lambda: vit(num_labels=1, problem_type="regression"), ("output",), "value"),
        (
            lambda: vit(id2label=NAMES, problem_type="multi_label_classification"),
            ("cat", "dog", "owl"),
            "sigmoid",
        ),
        (
            lambda: made("DeiTForImageClassificationWithTeacher", "DeiTConfig", **SMALL),
            ("class 0", "class 1"),
            "softmax",
        ),
        (
            lambda: made("ResNetForImageClassification", "ResNetConfig", **CONVOLUTIONS, id2label=NAMES),
            ("cat", "dog", "owl"),
            "softmax",
        ),
    ],
)  # fmt: skip
def test_a_classifier_has_its_names(
    make: Callable[[], nn.Module], names: tuple[str, ...], scores: str
) -> None:
    module = make()
    model = cw.wrap(module, cw.Preprocess(32))
    assert (model.classes, model.scores) == (names, scores)
    with torch.no_grad():
        expected = module(model.inputs(model.pixels(PICTURE))).logits
    torch.testing.assert_close(model.logits(model.pixels(PICTURE)), expected)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: vit("ViTModel"), "features only, .*'pooler_output'"),
        (lambda: made("Dinov2Model", "Dinov2Config", **SMALL), "features only"),
        (lambda: made("CLIPVisionModelWithProjection", "CLIPVisionConfig", **SMALL), "'image_embeds'"),
        (
            lambda: made("SegformerForSemanticSegmentation", "SegformerConfig", **SEGMENTS),
            r"out\['logits'\].mean\(\(2, 3\)\)",
        ),
        (
            lambda: made(
                "YolosForObjectDetection", "YolosConfig", **{**SMALL, "image_size": [32, 32]}, num_detection_tokens=3
            ),
            "returns boxes",
        ),
        (lambda: timm.create_model("resnet10t", num_classes=0), "num_classes=0"),
    ],
)  # fmt: skip
def test_what_is_no_classifier_has_no_classes(make: Callable[[], nn.Module], words: str) -> None:
    model = cw.wrap(make(), cw.Preprocess(32))
    assert model.classes == ()
    with pytest.raises(TargetError, match=words):
        cw.explain(model, PICTURE)


def test_one_logit_of_a_transformer_is_asked_about() -> None:
    with pytest.raises(ModelError, match="single output"):
        cw.wrap(vit(num_labels=1), cw.Preprocess(32))
    assert cw.wrap(vit(num_labels=1), cw.Preprocess(32), ["no", "yes"]).classes == ("no", "yes")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("ViTImageProcessor", {"size": {"height": 32, "width": 32}}),
        ("ConvNextImageProcessor", {"size": {"shortest_edge": 32}}),
        ("CLIPImageProcessor", {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}),
        ("BitImageProcessor", {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}),
        (
            "EfficientNetImageProcessor",
            {"size": {"height": 32, "width": 32}, "rescale_offset": True, "include_top": False},
        ),
        ("ViTImageProcessor", {"size": {"height": 32, "width": 32}, "do_normalize": False}),
    ],
)  # fmt: skip
def test_an_image_processor_preprocesses_as_it_does_itself(
    kind: str, values: dict[str, Any]
) -> None:
    processor = getattr(transformers, kind)(**values)
    model = cw.wrap(vit(), processor)
    image = Image.fromarray(PICTURE)
    expected = processor(images=image, return_tensors="pt")["pixel_values"]
    pixels = model.pixels(image)
    assert pixels.min() >= 0 and pixels.max() <= 1
    torch.testing.assert_close(model.inputs(pixels), expected, rtol=1e-5, atol=1e-5)
    assert not cw.explain(model, image, method="eigencam").is_empty


def test_an_image_processor_that_does_more_is_refused() -> None:
    twice = transformers.EfficientNetImageProcessor(size={"height": 32, "width": 32})
    with pytest.raises(ModelError, match="does more than resize, crop and normalize"):
        cw.wrap(vit(), twice)
