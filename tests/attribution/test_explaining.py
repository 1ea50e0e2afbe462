"""``explain``: combinations, their order, the number of passes, and results' descriptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import camwidget as cw
from camwidget.attribution.explaining import compute_explanations, raw_maps
from camwidget.attribution.methods import get_method
from camwidget.attribution.targets import resolve_target
from camwidget.attribution.trace import Trace

NAMES = ("ant", "bee", "cat")


def net() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 3),
    )


@pytest.fixture(scope="module")
def model() -> cw.VisionModel:
    return cw.wrap(net(), classes=NAMES, layers=["0", "1", "3"], name="small")


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return torch.rand((2, 3, 16, 20), generator=torch.Generator().manual_seed(4))


@pytest.fixture
def passes(model: cw.VisionModel) -> Any:
    """How many pictures each pass of the model has."""
    sizes: list[int] = []
    handle = model.module.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    yield sizes
    handle.remove()


def test_every_combination_in_its_order(
    model: cw.VisionModel, pictures: torch.Tensor, passes: list[int]
) -> None:
    methods = ["gradcam", "saliency", get_method("finercam", references=1)]
    found = cw.explain(model, pictures, ["cat", 0], methods, ["1", "3"])
    assert passes == [2], "one pass for all of it"
    assert [(e.picture, e.target.label, e.method, e.layer) for e in found] == [
        (n, label, method, "input" if method == "saliency" else layer)
        for n in (0, 1)
        for label in ("cat", "ant")
        for method in ("gradcam", "saliency", "finercam")
        for layer in ("1", "3")
    ]
    for e in found:
        alone = cw.explain(model, pictures[e.picture], e.target.index, e.method, options_of(e))
        assert isinstance(alone, cw.Explanation)
        if e.method != "finercam":
            np.testing.assert_allclose(e.raw, alone.raw, rtol=1e-4, atol=1e-7)
            np.testing.assert_allclose(e.saliency, alone.saliency, rtol=1e-4, atol=1e-5)


def options_of(e: cw.Explanation) -> str | None:
    """The layer, for a method that has its map there."""
    return None if e.layer == "input" else e.layer


def test_an_explanation_says_how_it_was_made(model: cw.VisionModel, pictures: torch.Tensor) -> None:
    method = get_method("finercam", references=1)
    _, e = cw.explain(model, pictures, "bee", method, "1")
    assert (e.method, e.method_label, e.options) == ("finercam", "Finer-CAM", (("references", 1),))
    assert (e.layer, e.model, e.picture, e.text) == ("1", "small", 1, None)
    assert (e.target.index, e.target.label) == (1, "bee")
    assert e.prediction.names == model.predict(pictures[1]).names
    assert e.raw.dtype == e.saliency.dtype == np.float32
    assert (e.raw.shape, e.saliency.shape) == ((8, 10), (16, 20))
    shown = (pictures[1] * 255).round().byte().permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(e.pixels, shown)
    assert not e.pixels.flags.writeable and not e.tone_mapped
    fine = cw.explain(model, pictures[0], 1, "saliency")
    assert isinstance(fine, cw.Explanation) and fine.tone_mapped and fine.layer == "input"


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({}, None),
        ({"target": 1}, None),
        ({"target": torch.tensor(1)}, None),
        ({"target": [1]}, 1),
        ({"target": (0, 2)}, 2),
        ({"target": torch.tensor([0, 2])}, 2),
        ({"target": np.array([2])}, 1),
        ({"method": ["cam"]}, 1),
        ({"layer": ["1", None]}, 2),
        ({"layer": "all"}, 3),
        ({"layer": ("all",)}, "layer"),
    ],
)
def test_a_list_makes_several(
    model: cw.VisionModel, pictures: torch.Tensor, given: dict[str, Any], count: Any
) -> None:
    if count == "layer":
        with pytest.raises(cw.CamwidgetError, match="'all'"):
            cw.explain(model, pictures[0], **given)
        return
    found = cw.explain(model, pictures[0], **given)
    assert isinstance(found, cw.Explanation if count is None else cw.Explanations)
    if count is not None:
        assert len(found) == count
    if given.get("layer") == "all":
        assert [e.layer for e in found] == ["0", "1", "3"]


@pytest.mark.parametrize(
    "several", [lambda p: p, lambda p: list(p), lambda p: p[:1], lambda p: [p[0]]]
)
def test_several_pictures_make_several(
    model: cw.VisionModel, pictures: torch.Tensor, several: Callable[[torch.Tensor], Any]
) -> None:
    given = several(pictures)
    found = cw.explain(model, given)
    assert isinstance(found, cw.Explanations) and [e.picture for e in found] == [*range(len(given))]
    # Each is explained for its own class.
    assert [e.target.label for e in found] == [
        model.predict(picture).names[0] for picture in pictures[: len(given)]
    ]


@pytest.mark.parametrize("empty", ["target", "method", "layer"])
def test_nothing_to_explain(model: cw.VisionModel, pictures: torch.Tensor, empty: str) -> None:
    with pytest.raises(cw.CamwidgetError, match="Nothing to explain"):
        cw.explain(model, pictures, **{empty: []})


def test_a_method_that_does_not_apply_is_refused_before_anything_runs(
    model: cw.VisionModel, pictures: torch.Tensor, passes: list[int]
) -> None:
    with pytest.raises(cw.CamwidgetError, match="^CAM does not apply"):
        cw.explain(model, pictures, 0, ["gradcam", "cam"], "1")
    assert not passes


def test_what_is_no_model_is_refused(pictures: torch.Tensor) -> None:
    with pytest.raises(cw.CamwidgetError, match="^explain takes a model"):
        cw.explain(net(), pictures)  # type: ignore[call-overload]


def test_a_layer_named_all_is_that_layer(pictures: torch.Tensor) -> None:
    module = nn.Sequential()
    for number, part in enumerate(net()):
        module.add_module("all" if number == 3 else str(number), part)
    model = cw.wrap(module, classes=NAMES, layers=["1", "all"])
    found = cw.explain(model, pictures[0], layer="all")
    assert isinstance(found, cw.Explanation) and found.layer == "all"


def test_maps_of_the_picture_itself_are_computed_once(
    model: cw.VisionModel, pictures: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = Trace(model, pictures, ["1", "3"], with_input=True)
    targets = [resolve_target(model, n) for n in (0, 2)]
    methods = [get_method("saliency"), get_method("gradcam")]
    requested: list[tuple[str, str]] = []
    steps = type(methods[0]).steps

    def counting(self: Any, trace: Trace, target: Any, layer: str) -> Any:
        requested.append((self.name, layer))
        return steps(self, trace, target, layer)

    monkeypatch.setattr(type(methods[0]), "steps", counting)
    with torch.no_grad():
        found = raw_maps(trace, targets, methods, ["1", "3"])
    assert requested == [("saliency", "1"), ("gradcam", "1"), ("gradcam", "3")] * 2
    assert set(found) == {(i, j, layer) for i in (0, 1) for j in (0, 1) for layer in ("1", "3")}
    for i in (0, 1):
        assert found[i, 0, "1"] is found[i, 0, "3"]
        assert found[i, 0, "1"].shape == (2, 16, 20) and found[i, 1, "3"].shape == (2, 4, 5)
    assert not torch.equal(found[0, 0, "1"], found[1, 0, "1"])


def test_nothing_stands_for_the_predicted_class(
    model: cw.VisionModel, pictures: torch.Tensor
) -> None:
    trace = Trace(model, pictures, ["3"])
    found = compute_explanations(
        trace, [None, resolve_target(model, 2)], [get_method("gradcam")], ["3"]
    )
    best = [model.predict(picture).indices[0] for picture in pictures]
    assert [e.target.index for e in found] == [best[0], 2, best[1], 2]


def test_progress_of_a_slow_method(model: cw.VisionModel, pictures: torch.Tensor) -> None:
    reports: list[tuple[int, int]] = []
    cw.explain(
        model, pictures[0], 0, ["gradcam", "scorecam"], progress=lambda *p: reports.append(p)
    )
    assert reports and reports[-1][0] == reports[-1][1] == 9, (
        "eight channels, and the picture as it is"
    )
