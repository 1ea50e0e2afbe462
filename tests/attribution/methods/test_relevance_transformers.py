"""Relevance through transformers against slow transcriptions of the equations, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as nnF

import camwidget as cw
from camwidget import errors
from camwidget.attribution.methods import get_method, relevance
from camwidget.attribution.relevance import linear_rules, propagation
from camwidget.attribution.relevance.operation import STABILIZER, Operation
from camwidget.attribution.targets import ClassTarget
from camwidget.attribution.trace import Trace

pytestmark = pytest.mark.usefixtures("one_thread")

SIDE, PATCH, WIDTH, HEADS, CLASSES = 12, 4, 6, 2, 3


class Attention(nn.Module):
    """Attention of two heads, in one of the ways in which it is written."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, tokens, _ = x.shape
        if self.way.startswith("multi_head"):
            x = x.transpose(0, 1)
            out, _ = nnF.multi_head_attention_forward(
                *(x, x, x, WIDTH, HEADS, self.qkv.weight, self.qkv.bias, None, None, False, 0.0),
                *(self.proj.weight, self.proj.bias, False),
                need_weights="weights" in self.way,
            )
            return out.transpose(0, 1)
        q, k, v = self.qkv(x).reshape(n, tokens, 3, HEADS, -1).permute(2, 0, 3, 1, 4).unbind(0)
        if self.way == "fused":
            out = nnF.scaled_dot_product_attention(q, k, v)
        elif self.way == "einsum":
            scores = torch.einsum("nhid,nhjd->nhij", q, k) / math.sqrt(WIDTH / HEADS)
            out = torch.einsum("nhij,nhjd->nhid", nnF.softmax(scores, dim=-1), v)
        else:
            q = q * (WIDTH / HEADS) ** -0.5
            out = (q @ k.transpose(-2, -1)).softmax(-1) @ v
        return self.proj(out.transpose(1, 2).reshape(n, tokens, WIDTH))


class Transformer(nn.Module):
    """Patch embedding, class token, positions, one block, and a linear head on the class token."""

    def __init__(
        self, way: str = "fused", act: Callable[[torch.Tensor], torch.Tensor] = nnF.gelu
    ) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.embed = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.position = nn.Parameter(torch.randn(1, 1 + (SIDE // PATCH) ** 2, WIDTH) / 2)
        self.norm1, self.norm2, self.norm = (nn.LayerNorm(WIDTH) for _ in range(3))
        self.attention = Attention(way)
        self.up, self.down = nn.Linear(WIDTH, 10), nn.Linear(10, WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)
        self.act = act
        for norm in (self.norm1, self.norm2, self.norm):
            nn.init.normal_(norm.weight, 1, 0.3)
            nn.init.normal_(norm.bias, 0, 0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        x = x + self.attention(self.norm1(x))
        x = x + self.down(self.act(self.up(self.norm2(x))))
        return self.head(self.norm(x)[:, 0])


def without_constants(module: nn.Module) -> nn.Module:
    """The module with all biases, the class token and the positions zero, so that no constant absorbs relevance."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if (parameter.ndim == 1 and name.endswith("bias")) or name in ("token", "position"):
                parameter.zero_()
    return module


def wrapped(module: nn.Module) -> cw.VisionModel:
    return cw.wrap(
        module.double().eval(),
        cw.Preprocess(SIDE, mean=(0.45,) * 3, std=(0.25,) * 3),
        name="net",
        layers=["embed"],
    )


def pictures(count: int = 2, seed: int = 3) -> torch.Tensor:
    return torch.rand(
        (count, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(seed)
    ).double()


def compute(
    model: cw.VisionModel, method: str = "lrp", index: int = 1, **settings: object
) -> torch.Tensor:
    trace = Trace(model, pictures(), ["embed"])
    entry = get_method(method, **settings)
    entry.check(model, "embed")
    return entry.compute(trace, ClassTarget(index, "x"), "embed")


def agree(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float = 1e-8) -> None:
    assert theirs.abs().max() > 0, "the map is empty: the comparison would prove nothing"
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max()


# -- the equations, term by term ------------------------------------------------------------------


def linear(
    x: torch.Tensor, layer: nn.Linear, relevance: torch.Tensor, gamma: float
) -> torch.Tensor:
    """LRP-γ of one token (inputs,), output by output; contributions with the output's sign count 1 + γ times."""
    received = torch.zeros_like(x)
    for k, weight in enumerate(layer.weight.detach()):
        parts = torch.cat([x * weight, layer.bias.detach()[k : k + 1]])
        favored = parts.sign() == parts.sum().sign()
        parts = parts * torch.where(favored, 1 + gamma, 1.0)
        received += parts[:-1] / parts.sum() * relevance[k]
    return received


def layer_norm(x: torch.Tensor, norm: nn.LayerNorm, relevance: torch.Tensor) -> torch.Tensor:
    """The LN rule of Ali et al. 2022 for one token: the variance is a constant, the bias absorbs."""
    size = len(x)
    scale = norm.weight.detach() / torch.sqrt(x.var(unbiased=False) + norm.eps)
    received = torch.zeros_like(x)
    for j in range(size):
        parts = torch.stack([x[i] * ((i == j) - 1 / size) * scale[j] for i in range(size)])
        received += parts / (parts.sum() + norm.bias.detach()[j]) * relevance[j]
    return received


def tokens(
    rule: Callable[..., torch.Tensor],
    x: torch.Tensor,
    layer: nn.Module,
    r: torch.Tensor,
    *more: float,
) -> torch.Tensor:
    return torch.stack([rule(one, layer, part, *more) for one, part in zip(x, r, strict=True)])


def attention(
    x: torch.Tensor, module: Attention, relevance: torch.Tensor, rule: str, gamma: float
) -> torch.Tensor:
    """Relevance of the input of an attention (tokens, width)."""
    count, size = len(x), WIDTH // HEADS
    q, k, v = (
        (x @ module.qkv.weight.T + module.qkv.bias)
        .detach()
        .reshape(count, 3, HEADS, size)
        .unbind(1)
    )
    mixed = torch.zeros(count, HEADS, size).double()
    weights = torch.zeros(HEADS, count, count).double()
    scores = torch.zeros(HEADS, count, count).double()
    for h in range(HEADS):
        scores[h] = q[:, h] @ k[:, h].T / math.sqrt(size)
        weights[h] = scores[h].softmax(-1)
        mixed[:, h] = weights[h] @ v[:, h]
    mixed_relevance = tokens(linear, mixed.reshape(count, -1), module.proj, relevance, gamma)
    mixed_relevance = mixed_relevance.reshape(count, HEADS, size)
    received = torch.zeros(3, count, HEADS, size).double()  # queries, keys, values
    for h in range(HEADS):
        at_weights = torch.zeros(count, count).double()
        for i in range(count):
            for c in range(size):
                parts = weights[h, i] * v[:, h, c]  # one for each token that is attended to
                share = parts / parts.sum() * mixed_relevance[i, h, c]
                if rule == "cp":
                    received[2, :, h, c] += share
                else:  # proposition 3.3: both factors receive half
                    received[2, :, h, c] += share / 2
                    at_weights[i] += share / 2
        if rule == "cp":
            continue
        for i in range(count):
            total = at_weights[i].sum()
            at_scores = scores[h, i] * (at_weights[i] - weights[h, i] * total)  # proposition 3.1
            for j in range(count):
                parts = q[i, h] * k[j, h]
                share = parts / parts.sum() * at_scores[j] / 2
                received[0, i, h] += share
                received[1, j, h] += share
    flat = received.permute(1, 0, 2, 3).reshape(count, -1)
    return tokens(linear, x, module.qkv, flat, gamma)


def transcription(
    module: Transformer, picture: torch.Tensor, index: int, rule: str, gamma: float
) -> torch.Tensor:
    """LRP of one picture (3, H, W), as a map (H, W)."""
    with torch.no_grad():
        embedded = torch.cat([module.token[0], module.embed(picture[None]).flatten(2)[0].T])
        x0 = embedded + module.position[0]
        n1 = module.norm1(x0)
        a = module.attention(n1[None])[0]
        x1 = x0 + a
        n2 = module.norm2(x1)
        u = module.up(n2)
        s = module.act(u)
        d = module.down(s)
        x2 = x1 + d
        n3 = module.norm(x2)
        logits = module.head(n3[:1])[0]
        r = torch.zeros_like(logits)
        r[index] = logits[index]
        at_class = torch.zeros_like(n3)
        at_class[0] = linear(n3[0], module.head, r, gamma)
        r2 = tokens(layer_norm, x2, module.norm, at_class)
        r1 = x1 / x2 * r2
        at_up = tokens(
            linear, s, module.down, d / x2 * r2, gamma
        )  # a smooth activation passes it on
        r1 = r1 + tokens(layer_norm, x1, module.norm2, tokens(linear, n2, module.up, at_up, gamma))
        at_n1 = attention(n1, module.attention, a / x1 * r1, rule, gamma)
        r0 = x0 / x1 * r1 + tokens(layer_norm, x0, module.norm1, at_n1)
        r0 = embedded / x0 * r0
        # The flat rule at the picture: all values of a patch receive the same.
        each = r0[1:].sum(1).reshape(SIDE // PATCH, SIDE // PATCH) / PATCH**2
        return each.repeat_interleave(PATCH, 0).repeat_interleave(PATCH, 1)


@pytest.mark.parametrize("gamma", [0.0, 0.25])
@pytest.mark.parametrize("rule", ["attn", "cp"])
def test_lrp_equals_the_equations(rule: str, gamma: float) -> None:
    module = Transformer()
    model = wrapped(module)
    ours = compute(model, rule=rule, gamma=gamma)
    inputs = model.inputs(pictures())
    for picture, found in zip(inputs, ours, strict=True):
        agree(found, transcription(module, picture, 1, rule, gamma))


# -- rules of single operations ---------------------------------------------------------------------


def random_operation(kind: str) -> tuple[Operation, torch.Tensor]:
    torch.manual_seed(5)
    if kind == "linear":
        operation = Operation(
            nnF.linear,
            linear_rules.Gamma(0.0),
            torch.randn(7, 5).double(),
            torch.randn(7).double(),
            is_dense=True,
        )
        return operation, torch.randn(2, 3, 5).double()
    weight, bias = torch.randn(7, 5, 3, 3).double(), torch.randn(7).double()
    return Operation(nnF.conv2d, linear_rules.Gamma(0.0), weight, bias), torch.randn(
        2, 5, 6, 6
    ).double()


@pytest.mark.parametrize("kind", ["linear", "conv2d"])
@pytest.mark.parametrize("gamma", [0.0, 0.25, 3.0, "z+"])
def test_rules_of_linear_operations_equal_zennits(kind: str, gamma: float | str) -> None:
    from zennit.rules import Gamma, ZPlus

    operation, x = random_operation(kind)
    stabilizer = STABILIZER
    if isinstance(gamma, str):
        rule: linear_rules.Gamma | linear_rules.Positive = linear_rules.Positive()
        theirs = ZPlus(stabilizer=stabilizer, zero_params=["bias"])
    else:
        rule, theirs = linear_rules.Gamma(gamma), Gamma(gamma=gamma, stabilizer=stabilizer)
    output = operation(x)
    relevance = torch.randn_like(output)
    operation.rule = rule
    ours = operation.propagate_directly(x, output, relevance)
    theirs.stored_tensors["input"] = (x,)
    theirs.stored_tensors["kwargs"] = {}
    (expected,) = theirs.backward(operation, (x,), (relevance,))
    agree(ours, expected, 1e-10)


def test_gamma_in_networks_of_relus() -> None:
    """γ = 0 is LRP-ε in all layers but the first, and a large γ is nearly z+, as without a setting."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, CLASSES),
    )  # fmt: skip
    nn.init.uniform_(module[3].running_var, 0.5, 2)
    nn.init.normal_(module[3].running_mean)
    model = cw.wrap(module.double().eval(), cw.Preprocess(SIDE), name="net", layers=["0"])
    trace = Trace(model, pictures(), ["0"])
    target = ClassTarget(1, "x")

    def maps(**settings: float) -> torch.Tensor:
        return get_method("lrp", **settings).compute(trace, target, "0")

    large = maps(gamma=1e9)
    assert not torch.allclose(maps(gamma=0), large, rtol=0.1)
    pooled = get_method("lrp").compute(trace, target, "0")
    assert (maps(gamma=0) - pooled).abs().max() > 1e-3 * pooled.abs().max()
    for wrong in (-1, "x", float("nan")):
        with pytest.raises(errors.MethodError, match="gamma"):
            maps(gamma=wrong)  # type: ignore[arg-type]
    with pytest.raises(errors.MethodError, match="'attn', 'cp'"):
        get_method("lrp", rule="mine").compute(trace, target, "0")


# -- ways of writing the same ----------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["attn", "cp"])
@pytest.mark.parametrize(
    "way", ["eager", "einsum", "multi_head_attention_forward", "multi_head_attention with weights"]
)
def test_how_attention_is_written_does_not_matter(way: str, rule: str) -> None:
    agree(compute(wrapped(Transformer(way)), rule=rule), compute(wrapped(Transformer()), rule=rule))


def quick_gelu(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(1.702 * x)


def gelu_by_erf(x: torch.Tensor) -> torch.Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


@pytest.mark.parametrize(
    "act", [nnF.gelu, nnF.silu, quick_gelu, gelu_by_erf, nnF.hardswish, nnF.mish, nnF.relu]
)
def test_activation_functions_pass_relevance_on(
    act: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    module = Transformer(act=act)
    model = wrapped(module)
    ours = compute(model, rule="attn", gamma=0.25)[0]
    agree(ours, transcription(module, model.inputs(pictures())[0], 1, "attn", 0.25))


def test_masked_scores_receive_nothing() -> None:
    """A mask of −inf, one of Booleans, and a causal one are the same."""

    class Masked(Transformer):
        def __init__(self, kind: str) -> None:
            super().__init__()
            self.kind = kind

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.embed(x).flatten(2).transpose(1, 2)
            seen = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
            mask = torch.zeros_like(seen, dtype=x.dtype).masked_fill(~seen, -math.inf)
            q = k = self.up(x)
            if self.kind == "causal":
                x = nnF.scaled_dot_product_attention(q, k, x, is_causal=True)
            elif self.kind == "Boolean":
                x = nnF.scaled_dot_product_attention(q, k, x, seen)
            elif self.kind == "added":
                x = nnF.scaled_dot_product_attention(q, k, x, mask)
            else:
                scores = (q @ k.mT / math.sqrt(10)).masked_fill(~seen, -math.inf)
                x = scores.softmax(-1) @ x
            return self.head(x.mean(1))

    maps = [compute(wrapped(Masked(kind))) for kind in ("causal", "Boolean", "added", "filled")]
    assert torch.isfinite(maps[0]).all()
    for other in maps[1:]:
        agree(other, maps[0])


@pytest.mark.parametrize("rule", ["attn", "cp"])
def test_queries_without_keys_receive_nothing(rule: str) -> None:
    """A query whose keys are all masked has the output 0, as in fused attention, and no NaN spreads from it."""
    blind = [0, 3]

    class Blind(Transformer):
        def __init__(self, kind: str) -> None:
            super().__init__()
            self.kind = kind

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.embed(x).flatten(2).transpose(1, 2)
            q = k = self.up(x)
            seen = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool)
            seen[:, 2] = False
            if self.kind == "left out":
                rows = [i for i in range(len(seen)) if i not in blind]
                y = nnF.scaled_dot_product_attention(q[:, rows], k, x, seen[rows])
                return self.head(y.sum(1) / len(seen))
            seen[blind] = False
            mask = seen
            if self.kind == "added":
                mask = torch.zeros_like(seen, dtype=x.dtype).masked_fill(~seen, -math.inf)
            return self.head(nnF.scaled_dot_product_attention(q, k, x, mask).mean(1))

    without = compute(wrapped(Blind("left out")), rule=rule)
    for kind in ("Boolean", "added"):
        agree(compute(wrapped(Blind(kind)), rule=rule), without)


class Pooled(Transformer):
    """Heads that share keys and values, or queries that are parameters, by fused attention or by its operations."""

    def __init__(self, kind: str, is_fused: bool) -> None:
        super().__init__()
        self.kind, self.is_fused = kind, is_fused
        self.queries = nn.Parameter(torch.randn(3, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm1(self.embed(x).flatten(2).transpose(1, 2))
        q = self.up(x).unflatten(2, (2, 5)).transpose(1, 2)
        k, v = q[:, :1], self.up(x + 1).unflatten(2, (2, 5)).transpose(1, 2)[:, :1]
        if self.kind == "constant queries":
            q = self.queries.expand(len(x), 2, -1, -1)
        if self.is_fused:
            mixed = nnF.scaled_dot_product_attention(q, k, v, enable_gqa=True)
        else:
            k, v = (t.expand(-1, 2, -1, -1) for t in (k, v))
            mixed = (q * 5**-0.5 @ k.mT).softmax(-1) @ v
        return self.head(self.down(mixed.transpose(1, 2).flatten(2)).mean(1))


@pytest.mark.parametrize("rule", ["attn", "cp"])
@pytest.mark.parametrize("kind", ["shared keys", "constant queries"])
def test_fused_attention_of_other_operands_is_that_of_its_operations(kind: str, rule: str) -> None:
    agree(
        compute(wrapped(Pooled(kind, True)), rule=rule),
        compute(wrapped(Pooled(kind, False)), rule=rule),
    )


# -- shared work -------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.0, 0.25])
def test_several_classes_share_the_forward_pass_and_the_denominators(
    gamma: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = wrapped(Transformer())
    passes, denominators = 0, 0
    run, divide = relevance.relevance_pass, linear_rules.Gamma.denominator

    def counted_pass(*args: Any, **kwargs: Any) -> Any:
        nonlocal passes
        passes += 1
        return run(*args, **kwargs)

    def counted_denominator(*args: Any) -> torch.Tensor:
        nonlocal denominators
        denominators += 1
        return divide(*args)

    targets = [ClassTarget(i, str(i)) for i in range(CLASSES)]
    method = get_method("lrp", gamma=gamma)
    alone = [method.compute(Trace(model, pictures(), ["embed"]), t, "embed") for t in targets]
    monkeypatch.setattr(relevance, "relevance_pass", counted_pass)
    monkeypatch.setattr(linear_rules.Gamma, "denominator", counted_denominator)
    trace = Trace(model, pictures(), ["embed"])
    assert method.prepare is not None
    method.prepare(trace, targets, gamma=gamma)
    assert passes == 1
    assert denominators == 5, "one for each linear layer behind the patch embedding"
    for target, expected in zip(targets, alone, strict=True):
        assert torch.equal(method.compute(trace, target, "embed"), expected)
    assert passes == 1
    # Other settings are other maps.
    other = get_method("lrp", gamma=gamma, rule="cp").compute(trace, targets[0], "embed")
    assert passes == 2 and not torch.allclose(other, alone[0])


@pytest.mark.filterwarnings("ignore:net writes into its own tensors")
@pytest.mark.parametrize("writes", [False, True])
def test_weights_are_not_copied_unless_the_forward_pass_writes_into_them(
    writes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clipped(Transformer):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if writes:
                with torch.no_grad():
                    self.up.weight.clamp_(-0.1, 0.1)
            return super().forward(x)

    module = Clipped()
    model = wrapped(module)  # the first pass finds out what is written
    nn.init.normal_(module.up.weight)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    replicas: list[nn.Module] = []
    replicate = propagation.replicate
    monkeypatch.setattr(
        propagation,
        "replicate",
        lambda *a, **k: replicas.append(replicate(*a, **k)) or replicas[-1],
    )
    assert torch.isfinite(compute(model)).all()
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    ours = dict(module.named_parameters())
    shared = {k for k, v in replicas[-1].named_parameters() if v.data_ptr() == ours[k].data_ptr()}
    assert ours.keys() - shared == ({"up.weight"} if writes else set())


# -- conservation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.0, 0.25])
def test_cp_hands_out_the_score_where_no_constant_absorbs(gamma: float) -> None:
    model = wrapped(without_constants(Transformer()))
    scores = model.logits(pictures())[:, 1].double()
    total = compute(model, rule="cp", gamma=gamma).sum((1, 2))
    # The class token is zero, so that attention is the only way from the head to the picture.
    torch.testing.assert_close(total, scores, rtol=1e-4, atol=0)


def test_attn_keeps_the_sum_approximately_only() -> None:
    """Queries and keys receive Σ x (R − y Σ R), which need not be what the weights had."""
    model = wrapped(without_constants(Transformer()))
    share = compute(model, rule="attn", gamma=0.0).sum((1, 2)) / model.logits(pictures())[:, 1]
    assert ((share - 1).abs() > 0.01).any() and torch.isfinite(share).all()


# -- refusals ----------------------------------------------------------------------------------------


def test_excitation_says_why_not() -> None:
    model = wrapped(Transformer())
    for method in ("excitation-backprop", "c-mwp"):
        reason = get_method(method).reason(model, "embed")
        assert reason is not None and "layer_norm (in norm1)" in reason


# -- libraries --------------------------------------------------------------------------------------


def library_models() -> dict[str, Callable[[], nn.Module]]:
    """One small network of each family, with random weights."""

    def torchvision_vit() -> nn.Module:
        from torchvision.models import VisionTransformer

        module = VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5)
        nn.init.normal_(module.heads.head.weight)
        return module

    def torchvision_swin() -> nn.Module:
        from torchvision.models import SwinTransformer

        return SwinTransformer([4, 4], 8, [2, 2], [2, 2], [2, 2], num_classes=5)

    def torchvision_convnext() -> nn.Module:
        from torchvision.models.convnext import CNBlockConfig, ConvNeXt

        return ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)], num_classes=5)

    def timm_vit() -> nn.Module:
        timm = pytest.importorskip("timm")
        return timm.models.vision_transformer.VisionTransformer(
            img_size=32,
            patch_size=8,
            embed_dim=16,
            depth=2,
            num_heads=2,
            num_classes=5,
            reg_tokens=2,
        )

    def timm_swin() -> nn.Module:
        timm = pytest.importorskip("timm")
        return timm.models.swin_transformer.SwinTransformer(
            img_size=32, embed_dim=8, depths=(2, 2), num_heads=(2, 2), window_size=2, num_classes=5
        )

    def transformers(name: str, **options: object) -> Callable[[], nn.Module]:
        def build() -> nn.Module:
            library = pytest.importorskip("transformers")
            options.setdefault("num_labels", 5)
            module = getattr(library, f"{name}ForImageClassification")(
                getattr(library, f"{name}Config")(**options)
            )
            for parameter in module.parameters():
                if parameter.ndim > 1:
                    nn.init.normal_(parameter, 0, 0.15)
            return module

        return build

    tokens = {
        "image_size": 32, "patch_size": 8, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32,
    }  # fmt: skip
    return {
        "torchvision ViT": torchvision_vit,
        "torchvision Swin": torchvision_swin,
        "torchvision ConvNeXt": torchvision_convnext,
        "timm ViT": timm_vit,
        "timm Swin": timm_swin,
        "transformers ViT": transformers("ViT", **tokens),
        "transformers ViT, eager": transformers("ViT", attn_implementation="eager", **tokens),
        "transformers DeiT": transformers("DeiT", **tokens),
        "transformers DINOv2": transformers("Dinov2", use_swiglu_ffn=True, **tokens),
        "transformers Swin": transformers(
            "Swin", image_size=32, embed_dim=8, depths=[2, 2], num_heads=[2, 2], window_size=2
        ),
        "transformers ConvNeXT": transformers("ConvNext", hidden_sizes=[8] * 4, depths=[1] * 4),
        "transformers ResNet": transformers(
            "ResNet", embedding_size=8, hidden_sizes=[8] * 4, depths=[1] * 4, layer_type="basic"
        ),
    }


LIBRARY_MODELS = library_models()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name.startswith("torchvision") else pytest.mark.full)
        for name in LIBRARY_MODELS
    ],
)
def test_models_of_libraries_are_followed(name: str, record_property: Callable[..., None]) -> None:
    torch.manual_seed(0)
    side = 64 if "Conv" in name or "ResNet" in name else 32
    model = cw.wrap(LIBRARY_MODELS[name]().eval(), cw.Preprocess(side), name=name)
    layer = model.default_layer
    pixels = torch.rand((2, 3, side, side), generator=torch.Generator().manual_seed(1))
    trace = Trace(model, pixels, [layer])
    for method in ("lrp", "relevancecam"):
        for rule in ("attn", "cp"):
            entry = get_method(method, rule=rule)
            assert entry.reason(model, layer) is None
            maps = entry.compute(trace, ClassTarget(1, "x"), layer)
            assert torch.isfinite(maps).all() and maps.abs().amax((1, 2)).min() > 0
            if method == "lrp":
                kept = maps.sum((1, 2)) / trace.logits[:, 1]
                record_property(f"{rule}: share of the score", kept.tolist())


@pytest.mark.full
@pytest.mark.parametrize("name", ["torchvision ViT", "timm ViT"])
def test_the_table_of_conservation_is_what_its_script_measures(name: str) -> None:
    import measure_conservation

    page = Path(__file__).parents[3] / "docs" / "pages" / "methods.md"
    line = next(x for x in page.read_text("utf-8").splitlines() if x.startswith(f"| {name} |"))
    stated, found = (
        [float(cell) for cell in x.split("|")[2:-1]] for x in (line, measure_conservation.row(name))
    )
    assert found == pytest.approx(stated, abs=0.021)
    assert found[2] == pytest.approx(1, abs=0.006), "nothing absorbs relevance"
