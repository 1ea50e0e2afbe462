"""The quiz: answers, score, what may be set, questions that come late or fail."""

from __future__ import annotations

import io
import re
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import traitlets as t
from PIL import Image

import camwidget as cw
from camwidget.errors import PictureError, QuizError
from camwidget.widget.quiz import QuizScore
from camwidget.widget.view.quiz_cards import LONGEST, card_of
from camwidget.zoo import textures as drawn

GRAY = np.full((32, 48, 3), 128, np.uint8)


def question(answer: Any = 0, **more: Any) -> cw.Question:
    return cw.Question("Which?", [(GRAY, "gray")], ["a", "<b>b</b>", "c"], answer, **more)


@pytest.fixture
def quiz() -> Any:
    made = cw.Quiz([question(0), question((1, 2)), question(None)])
    yield made
    made.close()


def test_play(quiz: cw.Quiz) -> None:
    assert quiz.number == 0 and quiz.answers == [None, None, None] and not quiz.finished
    assert quiz.score == (0, 0) and quiz.mean is None
    assert quiz.answer(0) is True
    assert quiz.next().number == 1
    assert quiz.answer("a") is False
    quiz.next()
    assert quiz.answer(2) is None, "nothing is right or wrong there"
    assert quiz.finished and quiz.next().number == 3 and quiz.next().number == 3
    assert quiz.score == QuizScore(right=1, answered=2) and str(quiz.score) == "1 of 2 right"
    assert repr(quiz) == "Quiz(3 questions, 3 answered)"
    second = quiz.results[1]
    assert second["chosen"] == "a" and second["right options"] == ["<b>b</b>", "c"]
    assert [r["right"] for r in quiz.results] == [True, False, None]
    quiz.restart()
    assert quiz.number == 0 and quiz.answers == [None] * 3 and quiz.results[0]["chosen"] is None


def test_a_scale() -> None:
    quiz = cw.Quiz(
        [question((0,), values=(2, 0, -2)), question((2,), values=(-2, 0, 2)), question()]
    )
    for option in (0, 1, 0):
        quiz.answer(option)
        quiz.next()
    assert quiz.mean == 1.0 and quiz.score == (2, 3)
    assert [r["value"] for r in quiz.results] == [2.0, 0.0, None]
    quiz.close()


def test_what_cannot_be_answered(quiz: cw.Quiz) -> None:
    with pytest.raises(QuizError, match="no option 'd': 'a'"):
        quiz.answer("d")
    for option in (3, -1, True):
        with pytest.raises(QuizError, match="options 0 to 2"):
            quiz.answer(option)
    quiz.answer(1)
    with pytest.raises(QuizError, match=r"answered already: call next\(\)"):
        quiz.answer(0)
    for answers in ([0], [0, 0, 9], ["a", None, None]):
        with pytest.raises(QuizError):
            quiz.answers = answers
    for number in (-1, 4):
        with pytest.raises(QuizError, match="from 0 to 3, the score"):
            quiz.number = number
    with pytest.raises(t.TraitError):
        quiz.number = "1"
    assert quiz.answers == [1, None, None] and quiz.number == 0
    quiz.number = 3
    with pytest.raises(QuizError, match="no question left"):
        quiz.answer(0)


def test_what_is_no_quiz() -> None:
    with pytest.raises(QuizError, match="no question"):
        cw.Quiz([])
    with pytest.raises(QuizError, match="put a single one in brackets"):
        cw.Quiz(question())  # type: ignore[arg-type]
    with pytest.raises(QuizError, match="not str"):
        cw.Quiz(["Which?"])  # type: ignore[list-item]
    with pytest.raises(PictureError, match="no file"):
        cw.Quiz([cw.Question("?", [("missing.png", "")], ["a", "b"])])


def shown(picture: dict[str, Any]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture["data"])).convert("RGB"))


def test_pictures_of_every_kind(textures: cw.VisionModel, tmp_path: Path) -> None:
    sample = drawn.draw(1, "multiple", classes=["waffled", "bubbly"])
    explained = cw.explain(textures, sample.image, "bubbly")
    file = tmp_path / "large.png"
    Image.fromarray(GRAY).resize((3000, 1500)).save(file)
    kinds = [explained, sample, sample.pil(), textures.pixels(sample.image)[0], GRAY, file]
    pictures = card_of(cw.Question("?", [(k, "x") for k in kinds], ["a", "b"]))["pictures"]
    wanted = [np.asarray(explained.overlay()), sample.image, sample.image, sample.image, GRAY]
    for picture, pixels in zip(pictures, wanted, strict=False):
        assert (picture["height"], picture["width"]) == pixels.shape[:2]
        assert np.abs(shown(picture).astype(int) - pixels).mean() < 4, "nearly without loss"
    assert pictures[4]["type"] == "image/png", "flat colors are smallest so"
    assert (pictures[5]["width"], pictures[5]["height"]) == (LONGEST, LONGEST // 2)


def test_outlines_follow_the_mask() -> None:
    mask = np.zeros((32, 48), bool)
    mask[8:24, 40:] = True  # to the edge
    card = card_of(cw.Question("?", [(GRAY, "x", {"<i>it</i>": mask})], ["a", "b"]))
    (outline,) = card["pictures"][0]["outlines"]
    path = outline["path"]
    assert path.count("M") == path.count("Z") == 1
    x, y = np.array(re.findall(r"(\d+) (\d+)", path), int).T
    assert (x.min(), x.max(), y.min(), y.max()) == (40, 48, 8, 24)
    assert (outline["x"], outline["y"]) == pytest.approx((44 / 48, 8 / 32))
    line = np.zeros((32, 48), bool)
    line[:, 20] = True
    for thin, rings in ((line, 1), (np.zeros_like(mask), 0)):
        card = card_of(cw.Question("?", [(GRAY, "x", {"it": thin})], ["a", "b"]))
        assert card["pictures"][0]["outlines"][0]["path"].count("M") == rings


def test_questions_come_as_they_are_made() -> None:
    gates = [threading.Event() for _ in range(5)]

    def draft(k: int) -> Any:
        def make() -> cw.Question:
            assert gates[k].wait(10)
            return question(k % 3)

        return make

    quiz = cw.Quiz([draft(k) for k in range(5)])
    sent: list[int] = []
    quiz.observe(lambda change: sent.append(len(change["new"])), "cards")
    assert quiz.total == 5 and quiz.cards == [] and not quiz.finished
    with pytest.raises(TimeoutError):
        quiz.wait(0.01)
    gates[0].set()
    assert quiz.answer(0) is True, "waits for the question shown, and for no other"
    with pytest.raises(QuizError, match="cannot be answered"):
        quiz.answers = [0, 0, None, None, None]
    for gate in gates:
        gate.set()
    quiz.wait(10)
    assert sent == [1, 2, 4, 5], "not all of them anew with each"
    assert quiz.questions[4] is not None and quiz.questions[4].right == (1,)
    quiz.close()


def test_whoever_is_ahead_need_not_wait() -> None:
    gate = threading.Event()

    def late() -> cw.Question:
        assert gate.wait(10)
        return question()

    quiz = cw.Quiz([question, question, question, late])  # type: ignore[list-item]
    while len(quiz.questions) < 3:
        time.sleep(0.01)
    quiz.number = 2
    assert len(quiz.cards) == 3
    gate.set()
    quiz.wait(10).close()


def test_a_question_that_fails_is_text_and_the_quiz_goes_on() -> None:
    def broken() -> cw.Question:
        raise RuntimeError("<b>out of memory</b>")

    def missing() -> cw.Question:
        return cw.Question("?", [("missing.png", "")], ["a", "b"])

    quiz = cw.Quiz([broken, missing, question(0)]).wait(10)
    said = quiz.cards[0]["error"]
    assert said.startswith("An unexpected error (RuntimeError: <b>out of memory</b>); its")
    assert "no file 'missing.png'" in quiz.cards[1]["error"]
    with pytest.raises(QuizError, match="Question 1 could not be made"):
        quiz.answer(0)
    quiz.next().next()
    assert quiz.answer(0) is True and quiz.finished and quiz.score == (1, 1)
    assert [r["question"] for r in quiz.results] == [3]
    quiz.close()


def test_the_studies(textures: cw.VisionModel) -> None:
    samples = [
        drawn.draw(k, "multiple", classes=pair)
        for k, pair in enumerate([("waffled", "bubbly"), ("knitted", "lined")])
    ]
    quiz = cw.Quiz.which_class(textures, samples, n=2)
    assert repr(quiz) == "Quiz(2 questions, 0 answered)", "the same, however far it is"
    quiz.wait(60)
    assert [len(c["pictures"]) for c in quiz.cards] == [2, 2]
    assert "61.23\u00a0%" in quiz.source and "In the paper's study" in quiz.source
    assert "61.23 %" in cw.Quiz.which_class.__doc__ and "+1.27" in cw.Quiz.which_model.__doc__
    quiz.close()
    pair = cw.Quiz.which_model(textures, textures, samples, n=2)
    pair.wait(60)
    while pair.number < 2:
        asked = pair.questions[pair.number]
        assert asked is not None and pair.answer(asked.right[0])
        pair.next()
    assert pair.score == (2, 2) and pair.mean is not None and pair.mean > 0
    assert "+1.27" in pair.source
    pair.close()


def test_closing_leaves_nothing_open() -> None:
    from ipywidgets.widgets.widget import _instances

    before = set(_instances)
    gate = threading.Event()

    def late() -> cw.Question:
        assert gate.wait(10)
        return question()

    quiz = cw.Quiz([late] * 3)
    quiz.close()
    gate.set()
    quiz.wait(10)
    quiz.close()
    assert len(quiz.questions) <= 1, "what was not begun is not made"
    assert set(_instances) <= before


def test_answers_are_saved_and_pooled(quiz: cw.Quiz, tmp_path: Path) -> None:
    with pytest.raises(QuizError, match="no answer to save"):
        quiz.save(tmp_path / "x")
    quiz.answer(0)
    first = quiz.attempt
    file = quiz.save(tmp_path / "ada", name=" <b>Ada</b> ")
    with pytest.raises(QuizError, match="name is a text"):
        quiz.save(tmp_path / "x", name=5)  # type: ignore[arg-type]
    assert quiz.tally.accuracy["right"].tolist() == [1]
    quiz.restart().answer(1)
    assert quiz.attempt != first, "another attempt is another sheet"
    quiz.save(tmp_path / "bob.json")
    pooled = cw.Quiz.pool([file, tmp_path / "bob.json"])
    assert pooled.people["name"].tolist() == ["<b>Ada</b>", ""]
    assert pooled.accuracy[["right", "answers", "people"]].iloc[0].tolist() == [1, 2, 2]
