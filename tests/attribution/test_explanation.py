"""``Explanation`` and ``Explanations``: selection, averages, figures and saved files."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import camwidget as cw
from camwidget import zoo
from camwidget.attribution.explaining import saliency_maps, scale_saliency


def test_one_or_many(textures: cw.VisionModel, noise: torch.Tensor) -> None:
    one = cw.explain(textures, noise)
    assert isinstance(one, cw.Explanation)
    assert one.saliency.shape == (224, 224) and one.saliency.dtype == np.float32
    assert one.saliency.min() >= 0 and one.saliency.max() == pytest.approx(1)
    assert one.raw.shape == (14, 14), "224 / 16"
    assert one.target.label == one.prediction.names[0]
    many = cw.explain(textures, noise, target=["lined", 3], method=["cam", "gradcam"], layer=[None])
    assert [(e.target.label, e.method) for e in many] == [
        ("lined", "cam"),
        ("lined", "gradcam"),
        (textures.classes[3], "cam"),
        (textures.classes[3], "gradcam"),
    ]
    assert len(many.select(target="lined")) == 2 and len(many[1:]) == 3
    with pytest.raises(cw.CamwidgetError, match="empty"):
        cw.explain(textures, noise, target=[])


def test_maps_are_upsampled_from_the_middles_of_their_cells() -> None:
    """A cell covers its part of the picture: where it ends, half of it and half of the next count."""
    (up,) = saliency_maps(torch.tensor([[[0.0, 2.0]]]), (2, 4))
    assert up.tolist() == [[0, 0.25, 0.75, 1]] * 2
    (down,) = saliency_maps(torch.tensor([[[0.0], [4.0], [1.0]]]), (6, 1))
    np.testing.assert_allclose(down.ravel() * 3.25, [0, 1, 3, 3.25, 1.75, 1], atol=1e-6)


def test_only_the_positive_part_of_a_map_is_shown() -> None:
    """It is taken before upsampling, and divided by each map's own maximum."""
    maps = torch.tensor([[[-8.0, 2.0]], [[-1.0, -3.0]], [[0.5, 0.25]]])
    found = saliency_maps(maps, (1, 4))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(
        found[:, 0], [[0, 0.25, 0.75, 1], [0] * 4, [1, 0.875, 0.625, 0.5]], atol=1e-7
    )
    between = saliency_maps(maps, (1, 2), "range")
    np.testing.assert_allclose(between[:, 0], [[0, 1], [1, 0], [1, 0]], atol=1e-7)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_maps_that_are_not_finite_are_refused(bad: float) -> None:
    maps = torch.tensor([[[0.0, 1.0]], [[0.0, bad]]])
    with pytest.raises(cw.CamwidgetError, match="precision='fp32'"):
        scale_saliency(maps, (1, 2))


def test_the_peak_is_in_an_object_of_the_class(textures: cw.VisionModel) -> None:
    """On pictures of two to four objects, from seeds that nothing was trained on."""
    hits: dict[str, list[bool]] = {"cam": [], "gradcam": [], "gradcam++": []}
    for seed in range(60_000, 60_060):
        sample = zoo.textures.draw(seed, "multiple")
        for exp in cw.explain(textures, sample.image, sorted(set(sample.labels)), list(hits)):
            y, x = np.unravel_index(exp.saliency.argmax(), exp.saliency.shape)
            hits[exp.method].append(sample.mask_of(exp.target.index)[y, x])
    assert all(np.mean(found) >= 0.9 for found in hits.values()), hits


def test_random_is_a_control(textures: cw.VisionModel, noise: torch.Tensor) -> None:
    first, again = (cw.explain(textures, noise, t, "random") for t in (1, 2))
    np.testing.assert_array_equal(first.raw, again.raw)
    assert first.raw.shape == (14, 14)
    real = cw.explain(textures, noise, 1)
    assert abs(np.corrcoef(first.saliency.ravel(), real.saliency.ravel())[0, 1]) < 0.5


def test_names_of_methods_are_helped(textures: cw.VisionModel, noise: torch.Tensor) -> None:
    with pytest.raises(cw.CamwidgetError, match=r"Did you mean 'gradcam"):
        cw.explain(textures, noise, method="grad-cam")


def test_empty_maps_say_so(noise: torch.Tensor) -> None:
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 2),
    )
    torch.nn.init.constant_(module[4].weight, -1.0)
    exp = cw.explain(cw.wrap(module, classes=["yes", "no"]), noise, target="yes")
    assert exp.is_empty and exp.note == "No positive evidence for yes at 1."
    assert not exp.saliency.any()
    np.testing.assert_array_equal(np.asarray(exp.overlay()), exp.pixels)


def test_overlay_leaves_what_is_low_alone(textures: cw.VisionModel, noise: torch.Tensor) -> None:
    exp = cw.explain(textures, noise)
    assert exp.overlay().size == (224, 224)
    plain = np.asarray(exp.overlay(opacity=0))
    np.testing.assert_array_equal(plain, exp.pixels)
    strong = np.asarray(exp.overlay(opacity=1)).astype(int)
    low, high = exp.saliency < 0.001, exp.saliency > 0.9
    assert np.abs(strong - exp.pixels)[low].max(initial=0) <= 1
    assert np.abs(strong - exp.pixels)[high].mean() > 30


def test_plots(textures: cw.VisionModel, noise: torch.Tensor, tmp_path: Path) -> None:
    import matplotlib.pyplot as plt

    exps = cw.explain(textures, [noise, noise.flip(1)], method=["cam", "gradcam++"])
    figure = exps.plot()
    assert len([a for a in figure.axes if a.images]) == 6, "two pictures, each with two maps"
    figure.savefig(tmp_path / "grid.svg")
    exps[0].plot().savefig(tmp_path / "one.png")
    cw.mask_curve(textures, noise, exps[0].saliency, steps=3).plot().savefig(tmp_path / "curve.png")
    assert plt.get_fignums() == []


def test_save_writes_three_files_once(
    textures: cw.VisionModel, noise: torch.Tensor, tmp_path: Path
) -> None:
    exp = cw.explain(textures, noise)
    paths = exp.save(tmp_path / "result.v1")
    assert [p.name for p in paths] == ["result.v1.npy", "result.v1.png", "result.v1.json"]
    np.testing.assert_array_equal(np.load(paths[0]), exp.saliency)
    assert Image.open(paths[1]).size == (224, 224)
    facts = json.loads(paths[2].read_text())
    assert facts["method"] == "gradcam" and facts["model"] == "zoo/textures"
    paths[0].unlink()
    with pytest.raises(FileExistsError, match="result.v1.png"):
        exp.save(tmp_path / "result.v1.npy")
    assert not paths[0].exists(), "nothing is written when anything would be overwritten"


def test_what_is_saved_says_what_it_is(
    textures: cw.VisionModel, noise: torch.Tensor, tmp_path: Path
) -> None:
    method = cw.get_method("smoothgrad", samples=2)
    exp = cw.explain(textures, noise, "lined", method)
    facts = json.loads(exp.save(tmp_path / "a")[2].read_text())
    assert facts["target"] == {"index": textures.class_index("lined"), "label": "lined"}
    assert (facts["layer"], facts["text"], facts["options"]) == (exp.layer, None, {"samples": 2})
    assert facts["prediction"] == dict(
        zip(exp.prediction.names, exp.prediction.probabilities, strict=True)
    )
    assert facts["saliency"]["shape"] == [224, 224] and facts["saliency"]["range"] == [0, 1]
    assert "a maximum of 1" in facts["saliency"]["meaning"]
    assert set(facts["versions"]) == {"camwidget", "torch", "numpy", "python"}
    assert facts["versions"]["numpy"] == np.__version__
    saved_at = datetime.fromisoformat(facts["date"])
    assert abs((datetime.now().astimezone() - saved_at).total_seconds()) < 3600
    requested = cw.load("zoo/vqa", device="cpu").given(question="what color is the star")
    sample = zoo.samples("zoo/vqa")[0]
    facts = json.loads(cw.explain(requested, sample.image).save(tmp_path / "b")[2].read_text())
    assert facts["text"] == "what color is the star"


def test_settings_without_a_form_in_json_are_saved_as_text(
    textures: cw.VisionModel, noise: torch.Tensor, tmp_path: Path
) -> None:
    odd = (("a", float("inf")), ("b", np.float32(0.5)), ("c", (1, len)), ("d", torch.tensor(1)))
    exp = replace(cw.explain(textures, noise), options=odd)
    options = json.loads(exp.save(tmp_path / "a")[2].read_text(), parse_constant=pytest.fail)[
        "options"
    ]
    assert options == {"a": "inf", "b": 0.5, "c": [1, "len"], "d": "tensor(1)"}


@pytest.mark.parametrize("failing", [".npy", ".png", ".json"])
def test_all_files_are_written_or_none(
    textures: cw.VisionModel,
    noise: torch.Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
) -> None:
    exp = cw.explain(textures, noise)
    written = iter((".npy", ".png", ".json"))

    def full(_: int) -> None:
        if next(written) == failing:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            exp.save(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
    other = tmp_path / f"b{failing}"
    with monkeypatch.context() as patch:  # somebody else is there first
        patch.setattr(Path, "exists", lambda self: False)
        other.write_text("theirs")
        with pytest.raises(FileExistsError):
            exp.save(tmp_path / "b")
    assert [p.name for p in tmp_path.iterdir()] == [other.name] and other.read_text() == "theirs"
    with pytest.raises(FileNotFoundError, match="make it first"):
        exp.save(tmp_path / "no" / "c")


def test_an_average_keeps_settings_that_all_have(
    textures: cw.VisionModel, noise: torch.Tensor
) -> None:
    some = [cw.get_method("smoothgrad", samples=n) for n in (2, 3)]
    maps = cw.explain(textures, noise, 1, some)
    assert maps.average().options == () and maps[:1].average().options == (("samples", 2),)


def test_every_method_is_described() -> None:
    for method in cw.list_methods():
        assert method.label and method.summary.endswith(".") and method.citation and method.needs


def test_scales_keep_the_order_and_fill_the_range() -> None:
    from camwidget.attribution.explaining import scale_saliency

    generator = torch.Generator().manual_seed(0)
    offset = torch.rand((2, 5, 6), generator=generator) + 10
    ranged = scale_saliency(offset, (5, 6), "range")
    assert ranged.min() == 0 and ranged.max() == 1
    assert scale_saliency(offset, (5, 6)).min() > 0.8
    empty = torch.zeros(1, 4, 4)
    for scale in ("maximum", "range"):
        assert not scale_saliency(empty, (8, 8), scale).any()
