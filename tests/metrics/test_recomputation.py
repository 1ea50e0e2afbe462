"""Recomputed maps: shared passes and their number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

import camwidget as cw
from camwidget import zoo
from camwidget.attribution.batched_inference import in_batches
from camwidget.metrics import Case, MetricContext, Recomputation, ScoredPicture, recomputation
from camwidget.metrics.recomputation import recompute_maps

SAMPLE = zoo.samples("zoo/scenes")[0]
METHODS = ["gradcam", "cam", "saliency", "occlusion", "smoothgrad"]


@pytest.fixture(scope="module")
def scenes() -> cw.VisionModel:
    return cw.load("zoo/scenes", device="cpu")


def pictures(model: cw.VisionModel, count: int) -> torch.Tensor:
    return torch.stack(
        [model.preprocess.pixels(s.image) for s in zoo.samples("zoo/scenes")[:count]]
    )


def subject_of(model: cw.VisionModel) -> ScoredPicture:
    pixels = model.preprocess.pixels(SAMPLE.image)
    probabilities = model.probabilities(model.logits(pixels[None]))[0].double()
    return ScoredPicture(model, pixels, probabilities, MetricContext())


def cases(
    subject: ScoredPicture, methods: list[str], layers: list[str], targets: list[int]
) -> list[Case]:
    blank = torch.zeros(subject.pixels.shape[-2:])
    return [
        Case(subject, t, blank, cw.get_method(m), layer)
        for t in targets
        for m in methods
        for layer in layers
    ]


def made(requested: list[tuple[Case, Recomputation]]) -> tuple[torch.Tensor, ...]:
    *_, last = recompute_maps(requested)
    assert last.done == last.total
    return last.maps


@pytest.mark.full
def test_maps_are_those_of_explain(scenes: cw.VisionModel) -> None:
    pixels = pictures(scenes, 2)
    every = cases(subject_of(scenes), METHODS, ["stage3"], [3, 7])
    request = Recomputation(("two",), lambda: pixels)
    for case, maps in zip(every, made([(c, request) for c in every]), strict=True):
        assert maps.shape == (2, 128, 128)
        for picture, saliency in zip(pixels, maps, strict=True):
            assert case.method is not None
            e = cw.explain(
                scenes, picture, case.target, case.method, case.layer, progress=lambda *_: None
            )
            assert isinstance(e, cw.Explanation)
            torch.testing.assert_close(
                saliency, torch.from_numpy(e.saliency.copy()), atol=1e-4, rtol=0
            )


def test_one_pass_for_all_quick_maps_of_a_picture(
    scenes: cw.VisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = subject_of(scenes)
    passes: list[int] = []
    run = cw.VisionModel.run
    monkeypatch.setattr(
        cw.VisionModel, "run", lambda self, x: passes.append(len(x)) or run(self, x)
    )
    every = cases(subject, ["gradcam", "layercam", "saliency"], ["stage2", "stage3"], [0, 1])
    made([(c, Recomputation(("one",), lambda: pictures(scenes, 1))) for c in every])
    assert passes == [1]


def test_a_map_of_the_picture_itself_is_made_once_for_all_layers(scenes: cw.VisionModel) -> None:
    every = cases(subject_of(scenes), ["gradcam", "layercam"], ["stage2", "stage3"], [0])
    method = cw.get_method("occlusion", window=64, stride=64)
    request = Recomputation(("one",), lambda: pictures(scenes, 1), method=method)
    first, *others = made([(c, request) for c in every])
    assert len(others) == 3 and all(maps is first for maps in others)


def test_what_does_not_fit_into_memory_goes_in_halves(
    scenes: cw.VisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = pictures(scenes, 5)
    every = cases(subject_of(scenes), ["gradcam"], ["stage3"], [0])
    request = [(every[0], Recomputation(("five",), lambda: pixels))]
    (expected,) = made(request)
    sizes: list[int] = []

    def tight(model: Any, start: int, total: int, series: Any, work: Any) -> Iterator[Any]:
        def limited(begin: int, end: int) -> Any:
            sizes.append(end - begin)
            if end - begin > 2:
                raise torch.OutOfMemoryError("not enough memory")
            return work(begin, end)

        return in_batches(model, start, total, series, limited)

    monkeypatch.setattr(recomputation, "in_batches", tight)
    (halved,) = made(request)
    torch.testing.assert_close(halved, expected, atol=1e-5, rtol=0)
    assert sizes == [5, 2, 2, 1]


def test_a_callers_modes_hold_between_steps(scenes: cw.VisionModel) -> None:
    every = cases(subject_of(scenes), METHODS, ["stage3"], [0])
    request = Recomputation(("one",), lambda: pictures(scenes, 1))
    for _ in recompute_maps([(c, request) for c in every]):
        assert torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        inside = made([(c, request) for c in every])
    for first, second in zip(inside, made([(c, request) for c in every]), strict=True):
        torch.testing.assert_close(first, second, atol=1e-6, rtol=0)
