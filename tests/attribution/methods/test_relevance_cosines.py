"""Relevance through heads of cosines: the equation, its conservation, ways of writing it, and models of two towers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import tiny_transformers as tiny
import torch
from torch import nn
from torch.nn import functional as nnF

import camwidget as cw
from camwidget import errors
from camwidget.attribution.methods import get_method
from camwidget.attribution.relevance import RelevancePass
from camwidget.attribution.relevance.rules import LRP, with_attention, with_gamma
from camwidget.attribution.targets import ClassTarget
from camwidget.attribution.trace import Trace

pytestmark = pytest.mark.usefixtures("one_thread")

SCALE = 30
Head = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

#: Ways of writing the cosines of features (N, D) and weights (classes, D).
HEADS: dict[str, Head] = {
    "normalize, linear": lambda f, w: nnF.linear(nnF.normalize(f), nnF.normalize(w)),
    "normalize, @": lambda f, w: nnF.normalize(f, dim=-1) @ nnF.normalize(w).T,
    "norm": lambda f, w: (f / f.norm(dim=1, keepdim=True)) @ nnF.normalize(w).T,
    "linalg.vector_norm, clamped": lambda f, w: nnF.linear(
        f / torch.linalg.vector_norm(f, dim=1)[:, None].clamp_min(1e-9).expand_as(f),
        nnF.normalize(w),
    ),
    "torch.norm, in place, plus ε": lambda f, w: (
        f.clone().div_(torch.norm(f, dim=1, keepdim=True) + 1e-12) @ nnF.normalize(w).T
    ),
    "cosine_similarity": lambda f, w: nnF.cosine_similarity(f[:, None], w[None], dim=2),
    "cosine_similarity, turned": lambda f, w: torch.cosine_similarity(w[None], f[:, None], -1),
}


class Cosines(nn.Module):
    """A few convolutions, and a head of scaled cosines, as those of ArcFace."""

    def __init__(self, head: Head, smooth: bool = False, bias: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one = nn.Conv2d(3, 6, 3, 2)
        self.act = nn.GELU() if smooth else nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.weight = nn.Parameter(torch.randn(5, 6))
        self.head, self.bias = head, bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.pool(self.act(self.one(x))).flatten(1)
        return SCALE * self.head(features, self.weight) + self.bias


def wrapped(module: nn.Module) -> cw.VisionModel:
    return cw.wrap(
        module.double().eval(), cw.Preprocess(16), name="cosines", layers=["one"], scores="softmax"
    )


def pictures(count: int = 2) -> torch.Tensor:
    return torch.rand((count, 3, 16, 16), generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("smooth", [False, True])
def test_each_feature_has_the_relevance_of_its_term(head: str, smooth: bool) -> None:
    """The length is a constant, so that the terms of the cosine add up to the logit."""
    module = Cosines(HEADS[head], smooth).double().eval()
    rules = with_gamma(LRP, 0)
    forward = RelevancePass(
        module, pictures(), with_attention(rules, "cp") if smooth else rules, ("pool",)
    )
    start = torch.zeros_like(forward.logits)
    start[:, 2] = forward.logits[:, 2]
    found = forward.relevance(start, "pool").flatten(1)
    with torch.no_grad():
        features = module.pool(module.act(module.one(pictures()))).flatten(1)
        weight = module.weight[2]
        for row, f in zip(found, features, strict=True):
            length = f.square().sum().sqrt() * weight.square().sum().sqrt()
            terms = [SCALE * f[k] * weight[k] / length for k in range(6)]
            torch.testing.assert_close(row, torch.stack(terms))
        torch.testing.assert_close(found.sum(1), module(pictures())[:, 2])


def test_the_derivative_of_the_length_would_take_all_relevance_back() -> None:
    """Why it is held constant: gradient × features of a cosine is 0."""
    features = torch.randn(6).double().requires_grad_()
    cosine = nnF.cosine_similarity(features, torch.randn(6).double(), dim=0)
    (gradient,) = torch.autograd.grad(cosine, features)
    assert float((gradient * features).sum().detach()) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("method", "smooth"),
    [
        ("lrp", False),
        pytest.param("lrp", True, marks=pytest.mark.full),
        pytest.param("relevancecam", False, marks=pytest.mark.full),
        pytest.param("relevancecam", True, marks=pytest.mark.full),
        pytest.param("excitation-backprop", False, marks=pytest.mark.full),
        pytest.param("c-mwp", False, marks=pytest.mark.full),
    ],
)
def test_how_a_cosine_is_written_does_not_matter(method: str, smooth: bool) -> None:
    maps = []
    for head in HEADS.values():
        model = wrapped(Cosines(head, smooth))
        entry = get_method(method)
        assert entry.reason(model, "one") is None
        trace = Trace(model, pictures(), ["one"])
        maps.append(entry.compute(trace, ClassTarget(1, "x"), "one"))
    assert maps[0].abs().max() > 0
    for other in maps[1:]:
        torch.testing.assert_close(other, maps[0], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (lambda f, w: -torch.cdist(f, w), r"a head of distances \(cdist\)"),
        (lambda f, w: f * f.norm(dim=1, keepdim=True) @ w.T, r"length of the features \(norm\)"),
        (
            lambda f, w: f.norm(dim=1, keepdim=True) / (f + 1) @ w.T,
            r"length of the features \(norm\)",
        ),
        (
            lambda f, w: torch.linalg.norm(f[:, None] - w, dim=2),
            r"length of the features \(linalg.norm\)",
        ),
        (lambda f, w: nnF.cosine_similarity(f[:, None], f[:, None] + w, dim=2), "head of cosines"),
    ],
)
def test_other_uses_of_a_length_are_refused(head: Head, words: str) -> None:
    model = wrapped(Cosines(head))
    for method in ("lrp", "relevancecam"):
        with pytest.raises(errors.MethodError, match=words) as raised:
            cw.explain(model, torch.rand(3, 16, 16), 1, method)
        assert "out=" not in str(raised.value)


# -- embeddings and references -----------------------------------------------------------------------


class Encoder(tiny.Plain):
    """A transformer whose outputs are an embedding, with a scale and a bias of the cosine, as in SigLIP."""

    def __init__(self, bias: float | None = None, constants: bool = True) -> None:
        super().__init__()
        tiny.seeded(self)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                absorbs = name.endswith("bias") or name in ("extra", "position")
                if absorbs and not constants:
                    parameter.zero_()
        torch.manual_seed(0)
        self.words = nn.Embedding(8, tiny.CLASSES)
        self.logit_scale = nn.Parameter(torch.tensor(2.0))
        if bias is not None:
            self.logit_bias = nn.Parameter(torch.tensor(bias))

    def encode_image(self, image: torch.Tensor) -> torch.Tensor:
        return self.forward(image)

    def encode_text(self, text: torch.Tensor) -> torch.Tensor:
        return self.words(text).mean(1)


def of_texts(module: nn.Module) -> cw.VisionModel:
    def tokenize(text: str) -> torch.Tensor:
        return torch.tensor([[ord(letter) % 8 for letter in text]])

    model = cw.wrap(module.double(), cw.Preprocess(tiny.SIDE), kind="texts", tokenizer=tokenize)
    return model.given(texts=["ab", "cde", "f"])


@pytest.mark.parametrize("gamma", [0.0, 0.25])
def test_cp_hands_out_the_scaled_cosine_where_no_constant_absorbs(gamma: float) -> None:
    model = of_texts(Encoder(constants=False))
    pixels = torch.rand((2, 3, tiny.SIDE, tiny.SIDE), generator=torch.Generator().manual_seed(1))
    method = get_method("lrp", rule="cp", gamma=gamma)
    for index in (0, 2):
        scores = model.logits(pixels.double())[:, index]
        for explanation, score in zip(
            cw.explain(model, pixels, index, method), scores, strict=True
        ):
            assert explanation.raw.sum() == pytest.approx(float(score), rel=1e-4)


def test_the_bias_of_a_cosine_absorbs_its_own_part() -> None:
    """A bias of −12 turns every logit negative, and must not turn the map."""
    pixels = torch.rand((3, tiny.SIDE, tiny.SIDE), generator=torch.Generator().manual_seed(1))
    method = get_method("lrp", gamma=0)
    with_bias, without = (
        cw.explain(of_texts(Encoder(bias)), pixels, "ab", method) for bias in (-12.0, 0.0)
    )
    assert with_bias.raw.sum() == pytest.approx(without.raw.sum(), rel=1e-4)
    torch.testing.assert_close(
        torch.from_numpy(with_bias.raw), torch.from_numpy(without.raw), rtol=1e-3, atol=1e-5
    )
