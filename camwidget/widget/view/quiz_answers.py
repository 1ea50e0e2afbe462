"""Answers of a quiz as the browser has them: options by index, and marks as runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...analysis.answer_sheets import AnsweredQuestion
from ...analysis.human_attention import cell_means, compare_marks
from ...analysis.human_studies import Question
from ...errors import CamwidgetError, QuizError
from ...masking.user_mask import as_paint, decode, encode

__all__ = ["answered_question", "checked_answer", "encoded_marks", "result_of"]


def answered_question(question: Question, card: Mapping[str, Any], answer: Any) -> AnsweredQuestion:
    """Return a question with its answer, as a sheet has it.

    Args:
        question: the question.
        card: what the browser has of it.
        answer: an index, runs, or None.
    """
    correlations: dict[str, float | None] | None = None
    marked = 0.0
    if question.maps is not None and answer is not None:
        marks = decode(answer, _shape(card))
        # Cells, since the picture may be larger than what the browser has of it.
        maps = {name: cell_means(np.asarray(values)) for name, values in question.maps.items()}
        found = {} if marks is None else compare_marks(marks > 0, maps)
        correlations = {name: None if math.isnan(r) else r for name, r in found.items()}
        marked = 0.0 if marks is None else float((marks > 0).mean())
        answer = None
    return AnsweredQuestion(
        question.prompt,
        question.study,
        question.method,
        tuple(question.options),
        tuple(int(index) for index in question.right),
        None if question.values is None else tuple(map(float, question.values)),
        answer,
        question.faithfulness,
        correlations,
        marked,
    )


def result_of(
    number: int, question: Question, card: Mapping[str, Any], answer: Any
) -> dict[str, Any]:
    """Return a question with its answer in words.

    Args:
        number: the question's, from 1.
        question: the question.
        card: what the browser has of it.
        answer: an index, runs, or None.
    """
    one = answered_question(question, card, answer)
    chosen = one.chosen
    return {
        "question": number,
        "prompt": question.prompt,
        "method": question.method,
        "options": list(question.options),
        "chosen": None if chosen is None else question.options[chosen],
        "right options": [question.options[k] for k in question.right],
        "right": chosen in one.right if chosen is not None and one.right else None,
        "value": None if chosen is None or one.values is None else one.values[chosen],
        "correlations": dict(one.correlations or {}),
    }


def checked_answer(
    number: int, question: Question | None, card: Mapping[str, Any], answer: Any
) -> None:
    """Check the answer to a question.

    Args:
        number: the question's, from 0.
        question: the question; None if it is not ready, or could not be made.
        card: what the browser has of it.
        answer: an index or runs.

    Raises:
        QuizError: if the question cannot be answered so.
    """
    if question is None:
        raise QuizError(
            f"Question {number + 1} cannot be answered: it is not ready, or could not be made."
        )
    if question.maps is not None:
        try:
            marks = decode(answer, _shape(card))
        except CamwidgetError as error:
            raise QuizError(f"Question {number + 1} is answered by marks: {error}") from error
        if marks is None or (marks < 0).any():
            raise QuizError(
                f"Question {number + 1} is answered by marks: at least one pixel of value 1."
            )
        return
    count = len(question.options)
    if isinstance(answer, bool) or not isinstance(answer, int) or not 0 <= answer < count:
        raise QuizError(f"Question {number + 1} has options 0 to {count - 1}, not {answer!r}.")


def encoded_marks(marks: Any, card: Mapping[str, Any]) -> list[int]:
    """Encode marks on the picture of a question.

    Args:
        marks: bool (H, W), of the picture's size.
        card: what the browser has of the question.

    Raises:
        PictureError: if they have another shape.
        QuizError: if nothing is marked.
    """
    paint = as_paint(np.asarray(marks), _shape(card))
    if paint is None or (paint < 0).any():
        raise QuizError("Marks are a bool array (H, W) with at least one pixel that is True.")
    return encode(paint)


def _shape(card: Mapping[str, Any]) -> tuple[int, int]:
    picture = card["pictures"][0]
    return picture["height"], picture["width"]
