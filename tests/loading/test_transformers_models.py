"""``load("hf/…")``: a folder of each family with random weights, as their library writes it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch
from hub_folders import FAMILIES, NAMES, VIT, made, processor, saved
from module_fingerprint import fingerprint
from PIL import Image
from safetensors import safe_open

import camwidget as cw
from camwidget.errors import ModelError, TargetError, WeightsError
from camwidget.models.segmentation_model import SegmentationModel

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.usefixtures("one_thread")

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8))
CLASSIFIERS = ("vit", "deit", "swin", "convnext", "resnet")
SIDES = {
    "vit": 8,
    "deit": 8,
    "swin": 8,
    "convnext": 2,
    "resnet": 2,
    "dinov2": 8,
    "clip": 8,
    "siglip": 8,
    "segformer": 16,
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.create_connection", refuse)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("hub")
    return {family: saved(family, top / family) for family in FAMILIES}


def test_every_family_is_in_the_figures() -> None:
    assert SIDES.keys() == FAMILIES.keys()


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_a_classifier_is_explained_unchanged(family: str, folders: dict[str, Path]) -> None:
    model = cw.load(f"hf/{folders[family]}", device="cpu")
    assert model.classes == tuple(NAMES.values())
    assert type(model.module).__name__ == FAMILIES[family][0]
    assert model.layer().shape[1:] == (SIDES[family],) * 2
    expected = processor(family)(images=PICTURE, return_tensors="pt")["pixel_values"]
    pixels = model.pixels(PICTURE)
    torch.testing.assert_close(model.inputs(pixels), expected, rtol=0, atol=2e-6)
    with torch.no_grad():
        logits = made(family)(expected).logits
    torch.testing.assert_close(model.logits(pixels), logits)
    before = fingerprint(model.module)
    exps = cw.explain(model, PICTURE, [*NAMES.values()])
    assert not all(e.is_empty for e in exps)
    assert exps[0].saliency.shape == (64, 64)
    assert fingerprint(model.module) == before


def test_a_segmenter_has_classes_and_regions(folders: dict[str, Path]) -> None:
    model = cw.load(f"hf/{folders['segformer']}", device="cpu")
    assert isinstance(model, SegmentationModel) and model.classes == tuple(NAMES.values())
    pixels = processor("segformer")(images=PICTURE, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        scores = made("segformer")(pixels).logits  # a quarter of the picture's size
    torch.testing.assert_close(model.logits(model.pixels(PICTURE)), scores.mean((2, 3)))
    assert scores.shape[2:] == (SIDES["segformer"],) * 2
    left = np.arange(64)[None].repeat(64, 0) < 32
    torch.testing.assert_close(
        model.given(region=left).logits(model.pixels(PICTURE)), scores[..., :8].mean((2, 3))
    )
    assert not cw.explain(model.given(region=left), PICTURE, "owl").is_empty


def test_headless_models_compare_pictures(folders: dict[str, Path]) -> None:
    model = cw.load(f"hf/{folders['dinov2']}", device="cpu")
    assert model.classes == ()
    with pytest.raises(TargetError, match=r"model.given\(pictures="):
        cw.explain(model, PICTURE)
    alike = model.given(
        pictures={"itself": PICTURE, "mirrored": PICTURE.transpose(Image.Transpose.FLIP_LEFT_RIGHT)}
    )
    assert alike.layer().shape[1:] == (8, 8)
    own, mirrored = alike.logits(alike.pixels(PICTURE))[0].tolist()
    assert own == pytest.approx(1, abs=1e-5) and mirrored < own
    assert not cw.explain(alike, PICTURE, "mirrored").is_empty


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_two_towers_answer_as_their_library_does(family: str, folders: dict[str, Path]) -> None:
    model = cw.load(f"hf/{folders[family]}", device="cpu")
    texts = ["a photo of a cat", "the dog"]
    given = model.given(texts=texts)
    assert given.classes == tuple(texts)
    assert given.layer().shape[1:] == (8, 8)
    pixels = processor(family)(images=PICTURE, return_tensors="pt")["pixel_values"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders[family])
    padding = "max_length" if family == "siglip" else True
    tokens = tokenizer(texts, padding=padding, return_tensors="pt")
    tokens.pop("token_type_ids", None)
    with torch.no_grad():
        expected = made(family)(**tokens, pixel_values=pixels).logits_per_image
    found = given.logits(given.pixels(PICTURE))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    rule = "sigmoid" if family == "siglip" else "softmax"
    assert given.scores == rule
    probabilities = expected.sigmoid() if rule == "sigmoid" else expected.softmax(1)
    torch.testing.assert_close(given.probabilities(found), probabilities, rtol=1e-4, atol=1e-5)
    assert not all(e.is_empty for e in cw.explain(given, PICTURE, texts))


@pytest.mark.parametrize(
    ("family", "names", "missing"),
    [
        ("vit", ["config.json"], r"config.json \(the architecture\)"),
        ("vit", ["preprocessor_config.json"], "preprocessor_config.json"),
        ("vit", ["model.safetensors"], r"model.safetensors \(the weights\)"),
        ("vit", ["config.json", "model.safetensors"], r"config.json \(.*\) and model.safetensors"),
        ("clip", ["tokenizer.json"], r"tokenizer.json .*\(the tokenizer of texts\)"),
    ],
)
def test_what_a_folder_lacks_is_named(
    family: str, names: list[str], missing: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folders[family], tmp_path / "model"))
    for name in names:
        (folder / name).unlink()
    with pytest.raises(ModelError, match=f"lacks .*{missing}"):
        cw.load(f"hf/{folder}")


def test_random_weights_need_a_configuration_only(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["vit"], tmp_path / "model"))
    (folder / "model.safetensors").unlink()
    model = cw.load(f"hf/{folder}", pretrained=False, device="cpu")
    assert model.classes == tuple(NAMES.values())
    with pytest.raises(WeightsError, match="pretrained=False is for random weights"):
        cw.load(f"hf/{folder}", pretrained=False, weights=folder / "model.safetensors")


def test_weights_of_a_training_program(folders: dict[str, Path], tmp_path: Path) -> None:
    """Under a prefix, as Lightning saves them; and as transformers itself pickles them."""
    module = made("vit")
    state = {f"net.{n}": t for n, t in module.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "last.ckpt")
    torch.save(module.state_dict(), tmp_path / "pytorch_model.bin")
    folder = Path(shutil.copytree(folders["vit"], tmp_path / "model"))
    (folder / "model.safetensors").unlink()
    shutil.copy(tmp_path / "pytorch_model.bin", folder)
    expected = cw.load(f"hf/{folders['vit']}", device="cpu")
    pixels = expected.pixels(PICTURE)
    for model in (
        cw.load(f"hf/{folders['vit']}", weights=tmp_path / "last.ckpt", device="cpu"),
        cw.load(f"hf/{folder}", device="cpu"),
    ):
        assert torch.equal(model.logits(pixels), expected.logits(pixels))


def test_weights_of_another_model_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    wider = made("vit", hidden_size=48)
    torch.save(wider.state_dict(), tmp_path / "wide.pth")
    with pytest.raises(WeightsError, match="does not fit"):
        cw.load(f"hf/{folders['vit']}", weights=tmp_path / "wide.pth")
    with pytest.raises(WeightsError, match="does not fit"):
        cw.load(f"hf/{folders['vit']}", weights=folders["convnext"] / "model.safetensors")


def test_names_that_older_versions_wrote_are_translated(folders: dict[str, Path]) -> None:
    with safe_open(folders["vit"] / "model.safetensors", "pt") as file:
        written = set(file.keys())
    own = set(cw.load(f"hf/{folders['vit']}", device="cpu").module.state_dict())
    assert "vit.encoder.layer.0.attention.attention.query.weight" in written - own


def test_loading_is_quiet_and_leaves_reports_as_they_were(
    folders: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    reports = transformers.utils.logging
    before = reports.get_verbosity(), reports.is_progress_bar_enabled()
    cw.load(f"hf/{folders['vit']}", device="cpu")
    assert (reports.get_verbosity(), reports.is_progress_bar_enabled()) == before
    assert "Loading weights" not in capfd.readouterr().err


def test_half_precision_is_computed_in_full(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = saved("vit", tmp_path / "half", made("vit").half())
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float16"
    assert cw.load(f"hf/{folder}", device="cpu").dtype == torch.float32


def test_code_in_a_folder_is_not_run(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["vit"], tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "mine",
        "auto_map": {"AutoConfig": "mine.MyConfig", "AutoModel": "mine.MyModel"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ModelError, match="own is not run"):
        cw.load(f"hf/{folder}")
    assert not (tmp_path / "ran").exists()


def test_a_name_is_fetched_as_safetensors_and_small_files(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[str, list[str]]] = []

    def fetch(name: str, allow_patterns: list[str]) -> str:
        asked.append((name, allow_patterns))
        return str(folders["vit"])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    monkeypatch.chdir(tmp_path)
    model = cw.load("hf/someone/vit", device="cpu")
    assert model.name == "hf/someone/vit" and model.classes == tuple(NAMES.values())
    assert asked == [("someone/vit", ["*.json", "*.txt", "*.model", "model*.safetensors"])]
    cw.load("hf/someone/vit", pretrained=False, device="cpu")
    assert asked[1:] == [("someone/vit", ["*.json", "*.txt", "*.model"])]


def test_what_cannot_be_fetched_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(name: str, allow_patterns: list[str]) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=r"no route to host.*there is no folder 'someone/vit'"):
        cw.load("hf/someone/vit")
    with pytest.raises(ModelError, match="There is no folder './vit'"):
        cw.load("hf/./vit")


@pytest.mark.parametrize(
    ("library", "extra"), [("transformers", "hf"), ("timm", "timm"), ("open_clip", "open_clip")]
)
def test_an_extra_that_is_not_installed_is_named(
    library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModelError, match=rf"pip install 'camwidget\[{extra}\]'"):
        cw.load(f"{extra}/anything")


def test_own_class_names(folders: dict[str, Path]) -> None:
    names = ["Katze", "Hund", "Eule"]
    assert cw.load(f"hf/{folders['vit']}", classes=names, device="cpu").classes == tuple(names)
    with pytest.raises(ModelError, match="3 outputs"):
        cw.load(f"hf/{folders['vit']}", classes=["Katze"], device="cpu")


def test_a_headless_model_without_kind_says_so() -> None:
    module = transformers.Dinov2Model(transformers.Dinov2Config(**VIT)).eval()
    with pytest.raises(TargetError, match="kind='embedding'"):
        cw.explain(cw.wrap(module, cw.Preprocess(64)), PICTURE)
