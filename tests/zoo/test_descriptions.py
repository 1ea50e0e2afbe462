"""Texts about scenes: what they say, whether they are true, and of which things."""

import numpy as np
import pytest

import camwidget as cw
from camwidget.zoo.scene_texts import (
    LONGEST,
    SYNONYMS,
    TEXTS,
    VOCABULARY,
    Description,
    Facts,
    describe,
    gallery,
    padded,
    tokenize,
)
from camwidget.zoo.scenes import draw

PLAIN_DISC = frozenset({"red", "disc", "plain"})


@pytest.mark.parametrize(
    ("text", "phrases", "relation"),
    [
        ("a red disc", [PLAIN_DISC], None),
        ("Red ball", [PLAIN_DISC], None),
        ("a red plain circle", [PLAIN_DISC], None),
        ("a red spotted box", [{"red", "dotted", "square"}], None),
        ("a star", [{"star"}], None),
        ("a striped thing", [{"striped"}], None),
        ("a red disc and a star", [PLAIN_DISC, {"star"}], None),
        ("a star left of a red disc", [{"star"}, PLAIN_DISC], "left of"),
        ("a star below a blue thing", [{"star"}, {"blue"}], "below"),
    ],
)
def test_what_a_text_says(text, phrases, relation):
    assert Description.of(text) == Description(tuple(map(frozenset, phrases)), relation)


@pytest.mark.parametrize("text", ["a pink disc", "", "left of and"])
def test_a_text_that_says_nothing_known(text):
    assert Description.of(text) is None


def test_a_generated_text_is_true_and_becomes_false_with_the_opposite_relation():
    rng = np.random.default_rng(1)
    opposite = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
    turned = 0
    for seed in range(60):
        scene = draw(seed, 2)
        facts = Facts.of(scene)
        text = describe(rng, facts)
        described = Description.of(text)
        assert described is not None and facts.confirm(described), text
        assert len(padded(text.split())) == LONGEST
        if described.relation is not None and not (described.phrases[0] & described.phrases[1]):
            # No property is shared, so that of two things each can be one of the phrases only.
            other = Description(described.phrases, opposite[described.relation])
            turned += 1
            assert not facts.confirm(other), text
    assert turned > 0


def test_a_text_is_false_where_no_thing_fits():
    scene = draw(3, objects=["red disc", "blue striped star"])
    facts = Facts.of(scene)
    for text, true in [
        ("a red ball", True),
        ("a red striped ball", False),  # its color is one thing's, its texture the other's
        ("a blue star", False),  # which would be plain
        ("a star", True),
        ("a red thing and a striped thing", True),
        ("a red thing and a disc", False),  # they are the same thing
        ("a square and a star", False),
    ]:
        described = Description.of(text)
        assert described is not None and facts.confirm(described) is true, text


def test_the_evidence_for_a_text_is_the_things_it_names():
    sample = gallery()[0]
    assert sample.names == ("yellow dotted square", "red striped disc", "blue star")
    square, disc, star = sample.masks
    for text, mask in [
        ("a spotted box", square),
        ("red striped disc", disc),
        ("a blue thing and a box", star | square),
        ("a star and a triangle", np.zeros_like(star)),
        ("a green thing", np.zeros_like(star)),
    ]:
        assert np.array_equal(sample.evidence(text), mask), text
    assert sample.evidence("a pink thing") is None
    # The class names mean the same as for any scene.
    for name in TEXTS:
        assert np.array_equal(sample.evidence(name), super(type(sample), sample).evidence(name))


def test_a_text_becomes_numbers_or_is_refused_with_the_words_there_are():
    numbers = tokenize("A red ball!")
    assert numbers.shape == (1, LONGEST)
    assert VOCABULARY.text(numbers[0].tolist()) == "a red ball"
    assert set(SYNONYMS) <= set(VOCABULARY.words)
    with pytest.raises(cw.CamwidgetError, match="'pink'.*ball"):
        tokenize("a pink ball")
    with pytest.raises(cw.CamwidgetError, match=f"at most {LONGEST}"):
        tokenize("a " * (LONGEST + 1))
