"""The classifier of moving things: its clips, what it names, and maps that lie on what moves while it moves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import camwidget as cw
from camwidget.images.ground_truth import share_inside
from camwidget.training import moves as training
from camwidget.training.moves import class_targets, normalize_clips, training_clip, vary
from camwidget.training.moves_evaluation import APPEARANCE, measure_answers, measure_maps, twins
from camwidget.training.train import train
from camwidget.zoo import registry
from camwidget.zoo.drawing.scene_objects import COLORS
from camwidget.zoo.moves import CLASSES, DIRECTIONS, FRAMES, SIZE, draw

FRESH = 60_000


@pytest.fixture(scope="module")
def model():
    return cw.load("zoo/moves", device="cpu")


@pytest.fixture(scope="module")
def card():
    return cw.zoo.build("zoo/moves").card


def centers(mask):
    """The center (x, y) of a thing in every frame, (T, 2)."""
    places = [np.argwhere(frame).mean(0)[::-1] for frame in mask]
    return np.array(places)


def grown(mask, by):
    """A mask (T, H, W) and the pixels around it, with a thing's shadow."""
    padded = torch.from_numpy(mask)[:, None].float()
    return torch.nn.functional.max_pool2d(padded, 2 * by + 1, 1, by)[:, 0].numpy() > 0


# -- the clips ---------------------------------------------------------------------------------


def test_a_seed_gives_the_same_clip_again():
    first, again, other = draw(5), draw(5), draw(6)
    assert np.array_equal(first.image, again.image) and np.array_equal(first.masks, again.masks)
    assert first.image.shape == (FRAMES, SIZE, SIZE, 3) and first.image.dtype == np.uint8
    assert not np.array_equal(first.image, other.image)


def test_things_move_as_their_class_says_and_when_it_says():
    steps = dict(zip(DIRECTIONS, ((-1, 0), (1, 0), (0, -1), (0, 1)), strict=True))
    for seed in range(30):
        scene = draw(FRESH + seed)
        for name, mask, moving in zip(scene.names, scene.masks, scene.moving, strict=True):
            way = np.diff(centers(mask), axis=0)
            along = way @ steps[name.split()[-1]]
            across = np.abs(way).sum(1) - np.abs(along)
            frames = np.flatnonzero(moving)
            goes = (np.arange(FRAMES - 1) >= frames[0]) & (np.arange(FRAMES - 1) < frames[-1])
            assert (along[goes] > 1).all() and (np.abs(along[~goes]) < 0.3).all()
            assert (across < 0.5).all()
            assert moving[frames[0] : frames[-1] + 1].all() and 5 <= moving.sum() <= 9
        for mask in scene.still:
            assert (mask == mask[0]).all()
        assert len(scene.still) == len(scene.still_colors)
        every = np.concatenate([scene.masks, scene.still])
        assert every.sum(0).max() == 1, "things overlap"
        assert every[:, :, [0, -1]].sum() == every[:, :, :, [0, -1]].sum() == 0, "cut off"


def test_frames_differ_by_noise_where_nothing_moves():
    scene = draw(FRESH, things=["red moves left", "red stands still"])
    steps = np.abs(np.diff(scene.image.astype(int), axis=0)).mean(3)
    moved = scene.masks[0][1:] | scene.masks[0][:-1]
    assert steps[scene.still[0][1:]].mean() < 6 < 20 < steps[moved & ~scene.masks[0][1:]].mean()


def test_evidence_is_the_thing_while_it_moves():
    scene = draw(FRESH, things=["blue moves up", "blue stands still", "blue moves down"])
    assert sorted(scene.names) == ["blue moves down", "blue moves up"]
    for n, name in enumerate(scene.names):
        evidence = scene.evidence(name)
        assert np.array_equal(evidence, scene.masks[n] & scene.moving[n][:, None, None])
        assert not (evidence & scene.still[0]).any()
    assert not scene.evidence("blue moves left").any() and scene.evidence("green") is None
    (left, top, right, bottom), _ = scene.boxes
    assert scene.masks[0].any(0)[top:bottom, left:right].sum() == scene.masks[0].any(0).sum()
    assert scene.pil().size == (4 * SIZE, 3 * SIZE)


@pytest.mark.parametrize(
    ("things", "message"),
    [
        (["red moves away"], "no thing 'red moves away'"),
        (["red stands still"], "at least one thing"),
        ("red moves left", "sequence"),
        ([CLASSES[0]] * 5, "one to four things"),
    ],
)
def test_what_cannot_be_drawn_is_refused(things, message):
    with pytest.raises(ValueError, match=message):
        draw(0, things=things)


def test_clips_that_are_mirrored_turned_and_reversed_have_the_classes_that_they_show():
    """What moves left in the clip as it is varied is found by its pixels."""
    seen = set()
    for seed in range(16):
        scene = draw(FRESH + seed, things=[CLASSES[seed]])
        # The colors of the mask stand for the thing.
        drawn = np.repeat(scene.masks[0][None, ..., None], 3, 4).astype(np.uint8)
        varied, targets = vary(drawn, class_targets(scene)[None], np.random.default_rng(seed))
        (label,) = torch.nonzero(targets[0]).flatten().tolist()
        way = np.diff(centers(varied[0, ..., 0] > 0)[[0, -1]], axis=0)[0]
        shown = (
            ("right" if way[0] > 0 else "left")
            if abs(way[0]) > abs(way[1])
            else ("down" if way[1] > 0 else "up")
        )
        assert CLASSES[label] == f"{CLASSES[seed].split()[0]} moves {shown}"
        seen.add((CLASSES[seed].split()[-1], shown))
    assert len(seen) > 8


# -- what the model names ----------------------------------------------------------------------


def test_it_names_what_moves_and_nothing_where_nothing_does(model):
    assert (model.frames, model.default_layer, model.classes) == (FRAMES, "stage3", CLASSES)
    entry = registry.entry("zoo/moves")
    found = measure_answers(entry, model.module, pictures=40, progress=False)
    assert found["moving"]["accuracy"] > 0.95 and found["moving"]["exactly_the_classes"] > 0.85
    assert found["all_frames_alike"]["something_named"] == 0


def test_a_clip_played_backwards_moves_the_other_way(model):
    scene = draw(FRESH, things=["green moves left"])
    both = cw.probabilities(model, [scene.image, scene.image[::-1]])
    named = [[CLASSES[n] for n in np.flatnonzero(row > 0.5)] for row in both]
    assert named == [["green moves left"], ["green moves right"]]


# -- its maps ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def explained(model):
    """A thing that moves, one of its color that stands still, and one that moves the other way, with their maps."""
    found = []
    for seed in range(FRESH, FRESH + 8):
        scene = twins(seed)
        maps = cw.explain(model, scene.image, CLASSES[seed % 16], ["gradcam", "cam", "eigencam"])
        found.append((scene, seed % 16, [m.saliency for m in maps]))
    return found


def test_maps_lie_on_what_moves_and_not_on_what_stands_still(explained):
    for scene, label, (gradcam, cam, _) in explained:
        evidence = scene.mask_of(label)
        np.testing.assert_allclose(gradcam, cam, atol=1e-4)
        assert share_inside(gradcam, evidence) > 10 * evidence.mean()
        assert share_inside(gradcam, scene.still[0]) < 0.06
    peaks = [s.mask_of(n).flat[maps[0].argmax()] for s, n, maps in explained]
    assert np.mean(peaks) > 0.85


def test_frames_in_which_it_moves_are_those_that_matter(explained):
    shares = []
    for scene, label, (gradcam, *_) in explained:
        moving = scene.moving[scene.labels.index(label)]
        by_frame = gradcam.sum((1, 2))
        # Two frames beyond are known of.
        near = np.convolve(moving, np.ones(5), "same") > 0
        assert by_frame[~near].sum() < 0.1 * by_frame.sum()
        shares.append(by_frame[moving].sum() / by_frame.sum() / moving.mean())
    assert np.mean(shares) > 1.3


def test_an_explanation_by_appearance_is_another_one(explained):
    """All things of the color, moving or not; and EigenCAM, which knows of no class, finds the other mover as well."""
    for scene, *_ in explained:
        alike = (scene.masks.any(0) | scene.still.any(0)).astype(np.float32)
        assert share_inside(alike, scene.still[0]) > 0.15
    other = [
        [share_inside(m, s.masks[1 - s.labels.index(n)]) for m in (maps[0], maps[2])]
        for s, n, maps in explained
    ]
    gradcam, eigencam = np.mean(other, 0)
    assert gradcam < 0.05 < 0.1 < eigencam


def test_hiding_the_moving_thing_takes_the_class_away_and_hiding_the_still_one_does_not(model):
    scene = draw(FRESH, things=["red moves right", "red stands still"])
    hidden = [
        cw.mask_picture(model, scene.image, grown(mask, 5), baseline="inpaint")
        for mask in (scene.masks[0], scene.still[0])
    ]
    pixels = torch.stack([model.pixels(scene.image)[0], *hidden])
    before, without, beside = cw.probabilities(model, pixels)[:, CLASSES.index(scene.names[0])]
    assert without < 0.5 < 0.85 < min(before, beside)


@pytest.mark.full
def test_the_card_says_what_is_so(model, card):
    stated = card["unseen"]
    assert stated["all_frames_alike"]["something_named"] == 0
    assert stated["moving"]["accuracy"] > 0.99
    found = measure_maps(model, 12, 1, progress=False)
    assert set(found) == set(stated["methods"])
    for name in ("gradcam", "gradcam++", "saliency", APPEARANCE):
        for key, value in stated["methods"][name].items():
            if key not in ("clips", "peak_in_thing"):
                assert found[name][key] == pytest.approx(value, abs=0.12), (name, key)
    assert card["input"]["frames"] == FRAMES and len(card["classes"]) == len(COLORS) * 4


@pytest.mark.full
@pytest.mark.training
def test_a_training_learns_twenty_clips_by_heart(monkeypatch):
    monkeypatch.setattr(training, "BATCH", 8)
    monkeypatch.setattr(training, "PASSES", 80 * 8 // 20)
    monkeypatch.setattr(training, "vary", lambda clips, targets, rng: (clips, targets))
    net = train("moves", steps=80, seed=3, progress=False)
    shown = [training_clip(3, n) for n in range(20)]
    clips = np.stack([scene.image for scene in shown])
    with torch.no_grad():
        scores = net(normalize_clips(clips, registry.entry("zoo/moves")))
    right = [int(row.argmax()) in s.labels for row, s in zip(scores, shown, strict=True)]
    assert not net.training
    assert np.mean(right) >= 0.7
