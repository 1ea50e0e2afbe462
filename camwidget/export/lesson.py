"""What a teacher adds to a saved page: tasks in Markdown, a quiz, and a button that saves a student's answers."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from .._validation import encodable_text
from ..errors import CamwidgetError
from .html_document import read_static, script_json

__all__ = ["Lesson", "PageQuiz"]

#: The longest text of a task.
_LONGEST = 100_000


@runtime_checkable
class PageQuiz(Protocol):
    """Protocol of a quiz that a page can have, such as ``camwidget.Quiz``."""

    def page_content(self) -> dict[str, Any]:
        """Return title, source, scale and the cards of all questions, with the pictures' bytes."""


@dataclass(frozen=True)
class Lesson:
    """Tasks and a quiz of a page.

    Attributes:
        tasks: texts in Markdown; the page shows a safe subset, and HTML in them as text.
        quiz: the quiz; None without.
    """

    tasks: tuple[str, ...]
    quiz: PageQuiz | None

    @classmethod
    def of(cls, tasks: str | Sequence[str], quiz: PageQuiz | None) -> Lesson | None:
        """Check what was given; None for neither.

        Raises:
            CamwidgetError: if a task is no text, or the quiz none.
        """
        given = [tasks] if isinstance(tasks, str) else tasks
        if not isinstance(given, Sequence) or not all(isinstance(task, str) for task in given):
            raise CamwidgetError("tasks is a list of texts in Markdown.")
        for task in given:
            if not task.strip() or len(task) > _LONGEST:
                raise CamwidgetError(
                    f"A task is a text of 1 to {_LONGEST:,} characters, not one of {len(task):,}."
                )
        if quiz is not None and not isinstance(quiz, PageQuiz):
            raise CamwidgetError(f"quiz is a camwidget.Quiz, not {type(quiz).__name__}.")
        if not given and quiz is None:
            return None
        return cls(tuple(map(encodable_text, given)), quiz)

    def texts(self, title: str) -> dict[str, str]:
        """The data of the page's script, by element id."""
        quiz = None
        if self.quiz is not None:
            quiz = dict(self.quiz.page_content())
            quiz["cards"] = [_card(card) for card in quiz["cards"]]
        content = {"title": title, "tasks": list(self.tasks), "quiz": quiz}
        return {"camwidget-lesson": script_json(content)}

    @property
    def script(self) -> str:
        """The script of the tasks and the quiz, which runs after the page's."""
        return read_static("lesson.js")

    @property
    def style(self) -> str:
        """Their style."""
        return read_static("lesson.css")


def _card(card: dict[str, Any]) -> dict[str, Any]:
    pictures = [
        {**picture, "data": base64.b64encode(picture["data"]).decode("ascii")}
        for picture in card["pictures"]
    ]
    return {**card, "pictures": pictures}
