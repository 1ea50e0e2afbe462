"""Settings of methods: defaults, effects, and their entries in the registry."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from oracles import Rectified, computed, plain

import camwidget as cw
from camwidget.attribution.methods import averaged_gradients, get_method, perturbation
from camwidget.attribution.methods.settings import settings_payload
from camwidget.attribution.methods.target_reasons import target_reasons
from camwidget.attribution.targets import ClassTarget, PerPictureTarget, resolve_target
from camwidget.attribution.trace import Trace
from camwidget.errors import MethodError

#: The papers' numbers, or those that a method's docstring gives reasons for.
DEFAULTS: dict[str, dict[str, Any]] = {
    "attention-rollout": {"residual": 0.5},
    "legrad": {"pooling": "model"},
    "finercam": {"strength": 1.0, "references": 3},
    "refinecam": {"layers": 4},
    "deep-feature-factorization": {"parts": 4},
    "recipro-cam": {"gaussian": True},
    "lrp": {"rule": "attn", "gamma": None},
    "relevancecam": {"rule": "attn"},
    "integrated-gradients": {"steps": 32},
    "smoothgrad": {"base": None, "samples": 32, "noise": 0.15, "seed": 0},
    "occlusion": {"window": None, "stride": None},
    "rise": {"masks": 4000, "cells": 7, "keep": 0.5, "seed": 0},
    "part-occlusion": {"parts": 50},
    "kernelshap": {"parts": 50, "samples": 1000, "seed": 0},
}


def test_what_methods_take_unless_told() -> None:
    found = {
        m.name: {
            p.name: p.default
            for p in inspect.signature(m.function).parameters.values()
            if p.kind is p.KEYWORD_ONLY
        }
        for m in cw.list_methods()
    }
    assert {name: kept for name, kept in found.items() if kept} == DEFAULTS
    for m in cw.list_methods():
        if m.prepare is not None:
            prepared = inspect.signature(m.prepare).parameters.values()
            kept = {p.name: p.default for p in prepared if p.kind is p.KEYWORD_ONLY}
            assert kept == found[m.name], "else several targets would have other maps than one"


def test_a_setting_as_the_browser_gets_it() -> None:
    strength, references = settings_payload(get_method("finercam").settings)
    assert strength == {
        "name": "strength", "default": 1.0, "integer": False, "low": 0, "high": None, "usual": 2,
        "help": "how much the classes like it are subtracted", "words": [],
    }  # fmt: skip
    assert (references["name"], references["integer"]) == ("references", True)


def test_nothing_stands_for_the_default_only_where_it_depends_on_the_picture() -> None:
    masks, *_ = get_method("rise").settings
    window, _ = get_method("occlusion").settings
    parts, *_ = get_method("kernelshap").settings
    assert window.checked(None) is None and window.checked(3) == 3
    assert parts.checked("segments") == "segments"
    for value in (None, "segments", 0, 2.5):
        with pytest.raises(MethodError, match="^masks is an integer of at least 1"):
            masks.checked(value)


def test_which_methods_have_no_map_against_a_class_or_rather_than_another() -> None:
    found = {m.name: target_reasons(m) for m in cw.list_methods()}
    rather = {name for name, reasons in found.items() if reasons["rather"]}
    assert rather == {
        "cam", "finercam", "eigencam", "attention-rollout", "random", "center",
        "excitation-backprop", "c-mwp",
    }  # fmt: skip
    against = {name for name, reasons in found.items() if reasons["against"]}
    assert against == rather | {"saliency", "smoothgrad"}
    for m in cw.list_methods():
        assert m.target_reason(ClassTarget(0, "")) is None
        assert m.target_reason(PerPictureTarget((ClassTarget(0, ""),))) is None


def test_a_default_that_depends_on_the_model_is_shown_for_it() -> None:
    def gamma(model: cw.VisionModel | None) -> float | None:
        (payload,) = settings_payload(get_method("lrp").settings, model=model)
        found: float | None = payload["default"]
        return found

    vit = cw.load("zoo/scenes-vit", device="cpu")
    assert [gamma(m) for m in (vit, cw.load(device="cpu"), None)] == [0.25, None, None]
    picture = torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(0))
    by_itself = cw.explain(vit, picture, 1, "lrp").raw
    assert np.array_equal(cw.explain(vit, picture, 1, get_method("lrp", gamma=0.25)).raw, by_itself)


def test_a_method_has_the_settings_that_it_was_given() -> None:
    method = get_method("rise", masks=5)
    assert method.options == (("masks", 5),)
    other = get_method(method, cells=3)
    assert dict(other.options) == {"masks": 5, "cells": 3}
    assert get_method("rise").options == ()
    with pytest.raises(MethodError, match=r"no method 'gradcm'\. Did you mean 'gradcam"):
        get_method("gradcm")
    with pytest.raises(MethodError, match="no method 3"):
        get_method(3)  # type: ignore[arg-type]


def test_methods_are_listed_by_family() -> None:
    groups: dict[str, list[str]] = {}
    for method in cw.list_methods():
        groups.setdefault(method.group, []).append(method.name)
    assert groups["Gradients"] == [
        "saliency", "guided-backprop", "deconvnet", "guided-gradcam", "integrated-gradients", "smoothgrad",
    ]  # fmt: skip
    assert groups["Scores"] == ["scorecam", "ablationcam", "recipro-cam"]
    assert groups["Perturbation"] == ["occlusion", "rise", "part-occlusion", "kernelshap"]
    assert groups["Control"] == ["random", "center"]
    assert groups["Class activation"] == [
        "cam", "gradcam", "gradcam++", "layercam", "hirescam", "xgradcam", "eigencam", "finercam",
        "refinecam", "deep-feature-factorization",
    ]  # fmt: skip


def test_which_methods_one_pass_serves_at_all_layers() -> None:
    quick = {m.name for m in cw.list_methods() if m.is_quick_at_layers}
    assert quick == {
        "cam", "gradcam", "gradcam++", "layercam", "hirescam", "xgradcam", "eigencam", "finercam",
        "deep-feature-factorization", "random", "center",
    }  # fmt: skip


def test_which_methods_read_the_gradient_at_the_picture() -> None:
    """They have no map of a picture that is its own reference, where the gradient is rounding."""
    found = {m.name for m in cw.list_methods() if m.reads_slope}
    assert found == {m.name for m in cw.list_methods() if not m.slow} - {
        "cam", "eigencam", "random", "center", "attention-rollout",
    }  # fmt: skip


def test_one_map_for_all_classes_is_refused_against_one() -> None:
    model = cw.wrap(Rectified(), plain())
    against, of = (resolve_target(model, target) for target in (cw.Counterfactual(1), 1))
    with pytest.raises(MethodError, match=f"^Eigen-CAM does not apply to {against.label}: its map"):
        get_method("eigencam").check_target(against)
    for method, target in (("eigencam", of), ("gradcam", against)):
        get_method(method).check_target(target)


def test_a_smoothed_method_is_its_base_but_for_the_noise() -> None:
    base, smooth = get_method("guided-gradcam"), get_method("smoothgrad(guided-gradcam)", samples=2)
    assert (smooth.name, smooth.label) == ("smoothgrad(guided-gradcam)", "Smooth Guided Grad-CAM")
    for fact in ("needs", "applies", "at_input", "scale", "tone_mapped"):
        assert getattr(smooth, fact) == getattr(base, fact)
    assert base.citation in smooth.citation and "Smilkov" in smooth.citation
    assert base.label in smooth.summary and smooth.slow and not smooth.needs_gradients
    assert dict(smooth.options) == {"base": base, "samples": 2}
    at_layer = get_method("smoothgrad(gradcam)")
    assert not at_layer.at_input and get_method("smoothgrad").at_input
    for name in ("smoothgrad(gradcam", "smoothgradgradcam)", "smoothgrad()"):
        with pytest.raises(MethodError, match="no method"):
            get_method(name)


def test_steps_say_how_far_they_are_over_all_pictures() -> None:
    model = cw.wrap(Rectified().double(), plain())
    pixels = torch.rand((3, 3, 20, 20), generator=torch.Generator().manual_seed(2)).double()
    method = get_method("occlusion", window=10, stride=5)
    trace = Trace(model, pixels, [])
    steps = list(method.steps(trace, resolve_target(model, 1), ""))
    each = steps[-1].total // 3
    assert each == 10, "nine places, and the picture as it is"
    assert [s.total for s in steps] == [30] * len(steps)
    assert [s.done for s in steps] == sorted({s.done for s in steps}) and steps[-1].done == 30
    assert all(s.maps.shape == (3, 20, 20) for s in steps)
    begun = [s for s in steps if s.done <= 10]
    assert all(not s.maps[1:].any() for s in begun), "the others' maps are still empty"
    torch.testing.assert_close(begun[-1].maps[0], steps[-1].maps[0])
    (quick,) = get_method("saliency").steps(
        Trace(model, pixels, [], with_input=True), resolve_target(model, 1), ""
    )
    assert (quick.done, quick.total) == (1, 1)


def test_occlusions_squares_by_default() -> None:
    """A seventh of the shorter side, by half of that; on a line of the picture that they do not reach, 0."""
    model = cw.wrap(Rectified().double(), plain())
    pixels = torch.rand((1, 3, 29, 36), generator=torch.Generator().manual_seed(3)).double()
    configured = get_method("occlusion", window=4, stride=2)
    torch.testing.assert_close(
        computed(model, pixels, "occlusion"), computed(model, pixels, configured)
    )
    tiny = pixels[..., :6, :6]
    configured = get_method("occlusion", window=1, stride=1)
    torch.testing.assert_close(
        computed(model, tiny, "occlusion"), computed(model, tiny, configured)
    )


@pytest.mark.parametrize(
    ("length", "window", "stride", "places"),
    [(10, 4, 3, [0, 3, 6]), (11, 4, 3, [0, 3, 6, 9]), (4, 4, 2, [0]), (5, 1, 1, [0, 1, 2, 3, 4])],
)
def test_squares_reach_the_end(length: int, window: int, stride: int, places: list[int]) -> None:
    assert perturbation._window_starts(length, window, stride) == places


def test_squares_come_spread_over_the_picture() -> None:
    """Every fourth row and column, every second, the rest; each in reading order."""
    rows, columns = [0, 10, 20, 30, 40], [0, 5, 10]
    found = perturbation._coarse_to_fine(rows, columns)
    assert found[:2] == [(0, 0), (40, 0)]
    assert found[2:6] == [(0, 10), (20, 0), (20, 10), (40, 10)]
    assert found[6:] == sorted(found[6:]) and sorted(found) == [
        (y, x) for y in rows for x in columns
    ]


@pytest.mark.parametrize(
    ("settings", "fits"),
    [
        ({"window": 20, "stride": 20}, True),
        ({"window": 21, "stride": 1}, False),
        ({"window": 4, "stride": 4}, True),
        ({"window": 4, "stride": 5}, False),
    ],
)
def test_squares_cover_the_picture(settings: dict[str, int], fits: bool) -> None:
    model = cw.wrap(Rectified(), plain())
    pixels = torch.rand((1, 3, 20, 30))
    method = get_method("occlusion", **settings)
    if fits:
        assert computed(model, pixels, method).shape == (1, 20, 30)
        return
    with pytest.raises(MethodError, match="do not cover a picture of 30×20"):
        computed(model, pixels, method)


def test_finercam_equals_its_equation() -> None:
    """Grad-CAM of ``y_c − γ · mean_d y_d``, d being the classes nearest to c in this picture (Zhang 2025)."""
    model = cw.wrap(Rectified(classes=7).double(), plain())
    pixels = torch.rand((2, 3, 16, 16), generator=torch.Generator().manual_seed(1)).double()
    logits = model.logits(pixels)
    for strength, references, target in ((1.0, 3, 2), (0.5, 1, 0), (2.0, 9, 6), (0.0, 2, 1)):
        found = computed(
            model, pixels, get_method("finercam", strength=strength, references=references), target
        )
        for number in range(2):
            others = [k for k in range(7) if k != target]
            others.sort(key=lambda k: abs(float(logits[number, k] - logits[number, target])))
            near = others[:references]

            def finer(z: torch.Tensor) -> torch.Tensor:
                return z[:, target] - strength * z[:, near].mean(1)  # noqa: B023

            expected = computed(model, pixels[number : number + 1], "gradcam", finer)
            torch.testing.assert_close(found[number : number + 1], expected)
    with pytest.raises(MethodError, match="Finer-CAM explains classes"):
        computed(model, pixels, "finercam", lambda z: z[:, 0])


def test_cam_of_a_single_logit_has_both_classes() -> None:
    """One logit speaks for the second class as much as against the first."""
    module = Rectified(classes=1).double()
    model = cw.wrap(module, plain(), classes=["no", "yes"])
    pixels = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(1)).double()
    no, yes = (computed(model, pixels, "cam", name) for name in ("no", "yes"))
    torch.testing.assert_close(no, -yes)
    with torch.no_grad():
        features = module.rectify(module.second(module.rectify(module.first(model.inputs(pixels)))))
    torch.testing.assert_close(
        yes[0], (module.head.weight[0].detach()[:, None, None] * features[0]).sum(0)
    )


def test_cam_is_for_classes_at_the_layer_before_the_pooling() -> None:
    model = cw.wrap(Rectified("module"), plain())
    pixels = np.zeros((16, 16, 3), np.uint8)
    with pytest.raises(MethodError, match="CAM explains classes, not.*gradcam"):
        cw.explain(model, pixels, lambda z: z[:, 0], "cam")
    with pytest.raises(MethodError, match="before the pooling.*For 'first' use 'gradcam'"):
        cw.explain(model, pixels, 0, "cam", "first")


def test_random_is_noise_of_the_layers_size() -> None:
    model = cw.wrap(Rectified(), plain())
    maps = computed(model, torch.rand(2, 3, 16, 20), "random")
    layer = model.default_layer
    height, width = (8, 10)
    assert layer and maps.shape == (2, height, width) and torch.equal(maps[0], maps[1])
    generator = torch.Generator().manual_seed(height * 65537 + width)
    torch.testing.assert_close(maps[0], torch.rand((height, width), generator=generator))


def test_center_is_a_gaussian_of_a_quarter_of_each_side() -> None:
    model = cw.wrap(Rectified(), plain())
    maps = computed(model, torch.rand(2, 3, 16, 20), "center")
    height, width = (8, 10)
    # Of each cell the distance of its middle from the picture's, in sides of the picture.
    y, x = np.mgrid[:height, :width] + 0.5
    squared = (y / height - 0.5) ** 2 + (x / width - 0.5) ** 2
    expected = np.exp(-squared / (2 * 0.25**2))
    np.testing.assert_allclose(maps, np.stack([expected, expected]), rtol=1e-6)


def test_each_noisy_copy_has_noise_of_its_own() -> None:
    pixels = torch.zeros(1, 3, 4, 4)
    draws = [
        averaged_gradients._unit_noise(pixels, seed, n)
        for seed, n in ((0, 0), (0, 1), (1, 0), (2**40, 5))
    ]
    assert len({grain.numpy().tobytes() for grain in draws}) == 4
    assert torch.equal(averaged_gradients._unit_noise(pixels, 0, 1), draws[1])
