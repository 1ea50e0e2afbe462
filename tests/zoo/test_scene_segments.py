"""The segmenter of scenes: its areas, and maps of one of two things of a class."""

import numpy as np
import pytest
import torch

import camwidget as cw
from camwidget.models.segmentation_model import SegmentationModel
from camwidget.training import labeled_places
from camwidget.training.asked_evaluation import two_alike
from camwidget.training.segments_evaluation import measure_asked, measure_pixels
from camwidget.training.train import train
from camwidget.zoo import registry, scenes
from camwidget.zoo.dense_nets import SegmentNet
from camwidget.zoo.segmented_scenes import CLASSES, GROUND, draw

FRESH = 50_000


@pytest.fixture(scope="module")
def model():
    found = cw.load("zoo/scenes-segments", device="cpu")
    assert isinstance(found, SegmentationModel)
    return found


@pytest.fixture(scope="module")
def card():
    return cw.zoo.build("zoo/scenes-segments").card


def test_the_ground_is_a_class():
    scene = draw(FRESH, 2)
    plain = scenes.draw(FRESH, 2)
    np.testing.assert_array_equal(scene.image, plain.image)
    assert (*scenes.CLASSES, GROUND) == CLASSES
    ground = scene.evidence(GROUND)
    np.testing.assert_array_equal(ground, ~plain.masks.any(0))
    named = scene.segments()
    for label, mask in zip(scene.labels, scene.masks, strict=True):
        assert (named[mask] == label).all()
        np.testing.assert_array_equal(scene.evidence(CLASSES[label]), plain.mask_of(label))
    assert (named[ground] == len(CLASSES) - 1).all()


def test_most_pixels_of_the_gallery_are_named_rightly(model):
    assert model.classes == CLASSES
    right = [
        (model.segments(sample.image) == sample.segments()).mean()
        for sample in cw.zoo.samples("zoo/scenes-segments")[:3]
    ]
    assert np.mean(right) > 0.9


def test_an_elementwise_map_is_of_the_region_asked_about(model):
    scene = two_alike(FRESH)
    for thing, region in enumerate(scene.masks):
        exp = cw.explain(model.given(region=region), scene.image, scene.names[0], "layercam")
        assert region.flat[exp.saliency.argmax()]
        inside, other = (exp.saliency[mask].sum() for mask in scene.masks[[thing, 1 - thing]])
        assert inside > 10 * other


def test_relevance_is_of_the_region_asked_about(model):
    """LRP gives half of the region's score to the picture, nearly all of it in the thing; biases absorb the rest."""
    scene = two_alike(FRESH)
    for thing, region in enumerate(scene.masks):
        asked = model.given(region=region)
        exp = cw.explain(asked, scene.image, scene.names[0], "lrp")
        score = asked.logits(asked.pixels(scene.image))[0, exp.target.index]
        assert 0.4 < exp.raw.sum() / float(score) < 0.75
        other = scene.masks[1 - thing]
        assert region.flat[exp.saliency.argmax()]
        assert exp.saliency[region].sum() > 10 * exp.saliency[other].sum()
        exp = cw.explain(asked, scene.image, scene.names[0], "relevancecam", "late.stage2")
        assert not exp.is_empty


def test_relevance_is_conserved_without_biases():
    torch.manual_seed(0)
    net = SegmentNet(4).eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
    model = cw.wrap(net, cw.Preprocess(64), kind="segments")
    region = np.zeros((64, 64), bool)
    region[8:40, 20:50] = True
    asked = model.given(region=region)
    picture = torch.rand((3, 64, 64), generator=torch.Generator().manual_seed(1))
    for target in range(4):
        exp = cw.explain(asked, picture, target, "lrp")
        score = float(asked.logits(asked.pixels(picture))[0, target])
        assert exp.raw.sum() == pytest.approx(score, rel=1e-3)


def test_the_default_layer_is_the_bottleneck(model):
    names = [layer.name for layer in model.layers]
    assert names == ["early.stage1", "late.stage2", "middle", "fine", "late.stage3"]
    assert model.default_layer == "late.stage3"
    assert model.layer("fine").shape == (32, 64, 64)


@pytest.mark.full
def test_the_card_says_what_is_so(card):
    entry = registry.entry("zoo/scenes-segments")
    net = cw.zoo.build("zoo/scenes-segments").module
    found = measure_pixels(entry, net, pictures=60, progress=False)
    stated = card["unseen"]["pixels"]
    assert found["right"] == pytest.approx(stated["right"], abs=0.02)
    assert set(stated["iou"]) == set(CLASSES)
    assert stated["mean_iou_of_things"] > 0.6


@pytest.mark.full
def test_with_two_of_a_class_the_peak_is_in_the_asked_one(model, card):
    stated = card["unseen"]["two_of_a_class"]
    found = measure_asked(model, 6, progress=False)
    assert set(found["asked"]) == set(stated["asked"])
    name = "layercam at late.stage3"
    for figures in (stated, found):
        assert figures["asked"][name]["peak_in_asked"] >= 0.9
        assert figures["whole_class"][name]["peak_in_asked"] <= 0.5


@pytest.mark.full
@pytest.mark.training
def test_a_training_learns_a_few_pictures_by_heart(monkeypatch):
    monkeypatch.setattr(labeled_places, "PICTURES", 16)
    monkeypatch.setattr(labeled_places, "BATCH", 4)
    net = train("scenes-segments", steps=110, seed=3, progress=False)
    assert not net.training
    preprocess = cw.load("zoo/scenes-segments", device="cpu").preprocess
    found = cw.wrap(net, preprocess, CLASSES, kind="segments")
    right = []
    for n in range(8):
        scene = labeled_places.training_picture(3, n)
        named = found.segments(scene.image)
        right += [
            (named[mask] == label).mean()
            for label, mask in zip(scene.labels, scene.masks, strict=True)
        ]
    assert np.mean(right) >= 0.4


@pytest.mark.full
def test_training_repeats_bit_for_bit(monkeypatch):
    monkeypatch.setattr(labeled_places, "PICTURES", 8)
    monkeypatch.setattr(labeled_places, "BATCH", 4)
    first, again = (train("scenes-segments", steps=2, seed=1, progress=False) for _ in range(2))
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
