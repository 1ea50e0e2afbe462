"""``ContactSheet``: small maps of all fast methods for all listed classes, side by side."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import ipywidgets
import numpy as np
from PIL import Image

from ..._registry import Options
from ...attribution.explanation import Explanation
from ...attribution.methods import Method, get_method, list_methods
from ...attribution.methods.target_reasons import target_reasons
from ...attribution.stance import FOR, Stance
from ...models.vision_model import VisionModel
from ...plotting import ACCENT, NEUTRAL
from ...runtime import fork_safety
from ...runtime.error_reports import error_text
from ..control.map_request import MapRequest
from ..control.method_settings import configured, options_of
from ..control.prompt_control import PromptController
from ..control.worker import Worker
from ..host.lifetime import close_parts
from ..view.canvas import INK, SharpCanvas

__all__ = ["ContactSheet"]


@dataclass(frozen=True)
class _SheetPlan:
    """The rows and columns of a sheet: methods and classes, for one picture, layer and text."""

    about: MapRequest  #: picture, layer and text; without class, stance and method
    methods: tuple[str, ...]
    options: tuple[Options, ...]  #: settings of each method
    classes: tuple[int, ...]
    stances: tuple[Stance, ...]  #: towards each class
    names: tuple[str, ...]  #: names of the classes
    caption: str  #: what the maps are of, where that is not each class


@dataclass
class _Sheet:
    """A plan with the maps made so far, by (row, column); None for a map that cannot be made."""

    plan: _SheetPlan
    tiles: dict[tuple[int, int], np.ndarray | None] = field(default_factory=dict)


class ContactSheet(ipywidgets.Box):
    """A grid of small maps, methods × classes; a click chooses a map's class and method.

    Args:
        prompts: the model and its caches.
        worker: the explorer's.
        classes: returns the listed classes.
        on_pick: called with the method and the class of a map that is clicked.
        settings: returns the settings of methods.
    """

    SIDE = 92  #: CSS pixels of the longer side of a map
    GAP = 8
    LEFT, TOP = 104, 40  #: CSS pixels for the names of methods and of classes

    def __init__(
        self,
        prompts: PromptController,
        worker: Worker,
        classes: Callable[[], list[int]],
        on_pick: Callable[[str, int], None],
        settings: Callable[[], Mapping[str, Mapping[str, Any]]],
    ) -> None:
        self._prompts = prompts
        self._worker = worker
        self._classes = classes
        self._on_pick = on_pick
        self._settings = settings
        # Methods are called from the browser's thread, the worker and the explorer.
        self._lock = fork_safety.rlock()
        self._sheet: _Sheet | None = None
        self._chosen: tuple[int, int] | None = None
        self._width = self._height = self.SIDE
        self.canvas = SharpCanvas(self._draw, self.click, self._show_error)
        # Errors, below the maps. Texts are escaped.
        self.message = ipywidgets.HTML(layout={"display": "none"})
        self.caption = ipywidgets.HTML(layout={"display": "none"})
        # The names are text of the page, since a canvas does not know the page's colors.
        self.names = ipywidgets.HTML()
        self.names.add_class("camwidget-sheet-names")
        self._grid = ipywidgets.Box([self.canvas.canvas, self.names])
        self._grid.add_class("camwidget-sheet-grid")
        super().__init__([self.caption, self._grid, self.message])
        self.add_class("camwidget-contact-sheet")

    def follow_map(self, shown: MapRequest) -> None:
        """Frame the map that the explorer shows; make new maps if the picture, layer, text or class list changed."""
        model = self._prompts.cache(shown.picture, shown.text).model
        classes = tuple(self._classes())
        stances = tuple(_stance(index, shown) for index in classes)
        methods = tuple(
            m.name
            for m in list_methods()
            if _is_listed(m)
            and m.reason(model, shown.layer) is None
            and target_reasons(m).get(shown.stance.kind) is None
        )
        about = shown._replace(target=None, stance=FOR, method="", options=())
        options = tuple(options_of(self._settings(), name) for name in methods)
        names = tuple(model.classes[i] for i in classes)
        plan = _SheetPlan(about, methods, options, classes, stances, names, _caption(model, shown))
        at = (
            methods.index(shown.method) if shown.method in methods else -1,
            classes.index(shown.target) if shown.target in classes else -1,
        )
        with self._lock:
            before, self._chosen = self._chosen, at if min(at) >= 0 else None
            moved = [cell for cell in {before, self._chosen} if cell is not None]
            is_new = self._sheet is None or self._sheet.plan != plan
            if is_new:
                self._sheet = sheet = _Sheet(plan)
                self._lay_out(plan)
        # Without the lock: drawing takes the canvas's lock, which a new page takes before this one.
        if is_new:
            self._show_error("")
            self.caption.value = html.escape(plan.caption)
            self.caption.layout.display = None if plan.caption else "none"
            self.canvas.resize(*self._size)
            self.names.value = self._labels(plan)
            self.canvas.draw()
            with self._lock:
                if self._sheet is sheet:  # else a newer sheet was requested
                    self._worker.submit("sheet", lambda: self._fill(sheet))
        else:
            for cell in moved:
                self.canvas.paint(partial(self._draw_cell, *cell))

    @property
    def plan(self) -> _SheetPlan:
        """Rows and columns of the sheet. To be read after ``follow_map``."""
        assert self._sheet is not None
        return self._sheet.plan

    @property
    def tiles(self) -> dict[tuple[int, int], np.ndarray | None]:
        """The maps made so far by (row, column), uint8 (h, w, 3); None for one that cannot be made."""
        return {} if self._sheet is None else self._sheet.tiles

    def close(self) -> None:
        """Stop computing, and remove the sheet from every page."""
        with self._lock:
            self._sheet = None
        self._worker.drop("sheet")
        close_parts(self)
        super().close()

    def _show_error(self, text: str) -> None:
        self.message.value = html.escape(text)
        self.message.layout.display = None if text else "none"

    # -- the grid --------------------------------------------------------------------------

    def _lay_out(self, plan: _SheetPlan) -> None:
        height, width = self._prompts.base.pixels(plan.about.picture).shape[-2:]
        scale = self.SIDE / max(height, width)
        self._height, self._width = (max(1, round(scale * side)) for side in (height, width))

    @property
    def _size(self) -> tuple[int, int]:
        """Size of the canvas, in CSS pixels."""
        plan = None if self._sheet is None else self._sheet.plan
        rows, columns = (0, 0) if plan is None else (len(plan.methods), len(plan.classes))
        return (
            self.LEFT + columns * (self._width + self.GAP) + self.GAP,
            self.TOP + rows * (self._height + self.GAP) + self.GAP,
        )

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Return the upper left corner (x, y) of a map, in CSS pixels."""
        x = self.LEFT + self.GAP + column * (self._width + self.GAP)
        return x, self.TOP + self.GAP + row * (self._height + self.GAP)

    def click(self, x: float, y: float) -> None:
        """Choose the map at a position in CSS pixels, if there is one."""
        with self._lock:
            if self._sheet is None:
                return
            plan = self._sheet.plan
        column, right = divmod(x - self.LEFT - self.GAP, self._width + self.GAP)
        row, down = divmod(y - self.TOP - self.GAP, self._height + self.GAP)
        on_map = right < self._width and down < self._height
        if on_map and 0 <= row < len(plan.methods) and 0 <= column < len(plan.classes):
            self._on_pick(plan.methods[int(row)], plan.classes[int(column)])

    def _labels(self, plan: _SheetPlan) -> str:
        """The names of methods and classes as HTML, placed beside and above the maps."""
        methods = [
            (0, self.corner(row, 0)[1], self.LEFT - 4, self._height, get_method(name).label)
            for row, name in enumerate(plan.methods)
        ]
        classes = [
            (self.corner(0, column)[0], 0, self._width, self.TOP, name)
            for column, name in enumerate(plan.names)
        ]
        return "".join(
            f'<div class="camwidget-sheet-{kind}" title="{html.escape(text)}" '
            f'style="left:{x}px;top:{y}px;width:{width}px;height:{height}px">'
            f"<span>{html.escape(text)}</span></div>"
            for kind, labels in (("method", methods), ("class", classes))
            for x, y, width, height, text in labels
        )

    # -- drawing: called by the canvas ------------------------------------------------------

    def _draw(self) -> None:
        with self._lock:
            if self._sheet is None:
                return
            plan = self._sheet.plan
            self.canvas.canvas.clear()
            for row in range(len(plan.methods)):
                for column in range(len(plan.classes)):
                    self._draw_cell(row, column)

    def _draw_cell(self, row: int, column: int) -> None:
        with self._lock:
            if self._sheet is None:
                return
            tile = self._sheet.tiles.get((row, column))
            failed = (row, column) in self._sheet.tiles and tile is None
            is_chosen = (row, column) == self._chosen
        canvas, sharp = self.canvas.canvas, SharpCanvas.SHARP
        x, y = (sharp * corner for corner in self.corner(row, column))
        width, height, gap = sharp * self._width, sharp * self._height, sharp * self.GAP
        # Including half of the gap, which has the frame.
        canvas.clear_rect(x - gap / 2, y - gap / 2, width + gap, height + gap)
        if tile is None:
            canvas.fill_style = NEUTRAL + "33"
            canvas.fill_rect(x, y, width, height)
            if failed:
                canvas.fill_style = INK
                canvas.fill_rect(x + width / 2 - 8 * sharp, y + height / 2, 16 * sharp, 2 * sharp)
        else:
            canvas.put_image_data(tile, x, y)
        if is_chosen:
            canvas.stroke_style, canvas.line_width = ACCENT, 3 * sharp
            canvas.stroke_rect(x - 2 * sharp, y - 2 * sharp, width + 4 * sharp, height + 4 * sharp)

    # -- on the worker's thread ------------------------------------------------------------

    def _fill(self, sheet: _Sheet) -> Iterator[None]:
        plan = sheet.plan
        about = plan.about
        cache = self._prompts.cache(about.picture, about.text)
        for row, method in enumerate(plan.methods):
            for column, target in enumerate(plan.classes):
                try:
                    # ``spare``: the sheet keeps its own tile, so the cache may drop this map first.
                    made = cache.explanation(
                        about.picture,
                        target,
                        configured(method, plan.options[row]),
                        about.layer,
                        plan.stances[column],
                        spare=True,
                    )
                    tile = self._tile(made)
                    failed = ""
                except Exception as error:  # the other maps are still made
                    tile, failed = None, error_text(error, self)
                with self._lock:
                    if self._sheet is not sheet:
                        return
                    sheet.tiles[row, column] = tile
                    if failed:
                        label, name = get_method(method).label, plan.names[column]
                        self._show_error(f"There is no map by {label} for {name}: {failed}")
                self.canvas.paint(partial(self._draw_cell, row, column))
                yield

    def _tile(self, explanation: Explanation) -> np.ndarray:
        """Draw a picture with its map, uint8 (height, width, 3), at the size on the sheet.

        The map is more opaque than in the large picture: it would be hard to see at this size.
        """
        size = (self._width * SharpCanvas.SHARP, self._height * SharpCanvas.SHARP)
        return np.asarray(explanation.overlay(opacity=0.8).resize(size, Image.Resampling.LANCZOS))


def _stance(index: int, shown: MapRequest) -> Stance:
    """The stance of the map shown, towards another class: what is contrasted with itself changes places."""
    other = shown.stance.other
    return Stance(shown.stance.kind, shown.target if index == other else other)


def _caption(model: VisionModel, shown: MapRequest) -> str:
    """What the maps are of; empty where they are each for their class."""
    target, other = shown.target, shown.stance.other
    if shown.stance.kind == "against":
        return "Evidence against each class"
    if target is None or other is None:
        return ""
    first, second = model.classes[other], model.classes[target]
    return f"Evidence for each class rather than {first}, and for {first} rather than {second}"


def _is_listed(method: Method) -> bool:
    """Whether a method is quick and has maps of classes, which the controls have not."""
    return method.is_quick_at_layers and method.group != "Control"
