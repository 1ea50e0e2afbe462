"""The ViT and the two towers of scenes: accuracy, location of their maps by method, and typed texts."""

import copy
import json

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

import camwidget as cw
from camwidget.attribution.randomization import randomized_copy
from camwidget.training import methods_evaluation, scenes_clip, scenes_vit
from camwidget.training.cam_evaluation import normalize
from camwidget.training.methods_evaluation import measure_methods
from camwidget.training.train import main, train
from camwidget.zoo import registry
from camwidget.zoo.scene_texts import TEXTS, DescribedScene, tokenize
from camwidget.zoo.scenes import CLASSES, draw

FRESH = 50_000
#: Methods that are not defined for a transformer.
REFUSED = {
    "cam",
    "guided-backprop",
    "deconvnet",
    "guided-gradcam",
    "excitation-backprop",
    "c-mwp",
}


@pytest.fixture(scope="module")
def vit():
    return cw.load("zoo/scenes-vit", device="cpu")


@pytest.fixture(scope="module")
def clip():
    return cw.load("zoo/scenes-clip", device="cpu")


@pytest.fixture(params=["vit", "clip"])
def model(request):
    return request.getfixturevalue(request.param)


def test_one_thing_alone_is_named_rightly(model):
    samples = [draw(FRESH + n, 1) for n in range(20)]
    right = [model.predict(s.image).indices[0] == s.label for s in samples]
    assert np.mean(right) >= 0.9


def test_the_first_token_is_the_class_token_and_the_others_are_the_grid(model):
    attention = cw.attention(model, draw(FRESH).image)
    assert attention.weights.shape == (4, 4, 257, 257)
    assert attention.class_tokens == (0,)
    assert attention.grid == (16, 16)


def test_which_methods_apply(model):
    layer = model.default_layer
    refused = {m.name for m in cw.list_methods() if m.reason(model, layer) is not None}
    assert refused == REFUSED


def test_maps_lie_in_the_thing_more_than_controls(model):
    """On unseen pictures of one to five things; the card has the other methods, of which some do no better."""
    names = ["gradcam", "lrp", "chefer", "center", "random"]
    if model.name == "zoo/scenes-vit":
        names.append("legrad")
    shares = {name: [] for name in names}
    for n in range(5):
        sample = draw(FRESH + n, 1 + n)
        mask = sample.mask_of(sample.label)
        for exp in cw.explain(model, sample.image, sample.label, names):
            shares[exp.method].append(exp.saliency[mask].sum() / exp.saliency.sum())
    means = {name: np.mean(values) for name, values in shares.items()}
    controls = max(means.pop("center"), means.pop("random"))
    for name, share in means.items():
        assert share > 1.4 * controls, (name, share, controls)


#: Rank correlation that a map may have with the same network's map after a randomization: of all weights, and of the
#: last block and the head alone. Rollout depends on attention only, most of which stays with the first blocks.
RANDOMIZED = {
    "attention-rollout": (0.3, 1.0),
    "chefer": (0.3, 0.8),
    "legrad": (0.4, 0.8),
    "lrp": (0.4, 0.3),
    "gradcam": (0.4, 0.6),
    "relevancecam": (0.4, 0.3),
}


@pytest.mark.full
@pytest.mark.parametrize("name", RANDOMIZED)
def test_a_map_of_the_trained_vit_changes_when_its_weights_are_randomized(vit, name):
    """Adebayo et al. 2018 (arXiv:1810.03292), on a transformer that was trained."""
    fresh = randomized_copy(vit, 1)
    partly = copy.deepcopy(vit.module)
    ends = ("blocks.block4.", "norm.", "head.")
    partly.load_state_dict(
        {
            k: fresh.state_dict()[k] if k.startswith(ends) else v
            for k, v in partly.state_dict().items()
        }
    )
    samples = [draw(FRESH + n, 1 + n) for n in range(2)]

    def maps(one):
        return [cw.explain(one, s.image, s.label, name).saliency.ravel() for s in samples]

    trained = maps(vit)
    for module, bound in zip((fresh, partly), RANDOMIZED[name], strict=True):
        pairs = zip(trained, maps(vit.with_module(module)), strict=True)
        correlation = np.mean([spearmanr(*pair)[0] for pair in pairs])
        print(f"{name}: {correlation:+.2f}")
        assert correlation < bound


@pytest.mark.full
def test_the_card_says_what_is_so_by_method(vit):
    """Some of the pictures that the card was measured on, measured again, give its figures."""
    stated = vit_card()["unseen"]["methods"]
    found = measure_methods(vit, 4, 1, progress=False)
    assert set(found) == set(stated)
    for name, figures in found.items():
        if figures["pictures"] == 4:  # slow methods have one here, which says little
            off = abs(figures["saliency_in_object"] - stated[name]["saliency_in_object"])
            assert off < 0.3, name


def vit_card():
    return cw.zoo.build("zoo/scenes-vit").card


def test_the_default_texts_are_the_classes_of_the_scenes(clip):
    assert clip.classes == CLASSES
    assert clip.compared_with == "texts"
    assert registry.entry("zoo/scenes-clip").texts.default == TEXTS
    module, image = cw.zoo.build("zoo/scenes-clip").module, draw(FRESH).image
    entry = registry.entry("zoo/scenes-clip")
    numbers = torch.cat([tokenize(text) for text in TEXTS.values()])
    with torch.no_grad():
        expected = module(normalize(image[None], entry), numbers).softmax(1)[0]
    shown = clip.predict(image, top=len(CLASSES))
    found = np.empty(len(CLASSES))
    found[list(shown.indices)] = shown.probabilities
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_typed_texts_are_classes(clip):
    sample = draw(FRESH, objects=["red disc"])
    model = clip.given(texts=["a blue star", "a red ball", "a green striped thing"])
    assert model.predict(sample.image).names[0] == "a red ball"
    exp = cw.explain(model, sample.image, "a red ball", "chefer")
    described = DescribedScene(
        sample.image, sample.labels, sample.masks, sample.classes, sample.objects
    )
    mask = described.evidence(exp.target.label)
    assert exp.saliency[mask].sum() / exp.saliency.sum() > 2 * mask.mean()
    with pytest.raises(cw.CamwidgetError, match="'purple'"):
        clip.given(texts=["a purple ball"])


def test_class_names_are_refused_for_texts():
    with pytest.raises(cw.CamwidgetError, match="texts"):
        cw.load("zoo/scenes-clip", classes=["a", "b"])


def test_the_explorer_opens_without_texts(clip):
    explorer = cw.Explorer(clip, cw.zoo.samples("zoo/scenes-clip")[:1]).wait(60)
    assert explorer.explanation.prediction.names[0] in clip.classes
    explorer.close()


@pytest.mark.full
@pytest.mark.training
def test_a_training_of_the_vit_learns_forty_pictures_by_heart(monkeypatch):
    monkeypatch.setattr(scenes_vit, "PICTURES", 40)
    monkeypatch.setattr(scenes_vit, "BATCH", 8)
    net = train("scenes-vit", steps=160, seed=3, progress=False)
    assert not net.training
    entry = registry.entry("zoo/scenes-vit")
    shown = [scenes_vit.training_picture(3, n) for n in range(40)]
    with torch.no_grad():
        scores = net(normalize(np.stack([s.image for s in shown]), entry))
    right = [int(row.argmax()) in s.labels for row, s in zip(scores, shown, strict=True)]
    assert np.mean(right) >= 0.5


@pytest.mark.full
@pytest.mark.training
def test_a_training_of_the_towers_learns_far_more_than_chance(monkeypatch):
    monkeypatch.setattr(scenes_clip, "PICTURES", 100)
    net = train("scenes-clip", steps=100, seed=3, progress=False)
    assert not net.training
    found = scenes_clip.measure_texts(registry.entry("zoo/scenes-clip"), net, pictures=60)
    assert found["one"] >= 0.3  # among sixteen


@pytest.mark.full
@pytest.mark.parametrize("name", ["scenes-vit", "scenes-clip"])
def test_training_repeats_bit_for_bit(monkeypatch, name):
    monkeypatch.setattr(scenes_vit, "PICTURES", 32)
    monkeypatch.setattr(scenes_clip, "PICTURES", 32)
    first, again = (train(name, steps=3, seed=1, progress=False) for _ in range(2))
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key


@pytest.mark.full
@pytest.mark.parametrize("name", ["scenes-vit", "scenes-clip"])
def test_the_command_trains_measures_and_writes_what_build_reads(
    monkeypatch, tmp_path, capsys, name
):
    """All of it, with few pictures and steps."""
    monkeypatch.setattr(scenes_vit, "PICTURES", 32)
    monkeypatch.setattr(scenes_clip, "PICTURES", 32)
    monkeypatch.setattr("camwidget.training.train.TEST_PICTURES", 25)
    # One picture, and methods of a few passes.
    monkeypatch.setattr(methods_evaluation, "_SLOW", 10**6)
    main([name, "--steps", "3", "--seed", "5", "--out", str(tmp_path), "--quiet"])
    assert str(tmp_path) in capsys.readouterr().out
    card = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
    shipped = registry.entry(f"zoo/{name}").card
    stated = json.loads(shipped().read_text(encoding="utf-8"))
    assert card["training"]["steps"] == 3 and card["sha256"] != stated["sha256"]
    assert set(card) == set(stated) and set(card["unseen"]) == set(stated["unseen"])
    assert {n for n, f in card["unseen"]["methods"].items() if f["pictures"] == 1} == {
        n for n in stated["unseen"]["methods"] if not cw.get_method(n).slow
    }
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    assert cw.zoo.build(f"zoo/{name}").card == card
