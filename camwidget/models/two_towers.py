"""Two-tower models such as CLIP: the tower of pictures as a module of its own, and the tower of texts as an encoder."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..errors import CamwidgetError, ModelError, PromptError
from ..execution.isolated_pass import PassIsolation, isolated_module
from ..images.preprocess import Preprocess
from ..runtime.error_reports import error_line, log_error
from .embeddings import EmbeddingReader
from .first_passes import first_picture

__all__ = ["TextEncoder", "Tokenize", "TwoTowers", "has_two_towers", "tokenizer_of"]

#: Callable from a text to the text tower's input: token numbers (1, tokens), or a mapping with them.
Tokenize = Callable[[str], "torch.Tensor | Mapping[str, torch.Tensor]"]

#: Methods of pictures and texts: of transformers, and of CLIP and open_clip.
_METHODS = (("get_image_features", "get_text_features"), ("encode_image", "encode_text"))


def has_two_towers(module: nn.Module) -> bool:
    """Return whether a module has embeddings of pictures and of texts, and a scale of their cosine."""
    return _methods(module) is not None and hasattr(module, "logit_scale")


def _methods(module: nn.Module) -> tuple[str, str] | None:
    return next((pair for pair in _METHODS if all(hasattr(module, name) for name in pair)), None)


class TextEncoder:
    """Text tower of a model, with embeddings that are computed once for each text.

    Each text runs by itself, so that its embedding does not depend on the other texts.

    Args:
        module: the two-tower model; never modified.
        tokenize: tokenizer.
    """

    def __init__(self, module: nn.Module, tokenize: Tokenize) -> None:
        methods = _methods(module)
        assert methods is not None
        self._tower = _TextTower(module, methods[1])
        self._tokenize = tokenize
        self._known: dict[str, torch.Tensor] = {}

    def __call__(self, text: str) -> torch.Tensor:
        """Return the embedding (D,) of a text, of length 1; float32 on the CPU.

        Raises:
            PromptError: if the text cannot be encoded, or is too long.
        """
        if text not in self._known:
            self._known[text] = self._encode(text)
        return self._known[text]

    def check(self, text: str) -> None:
        """Tokenize a text without running the tower.

        Raises:
            PromptError: if the tokenizer refuses the text, or it is too long.
        """
        if text not in self._known:
            with _refusing(text):
                self._tokenize(text)

    def _encode(self, text: str) -> torch.Tensor:
        device = next(self._tower.parameters()).device
        with _refusing(text):
            tokens = self._tokenize(text)
            taken = tokens if isinstance(tokens, Mapping) else {"": tokens}
            inputs = {name: value.to(device) for name, value in taken.items()}
            with isolated_module(self._tower, device, PassIsolation()) as tower, torch.no_grad():
                return EmbeddingReader()(tower(inputs))[0].float().cpu()


@contextmanager
def _refusing(text: str) -> Iterator[None]:
    """Raise a ``PromptError`` for any error inside, of a tokenizer or tower of any library."""
    try:
        yield
    except CamwidgetError:
        raise
    except Exception as error:
        raise PromptError(
            f"The text {text!r} cannot be encoded: {error_line(error)}. The tokenizer gives the token numbers "
            "(1, tokens) of one text, or a mapping with them, as the text tower takes them."
        ) from error


class _TextTower(nn.Module):
    """A two-tower model that runs on texts."""

    def __init__(self, model: nn.Module, method: str) -> None:
        super().__init__()
        self.model = model
        self.method = method
        parameters = inspect.signature(getattr(model, method)).parameters.values()
        #: None for any.
        self.names: tuple[str, ...] | None = tuple(p.name for p in parameters)

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> Any:
        encode = getattr(self.model, self.method)
        if "" in inputs:
            return encode(inputs[""])
        # A tokenizer may give more than a tower takes, such as token types.
        return encode(**{n: v for n, v in inputs.items() if self.names is None or n in self.names})


class _VisionModelTower(nn.Module):
    """Picture tower of transformers' models, under the names that its parts have there."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.vision_model = model.vision_model
        if isinstance(projection := getattr(model, "visual_projection", None), nn.Module):
            self.visual_projection = projection

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self.vision_model(pixel_values=pixel_values).pooler_output  # type: ignore[operator]
        if hasattr(self, "visual_projection"):
            pooled = self.visual_projection(pooled)
        return pooled


class _VisualTower(nn.Module):
    """Picture tower of CLIP's and open_clip's models, under the name that it has there."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.visual = model.visual

    def forward(self, image: torch.Tensor) -> Any:
        return self.visual(image)  # type: ignore[operator]


class _WholeTower(nn.Module):
    """A two-tower model that runs on pictures."""

    def __init__(self, model: nn.Module, method: str) -> None:
        super().__init__()
        self.model = model
        self.method = method

    def forward(self, image: torch.Tensor) -> Any:
        return getattr(self.model, self.method)(image)


@dataclass(frozen=True)
class TwoTowers:
    """A two-tower model, taken apart.

    Attributes:
        image: module from pictures to embeddings. Its layers have the names that they have in the model.
        scale: factor of the cosine of a picture and a text.
        bias: what is added to it; None for a model without.
    """

    image: nn.Module
    scale: float
    bias: float | None

    @classmethod
    def of(cls, module: nn.Module, preprocess: Preprocess) -> TwoTowers:
        """Take a model apart.

        Args:
            module: a module with two towers; never modified.
            preprocess: its preprocessing.

        Raises:
            ModelError: if the picture tower fails.
        """
        methods = _methods(module)
        assert methods is not None
        bias = getattr(module, "logit_bias", None)
        return cls(
            image=_image_tower(module, methods[0], preprocess),
            scale=float(module.logit_scale.detach().exp()),  # type: ignore[operator]
            bias=float(bias.detach()) if isinstance(bias, torch.Tensor) else None,
        )


def _image_tower(module: nn.Module, method: str, preprocess: Preprocess) -> nn.Module:
    """Return the smallest module that computes the embeddings of ``method``, with the names of the model's layers."""
    parameter = next(module.parameters())
    pixels = preprocess.pixels(first_picture(preprocess))[None]
    inputs = preprocess.normalize(pixels).to(parameter.device, parameter.dtype)
    whole = _WholeTower(module, method)
    try:
        expected = _embedding(whole, inputs)
    except CamwidgetError:
        raise
    except Exception as error:  # a user's module may raise anything
        raise ModelError(
            f"{type(module).__name__}.{method} fails on an input of shape {tuple(inputs.shape)}: {error_line(error)}. "
            "For another size pass its own processor, or preprocess=camwidget.Preprocess(size, mean=…, std=…)."
        ) from error
    for name, kind in (("vision_model", _VisionModelTower), ("visual", _VisualTower)):
        if not isinstance(getattr(module, name, None), nn.Module):
            continue
        tower: nn.Module = kind(module)
        try:
            found = _embedding(tower, inputs)
        except Exception as error:  # a part of that name is something else, or takes other inputs
            log_error(error, f"{name!r} alone is no tower of pictures.", level=logging.DEBUG)
            continue
        if found.shape == expected.shape and torch.allclose(found, expected, atol=1e-5):
            return tower
    return whole


def _embedding(tower: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    with isolated_module(tower, inputs.device, PassIsolation()) as held, torch.no_grad():
        return EmbeddingReader()(held(inputs))


def tokenizer_of(module: nn.Module, processor: Any) -> Tokenize | None:
    """Return the tokenizer of a processor of transformers, for one text; None if it has none.

    Args:
        module: the model.
        processor: the processor, or any other preprocessing.
    """
    tokenizer = getattr(processor, "tokenizer", None)
    if not callable(tokenizer):
        return None
    config = getattr(module, "config", None)
    text = getattr(config, "text_config", None)
    longest = getattr(text, "max_position_embeddings", None) or tokenizer.model_max_length
    # SigLIP was trained on texts that are filled up to full length (its model cards).
    pads = str(getattr(config, "model_type", "")).startswith("siglip")

    def tokenize(words: str) -> Mapping[str, torch.Tensor]:
        count = len(tokenizer(words)["input_ids"])
        if count > longest:
            raise PromptError(
                f"The text {words[:40]!r}… has {count} tokens, and the model takes at most {longest}. Shorten it."
            )
        padding = {"padding": "max_length", "max_length": longest} if pads else {}
        found: Mapping[str, torch.Tensor] = tokenizer(words, return_tensors="pt", **padding)
        return found

    return tokenize
