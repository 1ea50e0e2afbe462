"""The embedded models: accuracy on unseen pictures, and location of their maps."""

import json
import shutil

import numpy as np
import pytest
import torch

from camwidget.training.cam_evaluation import activation_maps, normalize, score
from camwidget.zoo import available, build, registry
from camwidget.zoo.textures import CLASSES, KINDS, draw, gallery

FRESH = 50_000
"""First seed used here; neither trained on nor among those the card was measured on."""


@pytest.fixture(scope="module")
def model():
    return build("zoo/textures")


@pytest.fixture(scope="module")
def entry():
    return registry.entry("zoo/textures")


def test_what_is_built(model):
    assert available()[0] == "zoo/textures"
    assert model.name == "zoo/textures"
    assert model.classes == CLASSES
    assert model.input_size == 192
    assert len(model.mean) == len(model.std) == 3
    assert not model.module.training
    assert [name for name, _ in model.module.named_children()] == [
        "stem",
        "stage1",
        "stage2",
        "stage3",
        "stage4",
        "pool",
        "head",
    ]


def test_the_last_stage_gives_a_map_that_plain_cam_applies_to(model):
    module = model.module
    pictures = torch.rand(2, 3, 192, 192)
    with torch.no_grad():
        features = module[:-2](pictures)
        scores = module.head(features.mean((2, 3)))
        assert features.shape[2:] == (12, 12)
        assert features.min() >= 0
        torch.testing.assert_close(module(pictures), scores)


@pytest.mark.full
@pytest.mark.parametrize(
    ("kind", "pictures"),
    [
        ("full", 200),
        ("single", 200),
        ("multiple", 200),
    ],
)
def test_accuracy_on_unseen_seeds(model, entry, kind, pictures):
    found = score(model.module, entry, (draw(FRESH + n, kind) for n in range(pictures)))
    assert found.pictures == pictures
    assert found.accuracy >= 0.97
    if kind != "full":
        assert found.peak >= 0.9


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_the_card_says_what_is_so(model, entry, kind):
    """A part of what the card was measured on, measured again, agrees with its figures."""
    stated = model.card["unseen"][kind]
    first = 1_000_000
    found = score(model.module, entry, (draw(first + n, kind) for n in range(60)))
    most_wrong = round((1 - stated["accuracy"]) * stated["pictures"])
    assert len(found.wrong) <= most_wrong


def test_the_gallery_is_classified_rightly(model, entry):
    samples = gallery()
    assert score(model.module, entry, samples).accuracy == 1.0
    assert score(model.module, entry, samples).peak == 1.0


def test_a_ground_alone_convinces_the_model_of_nothing(model, entry):
    """Where no object is, the map of the class found is low."""
    samples = [draw(FRESH + n, "single") for n in range(40)]
    _, maps = activation_maps(
        model.module, normalize(np.stack([sample.image for sample in samples]), entry)
    )
    inside, outside = [], []
    for sample, all_maps in zip(samples, maps.numpy(), strict=True):
        positive = np.maximum(all_maps[sample.label], 0)
        inside.append(positive[sample.masks[0]].mean())
        outside.append(positive[~sample.masks[0]].mean())
    assert np.mean(outside) < 0.35 * np.mean(inside)


def test_the_weights_are_small_and_described(model):
    entry = registry.entry("zoo/textures")
    assert entry.weights().stat().st_size <= 2_000_000
    card = json.loads(entry.card().read_text(encoding="utf-8"))
    assert card == model.card
    assert {"data", "unseen", "known_faults", "training", "sha256"} <= set(card)
    assert "camwidget.training textures" in card["training"]["command"]


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match="zoo/textures"):
        build("zoo/nothing")


@pytest.mark.parametrize("damage", ["flipped", "cut", "missing", "card"])
def test_damaged_weights_are_refused_with_the_remedy(monkeypatch, tmp_path, damage):
    shutil.copytree(registry.WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path / "weights")
    entry = registry.entry("zoo/textures")
    build("zoo/textures")
    weights = entry.weights(registry.WEIGHTS)
    content = bytearray(weights.read_bytes())
    if damage == "flipped":
        content[-5] ^= 1
        weights.write_bytes(content)
    elif damage == "cut":
        weights.write_bytes(content[:1000])
    elif damage == "missing":
        weights.unlink()
    else:
        entry.card(registry.WEIGHTS).write_text("{", encoding="utf-8")
    with pytest.raises(RuntimeError, match="reinstall camwidget"):
        build("zoo/textures")
