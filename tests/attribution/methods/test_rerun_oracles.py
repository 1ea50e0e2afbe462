"""Score-CAM, Ablation-CAM, occlusion and RISE, compared with their equations and independent implementations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from module_fingerprint import has_hooks
from oracles import Rectified, agree, computed, correlation, plain
from torch import nn

import camwidget as cw
from camwidget.attribution import batched_inference
from camwidget.attribution.methods import get_method
from camwidget.attribution.targets import resolve_target
from camwidget.attribution.trace import Trace
from camwidget.errors import MethodError, ModelError

#: In the quick lane the smallest.
NETS = [
    pytest.param("resnet18", marks=pytest.mark.full),
    pytest.param("vgg11", marks=pytest.mark.full),
    "squeezenet1_1",
]


@pytest.fixture(scope="module")
def pixels(noise: torch.Tensor) -> torch.Tensor:
    return noise[None, :, :64, :64]


@pytest.fixture(scope="module")
def small() -> cw.VisionModel:
    return cw.wrap(Rectified().double(), plain())


@pytest.fixture(scope="module")
def few(noise: torch.Tensor) -> torch.Tensor:
    return noise[None, :, :24, :28].double()


# -- Score-CAM -------------------------------------------------------------------------------


def test_scorecam_equals_algorithm_1(small: cw.VisionModel, few: torch.Tensor) -> None:
    """Channel by channel, as Wang 2020 writes it down."""
    layer = small.default_layer
    activation = Trace(small, few, [layer]).activation(layer)[0]
    x = small.inputs(few)
    with torch.no_grad():
        base = small.module(torch.zeros_like(x))[0, 1]
        gains = []
        for maps in activation:
            up = nn.functional.interpolate(maps[None, None], size=(24, 28), mode="bilinear")[0, 0]
            flat = up.max() == up.min()
            unit = torch.zeros_like(up) if flat else (up - up.min()) / (up.max() - up.min())
            gains.append(small.module(x * unit)[0, 1] - base)
    alpha = torch.stack(gains).exp() / torch.stack(gains).exp().sum()
    expected = (alpha[:, None, None] * activation).sum(0).relu()
    agree(computed(small, few, "scorecam"), expected, 1e-9)


@pytest.mark.parametrize("name", NETS)
def test_scorecam_agrees_with_torchcam(
    random_model: Callable[..., cw.VisionModel], pixels: torch.Tensor, name: str
) -> None:
    """Torchcam scales each map to [0, 1] before upsampling, the paper after it: a small difference."""
    torchcam = pytest.importorskip("torchcam.methods", exc_type=ImportError)
    model = random_model(name)
    inputs = model.inputs(pixels)
    with torchcam.ScoreCAM(model.module, model.default_layer, input_shape=(3, 64, 64)) as oracle:
        with torch.inference_mode():
            model.module(inputs)
        (theirs,) = oracle(5, normalized=False)
    assert correlation(computed(model, pixels, "scorecam", 5)[0], theirs[0]) >= 0.999


def test_flat_channels_need_no_pass(few: torch.Tensor) -> None:
    module = Rectified().double()
    with torch.no_grad():
        module.second.weight[:5] = 0
        module.second.bias[:3] = -1.0  # zero everywhere
        module.second.bias[3:5] = 2.0  # the same everywhere, and not zero
    model = cw.wrap(module, plain())
    layer = "second"
    trace = Trace(model, few, [layer])
    steps = list(get_method("scorecam").steps(trace, resolve_target(model, 1), layer))
    assert steps[-1].total == 12 - 5 + 1
    slow = _scorecam_slowly(model, trace, layer)
    agree(steps[-1].maps[0], slow, 1e-9)


def _scorecam_slowly(model: cw.VisionModel, trace: Trace, layer: str) -> torch.Tensor:
    activation, x = trace.activation(layer)[0], model.inputs(trace.pixels)
    scores = []
    with torch.no_grad():
        for maps in activation:
            up = nn.functional.interpolate(maps[None, None], size=x.shape[-2:], mode="bilinear")
            span = up.max() - up.min()
            unit = (up - up.min()) / span if span > 0 else torch.zeros_like(up)
            scores.append(model.module(x * unit)[0, 1])
    return torch.einsum("khw,k->hw", activation, torch.stack(scores).softmax(0)).relu()


def test_another_class_asks_nothing_of_the_model(few: torch.Tensor) -> None:
    module = Rectified()
    model = cw.wrap(module, plain())
    layer = model.default_layer
    passes = 0

    def count(*_: object) -> None:
        nonlocal passes
        passes += 1

    module.register_forward_hook(count)
    for name in ("scorecam", "ablationcam", "occlusion", "rise"):
        method = get_method(name, masks=20) if name == "rise" else get_method(name)
        trace = Trace(model, few.float(), [layer])
        first = method.compute(trace, resolve_target(model, 0), layer)
        passes = 0
        second = method.compute(trace, resolve_target(model, 2), layer)
        assert passes == 0, name
        fresh = method.compute(Trace(model, few.float(), [layer]), resolve_target(model, 2), layer)
        torch.testing.assert_close(second, fresh)
        assert not torch.allclose(first, second), name


def test_what_was_canceled_goes_on_where_it_was(few: torch.Tensor) -> None:
    model = cw.wrap(Rectified(), plain())
    layer = model.default_layer
    target = resolve_target(model, 1)
    method = get_method("rise", masks=1000)
    trace = Trace(model, few.float(), [layer])
    first = next(iter(method.steps(trace, target, layer)))
    assert 0 < first.done < first.total == 1000
    again = next(iter(method.steps(trace, target, layer)))
    assert again.done == first.done
    torch.testing.assert_close(again.maps, first.maps)
    *_, last = method.steps(trace, target, layer)
    whole = method.compute(Trace(model, few.float(), [layer]), target, layer)
    torch.testing.assert_close(last.maps, whole)


def test_an_unfinished_scorecam_resembles_the_finished_one(textures: cw.VisionModel) -> None:
    from camwidget import zoo

    pixels = textures.pixels(zoo.samples("zoo/textures")[0].image)
    layer = textures.default_layer
    trace = Trace(textures, pixels, [layer])
    target = resolve_target(textures, int(trace.logits.argmax()))
    steps = list(get_method("scorecam").steps(trace, target, layer))
    half = next(s for s in steps if s.done >= s.total / 2)
    assert correlation(half.maps[0], steps[-1].maps[0]) > 0.9


# -- Ablation-CAM ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETS)
def test_ablationcam_equals_its_equation(
    random_model: Callable[..., cw.VisionModel], pixels: torch.Tensor, name: str
) -> None:
    """The whole net rerun with one channel at zero."""
    model = random_model(name, torch.float64)
    layer = model.default_layer
    activation = Trace(model, pixels, [layer]).activation(layer)[0]
    inputs = model.inputs(pixels)
    ours = computed(model, pixels, "ablationcam", 5)[0]
    channels = activation.abs().amax((1, 2)).argsort(descending=True)[:40].tolist()
    with torch.no_grad():
        whole = model.module(inputs)[0, 5]
        weights = torch.zeros(len(activation), dtype=torch.float64)
        for k in range(len(activation)) if len(activation) <= 64 else channels:

            def silence(_m: object, _a: object, output: torch.Tensor, k: int = k) -> torch.Tensor:
                output = output.clone()
                output[:, k] = 0
                return output

            handle = model.module.get_submodule(layer).register_forward_hook(silence)
            weights[k] = (whole - model.module(inputs)[0, 5]) / whole.abs()
            handle.remove()
    if len(activation) <= 64:
        agree(ours, torch.einsum("khw,k->hw", activation, weights).relu(), 1e-9)
        return
    # All channels would take minutes: our own answers for these ones must be theirs.
    mine = _ablation_weights(model, pixels, layer)
    torch.testing.assert_close(mine[channels], weights[channels])


def _ablation_weights(model: cw.VisionModel, pixels: torch.Tensor, layer: str) -> torch.Tensor:
    trace = Trace(model, pixels, [layer])
    get_method("ablationcam").compute(trace, resolve_target(model, 5), layer)
    ((_, answers),) = trace.memory.items()
    scores = answers.get()[:, 5]
    activation = trace.activation(layer)[0]
    order = activation.abs().amax((1, 2)).argsort(descending=True, stable=True)
    weights = torch.zeros(len(activation), dtype=scores.dtype)
    weights[order[: len(scores) - 1]] = (scores[0] - scores[1:]) / scores[0].abs()
    return weights


def test_ablationcam_agrees_with_pytorch_grad_cam(pixels: torch.Tensor) -> None:
    grad_cam = pytest.importorskip("pytorch_grad_cam", exc_type=ImportError)
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    module = nn.Sequential(
        nn.Conv2d(3, 12, 3, stride=2), nn.ReLU(), nn.Conv2d(12, 16, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 6),
    )  # fmt: skip
    torch.nn.init.constant_(
        module[-1].bias, 3.0
    )  # scores above zero, where the paper divides by them
    model = cw.wrap(module, plain())
    with grad_cam.AblationCAM(module, [module[3]]) as oracle:
        theirs = oracle(model.inputs(pixels), [ClassifierOutputTarget(1)])
    ours = computed(model, pixels, "ablationcam", layer="3")
    up = nn.functional.interpolate(ours[None], size=(64, 64), mode="bilinear")[0, 0]
    assert correlation(up, torch.from_numpy(theirs[0])) > 0.999


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("resnet18", "layer2.0.conv1"),
        ("densenet121", "features.denseblock4.denselayer16.conv2"),
        ("swin_t", None),
    ],
)
def test_ablationcam_where_branches_pass_the_layer_by(
    random_model: Callable[..., cw.VisionModel], name: str, layer: str | None, noise: torch.Tensor
) -> None:
    """What goes around the layer has one row while the layer has many: still each row's own answer."""
    model = random_model(name)
    pixels = noise[None] if name == "swin_t" else noise[None, :, :64, :64]
    layer = model.layer(layer).name
    trace = Trace(model, pixels, [layer])
    get_method("ablationcam").compute(trace, resolve_target(model, 5), layer)
    ((_, answers),) = trace.memory.items()
    rows = answers.get()
    activation = trace.activation(layer)[0]
    strongest = int(activation.abs().amax((1, 2)).argsort(descending=True, stable=True)[0])
    output = trace.output(layer).clone()
    maps = output if output.shape[1] == len(activation) else output.movedim(-1, 1)
    maps[:, strongest] = 0
    handle = model.module.get_submodule(layer).register_forward_hook(lambda *_: output)
    with torch.no_grad():
        expected = model.module(model.inputs(pixels))[0]
    handle.remove()
    torch.testing.assert_close(rows[0], trace.logits[0], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(rows[1], expected, rtol=1e-3, atol=1e-4)


# -- occlusion and RISE ----------------------------------------------------------------------


@pytest.mark.parametrize(("window", "stride"), [(8, 8), (9, 4), (24, 5)])
def test_occlusion_equals_captum(
    small: cw.VisionModel, few: torch.Tensor, window: int, stride: int
) -> None:
    captum = pytest.importorskip("captum.attr", exc_type=ImportError)
    oracle = captum.Occlusion(small.module)
    theirs = oracle.attribute(
        small.inputs(few), (3, window, window), strides=(3, stride, stride), target=1
    )
    ours = computed(small, few, get_method("occlusion", window=window, stride=stride))
    agree(ours, theirs[:, 0], 1e-6)  # captum answers in float32


def test_rise_equals_its_equation(small: cw.VisionModel, few: torch.Tensor) -> None:
    """Eq. 6 with masks made one by one: a coarse grid, upsampled, shifted by up to a cell."""
    count, cells, seed = 100, 5, 11  # more than are added up at once
    generator = torch.Generator().manual_seed(seed)
    grids = (torch.rand((count, 1, cells, cells), generator=generator) < 0.4).double()
    high, wide = -(-24 // cells), -(-28 // cells)
    down = torch.randint(high, (count,), generator=generator)
    right = torch.randint(wide, (count,), generator=generator)
    total = torch.zeros(24, 28, dtype=torch.float64)
    x = small.inputs(few)
    for grid, y, x0 in zip(grids, down.tolist(), right.tolist(), strict=True):
        size = ((cells + 1) * high, (cells + 1) * wide)
        mask = nn.functional.interpolate(grid[None], size=size, mode="bilinear")[0, 0]
        mask = mask[y : y + 24, x0 : x0 + 28]
        with torch.no_grad():
            total += small.module(x * mask).softmax(1)[0, 1] * mask
    settings = get_method("rise", masks=count, cells=cells, keep=0.4, seed=seed)
    agree(computed(small, few, settings), total / (0.4 * count), 1e-9)


def test_rise_and_occlusion_find_the_object(textures: cw.VisionModel) -> None:
    """The mean inside the true mask is well above the mean outside."""
    from camwidget import zoo

    samples = [s for s in zoo.samples("zoo/textures") if len(s.masks) == 1]
    sample = min(samples, key=lambda s: s.masks[0].mean())
    inside = sample.masks[0]
    assert inside.mean() < 0.6
    for method in (get_method("rise", masks=400), "occlusion"):
        values = cw.explain(textures, sample.image, sample.label, method).raw
        assert values[inside].mean() > values[~inside].mean() + 0.5 * values.std()


# -- all of them -----------------------------------------------------------------------------

SLOW = ["scorecam", "ablationcam", "occlusion", "rise", "integrated-gradients", "smoothgrad"]


def quick(name: str) -> cw.attribution.methods.Method:
    return get_method(name, masks=24) if name == "rise" else get_method(name)


@pytest.mark.parametrize("name", SLOW)
def test_a_batch_is_its_pictures_one_by_one(small: cw.VisionModel, name: str) -> None:
    pixels = torch.rand((3, 3, 20, 20), generator=torch.Generator().manual_seed(2)).double()
    together = computed(small, pixels, quick(name), 2)
    for number in range(3):
        alone = computed(small, pixels[number : number + 1], quick(name), 2)
        agree(together[number], alone[0], 1e-9)


@pytest.mark.parametrize("name", SLOW)
def test_each_picture_is_explained_for_its_own_class(small: cw.VisionModel, name: str) -> None:
    pixels = torch.rand((3, 3, 20, 20), generator=torch.Generator().manual_seed(5))
    predicted = cw.explain(small, pixels, method=quick(name), progress=lambda *_: None)
    for number, exp in enumerate(predicted):
        alone = cw.explain(small, pixels[number], exp.target.index, quick(name))
        np.testing.assert_allclose(exp.raw, alone.raw, rtol=1e-4, atol=1e-6)


def test_progress_is_told_and_may_cancel(small: cw.VisionModel, few: torch.Tensor) -> None:
    reports: list[tuple[int, int]] = []
    cw.explain(small, few[0].float(), method="occlusion", progress=lambda *p: reports.append(p))
    assert reports[-1][0] == reports[-1][1] > 1
    assert [d for d, _ in reports] == sorted({d for d, _ in reports})

    def enough(done: int, total: int) -> None:
        raise KeyboardInterrupt

    before = {n: p.clone() for n, p in small.module.state_dict().items()}
    with pytest.raises(KeyboardInterrupt):
        cw.explain(small, few[0].float(), method=get_method("rise", masks=3000), progress=enough)
    assert all(torch.equal(p, before[n]) for n, p in small.module.state_dict().items())
    assert not has_hooks(small.module)


def test_settings_that_are_none_are_refused() -> None:
    with pytest.raises(MethodError, match="masks, cells, keep, seed"):
        get_method("rise", mask=3)
    with pytest.raises(MethodError, match="has none"):
        get_method("gradcam", steps=3)
    model = cw.wrap(Rectified(), plain())
    with pytest.raises(MethodError, match="do not cover"):
        cw.explain(
            model,
            np.zeros((32, 32, 3), np.uint8),
            method=get_method("occlusion", window=4, stride=9),
        )


def test_running_out_of_memory_halves_the_batch(
    monkeypatch: pytest.MonkeyPatch, few: torch.Tensor
) -> None:
    """Simulated: more than three pictures at once do not fit."""
    module = Rectified()
    model = cw.wrap(module, plain())
    expected = computed(model, few.float(), "scorecam")
    forward, most = module.forward, 3
    sizes: list[int] = []

    def tight(x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        if len(x) > most:
            raise torch.OutOfMemoryError("CUDA out of memory (simulated)")
        return forward(x)

    monkeypatch.setattr(module, "forward", tight)
    torch.testing.assert_close(computed(model, few.float(), "scorecam"), expected)
    assert max(sizes) > most and sizes[-1] <= most
    most = 0
    with pytest.raises(ModelError, match="does not fit into the memory"):
        list(
            batched_inference.rerun(
                model, 4, lambda a, b: model.inputs(few.float().expand(b - a, -1, -1, -1))
            )
        )


def test_a_module_that_views_its_rows_is_run_row_by_row(few: torch.Tensor) -> None:
    """``view`` after a convolution fails on channels-last memory; such a module is run as it wants."""

    class Viewing(Rectified):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.second(self.first(x).relu()).relu()
            return self.head(x.view(len(x), -1).unflatten(1, (12, -1)).mean(2))

    usual, viewing = cw.wrap(Rectified(), plain()), cw.wrap(Viewing(), plain())
    maps = [computed(m, few.float(), "scorecam", layer="second") for m in (usual, viewing)]
    torch.testing.assert_close(*maps)
    assert not viewing.takes_channels_last


def test_what_a_folded_copy_finds_out_is_remembered_of_the_model(few: torch.Tensor) -> None:
    """A long series runs on a copy with folded normalizations; the next series has another copy."""
    refused: list[int] = []

    class Viewing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.norm(self.conv(x))
            if not x.is_contiguous():
                refused.append(len(x))
            return x.view(len(x), -1).unflatten(1, (4, -1)).mean(2)

    model = cw.wrap(Viewing().eval(), plain())
    for _ in range(2):
        gathered = batched_inference.gather_probabilities(
            model, 64, lambda a, b: model.inputs(few.float().expand(b - a, -1, -1, -1)), ""
        )
        assert len(gathered) == 64
    assert len(refused) == 1 and not model.takes_channels_last


@pytest.mark.parametrize("precision", ["bf16"])
def test_half_precision_gives_nearly_the_same_scorecam(
    textures: cw.VisionModel, precision: str
) -> None:
    from camwidget import zoo

    picture = zoo.samples("zoo/textures")[0].image
    exact = cw.explain(textures, picture, method="scorecam")
    half = cw.explain(textures, picture, method="scorecam", precision=precision)
    assert correlation(torch.from_numpy(exact.raw), torch.from_numpy(half.raw)) >= 0.999


WRONG_SETTINGS = [
    ("rise", {"masks": 0}), ("rise", {"masks": 2.5}), ("rise", {"cells": 0}), ("rise", {"keep": 0}),
    ("rise", {"keep": 2}), ("rise", {"keep": float("nan")}), ("rise", {"seed": -1}),
    ("integrated-gradients", {"steps": 0}), ("integrated-gradients", {"steps": "a"}),
    ("smoothgrad", {"samples": 0}), ("smoothgrad", {"noise": -1}), ("smoothgrad", {"noise": float("nan")}),
    ("smoothgrad", {"base": "gradcam"}), ("smoothgrad", {"base": get_method("rise")}),
    ("smoothgrad(gradcam)", {"samples": -3}), ("occlusion", {"window": 5.5}), ("occlusion", {"stride": 0}),
    ("finercam", {"references": -1}), ("finercam", {"strength": "a"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "settings"), WRONG_SETTINGS)
def test_settings_that_make_no_sense_are_refused_by_name(name: str, settings: dict) -> None:
    model = cw.wrap(Rectified(), plain())
    with pytest.raises(
        MethodError, match=next(iter(settings))[:5] + "|SmoothGrad averages|do not cover"
    ):
        cw.explain(model, np.zeros((32, 32, 3), np.uint8), 1, get_method(name, **settings))


@pytest.mark.parametrize("name", ["integrated-gradients", "smoothgrad", "ablationcam"])
def test_running_out_of_memory_halves_every_slow_methods_batch(
    monkeypatch: pytest.MonkeyPatch, few: torch.Tensor, name: str
) -> None:
    module = Rectified()
    model = cw.wrap(module, plain())
    expected = computed(model, few.float(), name)
    forward, head = module.forward, module.head.forward

    def tight(x: torch.Tensor) -> torch.Tensor:
        if len(x) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory (simulated)")
        return forward(x)

    def tight_head(x: torch.Tensor) -> torch.Tensor:
        if len(x) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory (simulated)")
        return head(x)

    monkeypatch.setattr(module, "forward", tight)
    monkeypatch.setattr(module.head, "forward", tight_head)
    torch.testing.assert_close(computed(model, few.float(), name), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (lambda t: t.clone(), lambda t: t.clone()),
        (lambda t: t[:, :, None], lambda t: t[:, :, 0]),
        (lambda t: t.permute(0, 2, 3, 1), lambda t: t.permute(0, 3, 1, 2)),
    ],
    ids=["N, C, H, W", "N, C, 1, H, W", "N, H, W, C"],
)
def test_ablation_finds_the_channels_of_a_layer_with_a_reshape(
    there: Callable[[torch.Tensor], torch.Tensor], back: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    class Laid(nn.Module):
        """A layer's output, laid out in another order of its dimensions."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return there(x)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(4)
            self.conv, self.laid, self.head = nn.Conv2d(3, 6, 3), Laid(), nn.Linear(6, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(back(self.laid(self.conv(x))).relu().mean((2, 3)))

    module, picture = Net().eval(), torch.rand(3, 12, 14)
    usual = cw.wrap(module, cw.Preprocess((12, 14)), layers=["conv"])
    laid = cw.wrap(module, cw.Preprocess((12, 14)), layers=["laid"], reshape=back)
    expected = cw.explain(usual, picture, 1, "ablationcam", "conv").raw
    found = cw.explain(laid, picture, 1, "ablationcam", "laid").raw
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
