"""Marks of a person against maps: reduction to cells, ranks with ties, questions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import camwidget as cw
from camwidget.analysis.human_attention import TRUTH, cell_means, compare_marks, marks_table, where
from camwidget.errors import PictureError, QuizError
from camwidget.zoo import textures as drawn


def test_cells_are_means() -> None:
    values = np.arange(28 * 42, dtype=float).reshape(28, 42)
    expected = values.reshape(14, 2, 14, 3).mean((1, 3))
    assert cell_means(values) == pytest.approx(expected)
    odd = np.random.default_rng(0).random((30, 17))
    by_hand = [
        [
            odd[
                math.floor(r * 30 / 14) : math.ceil((r + 1) * 30 / 14),
                math.floor(c * 17 / 14) : math.ceil((c + 1) * 17 / 14),
            ].mean()
            for c in range(14)
        ]
        for r in range(14)
    ]
    assert cell_means(odd) == pytest.approx(np.array(by_hand))
    assert cell_means(odd[:5]).shape == (5, 14)


def test_the_correlation_is_spearman_s_with_average_ranks() -> None:
    rng = np.random.default_rng(1)
    marks = np.zeros((56, 56), bool)
    marks[10:30, 20:50] = True
    maps = {"noise": rng.random((56, 56)), "same": marks.astype(float), "none": np.zeros((56, 56))}
    found = compare_marks(marks, maps)
    expected = stats.spearmanr(cell_means(marks).ravel(), cell_means(maps["noise"]).ravel())
    assert found["noise"] == pytest.approx(expected.statistic)
    assert found["same"] == pytest.approx(1) and math.isnan(found["none"])
    assert math.isnan(compare_marks(np.ones((56, 56)), maps)["noise"]), "all marked says nothing"
    # Cells that were not marked are one tie: their order in the map does not count.
    shuffled = np.where(marks, 1.0, 0.0)
    assert compare_marks(marks, {"x": 3 * shuffled + 5})["x"] == pytest.approx(1)


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e-200, 1e200])
def test_the_correlation_does_not_depend_on_the_scale(scale: float) -> None:
    rng = np.random.default_rng(2)
    gaze = rng.random((480, 640)) ** 2 + np.linspace(0, 0.02, 640)
    gaze /= gaze.sum()
    other = gaze + 3e-7 * np.kron(rng.random((12, 16)), np.ones((40, 40)))
    expected = stats.spearmanr(cell_means(gaze).ravel(), cell_means(other).ravel()).statistic
    found = compare_marks(gaze * scale, {"x": other * scale})["x"]
    assert 0.2 < expected < 0.99 and found == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        (np.zeros(4), r"array \(H, W\)"),
        (np.full((9, 9), np.nan), "finite"),
        (np.array([["a"]]), r"array \(H, W\)"),
        (np.zeros((5, 9)), "the map 'x'"),
        (np.zeros((2, 9, 9)), r"array \(H, W\)"),
    ],
)
def test_marks_that_do_not_fit(marks: np.ndarray, message: str) -> None:
    with pytest.raises(PictureError, match=message):
        compare_marks(marks, {"x": np.zeros((9, 9))})


def test_maps_of_another_size_or_of_a_clip() -> None:
    marks = np.zeros((300, 200), bool)
    marks[50:] = True
    with pytest.raises(PictureError, match=r"\(300, 200\), the map 'x' \(192, 192\): give both"):
        compare_marks(marks, {"x": np.ones((192, 192))})
    with pytest.raises(PictureError, match="of a clip, take one frame"):
        compare_marks(marks, {"x": np.ones((8, 300, 200))})
    with pytest.raises(PictureError, match="of a clip, take one frame"):
        cell_means(np.ones((8, 192, 192)))
    same = compare_marks(marks, {"map": marks * 2.0, "cells": cell_means(marks)})
    assert same == pytest.approx({"map": 1, "cells": 1})
    picture = np.zeros((300, 200, 3), np.uint8)
    with pytest.raises(QuizError, match=r"\(192, 192\), its picture \(300, 200\): give both"):
        cw.Quiz([cw.Question("?", [(picture, "")], maps={"x": np.zeros((192, 192))})])
    # A picture that is reduced for the browser is compared with its map all the same.
    large = np.zeros((1501, 1101), bool)
    large[:700] = True
    quiz = cw.Quiz(
        [cw.Question("?", [(np.zeros((1501, 1101, 3), np.uint8), "")], maps={"x": large * 1.0})]
    )
    half = np.zeros((1024, 751), bool)
    half[:477] = True
    quiz.answer(half)
    assert quiz.results[0]["correlations"]["x"] > 0.99
    quiz.close()


def test_maps_of_one_method_have_names_of_their_own(textures: cw.VisionModel) -> None:
    picture = drawn.draw(0, "multiple", classes=("waffled", "bubbly")).image
    windows = [cw.get_method("occlusion", window=w, stride=w) for w in (48, 64)]
    found = [
        *cw.explain(textures, picture, "bubbly", layer=["stage3", "stage4"]),
        cw.explain(textures, picture, "waffled", layer="stage4"),
        cw.explain(textures, picture, "bubbly", "random"),
        *(cw.explain(textures, picture, "bubbly", method) for method in windows),
    ]
    found.append(found[0])  # the same map once more
    table = marks_table(found[0].saliency > 0.5, found)["rank correlation"]
    assert set(table.index) == {
        "Grad-CAM · stage3 · bubbly",
        "Grad-CAM · stage3 · bubbly (2)",
        "Grad-CAM · stage4 · bubbly",
        "Grad-CAM · stage4 · waffled",
        "Random",
        "Occlusion (window 48, stride 48)",
        "Occlusion (window 64, stride 64)",
    }
    assert table["Grad-CAM · stage4 · bubbly"] != table["Grad-CAM · stage4 · waffled"]
    (question,) = cw.Quiz.where(textures, [picture], methods=windows).wait().questions
    assert question is not None and question.maps is not None
    assert {name for name in table.index if name.startswith("Occlusion")} == set(question.maps)


def test_a_quiz_about_where_one_looks(textures: cw.VisionModel) -> None:
    samples = [
        drawn.draw(k, "multiple", classes=pair)
        for k, pair in enumerate([("waffled", "bubbly"), ("lined", "veined")])
    ]
    quiz = cw.Quiz.where(textures, samples, methods=["gradcam", "random"]).wait()
    question = quiz.questions[0]
    assert question is not None and question.maps is not None
    assert list(question.maps) == ["Grad-CAM", "Random", TRUTH] and question.options == ()
    (name,) = question.pictures[0][2]  # type: ignore[misc]
    assert name in question.prompt
    truth = question.pictures[0][2][name]  # type: ignore[misc]
    assert quiz.answer(truth) is None, "nothing is right or wrong"
    found = quiz.results[0]["correlations"]
    assert found[TRUTH] == pytest.approx(1) and found["Grad-CAM"] > 0.2 > abs(found["Random"])
    explained = cw.explain(textures, question.pictures[0][0], name)
    table = marks_table(truth, [explained], truth)
    assert table.index.tolist() == [TRUTH, "Grad-CAM"]
    assert table.loc["Grad-CAM", "rank correlation"] == pytest.approx(found["Grad-CAM"], abs=1e-6)
    assert quiz.tally.attention.loc[TRUTH, "answers"] == 1
    quiz.next()
    for wrong in (np.zeros_like(truth), truth[1:], 0, "lined"):
        with pytest.raises((QuizError, PictureError)):
            quiz.answer(wrong)
    with pytest.raises(QuizError, match="answered by marks"):
        quiz.answers = [quiz.answers[0], 0]
    with pytest.raises(QuizError, match="answered by marks"):
        quiz.answers = [quiz.answers[0], [-1, 5]]
    quiz.close()


def test_what_is_no_such_quiz(textures: cw.VisionModel) -> None:
    sample = drawn.draw(1)
    with pytest.raises(QuizError, match="from 1 to the 1 pictures, not 2"):
        where(textures, [sample], n=2, seed=0, methods=["gradcam"])
    with pytest.raises(QuizError, match="needs a method"):
        where(textures, [sample], n=1, seed=0, methods=[])
    maps = {"x": np.zeros((14, 14))}
    with pytest.raises(QuizError, match="has no options"):
        cw.Question("?", [(sample.image, "")], ["a", "b"], maps=maps)
    with pytest.raises(QuizError, match="has no options"):
        cw.Question("?", [], maps=maps)
    with pytest.raises(QuizError, match=r"\(14, 14\): give both one size"):
        cw.Quiz([cw.Question("?", [(sample.image, "")], maps={"x": np.zeros((7, 7))})])
