"""``Survey``: all pictures of a data set with their predictions and maps, to sort, filter, group and open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import CamwidgetError, DataError
from ..models.vision_model import VisionModel
from ..runtime import fork_safety
from ..runtime.error_reports import error_text
from ..survey import Cluster, Clusters, SurveyResult, find_clusters, lay_out
from ..survey.intervening import InterventionRun
from ..survey.surveying import SurveyRun
from .control.worker import Worker
from .explorer import Explorer
from .host.lifetime import HeldWhileShown, close_parts, weakly
from .host.static_outputs import StaticView
from .panels.survey_groups import SurveyGroups
from .panels.survey_hiding import HIDING_JOB, HidingPanel
from .state.survey_export import entry_of, save_selection
from .view.survey_filters import SurveyFilters, line_of, small_button
from .view.survey_selection import Brush, SheetSelection, count_text, order_rows, row_text
from .view.survey_sheet import SurveySheet

__all__ = ["Survey"]


class Survey(HeldWhileShown, ipywidgets.VBox):
    """A model on a whole data set: every picture with its prediction and map, to sort, filter, group and open.

    The survey is computed in another thread, and what is there is shown; ``wait()`` blocks until it is complete. The
    sheet shows the pictures that pass all filters: right or wrong, true and predicted class (also by a click into the
    confusion matrix), cluster of similar evidence, and a brush over the points. A click on a picture opens it in an
    explorer below. Only pictures in sight are drawn, so that 10,000 scroll.

    Args:
        model: from ``load`` or ``wrap``; left unchanged.
        data: pictures in any form that ``evaluate`` takes, with their classes where these are known.
        settings: settings of ``camwidget.survey.survey_pictures``: ``method``, ``layer``, ``metrics``, ``results`` (a
            file, from which an interrupted survey resumes), ``truth``, ``classes``, ``limit``, ``precision``, ``seed``,
            ``client``, ``batch``.

    Attributes:
        model: the model.

    Raises:
        CamwidgetError: if an argument is invalid; the error's class is that of ``evaluate``.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load("zoo/biased", device="cpu")
        >>> survey = cw.Survey(model, cw.zoo.samples("zoo/biased")).wait()
        >>> survey.select(outcome="wrong")
        >>> survey.selected["truth"].unique().tolist()
        ['weevil']
        >>> survey.close()
    """

    def __init__(self, model: VisionModel, data: Any, **settings: Any) -> None:
        if "progress" in settings:
            raise CamwidgetError(
                "A Survey shows its progress itself: camwidget.survey.survey_pictures takes progress=."
            )
        self._run = SurveyRun(model, data, **settings)
        self.model = model
        self._data, self._settings = data, settings
        # Methods are called from the browser's thread and the worker.
        self._lock = fork_safety.rlock()
        self._result: SurveyResult | None = None
        self._clusters: Clusters | None = None
        self._positions: NDArray[np.float64] | None = None
        self._selection = SheetSelection()
        self._rows: NDArray[np.int64] = np.zeros(0, np.int64)
        self._is_complete = False
        self._error: BaseException | None = None
        self.explorer: Explorer | None = None
        self._worker = Worker(
            ("open", "clusters", "layout", "survey", HIDING_JOB), weakly(self._failed)
        )
        self._build()
        super().__init__(self._lines)
        self.add_class("camwidget-survey-box")
        self._resume()

    # -- for scripts -----------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> Survey:
        """Block until everything requested is computed.

        Args:
            timeout: in seconds; without limit if None.

        Returns:
            The survey itself.

        Raises:
            TimeoutError: if that takes longer than ``timeout``.
            CamwidgetError: if the survey failed.
        """
        if not self._worker.wait(timeout) and not self._worker.in_worker:
            raise TimeoutError(f"Still surveying after {timeout} s.")
        if self._error is not None:
            raise self._error
        return self

    def cancel(self) -> None:
        """Stop computing; what is there is kept, and ``resume`` goes on."""
        self._worker.drop("survey")
        self._show_progress()

    def resume(self) -> None:
        """Go on with a canceled survey. Returns at once."""
        if not self._is_complete:
            self._resume()

    @property
    def result(self) -> SurveyResult:
        """What is computed so far.

        Raises:
            DataError: if nothing is.
        """
        if self._result is None:
            raise DataError("Nothing is computed yet: call wait().")
        return self._result

    @property
    def clusters(self) -> Clusters:
        """The clusters of similar evidence.

        Raises:
            DataError: if they are not computed, because the survey is not complete.
        """
        if self._clusters is None:
            raise DataError("The clusters are found when the survey is complete: call wait().")
        return self._clusters

    @property
    def selected(self) -> pd.DataFrame:
        """The rows of the pictures on the sheet, in their order there, with the number of each one's cluster."""
        table = self.result.table.iloc[self._rows]
        if self._clusters is not None:
            table = table.assign(cluster=self._clusters.numbers[self._rows])
        return table

    def select(
        self,
        *,
        outcome: str = "all",
        truth: str | None = None,
        prediction: str | None = None,
        cluster: int | None = None,
        sort: str = "number",
        descending: bool = False,
    ) -> None:
        """Choose the pictures on the sheet, in place of the present filters.

        Args:
            outcome: "all", "right" or "wrong".
            truth: a true class; all if None.
            prediction: a predicted class; all if None.
            cluster: number of a cluster; all if None.
            sort: "number", "confidence", "truth_confidence", or the name of a metric.
            descending: whether the greatest come first.

        Raises:
            CamwidgetError: if there is no such class, cluster or order.
        """
        chosen = SheetSelection(outcome, truth, prediction, cluster, None, sort, descending)
        chosen.check(self.result, self._clusters)
        self._groups.clear()
        self._change(chosen)

    def explore(self, row: int) -> Explorer:
        """Open a picture in the explorer below.

        Args:
            row: row of ``result.table``.

        Returns:
            The explorer.

        Raises:
            DataError: if there is no such row, or the picture cannot be read again.
        """
        result = self.result
        if not 0 <= row < len(result):
            raise DataError(f"There is no row {row}: the survey has {len(result)} pictures.")
        entry = entry_of(self._run.item(result, row), self.model)
        before = self.explorer
        kept = {
            name: self._settings[name] for name in ("method", "layer") if name in self._settings
        }
        if before is not None:
            kept = {"method": before.method, "layer": before.layer}
        self.explorer = Explorer(self.model, [entry], **kept)
        self._place.children = (self.explorer,)
        if before is not None:
            before.close()
        self._sheet.mark(row)
        if self._positions is not None:
            self._groups.points.mark(self._positions[row])
        return self.explorer

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the pictures on the sheet: as a table, as files in folders, or as a page.

        Args:
            path: with the suffix ``.csv``, a table; with ``.html``, a page of small pictures beside their maps;
                otherwise a new folder, with one folder of pictures for each truth and prediction.

        Returns:
            The file or folder.

        Raises:
            CamwidgetError: if nothing is on the sheet, or a picture cannot be read again.
            FileExistsError: if there is such a file or folder.
        """

        def entry(row: int) -> Any:
            return entry_of(self._run.item(self.result, row), self.model)

        return save_selection(Path(path), self.model, self.result, self.selected, entry)

    def close(self) -> None:
        """Stop computing, and remove the survey from every page."""
        if "_worker" in self.__dict__:  # else the arguments were refused
            self._worker.close()
            self._run.close()
            if self.explorer is not None:
                self.explorer.close()
            close_parts(self)
        super().close()

    def __repr__(self) -> str:
        return f"Survey({self._result!r})" if self._result is not None else "Survey(nothing yet)"

    # -- parts -----------------------------------------------------------------------------

    def _build(self) -> None:
        self._sheet = SurveySheet(weakly(self._request_explore), weakly(self._say_error))
        self._sheet.keys.observe(weakly(self._on_scroll), "top")
        self._sheet.keys.on_msg(weakly(self._on_message))
        self._filters = SurveyFilters(weakly(self._on_filter))
        self._hiding = HidingPanel(
            self.model.classes, self._worker, self._make_intervention, weakly(self._shown_rows)
        )
        self._groups = SurveyGroups(
            self._hiding,
            weakly(self._on_brush),
            weakly(self._on_cell),
            weakly(self._on_cluster),
            weakly(self._on_compare),
            weakly(self._on_layout),
        )
        self._bar = ipywidgets.IntProgress(min=0, max=1, layout={"width": "160px"})
        self._note = ipywidgets.HTML()
        self._button = small_button("Cancel")
        self._button.on_click(weakly(self._on_button))
        self._maps = ipywidgets.ToggleButton(
            value=True,
            description="maps",
            tooltip="Maps over the pictures",
            layout={"width": "auto"},
        )
        self._maps.observe(weakly(self._on_maps), "value")
        self._reset = small_button("Show all", "Without filters")
        self._reset.on_click(weakly(self._on_reset))
        self._path = ipywidgets.Text(
            placeholder="a new folder, page.html or table.csv", layout={"width": "260px"}
        )
        save = small_button("Save these", "The pictures on the sheet")
        save.on_click(weakly(self._on_save))
        self._said = ipywidgets.HTML()
        self._place = ipywidgets.Box(layout={"width": "100%"})
        self._lines = (
            line_of([self._bar, self._note, self._button, self._maps, self._reset]),
            self._filters.line,
            ipywidgets.HBox(
                [self._sheet.box, self._groups.box],
                layout={"flex_flow": "row wrap", "grid_gap": "0 12px"},
            ),
            line_of([self._path, save, self._said]),
            self._place,
        )

    @property
    def _make_intervention(self) -> Callable[[str | Cluster, float], InterventionRun]:
        """A function that makes a run, and does not refer to the survey."""
        model, data = self.model, self._data
        names = ("method", "layer", "classes", "limit", "precision", "seed", "client", "batch")
        settings = {name: self._settings[name] for name in names if name in self._settings}

        def make(hide: str | Cluster, fraction: float) -> InterventionRun:
            return InterventionRun(model, data, hide, fraction=fraction, **settings)

        return make

    def _shown_rows(self) -> NDArray[np.int64]:
        return self._rows

    # -- computing: on the worker's thread ---------------------------------------------------

    def _resume(self) -> None:
        self._error = None
        self._worker.submit("survey", self._compute)
        self._show_progress()

    def _compute(self) -> Iterator[None]:
        shown = 0
        steps = self._run.steps()
        try:
            for stage in steps:
                self._bar.max, self._bar.value = max(stage.total, stage.done, 1), stage.done
                # Reading the rows takes time in proportion to their number.
                if stage.done >= max(1, 2 * shown) and stage.done != stage.total:
                    shown = stage.done
                    self._take(self._run.result())
                yield
        finally:
            steps.close()
        found = self._run.result()
        self._is_complete = True
        self._take(found)
        self._run.close()
        if not len(found):
            reason = "the data is empty"
            if len(found.skipped):
                reason = f"{found.skipped['name'][0]}: {found.skipped['reason'][0]}"
            raise DataError(f"There is no picture to survey: {reason}.")
        self._worker.submit("clusters", self._find_clusters)
        self._worker.submit("layout", self._lay_out)

    def _find_clusters(self) -> None:
        seed = int(self._settings.get("seed", 0))
        found = find_clusters(self.result, self._groups.by.value, seed=seed)
        with self._lock:
            is_stale = self._selection.cluster is not None  # a number of other clusters
            self._clusters = found
        if is_stale:
            self._change(self._selection.without_cluster())
        self._filters.offer_clusters(found)
        self._hiding.offer(found.clusters)
        self._groups.show_clusters(found, self._positions)

    def _lay_out(self) -> None:
        result, groups = self.result, self._groups
        seed = int(self._settings.get("seed", 0))
        positions = lay_out(result, groups.by.value, groups.layout.value, seed=seed)
        with self._lock:
            self._positions = positions
        numbers = np.full(len(result), -1) if self._clusters is None else self._clusters.numbers
        groups.points.clear()
        groups.points.mark(None)
        groups.points.show(positions, numbers)

    def _take(self, result: SurveyResult) -> None:
        """Show a new result."""
        with self._lock:
            self._result = result
        self._filters.offer(result)
        self._groups.show_result(result)
        self._change(self._selection, keeps_place=True)
        self._show_progress()

    def _failed(self, kind: str, error: BaseException) -> None:
        text = error_text(error, self) if isinstance(error, Exception) else repr(error)
        if kind == "survey":
            self._error = error
            self._note.value = escape(text)
            self._button.layout.display = "none"
        else:
            self._say_error(text)

    # -- what is shown ---------------------------------------------------------------------

    def _show_progress(self) -> None:
        result = self._result
        count = 0 if result is None else len(result)
        words = [f"<b>{escape(self.model.name)}</b>", f"{count:,} pictures"]
        if result is not None and result.has_truth:
            words.append(f"{result.accuracy:.1%} right, {int(result.is_wrong.sum()):,} wrong")
        if result is not None and len(result.skipped):
            words.append(f"{len(result.skipped):,} could not be read")
        if not self._is_complete and self._run.total:
            words[1] = f"{count:,} of {self._run.total:,} pictures"
        self._note.value = " · ".join(words)
        self._bar.layout.display = "none" if self._is_complete else None
        self._button.layout.display = "none" if self._is_complete else None
        self._button.description = "Resume" if self._worker.idle else "Cancel"

    def _change(self, selection: SheetSelection, *, keeps_place: bool = False) -> None:
        """Apply filters and order, and show them in the controls."""
        with self._lock:
            result, clusters = self._result, self._clusters
            self._selection = selection
            if result is None:
                return
            self._rows = order_rows(selection, result, clusters, self._positions)
            rows = self._rows
        self._filters.show(selection)
        self._sheet.show(result, rows, with_maps=self._maps.value, keeps_place=keeps_place)
        self._sheet.keys.status = count_text(result, rows)

    def _say_error(self, text: str) -> None:
        self._said.value = escape(text)

    # -- requests of a page ------------------------------------------------------------------

    def _on_filter(self) -> None:
        self._change(self._filters.selection(self._selection.brush))

    def _on_maps(self, change: Any) -> None:
        self._change(self._selection, keeps_place=True)

    def _on_brush(self, corners: Brush | None) -> None:
        if corners != self._selection.brush:
            self._change(self._selection.with_brush(corners))

    def _on_cell(self, cell: tuple[str, str] | None) -> None:
        truth, prediction = cell or (None, None)
        if (truth, prediction) != (self._selection.truth, self._selection.prediction):
            self._change(self._selection.with_cell(truth, prediction))

    def _on_cluster(self, number: int) -> None:
        self._filters.cluster.value = number

    def _on_reset(self, button: Any) -> None:
        self._groups.clear()
        self._change(SheetSelection())

    def _on_compare(self) -> None:
        if self._is_complete:
            self._worker.submit("clusters", self._find_clusters)
            self._worker.submit("layout", self._lay_out)

    def _on_layout(self) -> None:
        if self._is_complete:
            self._worker.submit("layout", self._lay_out)

    def _on_button(self, button: Any) -> None:
        if self._worker.idle:
            self.resume()
        else:
            self.cancel()

    def _on_save(self, button: Any) -> None:
        if not self._path.value.strip():
            self._say_error("Type the name of a new folder, of page.html or of table.csv first.")
            return
        try:
            path = self.save(self._path.value.strip())
        except Exception as error:
            self._say_error(error_text(error, self))
            return
        self._said.value = f"{len(self._rows):,} pictures are in <b>{escape(str(path))}</b>."

    def _on_scroll(self, change: Any) -> None:
        self._sheet.scrolled(int(change["new"]))

    def _on_message(self, widget: Any, content: Any, buffers: Any) -> None:
        kind = content.get("type") if isinstance(content, dict) else None
        if kind != "key" or not isinstance(content.get("key"), str):
            raise CamwidgetError("The page sent a message that the survey does not know.")
        if self._sheet.press(content["key"]) and self._sheet.cursor_row is not None:
            self._sheet.keys.status = row_text(self.result, self._sheet.cursor_row)

    def _request_explore(self, row: int) -> None:
        def job() -> None:
            self._sheet.keys.status = row_text(self.result, row)
            self.explore(row)

        self._worker.submit("open", job)

    # -- hosts -----------------------------------------------------------------------------

    def _static_view(self) -> StaticView:
        from .state.static_survey import survey_static_view

        return survey_static_view(self.model.name, self._result, self._clusters)

    def _view_metadata(self) -> dict[str, Any]:
        # A box of ipywidgets; the keyboard's part is anywidget's, which knows about Colab.
        shown = self._sheet.keys._repr_mimebundle_()
        return shown[1] if isinstance(shown, tuple) else {}

    def _heard_from_page(self) -> bool:
        return self._sheet.keys.is_heard
