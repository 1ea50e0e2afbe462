"""Transformers of timm as it builds them: relevance is conserved, and Chefer is its equation, with random weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import camwidget as cw

timm = pytest.importorskip("timm")

pytestmark = pytest.mark.full

SMALL: dict[str, Any] = {"embed_dim": 48, "depth": 3, "num_heads": 3}
#: By name, arguments of ``timm.create_model`` and the side of the picture.
NETWORKS: dict[str, tuple[dict[str, Any], int]] = {
    "vit_base_patch16_siglip_224": ({**SMALL, "img_size": 64}, 64),
    "eva02_tiny_patch14_224": ({**SMALL, "img_size": 70}, 70),
    "beit_base_patch16_224": ({**SMALL, "img_size": 64}, 64),
    "vit_small_patch14_reg4_dinov2": ({**SMALL, "img_size": 70}, 70),
    "xcit_nano_12_p16_224": ({"embed_dim": 32, "depth": 2, "num_heads": 2, "img_size": 64}, 64),
    "hiera_tiny_224": ({"embed_dim": 24, "stages": (1, 1, 2, 1), "img_size": (64, 64)}, 64),
    "pvt_v2_b0": ({}, 64),
    "mobilevit_xxs": ({}, 64),
}
#: Networks with plain attention: number of tokens before the patches, and the rows that the score reads.
READ = {
    "eva02_tiny_patch14_224": (1, slice(1, None)),
    "beit_base_patch16_224": (1, slice(1, None)),
    "vit_small_patch14_reg4_dinov2": (5, slice(0, 1)),
}


def network(name: str) -> tuple[nn.Module, cw.VisionModel, torch.Tensor]:
    """A network without biases and added constants, which would absorb relevance, and a picture."""
    settings, side = NETWORKS[name]
    torch.manual_seed(0)
    module = timm.create_model(name, num_classes=7, **settings).eval().double()
    with torch.no_grad():
        for key, weight in module.named_parameters():
            if weight.ndim > 1 and not any(part in key for part in ("pos", "token", "rel")):
                weight.normal_(0, weight[0].numel() ** -0.5)
            else:
                weight.fill_(float(key.endswith("weight") or "gamma" in key))
    model = cw.wrap(module, cw.Preprocess(side), name=name, scores="softmax")
    pixels = torch.rand((3, side, side), generator=torch.Generator().manual_seed(0))
    return module, model, pixels


@pytest.mark.parametrize("name", NETWORKS)
def test_relevance_is_conserved(name: str) -> None:
    _, model, pixels = network(name)
    found = cw.explain(model, pixels, 3, cw.get_method("lrp", rule="cp", gamma=0.25))
    logit = float(model.logits(pixels[None])[0, 3])
    assert abs(logit) > 1e-3
    assert found.raw.sum() == pytest.approx(logit, rel=1e-3)


@pytest.mark.parametrize("name", READ)
def test_chefer_is_its_equation(name: str) -> None:
    module, model, pixels = network(name)
    found = cw.explain(model, pixels, 3, "chefer").raw
    weights: list[torch.Tensor] = []

    def keep(dropout: nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        args[0].retain_grad()
        weights.append(args[0])

    for block in module.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(keep)
    module(model.inputs(pixels[None]).double())[0, 3].backward()
    relevance = torch.eye(weights[0].shape[-1], dtype=torch.float64)
    for each in weights:
        assert each.grad is not None
        relevance = relevance + (each.grad * each).clamp(min=0)[0].mean(0).detach() @ relevance
    extra, rows = READ[name]
    change = (relevance - torch.eye(len(relevance), dtype=torch.float64))[rows].mean(0)[extra:]
    expected = change.reshape(found.shape)
    assert expected.max() > 0
    assert (torch.as_tensor(found) - expected).abs().max() < 1e-4 * expected.max()
