"""Saved pages: their contents equal the kernel's results, and no other file is written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from explorer_internals import display_of
from PIL import Image
from saved_page import SavedPage

import camwidget as cw
from camwidget.attribution.methods import get_method
from camwidget.errors import CamwidgetError, LayerError, MethodError, TargetError
from camwidget.export import save_index, save_page
from camwidget.export.html_document import script_json
from camwidget.export.quantized_maps import FINE_STEPS, STEPS, quantize_map
from camwidget.export.selection import choose_classes, choose_layers, choose_methods
from camwidget.widget import Explorer

HOSTILE = "</script><script>alert(1)</script><!-- ${x} \u2028 javascript:alert(1) \" ' & \udcff"


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.fromarray(np.asarray(cw.zoo.samples("zoo/textures")[0].image))


@pytest.fixture(scope="module")
def page(
    textures: cw.VisionModel, picture: Image.Image, tmp_path_factory: pytest.TempPathFactory
) -> SavedPage:
    """Three classes, two methods at two layers, and all ways of masking."""
    file = tmp_path_factory.mktemp("page") / "page.html"
    saved = save_page(
        textures,
        picture,
        file,
        classes=3,
        methods=["gradcam", "layercam", "saliency"],
        layers=[textures.default_layer, textures.layers[0].name],
        modes=["keep", "multiply"],
        baselines=["black"],
        steps=5,
    )
    assert saved.path == file
    return SavedPage(file)


def test_curves_are_the_models(
    page: SavedPage, textures: cw.VisionModel, picture: Image.Image
) -> None:
    classes = [c["index"] for c in page.data["classes"]]
    layer = textures.default_layer
    for target in classes[:2]:
        explanation = cw.explain(textures, picture, target, "layercam", layer)
        grid = page.grid(target, "layercam", layer)
        for mode, baseline in (("remove", "blur"), ("keep", "black")):
            curve = cw.mask_curve(
                textures, picture, explanation, target, mode, baseline, steps=5, spacing="quadratic"
            )
            found = page.curve(grid, f"{mode} {baseline}")
            assert np.abs(found - curve.probabilities[:, classes]).max() < 2e-4
        change = cw.confidence_change(textures, picture, explanation, target)
        column = classes.index(target)
        assert page.curve(grid, "multiply")[0, column] == pytest.approx(change.after, abs=2e-4)


def test_small_maps_are_exact(
    page: SavedPage, textures: cw.VisionModel, picture: Image.Image
) -> None:
    target = page.data["first"]["target"]
    explanation = cw.explain(textures, picture, target, "gradcam")
    grid = page.grid(target, "gradcam", textures.default_layer)
    assert not grid["rounded"]
    assert np.array_equal(page.cells(grid), np.maximum(explanation.raw, 0))
    found = cw.localize(explanation)
    assert found is not None and grid["box"] == list(found.box)


def test_large_maps_mask_as_they_are_rounded(
    page: SavedPage, textures: cw.VisionModel, picture: Image.Image
) -> None:
    target = page.data["first"]["target"]
    classes = [c["index"] for c in page.data["classes"]]
    for method, layer in (
        ("gradcam", textures.layers[0].name),
        ("saliency", textures.default_layer),
    ):
        grid = page.grid(target, method, layer)
        assert grid["rounded"]
        explanation = cw.explain(textures, picture, target, method, layer)
        own = quantize_map(explanation, get_method(method))
        steps = FINE_STEPS if method == "saliency" else STEPS
        assert np.array_equal(own.cells, page.cells(grid)) and own.cells.max() == steps
        assert (grid["knee"] is None) == (method == "gradcam")
        size = explanation.saliency.shape
        assert np.abs(own.saliency(size) - explanation.saliency).max() <= 1 / STEPS
        curve = cw.mask_curve(
            textures, picture, own.saliency(size), target, steps=5, spacing="quadratic"
        )
        assert (
            np.abs(page.curve(grid, "remove blur") - curve.probabilities[:, classes]).max() < 2e-4
        )


def test_equal_maps_are_there_once(page: SavedPage) -> None:
    at_picture = [grid for _, _, place, grid in page.data["maps"] if place == -1]
    assert len(at_picture) == len(page.data["classes"])
    cells = [tuple(g["cells"]) for g in page.data["grids"]]
    assert len(set(cells)) == len(cells)


def test_a_range_is_counted_from_its_minimum(textures: cw.VisionModel, noise: torch.Tensor) -> None:
    rise = get_method("rise", masks=8)
    explanation = cw.explain(textures, noise, method=rise)
    own = quantize_map(explanation, rise)
    assert (
        np.abs(own.saliency(explanation.saliency.shape) - explanation.saliency).max() <= 1 / STEPS
    )


def test_the_policy_allows_its_own_blocks_only(page: SavedPage) -> None:
    directives = dict(d.split(" ", 1) for d in page.policy.split("; "))
    assert directives["default-src"] == "'none'" and "unsafe" not in page.policy
    assert [directives["script-src"]] == [f"'{h}'" for h in page.hashes("script")]
    assert [directives["style-src"]] == [f"'{h}'" for h in page.hashes("style")]
    assert directives["img-src"] == "data:"
    for word in ("http:", "https:", "<script src", "<img", "@import", "url("):
        # A name, and a pattern in the page itself.
        own = page.html.replace("http://www.w3.org/2000/svg", "").replace("url(#", "")
        assert word not in own


def test_names_end_nothing(textures: cw.VisionModel, picture: Image.Image, tmp_path: Path) -> None:
    classes = [f"{HOSTILE} {i}" for i in range(len(textures.classes))]
    model = cw.wrap(textures.module, textures.preprocess, classes, name=HOSTILE)
    file = tmp_path / "page.html"
    save_page(
        model,
        picture,
        file,
        methods="gradcam",
        layers=model.default_layer,
        steps=2,
        name=HOSTILE,
        title=HOSTILE,
    )
    saved = SavedPage(file)
    assert len(saved.hashes("script")) == 1 and saved.html.count("<script") == 2
    assert saved.html.count("</script") == 2 and "<!--" not in saved.html
    assert saved.data["classes"][0]["name"].startswith(HOSTILE.replace("\udcff", "?"))


def test_json_in_a_script() -> None:
    text = script_json({"a": "</script>&\u2028\u2029<!--"})
    assert text.isascii() and not set("<>&") & set(text)
    with pytest.raises(ValueError):
        script_json(float("nan"))


def test_nothing_is_overwritten(
    textures: cw.VisionModel,
    picture: Image.Image,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "page.html"
    file.write_text("mine")

    def report(done: int, total: int) -> None:
        raise AssertionError("nothing is computed")

    with pytest.raises(FileExistsError, match=r"page\.html.*overwrite=True"):
        save_page(textures, picture, tmp_path / "page", progress=report)
    assert file.read_text() == "mine"
    save_page(
        textures,
        picture,
        file,
        methods="gradcam",
        layers=textures.default_layer,
        steps=2,
        overwrite=True,
    )
    assert SavedPage(file).data["model"] == textures.name
    with pytest.raises(CamwidgetError, match=r"\.html"):
        save_page(textures, picture, tmp_path / "page.png")
    with pytest.raises(FileNotFoundError, match="make it first"):
        save_page(textures, picture, tmp_path / "no" / "page.html")
    for folder in (tmp_path, Path()):
        with pytest.raises(IsADirectoryError, match="Name a file in it"):
            save_page(textures, picture, folder)
    with monkeypatch.context() as patch:

        def refuse(**options: Any) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        patch.setattr(tempfile, "TemporaryFile", refuse)
        with pytest.raises(PermissionError, match="Read-only.*Name another folder"):
            save_page(textures, picture, tmp_path / "other", progress=report)
    long = "图" * 82  # with its suffix 251 bytes, of 255 that there may be
    quick = {"methods": "gradcam", "layers": textures.default_layer}
    numbers = {"target": np.int64(1), "classes": np.int64(2), "steps": np.int64(2)}
    assert save_page(textures, picture, tmp_path / long, **quick, **numbers).path.is_file()


def test_a_canceled_page_leaves_nothing(
    textures: cw.VisionModel, picture: Image.Image, tmp_path: Path
) -> None:
    def cancel(done: int, total: int) -> None:
        if done > 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_page(textures, picture, tmp_path / "page.html", steps=9, progress=cancel)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["link", "replace"])
def test_somebody_who_is_faster_keeps_the_name(
    textures: cw.VisionModel,
    picture: Image.Image,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    """A file that comes between the last look and the writing is not replaced."""
    file = tmp_path / "page.html"
    function = getattr(os, step)

    def late(source: Path, target: Path) -> None:
        file.write_text("theirs")
        function(source, target)

    monkeypatch.setattr(os, step, late)
    options = {"methods": "gradcam", "layers": textures.default_layer, "steps": 2}
    if step == "link":
        with pytest.raises(FileExistsError, match="Choose another name"):
            save_page(textures, picture, file, **options)
        assert file.read_text() == "theirs"
    else:  # it is asked for
        save_page(textures, picture, file, **options, overwrite=True)
        assert SavedPage(file).data
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_is_refused(
    textures: cw.VisionModel, picture: Image.Image, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    for error, options in (
        (TargetError, {"target": "no such class"}),
        (TargetError, {"classes": []}),
        (CamwidgetError, {"classes": 0}),
        (MethodError, {"methods": ["nono"]}),
        (MethodError, {"method": "cam", "layer": textures.layers[0].name}),
        (LayerError, {"layers": ["nono"]}),
        (CamwidgetError, {"mode": "hide"}),
        (CamwidgetError, {"baselines": ["white"]}),
        (CamwidgetError, {"steps": 1}),
        (CamwidgetError, {"fraction": 1.5}),
    ):
        with pytest.raises(error):
            save_page(textures, picture, file, **options)  # type: ignore[arg-type]
    assert not file.exists()


def test_classes(textures: cw.VisionModel) -> None:
    count = len(textures.classes)
    whole = np.linspace(0.2, 0.1, count)
    assert choose_classes(textures, whole, None, 3) == ((0, 1, 2), 0)
    assert choose_classes(textures, whole, count - 1, 3) == ((0, 1, count - 1), count - 1)
    assert choose_classes(textures, whole, [4, 1], 2) == ((1, 4), 4)
    assert choose_classes(textures, whole, [4, 3], 3) == ((0, 3, 4), 4)
    assert choose_classes(textures, whole, None, [3, textures.classes[2]]) == ((2, 3), 3)
    assert choose_classes(textures, whole, None, 3 * count)[0] == tuple(range(count))


def test_layers_and_methods(random_model: Callable[..., cw.VisionModel]) -> None:
    model = random_model("resnet18")
    layers, shown = choose_layers(model, None, None)
    assert shown == model.default_layer and layers == (
        "relu",
        "layer1",
        "layer2",
        "layer3",
        "layer4",
    )
    assert choose_layers(model, "layer1", None)[1] == "layer1"
    every = tuple(x.name for x in model.layers)
    assert choose_layers(model, None, "all") == (every, model.default_layer)
    assert choose_layers(model, "conv1", ["layer3"]) == (("conv1", "layer3"), "conv1")
    methods, first = choose_methods(model, "layer4", None, None)
    assert [m.name for m in methods] == [
        "cam",
        "gradcam",
        "gradcam++",
        "layercam",
    ] and first.name == "gradcam"
    methods, first = choose_methods(model, "layer2", "eigencam", None)
    assert "cam" not in [m.name for m in methods] and len(methods) == 4 and first.name == "eigencam"


@pytest.mark.full
def test_size(
    random_model: Callable[..., cw.VisionModel], noise: torch.Tensor, tmp_path: Path
) -> None:
    """Five classes, four methods, a layer of every resolution at 224²; maps of random weights deflate badly."""
    file = tmp_path / "page.html"
    save_page(random_model("resnet18"), noise, file, steps=2)
    page = SavedPage(file)
    assert (len(page.data["classes"]), len(page.data["methods"]), len(page.data["layers"])) == (
        5,
        4,
        5,
    )
    # Two points are here, of twenty-one that are usual: ten bytes each, in base64, not deflated.
    curves = len(page.data["grids"]) * 19 * 10 * 4 / 3
    assert file.stat().st_size + curves <= 1_000_000


def test_the_explorer_saves_what_it_shows(
    textures: cw.VisionModel, picture: Image.Image, tmp_path: Path
) -> None:
    explorer = Explorer(
        textures,
        {"my picture": picture},
        target=5,
        method="layercam",
        baseline="mean",
        fraction=0.3,
        box_threshold=0.4,
    )
    try:
        path = explorer.save(tmp_path / "page", steps=3, layers=[textures.default_layer])
        page = SavedPage(path)
        found = cw.localize(explorer.explanation, 0.4)
        shown = page.grid(5, "layercam", textures.default_layer)
        assert found is not None and shown["box"] == list(found.box)
        assert page.data["first"] == {
            "target": 5,
            "stance": {"kind": "for", "other": -1},
            "method": "layercam",
            "layer": textures.default_layer,
            "mode": "remove",
            "baseline": "mean",
            "fraction": 0.3,
            "frame": 0,
            "box_threshold": 0.4,
            "about": "score",
        }
        assert [c["index"] for c in page.data["classes"]] == display_of(explorer).row_classes
        assert "<bdi>my picture</bdi>" in page.html
        with pytest.raises(FileExistsError):
            explorer.save(path)
    finally:
        explorer.close()


def test_a_text_is_said(tmp_path: Path) -> None:
    model = cw.load("zoo/vqa", device="cpu")
    assert model.prompt is not None
    question = model.prompt.examples[1]
    model = model.given(question=question)
    image = cw.zoo.samples(model.name)[0].image
    save_page(
        model, image, tmp_path / "page", layers=[model.default_layer], methods="gradcam", steps=2
    )
    page = SavedPage(tmp_path / "page.html")
    assert f"<dt>Question</dt><dd><bdi>{question}</bdi></dd>" in page.html


def test_an_index_links_by_what_files_are_called(
    textures: cw.VisionModel, picture: Image.Image, tmp_path: Path
) -> None:
    name = "javascript:alert(1)?#<b>&\"'%41"
    saved = save_page(
        textures,
        picture,
        tmp_path / f"{name}.html",
        name=f"{name}.png",
        methods="gradcam",
        layers=textures.default_layer,
        steps=2,
    )
    index = SavedPage(save_index([saved], tmp_path / "index.html", title=HOSTILE))
    assert 'href="./javascript%3Aalert%281%29%3F%23%3Cb%3E%26%22%27%2541.html"' in index.html
    assert (
        "<script" not in index.html
        and "<b>" not in index.html
        and "script-src 'none'" in index.policy
    )
    assert f"{saved.explanation.target.label} {saved.probability:.2f}" in index.html


@pytest.mark.full
def test_no_widget_is_needed() -> None:
    code = "import sys, camwidget.export, camwidget.cli; assert not {'ipywidgets', 'bqplot'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
