"""``HidingPanel``: hide something in all pictures of a survey, and see what the model makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Any

import ipywidgets
import numpy as np
from numpy.typing import NDArray

from ...runtime.error_reports import error_text
from ...survey import Cluster, Intervention
from ...survey.intervening import InterventionRun
from ..control.worker import Worker
from ..view.survey_filters import line_of, small_button

__all__ = ["HIDING_JOB", "HidingPanel"]

#: Name of the worker's job.
HIDING_JOB = "hide"

_PREDICTED = "evidence for the predicted class"

_ROWS = {
    "accuracy": "accuracy",
    "same prediction": "predicted as before",
    "confidence": "confidence in the prediction",
}


class HidingPanel(ipywidgets.VBox):
    """What to hide, how much, a button, and the change with its interval beside the control's.

    Args:
        classes: names of the model's classes.
        worker: the survey's.
        make_run: makes a run from what is hidden and the share of the pixels.
        shown_rows: returns the rows of the pictures on the sheet, whose change is told too.
    """

    def __init__(
        self,
        classes: Sequence[str],
        worker: Worker,
        make_run: Callable[[str | Cluster, float], InterventionRun],
        shown_rows: Callable[[], NDArray[np.int64] | None],
    ) -> None:
        self._worker, self._make_run, self._shown_rows = worker, make_run, shown_rows
        self._classes = tuple(classes)
        #: The last one that was computed.
        self.found: Intervention | None = None
        #: What can be hidden, by its name in the control.
        self._choices: dict[str, str | Cluster] = {}
        self.what = ipywidgets.Dropdown(options=[_PREDICTED], layout={"width": "280px"})
        self.fraction = ipywidgets.FloatSlider(
            value=0.1,
            min=0.01,
            max=0.5,
            step=0.01,
            readout_format=".0%",
            description="of the pixels",
            continuous_update=False,
            layout={"width": "280px"},
        )
        self._button = small_button("Hide everywhere", "Run the model on all pictures again")
        self._button.on_click(lambda _: self.start())
        self._bar = ipywidgets.IntProgress(
            min=0, max=1, layout={"width": "130px", "display": "none"}
        )
        self._said = ipywidgets.HTML()
        super().__init__(
            [self.what, self.fraction, line_of([self._button, self._bar]), self._said],
            layout={"width": "100%"},
        )
        self.offer(())

    def offer(self, clusters: Sequence[Cluster]) -> None:
        """Offer the evidence for each class, and the region of each cluster."""
        self._choices = {
            _PREDICTED: "evidence",
            **{f"evidence for {name}": name for name in self._classes},
            **{f"region of cluster {c.number} · {c.label}": c for c in clusters},
        }
        before = self.what.value
        self.what.options = list(self._choices)
        self.what.value = before if before in self._choices else _PREDICTED

    def start(self) -> None:
        """Start hiding, in place of a running one. Returns at once."""
        # A page may have chosen nothing.
        what = self._choices.get(self.what.value, "evidence")
        fraction = float(self.fraction.value)
        self._worker.submit(HIDING_JOB, lambda: self._compute(what, fraction))

    def _compute(self, what: str | Cluster, fraction: float) -> Iterator[None]:
        self._said.value = ""
        self._bar.value, self._bar.layout.display = 0, None
        try:
            run = self._make_run(what, fraction)
            steps = run.steps()
            try:
                for stage in steps:
                    self._bar.max = max(stage.total, stage.done, 1)
                    self._bar.value = stage.done
                    yield
                self.found = run.result()
            finally:
                steps.close()
                run.close()
            self._said.value = self._describe(self.found)
        except Exception as error:
            self._said.value = escape(error_text(error, self))
        finally:
            self._bar.layout.display = "none"

    def _describe(self, found: Intervention) -> str:
        parts = [f"<b>{escape(found.hidden)}</b>", _table(found, "all pictures")]
        rows = self._shown_rows()
        if rows is not None and 0 < len(rows) < len(found.table) and rows.max() < len(found.table):
            parts.append(_table(found.of(rows), "those on the sheet"))
        return "".join(parts)


def _table(found: Intervention, caption: str) -> str:
    """The changes as HTML."""
    lines = [
        f"<tr><td>{caption} ({len(found.table):,})</td><td>before → after</td><td>change</td>"
        "<td>control</td></tr>"
    ]
    for name, row in found.summary.iterrows():
        lines.append(
            f"<tr><td>{_ROWS[str(name)]}</td><td>{row['before']:.1%} → {row['before'] + row['change']:.1%}</td>"
            f"<td><b>{_change(row, '')}</b></td><td>{_change(row, 'control ')}</td></tr>"
        )
    return f'<table class="camwidget-survey-changes">{"".join(lines)}</table>'


def _change(row: Any, prefix: str) -> str:
    change = 100 * row["control" if prefix else "change"]
    return f"{change:+.1f} ({100 * row[prefix + 'low']:+.1f} to {100 * row[prefix + 'high']:+.1f})"
