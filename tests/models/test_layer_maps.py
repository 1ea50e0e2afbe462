"""Detection of layers that are maps of the picture, by what changes with it and where."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from torch import nn
from torch.nn.utils import parametrizations, prune, weight_norm
from torch.utils.checkpoint import checkpoint

import camwidget as cw
from camwidget.errors import LayerError, ModelError
from camwidget.models.layer_choice import is_routed
from camwidget.models.spatial_layout import (
    CONSTANT,
    MISPLACED,
    corner_variants,
    layout_fault,
    sketch_maps,
)

os.environ.setdefault("HF_HUB_OFFLINE", "1")

PICTURE = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(1))


def wrapped(module: nn.Module, **options: Any) -> cw.VisionModel:
    return cw.wrap(module.eval(), cw.Preprocess(64), **options)


# -- the comparison itself -------------------------------------------------------------------


def in_windows(maps: torch.Tensor) -> torch.Tensor:
    """Four windows one after the other."""
    windows = maps.reshape(1, -1, 2, 4, 2, 4).permute(0, 1, 2, 4, 3, 5)
    return windows.reshape(maps.shape)


def shuffled(maps: torch.Tensor) -> torch.Tensor:
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    return maps.flatten(2)[..., order].reshape(maps.shape)


def attention(maps: torch.Tensor) -> torch.Tensor:
    """(1, heads, T, T)."""
    heads = maps.flatten(2).reshape(1, 4, 8, 64)
    return (heads.transpose(2, 3) @ heads / 8).softmax(-1)


def mixed(maps: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(0)
    return nn.Conv2d(32, 32, 5, padding=2)(nn.Conv2d(32, 32, 5, padding=2)(maps).relu())


READINGS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], str | None]] = {
    "as they are": (lambda m: m, None),
    "rectified": (lambda m: m.relu(), None),
    "large kernels": (mixed, None),
    "beside a change everywhere": (lambda m: m + 100 * m.mean((2, 3), keepdim=True), None),
    "a table": (lambda m: torch.linspace(0, 1, 32 * 64).reshape(m.shape) + 0 * m, CONSTANT),
    "one value for all places": (lambda m: m.mean((2, 3), keepdim=True) + 0 * m, MISPLACED),
    "columns for rows": (lambda m: m.transpose(2, 3), MISPLACED),
    "upside down": (lambda m: m.flip(2), MISPLACED),
    "mirrored": (lambda m: m.flip(3), MISPLACED),
    "turned": (lambda m: m.flip(2, 3), MISPLACED),
    "tokens as channels": (lambda m: m.permute(0, 2, 3, 1).reshape(m.shape), MISPLACED),
    "shuffled": (shuffled, MISPLACED),
    "in windows": (in_windows, MISPLACED),
    "attention": (attention, MISPLACED),
}


@pytest.mark.parametrize("name", READINGS)
def test_what_is_laid_out_like_the_picture(name: str) -> None:
    read, expected = READINGS[name]
    for seed in range(3):
        torch.manual_seed(seed)
        embed = nn.Conv2d(3, 32, 8, 8)
        with torch.no_grad():
            pictures = (PICTURE[None], *corner_variants(PICTURE[None]))
            sketches = [sketch_maps(read(embed(p))) for p in pictures]
        assert layout_fault(*sketches) == expected


# -- transformers and timm, with random weights ------------------------------------------------


def hugging_face(kind: str, **config: Any) -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = {"num_labels": 5, **config}
    made = getattr(transformers, f"{kind}Config")(**config)
    return getattr(transformers, f"{kind}ForImageClassification")(made)


VIT: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 64,
    "patch_size": 8,
}
SWIN: dict[str, Any] = {
    "image_size": 64,
    "patch_size": 2,
    "embed_dim": 16,
    "depths": [2, 2, 2],
    "num_heads": [2, 2, 4],
    "window_size": 4,
}
TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 50,
}
STAGES: dict[str, Any] = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
HUGGING_FACE: dict[str, tuple[dict[str, Any], str, int]] = {
    "ViT": (VIT, "vit.layers.2.layernorm_before", 8),
    "DeiT": (VIT, "deit.layers.2.layernorm_before", 8),
    "Swin": (SWIN, "swin.layernorm", 8),
    "Swinv2": (SWIN, "swinv2.layernorm", 8),
    "ConvNext": (STAGES, "convnext.encoder.stages.3", 2),
    "Dinov2": (VIT, "dinov2.layernorm", 8),
    "Dinov2WithRegisters": (VIT, "dinov2_with_registers.layernorm", 8),
    "CLIP": (
        {"vision_config": VIT, "text_config": TEXT, "projection_dim": 16},
        "vision_model.encoder.layers.2",
        8,
    ),
    "Siglip": (
        {"vision_config": VIT, "text_config": TEXT},
        "vision_model.post_layernorm",
        8,
    ),
    "Segformer": (
        {**STAGES, "decoder_hidden_size": 16, "num_attention_heads": [1, 2, 2, 4]},
        "segformer.stages.3",
        2,
    ),
    "ResNet": ({**STAGES, "embedding_size": 8}, "resnet.encoder.stages.3", 2),
}


@pytest.mark.parametrize("kind", HUGGING_FACE)
def test_transformers_are_explained_without_a_word(kind: str) -> None:
    config, default, side = HUGGING_FACE[kind]
    torch.manual_seed(0)
    model = wrapped(hugging_face(kind, **config))
    # Names differ from release to release; what is shown must not.
    assert model.layer().shape[1:] == (side, side)
    assert model.default_layer == default
    assert 4 <= len(model.layers) <= 40
    assert not any("bias" in x.name or "position" in x.name for x in model.layers)
    exps = cw.explain(model, PICTURE, [0, 1, 2])
    assert not all(e.is_empty for e in exps)
    assert len(cw.explain(model, PICTURE, 0, layer="all")) == len(model.layers)


def test_tables_of_parameters_are_refused_with_the_reason() -> None:
    torch.manual_seed(0)
    model = wrapped(hugging_face("Swin", **SWIN))
    name = "swin.encoder.layers.0.blocks.0.attention.relative_position_bias"
    with pytest.raises(cw.CamwidgetError, match="does not change with the picture"):
        model.layer(name)


def test_relevance_follows_an_output_to_its_logits() -> None:
    torch.manual_seed(0)
    model = wrapped(hugging_face("ResNet", **STAGES, embedding_size=8))
    for method in ("lrp", "relevancecam", "excitation-backprop", "c-mwp"):
        assert not cw.explain(model, PICTURE, 1, method).is_empty


@pytest.mark.parametrize(
    ("name", "default", "options"),
    [
        ("cait_xxs24_224", "blocks_token_only.1.norm1", {"num_heads": 3, "embed_dim": 48}),
        ("xcit_nano_12_p16_224", "cls_attn_blocks.1.norm1", {"num_heads": 2, "embed_dim": 32}),
    ],
)
def test_timms_class_attention(name: str, default: str, options: dict[str, Any]) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    module = timm.create_model(name, num_classes=5, img_size=64, depth=3, **options)
    model = wrapped(module)
    assert (model.default_layer, model.layer().shape[1:]) == (default, (4, 4))
    with pytest.raises(cw.CamwidgetError, match="no map"):
        model.layer("blocks.0.attn.attn_drop")


SMALL: dict[str, tuple[str, int, dict[str, Any]]] = {
    "tnt_s_patch16_224": ("blocks.1.norm_out", 4, {"depth": 2, "embed_dim": 48}),
    "tnt_s_legacy_patch16_224": ("blocks.1.norm_out", 4, {"depth": 2, "embed_dim": 48}),
    # Its head begins with weights of 0, and its first tokens go by windows.
    "hiera_tiny_224": ("blocks.4", 2, {"stages": (1, 1, 2, 1), "embed_dim": 16}),
}


@pytest.mark.parametrize("name", SMALL)
def test_timms_transformers_of_other_grids(name: str) -> None:
    """Of patches that no convolution tells, behind attention matrices that look like maps."""
    timm = pytest.importorskip("timm")
    default, side, options = SMALL[name]
    torch.manual_seed(0)
    model = wrapped(timm.create_model(name, num_classes=5, img_size=(64, 64), **options))
    assert (model.default_layer, model.layer().shape[1:]) == (default, (side, side))
    assert len({x.name for x in model.layers}) == len(model.layers)


def test_a_class_tokens_queries_of_patches_are_read_by_nothing() -> None:
    """Convolutions make them, which have height and width all the same."""
    torch.manual_seed(0)
    sizes = {"embed_dim": [8, 16, 24], "num_heads": [1, 2, 3], "depth": [1, 2, 3]}
    model = wrapped(hugging_face("Cvt", **sizes))
    assert model.default_layer == "cvt.encoder.stages.2.layers.2.layernorm_before"
    assert not all(e.is_empty for e in cw.explain(model, PICTURE, [0, 1, 2]))


def test_a_head_whose_weights_are_0_hides_no_layer() -> None:
    torch.manual_seed(0)
    module = torchvision.models.VisionTransformer(64, 8, 2, 2, 32, 64, num_classes=5)
    assert not module.heads.head.weight.any(), "torchvision starts it so"
    assert wrapped(module).default_layer == "encoder.layers.encoder_layer_1.ln_1"


def test_values_that_all_but_vanish_are_laid_out_like_others() -> None:
    maps = torch.rand(1, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    upper, lower = maps.clone(), maps.clone()
    upper[..., :4, 12:] += 1
    lower[..., 12:, :4] += 1
    for scale in (1e-33, 1.0, 1e33):
        assert layout_fault(*(sketch_maps(m * scale) for m in (maps, upper, lower))) is None


def test_a_reshape_is_judged_too() -> None:
    torch.manual_seed(0)
    module = torchvision.models.VisionTransformer(64, 8, 2, 2, 32, 64, num_classes=5)
    nn.init.normal_(module.heads.head.weight)  # torchvision starts it at zero

    def wrong(tokens: torch.Tensor) -> torch.Tensor:
        return tokens[:, 1:].reshape(len(tokens), -1, 8, 8)

    with pytest.raises(cw.CamwidgetError, match=r"reshape= makes.*transpose\(1, 2\)"):
        wrapped(module, reshape=wrong)


# -- structures ------------------------------------------------------------------------------


class Twins(nn.Module):
    """A backbone for two views of the picture."""

    def __init__(self, joined: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 12, 3, 2))
        self.join = nn.Conv2d(24, 24, 3) if joined else nn.Identity()
        self.head = nn.Linear(24, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        views = torch.cat([self.backbone(x), self.backbone(x.flip(3))], 1)
        features = self.join(views) if isinstance(self.join, nn.Conv2d) else views
        return self.head(features.relu().mean((2, 3)))


def test_a_shared_backbone_is_called_what_it_is() -> None:
    with pytest.raises(cw.CamwidgetError, match="runs more than once"):
        wrapped(Twins(joined=False))
    model = wrapped(Twins(joined=True))
    assert model.default_layer == "join"
    with pytest.raises(cw.CamwidgetError, match="runs 2 times.*behind the place"):
        model.layer("backbone.0")


class Auxiliary(nn.Module):
    """A branch with a head of its own, which the score does not depend on."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 12, 3, 2))
        self.branch = nn.Sequential(nn.Conv2d(12, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
        self.head, self.other = nn.Linear(12, 4), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        x = self.trunk(x)
        other = self.other(self.branch(x).mean((2, 3)))
        return {"logits": self.head(x.relu().mean((2, 3))), "aux": other}


def test_a_branch_beside_the_score_spoils_nothing() -> None:
    model = wrapped(Auxiliary())
    assert [x.name for x in model.layers] == ["trunk.0", "trunk.1", "trunk.2"]
    assert len(cw.explain(model, PICTURE, 1, layer="all")) == 3
    trace = cw.attribution.explaining.Trace(model, PICTURE[None], ["trunk.0", "branch.0"])
    target = cw.attribution.targets.resolve_target(model, 1)
    trace.store_gradients([target])
    assert trace.gradient(target, "trunk.0").any()
    with pytest.raises(cw.CamwidgetError, match=r"does not depend on layer 'branch\.0'"):
        trace.gradient(target, "branch.0")
    assert not cw.explain(model, PICTURE, 1, "eigencam", layer="branch.0").is_empty


class Checkpointed(nn.Module):
    def __init__(self, use_reentrant: bool | None = True) -> None:
        super().__init__()
        self.use_reentrant = use_reentrant
        torch.manual_seed(0)
        self.first, self.inside = nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 8, 3, padding=1)
        self.last, self.head = nn.Conv2d(8, 12, 3, 2), nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x).relu()
        if self.use_reentrant is None:
            x = self.inside(x)
        else:
            x = checkpoint(self.inside, x, use_reentrant=self.use_reentrant)
        return self.head(self.last(x).relu().mean((2, 3)))


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_reentrant_checkpointing_is_named_with_its_remedy() -> None:
    model = wrapped(Checkpointed())
    assert not cw.explain(model, PICTURE, 1, layer="last").is_empty
    for layer, method in (
        ("inside", "gradcam"),
        ("first", "gradcam"),
        ("last", "saliency"),
        ("last", "lrp"),
    ):
        with pytest.raises(cw.CamwidgetError, match="use_reentrant=False"):
            cw.explain(model, PICTURE, 1, method, layer=layer)


@pytest.mark.parametrize(
    "method",
    ["gradcam", "saliency", "guided-backprop", "integrated-gradients", "smoothgrad", "layercam"],
)
def test_a_checkpoint_that_runs_again_in_the_backward_pass(method: str) -> None:
    """The copy of the module that it runs in is not used by other passes in between."""
    found, expected = (
        [cw.explain(wrapped(Checkpointed(kind)), PICTURE, c, method, layer="first") for c in (0, 1)]
        for kind in (False, None)
    )
    for one, other in zip(found, expected, strict=True):
        assert not one.is_empty
        assert one.raw == pytest.approx(other.raw, rel=1e-5, abs=1e-9)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    "change",
    [
        lambda m: prune.l1_unstructured(m, "weight", 0.3),
        weight_norm,
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
    ],
)
def test_a_weight_may_be_made_of_others(change: Callable[[nn.Module], Any]) -> None:
    torch.manual_seed(0)
    trunk = [nn.Conv2d(3, 12, 3, 2), nn.ReLU(), nn.Conv2d(12, 12, 3, 2), nn.ReLU()]
    module = nn.Sequential(*trunk, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 4)).eval()
    change(module[-1])
    change(module[2])
    model = wrapped(module)
    cam, gradcam = (cw.explain(model, PICTURE, 1, m).raw for m in ("cam", "hirescam"))
    # The gradient of a mean over places is the class's weight over their number.
    torch.testing.assert_close(torch.tensor(cam) / cam.size, torch.tensor(gradcam))
    assert cw.explain(model, PICTURE, 1, "lrp").raw.shape == (64, 64)


def test_finding_layers_draws_no_random_numbers_of_the_callers() -> None:
    class Noisy(Auxiliary):
        def forward(self, x: torch.Tensor) -> Any:
            return super().forward(nn.functional.dropout(x, 0.2, training=True))

    module = Noisy()
    before = torch.get_rng_state()
    model = wrapped(module)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.default_layer == "trunk.2"


@pytest.mark.parametrize("channels", [10, 12])
def test_late_features_may_be_as_many_as_the_classes(channels: int) -> None:
    """They are no scores while something weighs them again; scores that are only averaged are passed over."""
    torch.manual_seed(0)
    features = (
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, channels, 3, padding=1),
        nn.ReLU(),
    )
    flat = nn.Sequential(*features, nn.Flatten(), nn.Linear(channels * 256, 10)).eval()
    assert cw.wrap(flat, cw.Preprocess(32)).default_layer == "4"
    scores = nn.Sequential(
        *features,
        nn.Conv2d(channels, 10, 1),
        nn.BatchNorm2d(10),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
    )
    assert cw.wrap(scores.eval(), cw.Preprocess(32)).default_layer == "4"


# -- parts that do not run for every picture -----------------------------------------------------


class Routed(nn.Module):
    """One of three experts for each picture, by how bright it is."""

    def __init__(self, *, inside: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU())
        experts = nn.ModuleList([nn.Conv2d(8, 12, 3, padding=1) for _ in range(3)])
        self.mixed = Mixed(experts) if inside else None
        self.experts = nn.ModuleList() if inside else experts
        self.fc = nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        chosen = (x.mean((1, 2, 3)) > 0.5).long() + (x.mean((1, 2, 3)) > 0.9)
        x = self.stem(x)
        x = spread(self.experts, x, chosen) if self.mixed is None else self.mixed(x, chosen)
        return self.fc(x.relu().mean((2, 3)))


def spread(experts: nn.ModuleList, x: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    if len(x) == 1:
        return experts[int(chosen)](x)  # type: ignore[no-any-return]
    out = x.new_zeros(len(x), 12, *x.shape[2:])
    for number, expert in enumerate(experts):
        if (chosen == number).any():
            out[chosen == number] = expert(x[chosen == number])
    return out


class Mixed(nn.Module):
    def __init__(self, experts: nn.ModuleList) -> None:
        super().__init__()
        self.experts = experts

    def forward(self, x: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        return spread(self.experts, x, chosen)


BRIGHT = [torch.full((3, 64, 64), value) * (0.5 + PICTURE / 2) for value in (0.2, 0.9, 1.3)]
BRIGHT = [picture.clamp(max=1) for picture in BRIGHT]


def test_the_default_layer_runs_for_every_picture() -> None:
    model = wrapped(Routed())
    assert model.default_layer == "stem"
    assert [layer.name for layer in model.layers] == ["stem.0", "stem"]
    for picture in BRIGHT:
        assert cw.explain(model, picture).layer == "stem"
    assert len(cw.explain(model, BRIGHT, layer="all")) == 6


def test_a_block_that_mixes_experts_is_listed_itself() -> None:
    model = wrapped(Routed(inside=True))
    assert model.default_layer == "mixed" == model.layers[-1].name
    assert len(cw.explain(model, BRIGHT)) == 3


def test_an_expert_that_did_not_run_says_which_layers_did() -> None:
    model = wrapped(Routed())
    (known,) = [n for n in ("experts.0", "experts.1", "experts.2") if model.has_layer(n)]
    others = [p for p in BRIGHT if not _runs(model, p, known)]
    with pytest.raises(
        LayerError,
        match=rf"'{known}' of Routed did not run for this picture\. .* did: 'stem\.0', 'stem'\.",
    ):
        cw.explain(model, others[0], layer=known)
    with pytest.raises(LayerError, match="did not run for every one of these pictures"):
        cw.explain(model, BRIGHT, layer=known)
    unknown = next(n for n in ("experts.0", "experts.1") if n != known)
    with pytest.raises(
        LayerError, match=f"'{unknown}' of Routed was not seen to run when .*wrapped"
    ):
        cw.explain(model, BRIGHT[0], layer=unknown)


def _runs(model: cw.VisionModel, picture: torch.Tensor, name: str) -> bool:
    seen: list[int] = []
    handle = model.module.get_submodule(name).register_forward_hook(lambda *_: seen.append(1))
    model.predict(picture)
    handle.remove()
    return bool(seen)


def test_one_of_several_that_ran_is_a_choice_too() -> None:
    experts = nn.ModuleList([nn.Conv2d(3, 3, 1) for _ in range(4)])
    module = nn.ModuleDict({"experts": experts})
    for ran, expected in (((1, 3), True), ((2,), True), ((0, 1), False), (range(4), False)):
        names = [f"experts.{n}" for n in ran]
        assert all(is_routed(module, name, ["stem", *names]) is expected for name in names)


def test_a_deep_copy_that_a_forward_makes_is_no_layer() -> None:
    class Copying(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = copy.deepcopy(self.conv)(self.conv(x)[:, :3].relu())
            return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]

    model = wrapped(Copying())
    assert model.default_layer == "conv" and cw.explain(model, PICTURE).saliency.any()


def test_a_stack_that_is_cut_off_is_no_choice() -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList([nn.Conv2d(3, 3, 3, padding=1) for _ in range(4)])
            self.fc = nn.Linear(3, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for block in self.blocks[:3]:
                x = block(x).relu()
            return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]

    assert wrapped(Cut()).default_layer == "blocks.2"


# -- volumes -------------------------------------------------------------------------------------


class Deep(nn.Module):
    """A picture as a volume of some slices."""

    def __init__(self, slices: int = 1, *, columns: int = 4) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.slices = slices
        self.first = nn.Conv3d(3, 8, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        self.second = nn.Conv3d(8, 12, (1, 3, 3), padding=(0, 1, 1))
        self.pool = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(12, columns)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.unsqueeze(2).expand(-1, -1, self.slices, -1, -1)
        return self.fc(self.pool(self.second(self.first(x).relu()).relu()).flatten(1))


class Flat(Deep):
    """The same numbers by two-dimensional convolutions."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.second(self.first(x).relu()).relu().mean((2, 3)))


def flat_like(deep: Deep) -> Flat:
    flat = Flat()
    flat.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
    flat.second = nn.Conv2d(8, 12, 3, padding=1)
    state = deep.state_dict()
    flat.load_state_dict({k: v.squeeze(2) if v.ndim == 5 else v for k, v in state.items()})
    return flat


@pytest.mark.parametrize("method", ["gradcam", "cam", "layercam", "scorecam", "ablationcam"])
def test_a_volume_of_one_slice_is_a_picture(method: str) -> None:
    deep = Deep()
    model, flat = wrapped(deep), wrapped(flat_like(deep))
    assert model.default_layer == flat.default_layer == "second"
    assert [x.shape for x in model.layers] == [x.shape for x in flat.layers]
    found, expected = (cw.explain(m, PICTURE, 1, method).raw for m in (model, flat))
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=1e-4, atol=1e-6)


def test_of_a_deeper_volume_it_has_to_be_said_what_the_map_is() -> None:
    with pytest.raises(LayerError, match=r"computes volumes .* reshape=lambda t: t\.mean\(2\)"):
        wrapped(Deep(3))
    model = wrapped(Deep(3), reshape=lambda t: t.mean(2))
    expected = cw.explain(wrapped(Deep()), PICTURE, 1).saliency
    torch.testing.assert_close(
        torch.tensor(cw.explain(model, PICTURE, 1).saliency), torch.tensor(expected)
    )
    with pytest.raises(ModelError, match="single output, and its meaning is not clear"):
        wrapped(Deep(columns=1))
