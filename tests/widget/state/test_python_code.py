"""The code of an explorer is run: it shows the same state, and computes the same bits."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import torchvision
from explorer_internals import view_of
from PIL import Image

import camwidget as cw
from camwidget import zoo

pytestmark = pytest.mark.usefixtures("one_thread")

Closer = Callable[[cw.Explorer], cw.Explorer]


@pytest.fixture
def closing() -> Iterator[Closer]:
    """Explorers, once they have rested, that are closed at the end."""
    made: list[cw.Explorer] = []

    def rest(explorer: cw.Explorer) -> cw.Explorer:
        made.append(explorer)
        return explorer.wait(60)

    yield rest
    for explorer in made:
        explorer.close()


def run(explorer: cw.Explorer, closing: Closer) -> dict[str, Any]:
    """What the code of an explorer makes; checked against the explorer."""
    explorer.wait(60)
    assert view_of(explorer).code == explorer.code, "the browser has it when all is shown"
    scope: dict[str, Any] = {}
    exec(compile(explorer.code, "<code>", "exec"), scope)
    again = closing(scope["ex"])
    assert again.state == explorer.state
    assert again.explanation.saliency.tobytes() == explorer.explanation.saliency.tobytes()
    assert scope["exp"].saliency.tobytes() == explorer.explanation.saliency.tobytes()
    assert scope["exp"].title == explorer.explanation.title
    assert again.code == explorer.code, "the code of what it makes is itself"
    return scope


def test_the_default_is_three_lines(closing: Closer) -> None:
    ex = closing(cw.Explorer())
    lines = ex.code.splitlines()
    assert lines[2:5] == [
        "model = cw.load()",
        'images = cw.zoo.samples("zoo/textures")',
        'ex = cw.Explorer(model, images, target="polka-dotted")',
    ]
    assert lines[-1] == 'exp = cw.explain(model, image, "polka-dotted")'
    run(ex, closing)


def test_everything_else_than_the_defaults(closing: Closer, textures: cw.VisionModel) -> None:
    ex = closing(cw.Explorer(textures, zoo.samples("zoo/textures"), top=4))
    ex.state = {
        "picture": 3, "target": "honeycombed", "method": "gradcam++", "layer": "stage3", "fraction": 0.25,
        "mode": "keep", "baseline": "mean", "outlines": True, "boxes": True, "opacity": 0.4, "colormap": "viridis",
    }  # fmt: skip
    scope = run(ex, closing)
    assert len(view_of(scope["ex"]).rows) == 4
    assert 'ex.state = {"opacity": 0.4, "colormap": "viridis"}' in ex.code
    said = dict(zip(scope["prediction"].names, scope["prediction"].probabilities, strict=True))
    row = view_of(ex).rows[0]
    assert said[row["name"]] == pytest.approx(view_of(ex).masked[0], abs=1e-6)
    np.testing.assert_allclose(scope["curve"].probability, ex.curve.probability, atol=1e-6)
    assert (scope["curve"].mode, scope["curve"].baseline) == ("keep", "mean")
    ex.mode = "multiply"
    scope = run(ex, closing)
    at = [row["name"] for row in view_of(ex).rows].index("honeycombed")
    assert scope["change"].after == pytest.approx(view_of(ex).masked[at], abs=1e-6)


@pytest.mark.parametrize(
    ("target", "mode"),
    [
        ("honeycombed", "remove"),
        ("crosshatched", "multiply"),
        pytest.param("crosshatched", "remove", marks=pytest.mark.full),
        pytest.param("honeycombed", "multiply", marks=pytest.mark.full),
    ],
)
def test_paint_comes_with_every_kind_of_mask(
    closing: Closer, textures: cw.VisionModel, target: str, mode: str
) -> None:
    ex = closing(cw.Explorer(textures, zoo.samples("zoo/textures"), target=target, mode=mode))
    ex.fraction = 0.3
    scope = run(ex, closing)
    assert ex.explanation.is_empty == (target == "crosshatched"), "which masks nothing then"
    assert bool(view_of(ex).masked) == bool({"prediction", "change"} & set(scope))
    ex.mask = np.tri(192, dtype=np.int8) - 2 * np.tri(192, k=-90, dtype=np.int8)
    scope = run(ex, closing)
    said = dict(zip(scope["prediction"].names, scope["prediction"].probabilities, strict=True))
    rows = zip(view_of(ex).rows, view_of(ex).masked, strict=True)
    both = {row["name"]: value for row, value in rows if row["name"] in said}
    assert both and {name: said[name] for name in both} == pytest.approx(both, abs=1e-6)


@pytest.mark.full
def test_what_comes_of_numpy_is_written_as_pythons(
    closing: Closer, textures: cw.VisionModel
) -> None:
    ex = closing(cw.Explorer(textures, zoo.samples("zoo/textures")))
    ex.fraction, ex.method = np.linspace(0, 1, 5)[1], np.array(["cam"])[0]
    ex.compare = {"method": np.array(["layercam"])[0], "picture": np.int64(1)}
    ex.state = {"opacity": np.float64(0.5)}
    run(ex, closing)
    assert "np." not in repr(ex.state)


@pytest.mark.parametrize("name", ["zoo/vqa", "zoo/captions", "zoo/scenes-weak"])
def test_other_models_and_their_texts(name: str, closing: Closer) -> None:
    ex = closing(cw.Explorer(cw.load(name, device="cpu")))
    ex.picture = 2
    ex.wait(60)
    ex.target = ex.model.classes[-1]
    scope = run(ex, closing)
    assert ("prompted" in scope) == (ex.model.prompt is not None)


@pytest.mark.full
def test_files_and_weights(
    closing: Closer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names with quotes, backslashes and line breaks are written so that they are read again."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    module = torchvision.models.squeezenet1_1(weights=None, num_classes=3)
    weights = tmp_path / 'w "1".safetensors'
    safetensors.torch.save_file(module.state_dict(), weights)
    classes = ["it's", 'a "b"\\', "new\nline"]
    model = cw.load("squeezenet1_1", weights=weights, classes=classes, device="cpu")
    paths = [Path("it's.png"), Path('a "b"\n\\.png')]
    for path, sample in zip(paths, zoo.samples("zoo/textures"), strict=False):
        Image.fromarray(sample.image).save(path)
    ex = closing(cw.Explorer(model, paths, picture=1, target="new\nline", method="cam"))
    scope = run(ex, closing)
    assert scope["model"].classes == tuple(classes)
    mapping = closing(
        cw.Explorer(model, {"one": paths[0], 'tw"o': str(paths[1])}, target=classes[1])
    )
    again = run(mapping, closing)
    assert [p.name for p in again["ex"].pictures] == ["one", 'tw"o']
    alone = closing(cw.Explorer(model, paths[0], target=0))
    run(alone, closing)
    assert 'images = "it\'s.png"' in alone.code


def test_folders(closing: Closer, textures: cw.VisionModel, tmp_path: Path) -> None:
    for i, sample in enumerate(zoo.samples("zoo/textures")[:3]):
        Image.fromarray(sample.image).save(tmp_path / f"{i}.png")
    ex = closing(cw.Explorer(textures, tmp_path, picture=1))
    scope = run(ex, closing)
    assert scope["images"] == str(tmp_path) and scope["image"] == str(tmp_path / "1.png")


@pytest.mark.full
def test_samples_are_known_wherever_they_are(
    closing: Closer, textures: cw.VisionModel, tmp_path: Path
) -> None:
    samples = zoo.samples("zoo/textures")
    Image.fromarray(samples[0].image[::-1].copy()).save(tmp_path / "mine.png")
    ex = closing(cw.Explorer(textures))
    ex.add(tmp_path / "mine.png")
    scope = run(ex, closing)
    assert len(scope["ex"].pictures) == 9 and scope["image"] == str(tmp_path / "mine.png")
    some = closing(
        cw.Explorer(textures, [samples[5], tmp_path / "mine.png", samples[2].image], picture=2)
    )
    scope = run(some, closing)
    np.testing.assert_array_equal(scope["image"], samples[2].image)


def test_what_only_its_owner_has_is_said(closing: Closer, textures: cw.VisionModel) -> None:
    """It is Python still, with ``...`` where something has to be put."""
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, stride=8),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 2),
    )
    pictures = [torch.rand(3, 48, 48), np.zeros((30, 40, 3), np.uint8), Image.new("RGB", (50, 40))]
    own = closing(cw.Explorer(cw.wrap(module), pictures, picture=1))
    ast.parse(own.code)
    assert "model = cw.wrap(module, ...)  # your own module: Sequential" in own.code
    for told in (
        "0, a tensor of 3 × 48 × 48",
        "1, an array of 30 × 40 × 3",
        "2, a PIL image of 50 × 40",
    ):
        assert f"    ...,  # picture {told}: put it here" in own.code
    assert "image = images[1]" in own.code
    scope: dict[str, Any] = {"cw": cw, "module": module}
    filled = own.code.replace("cw.wrap(module, ...)", "cw.wrap(module)")
    filled = filled.replace("images = [", "images = given\nunused = [")
    exec(filled, scope | {"given": pictures}, scope)
    assert closing(scope["ex"]).state == own.state
    np.testing.assert_array_equal(scope["exp"].saliency, own.explanation.saliency)

    ex = closing(cw.Explorer(textures, pictures[1]))
    stream = (Path(zoo.__file__).parent / "__init__.py").read_bytes()
    assert "images = ...  # picture 0, an array of 30 × 40 × 3: put it here" in ex.code
    with pytest.raises(cw.CamwidgetError):
        ex.add(stream, "no.png")
    many = closing(cw.Explorer(textures, torch.rand(61, 3, 32, 32)))
    ast.parse(many.code)
    assert "images = ...  # your own 61 pictures" in many.code and len(many.code) < 500
    none = closing(cw.Explorer(textures, []))
    exec(none.code, {})
    assert view_of(none).code == none.code


def test_names_in_comments_end_no_line(closing: Closer, textures: cw.VisionModel) -> None:
    import io

    stream = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(stream, "PNG")
    ex = closing(cw.Explorer(textures))
    ex.add(stream.getvalue(), "x.png\nimport os")
    ex.wait(30)
    tree = ast.parse(ex.code)
    assert sum(isinstance(node, ast.Import) for node in ast.walk(tree)) == 1
    assert r'the file "x.png\nimport os"' in ex.code


def test_models_remember_how_they_were_made(textures: cw.VisionModel) -> None:
    assert textures.origin is not None
    assert (textures.origin.maker, textures.origin.name, textures.origin.device) == (
        "load",
        "zoo/textures",
        "cpu",
    )
    asked = cw.load("zoo/vqa", device="cpu")
    assert asked.given(question="what color is the star").origin == asked.origin
    renamed = cw.load(classes=[f"c{i}" for i in range(10)])
    assert renamed.origin is not None and renamed.origin.classes == renamed.classes
    assert renamed.origin.device is None
