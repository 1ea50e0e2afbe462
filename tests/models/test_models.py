"""Models: loading, wrapping, preprocessing and layers, and errors for invalid arguments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torchvision import transforms
from torchvision.transforms import v2

import camwidget as cw
from camwidget.errors import CamwidgetError, LayerError, ModelError, TargetError, WeightsError
from camwidget.images.preprocess import IMAGENET_MEAN, IMAGENET_STD


def net(classes: int = 4, channels: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, stride=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(8, 16, 3, stride=2),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, classes),
    )


@pytest.fixture
def photo() -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((300, 200), Image.Resampling.BICUBIC)


# -- preprocessing --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0", "vit_b_16", "regnet_y_400mf"])
def test_presets_give_the_very_same_input(name: str, photo: Image.Image) -> None:
    preset = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    ours = cw.Preprocess.of(preset)
    torch.testing.assert_close(ours.normalize(ours.pixels(photo)), preset(photo), rtol=0, atol=1e-6)


@pytest.mark.parametrize("version", [transforms, v2])
def test_compose_that_ends_in_normalize(version: object, photo: Image.Image) -> None:
    steps = [version.Resize((64, 80)), version.PILToTensor()]
    steps.append(version.ConvertImageDtype(torch.float32))
    whole = version.Compose([*steps, version.Normalize(IMAGENET_MEAN, IMAGENET_STD)])
    ours = cw.Preprocess.of(whole)
    torch.testing.assert_close(ours.normalize(ours.pixels(photo)), whole(photo))
    torch.testing.assert_close(
        ours.denormalize(whole(photo)), ours.pixels(photo), atol=1e-6, rtol=0
    )


def test_a_callable_that_normalizes_is_refused_with_a_remedy() -> None:
    with pytest.raises(ModelError, match="end it in torchvision's Normalize"):
        cw.wrap(net(), lambda image: torch.randn(3, 32, 32))


def steps(*more: Any) -> list[Any]:
    return [transforms.Resize(40), transforms.CenterCrop(32), transforms.ToTensor(), *more]


def test_steps_are_read_in_whatever_they_lie(photo: Image.Image) -> None:
    """Compositions in each other, lists, modules of steps, and what changes nothing after Normalize."""
    normalize = transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)
    expected = transforms.Compose(steps(normalize))(photo)
    flat = steps(normalize)
    for transform in (
        transforms.Compose([transforms.Compose(flat[:2]), transforms.Compose(flat[2:])]),
        v2.Compose([v2.Compose([v2.Compose(flat)])]),
        flat,
        transforms.Compose(
            [*flat[:2], nn.Sequential(v2.ToImage(), v2.ToDtype(torch.float32, True), normalize)]
        ),
        transforms.Compose([*flat, transforms.ConvertImageDtype(torch.float32), nn.Identity()]),
        nn.Sequential(transforms.Resize(40), transforms.CenterCrop(32), normalize),
    ):
        made = cw.wrap(net(), transform).preprocess
        assert made.mean == IMAGENET_MEAN
        torch.testing.assert_close(made.normalize(made.pixels(photo)), expected)


@pytest.mark.parametrize("crops", [transforms.TenCrop(32), transforms.FiveCrop(32)])
def test_several_crops_of_a_picture_are_refused(crops: Any) -> None:
    stacked = transforms.Lambda(lambda many: torch.stack([transforms.ToTensor()(m) for m in many]))
    normalize = transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)
    first = transforms.Resize(40)
    for ending in ([], [stacked], [stacked, normalize]):
        with pytest.raises(ModelError, match=r"gives (5|10) pictures of one.*CenterCrop"):
            cw.wrap(net(), transforms.Compose([first, crops, *ending]))


@pytest.mark.parametrize(
    "transform",
    [
        transforms.Compose([transforms.Grayscale(), *steps()]),
        transforms.Compose(steps()),
        transforms.Compose(steps(transforms.Normalize((0.5,), (0.5,)))),
        transforms.Compose([transforms.Grayscale(), *steps(transforms.Normalize((0.5,), (0.5,)))]),
        lambda image: transforms.ToTensor()(image.convert("L").resize((32, 32))),
    ],
)
def test_transforms_of_gray_pictures(transform: Any, photo: Image.Image) -> None:
    """The first convolution says how many channels a picture has that a transform leaves as it is."""
    model = cw.wrap(net(channels=1), transform)
    assert model.preprocess.channels == 1
    pixels = model.preprocess.pixels(photo)
    assert torch.equal(model.preprocess.normalize(pixels), transform(photo.convert("L")))
    assert cw.explain(model, photo, 0).saliency.shape == (32, 32)


def test_another_number_of_channels_is_said_as_such() -> None:
    three = transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)
    with pytest.raises(
        ModelError, match=r"takes pictures of 1 channel, and its preprocess gives 3"
    ):
        cw.wrap(net(channels=1), transforms.Compose(steps(three)))
    one = transforms.Normalize((0.5,), (0.5,))
    gray = transforms.Compose([transforms.Grayscale(), *steps(one)])
    with pytest.raises(
        ModelError, match=r"takes pictures of 3.*Grayscale\(num_output_channels=3\)"
    ):
        cw.wrap(net(), gray)
    with pytest.raises(ModelError, match=r"makes 2 channels.*in the module"):
        cw.wrap(net(channels=2), lambda image: transforms.ToTensor()(image)[:2])
    with pytest.raises(ModelError, match="mean and std of one length"):
        cw.Preprocess(32, mean=0.5, std=0.5)  # type: ignore[arg-type]


def test_a_preprocess_that_fails_is_named() -> None:
    with pytest.raises(ModelError, match=r"preprocess fails on a PIL image.*KeyError"):
        cw.wrap(net(), lambda image: {}["image"])


def test_reading_a_transform_draws_nothing() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    cw.Preprocess.of(transforms.Compose([transforms.RandomCrop(32), transforms.ToTensor()]), 3)
    assert torch.equal(torch.rand(1), expected)


def test_gray_models_get_gray_pictures(photo: Image.Image) -> None:
    model = cw.wrap(net(channels=1))
    assert model.pixels(photo).shape == (1, 1, 224, 224)
    assert cw.explain(model, photo).pixels.shape == (224, 224, 3)


@pytest.mark.parametrize("size", [(40, 40), (40, 200), (6000, 4000)])
def test_small_and_large_pictures(size: tuple[int, int]) -> None:
    assert cw.wrap(net()).pixels(Image.new("RGB", size, "teal")).shape == (1, 3, 224, 224)


def test_a_ribbon_is_refused() -> None:
    with pytest.raises(cw.CamwidgetError, match="Crop it first"):
        cw.wrap(net()).pixels(Image.new("RGB", (60_000, 8)))


# -- classes --------------------------------------------------------------------------------


def test_classes_by_index_and_name() -> None:
    model = cw.wrap(net(), classes=["cat", "dog", "crane", "crane"])
    assert model.classes == ("cat", "dog", "crane #2", "crane #3")
    assert model.class_index("DOG ") == model.class_index(1) == model.class_index(np.int64(1)) == 1
    with pytest.raises(TargetError, match="'crane #2' and 'crane #3'"):
        model.class_index("crane")
    with pytest.raises(TargetError, match="Did you mean 'dog'"):
        model.class_index("dogg")
    for bad in (4, -1, True):
        with pytest.raises(TargetError, match="classes 0 to 3"):
            model.class_index(bad)


def test_names_are_text_whatever_they_hold() -> None:
    name = "<img src=x onerror=alert(1)>"
    assert cw.wrap(net(), classes=[name, "b", "c", "d"]).class_index(name) == 0


def test_names_by_index_and_names_that_look_like_ours() -> None:
    by_index = dict(enumerate("abcd"))
    assert cw.wrap(net(), classes=by_index).classes == ("a", "b", "c", "d")
    awkward = cw.wrap(net(), classes=["a", "a", "a #0", "b"]).classes
    assert len(set(awkward)) == 4
    for wrong in ({"a", "b", "c", "d"}, "abcd", 4):
        with pytest.raises(ModelError, match="sequence of names"):
            cw.wrap(net(), classes=wrong)


def test_wrong_number_of_names_is_refused() -> None:
    with pytest.raises(ModelError, match="3 class names were given, but the model has 4 outputs"):
        cw.wrap(net(), classes=["a", "b", "c"])


# -- layers ---------------------------------------------------------------------------------


def test_layers_are_discovered(random_model: Callable[..., cw.VisionModel]) -> None:
    model = random_model("resnet18")
    names = [layer.name for layer in model.layers]
    assert names[-1] == model.default_layer == "layer4"
    assert model.layer("layer4").shape == (512, 7, 7)
    assert "layer4.1" not in names, "the same tensor as layer4: listed once"
    assert names.index("layer1") < names.index("layer2") < names.index("layer3")
    assert model.layer("layer2.0.conv2").shape == (128, 28, 28), "any layer can be asked for"


@pytest.mark.parametrize(
    ("name", "default", "head"),
    [
        ("resnet18", "layer4", "layer4"),
        ("vgg11", "features.19", None),
        ("squeezenet1_1", "features.12", "features.12"),
        ("mobilenet_v3_small", "features.12", None),
        ("densenet121", "features.norm5", "features.norm5"),
        ("convnext_tiny", "features.7", None),
        ("shufflenet_v2_x0_5", "conv5", "conv5"),
    ],
)
def test_default_layers_and_gap_heads(
    name: str, default: str, head: str | None, random_model: Callable[..., cw.VisionModel]
) -> None:
    model = random_model(name)
    assert model.default_layer == default
    assert (model.gap_head.layer if model.gap_head else None) == head
    assert 3 <= len(model.layers) <= 40


@pytest.mark.parametrize(
    ("layer", "remedy"),
    [
        ("layr4", "Did you mean.*layer4"),
        ("fc", "has no map.*layer4"),
        ("layer4.1.relu", "runs 2 times.*'layer4.1'"),
        (3, "no layer '3'"),
    ],
)
def test_wrong_layers_are_refused_with_a_remedy(
    layer: object, remedy: str, random_model: Callable[..., cw.VisionModel], noise: torch.Tensor
) -> None:
    with pytest.raises(LayerError, match=remedy):
        cw.explain(random_model("resnet18"), noise, layer=layer)


def test_layers_that_share_a_shape_are_not_the_same(
    random_model: Callable[..., cw.VisionModel], noise: torch.Tensor
) -> None:
    model = random_model("resnet18")
    same = cw.explain(model, noise, 1, "cam", "layer4.1")
    np.testing.assert_array_equal(same.raw, cw.explain(model, noise, 1, "cam").raw)
    for other in ("layer4.0", "layer4.1.conv1", "layer4.1.bn2"):
        with pytest.raises(cw.CamwidgetError, match="CAM is defined at"):
            cw.explain(model, noise, 1, "cam", other)


@pytest.mark.full
def test_channels_last_layers_are_recognized(
    random_model: Callable[..., cw.VisionModel], noise: torch.Tensor
) -> None:
    model = random_model("swin_t")
    assert model.layer("features.7").shape == (768, 7, 7)
    assert cw.explain(model, noise, 1, layer="features.5").raw.shape == (14, 14)
    convnext = random_model("convnext_tiny")
    assert convnext.layer("features.7.2.block.3").shape == (3072, 7, 7)


class Extremes(nn.Module):
    """Global max pooling, with one channel so large that it drowns every comparison on a common scale."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 8, 3, stride=4)
        self.head = nn.Linear(8, 3)
        with torch.no_grad():
            self.conv.weight[0] = 0
            self.conv.bias[0] = 2000
            self.head.weight[:, 0] = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.conv(x).relu().amax((2, 3)))


class Functional(nn.Module):
    def __init__(self, pool: bool = False, convolution: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 8, 3, stride=4)
        self.pool = nn.MaxPool2d(2) if pool else nn.Identity()
        self.head = nn.Conv2d(8, 3, 1) if convolution else nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(nn.functional.relu(self.conv(x)))
        if isinstance(self.head, nn.Conv2d):
            return self.head(x).mean((2, 3))
        return self.head(x.mean((2, 3)))


def test_gap_heads_are_recognized_by_arithmetic(noise: torch.Tensor) -> None:
    assert cw.wrap(Extremes()).gap_head is None
    for module in (
        Functional(),
        Functional(pool=True),
        Functional(convolution=True),
        Functional().bfloat16(),
    ):
        model = cw.wrap(module)
        assert model.gap_head is not None and model.gap_head.module == "head"
        exp = cw.explain(model, noise, 1, "cam")
        logit = float(model.logits(noise[None])[0, 1])
        assert exp.raw.mean() + float(module.head.bias[1].detach()) == pytest.approx(
            logit, rel=0.02, abs=0.01
        )
    with torch.autocast("cpu", torch.bfloat16):
        assert cw.wrap(Functional()).gap_head is not None


def test_a_layer_may_be_given_as_the_module_itself(noise: torch.Tensor) -> None:
    module = net()
    assert cw.explain(cw.wrap(module), noise, layer=module[2]).layer in ("2", "3")


def test_layers_can_be_chosen() -> None:
    model = cw.wrap(net(), layers=["0", "2"])
    assert [layer.name for layer in model.layers] == ["0", "2"]
    assert model.default_layer == "2"
    with pytest.raises(LayerError):
        cw.wrap(net(), layers=["9"])


def test_reshape_takes_the_place_of_what_is_found(noise: torch.Tensor) -> None:
    torch.manual_seed(0)
    module = torchvision.models.VisionTransformer(224, 32, 2, 2, 32, 64, num_classes=5).eval()
    nn.init.normal_(module.heads.head.weight)  # torchvision starts it at zero

    def half(tokens: torch.Tensor) -> torch.Tensor:
        return tokens[:, 1:, :16].transpose(1, 2).reshape(len(tokens), 16, 7, 7)

    layer = "encoder.layers.encoder_layer_0"
    model = cw.wrap(module, reshape=half)
    assert model.layer(layer).shape == (16, 7, 7)
    assert not cw.explain(model, noise, 2, layer=layer).is_empty


# -- outputs and weights --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        (nn.Sequential(nn.Flatten(), nn.LazyLinear(3)), "run it once"),
        (
            nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)),
            "fails on an input of shape.*Preprocess",
        ),
    ],
)
def test_odd_outputs_are_refused(module: nn.Module, problem: str) -> None:
    with pytest.raises(cw.CamwidgetError, match=problem):
        cw.wrap(module)


def test_a_single_logit_is_a_sigmoid(noise: torch.Tensor) -> None:
    model = cw.wrap(net(1), classes=["spotted"], scores="sigmoid")
    (p,) = model.predict(noise).probabilities
    assert p == pytest.approx(float(model.logits(noise[None]).sigmoid()))
    assert 0.01 < p < 0.99
    curve = cw.mask_curve(model, noise, cw.explain(model, noise), steps=3)
    assert curve.probability[0] == pytest.approx(p)


def test_wrap_takes_a_module() -> None:
    with pytest.raises(ModelError, match="nn.Module, not a name"):
        cw.wrap("resnet18")  # type: ignore[arg-type]


def test_nan_weights_are_named(noise: torch.Tensor) -> None:
    module = net()
    model = cw.wrap(module)
    with torch.no_grad():
        module[2].weight[0, 0, 0, 0] = torch.nan
    with pytest.raises(ModelError, match="1 tensors, the first '2.weight'"):
        cw.explain(model, noise)
    with pytest.raises(ModelError, match="2.weight"):
        cw.wrap(module)


def test_load_of_a_local_file(tmp_path: Path, noise: torch.Tensor) -> None:
    torch.manual_seed(3)
    module = torchvision.models.squeezenet1_1(weights=None).eval()
    safe, pickled = tmp_path / "w.safetensors", tmp_path / "w.pth"
    save_file(module.state_dict(), safe)
    torch.save({"state_dict": {f"module.{k}": v for k, v in module.state_dict().items()}}, pickled)
    expected = module(cw.Preprocess(mean=IMAGENET_MEAN, std=IMAGENET_STD).normalize(noise)[None])
    for path in (safe, str(pickled)):
        model = cw.load("squeezenet1_1", weights=path, device="cpu")
        torch.testing.assert_close(
            model.logits(noise[None]), expected.detach(), rtol=1e-4, atol=1e-5
        )
        assert model.classes[243] == "bull mastiff"


def test_load_of_a_fine_tuned_file(tmp_path: Path) -> None:
    path = tmp_path / "tuned.pth"
    torch.save(torchvision.models.shufflenet_v2_x0_5(num_classes=3).state_dict(), path)
    with pytest.raises(
        WeightsError, match=r"fc.weight is \(3, 1024\), not \(1000, 1024\).*classes="
    ):
        cw.load("shufflenet_v2_x0_5", weights=path)
    model = cw.load("shufflenet_v2_x0_5", weights=path, classes=["a", "b", "c"])
    assert model.classes == ("a", "b", "c")


class _Payload:
    def __reduce__(self) -> tuple:
        return (print, ("code ran",))


def test_bad_weights_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, other)
    with pytest.raises(WeightsError, match=r"does not fit resnet18: \d+ are missing"):
        cw.load("resnet18", weights=other)
    with pytest.raises(WeightsError, match="no file"):
        cw.load("resnet18", weights=tmp_path / "none.safetensors")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x00" * 50)
    with pytest.raises(WeightsError, match="cannot be read"):
        cw.load("resnet18", weights=broken)
    evil = tmp_path / "evil.pth"
    torch.save(_Payload(), evil)
    with pytest.raises(WeightsError, match="holds more than weights.*builtins.print"):
        cw.load("resnet18", weights=evil)
    assert "code ran" not in capsys.readouterr().out
    listed = tmp_path / "list.pth"
    torch.save([torch.zeros(1)], listed)
    with pytest.raises(WeightsError, match="does not fit resnet18"):
        cw.load("resnet18", weights=listed)


def test_no_network_names_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise URLError("no route")

    monkeypatch.setattr(torchvision.models, "get_model", refuse)
    with pytest.raises(WeightsError, match=r"weights='file.safetensors'\).*camwidget.load\(\)"):
        cw.load("resnet18")


@pytest.mark.parametrize(
    ("name", "hint"), [("resnet81", "'resnet18'"), ("zoo/texture", "'zoo/textures'"), (7, "wrap")]
)
def test_unknown_models_are_refused(name: object, hint: str) -> None:
    with pytest.raises(ModelError, match=hint):
        cw.load(name)  # type: ignore[arg-type]


def test_default_needs_no_network(textures: cw.VisionModel) -> None:
    assert textures.name == "zoo/textures" and len(textures.classes) == 10
    assert "zoo/textures" in cw.list_models()
    assert textures.gap_head is not None


class OneByOne(nn.Module):
    """Answers one picture at a time, as code that was only tried with one does."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.fc = nn.Conv2d(3, 8, 3, stride=2), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(x).relu().mean((2, 3)).reshape(1, 8))  # type: ignore[no-any-return]


def test_a_module_of_one_picture_at_a_time(noise: torch.Tensor) -> None:
    model = cw.wrap(OneByOne(), cw.Preprocess(32))
    assert model.mixes_pictures and not model.randomness_note
    picture = noise[:, :32, :32]
    exp = cw.explain(model, picture)
    assert cw.mask_curve(model, picture, exp, steps=4).probability[0] == pytest.approx(
        exp.prediction.probabilities[0], abs=1e-6
    )
    found = cw.explain(model, [picture, 1 - picture], method=["gradcam", "scorecam", "occlusion"])
    assert len(found) == 6 and all(np.isfinite(e.saliency).all() for e in found)
    assert not cw.wrap(
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), cw.Preprocess(32)
    ).mixes_pictures


class OwnStatistics(nn.Module):
    """Normalizes by the statistics of the batch, without a layer that says so."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.batch_norm(x, None, None, training=True)


@pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated")
@pytest.mark.parametrize("kind", ["statistics", "quantized", "none"])
def test_pictures_that_change_each_others_outputs_run_one_by_one(
    kind: str, noise: torch.Tensor
) -> None:
    """A dynamically quantized layer has one scale for the whole batch."""
    torch.manual_seed(0)
    norm = OwnStatistics() if kind == "statistics" else nn.Identity()
    parts = [nn.Conv2d(3, 8, 3, stride=2), norm, nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten()]
    module = nn.Sequential(*parts, nn.Linear(128, 32), nn.ReLU(), nn.Linear(32, 5)).eval()
    if kind == "quantized":
        module = torch.ao.quantization.quantize_dynamic(module, {nn.Linear}, torch.qint8)
    model = cw.wrap(module, cw.Preprocess(32))
    assert model.mixes_pictures == (kind != "none") and not model.randomness_note
    pictures = torch.stack([noise[:, :32, :32] / 4, noise[:, 32:64, :32].round()])
    alone = [cw.probabilities(model, [picture])[0] for picture in pictures]
    np.testing.assert_allclose(cw.probabilities(model, pictures), alone, atol=1e-7)
    found = cw.explain(model, pictures, 1, "eigencam", layer="2")
    assert [one.picture for one in found] == [0, 1]
    for one, picture in zip(found, pictures, strict=True):
        np.testing.assert_allclose(
            one.raw, cw.explain(model, picture, 1, "eigencam", layer="2").raw, atol=1e-6
        )


def test_an_error_without_words_is_named() -> None:
    class Asserting(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise AssertionError

    with pytest.raises(
        CamwidgetError, match=r"fails on an input of shape .*: AssertionError\. For"
    ):
        cw.wrap(Asserting())
