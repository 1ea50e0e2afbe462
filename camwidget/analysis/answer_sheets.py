"""``AnswerSheet``: the answers of one person to a quiz and to tasks, as a JSON file.

``js/src/quiz/answerSheet.ts`` writes the same format.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._validation import encodable_text
from ..errors import QuizError
from ..runtime.atomic_files import check_folder, write_file

__all__ = ["FORMAT", "MAX_VALUE", "VERSION", "AnswerSheet", "AnsweredQuestion", "AnsweredTask"]

FORMAT = "camwidget answers"
VERSION = 1

#: Bounds of what is read. A sheet of 20 questions has some 10 kB.
_MAX_BYTES = 8_000_000
_MAX_ITEMS = 2000
_MAX_NAME = 200
#: Largest value of an option: scales have a few steps, and the variance of larger numbers overflows.
MAX_VALUE = 1e9


@dataclass(frozen=True)
class AnsweredQuestion:
    """A question and what a person answered.

    Attributes:
        prompt: the question's text.
        study: "which class", "which model", "where", or "" for a question of one's own.
        method: label of the method whose map was shown; "" if there was none.
        options: texts of the options; empty where the answer is marks on the picture.
        right: indices of the correct options.
        values: the score of each option; None without a scale.
        chosen: index of the chosen option; None if the question was not answered, or by marks.
        faithfulness: rank correlation of the shown map with occlusion's, in [-1, 1]; None if it was not measured.
        correlations: rank correlation of the person's marks with each map by its name, None where it is undefined;
            empty for questions with options.
        marked: the marked share of the picture, in [0, 1]; 0 for questions with options.
    """

    prompt: str
    study: str = ""
    method: str = ""
    options: tuple[str, ...] = ()
    right: tuple[int, ...] = ()
    values: tuple[float, ...] | None = None
    chosen: int | None = None
    faithfulness: float | None = None
    correlations: Mapping[str, float | None] | None = None
    marked: float = 0.0

    @property
    def is_answered(self) -> bool:
        """Whether an option was chosen, or something was marked."""
        return self.chosen is not None or self.marked > 0

    def to_json(self) -> dict[str, Any]:
        """Return the question as values that JSON has."""
        return {
            "prompt": self.prompt,
            "study": self.study,
            "method": self.method,
            "options": list(self.options),
            "right": list(self.right),
            "values": None if self.values is None else list(self.values),
            "chosen": self.chosen,
            "faithfulness": self.faithfulness,
            "correlations": dict(self.correlations or {}),
            "marked": self.marked,
        }


@dataclass(frozen=True)
class AnsweredTask:
    """A task in Markdown, and a person's text.

    Attributes:
        task: the task's text.
        answer: the person's; "" if there is none.
    """

    task: str
    answer: str


@dataclass(frozen=True)
class AnswerSheet:
    """The answers of one person.

    Attributes:
        id: a random number of this attempt in hexadecimal digits, by which two copies of a file are recognized.
        title: title of the quiz or page.
        questions: the questions with their answers.
        tasks: the tasks with their answers.
        name: what the person gave as a name; "" if nothing. Nothing else in a sheet is about the person.
    """

    id: str
    title: str
    questions: tuple[AnsweredQuestion, ...]
    tasks: tuple[AnsweredTask, ...] = ()
    name: str = ""

    @property
    def answered(self) -> int:
        """The number of answered questions and tasks."""
        return sum(q.is_answered for q in self.questions) + sum(bool(t.answer) for t in self.tasks)

    def to_json(self) -> str:
        """Return the content of the sheet's file."""
        content = {
            "format": FORMAT,
            "version": VERSION,
            "id": self.id,
            **({"name": self.name} if self.name else {}),
            "title": self.title,
            "questions": [q.to_json() for q in self.questions],
            "tasks": [{"task": t.task, "answer": t.answer} for t in self.tasks],
        }
        return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the sheet's file.

        Args:
            path: the file; ``.json`` is appended to a name without a suffix.
            overwrite: whether an existing file is replaced.

        Returns:
            The file.

        Raises:
            FileExistsError: if the file exists.
            QuizError: if nothing is answered.
        """
        if not self.answered:
            raise QuizError("There is no answer to save: answer a question first.")
        file = Path(path).expanduser()
        if file.suffix == "":
            file = file.with_name(f"{file.name}.json")
        check_folder(file)
        write_file(file, self.to_json().encode("utf-8", "replace"), overwrite=overwrite)
        return file

    @classmethod
    def read(cls, path: Path) -> AnswerSheet:
        """Read a sheet's file.

        Raises:
            QuizError: if the file cannot be read, or is no sheet; the message does not name the file.
        """
        try:
            size = path.stat().st_size
            content = json.loads(path.read_bytes().decode("utf-8-sig")) if size <= _MAX_BYTES else 0
        except OSError as error:
            raise QuizError(f"It cannot be read: {error.strerror or error}.") from error
        except (ValueError, RecursionError) as error:
            raise QuizError(
                "It is no JSON, or cut off: ask for the file again, as the page saved it."
            ) from error
        if size > _MAX_BYTES:
            raise QuizError(
                f"It has more than {_MAX_BYTES // 1_000_000} MB: no sheet of answers does."
            )
        return _sheet(content)


def _sheet(content: Any) -> AnswerSheet:
    """The sheet of a file's content, which anyone may have written."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise QuizError("It has no answers of a camwidget quiz or page.")
    version = content.get("version")
    if version != VERSION:
        raise QuizError(
            f"It is of version {_short(version)}, and this camwidget reads version {VERSION}: update camwidget."
        )
    questions = tuple(
        _question(one, f"question {number}")
        for number, one in enumerate(_items(content, "questions"), 1)
    )
    tasks = tuple(
        AnsweredTask(_text(one, "task", f"task {number}"), _text(one, "answer", f"task {number}"))
        for number, one in enumerate(_items(content, "tasks"), 1)
    )
    number, title = (_text(content, key, "the sheet") for key in ("id", "title"))
    name = _text(content, "name", "the sheet").strip()[:_MAX_NAME]
    return AnswerSheet(number, title, questions, tasks, name)


def _question(value: Any, place: str) -> AnsweredQuestion:
    if not isinstance(value, dict):
        raise QuizError(f"Its {place} is no question.")
    options = value.get("options", [])
    if not isinstance(options, list) or not all(isinstance(o, str) for o in options):
        raise QuizError(f"The options of its {place} are no texts.")
    right, chosen = value.get("right", []), value.get("chosen")
    if not isinstance(right, list):
        raise QuizError(f"The right options of its {place} are no list.")
    for index in [*right, *([] if chosen is None else [chosen])]:
        if type(index) is not int or not 0 <= index < len(options):
            raise QuizError(f"Its {place} has no option {_short(index)}.")
    values = value.get("values")
    if values is not None and (
        not isinstance(values, list)
        or len(values) != len(options)
        or not all(_is_finite(v) and abs(v) <= MAX_VALUE for v in values)
    ):
        raise QuizError(
            f"The values of its {place} are not one number, from -1e9 to 1e9, for each option."
        )
    faithfulness, marked = value.get("faithfulness"), value.get("marked", 0)
    if faithfulness is not None and not (_is_finite(faithfulness) and -1 <= faithfulness <= 1):
        raise QuizError(f"The faithfulness of its {place} is no number from -1 to 1.")
    if not (_is_finite(marked) and 0 <= marked <= 1):
        raise QuizError(f"The marked share of its {place} is no number from 0 to 1.")
    correlations = value.get("correlations") or {}
    if not isinstance(correlations, dict) or not all(
        r is None or (_is_finite(r) and -1 <= r <= 1) for r in correlations.values()
    ):
        raise QuizError(f"The correlations of its {place} are no numbers from -1 to 1.")
    return AnsweredQuestion(
        _text(value, "prompt", place),
        _text(value, "study", place),
        _text(value, "method", place),
        tuple(options),
        tuple(right),
        None if values is None else tuple(map(float, values)),
        chosen,
        None if faithfulness is None else float(faithfulness),
        {name: None if r is None else float(r) for name, r in correlations.items()},
        float(marked),
    )


def _items(content: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = content.get(name, [])
    if not isinstance(found, list):
        raise QuizError(f"Its {name} are no list.")
    if len(found) > _MAX_ITEMS:
        raise QuizError(f"It has {len(found)} {name}; at most {_MAX_ITEMS} are read.")
    return found


def _text(value: Any, name: str, place: str) -> str:
    found = value.get(name, "") if isinstance(value, dict) else None
    if not isinstance(found, str):
        raise QuizError(f"The {name} of {place} is no text.")
    # A lone surrogate is valid JSON, and no file or page can be written with it.
    return encodable_text(found)


def _is_finite(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) < 1e300
        and math.isfinite(value)
    )


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:39] + "…"
