"""Attention rollout, Chefer's attention × gradient and LeGrad, each against its equations written out in float64."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import tiny_transformers as tiny
import torch
from explorer_internals import view_of
from module_fingerprint import has_hooks
from scipy.stats import spearmanr
from torch import nn
from torch.nn import functional as F

import camwidget as cw
from camwidget.attribution.randomization import randomized_copy
from camwidget.attribution.trace import Trace
from camwidget.errors import MethodError

PREPROCESS = cw.Preprocess(tiny.SIDE, mean=(0.5, 0.5, 0.5), std=(0.3, 0.3, 0.3))
PICTURES = torch.rand(2, 3, tiny.SIDE, tiny.SIDE, generator=torch.Generator().manual_seed(3))
NAMES = ["attention-rollout", "chefer", "legrad"]


def wrap(module: nn.Module) -> cw.VisionModel:
    return cw.wrap(module, PREPROCESS)


def plain(pool: str = "class", registers: int = 0, depth: int = tiny.DEPTH) -> tiny.Plain:
    module = tiny.Plain(pool, registers, depth)
    tiny.seeded(module)
    return module.double()


def inputs(picture: int) -> torch.Tensor:
    return PREPROCESS.normalize(PICTURES[picture : picture + 1]).double()


# -- slow transcriptions ---------------------------------------------------------------------------


def run_block(block: tiny.Block, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A block with its attention written out; its output and its weights."""
    q, k, v = block.heads(x)
    weights = torch.softmax(q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5, -1)
    weights.retain_grad()
    x = x + block.out((weights @ v).transpose(1, 2).flatten(2))
    return x + block.mlp(block.norm2(x)), weights


def rollout(module: tiny.Plain, x: torch.Tensor, residual: float) -> np.ndarray:
    tokens, product = module.embedded(x), None
    for block in module.blocks:
        tokens, weights = run_block(block, tokens)  # type: ignore[arg-type]
        n = weights.shape[-1]
        mean = sum(weights[0, h].detach().numpy() for h in range(tiny.HEADS)) / tiny.HEADS
        mixed = (1 - residual) * mean + residual * np.eye(n)
        mixed = mixed / mixed.sum(1, keepdims=True)
        product = mixed if product is None else mixed @ product
    assert product is not None
    return product


def chefer(module: tiny.Plain, x: torch.Tensor, score: Callable[..., torch.Tensor]) -> np.ndarray:
    tokens, layers = module.embedded(x), []
    for block in module.blocks:
        tokens, weights = run_block(block, tokens)  # type: ignore[arg-type]
        layers.append(weights)
    score(module.tail(tokens)).sum().backward()
    n = layers[0].shape[-1]
    relevance = np.eye(n)
    for weights in layers:
        assert weights.grad is not None
        gradient, values = weights.grad[0].numpy(), weights[0].detach().numpy()
        mean = np.zeros((n, n))
        for h, i, j in itertools.product(range(tiny.HEADS), range(n), range(n)):
            mean[i, j] += max(gradient[h, i, j] * values[h, i, j], 0) / tiny.HEADS
        relevance = relevance + mean @ relevance
    return relevance


def chefer_change(module: tiny.Plain, x: torch.Tensor) -> np.ndarray:
    """Return R − I for class 2."""
    relevance = chefer(module, x, lambda z: z[:, 2])
    return relevance - np.eye(len(relevance))


def legrad(
    module: tiny.Plain, x: torch.Tensor, score: Callable[..., torch.Tensor], mean: bool
) -> np.ndarray:
    """One pass for each layer, as far as that layer's block, and its own backward pass."""
    found = np.zeros(module.position.shape[1])
    for layer in range(len(module.blocks)):
        tokens = module.embedded(x)
        for block in list(module.blocks)[: layer + 1]:
            tokens, weights = run_block(block, tokens)  # type: ignore[arg-type]
        if mean:
            tokens = tokens.mean(1, keepdim=True).expand_as(tokens)
        score(module.tail(tokens)).sum().backward()
        assert weights.grad is not None
        gradient = weights.grad[0].numpy()
        for h, i in itertools.product(range(tiny.HEADS), range(len(found))):
            found += np.maximum(gradient[h, i], 0) / (tiny.HEADS * len(found) * len(module.blocks))
    return found


def read(module: tiny.Plain, matrix: np.ndarray) -> np.ndarray:
    skipped = module.extra.shape[1]
    rows = matrix[0] if module.pool == "class" else matrix[skipped:].mean(0)
    return rows[skipped:].reshape(4, 4)


KINDS = {"class": ("class", 0), "class, registers": ("class", 2), "mean": ("mean", 1)}
TARGETS: dict[str, tuple[object, Callable[[torch.Tensor], torch.Tensor]]] = {
    "class": (2, lambda z: z[:, 2]),
    "contrast": (cw.Contrast(1, 3), lambda z: z[:, 1] - z[:, 3]),
    "log-probability": (cw.LogProbability(0), lambda z: z.log_softmax(1)[:, 0]),
    "callable": (lambda z: z[:, 1] * z[:, 2], lambda z: z[:, 1] * z[:, 2]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("residual", [0.5, 0.2])
def test_rollout_is_its_equation(kind: str, residual: float) -> None:
    module = plain(*KINDS[kind])
    method = cw.get_method("attention-rollout", residual=residual)
    found = cw.explain(wrap(module), PICTURES, 0, method)
    for number, explanation in enumerate(found):
        expected = read(module, rollout(module, inputs(number), residual))
        np.testing.assert_allclose(explanation.raw, expected, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", TARGETS)
def test_chefer_is_its_equation(kind: str, target: str) -> None:
    module = plain(*KINDS[kind])
    wanted, score = TARGETS[target]
    found = cw.explain(wrap(module), PICTURES, wanted, "chefer")
    for number, explanation in enumerate(found):
        relevance = chefer(module, inputs(number), score)
        expected = read(module, relevance - np.eye(len(relevance)))
        assert expected.max() > 0
        np.testing.assert_allclose(explanation.raw, expected, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("kind", ["class", "mean"])
def test_chefer_of_small_gradients_is_not_lost_to_rounding(kind: str) -> None:
    """In single precision, parts of 1e-9 beside an identity of 1 would be gone."""
    module = plain(*KINDS[kind])
    with torch.no_grad():
        module.head.weight *= 1e-8
    expected = read(module, chefer_change(module, inputs(0)))
    (found,) = cw.explain(wrap(module.float()), PICTURES[:1], 2, "chefer")
    assert expected.max() < 1e-7
    np.testing.assert_allclose(found.raw, expected, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", ["model", "mean"])
@pytest.mark.parametrize("target", TARGETS)
def test_legrad_is_its_equation(kind: str, pooling: str, target: str) -> None:
    module = plain(*KINDS[kind])
    wanted, score = TARGETS[target]
    found = cw.explain(wrap(module), PICTURES, wanted, cw.get_method("legrad", pooling=pooling))
    for number, explanation in enumerate(found):
        expected = legrad(module, inputs(number), score, pooling == "mean")
        expected = expected[module.extra.shape[1] :].reshape(4, 4)
        assert expected.max() > 0
        np.testing.assert_allclose(explanation.raw, expected, rtol=1e-5, atol=1e-12)


def test_a_single_block_needs_no_tail() -> None:
    module = plain(depth=1)
    (found,) = cw.explain(wrap(module), PICTURES[:1], 1, "legrad")
    expected = legrad(module, inputs(0), lambda z: z[:, 1], False)[1:].reshape(4, 4)
    np.testing.assert_allclose(found.raw, expected, rtol=1e-5, atol=1e-12)


# -- attention pooling at the end --------------------------------------------------------------------


class Pooled(tiny.Plain):
    """A query of its own reads the tokens at the end, as in SigLIP."""

    def __init__(self) -> None:
        super().__init__("mean")
        self.query = nn.Parameter(torch.zeros(1, 1, tiny.WIDTH))
        self.keys = nn.Linear(tiny.WIDTH, 2 * tiny.WIDTH)

    def tail(self, tokens: torch.Tensor) -> torch.Tensor:
        q, k, v = self.split(self.norm(tokens))
        mixed = F.scaled_dot_product_attention(q, k, v)
        found: torch.Tensor = self.head(mixed.transpose(1, 2).flatten(1))
        return found

    def split(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        k, v = self.keys(tokens).unflatten(-1, (2, tiny.HEADS, -1)).permute(2, 0, 3, 1, 4)
        q = self.query.unflatten(-1, (tiny.HEADS, -1)).transpose(1, 2).expand(len(k), -1, -1, -1)
        return q, k, v

    def explicit_tail(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        q, k, v = self.split(self.norm(tokens))
        weights = torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1)
        weights.retain_grad()
        return self.head((weights @ v).transpose(1, 2).flatten(1)), weights


def test_attention_pooling_at_the_end() -> None:
    module = Pooled()
    tiny.seeded(module)
    module.double()
    found = cw.explain(wrap(module), PICTURES, 1, NAMES)  # of which the first is looked at
    assert cw.attention(wrap(module), PICTURES[0]).class_tokens == ()

    tokens, layers, states = module.embedded(inputs(0)), [], []
    for block in module.blocks:
        tokens, weights = run_block(block, tokens)  # type: ignore[arg-type]
        layers.append(weights)
        states.append(tokens.detach())
    logits, pool = module.explicit_tail(tokens)
    logits[0, 1].backward()
    rolled = np.eye(16)
    relevance = np.eye(16)
    for weights in layers:
        assert weights.grad is not None
        mean = weights[0].mean(0).detach().numpy()
        rolled = (0.5 * mean + 0.5 * np.eye(16)) @ rolled
        product = (weights.grad * weights).clamp(min=0)[0].mean(0).detach().numpy()
        relevance = relevance + product @ relevance
    assert pool.grad is not None
    pooled = (pool.grad * pool).clamp(min=0)[0].mean(0)[0].detach().numpy()
    reading = pool[0].mean(0)[0].detach().numpy()
    np.testing.assert_allclose(found[0].raw.ravel(), reading @ rolled, rtol=1e-5)
    np.testing.assert_allclose(found[1].raw.ravel(), pooled @ relevance, rtol=1e-5, atol=1e-12)
    expected = np.zeros(16)
    for state in states:
        logits, pool = module.explicit_tail(state)
        logits[0, 1].backward()
        assert pool.grad is not None
        expected += pool.grad[0, :, 0].clamp(min=0).mean(0).numpy() / len(states)
    np.testing.assert_allclose(found[2].raw.ravel(), expected, rtol=1e-5, atol=1e-12)


# -- classes, batches, architectures -----------------------------------------------------------------


def test_several_classes_take_one_backward_pass_and_give_the_same_maps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = wrap(plain())
    singles = [[cw.explain(model, PICTURES[0], c, m).raw for c in range(5)] for m in NAMES]
    batched: list[bool] = []
    gradient = torch.autograd.grad

    def counted(*args: object, **kwargs: object) -> object:
        batched.append(bool(kwargs.get("is_grads_batched")))
        return gradient(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.autograd, "grad", counted)
    for name, single in zip(NAMES, singles, strict=True):
        batched.clear()
        together = cw.explain(model, PICTURES[0], list(range(5)), name)
        assert batched == ([] if name == "attention-rollout" else [True])
        for one, other in zip(single, together, strict=True):
            np.testing.assert_allclose(one, other.raw, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_maps_depend_on_the_class_where_the_method_does(name: str) -> None:
    first, second = cw.explain(wrap(plain()), PICTURES[0], [0, 1], name)
    assert np.allclose(first.raw, second.raw) == (name == "attention-rollout")


@pytest.mark.parametrize("name", NAMES)
def test_each_picture_of_a_batch_has_its_own_class(name: str) -> None:
    model = wrap(plain())
    together = cw.explain(model, PICTURES, method=name)
    for number, explanation in enumerate(together):
        alone = cw.explain(model, PICTURES[number], explanation.target, name)
        np.testing.assert_allclose(explanation.raw, alone.raw, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("architecture", list(tiny.TRANSFORMERS))
def test_each_architecture(architecture: str) -> None:
    if architecture == "open_clip":
        pytest.importorskip("open_clip")
    model = wrap(tiny.TRANSFORMERS[architecture][0]())
    for explanation in cw.explain(model, PICTURES, [0, 1], NAMES):
        assert explanation.raw.shape == (4, 4) and np.ptp(explanation.raw) > 0
        assert explanation.saliency.shape == (32, 32) and explanation.saliency.max() == 1
        assert explanation.layer == "input"
    assert not has_hooks(model.module)


@pytest.mark.parametrize("pair", [(tiny.hf_vit, "eager"), (tiny.timm_vit, False)])
def test_fused_and_explicit_attention_have_the_same_maps(
    pair: tuple[Callable[..., nn.Module], object],
) -> None:
    build, other = pair
    one, two = (cw.explain(wrap(m), PICTURES, [0, 1], NAMES) for m in (build(), build(other)))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a.raw, b.raw, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ["pass", "weights"])
@pytest.mark.parametrize("name", NAMES)
def test_lower_precision(name: str, kind: str) -> None:
    module = tiny.seeded(tiny.Plain())
    full = cw.explain(wrap(module), PICTURES[0], 1, name).raw
    precision = {"precision": "bf16"} if kind == "pass" else {}
    model = wrap(module if kind == "pass" else module.bfloat16())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may be slower here
        low = cw.explain(model, PICTURES[0], 1, name, **precision).raw
    assert spearmanr(full.ravel(), low.ravel())[0] > 0.8


# -- where they do not apply -------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_reasons(name: str, textures: cw.VisionModel) -> None:
    method = cw.get_method(name)
    reason = method.reason(textures, textures.default_layer)
    assert reason is not None and "has no attention" in reason and "'gradcam'" in reason
    for build in (tiny.timm_swin, tiny.torchvision_swin):
        model = wrap(build())
        reason = method.reason(model, model.default_layer)
        assert reason is not None and "attends within windows" in reason
        with pytest.raises(MethodError, match="windows"):
            cw.explain(model, PICTURES[0], method=name)


def test_legrad_needs_blocks() -> None:
    class Shared(tiny.Plain):
        """The same block again and again, which has no output of its own."""

        def tokens(self, x: torch.Tensor) -> torch.Tensor:
            x = self.embedded(x)
            for _ in range(3):
                x = self.blocks[0](x)
            return x

    model = wrap(tiny.seeded(Shared()))
    assert "no scores of their own" in str(cw.get_method("legrad").reason(model, ""))
    assert cw.get_method("chefer").reason(model, "") is None
    assert not cw.explain(model, PICTURES[0], method="chefer").is_empty


def test_a_score_without_gradient_says_so() -> None:
    model = wrap(plain())
    for name in ("chefer", "legrad"):
        with pytest.raises(MethodError, match="attention-rollout"):
            cw.explain(model, PICTURES[0], lambda z: z[:, 0].detach(), name)


def test_an_unknown_pooling() -> None:
    with pytest.raises(MethodError, match="'model' or 'mean'"):
        cw.explain(wrap(plain()), PICTURES[0], 0, cw.get_method("legrad", pooling="max"))


# -- sanity, and the explorer ------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_maps_change_when_the_weights_are_randomized(name: str) -> None:
    model = wrap(tiny.timm_vit())
    other = model.with_module(randomized_copy(model, seed=1))
    pairs = [
        spearmanr(a.raw.ravel(), b.raw.ravel())[0]
        for a, b in zip(
            cw.explain(model, PICTURES, [0, 1, 2], name),
            cw.explain(other, PICTURES, [0, 1, 2], name),
            strict=True,
        )
    ]
    assert np.mean(pairs) < 0.6


def test_the_pass_of_a_trace_serves_rollout() -> None:
    model = wrap(plain())
    own = Trace(model, PICTURES, [], with_attention=True)
    other = Trace(model, PICTURES, [])
    assert own.attention is not None and other.attention is None
    assert own.nbytes > other.nbytes
    method = cw.get_method("attention-rollout")
    target = cw.LogProbability(0).resolved(model)
    with torch.no_grad():
        maps = [method.compute(trace, target, "") for trace in (own, other)]
    torch.testing.assert_close(*maps)
    assert maps[0].dtype == torch.float64, "the model's own"
    assert "attention" in other.memory and "attention" not in own.memory


def test_a_click_on_each_in_the_explorer_gives_a_map() -> None:
    ex = cw.Explorer(wrap(tiny.seeded(tiny.Plain())), PICTURES[0]).wait(60)
    try:
        listed = {m["name"]: m for m in view_of(ex).methods}
        for name in NAMES:
            assert listed[name]["reason"] is None and listed[name]["group"] == "Attention"
            ex.method = name
            shown = ex.wait(60).explanation
            assert view_of(ex).error == "" and shown.method == name and not shown.is_empty
    finally:
        ex.close()
