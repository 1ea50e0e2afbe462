"""``SurveyGroups``: what a survey's pictures have in common, as points, clusters or a confusion matrix."""

from __future__ import annotations

import io
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...attribution.explanation import colorize
from ...survey import Cluster, Clusters, SurveyResult
from ...survey.clusters import REPRESENTATIONS
from ..view.survey_charts import ConfusionChart, PointChart, color_of
from ..view.survey_filters import line_of, small_button
from ..view.survey_selection import Brush
from .survey_hiding import HidingPanel

__all__ = ["SurveyGroups"]

#: What can be compared, with its name in the controls.
_BY = {
    "features": "features under the map",
    "maps": "maps, cell by cell",
    "shapes": "shapes of maps",
    "embeddings": "features of the picture",
}
_LAYOUTS = {"pca": "PCA", "spectral": "spectral", "tsne": "t-SNE"}
_NOTES = {
    "points": "Pictures that are near are alike. Drag a rectangle to select; colors are clusters.",
    "clusters": "Pictures of one predicted class with similar evidence. Percentages: share of the maps in a concept.",
    "confusion": "Click a cell to see its pictures.",
    "hide": "The control hides as many pixels of the same shape at a random place.",
}


class SurveyGroups:
    """Tabs with points and a brush, clusters, the confusion matrix, and what can be hidden everywhere.

    Args:
        hiding: the panel of the last tab.
        on_brush: called with the corners of the brush; None without.
        on_cell: called with (truth, prediction) of a cell; None when none is chosen.
        on_cluster: called with the number of a cluster whose pictures are to be shown.
        on_compare: called when something else is to be compared.
        on_layout: called when the points are to lie otherwise.
    """

    def __init__(
        self,
        hiding: HidingPanel,
        on_brush: Callable[[Brush | None], None],
        on_cell: Callable[[tuple[str, str] | None], None],
        on_cluster: Callable[[int], None],
        on_compare: Callable[[], None],
        on_layout: Callable[[], None],
    ) -> None:
        self._on_cluster = on_cluster
        self._result: SurveyResult | None = None
        self.points = PointChart(on_brush)
        self.confusion = ConfusionChart(on_cell)
        self.by = ipywidgets.Dropdown(
            options=[(_BY[name], name) for name in REPRESENTATIONS], layout={"width": "185px"}
        )
        self.layout = ipywidgets.Dropdown(
            options=[(label, name) for name, label in _LAYOUTS.items()], layout={"width": "90px"}
        )
        self.by.observe(lambda change: on_compare(), "value")
        self.layout.observe(lambda change: on_layout(), "value")
        self.cards = ipywidgets.VBox()
        self.cards.add_class("camwidget-survey-clusters")
        self._note = ipywidgets.HTML()
        self.tabs = ipywidgets.ToggleButtons(options=list(_NOTES), style={"button_width": "auto"})
        self.tabs.observe(lambda change: self._show(), "value")
        self._compared = line_of([self.by, self.layout])
        self._pane = ipywidgets.Box(layout={"width": "100%", "min_height": "335px"})
        self._parts = {
            "points": self.points.figure,
            "clusters": self.cards,
            "confusion": self.confusion.figure,
            "hide": hiding,
        }
        self.box = ipywidgets.VBox(
            [self.tabs, self._compared, self._pane, self._note],
            layout={"flex": "1 1 300px", "min_width": "300px", "max_width": "470px"},
        )
        self._show()

    def show_result(self, result: SurveyResult) -> None:
        """Show the confusion matrix of a survey."""
        self._result = result
        if result.has_truth:
            self.confusion.show(result.confusion)
        self._show()

    def show_clusters(self, clusters: Clusters, positions: NDArray[np.float64] | None) -> None:
        """Show the clusters, also in the colors of the points."""
        before = self.cards.children
        self.cards.children = tuple(self._card(c) for c in clusters)
        for card in before:
            for part in card.children:
                part.close()
            card.close()
        if positions is not None:
            self.points.show(positions, clusters.numbers)

    def clear(self) -> None:
        """Remove the brush, and choose no cell."""
        self.points.clear()
        self.confusion.clear()

    def _show(self) -> None:
        name = self.tabs.value
        note = _NOTES[name]
        parts: tuple[Any, ...] = (self._parts[name],)
        self._compared.layout.display = None if name in ("points", "clusters") else "none"
        self.layout.layout.display = None if name == "points" else "none"
        if name == "confusion" and self._result is not None:
            left_out = len(self._result.classes) - len(self.confusion.names)
            if not self._result.has_truth:
                parts, note = (), "The true classes are not known."
            elif left_out > 0:
                note += f" {left_out} classes with fewer mistakes are left out."
        self._pane.children = parts
        self._note.value = f"<small>{note}</small>"

    def _card(self, cluster: Cluster) -> ipywidgets.Widget:
        """A cluster's description, with a button that shows its pictures."""
        words = ", ".join(
            f"{escape(name)} {here:.0%} (others {there:.0%})" for name, here, there in cluster.words
        )
        accuracy = "" if np.isnan(cluster.accuracy) else f" · {cluster.accuracy:.0%} right"
        text = (
            f'<span style="color:{color_of(cluster.number)}">●</span> <b>{cluster.number} · '
            f"{escape(cluster.prediction)}</b><br>{len(cluster):,} pictures{accuracy}<br>{words}"
        )
        button = small_button("Show", "Only this cluster's pictures")
        number, choose = cluster.number, self._on_cluster
        button.on_click(lambda _: choose(number))
        image = ipywidgets.Image(
            value=_mean_map(cluster.mean_map),
            format="png",
            width=52,
            height=52,
            layout={"flex": "none"},
        )
        card = ipywidgets.HBox([image, ipywidgets.HTML(text, layout={"flex": "1 1 auto"}), button])
        card.add_class("camwidget-survey-cluster")
        return card


def _mean_map(values: NDArray[np.float32]) -> bytes:
    """A mean map as a PNG."""
    peak = float(values.max()) or 1.0
    file = io.BytesIO()
    image = Image.fromarray(colorize(values / peak, "inferno"))
    image.resize((104, 104), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()
