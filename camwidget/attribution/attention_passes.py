"""Attention passes: attention weights of a trace's pictures, and gradients of targets' scores at them.

The relevance of Chefer et al. 2021 and the sensitivity of LeGrad are computed from them here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from ..errors import MethodError, ModelError
from ..execution.attention_capture import AttentionCapture, heads_apart, mean_over_heads
from ..execution.autograd_graph import gradient_rows
from ..execution.reused_copy import left_to_graph
from ..execution.running import hooked
from ..models.output_tensors import is_plain
from ..models.scores import are_close
from .attention_layers import (
    AttentionLayers,
    TokenPlaces,
    attention_layers,
    token_places,
    tokens_in,
)
from .precision import in_precision
from .target_scores import score_of, uses_module_output
from .targets import Target
from .trace import Trace

__all__ = [
    "attention_relevance",
    "layers_of",
    "mean_attention",
    "places_in",
    "reading_row",
    "score_sensitivity",
]

#: Number of scores that are propagated back at once: each takes the memory of all attention weights.
_SCORES_AT_ONCE = 8
#: Largest difference from the trace's logits that rounding may cause, as a part of the largest logit.
_ROUNDING = {"fp32": 1e-3, "bf16": 0.1, "fp16": 0.1}


def layers_of(trace: Trace) -> AttentionLayers:
    """Return the attention layers of a trace's model.

    Raises:
        MethodError: if the model has no stack of attention among the tokens of the picture.
    """
    layers = attention_layers(trace.model)
    if layers.fault:
        raise MethodError(layers.fault)
    return layers


def places_in(trace: Trace, tokens: int) -> TokenPlaces:
    """Return the positions of a number of tokens in a trace's pictures.

    Raises:
        MethodError: if the tokens are no grid of patches for pictures of this size.
    """
    height, width = trace.pixels.shape[-2:]
    places = token_places(trace.model, tokens, (height, width))
    if places is None:
        raise MethodError(
            f"The {tokens} tokens of {trace.model.name} are no grid of patches for a picture of {width}×{height}. "
            "Use a picture whose sides are multiples of the patches'."
        )
    return places


def mean_attention(trace: Trace) -> list[torch.Tensor]:
    """Return the attention weights of all operations, each the mean over the heads (N, queries, keys).

    They are those of the trace's own pass if it recorded them; otherwise the model runs again, once.
    """
    if trace.attention is not None:
        return trace.attention
    if "attention" not in trace.memory:
        capture = AttentionCapture(partial(mean_over_heads, pictures=len(trace.pixels)))
        _run(trace, capture, torch.no_grad())
        trace.memory["attention"] = [o.weights for o in capture.operations]
    weights: list[torch.Tensor] = trace.memory["attention"]
    return weights


def reading_row(layers: AttentionLayers, places: TokenPlaces, like: torch.Tensor) -> torch.Tensor:
    """Return how the score reads the tokens of the last block, (T,): the class tokens in equal parts, or the patches.

    Args:
        layers: the model's attention layers.
        places: positions of the tokens.
        like: a tensor (…, T) of the dtype and device wanted.
    """
    row = like.new_zeros(like.shape[-1])
    tokens = list(layers.read) if layers.read else places.grid.flatten().tolist()
    row[tokens] = 1 / len(tokens)
    return row


def attention_relevance(trace: Trace, targets: Sequence[Target]) -> None:
    """Compute and store the relevance of tokens by attention × gradient, ``("relevance", target)`` in the memory.

    With ``Ā = E_h[(∇A ⊙ A)⁺]``, the relevance (N, T) is the row of ``R`` with which the score reads the tokens, where
    ``R ← R + Ā R`` from ``R = I``, less the identity.
    """
    layers = layers_of(trace)
    count = len(trace.pixels)

    def relevance(weights: list[torch.Tensor], gradients: list[torch.Tensor]) -> torch.Tensor:
        products = [
            heads_apart((gradient * weight).clamp(min=0), count).mean(1)
            for weight, gradient in zip(weights, gradients, strict=True)
        ]
        pooled = None if layers.pooling is None else products.pop()
        places = places_in(trace, products[-1].shape[-1])
        start = reading_row(layers, places, products[-1]).expand(count, -1)
        row: torch.Tensor = start if pooled is None else pooled.mean(1)
        # Added up without the identity's part, beside which small gradients would be lost to rounding.
        change = torch.zeros_like(row)
        for product in reversed(products):
            change = change + torch.einsum("nt,nts->ns", row + change, product)
        return change if pooled is None else row + change

    def forward() -> tuple[list[torch.Tensor], Callable[[Target], torch.Tensor]]:
        capture = AttentionCapture(differentiable=True)
        returned, logits = _run(trace, capture, torch.enable_grad())
        _check_logits(trace, logits)
        return _leaves(capture, layers), lambda target: score_of(target, returned, logits).sum()

    _remember(trace, targets, ("relevance",), forward, relevance)


def score_sensitivity(trace: Trace, targets: Sequence[Target], pooling: str) -> None:
    """Compute and store the sensitivity of layers' scores to attention, ``("sensitivity", pooling, target)``.

    The score ``s^l`` of a layer is that of the model whose last block returns the tokens of block l. The sensitivity
    (N, T) is the mean of ``(∂s^l / ∂A^l)⁺`` over layers, heads and queries.

    One forward and one backward pass give all of it: behind the last block the tokens of all blocks run as one batch,
    and each block gets the tokens of the one before without graph, so that ``s^l`` has a gradient at ``A^l`` alone.

    Args:
        trace: recorded forward pass of N pictures.
        targets: targets whose scores are explained.
        pooling: "model" for tokens as they are; "mean" for the mean of a block's tokens in the place of each.
    """
    layers = layers_of(trace)
    count, depth = len(trace.pixels), len(layers.blocks)
    tail_rows = (depth + (pooling == "mean")) * count

    def sensitivity(weights: list[torch.Tensor], gradients: list[torch.Tensor]) -> torch.Tensor:
        if layers.pooling is not None:  # its rows are those of all layers
            rows = heads_apart(gradients[-1].clamp(min=0), tail_rows).mean((1, 2))
            mean: torch.Tensor = rows[: depth * count].unflatten(0, (depth, count)).mean(0)
            return mean
        parts = [heads_apart(gradient.clamp(min=0), count).mean((1, 2)) for gradient in gradients]
        over_layers: torch.Tensor = torch.stack(parts).mean(0)
        return over_layers

    def forward() -> tuple[list[torch.Tensor], Callable[[Target], torch.Tensor]]:
        capture = AttentionCapture(differentiable=True)
        tail = _SharedTail(layers.blocks, count, pooling)
        returned, logits = _run(trace, capture, torch.enable_grad(), tail)
        _check_logits(trace, logits[-count:])

        def score(target: Target) -> torch.Tensor:
            if uses_module_output(target) and not is_plain(returned, logits):
                return score_of(target, returned, logits)[: depth * count].sum()
            parts = logits.unflatten(0, (-1, count))[:depth]
            return torch.stack([score_of(target, part, part).sum() for part in parts]).sum()

        return _leaves(capture, layers), score

    _remember(trace, targets, ("sensitivity", pooling), forward, sensitivity)


class _SharedTail:
    """Hooks by which what follows the last block runs once for the tokens of all blocks."""

    def __init__(self, blocks: Sequence[str], pictures: int, pooling: str) -> None:
        self.blocks = blocks
        self._pictures = pictures
        self._pooling = pooling
        self._tokens: list[torch.Tensor] = []

    @property
    def rows(self) -> int:
        """Number of rows behind the last block."""
        return (len(self.blocks) + (self._pooling == "mean")) * self._pictures

    def __call__(self, module: torch.nn.Module, args: Any, output: Any) -> Any:
        found = tokens_in(output, self._pictures)
        if found is None:
            raise MethodError(
                "A block that returned tokens in the first pass does not for these pictures."
            )
        tokens, dimension = found
        self._tokens.append(tokens)
        if len(self._tokens) < len(self.blocks):
            return _with_tokens(output, tokens.detach())
        rows = self._tokens
        if self._pooling == "mean":
            rows = [r.mean(1 - dimension, keepdim=True).expand_as(r) for r in rows]
            rows.append(tokens)  # by which the logits are checked
        return _with_tokens(output, torch.cat(rows, dimension))


def _with_tokens(output: Any, tokens: torch.Tensor) -> Any:
    """Return a block's output with other tokens."""
    return type(output)((tokens, *output[1:])) if isinstance(output, (tuple, list)) else tokens


def _run(
    trace: Trace, capture: AttentionCapture, gradients: Any, tail: _SharedTail | None = None
) -> tuple[Any, torch.Tensor]:
    """Run a trace's model on its pictures again; return the module's output and the logits."""
    model = trace.model
    with (
        torch.inference_mode(False),
        model.isolated() as isolated,
        gradients,
        in_precision(trace.precision, trace.logits.device),
    ):
        hooks: dict[torch.nn.Module, Callable[..., Any]] = {}
        if tail is not None:
            hooks = {isolated.module.get_submodule(block): tail for block in tail.blocks}
        try:
            with hooked(hooks), capture, left_to_graph(isolated.module):
                returned = isolated.run(model.inputs(trace.pixels.clone()))
            rows = len(trace.pixels) if tail is None else tail.rows
            return returned, _full(model.logits_of(returned, rows))
        except ModelError as error:
            if tail is None:
                raise
            raise MethodError(
                f"What {model.name} computes behind its last block cannot be computed for other tokens ({error}). Use "
                "'chefer'."
            ) from error


def _check_logits(trace: Trace, logits: torch.Tensor) -> None:
    """Raise a ``MethodError`` if a pass with explicit attention has other logits than the trace's own."""
    if not logits.numel():  # a module without logits, whose targets are callables
        return
    is_half = trace.model.dtype in (torch.float16, torch.bfloat16)
    rounding = _ROUNDING["bf16" if is_half else trace.precision]
    if not are_close(logits.detach(), trace.logits, rounding, 1e-3):
        raise MethodError(
            f"{trace.model.name} has other outputs when its attention is computed step by step, so that the map would "
            "not be its own. Use 'gradcam'."
        )


def _leaves(capture: AttentionCapture, layers: AttentionLayers) -> list[torch.Tensor]:
    """Return the weights of the attention layers, in order, and those of the pooling at the end."""
    if len(capture.operations) != layers.count:
        raise MethodError("The number of attention operations changes from picture to picture.")
    numbers = [*layers.numbers, *([] if layers.pooling is None else [layers.pooling])]
    return [capture.operations[number].weights for number in numbers]


def _remember(
    trace: Trace,
    targets: Sequence[Target],
    key: tuple[Any, ...],
    forward: Callable[[], tuple[list[torch.Tensor], Callable[[Target], torch.Tensor]]],
    combine: Callable[[list[torch.Tensor], list[torch.Tensor]], torch.Tensor],
) -> None:
    """Store in the trace's memory what is combined from the weights and a score's gradients at them.

    Args:
        trace: recorded forward pass.
        targets: targets; those that are stored already cost nothing.
        key: beginning of the key; the target follows.
        forward: runs the model; returns the weights with graph, and a function of a target to its summed score.
        combine: function of weights and gradients, both without graph, to (N, T).
    """
    wanted = [t for t in dict.fromkeys(targets) if (*key, t) not in trace.memory]
    if not wanted:
        return
    if trace.model.is_reentrant:
        raise MethodError(
            f"A part of {trace.model.name} is checkpointed with use_reentrant=True, and PyTorch gives no gradients "
            "inside it. Switch checkpointing off."
        )
    weights, score = forward()
    values = [_full(weight.detach()) for weight in weights]
    with trace.model.isolated(runs=False), torch.enable_grad():
        for begin in range(0, len(wanted), _SCORES_AT_ONCE):
            part = wanted[begin : begin + _SCORES_AT_ONCE]
            scores = torch.stack([score(target) for target in part])
            rows = gradient_rows(scores, weights) if scores.requires_grad else []
            if not rows or all(g is None for row in rows for g in row):
                raise MethodError(
                    f"The score of {part[0].label!r} does not depend on the attention of {trace.model.name} in a way "
                    "that can be differentiated. Use a method without gradients, such as 'attention-rollout'."
                )
            for target, row in zip(part, rows, strict=True):
                gradients = [
                    torch.zeros_like(v) if g is None else _full(g)
                    for g, v in zip(row, values, strict=True)
                ]
                with torch.no_grad():
                    trace.memory[(*key, target)] = combine(values, gradients)


def _full(tensor: torch.Tensor) -> torch.Tensor:
    """Widen half precision to float32, which sums over heads and layers need."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
