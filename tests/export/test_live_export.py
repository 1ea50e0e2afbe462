"""Pages that run the model: the graph in the page computes what PyTorch does; what cannot be exported is refused."""

from __future__ import annotations

import base64
import gzip
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from module_fingerprint import fingerprint
from PIL import Image
from saved_page import SavedPage
from torch import nn

import camwidget as cw
from camwidget.attribution.methods import get_method
from camwidget.cli import main
from camwidget.errors import CamwidgetError, CamwidgetWarning, ModelError
from camwidget.export import live_payload
from camwidget.export.closed_forms import FORWARD_FORMS, GRADIENT_FORMS, closed_form
from camwidget.export.onnx_model import ExportedModel, export_model
from camwidget.models.detection_model import DetectionModel
from camwidget.models.detections import FoundBoxes
from camwidget.models.findings import FindsInPicture, boxes_followed

QUICK = {"classes": 2, "methods": ["gradcam"]}


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    pixels = cw.load(device="cpu").pixels(cw.zoo.samples("zoo/textures")[0].image)[0]
    return pixels


def run(graph: bytes, pixels: torch.Tensor) -> np.ndarray:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(graph)
    found: np.ndarray = session.run(["logits"], {"pixels": pixels[None].numpy()})[0][0]
    return found


def run_all(exported: ExportedModel, pixels: torch.Tensor) -> list[np.ndarray]:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(exported.graph)
    found: list[np.ndarray] = session.run(list(exported.outputs), {"pixels": pixels[None].numpy()})
    return found


def part(page: SavedPage, name: str) -> str:
    found = re.search(
        rf'<script type="text/plain" id="camwidget-{name}">(.*?)</script>', page.html, re.S
    )
    assert found is not None
    return found.group(1)


def test_the_page_has_the_model_and_may_run_nothing_else(
    textures: cw.VisionModel, picture: torch.Tensor, tmp_path: Path
) -> None:
    before = fingerprint(textures.module)
    saved = cw.save_page(
        textures, picture, tmp_path / "page", **QUICK, layers=["stage4"], live=True
    )  # fmt: skip
    assert fingerprint(textures.module) == before
    page = SavedPage(saved.path)
    graph = gzip.decompress(base64.b64decode(part(page, "model")))
    found = torch.from_numpy(run(graph, picture.flip(-1)))
    expected = textures.logits(picture.flip(-1)[None])[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    runtime = gzip.decompress(base64.b64decode(part(page, "runtime")))
    assert runtime.startswith(b"\0asm")
    assert "Microsoft" in part(page, "worker") and "MIT License" in page.html
    # Its own script, WebAssembly, and a worker from a blob; no connection.
    script = page.hashes("script")[-1]
    assert f"script-src '{script}' 'wasm-unsafe-eval';" in page.policy
    assert "default-src 'none'" in page.policy and "worker-src blob:" in page.policy
    assert "connect-src" not in page.policy and "unsafe-inline" not in page.policy
    # The model answers: no curve was computed.
    assert all(grid["curves"] == {} for grid in page.data["grids"])
    assert page.data["modes"] == ["remove", "keep", "multiply"]
    live = page.data["live"]
    assert live["names"] == list(textures.classes) and live["difference"] < 1e-5
    assert live["preprocess"] == {"size": [192, 192], "resize": 192, "filter": "bilinear"}
    assert live["head"]["methods"] == ["gradcam", *FORWARD_FORMS]
    weight = dict(textures.module.named_parameters())
    size = 4 * live["head"]["rows"] * live["head"]["channels"]
    stored = graph[live["head"]["offset"] : live["head"]["offset"] + size]
    assert any(stored == value.detach().numpy().tobytes() for value in weight.values())
    assert f"{live['difference']:.0e}" in page.html


def test_a_page_without_live_has_no_model(
    textures: cw.VisionModel, picture: torch.Tensor, tmp_path: Path
) -> None:
    saved = cw.save_page(textures, picture, tmp_path / "page", **QUICK, layers=["stage4"], steps=2)
    html = saved.path.read_text("utf-8")
    assert "wasm" not in SavedPage(saved.path).policy and "camwidget-runtime" not in html


class Heads(nn.Module):
    """Pooling before a linear map, or after a rectified 1×1 convolution; or of two classes by one score."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.features = nn.Sequential(nn.Conv2d(3, 12, 5, 4), nn.ReLU(), nn.Conv2d(12, 8, 3))
        self.last = (
            nn.Conv2d(8, 4, 1) if kind == "after" else nn.Linear(8, 1 if kind == "one" else 4)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(x)
        if self.kind == "after":
            return self.last(x).relu().mean((2, 3))
        x = x.relu() if self.kind == "rectified" else x
        result: torch.Tensor = self.last(x.mean((2, 3)))
        return result


@pytest.mark.parametrize("kind", ["before", "after", "one", "rectified"])
def test_closed_forms_are_the_methods(kind: str) -> None:
    """For maps with positive and negative values, as no rectifier stands before the head."""
    torch.manual_seed(3)
    names = ["no", "yes"] if kind == "one" else list("abcd")
    model = cw.wrap(Heads(kind).eval(), cw.Preprocess(32), names)
    pixels = live_payload.rounded_pixels(torch.rand(3, 32, 32))
    head = model.gap_head
    assert head is not None
    exported = export_model(model, pixels)
    assert exported.head is not None and exported.features is not None
    bundle = live_payload.BinaryBundle()
    methods = [get_method(name) for name in GRADIENT_FORMS]
    methods = [m for m in methods if m.reason(model, head.layer) is None]
    data = live_payload.live_payload(
        model, pixels, exported, methods, [head.layer], [0, 1], bundle
    )["head"]
    assert data["gated"] == (kind == "after") and data["rectified"] == (kind == "rectified")
    wanted = ["cam"] if kind == "rectified" else [m.name for m in methods]
    # Ablation-CAM weights the layer's maps as they are before the rectifier.
    further = ["recipro-cam"] if kind == "rectified" else list(FORWARD_FORMS)
    assert data["methods"] == [*wanted, *further] and "gradcam" in [m.name for m in methods]
    assert [one["name"] for one in data["further"]] == further


def test_a_closed_form_that_does_not_hold_is_not_offered(
    textures: cw.VisionModel, picture: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(name: str, *arguments: np.ndarray) -> np.ndarray:
        return (
            closed_form("cam", *arguments) if name == "layercam" else closed_form(name, *arguments)
        )

    monkeypatch.setattr(live_payload, "closed_form", wrong)
    methods = [get_method(name) for name in ("gradcam", "layercam")]
    bundle = live_payload.BinaryBundle()
    data = live_payload.live_payload(
        textures, picture, export_model(textures, picture), methods, ["stage4"], [6, 1], bundle
    )
    assert data["head"]["methods"] == ["gradcam", *FORWARD_FORMS]


class Bessel(nn.Module):
    """Contains an operation that ONNX does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = self.conv(x)
        return torch.special.bessel_j1(maps).mean((2, 3))


class Choosing(nn.Module):
    """Chooses by its input what it computes, which tracing does not see."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.conv(x).relu().mean((2, 3)) + 1
        return maps if float(x[..., 0].mean()) > 0.2 else 5 - 30 * maps


@pytest.mark.full
def test_what_cannot_be_exported_is_named(tmp_path: Path) -> None:
    model = cw.wrap(Bessel(), cw.Preprocess(16), list("abcd"))
    with pytest.raises(ModelError, match=r"bessel_j1.*without live=True"):
        cw.save_page(model, torch.rand(3, 16, 16), tmp_path / "page", live=True)
    assert not list(tmp_path.iterdir())


def test_questions_about_a_box_are_exported() -> None:
    model = cw.load("zoo/scenes-boxes", device="cpu")
    image = cw.zoo.samples("zoo/scenes-boxes")[0].image
    pixels, found = model.pixels(image)[0], model.detections(image)  # type: ignore[attr-defined]
    for about, share in (("class", 1), ("bottom", 128)):
        exported = export_model(model.given(detections=found, about=about), pixels)
        assert exported.difference < 1e-4
        # Of another picture, which has other best boxes.
        asked = model.given(detections=found, about=about)
        tensors = dict(
            zip(
                exported.outputs,
                map(torch.from_numpy, run_all(exported, pixels.flip(-2))),
                strict=True,
            )
        )
        torch.testing.assert_close(
            asked.exported_logits(tensors),  # type: ignore[attr-defined]
            asked.logits(pixels.flip(-2)[None]),
            atol=1e-4 * share,
            rtol=0,
        )


def test_other_numbers_are_refused(tmp_path: Path) -> None:
    model = cw.wrap(Choosing(), cw.Preprocess(16), list("abcd"))
    with pytest.raises(ModelError, match=r"other numbers than in PyTorch.*without live=True"):
        cw.save_page(model, torch.rand(3, 16, 16) / 2 + 0.4, tmp_path / "page", live=True)
    assert not list(tmp_path.iterdir())


def test_large_pages_are_announced_and_larger_ones_refused(
    textures: cw.VisionModel, picture: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("camwidget.export.saved_page.export_model", stop)
    monkeypatch.setattr(live_payload, "weights_size", lambda model: 100_000_000)
    with (
        pytest.warns(CamwidgetWarning, match=r"page\.html will have about 138 MB"),
        pytest.raises(KeyboardInterrupt),
    ):
        cw.save_page(textures, picture, tmp_path / "page", live=True)
    monkeypatch.setattr(live_payload, "weights_size", lambda model: 500_000_000)
    with pytest.raises(CamwidgetError, match=r"about 672 MB.*without live=True"):
        cw.save_page(textures, picture, tmp_path / "page", live=True)


def test_every_picture_has_its_maps_and_their_size_is_said(
    textures: cw.VisionModel, picture: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(name: str) -> SavedPage:
        saved = cw.save_page(
            textures, [picture, picture.flip(-1)], tmp_path / name, **QUICK, layers=["stage4"], live=True
        )  # fmt: skip
        return SavedPage(saved.path)

    monkeypatch.setattr(live_payload, "_LARGE", 1)
    monkeypatch.setattr(live_payload, "_page_size", lambda model: 0.5)
    with pytest.warns(CamwidgetWarning, match=r"page\.html will have \d MB, \d MB of them pre"):
        data = save("page").data
    (other,) = data["others"]
    assert other["name"] == "picture 2" and "live" not in other
    assert len(other["maps"]) == len(data["maps"]) == 2 and len(other["divisions"]) == 1
    assert all(grid["curves"] == {} for grid in other["grids"])
    assert other["archive"] != data["archive"]
    monkeypatch.setattr(live_payload, "_LARGEST", 2)
    with pytest.raises(CamwidgetError, match=r"\d MB of them maps.*fewer pictures"):
        save("other")
    assert not (tmp_path / "other.html").exists()


@pytest.mark.parametrize("name", ["zoo/scenes-boxes", "zoo/scenes-segments"])
def test_what_a_model_finds_is_exported(name: str) -> None:
    """The graph gives the boxes or areas of which the page makes the kernel's findings."""
    pytest.importorskip("onnxruntime")
    model = cw.load(name, device="cpu")
    pixels = model.pixels(cw.zoo.samples(name)[0].image)[0]
    model = model.with_text_for(pixels)
    exported = export_model(model, pixels)
    assert isinstance(model, FindsInPicture)
    expected = dict(zip(exported.outputs, run_all(exported, pixels.flip(-1)), strict=True))
    found = model.findings(pixels.flip(-1)[None])
    tensors = {key: torch.from_numpy(value) for key, value in expected.items()}
    torch.testing.assert_close(
        model.exported_logits(tensors), model.logits(pixels.flip(-1)[None]), atol=1e-4, rtol=1e-4
    )
    if isinstance(model, DetectionModel):
        with pytest.raises(CamwidgetError, match="asked about 'left'"):
            live_payload.check_live(model.given(about="left"))
        boxes = FoundBoxes(tensors["boxes"], tensors["scores"], None, (128, 128))
        again = boxes_followed(boxes, model.detected, found.probabilities)
        for one, other in zip(again.boxes, found.boxes, strict=True):
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                np.testing.assert_allclose(one.box, other.box, atol=1e-3)
    else:
        assert found.areas is not None
        assert (expected["areas"] == found.areas).mean() > 0.999
        np.testing.assert_allclose(expected["means"], found.means, atol=1e-5)


def test_a_missing_library_and_what_a_page_cannot_take(
    textures: cw.VisionModel, picture: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = cw.wrap(
        nn.Sequential(nn.Flatten(), nn.Linear(5 * 256, 2)),
        cw.Preprocess(16, mean=[0] * 5, std=[1] * 5),
        list("ab"),
    )
    with pytest.raises(CamwidgetError, match="one or three channels"):
        cw.save_page(many, torch.rand(5, 16, 16), tmp_path / "page", live=True)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(CamwidgetError, match=r'pip install "camwidget\[live\]"'):
        cw.save_page(textures, picture, tmp_path / "page", live=True)


def test_pictures_of_unequal_sizes_are_refused(textures: cw.VisionModel, tmp_path: Path) -> None:
    """The graph, RISE's shifts and the window are of one size."""
    pictures = [torch.rand(3, 64, 64), torch.rand(3, 48, 80)]
    with pytest.raises(CamwidgetError, match=r"'picture 1' has 64×64.*'picture 2' has 80×48.*live"):
        cw.save_page(textures, pictures, tmp_path / "page", live=True)
    assert not list(tmp_path.iterdir())


def test_a_prepared_picture_of_another_size_takes_no_pictures_of_ones_own(
    textures: cw.VisionModel, tmp_path: Path
) -> None:
    saved = cw.save_page(
        textures, torch.rand(3, 64, 64), tmp_path / "page", **QUICK, layers=["stage4"], live=True
    )
    reason = SavedPage(saved.path).data["live"]["preprocess"]["reason"]
    assert "64×64" in reason and "192×192" in reason


def test_the_command_line_writes_one(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.fromarray(cw.zoo.samples("zoo/textures")[0].image).save(file)
    out = tmp_path / "page.html"
    arguments = [str(file), "--live", "--method", "cam", "--layer", "stage4", "-q", "-o", str(out)]
    assert main(arguments) == 0
    assert SavedPage(out).data["live"]["head"]["methods"] == ["cam", *FORWARD_FORMS]
