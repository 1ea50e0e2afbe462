"""``cw.attention``: against the weights that each library gives itself, the grid, class tokens and outliers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiny_transformers as tiny
import torch
from module_fingerprint import fingerprint
from torch import nn

import camwidget as cw
from camwidget.errors import MethodError, ModelError, PictureError

PICTURE = torch.rand(3, tiny.SIDE, tiny.SIDE, generator=torch.Generator().manual_seed(3))
PREPROCESS = cw.Preprocess(tiny.SIDE, mean=(0.5, 0.5, 0.5), std=(0.3, 0.3, 0.3))


def wrap(module: nn.Module) -> cw.VisionModel:
    return cw.wrap(module, PREPROCESS)


def inputs() -> torch.Tensor:
    return PREPROCESS.normalize(PICTURE[None])


@pytest.fixture(scope="module", params=list(tiny.TRANSFORMERS))
def known(request: pytest.FixtureRequest) -> tuple[cw.VisionModel, tuple[int, ...], int]:
    build, class_tokens, others = tiny.TRANSFORMERS[request.param]
    if request.param == "open_clip":
        pytest.importorskip("open_clip")
    return wrap(build()), class_tokens, others


def test_layers_tokens_and_grid(known: tuple[cw.VisionModel, tuple[int, ...], int]) -> None:
    model, class_tokens, others = known
    found = cw.attention(model, PICTURE)
    extra = others + len(class_tokens)
    tokens = extra + 16
    assert found.weights.shape == (tiny.DEPTH, tiny.HEADS, tokens, tokens)
    assert found.weights.dtype == np.float32 and found.grid == (4, 4)
    np.testing.assert_allclose(found.weights.sum(-1), 1, atol=1e-5)
    assert found.class_tokens == class_tokens
    assert found.other_tokens == tuple(range(len(class_tokens), extra))
    assert found.places is not None
    np.testing.assert_array_equal(found.places, np.arange(16).reshape(4, 4) + extra)
    # Every layer is a block of its own, whose name leads to a module.
    assert len(set(found.layers)) == tiny.DEPTH
    for name in found.layers:
        model.module.get_submodule(name)
    assert found.norms is not None and found.norms.shape == (tokens,)


# -- against each library's own weights ----------------------------------------------------------


def of_transformers(build: Callable[[str], nn.Module]) -> list[torch.Tensor]:
    with torch.no_grad():
        return list(build("eager")(inputs(), output_attentions=True).attentions)


def of_timm(module: nn.Module) -> list[torch.Tensor]:
    """Recorded by hooks on the dropout behind the softmax, which fused attention has no use for."""
    found: list[torch.Tensor] = []
    for block in module.blocks:  # type: ignore[union-attr]
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(lambda m, args, out: found.append(args[0]))
    with torch.no_grad():
        module(inputs())
    return found


def of_torch(module: nn.Module) -> list[torch.Tensor]:
    """By ``need_weights``, from the inputs of each ``nn.MultiheadAttention``."""
    given: list[tuple[nn.Module, Any, Any]] = []
    for part in module.modules():
        if isinstance(part, nn.MultiheadAttention):
            part.register_forward_pre_hook(
                lambda m, args, kwargs: given.append((m, args, kwargs)), with_kwargs=True
            )
    with torch.no_grad():
        module(inputs())
        calls = list(given)
        wanted = {"need_weights": True, "average_attn_weights": False}
        return [m(*args, **{**kwargs, **wanted})[1] for m, args, kwargs in calls]


ORACLES: dict[str, tuple[Callable[[], nn.Module], Callable[[], list[torch.Tensor]]]] = {
    "transformers ViT": (tiny.hf_vit, lambda: of_transformers(tiny.hf_vit)),
    "transformers ViT, eager": (lambda: tiny.hf_vit("eager"), lambda: of_transformers(tiny.hf_vit)),
    "transformers DeiT": (tiny.hf_deit, lambda: of_transformers(tiny.hf_deit)),
    "transformers DINOv2": (tiny.hf_dinov2, lambda: of_transformers(tiny.hf_dinov2)),
    "transformers registers": (tiny.hf_registers, lambda: of_transformers(tiny.hf_registers)),
    "timm ViT": (tiny.timm_vit, lambda: of_timm(tiny.timm_vit())),
    "timm DeiT": (
        lambda: tiny.timm_vit(distilled=True),
        lambda: of_timm(tiny.timm_vit(distilled=True)),
    ),
    "torchvision ViT": (tiny.torchvision_vit, lambda: of_torch(tiny.torchvision_vit())),
    "open_clip": (tiny.open_clip_tower, lambda: of_torch(tiny.open_clip_tower())),
}


@pytest.mark.parametrize("name", ORACLES)
def test_the_weights_are_those_of_the_library(name: str) -> None:
    if name == "open_clip":
        pytest.importorskip("open_clip")
    build, expected = ORACLES[name]
    found = cw.attention(wrap(build()), PICTURE)
    wanted = torch.cat(expected()).numpy()
    assert np.ptp(wanted) > 0.1, "weights that hardly differ would prove nothing"
    np.testing.assert_allclose(found.weights, wanted, rtol=0, atol=1e-5)


# -- what it says --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain() -> cw.Attention:
    return cw.attention(wrap(tiny.seeded(tiny.Plain())), PICTURE)


def test_what_a_token_attends_to(plain: cw.Attention) -> None:
    weights = plain.weights
    np.testing.assert_array_equal(plain.of(), weights[-1].mean(0)[0, 1:].reshape(4, 4))
    of_patch = plain.of((2, 3), layer=0, head=1)
    np.testing.assert_array_equal(of_patch, weights[0, 1, 1 + 2 * 4 + 3, 1:].reshape(4, 4))
    np.testing.assert_array_equal(plain.of(12, plain.layers[0], 1), of_patch)
    np.testing.assert_array_equal(plain.on_grid(weights[:, :, 0])[1, 2], plain.of(0, 1, 2))
    np.testing.assert_allclose(
        plain.of("patches", 1, 2), weights[1, 2, 1:, 1:].mean(0).reshape(4, 4), rtol=1e-5
    )
    for wrong in ({"token": 17}, {"token": (4, 0)}, {"layer": 3}, {"layer": "x"}, {"head": 3}):
        with pytest.raises(MethodError, match="There is no"):
            plain.of(**wrong)  # type: ignore[arg-type]
    for odd in ("patch", (1, 2, 3)):
        with pytest.raises(MethodError, match=r"A token is \(row, column\)"):
            plain.of(odd)


def test_rollout_is_the_product_of_the_layers(plain: cw.Attention) -> None:
    expected = np.eye(17)
    for layer in plain.weights.astype(np.float64):
        mixed = 0.5 * layer.mean(0) + 0.5 * np.eye(17)
        expected = (mixed / mixed.sum(1, keepdims=True)) @ expected
    np.testing.assert_allclose(plain.rollout(), expected, atol=1e-6)
    np.testing.assert_array_equal(plain.rollout(1.0), np.eye(17))
    with pytest.raises(MethodError, match="residual is a number between 0 and 1"):
        plain.rollout(2)


@pytest.mark.parametrize("outliers", [True, False])
def test_rollout_of_a_token_is_its_row(plain: cw.Attention, outliers: bool) -> None:
    rows = plain.rollout(0.3, outliers=outliers)
    for token, row in ((None, rows[0]), ((1, 2), rows[7]), ("patches", rows[1:].mean(0))):
        found = plain.rollout_of(token, residual=0.3, outliers=outliers)
        np.testing.assert_allclose(found, row[1:].reshape(4, 4), atol=1e-6)
    # Behind the first layer, it is half that layer's attention and half the token itself.
    first = plain.rollout_of((1, 2), layer=0)
    expected = plain.of((1, 2), 0) / 2
    expected[1, 2] += 0.5
    np.testing.assert_allclose(first, expected, atol=1e-6)


def test_outliers_are_marked_and_can_be_left_out() -> None:
    module = tiny.seeded(tiny.Plain())
    with torch.no_grad():
        module.position[0, 6] *= 60  # a token of high norm, as the residual keeps it
    found = cw.attention(wrap(module), PICTURE)
    assert found.norms is not None
    patches = found.norms[1:]
    expected = np.r_[False, patches > 2 * np.median(patches)]
    np.testing.assert_array_equal(found.outliers, expected)
    assert found.outliers[6] and found.outliers.sum() < 4
    with_them, without = found.of(), found.of(outliers=False)
    assert with_them.ravel()[5] > 0 and without.ravel()[5] == 0
    row = found.weights[-1].mean(0)[0]
    share = row[~found.outliers].sum()
    np.testing.assert_allclose(without.ravel()[0], with_them.ravel()[0] / share, rtol=1e-5)
    rolled = found.rollout(outliers=False)
    np.testing.assert_allclose(rolled.sum(1), 1, atol=1e-5)
    assert rolled[0, 6] == 0 < found.rollout()[0, 6]


def test_a_model_that_averages_its_patches_has_no_class_token() -> None:
    found = cw.attention(wrap(tiny.seeded(tiny.Plain("mean", registers=2))), PICTURE)
    assert found.class_tokens == () and found.other_tokens == (0, 1)
    assert found.of((0, 0)).shape == (4, 4)
    rows = found.weights[-1].mean(0)[2:]
    np.testing.assert_allclose(found.of(), rows.mean(0)[2:].reshape(4, 4), rtol=1e-5)
    np.testing.assert_array_equal(found.of(), found.of("patches"))


def test_a_head_of_zeros_leaves_the_first_token_the_class_token() -> None:
    module = tiny.seeded(tiny.Plain())
    nn.init.zeros_(module.head.weight)
    assert cw.attention(wrap(module), PICTURE).class_tokens == (0,)


@pytest.mark.parametrize("build", [tiny.timm_swin, tiny.torchvision_swin, tiny.hf_swin])
def test_windows_are_given_by_layer_and_have_no_one_stack(build: Callable[[], nn.Module]) -> None:
    found = cw.attention(wrap(build()), PICTURE)
    first = found.by_layer[0]
    assert first.ndim == 4 and first.shape[1] == 2 and first.shape[2:] == (16, 16)
    np.testing.assert_allclose(first.sum(-1), 1, atol=1e-5)
    assert len(found.layers) == len(found.by_layer) == 3
    for ask in (lambda: found.weights, lambda: found.grid, found.rollout, found.of):
        with pytest.raises(MethodError, match=r"within windows.*windows of 16 tokens.*by_layer"):
            ask()


def test_a_model_without_attention_says_what_it_has() -> None:
    with pytest.raises(MethodError, match=r"has no attention.*found: Conv2d × \d+"):
        cw.attention(cw.load(device="cpu"), PICTURE)


def test_attention_that_is_changed_behind_its_softmax_is_refused() -> None:
    class Scaled(tiny.Block):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q, k, v = self.heads(x)
            weights = (q @ k.mT).softmax(-1)
            mixed = (weights / weights.amax(-1, keepdim=True)) @ v
            return x + self.out(mixed.transpose(1, 2).flatten(2))

    module = tiny.Plain()
    module.blocks[1] = Scaled()
    found = cw.attention(wrap(tiny.seeded(module)), PICTURE)
    assert len(found.by_layer) == 2
    with pytest.raises(MethodError, match="1 attention operation changes its weights after"):
        _ = found.weights
    only = tiny.Plain(depth=2)
    only.blocks = nn.ModuleList([Scaled(), Scaled()])
    with pytest.raises(MethodError, match="2 attention operations change their weights after"):
        cw.attention(wrap(tiny.seeded(only)), PICTURE)


def test_an_operation_that_does_not_see_the_picture_is_no_layer() -> None:
    class Captioned(tiny.Plain):
        """Attends among constant words too, as the text tower of CLIP."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            words = torch.linspace(-1, 1, 16 * tiny.WIDTH).reshape(1, 16, -1)
            other = self.blocks[0](words).mean((1, 2))
            return super().forward(x) + other

    found = cw.attention(wrap(tiny.seeded(Captioned())), PICTURE)
    assert found.weights.shape[0] == tiny.DEPTH


def test_uniform_attention_is_a_layer_though_it_is_the_same_for_every_picture() -> None:
    module = tiny.seeded(tiny.Plain())
    nn.init.zeros_(module.blocks[1].qkv.weight[: tiny.WIDTH])  # no queries
    nn.init.zeros_(module.blocks[1].qkv.bias[: tiny.WIDTH])
    found = cw.attention(wrap(module), PICTURE)
    assert len(found.layers) == tiny.DEPTH
    np.testing.assert_allclose(found.weights[1], 1 / 17, rtol=1e-6)


def test_attention_among_channels_is_refused() -> None:
    class Channels(tiny.Block):
        """Cross-covariance attention, as in XCiT, of 16 channels a head: as many as there are patches."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            grouped = x.unflatten(-1, (-1, 8)).transpose(1, 2).mT  # (N, 3, 8, tokens)
            weights = (grouped @ grouped.mT).repeat(1, 1, 2, 2).softmax(-1)
            mixed = weights @ grouped.repeat(1, 1, 2, 1)
            return x + mixed[:, :, :8].permute(0, 3, 1, 2).flatten(2)

    module = tiny.Plain()
    module.blocks = nn.ModuleList([Channels() for _ in range(2)])
    found = cw.attention(wrap(tiny.seeded(module)), PICTURE)
    assert found.by_layer[0].shape == (3, 16, 16)
    with pytest.raises(MethodError, match="16 positions.*among channels"):
        found.rollout()


def test_other_sizes_and_pictures() -> None:
    module = tiny.timm_vit(dynamic_img_size=True)
    model = wrap(module)
    found = cw.attention(model, torch.rand(3, 48, 64))
    assert found.grid == (6, 8) and found.weights.shape[-1] == 49
    with pytest.raises(PictureError, match="one picture"):
        cw.attention(model, [torch.rand(3, 32, 32)] * 2)
    with pytest.raises(ModelError, match="attention"):
        cw.attention(module, PICTURE)  # type: ignore[arg-type]


def test_the_model_is_left_as_it_was() -> None:
    for build in (tiny.torchvision_vit, tiny.timm_vit, tiny.hf_vit):
        module = build().train()
        before = fingerprint(module)
        model = wrap(module)
        cw.attention(model, PICTURE)
        cw.explain(model, PICTURE, [0, 1], ["attention-rollout", "chefer", "legrad"])
        assert fingerprint(module) == before


def test_half_precision_gives_single(plain: cw.Attention) -> None:
    half = wrap(tiny.seeded(tiny.Plain()).to(torch.bfloat16))
    found = cw.attention(half, PICTURE)
    assert found.weights.dtype == np.float32
    np.testing.assert_allclose(found.weights, plain.weights, atol=0.1)
