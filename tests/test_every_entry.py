"""Smoke test of each method, metric and embedded model on one picture, for the quick lane."""

from __future__ import annotations

import numpy as np
import pytest

import camwidget as cw
from camwidget import zoo
from camwidget.models.detection_model import DetectionModel

#: Few passes for each method that runs the model again.
SETTINGS = {
    "rise": {"masks": 60},
    "part-occlusion": {"parts": 8},
    "kernelshap": {"parts": 6},
    "occlusion": {"window": 48, "stride": 24},
    "integrated-gradients": {"steps": 8},
    "smoothgrad": {"samples": 3},
}
SAMPLE = zoo.samples("zoo/textures")[0]


def quiet(done: int, total: int) -> None:
    """No bar."""


@pytest.fixture(scope="module")
def pair(textures: cw.VisionModel) -> list[cw.Explanation]:
    """Two maps: some metrics compare them."""
    return list(cw.explain(textures, SAMPLE.image, SAMPLE.label, ["gradcam", "layercam"]))


@pytest.mark.parametrize("name", [method.name for method in cw.list_methods()])
def test_a_method(textures: cw.VisionModel, transformer: cw.VisionModel, name: str) -> None:
    method = cw.get_method(name, **SETTINGS.get(name, {}))
    model, label = (transformer, 1) if method.group == "Attention" else (textures, SAMPLE.label)
    exp = cw.explain(model, SAMPLE.image, label, method, progress=quiet)
    assert exp.saliency.shape == exp.pixels.shape[:2] and exp.saliency.dtype == np.float32
    assert exp.saliency.min() >= 0 and 0 < exp.saliency.max() <= 1
    assert np.isfinite(exp.raw).all()


@pytest.mark.parametrize("name", [metric.name for metric in cw.list_metrics()])
def test_a_metric(textures: cw.VisionModel, pair: list[cw.Explanation], name: str) -> None:
    low, high = cw.get_metric(name).range
    for row in cw.measure(textures, SAMPLE, pair, name, label=SAMPLE.label, progress=quiet):
        assert low - 1e-9 <= row[name].value <= high + 1e-9 and not row[name].note


@pytest.mark.parametrize("name", cw.list_models())
def test_a_model(name: str) -> None:
    model = cw.load(name, device="cpu")
    sample = zoo.samples(name)[0]
    if model.prompt is not None and model.prompt.name == "question":
        model = model.given(question=model.prompt.examples[0])
    if isinstance(model, DetectionModel):
        model = model.given(detections=model.detections(sample.image))
    exp = cw.explain(model, sample.image, progress=quiet)
    assert exp.saliency.shape == sample.image.shape[:-1]
    assert not exp.is_empty
