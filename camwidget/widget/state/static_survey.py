"""Static view of a survey: its numbers and clusters with their first pictures as plain HTML, and as text."""

from __future__ import annotations

import base64
from html import escape

from ...survey import Cluster, Clusters, SurveyResult
from ..host.static_outputs import StaticView

__all__ = ["survey_static_view"]

_NOTE = "A still picture of camwidget's survey. Run the cell to sort, filter and open the pictures."

#: Pictures of each cluster.
_SHOWN = 8


def survey_static_view(
    model: str, result: SurveyResult | None, clusters: Clusters | None
) -> StaticView:
    """Return what a survey has found so far.

    Args:
        model: the model's name.
        result: the pictures; None before there are any.
        clusters: the clusters; None before they are found.
    """
    if result is None:
        return StaticView("", "")
    right = f", {result.accuracy:.1%} right" if result.has_truth else ""
    headline = f"{model}: {len(result):,} pictures{right}"
    lines, text = [f"<p><b>{escape(headline)}</b></p>"], [headline]
    for cluster in clusters or ():
        described = _described(cluster)
        pictures = "".join(
            f'<img src="data:image/jpeg;base64,{base64.b64encode(result.thumbnails[row]).decode()}" '
            f'alt="{escape(str(result.table["name"].iloc[row]))}">'
            for row in cluster.members[:_SHOWN]
        )
        lines.append(f"<p>{escape(described)}<br>{pictures}</p>")
        text.append(f"  {described}")
    lines.append(f"<p><small>{_NOTE}</small></p>")
    return StaticView("<div>\n" + "\n".join(lines) + "\n</div>", "\n".join(text))


def _described(cluster: Cluster) -> str:
    words = ", ".join(f"{name} {here:.0%}" for name, here, _ in cluster.words)
    return f"cluster {cluster.number}, {cluster.prediction}: {len(cluster):,} pictures" + (
        f" ({words})" if words else ""
    )
