"""``FootprintExample``: draw footprints, and see what CAM, Grad-CAM and Grad-CAM++ make of them."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np
import traitlets as t
from numpy.typing import ArrayLike, NDArray

from ..analysis.footprint_weights import SCORES, example_footprints, weigh_footprints
from ..errors import CamwidgetError
from ..runtime import fork_safety
from .host.lifetime import HeldWhileShown, close_parts, weakly
from .host.static_outputs import StaticView
from .view.footprint_canvas import Cell, FootprintCanvas, FootprintContent
from .view.footprint_keys import FootprintKeys

__all__ = ["FootprintExample"]

_MOVES = {"ArrowLeft": (0, -1), "ArrowRight": (0, 1), "ArrowUp": (-1, 0), "ArrowDown": (1, 0)}


class FootprintExample(HeldWhileShown, ipywidgets.VBox):
    """Feature maps of 0 and 1 to draw in, with the weights and maps of CAM, Grad-CAM and Grad-CAM++ beneath them.

    It begins with the example of Chattopadhyay et al. 2018 (Fig. 3): three patterns that are found at 15, 4 and 2 of 80
    cells. Grad-CAM weighs them by their size, Grad-CAM++ nearly alike. A click fills or empties a cell, a drag several;
    the arrow keys and space do the same. No network is run: the numbers are those that ``explain`` gives for one whose
    score is the formula chosen.

    Args:
        footprints: the feature maps to begin with, (K, h, w) of 0 and 1, at most 4 of 16 × 16; the paper's if None.
        score: ``"squares"``, whose gradient is 1 in the footprint and 0 elsewhere, or ``"average"``, average pooling.

    Attributes:
        footprints: the feature maps, bool (K, h, w); can be set.
        score: the rule of the score; can be set.

    Raises:
        CamwidgetError: if the maps are not binary or too many or too large, or there is no such score.

    Example:
        >>> import camwidget as cw
        >>> example = cw.FootprintExample()
        >>> [str(weight) for weight in example.weights["gradcam"]]
        ['15/80', '4/80', '2/80']
        >>> example.score = "average"
        >>> [str(weight) for weight in example.weights["gradcam"]]
        ['1/80', '1/80', '1/80']
        >>> example.close()
    """

    MOST_MAPS, LONGEST = 4, 16

    def __init__(self, footprints: ArrayLike | None = None, score: str = "squares") -> None:
        start = example_footprints() if footprints is None else footprints
        self._check_size(start)
        found = weigh_footprints(start, score)
        self._lock = fork_safety.rlock()
        self._start = np.array(start, bool)
        self._footprints, self._score, self._found = self._start.copy(), score, found
        self._cursor, self._is_focused = Cell(0, 0, 0), False
        self._fills = True  # what a drag does, decided by its first cell
        self._canvas = FootprintCanvas(
            weakly(self._content), weakly(self._press), weakly(self._drag), weakly(self._show_error)
        )
        self._keys = FootprintKeys()
        self._keys.on_msg(weakly(self._on_message))
        self._scores = ipywidgets.ToggleButtons(
            options=[(formula, name) for name, formula in SCORES.items()],
            value=score,
            style={"button_width": "auto"},
        )
        self._scores.observe(weakly(self._on_score), "value")
        reset = ipywidgets.Button(description="Paper's example", tooltip="15, 4 and 2 of 80 cells")
        if footprints is not None:
            reset.description, reset.tooltip = "Reset", "The footprints of the beginning"
        clear = ipywidgets.Button(description="Empty all", tooltip="No cell is filled")
        reset.on_click(weakly(self._on_reset))
        clear.on_click(weakly(self._on_clear))
        super().__init__(
            [
                ipywidgets.HBox([self._scores, reset, clear], layout={"flex_flow": "row wrap"}),
                self._keys,
                self._canvas.sharp.canvas,
            ]
        )
        self.add_class("camwidget-footprints-box")
        self._canvas.lay_out(self._footprints.shape, found)
        self._canvas.draw()
        self._tell_weights()

    @property
    def footprints(self) -> NDArray[np.bool_]:
        """The feature maps, bool (K, h, w); a copy."""
        with self._lock:
            return self._footprints.copy()

    @footprints.setter
    def footprints(self, maps: ArrayLike) -> None:
        self._check_size(maps)
        self._replace(np.array(maps), self._score)

    @property
    def score(self) -> str:
        """The rule of the score: ``"squares"`` or ``"average"``."""
        return self._score

    @score.setter
    def score(self, name: str) -> None:
        self._replace(self._footprints, name)
        self._scores.value = name

    @property
    def weights(self) -> dict[str, tuple[Any, ...]]:
        """The weights of the feature maps, by method; none for a method that does not apply.

        Methods are ``cam``, ``gradcam``, ``equal`` (Grad-CAM++ with α = 1/Σ ∂y/∂A) and ``gradcam++``. A weight has
        ``numerator``, ``denominator`` and ``value``.
        """
        return {name: one.weights for name, one in self._found.items() if not one.reason}

    @property
    def maps(self) -> dict[str, NDArray[np.float64]]:
        """The maps ``ReLU(Σ_k w_k A^k)``, (h, w), by method; none for a method that does not apply."""
        return {name: one.raw for name, one in self._found.items() if not one.reason}

    def toggle(self, number: int, row: int, column: int) -> None:
        """Fill a cell, or empty it if it is filled.

        Args:
            number: of the feature map, from 0.
            row: of the cell, from the top.
            column: of the cell, from the left.

        Raises:
            CamwidgetError: if there is no such cell.
        """
        with self._lock:
            count, height, width = self._footprints.shape
            if not (0 <= number < count and 0 <= row < height and 0 <= column < width):
                raise CamwidgetError(
                    f"There is no cell {(number, row, column)}: there are {count} maps of {height} rows and "
                    f"{width} columns, each counted from 0."
                )
            self._set(Cell(number, row, column), not self._footprints[number, row, column])

    def close(self) -> None:
        """Remove the example from every page."""
        if "_canvas" in self.__dict__:  # else the arguments were refused
            close_parts(self)
        super().close()

    def __repr__(self) -> str:
        sizes = ", ".join(str(one.sum()) for one in self._footprints)
        return f"FootprintExample({sizes} of {self._footprints[0].size} cells, {self._score!r})"

    # -- what is shown ---------------------------------------------------------------------

    def _content(self) -> FootprintContent:
        with self._lock:
            cursor = self._cursor if self._is_focused else None
            return FootprintContent(self._footprints.copy(), dict(self._found), cursor)

    def _static_view(self) -> StaticView:
        from .state.static_footprints import footprint_static_view

        content = self._content()
        return footprint_static_view(content.footprints, content.found, SCORES[self._score])

    def _view_metadata(self) -> dict[str, Any]:
        # A box of ipywidgets; the keyboard's part is anywidget's, which knows about Colab.
        shown = self._keys._repr_mimebundle_()
        return shown[1] if isinstance(shown, tuple) else {}

    def _heard_from_page(self) -> bool:
        return self._keys.is_heard

    def _show_error(self, text: str) -> None:
        self._keys.status = text

    # -- what changes it -------------------------------------------------------------------

    def _check_size(self, maps: ArrayLike) -> None:
        shape = np.shape(maps)
        if len(shape) == 3 and (shape[0] > self.MOST_MAPS or max(shape[1:]) > self.LONGEST):
            raise CamwidgetError(
                f"{shape[0]} maps of {shape[1]} × {shape[2]} cells are too many to draw in: pass at most "
                f"{self.MOST_MAPS} of {self.LONGEST} × {self.LONGEST}. "
                "camwidget.analysis.footprint_weights.weigh_footprints takes any number."
            )

    def _change(self, maps: NDArray[Any], score: str) -> None:
        found = weigh_footprints(maps, score)
        with self._lock:
            is_resized = maps.shape != self._footprints.shape
            self._footprints, self._score, self._found = maps.astype(bool), score, found
            if is_resized:
                self._cursor = Cell(0, 0, 0)
        # Without the lock: drawing takes the canvas's lock, which a new page takes before this one.
        self._canvas.lay_out(maps.shape, found)
        self._canvas.draw()

    def _replace(self, maps: NDArray[Any], score: str) -> None:
        self._change(maps, score)
        self._tell_weights()

    def _set(self, cell: Cell, is_filled: bool) -> None:
        with self._lock:
            self._cursor = cell
            maps = self._footprints.copy()
            maps[cell] = is_filled
            score = self._score
        self._change(maps, score)
        self._tell_cell()

    def _tell_weights(self) -> None:
        """Write all weights into the status, for readers who do not see the canvas."""
        self._keys.status = "; ".join(
            f"{self._found[name].label} {', '.join(map(str, weights))}"
            for name, weights in self.weights.items()
        )

    def _tell_cell(self) -> None:
        """Write the cell and each method's weight of its map into the status."""
        number, row, column = cell = self._cursor
        state = "filled" if self._footprints[cell] else "empty"
        weights = ", ".join(
            f"{self._found[name].label.partition(',')[0]} {weights[number]}"
            for name, weights in self.weights.items()
            if name != "equal"
        )
        self._keys.status = (
            f"A{number + 1}, row {row + 1}, column {column + 1}: {state}. "
            f"Weight of A{number + 1}: {weights}."
        )

    def _press(self, cell: Cell) -> None:
        self._fills = not self._footprints[cell]
        self._set(cell, self._fills)

    def _drag(self, cell: Cell) -> None:
        if self._footprints[cell] != self._fills:
            self._set(cell, self._fills)

    def _on_message(self, widget: Any, content: Any, buffers: Any) -> None:
        kind = content.get("type") if isinstance(content, dict) else None
        if kind in ("focus", "blur"):
            self._is_focused = kind == "focus"
            self._canvas.draw()
        elif kind == "key":
            self._on_key(content.get("key"))
        else:
            raise CamwidgetError(
                "The page sent a message that the footprint example does not know."
            )

    def _on_key(self, key: Any) -> None:
        number, row, column = self._cursor
        count, height, width = self._footprints.shape
        if key in _MOVES:
            down, right = _MOVES[key]
            # To the right of a map's last column begins the next map.
            across = min(max(number * width + column + right, 0), count * width - 1)
            row = min(max(row + down, 0), height - 1)
            self._cursor = Cell(across // width, row, across % width)
        elif key in (" ", "Enter"):
            self.toggle(number, row, column)
            return
        elif isinstance(key, str) and key.isdecimal() and 1 <= int(key) <= count:
            self._cursor = Cell(int(key) - 1, row, column)
        else:
            return
        self._canvas.draw()
        self._tell_cell()

    def _on_score(self, change: t.Bunch) -> None:
        if change["new"] != self._score:
            self._replace(self._footprints, change["new"])

    def _on_reset(self, button: Any) -> None:
        self._replace(self._start.copy(), self._score)

    def _on_clear(self, button: Any) -> None:
        self._replace(np.zeros_like(self._footprints), self._score)
