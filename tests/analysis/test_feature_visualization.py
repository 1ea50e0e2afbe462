"""Feature visualization: the score rises, and everything else is left unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from module_fingerprint import fingerprint
from torch import nn

import camwidget as cw
from camwidget import zoo
from camwidget.analysis.feature_visualization.objective import Objective
from camwidget.analysis.feature_visualization.parameterization import (
    Regularizers,
    random_transform,
    total_variation,
)
from camwidget.analysis.feature_visualization.visualizing import visualization_steps
from camwidget.attribution.trace import Trace
from camwidget.errors import LayerError, MethodError, ModelError, TargetError

SHORT = 32
OFF = {"decay": 0.0, "blur": 0.0, "tv": 0.0, "jitter": 0.0, "scale": 0.0, "rotate": 0.0}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """How many threads add up decides the last digits, and with them, after many steps, pixels."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def quiet(done: int, total: int) -> None:
    """Progress that shows nothing."""


def draw(model: cw.VisionModel, target: Any = None, **options: Any) -> cw.Visualization:
    return cw.visualize(model, target, **{"steps": SHORT, "progress": quiet, **options})


class Tiny(nn.Module):
    """Two convolutions, the first one's output overwritten in place."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(6, 4, 3, padding=1)
        with torch.no_grad():
            for p in self.parameters():
                p.copy_(torch.randn(p.shape, generator=generator) * 0.3)
            self.first.bias.fill_(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.relu(self.first(x))).mean((2, 3))


def tiny(module: nn.Module | None = None, **options: Any) -> cw.VisionModel:
    return cw.wrap(module or Tiny(), cw.Preprocess(24), **options)


# -- it raises the score -------------------------------------------------------------------


@pytest.mark.parametrize(
    "index", [0, *(pytest.param(index, marks=pytest.mark.full) for index in range(1, 10))]
)
def test_the_model_takes_the_picture_of_a_class_for_that_class(
    textures: cw.VisionModel, index: int
) -> None:
    drawn = draw(textures, index)
    predicted = textures.predict(drawn.image)
    assert predicted.indices[0] == index
    assert drawn.probability == pytest.approx(predicted.probabilities[0], abs=1e-4)
    assert drawn.probability > 0.9


def test_the_score_rises_far_above_noise(textures: cw.VisionModel) -> None:
    drawn = draw(textures, "honeycombed")
    noise = torch.rand((16, 3, 192, 192), generator=torch.Generator().manual_seed(1))
    typical = textures.logits(noise)[:, 3]
    assert drawn.before < 1
    assert drawn.score > float(typical.mean() + 10 * typical.std()) and drawn.score > 5
    assert drawn.score == pytest.approx(
        float(textures.logits(textures.pixels(drawn.pixels))[0, 3]), abs=1e-3
    ), "the score is that of the pixels that are handed over"
    assert drawn.scores.shape == (SHORT,) and drawn.scores[-1] > drawn.scores[0] + 3


@pytest.mark.parametrize(
    ("layer", "channel"), [("stage3", 5), pytest.param("stage4", 20, marks=pytest.mark.full)]
)
def test_a_channel_rises_above_what_it_says_to_any_sample(
    textures: cw.VisionModel, layer: str, channel: int
) -> None:
    drawn = draw(textures, layer=layer, channel=channel)
    pixels = textures.pixels([sample.image for sample in zoo.samples("zoo/textures")])
    shown = Trace(textures, pixels, [layer]).activation(layer)[:, channel].mean((1, 2))
    again = Trace(textures, textures.pixels(drawn.pixels)[None][0], [layer]).activation(layer)
    assert drawn.score == pytest.approx(float(again[0, channel].mean()), rel=1e-3)
    assert drawn.score > float(shown.max()) and drawn.score > drawn.before
    assert drawn.probability is None


def test_a_cell_is_raised_where_it_is(textures: cw.VisionModel) -> None:
    drawn = draw(textures, layer="stage3", channel=5, unit=(6, 17), steps=32)
    assert drawn.score > 3 * max(drawn.before, 0.1)
    # Contrast gathers around the cell's place: row 6 and column 17 of 24, in 192 pixels.
    busy = drawn.pixels.astype(float).std(2) + np.abs(drawn.pixels.astype(float).mean(2) - 128)
    near = busy[16:88, 104:176].mean()
    assert near > 1.5 * busy[104:, :88].mean()


def test_a_shut_cell_follows_its_channel(textures: cw.VisionModel) -> None:
    """Somewhere a ReLU is shut for the noise: the picture finds the way all the same."""
    canvas = np.full((192, 192, 3), 128, np.uint8)
    maps = Trace(textures, textures.pixels(canvas), ["stage4"]).activation("stage4")[0]
    shut = (maps[:, 5, 5] <= 0).nonzero()
    if not len(shut):
        pytest.skip("no cell of this layer is shut")
    drawn = draw(textures, layer="stage4", channel=int(shut[0]), unit=(5, 5), steps=48)
    assert drawn.score > max(0.5, drawn.before)


def test_any_target(textures: cw.VisionModel) -> None:
    drawn = draw(textures, lambda logits: logits[:, 3] - logits[:, 8])
    logits = textures.logits(textures.pixels(drawn.pixels))[0]
    assert drawn.score == pytest.approx(float(logits[3] - logits[8]), abs=1e-3)
    assert drawn.score > 3 and drawn.probability is None


def test_an_in_place_relu_after_the_layer_changes_nothing() -> None:
    module = Tiny()
    drawn = draw(tiny(module), layer="first", channel=2, steps=4)
    # After the ReLU the mean could be no smaller than this one.
    inputs = torch.as_tensor(drawn.pixels).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        assert drawn.score == pytest.approx(float(module.first(inputs)[0, 2].mean()), rel=1e-4)
        assert float(module.first(inputs)[0, 2].min()) < 0, "else this test proves nothing"


# -- it is reproducible, and leaves no trace -----------------------------------------------


def test_a_seed_is_a_picture() -> None:
    model = tiny()
    first, again, other = (draw(model, 1, seed=s).pixels for s in (5, 5, 6))
    assert (first == again).all() and (first != other).any()


def test_the_global_generators_are_not_touched() -> None:
    model = tiny()
    before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    draw(model, 1, steps=3)
    assert torch.equal(before, torch.random.get_rng_state())
    assert (numpy_before == np.random.get_state()[1]).all()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, None])
def test_the_model_is_left_as_it_was(error: type[BaseException] | None) -> None:
    model = tiny(Tiny().train())
    model.module.second.weight.requires_grad_(False)
    model.module.first.weight.grad = torch.full_like(model.module.first.weight, 7.0)
    model.module.relu.eval()
    before = fingerprint(model.module)

    def progress(done: int, total: int) -> None:
        assert fingerprint(model.module) == before, "also between two steps"
        if done == 2 and error is not None:
            raise error

    for what in ({"target": 2}, {"layer": "first", "channel": 0, "unit": (3, 3)}):
        if error is None:
            draw(model, **what, progress=progress, steps=4)
        else:
            with pytest.raises(error):
                draw(model, **what, progress=progress, steps=4)
        assert fingerprint(model.module) == before


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_callers_mode_and_frozen_weights_do_not_matter(mode: Any) -> None:
    model = tiny()
    wanted = draw(model, 1, steps=4).pixels
    for p in model.module.parameters():
        p.requires_grad_(False)
    with mode():
        assert (draw(model, 1, steps=4).pixels == wanted).all()
        assert not torch.is_grad_enabled()


def test_the_mode_is_not_held_between_steps() -> None:
    pieces = visualization_steps(tiny(), Objective.of(tiny(), 1), steps=3)
    with torch.no_grad():
        next(pieces)
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    next(pieces)
    assert torch.is_grad_enabled()


def test_pieces_show_the_picture_growing() -> None:
    model = tiny()
    pieces = list(visualization_steps(model, Objective.of(model, 1), steps=10, every=4))
    shown = [(i, len(p.scores)) for i, p in enumerate(pieces) if p is not None]
    assert shown == [(3, 4), (7, 8), (10, 10)], "after steps 4 and 8, and the finished one"
    whole = draw(model, 1, steps=10)
    assert (whole.pixels == pieces[-1].pixels).all(), "to look does not change it"


def test_progress_counts_the_steps() -> None:
    seen: list[tuple[int, int]] = []
    draw(tiny(), 1, steps=3, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions(dtype: torch.dtype) -> None:
    drawn = draw(tiny(Tiny().to(dtype)), 1, steps=8)
    assert drawn.score > drawn.before and np.isfinite(drawn.scores).all()


def test_sizes_and_gray_models() -> None:
    assert draw(tiny(), 1, steps=2, size=(17, 40)).pixels.shape == (17, 40, 3)
    assert draw(tiny(), 1, steps=2).pixels.shape == (24, 24, 3)
    gray = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    drawn = draw(cw.wrap(gray, cw.Preprocess(20, mean=[0.5], std=[0.5])), 1, steps=2)
    assert drawn.pixels.shape == (20, 20, 3)
    assert (drawn.pixels == drawn.pixels[..., :1]).all()


# -- each regularizer does what it says ----------------------------------------------------


def roughness(pixels: np.ndarray) -> float:
    return float(total_variation(torch.as_tensor(pixels / 255).permute(2, 0, 1)))


def high_part(pixels: np.ndarray) -> float:
    """The share of power above a quarter of a cycle a pixel."""
    power = np.abs(np.fft.fft2(pixels.mean(2) - pixels.mean())) ** 2
    fy, fx = np.fft.fftfreq(power.shape[0]), np.fft.fftfreq(power.shape[1])
    return float(power[np.hypot(fy[:, None], fx[None]) > 0.25].sum() / power.sum())


@pytest.fixture(scope="module")
def plain(textures: cw.VisionModel) -> cw.Visualization:
    return draw(textures, "veined", **OFF)


def test_total_variation_makes_it_smoother(
    textures: cw.VisionModel, plain: cw.Visualization
) -> None:
    smooth = draw(textures, "veined", **{**OFF, "tv": 0.3})
    assert roughness(smooth.pixels) < 0.7 * roughness(plain.pixels)


def test_decay_keeps_pixels_from_the_extremes(
    textures: cw.VisionModel, plain: cw.Visualization
) -> None:
    mild = draw(textures, "veined", **{**OFF, "decay": 0.1})
    assert mild.pixels.std() < 0.8 * plain.pixels.std()


def test_blur_takes_the_high_frequencies(textures: cw.VisionModel, plain: cw.Visualization) -> None:
    soft = draw(textures, "veined", **{**OFF, "blur": 1.0})
    rare = draw(textures, "veined", **{**OFF, "blur": 1.0, "blur_every": 1000})
    assert high_part(soft.pixels) < 0.5 * high_part(plain.pixels)
    assert (rare.pixels == plain.pixels).all(), "never, in so few steps"


def test_the_spectrum_decides_where_the_power_is(
    textures: cw.VisionModel, plain: cw.Visualization
) -> None:
    flat = draw(textures, "veined", **{**OFF, "spectrum": 0.0})
    assert high_part(flat.pixels) > 1.5 * high_part(plain.pixels)


@pytest.mark.parametrize(
    "which", ["clip_norm", pytest.param("clip_contribution", marks=pytest.mark.full)]
)
def test_clipping_leaves_so_many_pixels_gray(
    textures: cw.VisionModel, plain: cw.Visualization, which: str
) -> None:
    def gray(pixels: np.ndarray) -> float:
        return float((np.abs(pixels.astype(int) - 127.5).max(2) < 3).mean())

    clipped = draw(textures, "veined", **{**OFF, which: 40.0})
    assert gray(plain.pixels) < 0.2 and 0.38 < gray(clipped.pixels) < 0.7


def test_wobbling_makes_it_robust(textures: cw.VisionModel, plain: cw.Visualization) -> None:
    robust = draw(textures, "veined", **{**OFF, "jitter": 8.0, "scale": 0.1, "rotate": 10.0})

    def kept(drawn: cw.Visualization) -> float:
        """The part of the score that is left when the picture is moved and turned."""
        picture = torch.as_tensor(drawn.pixels / 255, dtype=torch.float32).permute(2, 0, 1)
        generator = torch.Generator().manual_seed(11)
        moved = [
            random_transform(picture, generator, jitter=8, scale=0.1, rotate=10) for _ in range(8)
        ]
        return float(textures.logits(torch.stack(moved))[:, 7].mean()) / drawn.score

    assert kept(robust) > kept(plain)


# -- what can go wrong ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "error", "says"),
    [
        ({}, MethodError, "Pass what to visualize"),
        ({"layer": "first"}, MethodError, "channel="),
        ({"target": 1, "channel": 1}, MethodError, "not both"),
        ({"target": 1, "layer": "first"}, MethodError, "not both"),
        ({"target": "nothing"}, TargetError, "no class named"),
        ({"target": 4}, TargetError, "classes 0 to 3"),
        ({"target": lambda logits: logits.sum()[None, None]}, TargetError, "one number"),
        ({"target": lambda logits: logits[:, 0].detach()}, MethodError, "detached"),
        ({"target": lambda logits: logits[:, 0] * float("nan")}, TargetError, "NaN"),
        ({"layer": "frist", "channel": 1}, LayerError, "first"),
        ({"layer": "first", "channel": 6}, LayerError, "channels 0 to 5"),
        ({"layer": "first", "channel": -1}, LayerError, "channels 0 to 5"),
        ({"layer": "first", "channel": 1.5}, MethodError, "integer"),
        ({"layer": "first", "channel": 1, "unit": (24, 0)}, LayerError, "rows 0 to 23"),
        ({"layer": "first", "channel": 1, "unit": (0, -1)}, LayerError, "columns 0 to 23"),
        ({"layer": "first", "channel": 1, "unit": 3}, LayerError, "row, column"),
        ({"target": 1, "steps": 0}, MethodError, "steps"),
        ({"target": 1, "size": 2}, MethodError, "8 to 4096"),
        ({"target": 1, "size": (1, 2, 3)}, MethodError, "height, width"),
        ({"target": 1, "tv": -1.0}, MethodError, "tv"),
        ({"target": 1, "decay": 2.0}, MethodError, "decay must be at least 0 and at most 1"),
    ],
)
def test_errors_name_the_remedy(what: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        draw(tiny(), **what)


def test_weights_that_become_nan_are_named() -> None:
    model = tiny()
    with torch.no_grad():
        model.module.second.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(ModelError, match=r"second\.weight"):
        draw(model, 1)


def test_a_fixed_size_says_so() -> None:
    fixed = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(2 * 62 * 62, 3))
    model = cw.wrap(fixed, cw.Preprocess(64))
    assert draw(model, 1, steps=2).pixels.shape == (64, 64, 3)
    with pytest.raises(ModelError, match="Explain pictures of the size"):
        draw(model, 1, steps=2, size=48)


def test_a_dead_channel_is_told() -> None:
    dead = Tiny()
    with torch.no_grad():
        dead.first.bias[0] = -100
    with pytest.raises(MethodError, match="has no gradient"):
        draw(tiny(dead), layer="relu", channel=0)


# -- the result ----------------------------------------------------------------------------


def test_what_is_handed_over(textures: cw.VisionModel) -> None:
    drawn = draw(tiny(classes=["a", "$b$", "c", "d"]), "$b$", steps=3)
    assert drawn.image.size == (24, 24) and drawn.pixels.dtype == np.uint8
    assert drawn._repr_png_().startswith(b"\x89PNG")
    assert "$b$" in drawn.title and "probability" in drawn.title
    figure = drawn.plot()
    figure.canvas.draw()
    assert len(figure.axes) == 2
    assert Regularizers() == Regularizers(
        **{
            **OFF,
            "decay": 0.01,
            "blur": 0.5,
            "tv": 0.05,
            "jitter": 8.0,
            "scale": 0.05,
            "rotate": 5.0,
        }
    )


def test_other_outputs_inputs_and_tokens_are_visualized_too() -> None:
    from torch import nn

    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.head = nn.Conv2d(3, 6, 3), nn.Linear(6, 3)

        def forward(self, x: torch.Tensor, scale: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"logits": self.head(self.conv(x).relu().mean((2, 3)) * scale)}

    model = cw.wrap(Packed(), cw.Preprocess(24), inputs={"scale": torch.ones(1, 1)})
    for what in ({"target": 1}, {"target": lambda out: out["logits"][:, 2]}, {"channel": 2}):
        drawn = cw.visualize(model, **what, steps=6)
        assert drawn.score > drawn.before
