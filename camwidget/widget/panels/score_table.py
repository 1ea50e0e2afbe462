"""``ScoreTable``: the widget of the evaluation's choices and scores, with the encoding of its rows and columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
import numpy as np
import traitlets as t

from ..._assets import STATIC
from ...attribution.methods import Method
from ...attribution.methods.settings import options_text
from ...evaluation.table import four_digits
from ...metrics import Metric, Score
from ...plotting import NEUTRAL, SERIES
from ..view.page_messages import CheckedMessages

__all__ = ["ScoreTable", "ScoreValues", "metric_choice", "series_colors", "table_rows", "values_of"]


ScoreValues = Mapping[tuple[str, str], Score]


class ScoreTable(CheckedMessages, anywidget.AnyWidget):
    """Methods and metrics to choose, a button to start, and the table of scores, sorted in the browser.

    Holds no logic: ``EvaluatePanel`` fills these traits. ``js/src/table/traits.ts`` parses them.
    """

    _esm = (STATIC / "table.js").read_text("utf-8")
    _css = (STATIC / "table.css").read_text("utf-8")

    methods: t.List = t.List([]).tag(sync=True)
    metrics: t.List = t.List([]).tag(sync=True)
    chosen_methods: t.List = t.List([]).tag(sync=True)
    chosen_metrics: t.List = t.List([]).tag(sync=True)

    ready = t.Bool(False).tag(sync=True)
    running = t.Bool(False).tag(sync=True)
    progress = t.Float(0.0).tag(sync=True)
    message = t.Unicode("").tag(sync=True)
    wrong = t.Bool(False).tag(sync=True)

    caption = t.Unicode("").tag(sync=True)
    stale = t.Bool(False).tag(sync=True)
    columns: t.List = t.List([]).tag(sync=True)
    rows: t.List = t.List([]).tag(sync=True)
    order = t.Dict({"column": "", "reverse": False}).tag(sync=True)
    method = t.Unicode("").tag(sync=True)

    def _show_refusal(self, text: str) -> None:
        self.message, self.wrong = text, True


def metric_choice(metric: Metric, reason: str | None) -> dict[str, Any]:
    """Encode a metric as a choice, and as the head of a column.

    Args:
        metric: which.
        reason: why it cannot be computed; None if it can.
    """
    low, high = (f"{end:g}" for end in metric.range)
    span = f"from {low} to {high}" if math.isfinite(metric.range[1]) else f"from {low} upwards"
    return {
        "name": metric.name,
        "label": metric.label,
        "group": metric.group,
        "better": metric.better,
        "tip": f"{metric.summary} {span.capitalize()}, {metric.better} is better. {metric.citation}",
        "reason": reason,
    }


def series_colors(methods: Sequence[str]) -> list[str]:
    """A color for each method; gray for the control."""
    others = [m for m in methods if m != "random"]
    return [NEUTRAL if m == "random" else SERIES[others.index(m) % len(SERIES)] for m in methods]


def values_of(methods: Sequence[str], metrics: Sequence[Metric], scores: ScoreValues) -> np.ndarray:
    """Return the scores as an array (methods, metrics), NaN where there is none.

    They are rounded to four digits: maps that are equal but for rounding errors should tie.
    """
    none = Score(math.nan)
    return np.array(
        [
            [four_digits(scores.get((m, metric.name), none).value) for metric in metrics]
            for m in methods
        ]
    ).reshape(len(methods), len(metrics))


def table_rows(
    methods: Sequence[Method],
    metrics: Sequence[Metric],
    scores: ScoreValues,
    faults: Mapping[str, str],
    *,
    waits: bool,
) -> list[dict[str, Any]]:
    """A row for each method: its label with the settings that are no defaults, its color, and a cell for each metric.

    Args:
        methods: a row each.
        metrics: a column each.
        scores: by method and metric, as far as they are known.
        faults: by method, why it has no map.
        waits: whether missing scores are still being computed.
    """
    names = [method.name for method in methods]
    best = _best(values_of(names, metrics, scores), [m.better == "higher" for m in metrics])
    rows = []
    for i, (each, color) in enumerate(zip(methods, series_colors(names), strict=True)):
        method = each.name
        fault = faults.get(method, "")
        cells = []
        for j, metric in enumerate(metrics):
            score = scores.get((method, metric.name))
            known = score is not None and math.isfinite(score.value)
            note = fault if score is None else score.note
            cells.append(
                {
                    "value": score.value if score is not None and known else None,
                    "text": _brief(score.value) if score is not None and known else "–",
                    "note": note,
                    "best": bool(best[i, j]),
                    "waits": waits and score is None and not fault,
                }
            )
        own = options_text(each.options)
        label = f"{each.label} ({own})" if own else each.label
        rows.append({"name": method, "label": label, "color": color, "cells": cells})
    return rows


def _best(values: np.ndarray, higher: Sequence[bool]) -> np.ndarray:
    """Which numbers are the best of their column; none where all are the same."""
    known = np.isfinite(values)
    signed = np.where(known, values * np.where(higher, 1.0, -1.0), -np.inf)
    if not len(signed):
        return known
    low = np.where(known, signed, np.inf).min(0)
    return known & (signed == signed.max(0)) & (low < signed.max(0))


def _brief(value: float) -> str:
    """Write a score with up to three decimals and a minus sign (U+2212)."""
    size = abs(value)
    text = f"{size:.3f}" if size < 100 else f"{size:.1f}" if size < 1000 else f"{size:.3g}"
    return f"−{text}" if value < 0 and float(text) else text
