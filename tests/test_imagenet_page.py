"""The lines of the page of recipes run: with random weights and drawn pictures, and with real ones where some are."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch.nn import functional as nnF

import camwidget as cw
from camwidget.zoo import textures

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("one_thread")]

PAGE = Path(__file__).parents[1] / "docs" / "pages" / "imagenet.md"
CODE = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
BEARS, VALIDATION, TRANSFER, XCEPTION = CODE

#: Where a photograph of one class is explained there are no known results; fewer pixels show the same.
SMALL = cw.Preprocess(64, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def picture(seed: int = 301, size: int = 64) -> Image.Image:
    return Image.fromarray(textures.draw(seed, "single", size=size).image)


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that the lines use, in a folder with a picture."""
    monkeypatch.chdir(tmp_path)
    picture().save("bears.jpg")
    return {"cw": cw, "torch": torch, "torchvision": torchvision, "picture": picture()}


@pytest.fixture
def random_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """``load`` gives the architecture with random weights, and small pixels."""

    def load(name: str) -> cw.VisionModel:
        torch.manual_seed(0)
        if name.startswith("timm/"):
            timm = pytest.importorskip("timm")
            return cw.wrap(timm.create_model(name[5:], num_classes=5).eval(), SMALL, name=name)
        weights = torchvision.models.get_model_weights(name).DEFAULT
        module = torchvision.models.get_model(name, weights=None).eval()
        return cw.wrap(module, SMALL, weights.meta["categories"], name=name)

    monkeypatch.setattr(cw, "load", load)


@pytest.mark.usefixtures("random_weights")
def test_class_295_and_validation(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    exec(BEARS, names)
    assert names["model"].classes[295] == "American black bear"
    assert [e.target.index for e in names["maps"]] == [295] * 3
    cam, gradcam, _ = names["maps"]
    np.testing.assert_allclose(gradcam.saliency, cam.saliency, atol=1e-4)
    assert len(names["scores"]) == 3 and 0 <= names["scores"][0]["drop"].value <= 1

    pictures = [(picture(seed), seed) for seed in (301, 302)]
    monkeypatch.setattr(torchvision.datasets, "ImageNet", lambda folder, split: pictures)
    exec(VALIDATION, names)
    assert names["table"].compare("cam", "random").loc["drop", "n"] == 2
    assert Path("imagenet.jsonl").is_file()
    assert set(names["wrong"]["truth"]) <= set(names["model"].classes)


@pytest.mark.usefixtures("random_weights")
def test_ten_textures_by_transfer(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def dtd(folder: str, split: str, download: bool) -> Any:
        class Pictures(list[Any]):
            classes = ("woven", *sorted(textures.CLASSES))

        seeds = range(400, 412) if split == "train" else range(500, 502)
        return Pictures((picture(seed), n % 11) for n, seed in enumerate(seeds))

    monkeypatch.setattr(torchvision.datasets, "DTD", dtd)
    monkeypatch.setattr(cw, "evaluate", lambda *args, **options: SimpleNamespace(ranks=args[2:]))
    exec(TRANSFER, names)
    model, train = names["model"], names["train"]
    assert model.classes == textures.CLASSES and len(train) == 10, "'woven' is none of the ten"
    assert all(0 <= label < 10 for _, label in train)
    logits = model.logits(model.pixels([p for p, _ in train]))
    assert logits.argmax(1).tolist() == [n for _, n in train], "what it was trained on"
    maps = cw.explain(
        model, train[0][0], method=["gradcam", "relevancecam"], layer=["layer3", "layer4"]
    )
    assert len(maps) == 4 and not any(e.is_empty for e in maps)


@pytest.mark.usefixtures("random_weights")
def test_xception_at_its_last_and_an_inner_layer(names: dict[str, Any]) -> None:
    """Against the equation, by hooks; and the last layer has a map of CAM as well."""
    exec(XCEPTION, names)
    model, maps = names["xception"], names["inner_and_last"]
    assert model.default_layer == "act4"
    assert {(e.layer, e.raw.shape) for e in maps} == {("block9", (4, 4)), ("act4", (2, 2))}
    kept: dict[str, torch.Tensor] = {}
    handles = [
        model.module.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: (
                kept.update({name: output.clone()}) or kept[name]
            )
        )
        for name in ("block9", "act4")
    ]
    logits = model.module(model.inputs(model.pixels(names["picture"])).requires_grad_())
    for handle in handles:
        handle.remove()
    for name, activation in kept.items():
        exp = maps.select(method="gradcam", layer=name)[0]
        (slope,) = torch.autograd.grad(logits[0, exp.target.index], activation, retain_graph=True)
        for method, weights in (
            ("gradcam", slope.mean((2, 3), keepdim=True)),
            ("layercam", slope.relu()),
        ):
            expected = nnF.relu((weights * activation).sum(1))[0].detach().numpy()
            raw = maps.select(method=method, layer=name)[0].raw
            np.testing.assert_allclose(raw, expected, rtol=1e-3, atol=1e-5 * expected.max())
    cam = cw.explain(model, names["picture"], method="cam")
    gradcam = maps.select(method="gradcam", layer="act4")[0]
    np.testing.assert_allclose(gradcam.saliency, np.maximum(cam.saliency, 0), atol=1e-4)


@pytest.mark.real
def test_validation_with_real_weights_and_photographs(
    names: dict[str, Any],
    real_model: cw.VisionModel,
    real_folder: Path,
    real_labels: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SqueezeNet 1.1 on the photographs whose class is known: Grad-CAM is CAM, and no random map."""
    known = [
        (Image.open(real_folder / "images" / name).convert("RGB"), label["label"])
        for name, label in real_labels.items()
        if "label" in label
    ]
    monkeypatch.setattr(torchvision.datasets, "ImageNet", lambda folder, split: known)
    names["model"] = real_model
    exec(VALIDATION, names)
    table, wrong = names["table"], names["wrong"]
    assert len(known) >= 25 and len(wrong) < 0.5 * len(known)
    against_chance = table.compare("gradcam", "random").loc["remove25"]
    assert against_chance["n"] == len(known) and against_chance["better"] == 1
    assert abs(table.compare("cam", "gradcam").loc["drop", "mean"]) < 1e-3


@pytest.mark.real
def test_the_trunk_of_imagenet_serves_for_textures(real_model: cw.VisionModel) -> None:
    """A new linear layer on SqueezeNet's features tells ten drawn textures apart; on random features it does not."""

    def drawn(start: int, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        samples = [
            textures.draw(start + n, "full", classes=[n % 10], size=128) for n in range(number)
        ]
        pixels = torch.from_numpy(np.stack([s.image for s in samples])).permute(0, 3, 1, 2) / 255
        return real_model.inputs(pixels), torch.tensor([s.label for s in samples])

    def accuracy(trunk: torch.nn.Module) -> float:
        with torch.no_grad():
            known, new = (trunk(inputs).mean((2, 3)) for inputs in (train, test))
        mean, spread = known.mean(0), known.std(0) + 1e-6
        torch.manual_seed(0)
        head = torch.nn.Linear(known.shape[1], 10)
        optimizer = torch.optim.AdamW(head.parameters(), 1e-2, weight_decay=1e-2)
        for _ in range(200):
            optimizer.zero_grad()
            nnF.cross_entropy(head((known - mean) / spread), labels).backward()
            optimizer.step()
        return float((head((new - mean) / spread).argmax(1) == truth).float().mean())

    (train, labels), (test, truth) = drawn(90_000, 200), drawn(95_000, 100)
    torch.manual_seed(0)
    random = torchvision.models.squeezenet1_1(weights=None).eval()
    with_imagenet, by_chance = accuracy(real_model.module.features), accuracy(random.features)
    assert with_imagenet > 0.75 and with_imagenet > by_chance + 0.25
