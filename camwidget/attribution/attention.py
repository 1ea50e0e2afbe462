"""``attention``: the attention weights of a model for one picture, with the grid of its tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch

from .._validation import check_number
from ..errors import MethodError, PictureError
from ..execution.attention_capture import AttentionCapture, heads_apart
from ..execution.device_errors import translated_device_errors
from ..execution.running import hooked
from ..images.conversion import shades
from ..models.argument_checks import require_model
from ..models.vision_model import VisionModel
from .attention_layers import AttentionLayers, attention_layers, token_places, tokens_in

__all__ = ["Attention", "Query", "attention", "attention_of_pixels"]

#: A token that attends: row and column of a patch, or the index of a token; "patches" for the mean over all patches;
#: None for the class token, or the mean over all patches of a model without one.
Query: TypeAlias = "int | Sequence[int] | str | None"

#: Norm of an outlier token, as a multiple of the median norm of the patches.
_OUTLIER = 2.0


@dataclass(frozen=True, eq=False)
class Attention:
    """Attention weights of a model for one picture.

    Attributes:
        layers: names of the attention layers, in order of execution: of the blocks, or of the modules that attend.
        by_layer: weights of each layer, float32 (heads, tokens, tokens): a row for each token that attends, whose parts
            add up to 1. For attention within windows (windows, heads, tokens of a window, tokens of a window).
        places: for each patch the index of its token, int64 (h, w); None if the tokens of the layers are no grid.
        class_tokens: indices of the tokens before the patches that the score reads; empty if it reads the patches.
        other_tokens: indices of the other tokens that are no patches: registers, and a distillation token that the
            score does not read.
        norms: Euclidean norm of each token behind the last block, float32 (tokens,); None if no block returns tokens.
        outliers: for each token whether it is an outlier, bool (tokens,): a patch whose norm is more than twice the
            median of the patches' norms. Such tokens hold no evidence of their place (Darcet et al. 2024,
            arXiv:2309.16588, who read a fixed bound off each model's histogram of norms).
        pixels: the picture as the model gets it, uint8 (H, W, 3).
        model: name of the model.
        fault: why the layers are no stack of attention among all tokens of the picture; empty if they are.

    Example:
        >>> import torch, torchvision
        >>> import camwidget as cw
        >>> module = torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3)
        >>> found = cw.attention(cw.wrap(module, cw.Preprocess(32), scores="softmax"), torch.rand(3, 32, 32))
        >>> found.layers
        ('encoder.layers.encoder_layer_0', 'encoder.layers.encoder_layer_1')
        >>> found.weights.shape, found.grid, found.class_tokens
        ((2, 2, 17, 17), (4, 4), (0,))
    """

    layers: tuple[str, ...]
    by_layer: tuple[np.ndarray, ...] = field(repr=False)
    places: np.ndarray | None = field(repr=False)
    class_tokens: tuple[int, ...]
    other_tokens: tuple[int, ...]
    norms: np.ndarray | None = field(repr=False)
    outliers: np.ndarray = field(repr=False)
    pixels: np.ndarray = field(repr=False)
    model: str
    fault: str = ""

    @cached_property
    def weights(self) -> np.ndarray:
        """Weights of all layers, float32 (layers, heads, tokens, tokens).

        Raises:
            MethodError: if the layers are no stack of attention among all tokens of the picture.
        """
        self._check_stack()
        return np.stack(self.by_layer)

    @property
    def grid(self) -> tuple[int, int]:
        """Height and width of the grid of patches.

        Raises:
            MethodError: if the layers are no stack of attention among all tokens of the picture.
        """
        height, width = self._checked_places().shape
        return height, width

    def of(
        self,
        token: Query = None,
        layer: int | str = -1,
        head: int | None = None,
        *,
        outliers: bool = True,
    ) -> np.ndarray:
        """Return what a token attends to, on the grid of patches.

        Args:
            token: row and column of a patch, or the index of a token; "patches" for the mean over all patches. None:
                the class token, or the mean over all patches of a model that reads these and has no class token.
            layer: name or number of the layer.
            head: number of the head; the mean over the heads if None.
            outliers: whether outlier tokens are included; otherwise their parts are 0, and the others' add up to what
                the row had.

        Returns:
            float32 (h, w), ≥ 0; with the parts of tokens that are no patches, they add up to 1.

        Raises:
            MethodError: if there is no such token, layer or head, or the layers are no stack of attention among all
                tokens of the picture.

        Example:
            >>> import torch, torchvision
            >>> import camwidget as cw
            >>> module = torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3)
            >>> found = cw.attention(cw.wrap(module, cw.Preprocess(32), scores="softmax"), torch.rand(3, 32, 32))
            >>> found.of().shape, found.of((0, 3), layer=0, head=1).shape
            ((4, 4), (4, 4))
        """
        queries = self._queries(token)
        weights = self.by_layer[self._layer(layer)]
        if head is None:
            row = _mean_row(weights, queries).mean(0)
        elif -len(weights) <= head < len(weights):
            row = _mean_row(weights[head], queries)
        else:
            raise MethodError(f"There is no head {head!r}: the layer has {len(weights)}.")
        return self.on_grid(row if outliers else self._without_outliers(row))

    def rollout_of(
        self,
        token: Query = None,
        layer: int | str = -1,
        residual: float = 0.5,
        *,
        outliers: bool = True,
    ) -> np.ndarray:
        """Follow the attention of a token behind a layer back to the patches (see ``rollout``).

        Args:
            token: as in ``of``.
            layer: name or number of the layer behind which the token is.
            residual: part of the input in what a layer returns, in [0, 1].
            outliers: whether outlier tokens are attended to.

        Returns:
            float32 (h, w), ≥ 0; with the parts of tokens that are no patches, they add up to 1.

        Raises:
            MethodError: if ``residual`` is out of range, there is no such token or layer, or the layers are no stack of
                attention among all tokens of the picture.

        Example:
            >>> import torch, torchvision
            >>> import camwidget as cw
            >>> module = torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3)
            >>> found = cw.attention(cw.wrap(module, cw.Preprocess(32), scores="softmax"), torch.rand(3, 32, 32))
            >>> found.rollout_of((0, 3), layer=0).shape
            (4, 4)
        """
        residual = check_number("residual", residual, 0, 1, error=MethodError)
        queries = self._queries(token)
        row = np.zeros(len(self.outliers), np.float32)
        row[queries] = 1 / len(queries)
        means = self._head_means if outliers else self._head_means_without_outliers
        for mean in reversed(means[: self._layer(layer) % len(self.layers) + 1]):
            row = np.float32(residual) * row + np.float32(1 - residual) * (row @ mean)
        return self.on_grid(row)

    def rollout(self, residual: float = 0.5, *, outliers: bool = True) -> np.ndarray:
        """Follow attention through all layers (Abnar and Zuidema 2020, arXiv:2005.00928), with the heads averaged.

        Args:
            residual: part of the input in what a layer returns, in [0, 1].
            outliers: whether outlier tokens are attended to.

        Returns:
            float32 (tokens, tokens): for each token behind the last layer the parts of the tokens before the first,
            which add up to 1. ``on_grid`` lays a row out.

        Raises:
            MethodError: if ``residual`` is out of range, or the layers are no stack of attention among all tokens of
                the picture.

        Example:
            >>> import torch, torchvision
            >>> import camwidget as cw
            >>> module = torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3)
            >>> found = cw.attention(cw.wrap(module, cw.Preprocess(32), scores="softmax"), torch.rand(3, 32, 32))
            >>> found.on_grid(found.rollout()[0]).shape
            (4, 4)
        """
        residual = check_number("residual", residual, 0, 1, error=MethodError)
        self._check_stack()
        rollout = np.eye(len(self.outliers), dtype=np.float32)
        for mean in self._head_means if outliers else self._head_means_without_outliers:
            rollout = np.float32(residual) * rollout + np.float32(1 - residual) * mean @ rollout
        return rollout

    def on_grid(self, values: np.ndarray) -> np.ndarray:
        """Lay values of tokens out on the grid of patches; those of other tokens are left out.

        Args:
            values: array (…, tokens).

        Returns:
            Array (…, h, w) of the same dtype.

        Raises:
            MethodError: if the layers are no stack of attention among all tokens of the picture.

        Example:
            >>> import torch, torchvision
            >>> import camwidget as cw
            >>> module = torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3)
            >>> found = cw.attention(cw.wrap(module, cw.Preprocess(32), scores="softmax"), torch.rand(3, 32, 32))
            >>> found.on_grid(found.weights[:, :, 0]).shape  # layers, heads, height, width
            (2, 2, 4, 4)
        """
        laid_out: np.ndarray = np.asarray(values)[..., self._checked_places()]
        return laid_out

    @cached_property
    def _head_means(self) -> list[np.ndarray]:
        return [weights.mean(0) for weights in self.by_layer]

    @cached_property
    def _head_means_without_outliers(self) -> list[np.ndarray]:
        return [self._without_outliers(mean) for mean in self._head_means]

    def _without_outliers(self, rows: np.ndarray) -> np.ndarray:
        kept = np.where(self.outliers, 0, rows)
        total = kept.sum(-1, keepdims=True)
        scaled: np.ndarray = kept * (rows.sum(-1, keepdims=True) / np.where(total > 0, total, 1))
        return scaled.astype(np.float32)

    def _check_stack(self) -> None:
        if self.fault:
            raise MethodError(f"{self.fault} The weights of each layer are in Attention.by_layer.")

    def _checked_places(self) -> np.ndarray:
        self._check_stack()
        assert self.places is not None
        return self.places

    def _layer(self, layer: int | str) -> int:
        if isinstance(layer, str) and layer in self.layers:
            return self.layers.index(layer)
        if isinstance(layer, int) and -len(self.layers) <= layer < len(self.layers):
            return layer
        raise MethodError(
            f"There is no attention layer {layer!r}: {self.model} has {len(self.layers)}, from {self.layers[0]!r} to "
            f"{self.layers[-1]!r}."
        )

    def _queries(self, token: Query) -> list[int]:
        """Return the indices of the tokens whose mean attention is wanted."""
        places = self._checked_places()
        if token is None and self.class_tokens:
            return [self.class_tokens[0]]
        if token is None or token == "patches":
            return [int(index) for index in places.flat]
        if isinstance(token, int):
            if 0 <= token < len(self.outliers):
                return [token]
            raise MethodError(f"There is no token {token}: there are {len(self.outliers)}.")
        height, width = places.shape
        if isinstance(token, str) or len(token) != 2:
            raise MethodError(
                f'A token is (row, column) of a patch, an index, or "patches", not {token!r}.'
            )
        if not (0 <= token[0] < height and 0 <= token[1] < width):
            raise MethodError(
                f"There is no patch {token!r}: the grid has {height} rows of {width}."
            )
        return [int(places[token[0], token[1]])]


def attention(model: VisionModel, picture: Any) -> Attention:
    """Compute the attention weights of a model for a picture.

    Queries and keys of fused attention are recorded during the pass, so that the weights are given for every
    implementation: ``scaled_dot_product_attention``, ``nn.MultiheadAttention`` and explicit softmax. The model is left
    unchanged.

    Args:
        model: model from ``load`` or ``wrap``.
        picture: a picture as for ``explain``; for a model with several inputs, a mapping from their names to the
            picture and the tensors.

    Returns:
        The weights with the grid of the tokens. Of models that attend within windows (Swin), or among different
        numbers of tokens, ``by_layer`` has the weights, and what needs one stack of them raises a ``MethodError``.

    Raises:
        MethodError: if the model has no attention; the message says what was found instead.
        ModelError: if the model is not from ``load`` or ``wrap``, or fails.
        PictureError: if the picture cannot be read, or is more than one.

    Example:
        >>> import torch, torchvision
        >>> import camwidget as cw
        >>> module = torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3)
        >>> found = cw.attention(cw.wrap(module, cw.Preprocess(32), scores="softmax"), torch.rand(3, 32, 32))
        >>> round(float(found.weights[0, 0, 0].sum()), 4)
        1.0
    """
    require_model(model, "attention", picture)
    if isinstance(picture, Mapping):
        model, picture = model.split_inputs(picture)
    pixels = model.pixels(picture)
    if len(pixels) > 1:
        raise PictureError(f"attention takes one picture, not {len(pixels)}: call it for each.")
    return attention_of_pixels(model, pixels)


def attention_of_pixels(model: VisionModel, pixels: torch.Tensor) -> Attention:
    """Compute the attention weights of a model for the pixels (1, C, H, W) of one picture, as ``attention`` does."""
    with translated_device_errors(model.name, model.device):
        layers = attention_layers(model)
        if not layers.numbers:
            raise MethodError(layers.fault)
        weights, norms = _weights_and_norms(model.with_text_for(pixels), pixels, layers)
    return _attention(model, pixels, layers, weights, norms)


def _weights_and_norms(
    model: VisionModel, pixels: torch.Tensor, layers: AttentionLayers
) -> tuple[list[np.ndarray], np.ndarray | None]:
    """Run the model; return the weights of its attention layers, and the norms of the tokens behind the last block."""
    norms: list[torch.Tensor] = []

    def remember(module: torch.nn.Module, args: Any, output: Any) -> None:
        found = tokens_in(output, 1)
        if found is not None:
            norms.append(found[0].detach().float().norm(dim=-1).flatten())

    with model.isolated() as isolated, torch.no_grad():
        last = {isolated.module.get_submodule(name): remember for name in layers.blocks[-1:]}
        with hooked(last), AttentionCapture(lambda w: w.float().cpu()) as capture:
            isolated.run(model.inputs(pixels))
    if len(capture.operations) != layers.count:
        raise MethodError(
            f"The number of attention operations of {model.name} changes from picture to picture."
        )
    weights = []
    for number in layers.numbers:
        found = capture.operations[number].weights
        apart = heads_apart(found, 1)
        weights.append((apart[0] if len(apart) == 1 else apart).numpy())
    return weights, norms[-1].cpu().numpy() if norms else None


def _attention(
    model: VisionModel,
    pixels: torch.Tensor,
    layers: AttentionLayers,
    weights: list[np.ndarray],
    norms: np.ndarray | None,
) -> Attention:
    height, width = pixels.shape[-2:]
    count = weights[-1].shape[-1]
    places = None if layers.fault else token_places(model, count, (height, width))
    fault = layers.fault
    if not fault and places is None:
        fault = f"The {count} tokens are no grid of patches for a picture of {width}×{height}."
    outliers = np.zeros(count, bool)
    if places is not None and norms is not None:
        patches = places.grid.numpy()
        outliers[patches] = norms[patches] > _OUTLIER * np.median(norms[patches])
    shown = shades(pixels[0])
    shown.flags.writeable = False
    return Attention(
        layers=layers.names,
        by_layer=tuple(weights),
        places=None if places is None else places.grid.numpy(),
        class_tokens=layers.read,
        other_tokens=()
        if places is None
        else tuple(t for t in places.extra if t not in layers.read),
        norms=norms if places is not None else None,
        outliers=outliers,
        pixels=shown,
        model=model.name,
        fault=fault,
    )


def _mean_row(weights: np.ndarray, queries: list[int]) -> np.ndarray:
    """Return the mean of some rows of weights (…, tokens, tokens) as (…, tokens)."""
    if len(queries) == 1:
        return weights[..., queries[0], :]
    mean: np.ndarray = weights[..., queries, :].mean(-2)
    return mean
