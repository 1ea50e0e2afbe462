"""Captions: correct descriptions, and the evidence for each of their words."""

import numpy as np
import pytest
import torch

import camwidget as cw
from camwidget.zoo.captions import (
    FULL_CAPTION,
    MAX_WORDS,
    VOCABULARY,
    draw,
    phrases_of,
    relation,
    word_index,
)
from camwidget.zoo.nets import CaptionNet

FRESH = 50_000


def test_a_seed_gives_the_same_scene_and_caption_again():
    first, again = draw(3), draw(3)
    assert np.array_equal(first.image, again.image)
    assert first.caption == again.caption


def test_a_caption_names_the_things_larger_first_and_how_they_lie():
    for seed in range(30):
        scene = draw(seed)
        words = scene.caption.split()
        assert len(words) <= MAX_WORDS
        assert set(words) <= set(VOCABULARY.words)
        phrases = [" ".join(words[n] for n in p) for p in phrases_of(words)]
        assert phrases == [f"a {obj.name}" for obj in scene.objects]
        if len(phrases) == 2:
            assert scene.masks[0].sum() > 1.5 * scene.masks[1].sum()
            (x, y), (u, v) = (np.argwhere(m).mean(0)[::-1] for m in scene.masks)
            named = scene.caption.removeprefix(phrases[0]).removesuffix(phrases[1]).strip()
            assert {
                "left of": x < u,
                "right of": x > u,
                "above": y < v,
                "below": y > v,
            }[named]
            assert named == relation(*scene.masks)


def test_the_evidence_for_a_word_is_the_thing_of_its_phrase():
    scene = next(
        s
        for s in map(draw, range(50))
        if len(s.objects) == 2 and s.objects[0].color != s.objects[1].color
    )
    first, second = scene.masks
    one, other = scene.objects
    assert np.array_equal(scene.evidence(one.color), first)
    assert np.array_equal(scene.evidence(other.color), second)
    assert np.array_equal(scene.evidence(FULL_CAPTION), first | second)
    assert np.array_equal(scene.evidence("a #1"), first)
    # What a made-up caption names and the picture has not is nowhere.
    absent = next(
        c for c in ("red", "yellow", "green", "blue") if c not in (one.color, other.color)
    )
    assert not scene.evidence(absent, f"a {absent} {one.shape}").any()
    assert scene.evidence("pink") is None


def test_places_of_words():
    words = ["a", "red", "disc", "above", "a", "red", "star"]
    assert word_index(FULL_CAPTION, words) == -1
    assert word_index("disc", words) == 2
    assert word_index("red #6", words) == 5
    assert word_index("blue", words) is None
    assert [list(p) for p in phrases_of(words)] == [[0, 1, 2], [4, 5, 6]]


def test_the_probability_of_a_caption_is_the_product_of_its_words_and_its_end():
    """Over all words at the next place, probabilities sum to one; the whole adds the end's to the words'."""
    torch.manual_seed(0)
    net = CaptionNet(len(VOCABULARY)).eval()
    pictures, caption = torch.rand(2, 3, 128, 128), torch.tensor([[1, 4, 2], [3, 3, 5]])
    with torch.no_grad():
        log_probabilities = net.word_log_probabilities(pictures, caption)
        out = net(pictures, caption)
    torch.testing.assert_close(log_probabilities.exp().sum(2), torch.ones(2, 4))
    for n in range(2):
        each = [log_probabilities[n, t, caption[n, t]] for t in range(3)]
        torch.testing.assert_close(out[n, 1:], torch.stack(each))
        torch.testing.assert_close(out[n, 0], sum(each) + log_probabilities[n, 3, 0])


def test_what_is_written_is_the_likeliest_next_word_each_time():
    torch.manual_seed(1)
    net = CaptionNet(len(VOCABULARY)).eval()
    pictures = torch.rand(1, 3, 128, 128)
    written = net.generate(pictures, 5)
    with torch.no_grad():
        log_probabilities = net.word_log_probabilities(pictures, written[:, :-1])
    assert torch.equal(log_probabilities.argmax(2), written)


@pytest.fixture(scope="module")
def captioner():
    return cw.load("zoo/captions")


def test_captions_of_unseen_pictures_are_right(captioner):
    scenes = [draw(FRESH + n) for n in range(60)]
    right = [captioner.propose(s.image) == s.caption for s in scenes]
    assert np.mean(right) >= 0.8


def test_the_saliency_is_where_the_named_things_are(captioner):
    """Mean saliency inside the boxes over outside, for the whole caption and for each telling word."""
    ratios = {True: [], False: []}
    for n in range(24):
        scene = draw(FRESH + n)
        prompted = captioner.given(caption=scene.caption)
        words = [i for i, word in enumerate(scene.caption.split(), 1) if len(word) > 2]
        for exp in cw.explain(prompted, scene.image, [0, *words]):
            place = scene.evidence(exp.target.label, scene.caption)
            inside = np.zeros_like(place)
            for mask, (left, top, right, bottom) in zip(scene.masks, scene.boxes, strict=True):
                if (mask & place).any():
                    inside[top:bottom, left:right] = True
            outside = max(exp.saliency[~inside].mean(), 1e-3)
            ratios[exp.target.index == 0].append(exp.saliency[inside].mean() / outside)
    assert np.mean(ratios[True]) >= 3
    assert np.mean(ratios[False]) >= 3


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "empty"), ("  ", "empty"), ("a pink disc", "'pink'"), ("?!", "no word")],
)
def test_what_cannot_be_read_is_refused_by_name(captioner, text, message):
    with pytest.raises(cw.CamwidgetError, match=message):
        captioner.given(caption=text)
