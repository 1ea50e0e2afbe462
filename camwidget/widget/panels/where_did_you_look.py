"""``WherePanel``: where a person looked, by the brush, against the maps of the quick methods and the ground truth."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd

from ...analysis.human_attention import TIES, TRUTH, cell_means, compare_marks
from ...attribution.methods import get_method, list_methods
from ...attribution.methods.target_reasons import target_reasons
from ...errors import CamwidgetError
from ...masking.user_mask import decode
from ...runtime import fork_safety
from ...runtime.error_reports import error_text
from ..control.map_location import objects_of_picture
from ..control.map_request import MapRequest
from ..control.method_settings import configured, options_of
from ..control.prompt_control import PromptController
from ..control.worker import Worker
from ..host.lifetime import close_parts
from ..view.synced_traits import View

__all__ = ["WHERE_JOB", "WherePanel"]

#: Name of the worker's job.
WHERE_JOB = "where"

_INVITATION = (
    "Where did you look? Mark it with the brush (paint, or p): what is hidden or kept counts alike, and belongs to the "
    "explorer's state, undo and code."
)


class WherePanel(ipywidgets.VBox):
    """The rank correlation of what is painted with the map of each quick method, of the method shown, and the truth.

    Args:
        prompts: the model, and its caches.
        worker: the explorer's, with ``WHERE_JOB``.
        view: the explorer's, with the paint and the settings of methods.

    Attributes:
        correlations: data frame with the index ``map`` and the column ``rank correlation``, the largest first; empty
            without paint.
    """

    def __init__(self, prompts: PromptController, worker: Worker, view: View) -> None:
        self._prompts, self._worker, self._view = prompts, worker, view
        # Methods are called from the browser's thread, the worker and the explorer.
        self._lock = fork_safety.rlock()
        self._shown: MapRequest | None = None
        self._cells: dict[str, np.ndarray] = {}  # of the maps of what is shown
        self._about: Any = None  # what the cells are of
        self.correlations = _table({})
        self.table = ipywidgets.HTML()
        self.message = ipywidgets.HTML(value=html.escape(_INVITATION))
        super().__init__([self.message, self.table])
        self.add_class("camwidget-where")
        view.observe(self._painted, "paint")

    def follow_map(self, shown: MapRequest) -> None:
        """Compare with the maps of the picture, class and layer that the explorer shows."""
        with self._lock:
            self._shown = shown
            self._worker.submit(WHERE_JOB, lambda: self._compute(shown))

    def close(self) -> None:
        """Stop computing, and remove the panel from every page."""
        if self.comm is None:
            return  # closed already
        with self._lock:
            self._shown = None
        self._worker.drop(WHERE_JOB)
        self._view.unobserve(self._painted, "paint")
        close_parts(self)
        super().close()

    def _painted(self, change: dict[str, Any]) -> None:
        with self._lock:
            shown = self._shown
            if shown is not None:
                self.follow_map(shown)

    # -- on the worker's thread ------------------------------------------------------------

    def _compute(self, shown: MapRequest) -> Iterator[None]:
        try:
            marks = self._marks(shown)
            if marks is None:
                self._show({}, _INVITATION)
                return
            cache = self._prompts.cache(shown.picture, shown.text)
            model = cache.model
            target = cache.predicted(shown.picture) if shown.target is None else shown.target
            settings = self._view.settings
            about = (shown._replace(target=target, method="", options=()), repr(settings))
            if about != self._about:
                self._about, self._cells = about, {}
            name = model.category(target)
            where = objects_of_picture(shown.picture, model, target)
            if TRUTH not in self._cells and where is not None and where.mask.any():
                self._cells[TRUTH] = cell_means(where.mask)
            failed = []
            for method in self._methods(shown):
                label = get_method(method).label
                if label not in self._cells:
                    try:
                        explained = cache.explanation(
                            shown.picture,
                            target,
                            configured(method, options_of(settings, method)),
                            shown.layer,
                            shown.stance,
                            spare=True,
                        )
                        self._cells[label] = cell_means(explained.saliency)
                    except Exception as error:  # the others are still compared
                        failed.append(f"{label}: {error_text(error, self)}")
                    yield
            found = compare_marks(marks, self._cells)
            with self._lock:
                if self._shown is shown:
                    share = f"{np.count_nonzero(marks) / marks.size:.0%} of the picture is marked."
                    self._show(found, " ".join([f"{name}: {share}", TIES, *failed]))
        except Exception as error:
            self._show({}, error_text(error, self))

    def _marks(self, shown: MapRequest) -> np.ndarray | None:
        """What is painted on the picture shown, bool (H, W); None without paint."""
        paint = self._view.paint
        if paint.get("scene") != shown.picture.id:
            return None
        shape = self._prompts.base.pixels(shown.picture).shape[-2:]
        try:
            found = decode(paint.get("runs", []), (shape[0], shape[1]))
        except CamwidgetError:
            return None  # of a page that sent nonsense, which the explorer has refused in words
        return None if found is None else found != 0

    def _methods(self, shown: MapRequest) -> list[str]:
        """Names of the quick methods that apply, the random control, and the method shown, whose map is known."""
        model = self._prompts.cache(shown.picture, shown.text).model
        return [
            m.name
            for m in list_methods()
            if m.name == shown.method
            or (
                (m.is_quick_at_layers and (m.group != "Control" or m.name == "random"))
                and m.reason(model, shown.layer) is None
                and target_reasons(m).get(shown.stance.kind) is None
            )
        ]

    def _show(self, found: dict[str, float], message: str) -> None:
        self.correlations = table = _table(found)
        rows = [_row(str(name), float(value)) for name, value in table.itertuples()]
        self.table.value = f"<table>{''.join(rows)}</table>" if rows else ""
        self.message.value = html.escape(message)


def _table(found: dict[str, float]) -> pd.DataFrame:
    frame = pd.DataFrame({"rank correlation": pd.Series(found, dtype=float)}).rename_axis("map")
    return frame.sort_values("rank correlation", ascending=False, kind="stable")


def _row(name: str, value: float) -> str:
    """A map's name, its correlation, and a bar."""
    known = 0.0 if math.isnan(value) else max(0.0, value)
    number = "–" if math.isnan(value) else f"{value:+.2f}".replace("-", "−")
    bar = (
        f'<div style="width:{100 * known:.0f}px;height:10px;'
        'background:var(--jp-brand-color1,#1976d2)"></div>'
    )
    strong = "b" if name == TRUTH else "span"
    return (
        f'<tr><td style="padding:0 12px 0 0"><{strong}>{html.escape(name)}</{strong}></td>'
        f'<td style="padding:0 12px 0 0;text-align:right">{number}</td><td>{bar}</td></tr>'
    )
