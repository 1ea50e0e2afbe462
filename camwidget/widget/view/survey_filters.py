"""``SurveyFilters``: the controls that choose and order the pictures on a survey's sheet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from ...survey import Clusters, SurveyResult
from .survey_selection import OUTCOMES, Brush, SheetSelection, sort_keys

__all__ = ["SurveyFilters", "line_of", "small_button"]


def line_of(parts: list[Any]) -> ipywidgets.Widget:
    """A line of controls, which wraps where there is no room."""
    box = ipywidgets.HBox(parts)
    box.add_class("camwidget-survey-line")
    return box


def small_button(description: str, tooltip: str = "") -> ipywidgets.Button:
    """A button as wide as its text."""
    return ipywidgets.Button(description=description, tooltip=tooltip, layout={"width": "auto"})


class SurveyFilters:
    """Outcome, true and predicted class, cluster and order.

    Args:
        on_change: called when a person has changed one.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._is_setting = False
        narrow = {"width": "132px"}
        self.outcome = ipywidgets.ToggleButtons(options=OUTCOMES, style={"button_width": "auto"})
        self.truth = ipywidgets.Dropdown(options=[("any true class", None)], layout=narrow)
        self.prediction = ipywidgets.Dropdown(options=[("any prediction", None)], layout=narrow)
        self.cluster = ipywidgets.Dropdown(options=[("any cluster", None)], layout=narrow)
        self.sort = ipywidgets.Dropdown(
            options=[("by number", "number")], layout={"width": "150px"}
        )
        self.descending = ipywidgets.ToggleButton(
            description="↓", tooltip="The greatest first", layout={"width": "34px"}
        )
        controls = [
            self.outcome,
            self.truth,
            self.prediction,
            self.cluster,
            self.sort,
            self.descending,
        ]
        for control in controls:
            control.observe(self._changed, "value")
        self.line = line_of(controls)

    def selection(self, brush: Brush | None) -> SheetSelection:
        """The selection that the controls say.

        Args:
            brush: rectangle over the points, which has no control here.
        """
        return SheetSelection(
            self.outcome.value,
            self.truth.value,
            self.prediction.value,
            self.cluster.value,
            brush,
            self.sort.value,
            self.descending.value,
        )

    def show(self, selection: SheetSelection) -> None:
        """Set the controls."""
        self._is_setting = True
        try:
            self.outcome.value = selection.outcome
            self.truth.value, self.prediction.value = selection.truth, selection.prediction
            self.cluster.value, self.sort.value = selection.cluster, selection.sort
            self.descending.value = selection.descending
        finally:
            self._is_setting = False

    def offer(self, result: SurveyResult) -> None:
        """Offer the classes and metrics of a survey."""
        names = [(name, name) for name in result.classes]
        self._set(self.truth, [("any true class", None), *names])
        self._set(self.prediction, [("any prediction", None), *names])
        self._set(self.sort, [(label, name) for name, label in sort_keys(result).items()])

    def offer_clusters(self, clusters: Clusters) -> None:
        """Offer the clusters of a survey."""
        labels = [(f"{c.number} · {c.label} ({len(c):,})", c.number) for c in clusters]
        self._set(self.cluster, [("any cluster", None), *labels])

    def _set(self, control: Any, options: list[tuple[str, Any]]) -> None:
        """Replace the options of a dropdown, and keep its value where it is still there."""
        if list(control.options) == options:
            return
        before = control.value
        self._is_setting = True
        try:
            control.options = options
            values = [value for _, value in options]
            control.value = before if before in values else values[0]
        finally:
            self._is_setting = False

    def _changed(self, change: Any) -> None:
        if not self._is_setting:
            self._on_change()
