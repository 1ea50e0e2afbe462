"""Answers of several people: files of every kind, tables and intervals."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import camwidget as cw
from camwidget.analysis.answer_sheets import AnsweredQuestion, AnsweredTask, AnswerSheet
from camwidget.analysis.pooled_answers import accuracy_interval, mean_interval, pool_answers
from camwidget.errors import QuizError

NASTY = "<img src=x onerror=alert(1)>"


def sheet(
    name: str, right: str, method: str = "Grad-CAM", number: str = "", **more: Any
) -> AnswerSheet:
    """One with a question for each digit: 1 is right, 0 wrong."""
    questions = tuple(
        AnsweredQuestion("?", "which class", method, ("a", "b"), (0,), chosen=1 - int(one), **more)
        for one in right
    )
    return AnswerSheet(number or name, "Quiz", questions, name=name)


def test_a_file_keeps_everything(tmp_path: Path) -> None:
    question = AnsweredQuestion(
        "which?", "which model", "Grad-CAM", ("a", "b"), (0,), (2.0, -2.0), 1, 0.25
    )
    marks = AnsweredQuestion("where?", "where", correlations={"x": 0.5, "y": None}, marked=0.1)
    one = AnswerSheet("ab", "Ein Quiz", (question, marks), (AnsweredTask("**do**", "done"),), "Zoë")
    file = one.save(tmp_path / "zoe")
    assert file.name == "zoe.json" and AnswerSheet.read(file) == AnswerSheet(
        "ab",
        "Ein Quiz",
        (AnsweredQuestion(**{**vars(question), "correlations": {}}), marks),
        one.tasks,
        "Zoë",
    )
    with pytest.raises(FileExistsError):
        one.save(file)
    without = AnswerSheet("ab", "", (question,)).to_json()
    assert "name" not in json.loads(without), "nothing about the person unless they said it"
    with pytest.raises(QuizError, match="no answer to save"):
        AnswerSheet("ab", "", ()).save(tmp_path / "none")


BAD = {
    "cut.json": ('{"format": "camwidget answers", "ver', "no JSON, or cut off"),
    "other.json": ("[1, 2]", "no answers of a camwidget"),
    "deep.json": ("[" * 100_000, "no JSON, or cut off"),
    "bytes.json": (b"\xff\xfe\x00{", "no JSON, or cut off"),
    "newer.json": ({"version": 2}, "of version 2, .* update camwidget"),
    "options.json": ({"questions": [{"options": [1]}]}, "options of its question 1"),
    "chosen.json": ({"questions": [{"options": ["a"], "chosen": 1}]}, "question 1 has no option 1"),
    "true.json": ({"questions": [{"options": ["a"], "chosen": True}]}, "has no option True"),
    "values.json": ({"questions": [{"options": ["a"], "values": [math.nan]}]}, "values of its"),
    "overflow.json": ({"questions": [{"options": ["a"], "values": [9e299]}]}, "values of its"),
    "huge.json": ({"questions": [{"marked": 10**400}]}, "marked share"),
    "faith.json": ({"questions": [{"faithfulness": 2}]}, "faithfulness"),
    "rank.json": ({"questions": [{"correlations": {"x": "1"}}]}, "correlations"),
    "many.json": ({"tasks": [{}] * 2001}, "at most 2000"),
    "task.json": ({"tasks": ["x"]}, "task of task 1 is no text"),
    "name.json": ({"name": 5}, "name of the sheet is no text"),
}


def test_bad_files_are_named_and_the_others_counted(tmp_path: Path) -> None:
    for name, (content, _) in BAD.items():
        if isinstance(content, dict):
            content = json.dumps({"format": "camwidget answers", "version": 1, **content})
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "folder.json").mkdir()
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(9_000_000)
    (tmp_path / "of a class").mkdir()
    sheet("good", "11").save(tmp_path / "of a class" / "good")
    pooled = cw.Quiz.pool(tmp_path)
    assert pooled.people["name"].tolist() == ["good"] and len(pooled.answers) == 2
    reasons = {Path(f).name: r for f, r in pooled.skipped.itertuples(index=False)}
    assert set(reasons) == {*BAD, "folder.json", "large.json"}, "none is lost"
    for name, (_, reason) in BAD.items():
        assert re.search(reason, reasons[name]), (name, reasons[name])
    assert "8 MB" in reasons["large.json"] and "cannot be read" in reasons["folder.json"]


def test_copies_count_once(tmp_path: Path) -> None:
    sheet("early", "1", number="n").save(tmp_path / "a")
    sheet("late", "111", number="n").save(tmp_path / "b")
    sheet("late", "111", number="n").save(tmp_path / "c")
    sheet("same answers", "111", number="m").save(tmp_path / "d")
    pooled = pool_answers(str(tmp_path))
    assert pooled.people["name"].tolist() == ["late", "same answers"]
    assert [Path(f).name for f in pooled.skipped["file"]] == ["a.json", "c.json"]
    assert pooled.skipped["reason"].str.contains("copy of b.json").all()


def test_what_there_is_not(tmp_path: Path) -> None:
    for source, message in (
        (tmp_path, "no .json file"),
        (tmp_path / "x", "no file or folder"),
        ([], "no file to pool"),
        (5, "folder or from files, .* not 5"),
        ([5], r"folder or from files, .* not \[5\]"),
    ):
        with pytest.raises(QuizError, match=message):
            cw.Quiz.pool(source)


def test_the_tables_of_the_paper(tmp_path: Path) -> None:
    sheet("a", "1101", faithfulness=0.5).save(tmp_path / "a")
    sheet("b", "0", "Guided backprop").save(tmp_path / "b")
    scale = tuple(
        AnsweredQuestion("?", "which model", m, ("A", "=", "B"), (0,), (2.0, 0.0, -2.0), k)
        for m, k in (
            ("Grad-CAM", 0),
            ("Grad-CAM", 1),
            ("Deconvolution", 2),
            ("Deconvolution", None),
        )
    )
    looked = AnsweredQuestion("?", "where", correlations={"Grad-CAM": 0.5, "x": None}, marked=0.2)
    AnswerSheet("c", "", (*scale, looked), (AnsweredTask("t", NASTY),), NASTY).save(tmp_path / "c")
    pooled = cw.Quiz.pool(tmp_path)
    assert pooled.accuracy.index.tolist() == [
        ("which class", "Grad-CAM"),
        ("which class", "Guided backprop"),
    ]
    first = pooled.accuracy.iloc[0]
    assert first[["right", "answers", "people", "accuracy"]].tolist() == [3, 4, 1, 0.75]
    assert first["faithfulness"] == 0.5 and math.isnan(pooled.accuracy["faithfulness"].iloc[1])
    assert pooled.reliability["mean"].tolist() == [1.0, -2.0]
    assert pooled.reliability["answers"].tolist() == [2, 1], "what was not answered is not counted"
    assert pooled.attention["mean"].tolist() == [0.5] and pooled.attention.index.tolist() == [
        "Grad-CAM"
    ]
    assert pooled.texts["answer"].tolist() == [NASTY]
    html = pooled._repr_html_()
    assert "<img" not in html and "average of their ranks" in html and "0.75" in html


def test_names_of_methods_cannot_be_markup(tmp_path: Path) -> None:
    sheet(NASTY, "10", NASTY).save(tmp_path / "a")
    html = cw.Quiz.pool(tmp_path)._repr_html_()
    assert "<img" not in html and "&lt;img" in html


def test_intervals_of_independent_answers() -> None:
    right = np.array([1, 1, 1, 0, 1, 0, 1, 1, 1, 0])
    expected = stats.binomtest(7, 10).proportion_ci(method="wilson")
    assert accuracy_interval(right, np.zeros(10)) == pytest.approx((expected.low, expected.high))
    low, high = accuracy_interval(np.ones(5), np.arange(5))
    assert high == 1 and 0.5 < low < 0.6, "five of five are no proof of all"
    values = np.array([2.0, 1.0, -1.0, 0.0])
    expected_t = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert mean_interval(values, np.arange(4)) == pytest.approx(expected_t)
    assert all(map(math.isnan, mean_interval(values[:1], np.zeros(1))))


def test_intervals_widen_where_people_differ() -> None:
    """Ten answers of each person that are all the same are no more than one answer of each."""
    each = np.array([1, 0, 1, 1, 0, 1])
    right, person = np.repeat(each, 10), np.repeat(np.arange(6), 10)
    single = stats.binomtest(4, 6).proportion_ci(method="wilson")
    low, high = accuracy_interval(right, person)
    # Kish's design effect is ten, times 6 / 5 for the mean that is estimated, less one sixtieth.
    assert low < single.low and high > single.high
    values = np.repeat([2.0, -1.0, 0.0], 20)
    expected = stats.t.interval(0.95, 2, 1 / 3, stats.sem([2.0, -1.0, 0.0]))
    assert mean_interval(values, np.repeat(np.arange(3), 20)) == pytest.approx(expected)


def test_the_interval_holds_what_it_says() -> None:
    """Of 400 simulated classes whose people differ, 95 % of the intervals should have the true accuracy."""
    rng = np.random.default_rng(0)
    hits = 0
    person = np.repeat(np.arange(15), 8)
    for _ in range(400):
        ability = rng.beta(6, 4, 15)  # mean 0.6
        low, high = accuracy_interval(rng.random(120) < np.repeat(ability, 8), person)
        hits += low <= 0.6 <= high
    assert 0.91 < hits / 400 <= 1
