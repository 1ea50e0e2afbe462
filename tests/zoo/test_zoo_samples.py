"""The drawn pictures: reproducible, with correct ground truth."""

import subprocess
import sys

import numpy as np
import pytest

from camwidget.zoo import Sample, textures
from camwidget.zoo.drawing.patterns import PATTERNS
from camwidget.zoo.textures import CLASSES, KINDS, draw, gallery


def test_the_ten_classes_are_in_alphabetical_order():
    assert len(CLASSES) == 10
    assert list(CLASSES) == sorted(CLASSES) == sorted(PATTERNS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_picture_again(kind):
    first, again, other = draw(5, kind), draw(5, kind), draw(6, kind)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.masks, again.masks)
    assert first.labels == again.labels
    assert not np.array_equal(first.image, other.image)


def test_a_generator_is_advanced():
    rng = np.random.default_rng(0)
    assert not np.array_equal(draw(rng, "full").image, draw(rng, "full").image)


def test_kinds_do_not_share_a_stream():
    labels = {kind: [draw(seed, kind, size=32).label for seed in range(20)] for kind in KINDS}
    assert labels["full"] != labels["single"]


@pytest.mark.parametrize("size", [48, 128, 192])
@pytest.mark.parametrize("kind", KINDS)
def test_shapes_and_types(kind, size):
    sample = draw(1, kind, size=size)
    assert sample.image.shape == (size, size, 3)
    assert sample.image.dtype == np.uint8
    assert sample.masks.shape == (len(sample.labels), size, size)
    assert sample.masks.dtype == np.bool_
    assert len(sample.boxes) == len(sample.labels)
    assert sample.pil().size == (size, size)
    assert np.array_equal(np.asarray(sample.pil()), sample.image)


def test_full_is_one_texture_everywhere():
    sample = draw(3, "full")
    assert len(sample.labels) == 1
    assert sample.masks.all()
    assert sample.boxes == ((0, 0, 192, 192),)


def test_multiple_holds_two_to_four_objects_apart():
    counts = set()
    for seed in range(60):
        sample = draw(seed, "multiple")
        counts.add(len(sample.labels))
        assert sample.masks.sum(axis=0).max() == 1, "masks overlap"
        areas = sample.masks.sum(axis=(1, 2))
        assert areas.min() > 0.03 * 192**2, "an object too small to see"
        assert list(areas) == sorted(areas, reverse=True)
        assert 0.08 < sample.masks.any(axis=0).mean() < 0.6
    assert counts == {2, 3, 4}


def test_masks_are_where_the_objects_are(monkeypatch):
    """Other textures in the same outlines change the picture inside the masks, not outside."""
    for seed in range(8):
        sample = draw(seed, "multiple", classes=["lined", "lined"])
        plain = _with_flat_textures(monkeypatch, seed)
        changed = (sample.image != plain.image).any(axis=2)
        objects = sample.masks.any(axis=0)
        assert np.array_equal(sample.masks, plain.masks)
        # Beyond the one soft pixel of the edge nothing differs; within, nearly everything does.
        assert not changed[~_grown(objects)].any()
        assert changed[objects].mean() > 0.95


def _with_flat_textures(monkeypatch, seed: int) -> Sample:
    """The same picture with every object's colors turned to black."""
    shade = textures.shade
    with monkeypatch.context() as patch:
        patch.setattr(textures, "shade", lambda *args: 0.0 * shade(*args))
        return draw(seed, "multiple", classes=["lined", "lined"])


def _grown(mask: np.ndarray) -> np.ndarray:
    """The mask and every pixel beside it."""
    padded = np.pad(mask, 1)
    rows, columns = mask.shape
    return np.logical_or.reduce(
        [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    )


def test_boxes_enclose_the_masks_tightly():
    sample = draw(2, "multiple")
    for mask, (left, top, right, bottom) in zip(sample.masks, sample.boxes, strict=True):
        assert mask[top:bottom, left:right].sum() == mask.sum()
        for border in (mask[top], mask[bottom - 1], mask[:, left], mask[:, right - 1]):
            assert border.any()


def test_classes_can_be_chosen():
    assert draw(0, "full", classes=["veined"]).names == ("veined",)
    assert draw(0, "single", classes=[4]).label == 4
    several = draw(0, "multiple", classes=("knitted", "bubbly", "knitted"))
    assert sorted(several.names) == ["bubbly", "knitted", "knitted"]
    where = several.mask_of(CLASSES.index("knitted"))
    assert where.sum() == sum(
        mask.sum()
        for mask, name in zip(several.masks, several.names, strict=True)
        if name == "knitted"
    )
    assert not several.mask_of(CLASSES.index("veined")).any()


def test_instances_have_one_texture_which_the_seed_chooses():
    samples = [textures.draw_instances(seed) for seed in range(8)]
    assert all(len(s.labels) == 3 and len(set(s.labels)) == 1 for s in samples)
    assert len({s.label for s in samples}) > 3
    assert np.array_equal(textures.draw_instances(3).image, samples[3].image)
    assert len(textures.draw_instances(3, 4).labels) == 4
    with pytest.raises(ValueError, match="two to four classes"):
        textures.draw_instances(3, 5)


@pytest.mark.parametrize("name", CLASSES)
def test_every_texture_shows_its_pattern(name):
    """Each keeps to the range of a picture, has contrast, and differs from seed to seed."""
    for seed in range(3):
        image = draw(seed, "full", classes=[name]).image
        assert 10 < image.std() < 110
        assert np.mean((image > 8) & (image < 247)) > 0.6


@pytest.mark.parametrize(
    ("kind", "classes", "message"),
    [
        ("several", None, "full, single, multiple"),
        ("full", ["woolly"], "honeycombed"),
        ("full", [10], "0 to 9"),
        ("full", "veined", "sequence"),
        ("single", [1, 2], "one class"),
        ("multiple", [1], "two to four"),
    ],
)
def test_what_cannot_be_drawn_is_refused(kind, classes, message):
    with pytest.raises(ValueError, match=message):
        draw(0, kind, classes=classes)


def test_the_gallery_is_varied_and_repeatable():
    first, again = gallery(), gallery()
    assert 6 <= len(first) <= 10
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.image, other.image)
    assert {name for sample in first for name in sample.names} == set(CLASSES)
    assert any(len(sample.labels) > 1 for sample in first)
    assert all(sample.image.shape == (192, 192, 3) for sample in first)


def test_drawing_needs_no_torch(tmp_path):
    """The pictures can be drawn where loading torch would only cost time."""
    folder = textures.__file__.rpartition("camwidget")[0]
    code = (
        "import sys, types; package = types.ModuleType('camwidget');"
        f"package.__path__ = [{folder + 'camwidget'!r}]; sys.modules['camwidget'] = package;"
        "from camwidget.zoo.textures import draw; draw(0);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
