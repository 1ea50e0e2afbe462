"""Max-sensitivity and continuity, compared with Quantus."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch

import camwidget as cw
from camwidget import zoo
from camwidget.errors import MetricError
from camwidget.metrics import MetricContext, ScoredPicture


@pytest.fixture(scope="module")
def scenes() -> cw.VisionModel:
    return cw.load("zoo/scenes", device="cpu")


SAMPLE = zoo.samples("zoo/scenes")[0]


NAMES = ["max-sensitivity", "continuity"]


def measured(
    model: cw.VisionModel, e: Any, seed: int = 0, name: str = "max-sensitivity", **settings: Any
) -> float:
    metric = cw.get_metric(name, **settings)
    score = cw.measure(model, SAMPLE, e, metric, seed=seed, progress=lambda *_: None)[name]
    assert not score.note
    return score.value


def noisy_copies(model: cw.VisionModel, samples: int, radius: float, seed: int) -> torch.Tensor:
    pixels = model.preprocess.pixels(SAMPLE.image)
    subject = ScoredPicture(model, pixels, torch.zeros(0), MetricContext(seed=seed))
    noise = torch.rand((samples, *pixels.shape), generator=subject.generator("noisy copies"))
    return (pixels + (2 * noise - 1) * radius).clamp(0, 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("method", "layer"), [("gradcam", "stage3"), ("layercam", "stage2"), ("saliency", None)]
)
def test_as_quantus_has_it(
    scenes: cw.VisionModel, method: str, layer: str | None, name: str
) -> None:
    """Its local Lipschitz estimate has settings for both norms: those of Montavon et al. make it continuity."""
    quantus = pytest.importorskip("quantus")
    samples, radius, seed = 4, 0.05, 2
    copies = iter(noisy_copies(scenes, samples, radius, seed))
    e = cw.explain(scenes, SAMPLE.image, SAMPLE.label, method, layer)
    assert isinstance(e, cw.Explanation)

    def again(model: object, inputs: Any, targets: Any, **_: Any) -> np.ndarray:
        pixels = torch.as_tensor(np.asarray(inputs), dtype=torch.float32)
        maps = [
            cw.explain(scenes, p, int(t), method, layer)
            for p, t in zip(pixels, targets, strict=True)
        ]
        return np.stack([m.saliency for m in maps])[:, None]  # type: ignore[union-attr]

    kind, norms = quantus.MaxSensitivity, {}
    if name == "continuity":
        kind = quantus.LocalLipschitzEstimate
        norms = {
            "norm_numerator": lambda a, b: np.abs(a - b).sum(),
            "norm_denominator": lambda a, b: np.linalg.norm((a - b).ravel()),
        }
    metric = kind(
        **norms,
        nr_samples=samples,
        abs=False,
        normalise=False,
        disable_warnings=True,
        perturb_func=lambda arr, indices, **_: next(copies).flatten()[None].numpy(),
    )
    (expected,) = metric(
        model=scenes.module,
        x_batch=scenes.preprocess.pixels(SAMPLE.image)[None].numpy(),
        y_batch=np.array([SAMPLE.label]),
        a_batch=e.saliency[None, None].copy(),
        explain_func=again,
        device="cpu",
    )
    value = measured(scenes, e, seed, name, samples=samples, radius=radius)
    assert value > 1e-3
    assert value == pytest.approx(float(expected), rel=1e-4)


def test_more_noise_and_more_copies_find_more(scenes: cw.VisionModel) -> None:
    e = cw.explain(scenes, SAMPLE.image, SAMPLE.label, "layercam")
    values = [measured(scenes, e, radius=r) for r in (0, 0.01, 0.05, 0.2)]
    assert values == sorted(values) and values[0] < 1e-5 < values[1]
    assert measured(scenes, e, samples=20) >= 0.9 * measured(scenes, e, samples=2)
    assert measured(scenes, e) == measured(scenes, e) != measured(scenes, e, seed=1)


@pytest.mark.parametrize("name", NAMES)
def test_a_map_that_heeds_nothing_is_perfectly_continuous(
    scenes: cw.VisionModel, name: str
) -> None:
    e = cw.explain(scenes, SAMPLE.image, SAMPLE.label, "random")
    assert measured(scenes, e, name=name) == 0


def test_both_have_the_same_noise(scenes: cw.VisionModel) -> None:
    """The noisy copies are explained once."""
    e = cw.explain(scenes, SAMPLE.image, SAMPLE.label)
    passes: list[int] = []
    handle = scenes.module.register_forward_pre_hook(lambda _, args: passes.append(len(args[0])))
    try:
        cw.measure(scenes, SAMPLE, e, NAMES, progress=lambda *_: None)
    finally:
        handle.remove()
    assert sum(passes) == 10 + 1  # and the picture


def test_without_noise_there_is_no_continuity(scenes: cw.VisionModel) -> None:
    e = cw.explain(scenes, SAMPLE.image, SAMPLE.label)
    metric = cw.get_metric("continuity", radius=0)
    score = cw.measure(scenes, SAMPLE, e, metric, progress=lambda *_: None)["continuity"]
    assert np.isnan(score.value) and "equals the picture" in score.note


def test_the_map_is_made_anew_with_its_own_settings(scenes: cw.VisionModel) -> None:
    """Integrated gradients of 2 steps is another map than one of 32."""
    method = cw.get_method("integrated-gradients", steps=2)
    e = cw.explain(scenes, SAMPLE.image, SAMPLE.label, method)
    assert isinstance(e, cw.Explanation) and e.options == (("steps", 2),)
    assert measured(scenes, e, radius=0) == pytest.approx(0, abs=1e-5)


def test_an_explanation_takes_its_settings_along(scenes: cw.VisionModel) -> None:
    for name in ("finercam", "smoothgrad(gradcam)", "rise"):
        method = cw.get_method(name, **({"masks": 4} if name == "rise" else {}))
        e = cw.explain(scenes, SAMPLE.image, 0, method, progress=lambda *_: None)
        copy = pickle.loads(pickle.dumps(e))
        assert copy.options == e.options == method.options  # type: ignore[union-attr]


@pytest.mark.parametrize("name", NAMES)
def test_settings_that_make_no_sense(scenes: cw.VisionModel, name: str) -> None:
    e = cw.explain(scenes, SAMPLE.image, SAMPLE.label)
    for settings in ({"samples": 0}, {"samples": 1.5}, {"radius": -1}, {"radius": 2}):
        with pytest.raises(MetricError, match=next(iter(settings))):
            measured(scenes, e, name=name, **settings)
