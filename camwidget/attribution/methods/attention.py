"""Attention methods: attention rollout, attention × gradient (Chefer), and LeGrad."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..._validation import check_number
from ...errors import CamwidgetError, MethodError
from ...models.vision_model import VisionModel
from ..attention_layers import attention_layers
from ..attention_passes import (
    attention_relevance,
    layers_of,
    mean_attention,
    places_in,
    reading_row,
    score_sensitivity,
)
from ..targets import Target
from ..trace import Trace
from .registry import method
from .target_reasons import one_map_for_all

__all__ = ["attention_rollout", "chefer", "legrad"]

_GROUP = "Attention"
_NEEDS = "a transformer whose layers all attend among the same tokens"
_REMEDY = "Use 'gradcam' or 'layercam', which need only gradients."


def _reason(model: VisionModel, layer: str) -> str | None:
    """Return why the model has no stack of attention among the tokens of the picture; None if it has one."""
    try:
        fault = attention_layers(model).fault
    except CamwidgetError as error:
        fault = str(error)
    return f"{fault} {_REMEDY}" if fault else None


def _gradient_reason(model: VisionModel, layer: str) -> str | None:
    """Return why there are no gradients at the attention weights; None if there are."""
    reason = _reason(model, layer)
    if reason is None and model.is_reentrant:
        return (
            f"a part of {model.name} is checkpointed with use_reentrant=True, and PyTorch gives no gradients inside "
            "it. Switch checkpointing off, or use 'attention-rollout'."
        )
    return reason


def _legrad_reason(model: VisionModel, layer: str) -> str | None:
    """Return why layers have no scores of their own; None if they have."""
    reason = _gradient_reason(model, layer)
    if reason is None and not attention_layers(model).blocks:
        return (
            f"its layers have no scores of their own, since attention and what follows it are no modules of "
            f"{model.name} that return tokens. Use 'chefer'."
        )
    return reason


@method(
    "attention-rollout",
    label="Attention rollout",
    citation="Abnar and Zuidema 2020, ACL, arXiv:2005.00928",
    summary="Where attention comes from when it is followed through all layers; the same for every class.",
    needs=_NEEDS,
    group=_GROUP,
    reason=_reason,
    target_reason=one_map_for_all,
    needs_gradients=False,
    needs_attention=True,
    at_input=True,
    own_passes=True,
    clips="its tokens are patches of a picture, and have no time here. Use 'gradcam'.",
)
def attention_rollout(
    trace: Trace, target: Target, layer: str, *, residual: float = 0.5
) -> torch.Tensor:
    """Attention rollout, section 3 of Abnar and Zuidema 2020, with the heads averaged.

    ``Ã(l_i) = A(l_i) Ã(l_{i−1})`` with ``A = 0.5 W + 0.5 I``: half of what a layer returns is its attention W, and half
    is its input, which goes around it. The map is the class token's row; of a model that averages its patches, the mean
    of their rows; of a model with attention pooling at the end, the pooling's weights times the rows.

    Args:
        trace: recorded forward pass of N pictures.
        target: unused: the map is the same for every target.
        layer: unused: the map goes through all layers.
        residual: part of the input in what a layer returns, in [0, 1].

    Returns:
        Maps (N, h, w) on the grid of patches, ≥ 0. With the extra tokens' parts, they add up to 1.

    Raises:
        MethodError: if the model has no attention among the tokens of the picture, or ``residual`` is out of range.

    Example:
        >>> import torch, torchvision
        >>> import camwidget as cw
        >>> module = torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3)
        >>> model = cw.wrap(module, cw.Preprocess(32), scores="softmax")
        >>> cw.explain(model, torch.rand(3, 32, 32), method="attention-rollout").raw.shape
        (4, 4)
    """
    residual = check_number("residual", residual, 0, 1, error=MethodError)
    layers = layers_of(trace)
    weights = [w.float() if w.dtype != torch.float64 else w for w in mean_attention(trace)]
    places = places_in(trace, weights[layers.numbers[-1]].shape[-1])
    row = reading_row(layers, places, weights[layers.numbers[-1]]).expand(len(trace.pixels), -1)
    if layers.pooling is not None:
        row = weights[layers.pooling].mean(1)
    for number in reversed(layers.numbers):
        attended = torch.einsum("nt,nts->ns", row, weights[number])
        row = residual * row + (1 - residual) * attended
    return places.on_grid(row)


def _prepare_chefer(trace: Trace, targets: Sequence[Target]) -> None:
    attention_relevance(trace, targets)


@method(
    "chefer",
    label="Chefer",
    citation="Chefer et al. 2021, ICCV, arXiv:2103.15679",
    summary="Attention where more of it would raise the class's score, followed through all layers.",
    needs=f"{_NEEDS}, and gradients at the attention weights",
    group=_GROUP,
    reason=_gradient_reason,
    needs_gradients=False,
    at_input=True,
    own_passes=True,
    prepare=_prepare_chefer,
    clips="its tokens are patches of a picture, and have no time here. Use 'gradcam'.",
)
def chefer(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Relevance by attention × gradient, the generic method of Chefer et al. 2021 (ICCV), eqs. 5 and 6.

    ``R ← R + Ā R`` from ``R = I``, layer by layer, with ``Ā = E_h[(∇A ⊙ A)⁺]``: A are a layer's attention weights, ∇A
    the gradient of the score at them, E_h the mean over the heads. The map is the class token's row of R. Of a model
    that averages its patches it is the mean of their rows, without the identity's equal part; of a model with attention
    pooling at the end it is the pooling's Ā times R: the rule of eq. 10 with one query, but without its normalization
    of R. Equations are numbered as in the authors' code (github.com/hila-chefer/Transformer-MM-Explainability).

    Args:
        trace: recorded forward pass of N pictures.
        target: target whose score is explained.
        layer: unused: the map goes through all layers.

    Returns:
        Maps (N, h, w) on the grid of patches, ≥ 0.

    Raises:
        MethodError: if the model has no attention among the tokens of the picture, or the score no gradient there.

    Example:
        >>> import torch, torchvision
        >>> import camwidget as cw
        >>> module = torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3)
        >>> model = cw.wrap(module, cw.Preprocess(32), scores="softmax")
        >>> cw.explain(model, torch.rand(3, 32, 32), 1, method="chefer").raw.shape
        (4, 4)
    """
    attention_relevance(trace, [target])
    relevance: torch.Tensor = trace.memory["relevance", target]
    return places_in(trace, relevance.shape[-1]).on_grid(relevance)


def _prepare_legrad(trace: Trace, targets: Sequence[Target], *, pooling: str = "model") -> None:
    score_sensitivity(trace, targets, pooling)


@method(
    "legrad",
    label="LeGrad",
    citation="Bousselham et al. 2025, ICCV, arXiv:2404.03214",
    summary="Where a layer would have to attend more for its tokens to score higher for the class, over all layers.",
    needs=f"{_NEEDS}, in blocks with scores of their own",
    group=_GROUP,
    reason=_legrad_reason,
    needs_gradients=False,
    at_input=True,
    own_passes=True,
    scale="range",
    prepare=_prepare_legrad,
    clips="its tokens are patches of a picture, and have no time here. Use 'gradcam'.",
)
def legrad(trace: Trace, target: Target, layer: str, *, pooling: str = "model") -> torch.Tensor:
    """LeGrad, section 3 of Bousselham et al. 2025: the gradients of layers' scores at their own attention weights.

    ``E = 1/L Σ_l 1/(h n) Σ_h Σ_i (∂s^l/∂A^l_{h,i,·})⁺``, where ``s^l`` is the score of the tokens of block l: what
    the model would compute if its last block returned them. The map is scaled from its minimum to its maximum. Of a
    model with attention pooling at the end, the gradients are those at the pooling's weights for the tokens of each
    block.

    Args:
        trace: recorded forward pass of N pictures.
        target: target whose score is explained.
        layer: unused: the map is the mean over all layers.
        pooling: "model" reads a block's tokens as the model reads its last ones, mostly by the class token; "mean"
            reads the mean of all its tokens instead, as the authors' code does for CLIP
            (github.com/WalBouss/LeGrad).

    Returns:
        Maps (N, h, w) on the grid of patches, ≥ 0.

    Raises:
        MethodError: if the model has no attention among the tokens of the picture or no blocks, the score has no
            gradient there, or ``pooling`` is neither "model" nor "mean".

    Example:
        >>> import torch, torchvision
        >>> import camwidget as cw
        >>> module = torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3)
        >>> model = cw.wrap(module, cw.Preprocess(32), scores="softmax")
        >>> cw.explain(model, torch.rand(3, 32, 32), 1, method="legrad").raw.shape
        (4, 4)
    """
    if pooling not in ("model", "mean"):
        raise MethodError(f"pooling is 'model' or 'mean', not {pooling!r}.")
    score_sensitivity(trace, [target], pooling)
    sensitivity: torch.Tensor = trace.memory["sensitivity", pooling, target]
    return places_in(trace, sensitivity.shape[-1]).on_grid(sensitivity)
