"""Embeddings: where a module's output has one, and their similarity to embeddings of references."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as nnF

from ..errors import ModelError
from .output_tensors import (
    OutputPath,
    describe_output,
    has_row_per_picture,
    named_tensors_of,
    value_at,
)

__all__ = ["EmbeddingReader", "Similarity"]

#: Names of a picture's embedding, the one that a model was trained for before those that it is made of.
_NAMES = (
    "image_embeds",
    "image_embed",
    "embedding",
    "embeddings",
    "embeds",
    "embed",
    "representation",
    "pooler_output",
    "pooled",
    "features",
    "feature",
)


@dataclass(frozen=True)
class EmbeddingReader:
    """Callable from a module's output to embeddings (N, D), each divided by its length.

    Attributes:
        path: path of the embedding in the output; None to find it by its name.

    Raises:
        ModelError: if the output has no embedding, or several.
    """

    path: OutputPath | None = None

    def __call__(self, output: Any) -> torch.Tensor:
        """Return the embeddings (N, D) in an output of the module."""
        rows = (self._found(output) if self.path is None else value_at(output, self.path)).flatten(
            1
        )
        # The length of a vector of half precision overflows.
        rows = rows if rows.dtype in (torch.float32, torch.float64) else rows.float()
        return nnF.normalize(rows, dim=1)

    def _found(self, output: Any) -> torch.Tensor:
        rows = {
            n: t
            for n, t in named_tensors_of(output)
            if t.ndim > 1 and has_row_per_picture(t, len(t))
        }
        named = next((n for n in _NAMES if n in rows), None)
        if named is None and len(rows) == 1:
            named = next(iter(rows))
        if named is not None:
            return rows[named]
        several = f"several that could be one ({', '.join(rows)})" if rows else "none in it"
        raise ModelError(
            f"An embedding is one row of numbers for each picture, and there is {several}: the module returns "
            f"{describe_output(output)}. Pass output=…, a key or a callable from the output to (N, D), to "
            "camwidget.wrap."
        )


class Similarity:
    """Callable from embeddings to scores of references: ``scale · cosine + bias``.

    Args:
        references: embeddings of the references (references, D), each of length 1.
        scale: factor of the cosine.
        bias: what is added to it.

    Attributes:
        references: as given.
    """

    def __init__(self, references: torch.Tensor, scale: float = 1.0, bias: float = 0.0) -> None:
        self.references = references
        self._scale = scale
        self._bias = bias
        digest = hashlib.sha256(references.numpy().tobytes()).hexdigest()[:16]
        #: What ``VisionModel.output_path`` shows, by which an evaluation is recognized when it is resumed.
        self.__qualname__ = f"Similarity({digest}, {scale}, {bias})"

    def __call__(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Return the logits (N, references) of embeddings (N, D)."""
        weights = self.references.to(embeddings.device, embeddings.dtype) * self._scale
        # One linear operation with a bias, for which relevance has a rule.
        bias = weights.new_full((len(weights),), self._bias) if self._bias else None
        return nnF.linear(embeddings, weights, bias)
