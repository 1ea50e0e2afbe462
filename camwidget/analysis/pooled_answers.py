"""``PooledAnswers``: the answers of several people, in the tables of Grad-CAM's human studies."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from ..errors import QuizError
from .answer_sheets import AnsweredQuestion, AnswerSheet

__all__ = ["PooledAnswers", "accuracy_interval", "mean_interval", "pool_answers", "pool_sheets"]

#: The 97.5 % quantile of the normal distribution, of a 95 % interval.
_Z = float(special.ndtri(0.975))

_BY = ["study", "method"]

_NOTES = (
    "Intervals are of 95 %. Answers of one person are not independent: an accuracy has Wilson's interval for the "
    "effective number of answers, a mean has a t interval, both by the variance between people. Of one person, they "
    "are about that person only.",
    "Faithfulness is the rank correlation of the maps shown with occlusion's.",
)

_TIES = (
    "Rank correlations are Spearman's, of means over 14 × 14 cells; equal cells, as all that were not marked, share "
    "the average of their ranks."
)


@dataclass(frozen=True, eq=False)
class PooledAnswers:
    """The answers of several people.

    Attributes:
        accuracy: data frame by (study, method), of questions with a right answer: right, answers, people, accuracy with
            the bounds low and high of its 95 % interval, and faithfulness, the mean rank correlation of the maps with
            occlusion's (NaN if it was not measured).
        reliability: data frame by (study, method), of questions on a scale: answers, people, mean with low and high,
            and faithfulness. In the study of two models the scale is from −2, clearly the weaker, to +2.
        attention: data frame by map, of marks on a picture: answers, people, mean rank correlation with low and high.
        answers: data frame with one row for each answer to a question.
        texts: data frame with one row for each answer to a task.
        people: data frame with one row for each sheet: file, name, answered.
        skipped: data frame with the files that were not used, and why.

    Example:
        >>> import camwidget as cw
        >>> question = cw.Question("Which is it?", [], ["a wasp", "a fly"], answer=1, method="Grad-CAM")
        >>> for number in (0, 1):
        ...     quiz = cw.Quiz([question])
        ...     right = quiz.answer(number)
        ...     file = quiz.save(f"answers-{number}.json")
        ...     quiz.close()
        >>> pooled = cw.Quiz.pool(["answers-0.json", "answers-1.json"])
        >>> pooled.accuracy.loc[("", "Grad-CAM"), ["right", "answers", "accuracy"]].tolist()
        [1.0, 2.0, 0.5]
    """

    accuracy: pd.DataFrame
    reliability: pd.DataFrame
    attention: pd.DataFrame
    answers: pd.DataFrame
    texts: pd.DataFrame
    people: pd.DataFrame
    skipped: pd.DataFrame

    def __repr__(self) -> str:
        skipped = f", {len(self.skipped)} skipped" if len(self.skipped) else ""
        people, answers = len(self.people), len(self.answers)
        return f"PooledAnswers({people} people, {answers} answers{skipped})"

    def _repr_html_(self) -> str:
        """All tables; names and texts are escaped."""
        parts = [f"<p>{escape(repr(self))}</p>"]
        for title, table in (
            ("Accuracy", self.accuracy),
            ("Mean on the scale", self.reliability),
            ("Rank correlation with the marks", self.attention),
            ("Skipped", self.skipped),
        ):
            if len(table):
                shown = table.to_html(
                    escape=True, na_rep="–", float_format="{:.2f}".format, border=0
                )
                parts.append(f"<h4>{title}</h4>{shown}")
        notes = [*_NOTES, *([_TIES] if len(self.attention) else [])]
        parts.append("".join(f"<p><small>{escape(note)}</small></p>" for note in notes))
        return f"<div>{''.join(parts)}</div>"


def pool_answers(
    source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
) -> PooledAnswers:
    """Pool the answers of several people.

    Args:
        source: a folder, whose files ``*.json`` are read with those of the folders below it, or files.

    Returns:
        The tables. A file that is no sheet of answers is named in ``skipped``; of copies of one sheet, that with the
        most answers is used.

    Raises:
        QuizError: if there is no such folder or file, or no ``.json`` file.
    """
    used: dict[str, tuple[str, AnswerSheet]] = {}
    skipped: list[tuple[str, str]] = []
    for path in _files(source):
        try:
            sheet = AnswerSheet.read(path)
        except QuizError as error:
            skipped.append((str(path), str(error)))
            continue
        key = sheet.id or str(path)  # without a number, nothing tells a copy
        known = used.get(key)
        if known is None:
            used[key] = (str(path), sheet)
        elif known[1].answered >= sheet.answered:
            skipped.append((str(path), f"It is another copy of {Path(known[0]).name}."))
        else:
            used[key] = (str(path), sheet)
            skipped.append((known[0], f"It is an earlier copy of {path.name}."))
    return pool_sheets(list(used.values()), skipped)


def _files(source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    if isinstance(source, (str, os.PathLike)):
        folder = Path(source).expanduser()
        if folder.is_dir():
            found = sorted(p for p in folder.rglob("*") if p.suffix.lower() == ".json")
            if not found:
                raise QuizError(
                    f"There is no .json file in {str(folder)!r}: put the files that were saved there."
                )
            return found
        given: list[Path] = [folder]
    else:
        try:
            given = [Path(one).expanduser() for one in source]
        except TypeError as error:
            raise QuizError(
                f"Answers are pooled from a folder or from files, given by their paths, not {source!r}."
            ) from error
    if not given:
        raise QuizError("There is no file to pool: name a folder, or files.")
    for path in given:
        if not path.exists():
            raise QuizError(f"There is no file or folder {str(path)!r}.")
    return given


def pool_sheets(
    sheets: Sequence[tuple[str, AnswerSheet]], skipped: Sequence[tuple[str, str]] = ()
) -> PooledAnswers:
    """Make the tables of several sheets.

    Args:
        sheets: each with the name of its file.
        skipped: the files that were not used, and why.

    Returns:
        The tables.
    """
    rows: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    texts: list[dict[str, Any]] = []
    people: list[dict[str, Any]] = []
    for number, (path, sheet) in enumerate(sheets):
        who = {"person": number, "name": sheet.name}
        people.append({**who, "file": path, "answered": sheet.answered})
        for place, question in enumerate(sheet.questions, 1):
            if question.is_answered:
                rows.append({**who, "question": place, **_row(question)})
            for name, value in (question.correlations or {}).items():
                if question.marked > 0:
                    marks.append({**who, "map": name, "value": value})
        texts.extend({**who, "task": t.task, "answer": t.answer} for t in sheet.tasks if t.answer)
    columns = ["person", "name", "question", *_BY, "prompt", "chosen", "right", "value"]
    answers = pd.DataFrame(rows, columns=[*columns, "faithfulness", "marked"])
    judged = answers[answers["right"].notna() & answers["value"].isna()]
    valued = answers[answers["value"].notna()]
    marked = pd.DataFrame(marks, columns=["person", "name", "map", "value"])
    return PooledAnswers(
        _table(judged, _BY, "right", "accuracy"),
        _table(valued, _BY, "value", "mean"),
        _table(marked[marked["value"].notna()], ["map"], "value", "mean"),
        answers,
        pd.DataFrame(texts, columns=["person", "name", "task", "answer"]),
        pd.DataFrame(people, columns=["person", "name", "file", "answered"]),
        pd.DataFrame(skipped, columns=["file", "reason"]),
    )


def _row(question: AnsweredQuestion) -> dict[str, Any]:
    chosen = question.chosen
    is_judged = chosen is not None and bool(question.right)
    return {
        "study": question.study,
        "method": question.method,
        "prompt": question.prompt,
        "chosen": None if chosen is None else question.options[chosen],
        "right": chosen in question.right if is_judged else None,
        "value": question.values[chosen] if chosen is not None and question.values else math.nan,
        "faithfulness": math.nan if question.faithfulness is None else question.faithfulness,
        "marked": question.marked,
    }


def _table(rows: pd.DataFrame, by: list[str], column: str, mean: str) -> pd.DataFrame:
    """Means of a column with their intervals, by some columns, the largest first."""
    is_accuracy = mean == "accuracy"
    counts = ["right"] if is_accuracy else []
    has_faithfulness = "faithfulness" in rows
    names = [*counts, "answers", "people", mean, "low", "high"]
    names += ["faithfulness"] if has_faithfulness else []
    lines, keys = [], []
    for key, group in rows.groupby(by, sort=True):
        values = group[column].astype(float).to_numpy()
        person = group["person"].to_numpy()
        interval = accuracy_interval if is_accuracy else mean_interval
        low, high = interval(values, person)
        line: list[float] = [*([int(values.sum())] if is_accuracy else []), len(values)]
        line += [len(np.unique(person)), float(values.mean()), low, high]
        lines.append(line + ([float(group["faithfulness"].mean())] if has_faithfulness else []))
        keys.append(key)
    index = (
        pd.MultiIndex.from_tuples(keys, names=by)
        if len(by) > 1
        else pd.Index([key[0] for key in keys], name=by[0])
    )
    table = pd.DataFrame(lines, index=index, columns=names)
    # Stable: of equal means, in the order of the names.
    return table.sort_values(mean, ascending=False, kind="stable")


def accuracy_interval(right: np.ndarray, person: np.ndarray) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share for the effective number of answers.

    The number of answers is divided by the design effect: the variance of the share by people over that of independent
    answers (Kish 1965; Franco et al. 2019, J. Surv. Stat. Methodol. 7), at least 1.

    Args:
        right: 0 or 1 for each answer, (n,).
        person: a number of who gave it, (n,).

    Returns:
        The bounds, in [0, 1].
    """
    n, share = len(right), float(right.mean())
    independent = share * (1 - share) / n
    effect = max(1.0, _variance(right, person) / independent) if independent > 0 else 1.0
    m = n / effect
    center = (share + _Z**2 / (2 * m)) / (1 + _Z**2 / m)
    half = _Z / (1 + _Z**2 / m) * math.sqrt(share * (1 - share) / m + _Z**2 / (4 * m**2))
    return max(0.0, center - half), min(1.0, center + half)


def mean_interval(values: np.ndarray, person: np.ndarray) -> tuple[float, float]:
    """Return the 95 % t interval of a mean, by the variance between people, or between the answers of one person.

    Args:
        values: a number for each answer, (n,).
        person: a number of who gave it, (n,).

    Returns:
        The bounds; NaN of a single answer.
    """
    people, n = len(np.unique(person)), len(values)
    if n < 2:
        return math.nan, math.nan
    independent = float(values.var(ddof=1)) / n
    variance = max(independent, _variance(values, person))
    half = float(special.stdtrit((people if people > 1 else n) - 1, 0.975)) * math.sqrt(variance)
    mean = float(values.mean())
    return mean - half, mean + half


def _variance(values: np.ndarray, person: np.ndarray) -> float:
    """The variance of the mean of all values, from the sums of each person's deviations; 0 of one person."""
    _, who = np.unique(person, return_inverse=True)
    sums = np.bincount(who, values - values.mean())
    groups = len(sums)
    return float(groups / (groups - 1) * (sums**2).sum() / len(values) ** 2) if groups > 1 else 0.0
