"""``SheetSelection``: which pictures of a survey are on the sheet, and in which order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import CamwidgetError
from ...survey import Clusters, SurveyResult

__all__ = [
    "OUTCOMES",
    "Brush",
    "SheetSelection",
    "count_text",
    "order_rows",
    "row_text",
    "sort_keys",
]

#: Corners ((left, bottom), (right, top)) of a rectangle.
Brush: TypeAlias = tuple[tuple[float, float], tuple[float, float]]

#: Which predictions can be shown.
OUTCOMES = ("all", "right", "wrong")


@dataclass(frozen=True)
class SheetSelection:
    """Filters, which all have to be passed, and an order.

    Attributes:
        outcome: "all", "right" or "wrong".
        truth: the true class; None for any.
        prediction: the predicted class; None for any.
        cluster: number of the cluster; None for any.
        brush: corners ((left, bottom), (right, top)) of a rectangle over the points; None for everywhere.
        sort: what the pictures are sorted by, a key of ``sort_keys``.
        descending: whether the greatest come first.
    """

    outcome: str = "all"
    truth: str | None = None
    prediction: str | None = None
    cluster: int | None = None
    brush: Brush | None = None
    sort: str = "number"
    descending: bool = False

    def with_brush(self, corners: Brush | None) -> SheetSelection:
        """The same with another rectangle."""
        return replace(self, brush=corners)

    def with_cell(self, truth: str | None, prediction: str | None) -> SheetSelection:
        """The same with a cell of the confusion matrix."""
        return replace(self, truth=truth, prediction=prediction)

    def without_cluster(self) -> SheetSelection:
        """The same with any cluster."""
        return replace(self, cluster=None)

    def check(self, result: SurveyResult, clusters: Clusters | None) -> None:
        """Check that what is chosen exists.

        Raises:
            CamwidgetError: if it does not.
        """
        count = 0 if clusters is None else len(clusters)
        choices: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
            ("outcome", self.outcome, OUTCOMES),
            ("truth", self.truth, (None, *result.classes)),
            ("prediction", self.prediction, (None, *result.classes)),
            ("cluster", self.cluster, (None, *range(count))),
            ("sort", self.sort, tuple(sort_keys(result))),
        )
        for name, value, allowed in choices:
            if value not in allowed:
                raise CamwidgetError(
                    f"{name} is one of {', '.join(map(repr, allowed))}, not {value!r}."
                )


def sort_keys(result: SurveyResult) -> dict[str, str]:
    """What the pictures can be sorted by, with its name in the controls."""
    keys = {"number": "by number", "confidence": "by confidence"}
    if result.has_truth:
        keys["truth_confidence"] = "by confidence in the truth"
    return {**keys, **{m.name: f"by {m.label[0].lower()}{m.label[1:]}" for m in result.metrics}}


def order_rows(
    selection: SheetSelection,
    result: SurveyResult,
    clusters: Clusters | None,
    positions: NDArray[np.float64] | None,
) -> NDArray[np.int64]:
    """The rows of the selected pictures, in their order; those without a value come last.

    Args:
        selection: filters and order.
        result: the survey.
        clusters: its clusters, if they are known.
        positions: the pictures' points (pictures, 2), if they are known.
    """
    table = result.table
    passes = np.ones(len(table), bool)
    if selection.outcome == "right":
        passes &= result.is_right
    elif selection.outcome == "wrong":
        passes &= result.is_wrong
    if selection.truth is not None:
        passes &= (table["truth"] == selection.truth).to_numpy(bool)
    if selection.prediction is not None:
        passes &= (table["prediction"] == selection.prediction).to_numpy(bool)
    if selection.cluster is not None and clusters is not None:
        passes &= clusters.numbers == selection.cluster
    if selection.brush is not None and positions is not None and len(positions) == len(table):
        low, high = np.array(selection.brush)
        passes &= ((positions >= low) & (positions <= high)).all(1)
    rows = np.flatnonzero(passes)
    if selection.sort == "number":
        return rows[::-1] if selection.descending else rows
    values = table[selection.sort].to_numpy(float)[rows]
    order = np.argsort(-values if selection.descending else values, kind="stable")
    return np.asarray(rows[order])


def count_text(result: SurveyResult, rows: NDArray[np.int64]) -> str:
    """How many pictures are shown, and how many of them are wrong."""
    text = f"{len(rows):,} of {len(result):,} pictures"
    wrong = int(result.is_wrong[rows].sum())
    return f"{text}, {wrong:,} wrong (red mark)" if result.has_truth else text


def row_text(result: SurveyResult, row: int) -> str:
    """The prediction of a row of the survey's table, in words."""
    found = result.table.iloc[row]
    text = f"{found['name']}: {found['prediction']} {found['confidence']:.2f}"
    return text if found["truth"] is None else f"{text}, in truth {found['truth']}"
