"""Vision transformers of each library with random weights, as small as their code allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

SIDE, PATCH, WIDTH, HEADS, DEPTH, CLASSES = 32, 8, 24, 3, 3, 5


def seeded(module: nn.Module) -> nn.Module:
    """The module with weights so large that attention is far from uniform, in evaluation mode."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise * 0.25 + (1.0 if parameter.ndim == 1 else 0.0) * 0.3)
    return module.eval()


class Plain(nn.Module):
    """A vision transformer without tricks, by ``scaled_dot_product_attention``."""

    def __init__(self, pool: str = "class", registers: int = 0, depth: int = DEPTH) -> None:
        super().__init__()
        self.pool = pool
        extra = registers + (pool == "class")
        self.embed = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.extra = nn.Parameter(torch.zeros(1, extra, WIDTH))
        self.position = nn.Parameter(torch.zeros(1, (SIDE // PATCH) ** 2 + extra, WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(depth))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.tail(self.tokens(x))

    def embedded(self, x: torch.Tensor) -> torch.Tensor:
        patches = self.embed(x).flatten(2).transpose(1, 2)
        return torch.cat([self.extra.expand(len(x), -1, -1), patches], 1) + self.position

    def tokens(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embedded(x)
        for block in self.blocks:
            x = block(x)
        return x

    def tail(self, tokens: torch.Tensor) -> torch.Tensor:
        tokens = self.norm(tokens)
        skipped = self.extra.shape[1]
        return self.head(tokens[:, 0] if self.pool == "class" else tokens[:, skipped:].mean(1))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(
            nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH)
        )

    def heads(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        return q, k, v

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mixed = F.scaled_dot_product_attention(*self.heads(x)).transpose(1, 2).flatten(2)
        x = x + self.out(mixed)
        return x + self.mlp(self.norm2(x))


def torchvision_vit(**settings: Any) -> nn.Module:
    from torchvision.models import VisionTransformer

    return seeded(
        VisionTransformer(SIDE, PATCH, DEPTH, HEADS, WIDTH, 2 * WIDTH, num_classes=CLASSES)
    )


def timm_vit(fused: bool = True, distilled: bool = False, **settings: Any) -> nn.Module:
    from timm.models.deit import VisionTransformerDistilled
    from timm.models.vision_transformer import VisionTransformer

    kind = VisionTransformerDistilled if distilled else VisionTransformer
    module = kind(
        img_size=SIDE,
        patch_size=PATCH,
        embed_dim=WIDTH,
        depth=DEPTH,
        num_heads=HEADS,
        num_classes=CLASSES,
        **settings,
    )
    for part in module.modules():
        if hasattr(part, "fused_attn"):
            part.fused_attn = fused
    return seeded(module)


def _transformers(kind: str, implementation: str, **settings: Any) -> nn.Module:
    import transformers

    config = getattr(transformers, f"{kind}Config")(
        image_size=SIDE,
        patch_size=PATCH,
        hidden_size=WIDTH,
        num_hidden_layers=DEPTH,
        num_attention_heads=HEADS,
        intermediate_size=2 * WIDTH,
        num_labels=CLASSES,
        attn_implementation=implementation,
        **settings,
    )
    return seeded(getattr(transformers, f"{kind}ForImageClassification")(config))


def hf_vit(implementation: str = "sdpa") -> nn.Module:
    return _transformers("ViT", implementation)


def hf_deit(implementation: str = "sdpa") -> nn.Module:
    return _transformers("DeiT", implementation)


def hf_dinov2(implementation: str = "sdpa") -> nn.Module:
    return _transformers("Dinov2", implementation)


def hf_registers(implementation: str = "sdpa") -> nn.Module:
    return _transformers("Dinov2WithRegisters", implementation, num_register_tokens=4)


def open_clip_tower() -> nn.Module:
    from open_clip.transformer import VisionTransformer

    return seeded(VisionTransformer(SIDE, PATCH, WIDTH, DEPTH, HEADS, 2.0, output_dim=CLASSES))


def timm_swin(fused: bool = False) -> nn.Module:
    from timm.models.swin_transformer import SwinTransformer

    module = SwinTransformer(
        img_size=SIDE, patch_size=2, embed_dim=12, depths=(2, 1), num_heads=(2, 4), window_size=4,
        num_classes=CLASSES,
    )  # fmt: skip
    for part in module.modules():
        if hasattr(part, "fused_attn"):
            part.fused_attn = fused
    return seeded(module)


def torchvision_swin() -> nn.Module:
    from torchvision.models.swin_transformer import SwinTransformer

    return seeded(SwinTransformer([2, 2], 12, [2, 1], [2, 4], [4, 4], num_classes=CLASSES))


def hf_swin() -> nn.Module:
    from transformers import SwinConfig, SwinForImageClassification

    config = SwinConfig(
        image_size=SIDE, patch_size=2, embed_dim=12, depths=[2, 1], num_heads=[2, 4], window_size=4,
        num_labels=CLASSES,
    )  # fmt: skip
    return seeded(SwinForImageClassification(config))


#: By name a network whose layers all attend among the same tokens: its module, and its class and other tokens.
TRANSFORMERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    "torchvision ViT": (torchvision_vit, (0,), 0),
    "timm ViT": (timm_vit, (0,), 0),
    "timm ViT, not fused": (lambda: timm_vit(fused=False), (0,), 0),
    "timm ViT, averaged": (lambda: timm_vit(class_token=False, global_pool="avg"), (), 0),
    "timm ViT with registers": (lambda: timm_vit(reg_tokens=4), (0,), 4),
    "timm ViT, registers only": (
        lambda: timm_vit(reg_tokens=2, class_token=False, global_pool="avg"),
        (),
        2,
    ),
    "timm ViT, pooled by attention": (
        lambda: timm_vit(class_token=False, global_pool="map"),
        (),
        0,
    ),
    "timm DeiT, distilled": (lambda: timm_vit(distilled=True), (0, 1), 0),
    "transformers ViT": (hf_vit, (0,), 0),
    "transformers ViT, eager": (lambda: hf_vit("eager"), (0,), 0),
    "transformers DeiT": (hf_deit, (0,), 1),
    "transformers DINOv2": (hf_dinov2, (0,), 0),
    "transformers DINOv2 with registers": (hf_registers, (0,), 4),
    "open_clip": (open_clip_tower, (0,), 0),
}
