"""Script that measures how much of the score LRP hands out, by architecture: the table of ``docs/pages/methods.md``.

Run with: python tests/attribution/methods/measure_conservation.py [NAME …]

Each network is small and has random weights as its library initializes them, or larger ones where it says so. A figure
is the sum of the map over the score of the predicted class, the median of six pictures of noise, with γ = 0.25. The
zoo's models are trained, and see six of their scenes.
"Without constants": biases, class tokens, registers and embeddings of positions are zero, so that nothing absorbs
relevance.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable

import torch
from test_relevance_transformers import LIBRARY_MODELS
from torch import nn

import camwidget as cw
from camwidget.attribution.methods import get_method
from camwidget.attribution.targets import predicted_target
from camwidget.attribution.trace import Trace
from camwidget.zoo.scenes import draw

GAMMA, PICTURES = 0.25, 6
#: Rows of the table; LIBRARY_MODELS has others, which differ in how their attention is written only.
ROWS = [
    *("torchvision ViT", "timm ViT", "timm ViT, average pooling", "transformers ViT"),
    *("transformers DeiT", "transformers DINOv2", "torchvision Swin", "timm Swin"),
    *("transformers Swin", "torchvision ConvNeXt", "transformers ConvNeXT"),
    *("zoo/scenes-vit", "zoo/scenes-clip"),
]
#: Parts of names of parameters that are constants added to activations.
_CONSTANTS = ("cls_token", "class_token", "pos_emb", "position_emb", "distillation_token", "reg")


def averaging_vit() -> nn.Module:
    """ViT of timm that reads the mean of its patches."""
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(
        *(32, 8),
        embed_dim=16,
        depth=2,
        num_heads=2,
        num_classes=5,
        class_token=False,
        global_pool="avg",
    )


MODELS: dict[str, Callable[[], nn.Module]] = {
    **LIBRARY_MODELS,
    "timm ViT, average pooling": averaging_vit,
}


def without_constants(module: nn.Module) -> nn.Module:
    """Set the constants that absorb relevance to zero, in place."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            is_bias = name.endswith("bias") and parameter.ndim == 1
            if is_bias or any(part in name for part in _CONSTANTS):
                parameter.zero_()
    return module


def kept(name: str, rule: str, *, free: bool = False) -> float:
    """Return the sum of the map over the predicted class's score, the median of pictures of noise.

    Args:
        name: key of ``MODELS``, or a model of the zoo.
        rule: "attn" or "cp".
        free: whether the network is without constants.
    """
    torch.manual_seed(0)
    if name.startswith("zoo/"):
        model = cw.load(name, device="cpu")
        pixels = torch.cat([model.pixels(draw(50_000 + n).image) for n in range(PICTURES)])
    else:
        module = MODELS[name]().eval()
        if free:
            without_constants(module)
        side = 64 if "Conv" in name or "ResNet" in name else 32
        model = cw.wrap(module, cw.Preprocess(side), name=name, scores="softmax")
        pixels = torch.rand((PICTURES, 3, side, side), generator=torch.Generator().manual_seed(1))
    trace = Trace(model, pixels, [model.default_layer])
    method = get_method("lrp", rule=rule, gamma=GAMMA)
    maps = method.compute(trace, predicted_target(model, trace.logits), model.default_layer)
    return statistics.median((maps.sum((1, 2)) / trace.logits.amax(1)).tolist())


def row(name: str) -> str:
    """Return a network's row of the table."""
    ways = [(False, rule) for rule in ("cp", "attn")] + [(True, rule) for rule in ("cp", "attn")]
    figures = [
        "" if free and name.startswith("zoo/") else f"{kept(name, rule, free=free):.2f}"
        for free, rule in ways
    ]
    return f"| {name} | " + " | ".join(figures) + " |"


def main() -> None:
    """Print the rows of the table."""
    print("| network | cp | attn | cp, no constants | attn, no constants |\n|---|---|---|---|---|")
    for name in sys.argv[1:] or ROWS:
        print(row(name), flush=True)


if __name__ == "__main__":
    main()
