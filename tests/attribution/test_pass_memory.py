"""Memory of passes: a finished one is free at once, and those of large pictures are as small as they can be."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

import camwidget as cw
from camwidget.attribution import batched_inference
from camwidget.attribution.partial import stroke_passes, windows
from camwidget.attribution.partial.stroke_passes import StrokePasses
from camwidget.attribution.relevance import reach_of
from camwidget.attribution.trace import Trace
from camwidget.errors import MethodError

SIDE = 64


@pytest.fixture
def by_hand() -> Iterator[None]:
    """Python's garbage collector runs when it is called, and then only."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def tensors() -> int:
    return sum(isinstance(found, torch.Tensor) for found in gc.get_objects())


@pytest.mark.parametrize(
    "method", ["gradcam", "guided-gradcam", "lrp", "relevancecam", "excitation-backprop", "c-mwp"]
)
def test_a_finished_pass_does_not_wait_for_the_garbage_collector(
    method: str, textures: cw.VisionModel, by_hand: None
) -> None:
    """A pass of a large picture takes more memory than all else; the collector may not run for minutes."""
    image = cw.zoo.samples("zoo/textures")[0].image
    cw.explain(textures, image, method=method)  # what is remembered for each model
    gc.collect()
    before = tensors()
    cw.explain(textures, image, method=method)
    assert tensors() == before


def test_nor_does_the_search_for_operations_without_a_rule(by_hand: None) -> None:
    class Sine(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sin(x)

    model = cw.wrap(nn.Sequential(nn.Conv2d(3, 4, 3), Sine(), nn.Conv2d(4, 5, 3)), layers=["0"])
    gc.collect()
    before = tensors()
    assert reach_of(model).failure is not None
    assert tensors() == before


def test_nor_does_a_pass_that_has_failed(by_hand: None) -> None:
    """A first try without copies fails where an operation is in place (ReLU); all of it is free, and the second one."""
    layers = [
        nn.Conv2d(3, 4, 3),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 5, 3),
        nn.AdaptiveAvgPool2d(1),
    ]
    model = cw.wrap(nn.Sequential(*layers, nn.Flatten()), cw.Preprocess(32), layers=["0"])
    pixels = torch.rand(1, 3, 32, 32)
    gc.collect()
    before = tensors()
    Trace(model, pixels, ["0"], trims=True)
    assert tensors() == before


def net() -> cw.VisionModel:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)]
    return cw.wrap(nn.Sequential(*layers, *head).eval(), cw.Preprocess(SIDE), layers=["0", "2"])


@pytest.fixture
def all_large() -> Iterator[None]:
    """Every picture is large beside the caches."""
    before = cw.set_cache_limit(2**16)
    yield
    cw.set_cache_limit(before)


@pytest.fixture
def trimmed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A number for each time that a pass in a series gave memory back at a layer."""
    found: list[int] = []
    hooks = batched_inference.trimming_hooks

    def counted(model: Any, module: nn.Module) -> dict[nn.Module, Any]:
        return {part: lambda *_: found.append(1) for part in hooks(model, module)}

    monkeypatch.setattr(batched_inference, "trimming_hooks", counted)
    return found


def test_series_of_large_pictures_give_memory_back(all_large: None, trimmed: list[int]) -> None:
    model, pixels = net(), torch.rand(1, 3, SIDE, SIDE)
    for _ in batched_inference.rerun(
        model, 3, lambda start, stop: pixels.expand(stop - start, -1, -1, -1)
    ):
        pass
    assert trimmed and len(trimmed) % 2 == 0, "at both layers"


def test_others_do_not(trimmed: list[int]) -> None:
    cw.explain(net(), torch.rand(3, SIDE, SIDE), method="scorecam", layer="2")
    assert not trimmed


def test_a_large_layer_is_changed_one_row_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of a batch are as large as the layer: eight of a first layer at 1024² take half a gigabyte."""
    sizes: list[int] = []
    model = net()
    model.module[2].register_forward_hook(lambda module, args, output: sizes.append(len(args[0])))
    pixels = torch.rand(1, 3, SIDE, SIDE)
    for pixels_at_once, most in ((SIDE * SIDE, 1), (64 * SIDE * SIDE, 8)):
        monkeypatch.setattr(batched_inference, "_PIXELS", {"cpu": pixels_at_once})
        sizes.clear()
        trace = Trace(model, pixels, ["0"])
        rows = trace.output("0").expand(12, -1, -1, -1)
        series = batched_inference.rerun_from_layer(
            trace, "0", 0, 12, lambda start, stop, rows=rows: rows[start:stop]
        )
        assert sum(len(logits) for _, logits in series(0, 100)) == 12
        assert max(sizes) == most


def test_large_pictures_keep_no_activations_for_the_next_pass(
    all_large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("a pass was recorded")

    for module in (windows, stroke_passes):
        monkeypatch.setattr(module, "record_pass", refuse)
    model, pixels = net(), torch.rand(3, SIDE, SIDE)
    strokes = StrokePasses(model)
    for value in (0.1, 0.2, 0.3):
        pixels[:, 3:9, 3:9] = value
        torch.testing.assert_close(strokes.logits(pixels), model.logits(pixels[None]))
    trace = Trace(model, pixels[None], (), trims=True)
    method = cw.get_method("occlusion", window=12, stride=12)
    target = cw.attribution.targets.resolve_target(model, 1)
    assert [step.done for step in method.steps(trace, target, "2")][-1] == 37
    with pytest.raises((AssertionError, MethodError), match="recorded"):
        list(method.steps(Trace(model, pixels[None], ()), target, "2"))
