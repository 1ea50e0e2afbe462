"""``AttentionPanel``: layers × heads of a transformer as a grid of small maps, one enlarged over the picture."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import ipywidgets
import numpy as np

from ...attribution.attention import Attention, Query, attention_of_pixels
from ...errors import CamwidgetError
from ...execution.shallow_module_copy import weight_versions
from ...runtime import fork_safety
from ...runtime.error_reports import error_text
from ..control.cache import Picture
from ..control.map_request import Given, MapRequest
from ..control.prompt_control import PromptController
from ..control.worker import Worker
from ..host.interrupts import interrupts
from ..host.lifetime import close_parts
from ..view.canvas import SharpCanvas
from ..view.synced_traits import View
from .attention_drawing import (
    DrawnAttention,
    clear_frame,
    draw_frame,
    draw_grid,
    draw_picture,
)
from .attention_layout import GridLayout, MapLayout
from .attention_maps import AttentionMaps, outlier_sentence, query_options, valid_query
from .choice_setter import ChoiceSetter

__all__ = ["ATTENTION_JOB", "AttentionPanel"]

#: Name of the worker's job.
ATTENTION_JOB = "attention"

#: What attention does not show.
CAVEAT = "Attention shows which tokens a layer mixes, not what the class depends on."

#: CSS class while what is drawn is not what is chosen.
_WAITING = "camwidget-attention-waiting"

#: Steps of a computation, for the progress bar.
_STEPS = 3

#: Rows and columns that an arrow key moves by.
_ARROWS = {"ArrowUp": (-1, 0), "ArrowDown": (1, 0), "ArrowLeft": (0, -1), "ArrowRight": (0, 1)}


@dataclass(frozen=True)
class _About:
    """What attention is computed for: a picture, a text, and the weights of the model."""

    picture: Picture
    text: Given | None
    weights: tuple[int, ...]


class AttentionPanel(ipywidgets.VBox):
    """Attention of the picture shown: a grid of layers × heads, and the selected one over the picture.

    A click on a small map selects it; a click on a patch of the picture asks what that patch attends to. Arrow keys do
    the same on the canvas that has the focus.

    Args:
        prompts: the model and its caches.
        worker: the explorer's, which computes as its job ``ATTENTION_JOB``.
        view: the explorer's, whose colormap is used.
    """

    def __init__(self, prompts: PromptController, worker: Worker, view: View) -> None:
        self._prompts = prompts
        self._worker = worker
        self._view = view
        # Methods are called from the browser's thread, the worker and the explorer. Not held while drawing: that takes
        # the canvases' lock, which a new page takes first.
        self._lock = fork_safety.rlock()
        self._about: _About | None = None
        self._found: Attention | None = None  # of ``_about``
        self._drawn: DrawnAttention | None = None
        self._requested: object | None = None  # what is being computed
        self._query: Query = None
        self._cell = (-1, -1)  # layer and column; the last layer's mean at first
        self._choice_setter = ChoiceSetter(self._lock)
        self._build()
        super().__init__([self._choices, self._settings, self.message, self._parts])
        self.add_class("camwidget-attention")
        for part, react in (
            (self.layer_choice, lambda value: self.select(value, None)),
            (self.head_choice, lambda value: self.select(None, value)),
            (self.query_choice, self.ask),
            (self.outlier_choice, lambda value: self._request()),
        ):
            part.observe(partial(self._changed, react), "value")
        view.observe(self._recolor, "colormap")

    # -- for scripts -----------------------------------------------------------------------

    @property
    def maps(self) -> AttentionMaps | None:
        """The maps that are drawn; None before there are any."""
        return None if self._drawn is None else self._drawn.maps

    @property
    def cell(self) -> tuple[int, int]:
        """Layer and column of the map that is enlarged; the columns are the heads, their mean, and the rollout."""
        return self._cell

    def follow_map(self, shown: MapRequest) -> None:
        """Compute attention for the picture that the explorer shows, unless that is done."""
        weights = weight_versions(self._prompts.model.module)
        about = _About(shown.picture, shown.text, weights)
        with self._lock:
            if about == self._about:
                return
            self._about, self._found = about, None
        self._request()

    def select(self, layer: int | None, column: int | None) -> None:
        """Enlarge a map.

        Args:
            layer: number of the layer; None leaves it as it is.
            column: number of the head; the columns behind the heads are their mean and the rollout. None leaves it.
        """
        with self._lock:
            drawn = self._drawn
            if drawn is None:
                return
            before = self._cell
            rows, columns = drawn.cells.rows, drawn.cells.columns
            layer = before[0] if layer is None else min(max(layer, 0), rows - 1)
            column = before[1] if column is None else min(max(column, 0), columns - 1)
            self._cell = after = (layer, column)
        if after != before:
            self._show_selected(drawn)
            self.grid.paint(lambda: self._move_frame(before))
            self.picture.draw()

    def ask(self, query: Query) -> None:
        """Show what another token attends to.

        Args:
            query: row and column of a patch, the index of a token, or "patches" for the mean over all patches.
        """
        with self._lock:
            if query == self._query:
                return
            self._query = query
        self._request()

    def cancel(self) -> None:
        """Cancel the computation; what was drawn before stays, dimmed."""
        with self._lock:
            if self._requested is None:
                return
            self._requested = None
            self._worker.drop(ATTENTION_JOB)
            self._show_running(False)
            self._parts.add_class(_WAITING)
            self._show_message("Canceled: the maps are not those of the choices above.")
            self.button.description, self.button.layout.visibility = "Compute", "visible"

    def close(self) -> None:
        """Stop computing, and remove the panel and all its parts from every page."""
        if self.comm is None:
            return  # closed already
        with self._lock:
            self._about = self._found = self._drawn = self._requested = None
        self._worker.drop(ATTENTION_JOB)
        self._view.unobserve(self._recolor, "colormap")
        close_parts(self)
        super().close()

    # -- what it is made of ----------------------------------------------------------------

    def _build(self) -> None:
        def choice(name: str, tip: str, width: int) -> ipywidgets.Dropdown:
            return ipywidgets.Dropdown(
                description=name,
                tooltip=tip,
                style={"description_width": "auto"},
                layout={"width": f"{width}px"},
            )

        self.query_choice = choice("query", "Whose attention is shown; or click a patch", 220)
        self.layer_choice = choice("layer", "Layer of the enlarged map", 330)
        self.head_choice = choice("heads", "Head of the enlarged map, their mean, or rollout", 200)
        self.outlier_choice = ipywidgets.Checkbox(
            value=False,
            description="leave out outlier tokens",
            tooltip="Draw the maps without attention to outlier tokens",
            indent=False,
            layout={"width": "auto"},
        )
        self.button = ipywidgets.Button(
            description="Cancel", layout={"width": "84px", "visibility": "hidden"}
        )
        self.button.on_click(lambda button: self._pressed())
        self._choices = ipywidgets.HBox(
            [self.query_choice, self.layer_choice, self.head_choice],
            layout={"flex_flow": "row wrap", "align_items": "center"},
        )
        # Hidden, not taken away: nothing jumps when it appears.
        self.bar = ipywidgets.IntProgress(
            max=_STEPS,
            layout={"flex": "1 1 auto", "width": "auto", "height": "10px", "visibility": "hidden"},
        )
        self._settings = ipywidgets.HBox(
            [self.outlier_choice, self.bar, self.button], layout={"align_items": "center"}
        )
        self.grid = SharpCanvas(
            self._draw_grid,
            self._click_grid,
            self._show_fault,
            on_key=partial(self._key, self._move_cell),
        )
        self.picture = SharpCanvas(
            self._draw_picture,
            self._click_picture,
            self._show_fault,
            on_key=partial(self._key, self._move_query),
        )
        # Texts are escaped.
        self.text = ipywidgets.HTML()
        self.text.add_class("camwidget-attention-text")
        side = ipywidgets.VBox([self.picture.canvas, self.text])
        side.add_class("camwidget-attention-side")
        self._parts = ipywidgets.Box([self.grid.canvas, side])
        self._parts.add_class("camwidget-attention-parts")
        for canvas in (self.grid.canvas, self.picture.canvas):
            canvas.add_class("camwidget-attention-canvas")
        self.message = ipywidgets.HTML()

    def _changed(self, react: Callable[[Any], None], change: dict[str, Any]) -> None:
        if self._choice_setter.is_setting or change["new"] is None:
            return
        try:
            react(change["new"])
        except Exception as error:
            self._show_fault(error_text(error, self))

    def _pressed(self) -> None:
        if self._requested is None:
            self._request()
        else:
            self.cancel()

    def _recolor(self, change: dict[str, Any]) -> None:
        self.grid.draw()
        self.picture.draw()

    # -- mouse and keyboard ----------------------------------------------------------------

    def _click_grid(self, x: float, y: float) -> None:
        drawn = self._drawn
        cell = None if drawn is None else drawn.cells.cell_at(x, y)
        if cell is not None:
            self.select(*cell)

    def _click_picture(self, x: float, y: float) -> None:
        drawn = self._drawn
        patch = None if drawn is None else drawn.patches.patch_at(x, y)
        if patch is not None:
            self.ask(patch)

    def _key(self, move: Callable[[DrawnAttention, int, int], None], key: str) -> None:
        drawn = self._drawn
        if drawn is not None and key in _ARROWS:
            move(drawn, *_ARROWS[key])

    def _move_cell(self, drawn: DrawnAttention, down: int, right: int) -> None:
        layer, column = self._cell
        self.select(layer + down, column + right)

    def _move_query(self, drawn: DrawnAttention, down: int, right: int) -> None:
        height, width = drawn.patches.grid
        if isinstance(self._query, tuple):
            row, column = self._query[0] + down, self._query[1] + right
            self.ask((min(max(row, 0), height - 1), min(max(column, 0), width - 1)))
        else:
            self.ask((height // 2, width // 2))

    # -- what it shows ---------------------------------------------------------------------

    def _show_running(self, running: bool) -> None:
        visibility = "visible" if running else "hidden"
        self.bar.layout.visibility = self.button.layout.visibility = visibility
        self.button.description = "Cancel"
        (self._parts.add_class if running else self._parts.remove_class)(_WAITING)

    def _show_message(self, text: str) -> None:
        # Names of models and layers are anybody's text.
        self.message.value = html.escape(text)

    def _show_fault(self, text: str) -> None:
        self._show_message(text)

    def _show_selected(self, drawn: DrawnAttention) -> None:
        """Show the choices and texts of the present selection."""
        maps, (layer, column) = drawn.maps, self._cell
        with self._choice_setter.setting():
            self.layer_choice.value, self.head_choice.value = layer, column
        sentence = maps.sentence(layer, column)
        lines = [sentence, outlier_sentence(maps.found), CAVEAT]
        # ipycanvas has no trait for a canvas' name: the page takes it from here (js/src/view/host/panelCanvases.ts).
        labels = (
            f"Attention of {maps.layers} layers × {maps.heads} heads, mean and rollout: arrow keys move the frame",
            "Attention over the picture: arrow keys move the patch whose attention is shown",
        )
        self.text.value = (
            "".join(f"<p>{html.escape(line)}</p>" for line in lines)
            + f"<code>{html.escape(maps.code(layer, column))}</code>"
            + "".join(f'<span class="camwidget-attention-label" hidden>{x}</span>' for x in labels)
        )

    def _show_choices(self, drawn: DrawnAttention) -> None:
        """Show what can be chosen, with the present selection."""
        maps = drawn.maps
        count = int(maps.found.outliers.sum())
        with self._choice_setter.setting():
            for part, options, value in (
                (
                    self.layer_choice,
                    [(f"{n} · {name}", n) for n, name in enumerate(maps.found.layers)],
                    self._cell[0],
                ),
                (
                    self.head_choice,
                    [(maps.column_name(n), n) for n in range(len(maps.columns))],
                    self._cell[1],
                ),
                (self.query_choice, query_options(maps.query, maps.found), maps.query),
            ):
                if list(part.options) != options:
                    part.options = options
                part.value = value
            self.outlier_choice.disabled = count == 0
            self.outlier_choice.description = f"leave out outlier tokens ({count})"

    # -- drawing: called by the canvases ---------------------------------------------------

    @property
    def _colors(self) -> np.ndarray:
        return np.frombuffer(self._view.colormaps[self._view.colormap], np.uint8).reshape(256, 3)

    def _draw_grid(self) -> None:
        self.grid.canvas.clear()
        if (drawn := self._drawn) is not None:
            draw_grid(self.grid.canvas, drawn, self._colors)
            draw_frame(self.grid.canvas, drawn.cells, self._cell)

    def _move_frame(self, before: tuple[int, int]) -> None:
        if (drawn := self._drawn) is not None:
            clear_frame(self.grid.canvas, drawn.cells, before)
            draw_frame(self.grid.canvas, drawn.cells, self._cell)

    def _draw_picture(self) -> None:
        self.picture.canvas.clear()
        if (drawn := self._drawn) is not None:
            draw_picture(self.picture.canvas, drawn, self._cell, self._colors)

    # -- on the worker's thread ------------------------------------------------------------

    def _request(self) -> None:
        with self._lock:
            about = self._about
            if about is None:
                return
            self._requested = request = object()
            # Under the lock: of two at once the last one is computed, and what its end shows comes later.
            self.bar.value = 0
            self._show_message("")
            self._show_running(True)
            self._worker.submit(
                ATTENTION_JOB,
                lambda: interrupts.canceling(self.cancel, self._run(request, about)),
            )

    def _run(self, request: object, about: _About) -> Iterator[None]:
        try:
            for step, _ in enumerate(self._compute(request, about), 1):
                if self._requested is not request:
                    return
                self.bar.value = step
                yield
        except Exception as error:
            self._end(request, None, error_text(error, self))

    def _compute(self, request: object, about: _About) -> Iterator[None]:
        with self._lock:
            found = self._found if self._about is about else None
        if found is None:
            cache = self._prompts.cache(about.picture, about.text)
            pixels = cache.pixels(about.picture)[None]
            yield
            found = attention_of_pixels(cache.model, pixels)
            if found.fault:
                raise CamwidgetError(
                    f"{found.fault} cw.attention(model, picture).by_layer has the weights of each layer."
                )
            with self._lock:
                if self._about is about:
                    self._found = found
            yield
        with self._lock:
            query = self._query = valid_query(self._query, found)
        maps = AttentionMaps(found, query, not self.outlier_choice.value)
        layers, columns, *_ = maps.values.shape
        height, width = found.pixels.shape[:2]
        drawn = DrawnAttention(
            maps,
            GridLayout.of(layers, columns, found.grid),
            MapLayout((height, width), found.grid),
        )
        self._end(request, drawn, "")
        yield

    def _end(self, request: object, drawn: DrawnAttention | None, error: str) -> None:
        """Show the maps, or the error in their place."""
        with self._lock:
            if self._requested is not request:
                return
            self._requested = None
            self._drawn = drawn
            if drawn is not None:
                self._cell = self._nearest_cell(drawn)
            self._show_running(False)
            self._show_message(error)
        self._parts.layout.display = None if drawn is not None else "none"
        if drawn is None:
            return
        self._show_choices(drawn)
        self._show_selected(drawn)
        self.grid.resize(*drawn.cells.size)
        self.picture.resize(*drawn.patches.shown)
        self.grid.draw()
        self.picture.draw()

    def _nearest_cell(self, drawn: DrawnAttention) -> tuple[int, int]:
        """Return the selected cell, moved into the grid; at first the mean over the heads of the last layer."""
        layer, column = self._cell
        rows, columns = drawn.cells.rows, drawn.cells.columns
        if (layer, column) == (-1, -1):
            return rows - 1, drawn.maps.heads
        return min(layer, rows - 1), min(column, columns - 1)
