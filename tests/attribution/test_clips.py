"""Clips: maps with a time axis, each against its equation written out with three axes."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import nn
from torch.nn import functional as nnF

import camwidget as cw
from camwidget.analysis.human_attention import compare_marks, marks_table
from camwidget.errors import (
    CamwidgetError,
    CamwidgetWarning,
    LayerError,
    MethodError,
    MetricError,
    ModelError,
    PictureError,
)
from camwidget.images.film_strip import frame_numbers
from camwidget.models.input_channels import default_preprocess

FRAMES, SIDE = 6, 16


class Net(nn.Module):
    """A small network of three-dimensional convolutions; ``body`` has maps (N, 8, 3, 8, 8)."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv3d(3, 6, 3, padding=1), nn.ReLU())
        self.body = nn.Sequential(nn.Conv3d(6, 8, 3, stride=2, padding=1), nn.ReLU())
        self.fc = nn.Linear(8, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.ndim == 5  # a clip, and nothing else
        logits: torch.Tensor = self.fc(self.body(self.stem(x)).mean((2, 3, 4)))
        return logits


NET = Net().eval()
MODEL = cw.wrap(
    NET, cw.Preprocess(SIDE, mean=[0.5] * 3, std=[0.25] * 3, frames=FRAMES), ["a", "b", "c"]
)
PIXELS = torch.rand((3, FRAMES, SIDE, SIDE), generator=torch.Generator().manual_seed(3))
INPUT = ((PIXELS - 0.5) / 0.25)[None]
TARGET = 1


def features() -> tuple[torch.Tensor, torch.Tensor]:
    """Maps (K, t, h, w) of ``body``, and the gradient of the logit there."""
    with torch.enable_grad():
        maps = NET.body(NET.stem(INPUT))
        score = NET.fc(maps.mean((2, 3, 4)))[0, TARGET]
        (gradient,) = torch.autograd.grad(score, maps)
    return maps[0].detach(), gradient[0]


def volume(weights: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """``Σ_k w_k A^k`` over (t, h, w)."""
    return (weights[:, None, None, None] * maps).sum(0)


def logits(inputs: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = NET(inputs)
    return found


def trilinear(maps: torch.Tensor) -> torch.Tensor:
    """Maps (K, t, h, w) at the clip's size."""
    size = (FRAMES, SIDE, SIDE)
    return nnF.interpolate(maps[:, None], size, mode="trilinear", align_corners=False)[:, 0]


def cam() -> torch.Tensor:
    return volume(NET.fc.weight[TARGET].detach(), features()[0])


def gradcam() -> torch.Tensor:
    maps, gradient = features()
    return volume(gradient.mean((1, 2, 3)), maps).relu()


def gradcam_plus_plus() -> torch.Tensor:
    """Eqs. 5 and 19 of Chattopadhyay et al. 2018 with sums over (i, j, k), as its section 6.2 on clips."""
    maps, gradient = (x.double() for x in features())
    sums = maps.sum((1, 2, 3), keepdim=True)
    alpha = gradient**2 / (2 * gradient**2 + sums * gradient**3)
    return volume((alpha * gradient.relu()).nan_to_num(0).sum((1, 2, 3)), maps).relu()


def layercam() -> torch.Tensor:
    maps, gradient = features()
    return (gradient.relu() * maps).sum(0).relu()


def hirescam() -> torch.Tensor:
    maps, gradient = features()
    return (gradient * maps).sum(0)


def xgradcam() -> torch.Tensor:
    maps, gradient = features()
    weights = [
        float((m * g).sum() / m.sum()) if m.any() else 0.0
        for m, g in zip(maps, gradient, strict=True)
    ]
    return volume(torch.tensor(weights), maps).relu()


def eigencam() -> torch.Tensor:
    maps = features()[0]
    _, _, right = torch.linalg.svd(maps.flatten(1).T)
    projected = (maps.flatten(1).T @ right[0]).reshape(maps.shape[1:])
    return projected * (1 if projected.sum() > 0 else -1)


def finercam() -> torch.Tensor:
    maps, _ = features()
    weight = NET.fc.weight.detach()
    others = [n for n in range(3) if n != TARGET]
    return volume(weight[TARGET] - weight[others].mean(0), maps).relu() / maps[0].numel()


def scorecam() -> torch.Tensor:
    maps = features()[0]
    gains = []
    for mask in trilinear(maps):
        span = mask.max() - mask.min()
        unit = (mask - mask.min()) / span if span > 0 else torch.zeros_like(mask)
        gains.append((logits(INPUT * unit) - logits(INPUT * 0))[0, TARGET])
    return volume(torch.stack(gains).softmax(0), maps).relu()


def ablationcam() -> torch.Tensor:
    maps = features()[0]
    score = NET.fc(maps.mean((1, 2, 3)))[TARGET].detach()
    weights = []
    for channel in range(len(maps)):
        rest = maps.clone()
        rest[channel] = 0
        weights.append((score - NET.fc(rest.mean((1, 2, 3)))[TARGET].detach()) / score.abs())
    return volume(torch.stack(weights), maps).relu()


def input_gradient(inputs: torch.Tensor = INPUT) -> torch.Tensor:
    with torch.enable_grad():
        leaf = inputs.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(NET(leaf)[0, TARGET], leaf)
    return gradient[0]


def saliency() -> torch.Tensor:
    return input_gradient().abs().amax(0)


def occlusion() -> torch.Tensor:
    """Squares of 8 × 8 pixels, in one frame each: a seventh of six, rounded up to one."""
    blocks = [(t, y, x) for t in range(FRAMES) for y in (0, 4, 8) for x in (0, 4, 8)]
    batch = INPUT.repeat(len(blocks), 1, 1, 1, 1)
    for row, (t, y, x) in enumerate(blocks):
        batch[row, :, t, y : y + 8, x : x + 8] = 0
    drops = logits(INPUT)[0, TARGET] - logits(batch)[:, TARGET]
    total, count = torch.zeros(2, FRAMES, SIDE, SIDE)
    for (t, y, x), drop in zip(blocks, drops, strict=True):
        total[t, y : y + 8, x : x + 8] += drop
        count[t, y : y + 8, x : x + 8] += 1
    return total / count


EQUATIONS: dict[str, Callable[[], torch.Tensor]] = {
    "cam": cam,
    "gradcam": gradcam,
    "gradcam++": gradcam_plus_plus,
    "layercam": layercam,
    "hirescam": hirescam,
    "xgradcam": xgradcam,
    "eigencam": eigencam,
    "finercam": finercam,
    "scorecam": scorecam,
    "ablationcam": ablationcam,
    "saliency": saliency,
    "occlusion": occlusion,
}


@pytest.mark.parametrize("name", EQUATIONS)
def test_maps_of_clips_follow_their_equations(name: str) -> None:
    method = cw.get_method(name, window=8, stride=4) if name == "occlusion" else name
    found = cw.explain(MODEL, PIXELS, TARGET, method)
    expected = EQUATIONS[name]().float()
    assert found.raw.shape == tuple(expected.shape)
    scale = float(expected.abs().max())
    assert scale > 0
    torch.testing.assert_close(torch.tensor(found.raw), expected, rtol=1e-4, atol=1e-4 * scale)
    large = trilinear(expected.relu()[None])[0]
    torch.testing.assert_close(
        torch.tensor(found.saliency), large / large.max(), rtol=1e-3, atol=1e-3
    )


def test_guided_gradcam_multiplies_by_the_map_enlarged_in_space_and_time() -> None:
    fine = torch.tensor(cw.explain(MODEL, PIXELS, TARGET, "guided-backprop").raw)
    found = torch.tensor(cw.explain(MODEL, PIXELS, TARGET, "guided-gradcam").raw)
    torch.testing.assert_close(found, fine * trilinear(gradcam()[None])[0], rtol=1e-3, atol=1e-7)


def test_integrated_gradients_add_up_to_the_difference_of_the_scores() -> None:
    found = cw.explain(MODEL, PIXELS, TARGET, cw.get_method("integrated-gradients", steps=256))
    black = (torch.zeros_like(INPUT) - 0.5) / 0.25
    expected = float((logits(INPUT) - logits(black))[0, TARGET])
    assert float(found.raw.sum()) == pytest.approx(expected, rel=0.02)


def test_masks_of_rise_are_random_in_time_too() -> None:
    """Only the third frame counts: RISE finds it."""

    class OneFrame(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv3d(3, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            middle = self.conv(x)[:, :, 2].mean((1, 2, 3))
            return torch.stack([x[:, :, 2].mean((1, 2, 3)) + 0 * middle, 0 * middle], 1)

    model = cw.wrap(OneFrame(), cw.Preprocess(16, frames=FRAMES), layers=[])
    method = cw.get_method("rise", masks=400, cells=6)
    raw = cw.explain(model, torch.ones(3, FRAMES, 16, 16), 0, method).raw
    assert raw.shape == (FRAMES, 16, 16)
    assert raw.mean((1, 2)).argmax() == 2


def test_every_method_is_right_for_clips_or_says_why_not() -> None:
    also = {"random", "rise", "smoothgrad", "guided-backprop", "deconvnet", "guided-gradcam"}
    also |= {"integrated-gradients", "deep-feature-factorization"}
    for method in cw.list_methods():
        reason = method.reason(MODEL, "body")
        if method.name in EQUATIONS or method.name in also:
            assert reason is None, method.name
        else:
            assert reason is not None and "takes clips" in reason and "Use '" in reason, method.name


def test_rectifiers_of_clips_have_the_rules_of_guided_backprop_and_deconvnet() -> None:
    def modified(rule: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> torch.Tensor:
        first = NET.stem[0](INPUT)
        second = NET.body[0](first.relu())
        at_second = NET.fc.weight[TARGET].reshape(1, -1, 1, 1, 1) / second[0, 0].numel()
        back = torch.nn.grad.conv3d_input
        weight = NET.body[0].weight
        middle = back(first.shape, weight, rule(at_second.expand_as(second), second), 2, 1)
        found = back(INPUT.shape, NET.stem[0].weight, rule(middle, first), 1, 1)
        return found[0].abs().amax(0).detach()

    rules: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
        "guided-backprop": lambda g, x: g.relu() * (x > 0),
        "deconvnet": lambda g, x: g.relu(),
    }
    for name, rule in rules.items():
        found = torch.tensor(cw.explain(MODEL, PIXELS, TARGET, name).raw)
        torch.testing.assert_close(found, modified(rule), rtol=1e-3, atol=1e-7)


def test_maps_of_clips_of_another_height_and_width_have_their_own_frames() -> None:
    larger = torch.rand((3, FRAMES, 24, 20), generator=torch.Generator().manual_seed(4))
    found = cw.explain(MODEL, larger, TARGET, "layercam")
    with torch.enable_grad():
        maps = NET.body(NET.stem(((larger - 0.5) / 0.25)[None]))
        (gradient,) = torch.autograd.grad(NET.fc(maps.mean((2, 3, 4)))[0, TARGET], maps)
    expected = (gradient.relu() * maps)[0].sum(0).relu().detach()
    assert found.raw.shape == (3, 12, 10)
    torch.testing.assert_close(torch.tensor(found.raw), expected, rtol=1e-4, atol=1e-8)
    large = nnF.interpolate(expected[None, None], (FRAMES, 24, 20), mode="trilinear")[0, 0]
    torch.testing.assert_close(torch.tensor(found.saliency), large / large.max())


# -- the model ---------------------------------------------------------------------------------


def test_a_clip_model_is_recognized_by_its_convolutions() -> None:
    assert default_preprocess(NET).size == (112, 112)
    model = cw.wrap(NET, cw.Preprocess(SIDE), classes=["a", "b", "c"])
    assert (model.frames, model.preprocess.size) == (16, (SIDE, SIDE))
    assert MODEL.default_layer == "body"
    shapes = {x.name: (x.shape, x.frames) for x in MODEL.layers}
    assert shapes["stem"] == ((6, 96, 16), 6) and shapes["body"] == ((8, 24, 8), 3)
    assert str(MODEL.layer("body")) == "body · 8×8 in 3 frames"


def test_a_model_without_such_convolutions_is_declared() -> None:
    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.fc(x.mean((2, 3, 4)))
            return found

    model = cw.wrap(Mean(), cw.Preprocess(16), kind="video", layers=[])
    assert model.frames == 16
    assert cw.explain(model, torch.rand(3, 16, 16, 16), 0, "saliency").saliency.shape[0] == 16


def test_a_number_of_frames_that_was_not_given_is_warned_of() -> None:
    with pytest.warns(CamwidgetWarning, match=r"clips of 16 frames.*frames=…"):
        model = cw.wrap(NET, cw.Preprocess(SIDE))
    assert model.frames == 16
    with warnings.catch_warnings():
        warnings.simplefilter("error", CamwidgetWarning)
        cw.wrap(NET, MODEL.preprocess)


def test_a_reshape_that_removes_the_time_axis_gets_another_remedy_than_itself() -> None:
    for ready in (MODEL.preprocess, cw.Preprocess(SIDE)):
        with pytest.raises(LayerError, match="leave it out"):
            cw.wrap(NET, ready, reshape=lambda t: t.mean(2))
    with pytest.raises(LayerError, match="no layer 'bodi'"):
        cw.wrap(NET, MODEL.preprocess, layers=["bodi"])


def test_windows_in_time_have_their_channels_last() -> None:
    class Last(Net):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Linear(8, 12)
            self.fc = nn.Linear(12, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            maps = self.mix(self.body(self.stem(x)).movedim(1, -1))
            found: torch.Tensor = self.fc(maps.mean((1, 2, 3)))
            return found

    module = Last().eval()
    model = cw.wrap(module, MODEL.preprocess, ["a", "b", "c"])
    assert model.layer("mix").shape == (12, 24, 8)
    maps = module.mix(module.body(module.stem(INPUT)).movedim(1, -1))[0].movedim(-1, 0).detach()
    weight = module.fc.weight[TARGET].detach()
    for name, weights in (("gradcam", weight), ("ablationcam", weight * maps.mean((1, 2, 3)))):
        expected = volume(weights, maps).relu()
        raw = torch.tensor(cw.explain(model, PIXELS, TARGET, name, "mix").raw)
        torch.testing.assert_close(raw / raw.max(), expected / expected.max())


def test_as_many_channels_as_frames_are_read_as_reshape_says() -> None:
    """(N, C, t, h, w) and (N, t, C, h, w) have one shape then: neither is guessed if frames may be computed."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv3d(3, FRAMES, 3, padding=1),
        nn.Conv3d(FRAMES, 8, 3, stride=2, padding=1),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(8, 3),
    ).eval()
    certain = cw.wrap(module, MODEL.preprocess, ["a", "b", "c"])
    also = nn.Sequential(*module)
    also.unused = nn.Conv2d(3, 3, 1)
    also.forward = module.forward  # type: ignore[method-assign]
    open_model = cw.wrap(also, MODEL.preprocess, ["a", "b", "c"])
    with pytest.raises(LayerError, match=r"'0' has no map.*reshape=lambda t: t to wrap"):
        cw.explain(open_model, PIXELS, TARGET, layer="0")
    assert open_model.default_layer == "1"
    told = cw.wrap(also, MODEL.preprocess, ["a", "b", "c"], reshape=lambda t: t)
    with torch.enable_grad():
        leaf = module[0](INPUT).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(module[1:](leaf)[0, TARGET], leaf)
    expected = (gradient.relu() * leaf.detach())[0].sum(0).relu()
    for model in (certain, told):
        assert model.layer("0").shape == (FRAMES, FRAMES * SIDE, SIDE)
        raw = torch.tensor(cw.explain(model, PIXELS, TARGET, "layercam", "0").raw)
        torch.testing.assert_close(raw, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("channels", [4, FRAMES, 8])
def test_frames_before_channels_are_no_map(channels: int) -> None:
    """A block of two-dimensional convolutions gives (N, t, C, h, w), which is not read as (N, C, t, h, w)."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, channels, 3, stride=2, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.conv(x.movedim(1, 2).flatten(0, 1)).relu()
            return y.unflatten(0, (len(x), -1))

    class FrameByFrame(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.block = Block()
            self.fc = nn.Linear(channels, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.fc(self.block(x).mean((1, 3, 4)))
            return found

    module, ready = FrameByFrame().eval(), cw.Preprocess(SIDE, frames=FRAMES)
    with pytest.raises(LayerError, match=r"No layer.*reshape=lambda t: t\.transpose\(1, 2\)"):
        cw.wrap(module, ready, ["a", "b", "c"])
    model = cw.wrap(module, ready, ["a", "b", "c"], reshape=lambda t: t.transpose(1, 2))
    maps = module.block(PIXELS[None])[0].transpose(0, 1).detach()
    expected = volume(module.fc.weight[TARGET].detach(), maps).relu()
    raw = torch.tensor(cw.explain(model, PIXELS, TARGET, "gradcam", "block").raw)
    torch.testing.assert_close(raw / raw.max(), expected / expected.max(), rtol=1e-4, atol=1e-6)


def test_frames_one_by_one_in_the_batch_are_not_ablated() -> None:
    """Of a layer that gives (N·T, C, h, w), the first row is the first frame and not the first clip."""

    class Frames(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv = nn.Sequential(nn.Conv2d(3, 5, 3, stride=2, padding=1), nn.ReLU())
            self.fc = nn.Linear(5, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            rows = self.conv(x.movedim(1, 2).flatten(0, 1)).mean((2, 3))
            found: torch.Tensor = self.fc(rows.unflatten(0, (len(x), -1)).mean(1))
            return found

    def in_time(t: torch.Tensor) -> torch.Tensor:
        return t.unflatten(0, (-1, FRAMES)).transpose(1, 2)

    module, ready = Frames().eval(), cw.Preprocess(SIDE, frames=FRAMES)
    model = cw.wrap(module, ready, ["a", "b", "c"], reshape=in_time)
    with pytest.raises(
        MethodError, match="Ablation-CAM changes.*'conv' gives 6 rows for 1.*Use 'scorecam'"
    ):
        cw.explain(model, PIXELS, TARGET, "ablationcam", "conv")
    maps = module.conv(PIXELS.movedim(0, 1)).transpose(0, 1).detach()
    expected = volume(module.fc.weight[TARGET].detach(), maps).relu()
    raw = torch.tensor(cw.explain(model, PIXELS, TARGET, "gradcam", "conv").raw)
    torch.testing.assert_close(raw / raw.max(), expected / expected.max(), rtol=1e-4, atol=1e-6)


@pytest.mark.full
def test_a_video_model_of_torchvision() -> None:
    torch.manual_seed(0)
    module = torchvision.models.video.r3d_18(weights=None, num_classes=3).eval()
    model = cw.wrap(module, cw.Preprocess(32, frames=4), ["a", "b", "c"])
    assert [x.name for x in model.layers] == ["stem", "layer1", "layer2", "layer3", "layer4"]
    assert model.gap_head is not None and model.gap_head.layer == "layer4"
    pixels = torch.rand((3, 4, 32, 32), generator=torch.Generator().manual_seed(0))
    found = cw.explain(model, pixels, 2, "gradcam", "layer3")
    with torch.enable_grad():
        maps = module.layer3(module.layer2(module.layer1(module.stem(pixels[None]))))
        score = module.fc(module.layer4(maps).mean((2, 3, 4)))[0, 2]
        (gradient,) = torch.autograd.grad(score, maps)
    expected = volume(gradient[0].mean((1, 2, 3)), maps[0].detach()).relu()
    torch.testing.assert_close(torch.tensor(found.raw), expected, rtol=1e-4, atol=1e-7)
    assert found.saliency.shape == (4, 32, 32)


@pytest.mark.full
def test_torchvisions_video_models_load_by_name() -> None:
    model = cw.load("r3d_18", pretrained=False, device="cpu")
    assert (model.frames, model.preprocess.size, len(model.classes)) == (16, (112, 112), 400)
    assert model.classes[0] == "abseiling"


def test_the_model_is_left_as_it_was() -> None:
    before = {n: t.clone() for n, t in NET.state_dict().items()}
    cw.explain(MODEL, PIXELS, TARGET, ["gradcam", "scorecam", "saliency"])
    assert all(torch.equal(t, before[n]) for n, t in NET.state_dict().items())
    assert all(p.grad is None for p in NET.parameters())


# -- reading clips -------------------------------------------------------------------------------


def clip_array(count: int = 9) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (count, 20, 24, 3), dtype=np.uint8)
    return np.asarray(noise)


def test_frames_are_taken_at_even_distances() -> None:
    assert frame_numbers(12, 6) == [1, 3, 5, 7, 9, 11]
    assert frame_numbers(6, 6) == list(range(6))
    assert frame_numbers(2, 4) == [0, 0, 1, 1]
    assert frame_numbers(1, 3) == [0, 0, 0]
    array = clip_array(12)
    pixels = MODEL.pixels(array)[0].unflatten(-2, (FRAMES, -1))
    still = cw.Preprocess(SIDE)
    for frame, number in enumerate(frame_numbers(12, FRAMES)):
        assert torch.equal(pixels[:, frame], still.pixels(array[number]))


def test_the_same_clip_in_every_form(tmp_path: Path) -> None:
    array = clip_array()
    expected = MODEL.pixels(array)
    frames = [Image.fromarray(frame) for frame in array]
    folder = tmp_path / "clip"
    folder.mkdir()
    for number, frame in enumerate(frames):
        frame.save(folder / f"frame{number + 5}.png")  # 9 comes before 10
    animated = tmp_path / "clip.png"
    frames[0].save(animated, save_all=True, append_images=frames[1:])
    forms = [
        list(array),
        frames,
        sorted(folder.iterdir(), key=lambda p: int(p.stem[5:])),
        folder,
        str(folder),
        animated,
        animated.read_bytes(),
        Image.open(animated),
        torch.from_numpy(array).permute(3, 0, 1, 2),
    ]
    for form in forms:
        assert torch.equal(MODEL.pixels(form), expected), type(form)
    several = [array, folder, animated, tmp_path / "clip"]
    assert torch.equal(MODEL.pixels(several), expected.repeat(4, 1, 1, 1))
    other = tmp_path / "other"
    other.mkdir()
    frames[0].save(other / "0.png")
    animated.unlink()
    assert MODEL.pixels(torch.rand(2, 3, FRAMES, SIDE, SIDE)).shape == (2, 3, 96, SIDE)
    named = cw.explain(MODEL, [folder, other], TARGET)
    assert len(named) == 2


def test_an_animated_gif_is_a_clip(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), (40 * n, 0, 0)) for n in range(6)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=50)
    pixels = MODEL.pixels(tmp_path / "a.gif")[0, 0].unflatten(0, (FRAMES, -1)).mean((1, 2))
    torch.testing.assert_close(pixels, torch.arange(6) * 40 / 255, atol=0.02, rtol=0)


def test_what_is_no_clip_is_refused_with_the_remedy(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(64))
    with pytest.raises(PictureError, match="no frame"):
        MODEL.pixels(empty)
    with pytest.raises(PictureError, match=r"no animated file .* an array \(T, H, W, 3\)"):
        MODEL.pixels(tmp_path / "film.mp4")
    with pytest.raises(PictureError, match="no file"):
        MODEL.pixels(tmp_path / "missing.gif")
    with pytest.raises(PictureError, match=r"tensor \(C, 6, H, W\)"):
        MODEL.pixels(torch.rand(3, 5, SIDE, SIDE + 1))
    with pytest.raises(PictureError, match="the list is empty"):
        cw.explain(MODEL, [])
    with pytest.raises(PictureError, match=r"not int"):
        MODEL.pixels(3)
    with pytest.raises(ModelError, match="at least 2 frames"):
        cw.Preprocess(16, frames=1)


def test_a_picture_is_not_taken_for_a_strip() -> None:
    for shape in ((3, SIDE * FRAMES // 2, SIDE), (3, 48, 48), (2, 3, 48, 48), (3, 5, 48, 48)):
        with pytest.raises(PictureError, match=rf"\(C, {FRAMES}, H, W\)"):
            cw.explain(MODEL, torch.rand(shape))
    with pytest.raises(PictureError, match=r"torch\.stack\(\[picture\] \* 6, 1\)"):
        cw.explain(MODEL, torch.rand(3, 48, 48))
    still = torch.stack([torch.rand(3, SIDE, SIDE)] * FRAMES, 1)
    assert cw.explain(MODEL, still).saliency.shape == (FRAMES, SIDE, SIDE)


def test_each_strip_of_a_batch_is_explained() -> None:
    other = PIXELS.flip(1)
    strips = torch.stack([PIXELS, other]).flatten(2, 3)
    assert torch.equal(MODEL.pixels(strips), strips)
    assert torch.equal(MODEL.pixels(list(strips)), strips)
    three = torch.stack([*strips, strips[0]])  # as many as channels
    np.testing.assert_allclose(
        cw.probabilities(MODEL, three), MODEL.probabilities(MODEL.logits(three)), rtol=1e-5
    )
    found = cw.explain(MODEL, strips, TARGET)
    assert len(found) == 2
    for one, clip in zip(found, (PIXELS, other), strict=True):
        np.testing.assert_allclose(one.raw, cw.explain(MODEL, clip, TARGET).raw, rtol=1e-4)


# -- masks, curves and metrics -------------------------------------------------------------------


def test_a_fraction_is_one_of_the_whole_clip() -> None:
    explanation = cw.explain(MODEL, PIXELS, TARGET)
    mask = explanation.mask(0.1)
    assert mask.shape == (FRAMES, SIDE, SIDE)
    flat = explanation.saliency.ravel()
    order = np.argsort(-flat, kind="stable")[: mask.sum()]
    assert set(order) == set(np.flatnonzero(mask.ravel()))
    assert mask.mean() == pytest.approx(0.1, abs=1 / mask.size)


def test_the_mask_curve_hides_pixels_of_all_frames() -> None:
    explanation = cw.explain(MODEL, PIXELS, TARGET)
    curve = cw.mask_curve(MODEL, PIXELS, explanation, baseline="black", steps=5)
    for fraction, found in zip(curve.fraction, curve.probability, strict=True):
        visible = torch.from_numpy(~explanation.mask(float(fraction)))
        expected = logits((PIXELS * visible - 0.5)[None] / 0.25).softmax(1)[0, TARGET]
        assert found == pytest.approx(float(expected), abs=1e-5)
    by_map = cw.mask_curve(MODEL, PIXELS, explanation.saliency, "b", baseline="black", steps=5)
    np.testing.assert_array_equal(by_map.probability, curve.probability)
    with pytest.raises(PictureError, match="saliency is"):
        cw.mask_curve(MODEL, PIXELS, explanation.saliency[:3])


def test_frames_are_blurred_one_by_one() -> None:
    pixels = torch.zeros(3, FRAMES, SIDE, SIDE)
    pixels[:, 3:5] = 1
    hidden = np.ones((FRAMES, SIDE, SIDE), bool)
    blurred = cw.mask_picture(MODEL, pixels, hidden, baseline="blur")
    assert torch.equal(blurred.unflatten(-2, (FRAMES, -1)), pixels)
    mean = cw.mask_picture(MODEL, pixels, hidden, baseline="mean")
    assert float(mean.min()) == float(mean.max()) == pytest.approx(1 / 3)


def test_metrics_count_the_pixels_of_all_frames() -> None:
    explanation = cw.explain(MODEL, PIXELS, TARGET)
    mask = np.zeros((FRAMES, SIDE, SIDE), bool)
    mask[2:4, 4:10, 4:12] = True
    scores = cw.measure(MODEL, PIXELS, explanation, ["energy", "drop", "deletion"], mask=mask)
    inside = explanation.saliency[mask].sum() / explanation.saliency.sum()
    assert scores["energy"].value == pytest.approx(inside, rel=1e-4)
    whole = logits(INPUT).softmax(1)[0, TARGET]
    left = (PIXELS * torch.tensor(explanation.saliency) - 0.5)[None] / 0.25
    drop = (whole - logits(left).softmax(1)[0, TARGET]).clamp(min=0) / whole
    assert scores["drop"].value == pytest.approx(float(drop), abs=1e-5)
    for name in ("iou", "pointing", "road", "localization"):
        with pytest.raises(MetricError, match="not defined for clips"):
            cw.measure(MODEL, PIXELS, explanation, name, mask=mask)


def test_masks_of_clips_that_are_not_square() -> None:
    wide = cw.wrap(
        NET, cw.Preprocess((12, SIDE), mean=[0.5] * 3, std=[0.25] * 3, frames=FRAMES), list("abc")
    )
    pixels = PIXELS[:, :, 2:14]
    explanation = cw.explain(wide, pixels, TARGET)
    mask = np.zeros((FRAMES, 12, SIDE), bool)
    mask[2, 4:10, 13:] = True
    score = cw.measure(wide, pixels, explanation, "energy", mask=mask)["energy"]
    inside = explanation.saliency[mask].sum() / explanation.saliency.sum()
    assert score.value == pytest.approx(inside, rel=1e-4)


def test_metrics_that_recompute_maps_of_clips() -> None:
    explanation = cw.explain(MODEL, PIXELS, TARGET)
    scores = cw.measure(MODEL, PIXELS, explanation, ["max-sensitivity", "random-logit"])
    assert all(math.isfinite(s.value) for s in scores.values())


def test_functions_of_pictures_say_that_they_take_no_clips() -> None:
    with pytest.raises(ModelError, match=r"visualize works on pictures.*takes clips of 6 frames"):
        cw.visualize(MODEL, "a")
    with pytest.raises(CamwidgetError, match="Saliency has shape"):
        cw.localize(cw.explain(MODEL, PIXELS, TARGET))


@pytest.mark.parametrize("shape", [(3, 2 * SIDE, SIDE), (SIDE, FRAMES, SIDE)])
def test_maps_and_masks_have_the_clips_own_frames(shape: tuple[int, int, int]) -> None:
    """As many values in another order of axes are not the clip's."""
    explanation = cw.explain(MODEL, PIXELS, TARGET)
    hidden, saliency = np.ones(shape, bool), np.ones(shape, np.float32)
    says = re.escape(f"{(FRAMES, SIDE, SIDE)}")
    refused: list[Callable[[], object]] = [
        lambda: cw.mask_picture(MODEL, PIXELS, hidden),
        lambda: cw.mask_picture(MODEL, PIXELS, by=saliency),
        lambda: cw.mask_picture(MODEL, PIXELS, by=saliency, mode="multiply"),
        lambda: cw.mask_curve(MODEL, PIXELS, saliency, "b"),
        lambda: cw.mask_curve(MODEL, PIXELS, explanation, paint=hidden),
        lambda: cw.confidence_change(MODEL, PIXELS, saliency, "b", change="remove"),
        lambda: cw.confidence_change(MODEL, PIXELS, saliency, "b", change="multiply"),
        lambda: cw.measure(MODEL, PIXELS, explanation, "energy", mask=hidden),
    ]
    for call in refused:
        with pytest.raises(PictureError, match=says):
            call()


def test_maps_and_masks_of_pictures_have_no_time_axis() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    model, picture = cw.wrap(module.eval(), cw.Preprocess(SIDE)), torch.rand(3, SIDE, SIDE)
    for shape in ((2, SIDE // 2, SIDE), (1, SIDE, SIDE)):
        with pytest.raises(PictureError, match="painted mask has the shape"):
            cw.mask_picture(model, picture, np.ones(shape, bool))
        with pytest.raises(PictureError, match="saliency is"):
            cw.mask_curve(model, picture, np.ones(shape, np.float32), 0)


def test_marks_are_not_compared_with_maps_of_clips() -> None:
    found = cw.explain(MODEL, PIXELS, TARGET)
    marks = np.eye(SIDE, dtype=bool)
    with pytest.raises(PictureError, match="Of a clip compare one frame"):
        marks_table(marks, [found])
    with pytest.raises(PictureError, match=r"the shape \(16,\)"):
        marks_table(marks, [], truth=marks[0])
    assert list(compare_marks(marks, {"first": found.saliency[0]})) == ["first"]


# -- what is drawn -------------------------------------------------------------------------------


def test_frames_are_drawn_in_rows(tmp_path: Path) -> None:
    explanation = cw.explain(MODEL, PIXELS, TARGET)
    assert explanation.pixels.shape == (FRAMES, SIDE, SIDE, 3)
    assert explanation.overlay().size == (3 * SIDE, 2 * SIDE)
    shown = np.asarray(explanation.overlay(opacity=0))
    np.testing.assert_array_equal(shown[SIDE:, :SIDE], explanation.pixels[3])
    assert len(explanation.plot().axes) == 3
    explanation.save(tmp_path / "map")
    assert np.load(tmp_path / "map.npy").shape == (FRAMES, SIDE, SIDE)


def test_a_long_series_with_folded_normalization_gives_the_same_map() -> None:
    """From 64 passes on, a copy without batch normalization runs."""
    torch.manual_seed(1)
    body = nn.Sequential(nn.Conv3d(3, 72, 3, padding=1), nn.BatchNorm3d(72), nn.ReLU())
    for values in body[1].parameters():
        nn.init.normal_(values)
    module = nn.Sequential(body, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(72, 3)).eval()
    model = cw.wrap(module, cw.Preprocess(8, frames=4), ["a", "b", "c"])
    pixels = torch.rand((3, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    maps = body(pixels[None])[0].detach()
    with torch.no_grad():
        empty = module(torch.zeros(1, 3, 4, 8, 8))[0, TARGET]
        low, high = maps.amin((1, 2, 3), keepdim=True), maps.amax((1, 2, 3), keepdim=True)
        unit = (maps - low) / (high - low).clamp(min=1e-20)
        gains = module(pixels * unit[:, None])[:, TARGET] - empty
    gains[(high == low).flatten()] = 0
    expected = volume(gains.softmax(0), maps).relu()
    found = torch.tensor(cw.explain(model, pixels, TARGET, "scorecam", "0").raw)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
