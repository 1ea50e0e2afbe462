"""``EvaluatePanel``: score the maps of several methods for the picture shown by several metrics."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ipywidgets
import numpy as np

from ...attribution.methods import Method
from ...metrics import Metric, get_metric, list_metrics
from ...runtime import fork_safety
from ...runtime.error_reports import error_text
from ..control.given_truth import true_class
from ..control.map_location import objects_of_picture
from ..control.map_request import MapRequest
from ..control.method_settings import MethodSettings, configured, options_of
from ..control.prompt_control import PromptController
from ..control.worker import Worker
from ..host.interrupts import interrupts
from ..host.lifetime import close_parts
from ..view.page_messages import TraitSender
from ..view.synced_traits import View
from .radar_chart import RadarChart, rank_shares
from .score_table import (
    ScoreTable,
    ScoreValues,
    metric_choice,
    series_colors,
    table_rows,
    values_of,
)
from .scoring import MethodScores, lacks, score_methods

__all__ = ["EvaluatePanel"]

#: Methods and metrics chosen at first, where they apply: they are quick to compute.
METHODS = ("cam", "gradcam", "gradcam++", "layercam", "random")
METRICS = ("drop", "increase", "remove25", "deletion", "insertion", "complexity")
TRUTH = ("pointing", "energy", "localization")

#: Seconds between two tables while it computes.
PACE = 0.25


@dataclass(frozen=True)
class _ScoreRequest:
    """A request to score methods by metrics for one picture, class and layer."""

    shown: MapRequest
    configured: tuple[Method, ...]  # with the explorer's settings
    metrics: tuple[Metric, ...]
    caption: str

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods' names."""
        return tuple(method.name for method in self.configured)

    def is_about(self, shown: MapRequest | None, settings: MethodSettings) -> bool:
        """Whether the picture, class, layer and text are those of the map shown, and the settings the present ones."""
        return (
            shown is not None
            and shown._replace(method=self.shown.method, options=self.shown.options) == self.shown
            and self.configured == _configured(self.methods, settings)
        )


class EvaluatePanel(ipywidgets.Box):
    """Methods and metrics to choose, Start and Cancel, a table of scores and a radar of their ranks.

    It evaluates what the explorer shows when Start is pressed; nothing starts by itself.

    Args:
        prompts: the model, and its caches.
        worker: the explorer's, of which it is the least urgent work.
        view: the explorer's, which knows the methods and why some do not apply.
        on_pick: called with the method of the row that was clicked.
    """

    def __init__(
        self, prompts: PromptController, worker: Worker, view: View, on_pick: Callable[[str], None]
    ) -> None:
        self._prompts = prompts
        self._worker = worker
        self._view = view
        self._on_pick = on_pick
        # Methods are called from the browser's thread, the worker and the explorer.
        self._lock = fork_safety.rlock()
        self._shown: MapRequest | None = None
        self._requested: _ScoreRequest | None = None  # what is being computed
        self._done: _ScoreRequest | None = None  # whose numbers are in the table
        self._scored = MethodScores()
        # Methods and metrics to choose from. The table's own traits can be set by the browser, so they are not trusted.
        self._methods: list[dict[str, Any]] = []
        self._metrics: list[dict[str, Any]] = []
        self._chosen = False  # whether a person has chosen metrics
        self.table = ScoreTable(
            message="Scores maps of the picture, class and layer shown above, with the settings that the methods have "
            "there. The model runs many times for this."
        )
        self.table.add_class("camwidget-table")
        self._sender = TraitSender(self.table, self._lock)
        self.radar = RadarChart()
        self._parts = ipywidgets.Box([self.table, self.radar.figure])
        self._parts.add_class("camwidget-evaluate-parts")
        super().__init__([self._parts])
        self.add_class("camwidget-evaluate")
        self._list_methods()
        self.table.on_msg(self._message)
        self.table.observe(self._metrics_chosen, "chosen_metrics")
        view.observe(self._methods_listed, "methods")
        view.observe(self._settings_set, "settings")

    # -- for scripts -----------------------------------------------------------------------

    @property
    def scores(self) -> ScoreValues:
        """The scores in the table, by (method, metric)."""
        return dict(self._scored.scores)

    def follow_map(self, shown: MapRequest) -> None:
        """Take the picture, class and layer that Start will evaluate from the map that the explorer shows."""
        with self._lock:
            self._shown = shown
            self._sender.send(method=shown.method, ready=True, stale=self._is_stale())
            self._list_metrics()
            self._stress()

    def start(self) -> None:
        """Start the evaluation of the chosen methods and metrics, and cancel a running one. Returns at once."""
        with self._lock:
            shown = self._shown
            if shown is None:
                return
            self.cancel()
            methods = self._usable(self._methods, self.table.chosen_methods)
            metrics = self._usable(self._metrics, self.table.chosen_metrics)
            if not methods or not metrics:
                self._show_message(
                    f"Choose a {'metric' if methods else 'method'} first.", wrong=True
                )
                return
            requested = _ScoreRequest(
                shown,
                _configured(methods, self._view.settings),
                tuple(get_metric(m) for m in metrics),
                self._caption(shown),
            )
            self._requested = self._done = requested
            self._scored = MethodScores()
            self._sender.send(
                running=True,
                progress=0.0,
                caption=requested.caption,
                stale=False,
                columns=[metric_choice(m, None) for m in requested.metrics],
                rows=self._rows(),
                order={"column": "", "reverse": False},
            )
            self._show_message("Waiting for the model …")
            self._draw()
            # Under the lock: of two at once the last one is evaluated.
            self._worker.submit(
                "evaluate", lambda: interrupts.canceling(self.cancel, self._run(requested))
            )

    def cancel(self) -> None:
        """Cancel the evaluation; finished scores stay in the table."""
        with self._lock:
            if self._requested is None:
                return
            self._requested = None
            self._worker.drop("evaluate")
            done = "finished scores are kept" if self._scored.scores else "nothing was finished yet"
            self._stop(f"Canceled: {done}.")

    def close(self) -> None:
        """Stop computing, and remove the panel and all its parts from every page."""
        if self.comm is None:
            return  # closed already
        with self._lock:
            self._requested = None
        self._worker.drop("evaluate")
        self._view.unobserve(self._methods_listed, "methods")
        self._view.unobserve(self._settings_set, "settings")
        close_parts(self)
        super().close()

    # -- what can be chosen ----------------------------------------------------------------

    def _methods_listed(self, change: dict[str, Any]) -> None:
        with self._lock:
            self._list_methods()

    def _settings_set(self, change: dict[str, Any]) -> None:
        with self._lock:
            self._sender.send(stale=self._is_stale())

    def _list_methods(self) -> None:
        first = not self._methods
        self._methods = offered = [dict(method) for method in self._view.methods]
        chosen = self.table.chosen_methods
        if first:
            chosen = [m["name"] for m in offered if m["name"] in METHODS]
        self._sender.send(methods=offered, chosen_methods=chosen)

    def _list_metrics(self) -> None:
        shown = self._shown
        assert shown is not None and shown.target is not None
        model = self._prompts.cache(shown.picture, shown.text).model
        where, name = (
            objects_of_picture(shown.picture, model, shown.target),
            model.classes[shown.target],
        )
        facts = {
            "is_quantity": model.scores == "value",
            "is_labeled": true_class(shown.picture.label, shown.picture.truth, model) is not None,
        }
        self._metrics = offered = [
            metric_choice(m, lacks(m, where, name, **facts)) for m in list_metrics()
        ]
        chosen = self.table.chosen_metrics
        if not self._chosen:
            chosen = [m["name"] for m in offered if m["name"] in METRICS + TRUTH]
        self._sender.send(metrics=offered, chosen_metrics=chosen)

    def _metrics_chosen(self, change: dict[str, Any]) -> None:
        if not self._sender.is_sending:
            self._chosen = True

    @staticmethod
    def _usable(offered: Sequence[dict[str, Any]], chosen: Sequence[str]) -> tuple[str, ...]:
        return tuple(o["name"] for o in offered if o["name"] in chosen and o["reason"] is None)

    # -- what it shows ---------------------------------------------------------------------

    def _show_message(self, text: str, *, wrong: bool = False) -> None:
        self._sender.send(message=text, wrong=wrong)

    def _stop(self, text: str, *, wrong: bool = False) -> None:
        share = self._scored.share
        self._sender.send(
            running=False, progress=share, rows=self._rows(), message=text, wrong=wrong
        )
        self._draw()

    def _caption(self, shown: MapRequest) -> str:
        assert shown.target is not None
        model = self._prompts.cache(shown.picture, shown.text).model
        parts = (shown.picture.name, model.classes[shown.target], shown.layer, model.text)
        return " · ".join(part for part in parts if part)

    def _is_stale(self) -> bool:
        return self._done is not None and not self._done.is_about(self._shown, self._view.settings)

    def _rows(self) -> list[dict[str, Any]]:
        done, progress = self._done, self._scored
        if done is None:
            return []
        waits = self._requested is done
        return table_rows(
            done.configured, done.metrics, progress.scores, progress.faults, waits=waits
        )

    def _draw(self) -> None:
        if self._done is not None:
            names = [m.name for m in self._done.metrics]
            colors = series_colors(self._done.methods)
            self.radar.show(self._shares(), names, colors, self._stressed())

    def _stress(self) -> None:
        if self._done is not None:
            self.radar.stress(self._shares(), series_colors(self._done.methods), self._stressed())

    def _shares(self) -> np.ndarray:
        assert self._done is not None
        methods, metrics = self._done.methods, self._done.metrics
        values = values_of(methods, metrics, self._scored.scores)
        return rank_shares(values, [m.better == "higher" for m in metrics])

    def _stressed(self) -> int | None:
        """The row of the explorer's method."""
        methods, method = (() if self._done is None else self._done.methods), self.table.method
        return methods.index(method) if method in methods else None

    # -- what a person does ----------------------------------------------------------------

    def _message(self, _table: Any, content: Any, _buffers: Any) -> None:
        kind = content.get("type") if isinstance(content, dict) else None
        if kind == "start":
            self.start()
        elif kind == "cancel":
            self.cancel()
        elif kind == "pick":
            self._on_pick(str(content.get("method")))

    # -- on the worker's thread ------------------------------------------------------------

    def _run(self, requested: _ScoreRequest) -> Iterator[None]:
        shown, published = requested.shown, 0.0
        assert shown.target is not None
        try:
            cache = self._prompts.cache(shown.picture, shown.text)
            for progress in score_methods(
                cache,
                shown.picture,
                shown.target,
                shown.layer,
                requested.configured,
                requested.metrics,
            ):
                if not self._take(requested, progress):
                    return
                if time.monotonic() - published > PACE:
                    self._sender.send(
                        progress=progress.share, message=progress.text, rows=self._rows()
                    )
                    published = time.monotonic()
                yield
            self._end(requested, "")
        except Exception as error:
            self._end(requested, error_text(error, self))

    def _take(self, requested: _ScoreRequest, progress: MethodScores) -> bool:
        with self._lock:
            if self._requested is not requested:
                return False
            self._scored = replace(progress)
            return True

    def _end(self, requested: _ScoreRequest, error: str) -> None:
        with self._lock:
            if self._requested is not requested:
                return
            self._requested = None
            faults = self._scored.faults
            scores = self._scored.scores.values()
            gaps = bool(faults) or not all(math.isfinite(score.value) for score in scores)
            failed = f" Without a map: {len(faults)} of {len(requested.methods)}." if faults else ""
            hint = " Hover over a – to see why there is no number." if gaps else ""
            text = f"Click a row for its map, the head of a column to sort by it.{failed}{hint}"
            self._stop(error or text, wrong=bool(error))


def _configured(methods: Sequence[str], settings: MethodSettings) -> tuple[Method, ...]:
    """Return methods with an explorer's settings."""
    return tuple(configured(name, options_of(settings, name)) for name in methods)
