"""All families of torchvision's classifiers, and transformers whose patch tokens are found automatically."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

import camwidget as cw

FAMILIES = {
    "alexnet": (256, 13, 13),
    "convnext_tiny": (768, 7, 7),
    "densenet121": (1024, 7, 7),
    "efficientnet_b0": (1280, 7, 7),
    "efficientnet_v2_s": (1280, 12, 12),
    "googlenet": (1024, 7, 7),
    "inception_v3": (2048, 8, 8),
    "maxvit_t": (512, 7, 7),
    "mnasnet0_5": (1280, 7, 7),
    "mobilenet_v2": (1280, 7, 7),
    "mobilenet_v3_small": (576, 7, 7),
    "regnet_x_400mf": (400, 7, 7),
    "regnet_y_400mf": (440, 7, 7),
    "resnet18": (512, 7, 7),
    "resnext50_32x4d": (2048, 7, 7),
    "shufflenet_v2_x0_5": (1024, 7, 7),
    "squeezenet1_1": (512, 13, 13),
    "swin_t": (768, 7, 7),
    "swin_v2_t": (768, 8, 8),
    "vgg11": (512, 14, 14),
    "vit_b_32": (768, 7, 7),
    "wide_resnet50_2": (2048, 7, 7),
}


def test_no_family_is_forgotten() -> None:
    def family(name: str) -> str:
        return name.split("_")[0].rstrip("0123456789").replace("wide", "wide_resnet")

    listed = torchvision.models.list_models(module=torchvision.models)
    assert {family(n) for n in listed} == {family(n) for n in FAMILIES}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_explained_without_a_word(
    random_model: Callable[..., cw.VisionModel], name: str, noise: torch.Tensor
) -> None:
    model = random_model(name)
    if name.startswith("vit"):
        nn.init.normal_(model.module.heads.head.weight, std=0.02)  # it starts at zero
        model = cw.wrap(model.module, model.preprocess, model.classes)
    assert model.layer().shape == FAMILIES[name]
    assert 4 <= len(model.layers) <= 40
    picture = noise.permute(1, 2, 0).mul(255).to(torch.uint8).numpy()
    exps = cw.explain(model, picture, [3, 5, 7], ["gradcam", "layercam", "eigencam"])
    assert all(np.isfinite(e.raw).all() for e in exps)
    assert sum(e.is_empty for e in exps.select(method="gradcam")) < 3
    size = tuple(model.pixels(picture).shape[-2:])
    assert exps[0].saliency.shape == size
    assert exps[0].raw.shape == FAMILIES[name][1:]


def vit(size: int = 64, patch: int = 16) -> nn.Module:
    torch.manual_seed(0)
    module = torchvision.models.VisionTransformer(size, patch, 3, 2, 32, 64, num_classes=5).eval()
    nn.init.normal_(module.heads.head.weight)  # torchvision starts it at zero
    return module


def test_a_class_tokens_patches_are_read_for_the_last_time_inside_the_last_block() -> None:
    model = cw.wrap(vit(), cw.Preprocess(64))
    names = [layer.name for layer in model.layers]
    assert model.default_layer == "encoder.layers.encoder_layer_2.ln_1" == names[-1]
    assert "encoder.layers.encoder_layer_1" in names
    assert not any(n in names for n in ("encoder", "encoder.ln", "encoder.layers.encoder_layer_2"))
    dead = cw.explain(model, torch.rand(3, 64, 64), layer="encoder.layers.encoder_layer_2")
    assert dead.is_empty, "asked for by name, it says that there is no evidence"


def test_tokens_lie_where_their_patches_are() -> None:
    """Noise in one patch changes the first block's tokens there, and the map is read from there."""
    model = cw.wrap(vit(), cw.Preprocess(64))
    gray = torch.full((3, 64, 64), 0.5)
    changed = gray.clone()
    changed[:, 16:32, 48:64] = torch.rand(3, 16, 16)  # row 1, column 3 of 4 × 4 patches
    layer = "encoder.dropout"
    traces = [
        cw.attribution.explaining.Trace(model, p[None], [layer]).activation(layer)
        for p in (gray, changed)
    ]
    moved = (traces[1] - traces[0]).abs().sum(1)[0]
    assert (moved > 1e-6).nonzero().tolist() == [[1, 3]]


@pytest.mark.parametrize(
    ("name", "shape", "default"),
    [
        ("vit_tiny_patch16_224", (192, 14, 14), "blocks.11.norm1"),
        pytest.param(
            "deit_tiny_distilled_patch16_224",
            (192, 14, 14),
            "blocks.11.norm1",
            marks=pytest.mark.full,
        ),
        pytest.param(
            "vit_medium_patch16_reg4_gap_256", (512, 16, 16), "blocks", marks=pytest.mark.full
        ),
        pytest.param("swin_tiny_patch4_window7_224", (768, 7, 7), "norm", marks=pytest.mark.full),
        pytest.param("pvt_v2_b0", (256, 7, 7), "stages.3", marks=pytest.mark.full),
        pytest.param("convnextv2_atto", (320, 7, 7), "stages.3", marks=pytest.mark.full),
    ],
)
def test_timm_is_explained_without_a_word(
    name: str, shape: tuple[int, int, int], default: str
) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    module = timm.create_model(name, pretrained=False, num_classes=10).eval()
    size = module.default_cfg["input_size"][-1]
    model = cw.wrap(module, cw.Preprocess(size, mean=(0.5,) * 3, std=(0.5,) * 3))
    assert (model.default_layer, model.layer().shape) == (default, shape)
    exp = cw.explain(model, torch.rand(3, size, size), [0, 1, 2])
    assert not all(e.is_empty for e in exp)


def test_an_attention_heads_digits_are_no_map() -> None:
    """(N, heads, tokens, digits) has four dimensions, and no place in the picture."""
    timm = pytest.importorskip("timm")
    module = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=3).eval()
    model = cw.wrap(module, cw.Preprocess(224))
    with pytest.raises(cw.CamwidgetError, match="no map"):
        model.layer("blocks.3.attn.q_norm")


def test_layers_all_and_their_average(textures: cw.VisionModel, noise: torch.Tensor) -> None:
    exps = cw.explain(textures, noise, 3, layer="all")
    assert [e.layer for e in exps] == [layer.name for layer in textures.layers]
    mean = np.mean([e.saliency for e in exps], axis=0)
    average = exps.average()
    np.testing.assert_allclose(average.saliency, mean / mean.max(), rtol=1e-6)
    assert average.layer == " + ".join(layer.name for layer in textures.layers)
    assert average.title.startswith("Grad-CAM · ")
    with pytest.raises(cw.CamwidgetError, match="one target"):
        cw.explain(textures, noise, [1, 2]).average()
    with pytest.raises(cw.CamwidgetError, match="one picture"):
        cw.explain(textures, torch.stack([noise, noise.flip(2)]), 1).average()
    with pytest.raises(cw.CamwidgetError, match="nothing to average"):
        exps.select(layer="none").average()


class Patches(nn.Module):
    """A small transformer whose patches may overlap, and whose tokens may be shuffled."""

    def __init__(self, kernel: int = 8, stride: int = 8, shuffle: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Conv2d(3, 16, kernel, stride)
        self.norm = nn.LayerNorm(16)
        self.block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
        self.head = nn.Linear(16, 4)
        self.shuffle = shuffle

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        if self.shuffle:
            tokens = tokens.flip(1)
        tokens = torch.cat([tokens[:, :1] * 0, tokens], 1)
        return self.head(self.block(self.norm(tokens))[:, 0])


@pytest.mark.parametrize(("kernel", "stride", "cells"), [(8, 8, 6), (8, 4, 11), (12, 6, 7)])
def test_the_grid_is_that_of_the_patch_embedding(kernel: int, stride: int, cells: int) -> None:
    model = cw.wrap(Patches(kernel, stride).eval(), cw.Preprocess(48))
    exp = cw.explain(model, torch.rand(3, 48, 48), 1, layer="norm")
    assert exp.raw.shape == (cells, cells)


def test_shuffled_tokens_are_no_map() -> None:
    model = cw.wrap(Patches(shuffle=True).eval(), cw.Preprocess(48))
    assert [layer.name for layer in model.layers] == ["embed"]
    with pytest.raises(cw.CamwidgetError, match=r"reshape|no map"):
        cw.explain(model, torch.rand(3, 48, 48), 1, layer="norm")


def test_another_size_has_a_grid_only_if_the_patches_divide_it() -> None:
    model = cw.wrap(Patches().eval())
    for size, cells in [((64, 64), (8, 8)), ((40, 96), (5, 12))]:
        assert cw.explain(model, torch.rand(3, *size), 1, layer="norm").raw.shape == cells
    with pytest.raises(cw.CamwidgetError, match="no map"):
        cw.explain(model, torch.rand(3, 44, 64), 1, layer="norm")


def test_timm_by_name_is_prepared_as_timm_does(tmp_path: object) -> None:
    timm = pytest.importorskip("timm")
    from safetensors.torch import save_file

    torch.manual_seed(0)
    module = timm.create_model("vit_tiny_patch16_224", pretrained=False).eval()
    path = f"{tmp_path}/w.safetensors"
    save_file(module.state_dict(), path)
    model = cw.load("timm/vit_tiny_patch16_224", weights=path, device="cpu")
    picture = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    from PIL import Image

    config = timm.data.resolve_model_data_config(module)
    transform = timm.data.create_transform(**config, is_training=False)
    expected = transform(Image.fromarray(picture))
    torch.testing.assert_close(model.inputs(model.pixels(picture))[0], expected, rtol=0, atol=1e-4)
    assert len(model.classes) == 1000 and "goldfish" in model.classes[1].lower()
    with pytest.raises(cw.CamwidgetError, match="timm has no model"):
        cw.load("timm/vit_tyny_patch16_224")
