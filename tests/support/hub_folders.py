"""Folders of models as transformers saves them for the hub, with random weights: small, and written without network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

#: Words that the tokenizer knows.
WORDS = ("a", "photo", "of", "the", "cat", "dog", "owl", "two")
NAMES = {0: "cat", 1: "dog", 2: "owl"}

VIT: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64, "image_size": 64,
    "patch_size": 8,
}  # fmt: skip
SWIN: dict[str, Any] = {
    "image_size": 64, "patch_size": 2, "embed_dim": 16, "depths": [2, 2, 2], "num_heads": [2, 2, 4], "window_size": 4,
}  # fmt: skip
STAGES: dict[str, Any] = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
TEXT: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 12,
    "max_position_embeddings": 10, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
EDGE = {"shortest_edge": 64}
SQUARE = {"height": 64, "width": 64}

#: Each family: the class of the model, of the configuration and its values, of the processor and its values.
FAMILIES: dict[str, tuple[str, str, dict[str, Any], str, dict[str, Any]]] = {
    "vit": (
        "ViTForImageClassification", "ViTConfig", {**VIT, "id2label": NAMES},
        "ViTImageProcessor", {"size": SQUARE},
    ),
    "deit": (
        "DeiTForImageClassification", "DeiTConfig", {**VIT, "id2label": NAMES},
        "DeiTImageProcessor", {"size": {"height": 72, "width": 72}, "crop_size": SQUARE},
    ),
    "swin": (
        "SwinForImageClassification", "SwinConfig", {**SWIN, "id2label": NAMES},
        "ViTImageProcessor", {"size": SQUARE, "resample": 3},
    ),
    "convnext": (
        "ConvNextForImageClassification", "ConvNextConfig", {**STAGES, "id2label": NAMES},
        "ConvNextImageProcessor", {"size": EDGE, "crop_pct": 0.875},
    ),
    "resnet": (
        "ResNetForImageClassification", "ResNetConfig", {**STAGES, "embedding_size": 8, "id2label": NAMES},
        "ConvNextImageProcessor", {"size": EDGE, "crop_pct": 0.875},
    ),
    "dinov2": (
        "Dinov2Model", "Dinov2Config", VIT,
        "BitImageProcessor", {"size": {"shortest_edge": 72}, "crop_size": SQUARE, "resample": 3},
    ),
    "clip": (
        "CLIPModel", "CLIPConfig", {"text_config": TEXT, "vision_config": VIT, "projection_dim": 16},
        "CLIPImageProcessor", {"size": EDGE, "crop_size": SQUARE},
    ),
    "siglip": (
        "SiglipModel", "SiglipConfig", {"text_config": {**TEXT, "projection_size": 32}, "vision_config": VIT},
        "SiglipImageProcessor", {"size": SQUARE},
    ),
    "segformer": (
        "SegformerForSemanticSegmentation", "SegformerConfig",
        {**STAGES, "decoder_hidden_size": 16, "id2label": NAMES},
        "SegformerImageProcessor", {"size": SQUARE},
    ),
}  # fmt: skip


def made(family: str, **values: Any) -> nn.Module:
    """A model of a family with random weights, in evaluation mode."""
    import transformers

    kind, config, usual, _, _ = FAMILIES[family]
    torch.manual_seed(0)
    module: nn.Module = getattr(transformers, kind)(
        getattr(transformers, config)(**{**usual, **values})
    )
    with torch.no_grad():  # a bias of zeros would not be missed
        for parameter in module.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return module.eval()


def processor(family: str, **values: Any) -> Any:
    """The image processor of a family."""
    import transformers

    _, _, _, kind, usual = FAMILIES[family]
    return getattr(transformers, kind)(**{**usual, **values})


def tokenizer() -> Any:
    """A tokenizer of ``WORDS``, which puts a token at each end."""
    import tokenizers
    import transformers

    vocabulary = {w: i for i, w in enumerate(("<pad>", "<s>", "</s>", "<unk>", *WORDS))}
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        model_max_length=10,
    )  # fmt: skip


def saved(family: str, folder: Path, module: nn.Module | None = None) -> Path:
    """A folder with a model of a family, its processor and, for two towers, its tokenizer."""
    (made(family) if module is None else module).save_pretrained(folder)  # type: ignore[operator]
    processor(family).save_pretrained(folder)
    if family in ("clip", "siglip"):
        tokenizer().save_pretrained(folder)
    return folder
