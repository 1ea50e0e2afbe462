"""HTML table of an evaluation, for notebooks."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..metrics import Metric
    from .table import EvaluationTable

__all__ = ["heading", "pluralized", "render_table"]

_CELL = "text-align:right;padding:2px 10px;white-space:nowrap"
_NAME = "text-align:left;padding:2px 10px;white-space:nowrap"
_INTERVAL = "opacity:.65;font-size:85%"


def render_table(evaluation: EvaluationTable) -> str:
    """Render the means with their intervals (the best of each metric in bold), the mean ranks, and notes on missing
    scores.

    All names, such as those of files, are escaped.
    """
    table, ranks = evaluation.table, evaluation.ranks
    by_layer = table.index.nlevels > 1
    heads = [f'<th style="{_NAME}">method</th>']
    if by_layer:
        heads.append(f'<th style="{_NAME}">layer</th>')
    for metric in evaluation.metrics:
        arrow = "↑" if metric.better == "higher" else "↓"
        title = escape(f"{metric.summary} ({metric.better} is better)")
        label = escape(heading(metric))
        heads.append(f'<th style="{_CELL}" title="{title}">{label} {arrow}</th>')
    heads.append(f'<th style="{_CELL}" title="1 is the best">mean rank ↓</th>')
    lines = []
    for key in table.index:
        names = key if by_layer else (key,)
        cells = [f'<th style="{_NAME};font-weight:normal">{escape(str(n))}</th>' for n in names]
        for metric in evaluation.metrics:
            mean, low, high = (table.loc[key, (metric.name, k)] for k in ("mean", "low", "high"))
            is_best = len(table) > 1 and ranks.loc[key, metric.name] == ranks[metric.name].min()
            cells.append(_cell(mean, low, high, is_best))
        rank = ranks.loc[key, "mean rank"]
        is_best = len(table) > 1 and rank == ranks["mean rank"].min()
        cells.append(_cell(rank, math.nan, math.nan, is_best, digits=2))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    notes = "".join(f"<li>{note}</li>" for note in _notes(evaluation))
    return (
        f"<div><table><thead><tr>{''.join(heads)}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        f'<ul style="font-size:85%;margin:.4em 0;padding-left:1.4em">{notes}</ul></div>'
    )


def pluralized(count: int, what: str) -> str:
    """A count with its noun, in the singular or plural."""
    return f"{count} {what}" + ("" if count == 1 else "s")


def heading(metric: Metric) -> str:
    """The heading of a metric: its label, or its name if that contains settings."""
    return metric.name if "(" in metric.name else metric.label


def _cell(mean: float, low: float, high: float, is_best: bool, digits: int = 3) -> str:
    if math.isnan(mean):
        return f'<td style="{_CELL}">–</td>'
    shown = f"{mean:z.{digits}f}"  # z: no "-0.000"
    if is_best:
        shown = f"<b>{shown}</b>"
    if not math.isnan(low):
        shown += f' <span style="{_INTERVAL}">[{low:z.{digits}f}, {high:z.{digits}f}]</span>'
    return f'<td style="{_CELL}">{shown}</td>'


def _notes(evaluation: EvaluationTable) -> list[str]:
    """The notes below the table, escaped."""
    model = escape(evaluation.model)
    notes = [
        f"{model}, {pluralized(evaluation.pictures, 'picture')}; in brackets the 95 % bootstrap interval of the mean. "
        "Bold is best."
    ]
    if len(evaluation.skipped):
        first = evaluation.skipped.iloc[0]
        notes.append(
            f"{len(evaluation.skipped)} skipped, such as {escape(str(first['name']))}: {escape(str(first['reason']))}"
        )
    faults = evaluation.rows.groupby(["method", "layer"], sort=False)["fault"].value_counts()
    for (method, layer, fault), count in faults.items():
        notes.append(
            f"{escape(str(method))} at {escape(str(layer))}: {count} × {escape(str(fault))}, which ranks no pixels and "
            "has no score."
        )
    reasons: dict[tuple[str, str], int] = {}
    for found in evaluation.rows.loc[evaluation.rows["fault"].isna(), "notes"]:
        for name, why in (found if isinstance(found, dict) else {}).items():
            reasons[name, why] = reasons.get((name, why), 0) + 1
    notes += [
        f"{escape(name)}: {pluralized(count, 'map')} without a score ({escape(why)})."
        for (name, why), count in reasons.items()
    ]
    return notes
