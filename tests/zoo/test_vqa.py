"""Questions: each has one answer, which follows from the drawing."""

from collections import Counter

import numpy as np
import pytest

import camwidget as cw
from camwidget.zoo.scenes import draw as draw_scene
from camwidget.zoo.vqa import ANSWERS, KINDS, MAX_WORDS, VOCABULARY, QuestionPrompt, answer, draw

FRESH = 50_000


@pytest.fixture(scope="module")
def scene():
    """A red striped disc and a red star, and a blue square; where is found out below."""
    return draw_scene(7, objects=["red striped disc", "red star", "blue square"])


def place(scene, name):
    return scene.names.index(name)


@pytest.mark.parametrize(
    ("question", "expected", "about"),
    [
        ("what color is the star", "red", ["red star"]),
        ("what shape is the blue thing", "square", ["blue square"]),
        ("what shape is the red striped thing", "disc", ["red striped disc"]),
        ("what texture is the disc", "striped", ["red striped disc"]),
        ("what texture is the red star", "plain", ["red star"]),
        ("how many red things are there", "2", ["red striped disc", "red star"]),
        ("how many stars are there", "1", ["red star"]),
        ("how many triangles are there", "0", []),
        ("is there a red disc", "yes", ["red striped disc"]),
        ("is there a blue disc", "no", []),
    ],
)
def test_answers(scene, question, expected, about):
    found = answer(scene, question)
    assert found.text == expected
    assert sorted(found.about) == sorted(place(scene, name) for name in about)


@pytest.mark.parametrize(
    "question",
    [
        "what shape is the red thing",  # there are two
        "what color is the triangle",  # there is none
        "what",
        "the star",
        "what is the star",
        "how many things are there",
    ],
)
def test_questions_without_an_answer(scene, question):
    assert answer(scene, question) is None


def test_what_lies_left_of_a_thing_is_left_of_it():
    seen = 0
    for seed in range(80):
        scene = draw(seed)
        for question in scene.questions:
            found = answer(scene, question)
            if found.kind != "place":
                continue
            seen += 1
            named = next(
                n
                for n, obj in enumerate(scene.objects)
                if set(question.split()) & {obj.shape}
                and n not in found.about
                and all(
                    w in obj.words
                    for w in question.split()
                    if w in ["red", "yellow", "green", "blue"]
                )
            )
            (y, x), (v, u) = (np.argwhere(scene.masks[n]).mean(0) for n in (found.about[0], named))
            holds = {"left": x < u, "right": x > u, "above": y < v, "below": y > v}
            assert holds[question.split()[2]], (seed, question)
            assert scene.objects[found.about[0]].shape == found.text
    assert seen > 20


@pytest.mark.full
def test_the_generator_asks_what_has_an_answer_and_in_known_words():
    answers, kinds = Counter(), Counter()
    for seed in range(150):
        scene = draw(seed)
        assert scene.questions == draw(seed).questions
        for question in scene.questions:
            words = question.split()
            assert set(words) <= set(VOCABULARY.words)
            assert len(words) <= MAX_WORDS
            found = answer(scene, question)
            answers[found.text] += 1
            kinds[found.kind] += 1
    assert set(answers) == set(ANSWERS)
    assert set(kinds) == set(KINDS)
    assert 0.7 < answers["yes"] / answers["no"] < 1.8


def test_evidence_is_what_the_answer_rests_on():
    scene = draw(3)
    question = next(q for q in scene.questions if answer(scene, q).about)
    about = answer(scene, question).about
    assert np.array_equal(scene.evidence("red", question), scene.masks[list(about)].any(0))
    assert not scene.evidence("no", "is there a red striped blue star").any()
    assert scene.evidence("red", "what is this") is None


@pytest.mark.full
@pytest.mark.parametrize("name", ["zoo/vqa", "zoo/vqa-attention"])
def test_unseen_questions_are_answered_right_and_seen_where_the_answer_is(name):
    model = cw.load(name)
    right, peaks = [], []
    for n in range(40):
        scene = draw(FRESH + n)
        for question in scene.questions:
            true = answer(scene, question)
            exp = cw.explain(model.given(question=question), scene.image)
            right.append(exp.target.label == true.text)
            if true.about and true.kind != "count":
                peaks.append(scene.evidence(true.text, question).flat[exp.saliency.argmax()])
    assert np.mean(right) >= 0.88  # 0.90 on the thousand pictures of the card
    assert np.mean(peaks) >= 0.8


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "empty"), ("what colr is the star", "'colr'.*'color'"), ("where is waldo", "'waldo'")],
)
def test_what_cannot_be_read_is_refused_by_name(text, message):
    model = cw.load("zoo/vqa")
    with pytest.raises(cw.CamwidgetError, match=message):
        model.given(question=text)


def test_a_question_has_to_be_asked():
    model = cw.load("zoo/vqa")
    with pytest.raises(cw.CamwidgetError, match="given"):
        cw.explain(model, draw(0).image)


def test_both_spellings_of_color_are_understood() -> None:
    american = "What color is the star?"
    british = american.replace("or", "our")
    first, second = (QuestionPrompt().read(text) for text in (american, british))
    assert first.words == second.words
    assert first.inputs["question"].equal(second.inputs["question"])
