"""The capture of attention: weights of fused attention, what products of a softmax are followed, gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from module_fingerprint import has_hooks
from torch import nn
from torch.nn import functional as F

from camwidget.execution.attention_capture import (
    AttentionCapture,
    attention_weights,
    heads_apart,
)
from camwidget.execution.running import running_modules

GENERATOR = torch.Generator().manual_seed(0)


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


Q, K, V = draw(2, 4, 5, 3), draw(2, 4, 7, 3), draw(2, 4, 7, 3)
BLIND = torch.ones(5, 7, dtype=torch.bool)
BLIND[2] = False
BLIND[1, 3:] = False

CASES: dict[str, tuple[tuple[torch.Tensor, ...], dict[str, Any]]] = {
    "plain": ((Q, K, V), {}),
    "scale": ((Q, K, V), {"scale": 0.3}),
    "added mask": ((Q, K, V), {"attn_mask": draw(2, 1, 5, 7)}),
    "boolean mask, one row without keys": ((Q, K, V), {"attn_mask": BLIND}),
    "infinite mask, one row without keys": (
        (Q, K, V),
        {"attn_mask": torch.zeros(5, 7).double().masked_fill(~BLIND, -torch.inf)},
    ),
    "causal": ((Q, K[:, :, :5], V[:, :, :5]), {"is_causal": True}),
    "causal, more keys": ((Q, K, V), {"is_causal": True}),
    "grouped heads": ((Q, K[:, :2], V[:, :2]), {"enable_gqa": True}),
    "one head, three dimensions": ((Q[:, 0], K[:, 0], V[:, 0]), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_explicit_attention_is_the_fused_one(name: str) -> None:
    tensors, settings = CASES[name]
    expected = F.scaled_dot_product_attention(*tensors, **settings)
    with AttentionCapture() as recorded:
        torch.testing.assert_close(
            F.scaled_dot_product_attention(*tensors, **settings), expected, rtol=0, atol=0
        )
    with AttentionCapture(differentiable=True) as explicit:
        found = F.scaled_dot_product_attention(*tensors, **settings)
    torch.testing.assert_close(found, expected)
    (one,), (other,) = recorded.operations, explicit.operations
    torch.testing.assert_close(one.weights, other.weights.detach())
    assert one.shape == tuple(one.weights.shape) and not one.weights.requires_grad
    sums = one.weights.sum(-1)
    assert torch.all(((sums - 1).abs() < 1e-9) | (sums == 0))
    repeat = tensors[0].shape[-3] // tensors[2].shape[-3]
    torch.testing.assert_close(one.weights @ tensors[2].repeat_interleave(repeat, -3), expected)


def test_a_score_has_a_gradient_at_weights_that_had_no_graph() -> None:
    with AttentionCapture(differentiable=True) as capture:
        y = F.scaled_dot_product_attention(Q, K, V)
        y = F.scaled_dot_product_attention(y, K, V)
    first, second = (o.weights for o in capture.operations)
    assert first.is_leaf and first.requires_grad and not second.is_leaf
    gradients = torch.autograd.grad(y.sum(), [first, second])
    torch.testing.assert_close(gradients[1], V.sum(-1)[..., None, :].expand(-1, -1, 5, -1))
    assert gradients[0].abs().max() > 0
    with torch.no_grad(), AttentionCapture(differentiable=True) as capture:
        F.scaled_dot_product_attention(Q, K, V)
    assert not capture.operations[0].weights.requires_grad


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("need_weights", [True, False])
def test_multi_head_attention_off_the_fast_path(batch_first: bool, need_weights: bool) -> None:
    torch.manual_seed(0)
    module = nn.MultiheadAttention(12, 4, batch_first=batch_first).eval()
    x = torch.randn(2, 5, 12) if batch_first else torch.randn(5, 2, 12)
    with torch.no_grad():
        expected = module(x, x, x, need_weights=True, average_attn_weights=False)
        with AttentionCapture() as capture:
            found, weights = module(x, x, x, need_weights=need_weights)
    torch.testing.assert_close(found, expected[0])
    assert (weights is None) != need_weights
    (operation,) = capture.operations
    torch.testing.assert_close(heads_apart(operation.weights, 2), expected[1], atol=1e-6, rtol=0)
    # The mode is gone, and nothing of the function itself has changed.
    torch.testing.assert_close(module(x, x, x, need_weights=False)[0], expected[0])


def test_an_encoder_layer_off_the_fast_path() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(12, 4, 16, batch_first=True).eval()
    x = torch.randn(2, 5, 12)
    with torch.no_grad(), AttentionCapture() as capture:
        found = layer(x)
    torch.testing.assert_close(found, layer(x).detach(), atol=1e-5, rtol=1e-4)
    assert [o.shape for o in capture.operations] == [(2, 4, 5, 5)]


WRITTEN = {
    "matmul": lambda w, v: torch.matmul(w, v),
    "@": lambda w, v: w @ v,
    "einsum": lambda w, v: torch.einsum("bhij,bhjd->bhid", w, v),
    "dropout": lambda w, v: F.dropout(w, 0.5, training=False) @ v,
    "cast": lambda w, v: w.to(torch.float32).to(torch.float64) @ v,
    "bmm": lambda w, v: torch.bmm(w.flatten(0, 1), v.flatten(0, 1)).unflatten(0, v.shape[:2]),
}


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("by_method", [True, False])
def test_products_of_a_softmax_are_followed(name: str, by_method: bool) -> None:
    def attend() -> torch.Tensor:
        scores = Q @ K.mT
        weights = scores.softmax(-1) if by_method else F.softmax(scores, dim=-1)
        found: torch.Tensor = WRITTEN[name](weights, V)
        return found

    expected = attend()
    for differentiable in (False, True):
        with AttentionCapture(differentiable=differentiable) as capture:
            found = attend()
        torch.testing.assert_close(found.detach(), expected)
        (operation,) = capture.operations
        weights = heads_apart(operation.weights.detach(), 2)
        torch.testing.assert_close(
            weights, attention_weights(Q, K, V, scale=1.0), atol=1e-7, rtol=0
        )
        assert not capture.unfollowed
        if differentiable:
            (gradient,) = torch.autograd.grad(found.sum(), operation.weights)
            expected_gradient = V.sum(-1)[:, :, None].expand(-1, -1, 5, -1)
            torch.testing.assert_close(
                heads_apart(gradient, 2), expected_gradient.to(gradient), atol=1e-6, rtol=0
            )


def test_what_is_no_attention_is_left_out() -> None:
    x = draw(2, 4, 5, 5)
    with AttentionCapture() as capture:
        x.softmax(1) @ x  # over the heads
        x.softmax(-1)[:, :, :, :2].sum()  # multiplies nothing
        x[0, 0].softmax(-1) @ x[0, 0]  # of two dimensions, such as a mixture of experts
        (x.softmax(-1) * 2) @ x  # changed since
    assert not capture.operations
    assert capture.unfollowed == [(2, 4, 5, 5)] * 2


def test_the_running_modules_are_named() -> None:
    inner = nn.TransformerEncoderLayer(12, 4, 16, batch_first=True)
    module = nn.Sequential(nn.Linear(12, 12), nn.Sequential(inner)).eval()
    with (
        torch.no_grad(),
        running_modules(module) as running,
        AttentionCapture(running=running) as capture,
    ):
        module(torch.randn(1, 5, 12))
    assert capture.operations[0].modules == ("", "1", "1.0", "1.0.self_attn")
    assert running == []
    assert not has_hooks(module)


def test_only_what_is_wanted_is_kept() -> None:
    with AttentionCapture(lambda weights: weights.mean(1)) as capture:
        F.scaled_dot_product_attention(Q, K, V)
    (operation,) = capture.operations
    assert operation.weights.shape == (2, 5, 7) and operation.shape == (2, 4, 5, 7)
