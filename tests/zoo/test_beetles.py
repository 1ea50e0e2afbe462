"""The drawn beetles: reproducible, with correct masks, and equal except for the head."""

import subprocess
import sys

import numpy as np
import pytest

from camwidget.zoo import beetles
from camwidget.zoo.beetles import CLASSES, draw, gallery

SEEDS = range(30)


def _grown(mask: np.ndarray, by: int) -> np.ndarray:
    """The mask and every pixel at most `by` rows and columns from it."""
    padded = np.pad(mask, by)
    rows, columns = mask.shape
    around = range(2 * by + 1)
    return np.logical_or.reduce(
        [padded[i : i + rows, j : j + columns] for i in around for j in around]
    )


def test_a_seed_gives_the_same_picture_again():
    first, again, other = draw(5), draw(5), draw(6)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.part, again.part)
    assert np.array_equal(first.cue, again.cue)
    assert first.labels == again.labels
    assert not np.array_equal(first.image, other.image)


@pytest.mark.full
def test_to_say_what_would_have_come_anyway_changes_nothing():
    for seed in SEEDS:
        free = draw(seed)
        fixed = draw(seed, free.label, free.flower)
        assert np.array_equal(free.image, fixed.image)
    assert {(draw(n).label, draw(n).flower) for n in SEEDS} == {
        (label, flower) for label in (0, 1) for flower in (False, True)
    }


def test_a_generator_is_advanced():
    rng = np.random.default_rng(0)
    assert not np.array_equal(draw(rng).image, draw(rng).image)


@pytest.mark.parametrize("size", [64, 128, 192])
def test_shapes_and_types(size):
    sample = draw(1, "weevil", True, size=size)
    assert sample.image.shape == (size, size, 3)
    assert sample.image.dtype == np.uint8
    assert sample.masks.shape == (1, size, size)
    for mask in (sample.masks, sample.part, sample.cue):
        assert mask.dtype == np.bool_
    assert sample.part.shape == sample.cue.shape == (size, size)
    assert sample.names == ("weevil",)


@pytest.mark.full
def test_beetle_part_and_flower_are_whole_and_apart():
    for seed in range(150):
        sample = draw(seed, flower=True)
        beetle = sample.masks[0]
        assert sample.part.sum() >= 60, "a part too small to see"
        assert sample.cue.sum() >= 400, "a flower too small to see"
        assert 0.05 < beetle.mean() < 0.2
        assert not (sample.part & ~beetle).any()
        assert not (_grown(sample.cue, 2) & beetle).any(), "the flower touches the beetle"
        for mask in (beetle, sample.cue):
            border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
            assert not border.any(), "cut off by the border"


@pytest.mark.full
def test_the_other_class_differs_at_the_head_only():
    for seed in SEEDS:
        for flower in (False, True):
            stag, weevil = (draw(seed, label, flower) for label in CLASSES)
            changed = (stag.image != weevil.image).any(axis=2)
            # The shadow of the part reaches a few pixels beyond it.
            assert not changed[~_grown(stag.part | weevil.part, 8)].any()
            assert changed[stag.part ^ weevil.part].mean() > 0.8
            assert np.array_equal(stag.cue, weevil.cue)


def test_the_flower_changes_only_itself():
    for seed in SEEDS:
        bare, decked = draw(seed, 0, False), draw(seed, 0, True)
        assert not bare.cue.any()
        assert np.array_equal(bare.masks, decked.masks)
        assert np.array_equal(bare.part, decked.part)
        changed = (bare.image != decked.image).any(axis=2)
        assert not changed[~_grown(decked.cue, 8)].any()
        assert changed[decked.cue].mean() > 0.9


def test_the_evidence_is_the_part_of_the_class_that_is_there():
    sample = draw(3, "weevil", True)
    assert np.array_equal(sample.evidence("weevil"), sample.part)
    assert not sample.evidence("stag beetle").any()
    assert sample.evidence("ladybird") is None
    assert sample.evidence("daisy") is None


def test_concepts_are_what_is_there():
    assert set(draw(3, "weevil", True).concepts()) == {"beetle", "snout", "flower"}
    assert set(draw(3, "stag beetle", False).concepts()) == {"beetle", "mandibles"}


@pytest.mark.parametrize(("label", "message"), [("ladybird", "stag beetle"), (2, "0 to 1")])
def test_what_cannot_be_drawn_is_refused(label, message):
    with pytest.raises(ValueError, match=message):
        draw(0, label)


def test_the_gallery_shows_all_four_cases():
    first, again = gallery(), gallery()
    assert len(first) == 8
    assert {(sample.label, sample.flower) for sample in first} == {
        (label, flower) for label in (0, 1) for flower in (False, True)
    }
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.image, other.image)


def test_drawing_needs_no_torch(tmp_path):
    folder = beetles.__file__.rpartition("camwidget")[0]
    code = (
        "import sys, types; package = types.ModuleType('camwidget');"
        f"package.__path__ = [{folder + 'camwidget'!r}]; sys.modules['camwidget'] = package;"
        "from camwidget.zoo.beetles import draw; draw(0);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
