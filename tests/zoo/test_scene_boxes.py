"""The detector of scenes: its boxes, the levels of its pyramid, and maps of one of two things of a class."""

import numpy as np
import pytest
import torch
from torchvision.ops import box_convert, box_iou

import camwidget as cw
from camwidget.errors import MethodError
from camwidget.models.detection_model import DetectionModel
from camwidget.training import labeled_places
from camwidget.training.asked_evaluation import two_alike
from camwidget.training.average_precision import Precision, average_precision, overlaps
from camwidget.training.boxes_evaluation import (
    detected,
    measure_asked,
    measure_detections,
)
from camwidget.training.scenes_boxes import cell_targets
from camwidget.training.train import train
from camwidget.zoo import registry
from camwidget.zoo.dense_nets import BoxNet
from camwidget.zoo.scenes import CLASSES, draw

FRESH = 50_000


@pytest.fixture(scope="module")
def model():
    found = cw.load("zoo/scenes-boxes", device="cpu")
    assert isinstance(found, DetectionModel)
    return found


@pytest.fixture(scope="module")
def card():
    return cw.zoo.build("zoo/scenes-boxes").card


def test_the_things_of_the_gallery_are_found(model):
    assert model.labels == CLASSES
    for sample in cw.zoo.samples("zoo/scenes-boxes")[:3]:
        found = model.detections(sample.image)
        assert sorted(d.name for d in found) == sorted(sample.names)
        for name, box in zip(sample.names, sample.boxes, strict=True):
            fits = [
                overlaps(np.array([d.box]), np.array([box]))[0, 0] for d in found if d.name == name
            ]
            assert max(fits) > 0.7


def test_an_elementwise_map_is_of_the_box_asked_about(model):
    """Of two things of one class, LayerCAM of a detection has its peak in that thing; the class's map cannot."""
    scene = two_alike(FRESH + 1)
    both = detected(model, scene)
    assert both is not None
    asked = model.given(detections=list(both))
    assert asked.classes == tuple(f"{scene.names[0]} #{n}" for n in range(2))
    for thing, exp in enumerate(cw.explain(asked, scene.image, list(asked.classes), "layercam")):
        assert scene.masks[thing].flat[exp.saliency.argmax()]
        inside, other = (exp.saliency[mask].sum() for mask in scene.masks[[thing, 1 - thing]])
        assert inside > 10 * other


@pytest.mark.parametrize("method", ["lrp", "relevancecam", "excitation-backprop", "c-mwp"])
def test_relevance_through_boxes_is_refused(model, method):
    image = cw.zoo.samples("zoo/scenes-boxes")[0].image
    with pytest.raises(MethodError, match=r"finds boxes: .* choosing, moving and comparing boxes"):
        cw.explain(model, image, method=method)


def test_the_layers_are_those_of_the_trunk_and_the_pyramid(model):
    names = [layer.name for layer in model.layers]
    assert names == ["early.stage1", "late.stage2", "late.stage3", "pyramid"]
    assert model.default_layer == "pyramid"
    assert model.layer("pyramid").shape == (128, 16, 16)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return BoxNet(len(CLASSES)).eval()


@pytest.mark.parametrize("size", [(128, 128), (104, 136)])
def test_the_pyramid_is_both_levels_as_one_map(net, size):
    seen = {}
    hooks = [
        net.coarse.register_forward_hook(lambda m, i, out: seen.update(coarse=out)),
        net.fine.register_forward_hook(lambda m, i, out: seen.update(fine=out)),
        *(
            head.register_forward_hook(lambda m, i, out, n=n: seen.update({n: i[0]}))
            for n, head in enumerate(net.heads)
        ),
    ]
    with torch.no_grad():
        output = net(torch.rand(1, 3, *size))
    for hook in hooks:
        hook.remove()
    torch.testing.assert_close(seen[0], seen["fine"], rtol=0, atol=0)
    torch.testing.assert_close(seen[1], seen["coarse"])
    rows, columns = size[0] // 8, size[1] // 8
    cells = rows * columns + -(-rows // 2) * -(-columns // 2)
    assert output["logits"].shape == (1, cells, len(CLASSES))
    assert output["pred_boxes"].shape == (1, cells, 4)
    assert (output["pred_boxes"][..., 2:] > 0).all()


def test_of_boxes_of_one_thing_the_best_is_kept(net):
    picture = torch.from_numpy(draw(FRESH).image).permute(2, 0, 1)[None] / 255.0
    with torch.no_grad():
        output = net(picture)
        levels = net.levels(net.early(picture))
    every = torch.cat([logits.flatten(2) for logits, _ in levels], 2)[0].T
    kept = output["logits"][0].amax(1) > -20
    torch.testing.assert_close(output["logits"][0][kept], every[kept])
    overlap = box_iou(*2 * [box_convert(output["pred_boxes"][0], "cxcywh", "xyxy")])
    better = (overlap > 0.5) & (every.amax(1)[None] > every.amax(1)[:, None])
    assert torch.equal(kept, ~better.any(1)) and 0 < kept.sum() < len(kept)


def test_a_cell_near_a_things_center_is_to_find_it():
    scene = draw(FRESH, objects=["red star", "blue disc"], radii=[0.2, 0.12])
    places = np.einsum("nhw,n->hw", scene.masks, [1, 2]).astype(np.uint8)
    things = labeled_places.PlacedThings(scene.image[None], places[None], [scene.labels])
    labels, boxes = cell_targets(things)
    # The star is longer than 48 pixels, so that the coarse level finds it; the disc is not.
    fine, coarse = labels[0, :256].reshape(16, 16), labels[0, 256:].reshape(8, 8)
    for n, (grid, stride, first) in enumerate(((coarse, 16, 256), (fine, 8, 0))):
        left, top, right, bottom = scene.boxes[n]
        cell = (top + bottom) // 2 // stride, (left + right) // 2 // stride
        assert grid[cell] == scene.labels[n]
        number = first + cell[0] * grid.shape[1] + cell[1]
        assert tuple(boxes[0, number].tolist()) == scene.boxes[n]
        assert set(grid.unique().tolist()) == {-1, scene.labels[n]}
        assert (grid >= 0).sum() <= 9


def test_overlaps_are_those_of_torchvision():
    rng = np.random.default_rng(0)
    a, b = (
        np.concatenate([first := rng.uniform(0, 50, (n, 2)), first + rng.uniform(1, 60, (n, 2))], 1)
        for n in (7, 5)
    )
    expected = box_iou(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    np.testing.assert_allclose(overlaps(a, b), expected, rtol=1e-12)


def test_average_precision_by_hand():
    # By decreasing score right, wrong, right, of two: precision 1 up to a recall of a half, 2/3 up to 1.
    found = average_precision(np.array([0.7, 0.9, 0.8]), np.array([True, True, False]), 2)
    assert found == pytest.approx((51 + 50 * 2 / 3) / 101)
    # One of four is found: precision 1 up to a recall of a quarter, 0 beyond.
    assert average_precision(np.array([0.5]), np.array([True]), 4) == pytest.approx(26 / 101)


def test_a_second_box_of_a_thing_is_wrong():
    precision = Precision()
    truth = np.array([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 28], [20, 20, 30, 30]])
    labels = np.array([3, 3, 3, 4])
    precision.add(boxes, np.array([0.9, 0.8, 0.7, 0.6]), labels, truth, (3, 3))
    # Class 4 is not in the picture, and has no precision; 8/10 of the second thing's box overlap.
    means = precision.means()
    assert means["map_50"] == pytest.approx((51 + 50 * 2 / 3) / 101, abs=1e-4)
    assert means["map_75"] == means["map_50"]
    assert means["map_50_95"] == pytest.approx(0.7 * means["map_50"] + 0.3 * 51 / 101, abs=1e-4)


@pytest.mark.full
def test_the_card_says_what_is_so(card):
    entry = registry.entry("zoo/scenes-boxes")
    net = cw.zoo.build("zoo/scenes-boxes").module
    found = measure_detections(entry, net, pictures=60, progress=False)
    stated = card["unseen"]["detections"]
    assert found["found"] == pytest.approx(stated["found"], abs=0.08)
    assert found["shown_for_each_thing"] == pytest.approx(stated["shown_for_each_thing"], abs=0.15)
    assert stated["map_50"] > 0.8


@pytest.mark.full
def test_with_two_of_a_class_the_peak_is_in_the_asked_one(model, card):
    """The goal: nine of ten peaks by elementwise methods; by the map of the class, half of them, and no more."""
    stated = card["unseen"]["two_of_a_class"]
    found = measure_asked(model, 12, 0, progress=False)
    assert set(found["whole_class"]) == set(stated["whole_class"])
    for name in ("layercam at pyramid", "hirescam at pyramid"):
        for figures in (stated, found):
            assert figures["asked"][name]["peak_in_asked"] >= 0.9
            assert figures["whole_class"][name]["peak_in_asked"] <= 0.5


@pytest.mark.full
@pytest.mark.training
def test_a_training_learns_a_few_pictures_by_heart(monkeypatch):
    monkeypatch.setattr(labeled_places, "PICTURES", 24)
    monkeypatch.setattr(labeled_places, "BATCH", 8)
    net = train("scenes-boxes", steps=80, seed=3, progress=False)
    assert not net.training
    found = cw.wrap(
        net,
        cw.load("zoo/scenes-boxes", device="cpu").preprocess,
        CLASSES,
        kind="boxes",
    )
    right = []
    for n in range(24):
        scene = labeled_places.training_picture(3, n)
        names = {d.name for d in found.detections(scene.image, 0.3)}
        right += [name in names for name in scene.names]
    assert np.mean(right) >= 0.5


@pytest.mark.full
def test_training_repeats_bit_for_bit_and_leaves_the_first_stages(monkeypatch):
    monkeypatch.setattr(labeled_places, "PICTURES", 16)
    monkeypatch.setattr(labeled_places, "BATCH", 4)
    first, again = (train("scenes-boxes", steps=3, seed=1, progress=False) for _ in range(2))
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    scenes = cw.zoo.build("zoo/scenes").module
    for key, value in scenes[:2].state_dict().items():
        assert torch.equal(value, first.state_dict()[f"early.{key}"]), key
