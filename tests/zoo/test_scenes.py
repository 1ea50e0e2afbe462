"""Scenes: reproducible, with the correct shape, color, texture and mask of every object."""

import colorsys

import numpy as np
import pytest

from camwidget.zoo.drawing.scene_objects import COLORS, OBJECTS, SHAPES, TEXTURES, SceneObject
from camwidget.zoo.scenes import (
    CATEGORIES,
    CLASSES,
    MAX_OBJECTS,
    draw,
    draw_instances,
    gallery,
)


def test_the_classes_are_every_shape_in_every_color_and_texture():
    assert len(CLASSES) == len(set(CLASSES)) == len(SHAPES) * len(COLORS) * len(TEXTURES) >= 12
    assert SceneObject("disc", "red", "striped").name == "red striped disc"
    assert SceneObject("star", "blue", "plain").name == "blue star"
    assert set(CATEGORIES) == {*SHAPES, *COLORS, *TEXTURES}


def test_a_seed_gives_the_same_scene_again():
    first, again, other = draw(5), draw(5), draw(6)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.masks, again.masks)
    assert first.objects == again.objects
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("size", [64, 128, 192])
def test_shapes_and_types(size):
    scene = draw(1, 3, size=size)
    assert scene.image.shape == (size, size, 3)
    assert scene.image.dtype == np.uint8
    assert scene.masks.shape == (3, size, size)
    assert scene.names == tuple(obj.name for obj in scene.objects)
    assert len(scene.boxes) == 3


def test_there_are_one_to_five_things_which_do_not_touch():
    counts = set()
    for seed in range(40):
        scene = draw(seed)
        counts.add(len(scene.objects))
        assert scene.masks.sum(0).max() == 1
        areas = scene.masks.sum((1, 2))
        assert list(areas) == sorted(areas, reverse=True)
        assert areas.min() > 0.02 * 128**2
    assert counts == {1, 2, 3, 4, 5}


def test_several_of_one_class_may_be_there():
    scene = draw(0, objects=["red disc", "blue star", "red disc"])
    assert scene.mask_of(CLASSES.index("red disc")).sum() == sum(
        mask.sum()
        for mask, name in zip(scene.masks, scene.names, strict=True)
        if name == "red disc"
    )
    assert not scene.evidence("yellow star").any()
    assert scene.evidence("no such thing") is None


def test_instances_are_of_one_class_which_the_seed_chooses():
    scenes = [draw_instances(seed) for seed in range(8)]
    assert all(len(s.labels) == 3 and len(set(s.labels)) == 1 for s in scenes)
    assert len({s.label for s in scenes}) > 4
    assert all(s.mask_of(s.label).sum() == s.masks.sum() for s in scenes)
    again = draw_instances(3)
    assert np.array_equal(again.image, scenes[3].image) and again.labels == scenes[3].labels
    assert len(draw_instances(3, 5).labels) == 5
    with pytest.raises(ValueError, match="one to five objects, not 6"):
        draw_instances(3, 6)


@pytest.mark.parametrize("color", COLORS)
def test_a_plain_thing_has_its_color(color):
    """The hue of the middle of its mask is that of its name, whatever the ground and the light."""
    ranges = {"red": (-25, 25), "yellow": (35, 68), "green": (85, 165), "blue": (195, 255)}
    for seed in range(5):
        scene = draw(seed, objects=[f"{color} disc"])
        red, green, blue = scene.image[scene.masks[0]].mean(0) / 255
        hue = colorsys.rgb_to_hsv(red, green, blue)[0] * 360
        low, high = ranges[color]
        assert low <= (hue - 360 if hue > 300 else hue) <= high


def test_a_texture_shows():
    """Stripes and dots vary within a thing far more than a plain surface does."""

    def spread(texture):
        name = SceneObject("disc", "blue", texture).name
        scenes = [draw(seed, objects=[name], radii=[0.25]) for seed in range(6)]
        return np.mean([s.image[s.masks[0]].std(0).mean() for s in scenes])

    assert spread("striped") > 1.6 * spread("plain")
    assert spread("dotted") > 1.6 * spread("plain")


def test_a_shape_fills_its_box_as_it_should():
    """The share of the bounding box of a turned shape tells the compact ones from the star."""

    def filled(shape):
        scenes = [draw(seed, objects=[SceneObject(shape, "red", "plain")]) for seed in range(8)]
        share = []
        for scene in scenes:
            left, top, right, bottom = scene.boxes[0]
            share.append(scene.masks[0].sum() / ((right - left) * (bottom - top)))
        return np.mean(share)

    assert abs(filled("disc") - np.pi / 4) < 0.03
    assert filled("star") < filled("triangle") < filled("disc")


def test_concepts_are_where_the_things_are():
    scene = draw(3, objects=["red striped disc", "red star"])
    concepts = scene.concepts()
    assert set(concepts) == {"red", "striped", "disc", "star", "plain"}
    assert np.array_equal(concepts["red"], scene.masks.any(0))
    assert np.array_equal(concepts["disc"], scene.evidence("red striped disc"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"number": 0}, "one to five"),
        ({"number": MAX_OBJECTS + 1}, "one to five"),
        ({"objects": "red disc"}, "sequence"),
        ({"objects": ["pink disc"]}, "red striped disc"),
        ({"objects": [len(OBJECTS)]}, "0 to 47"),
        ({"objects": ["red disc"], "number": 2}, "number says 2"),
        ({"objects": ["red disc"], "radii": [0.1, 0.2]}, "2 radii"),
    ],
)
def test_what_cannot_be_drawn_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        draw(0, **given)


def test_the_gallery_is_varied_and_repeatable():
    first, again = gallery(), gallery()
    assert {len(scene.labels) for scene in first} == {1, 2, 3, 4, 5}
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.image, other.image)
