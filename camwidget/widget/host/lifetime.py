"""Lifetime of a widget: it is closed when no variable refers to it and no cell shows it.

ipywidgets keeps every widget alive until it is closed. Running a cell again would leave the previous widget, which no
page shows any more, with its thread, its comms and its caches.
"""

from __future__ import annotations

import re
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeAlias, TypeVar

import ipywidgets
from ipywidgets import Widget

from ...runtime import fork_safety
from .. import _compat
from .static_outputs import OutputData, StaticView, output_data, show_in_executed_notebook

__all__ = [
    "HeldWhileShown",
    "close_parts",
    "weakly",
]

P = ParamSpec("P")
R = TypeVar("R")

#: A cell: ("id", its id), or ("text", its code) where the front end gives no ids.
Cell: TypeAlias = tuple[str, str]

#: The cell that runs now, where its beginning was not announced.
_PRESENT: Cell = ("present", "")
#: Where no cell can be named: in a callback, in an Output widget, or in a host that is no notebook.
_ELSEWHERE: Cell = ("elsewhere", "")


def weakly(method: Callable[P, R]) -> Callable[P, R | None]:
    """Return a function that calls a bound method as long as its object exists, and then does nothing."""
    bound: Any = method
    # No WeakMethod: its callbacks may run after parts of it are gone, at the end of a process.
    known, function = weakref.ref(bound.__self__), bound.__func__

    def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
        owner = known()
        return None if owner is None else function(owner, *args, **kwargs)

    return call


class HeldWhileShown(ipywidgets.Widget):
    """A widget that is closed once no variable refers to it, and no cell of the notebook shows it.

    Its parts have to refer to it by weak references.
    """

    def _heard_from_page(self) -> bool:
        """Whether a page has sent anything to this widget."""
        return False

    def open(self) -> None:
        """Open the comm, if it is not open. Neither it nor ipywidgets' registry keeps this widget alive."""
        super().open()
        if self.comm is not None:
            self.comm.on_msg(weakly(self._handle_msg))
            _compat.hold_weakly(self, weakref.proxy(self))
            _cells.note_made(self, weakly(self._heard_from_page))

    def close(self) -> None:
        """Remove the widget from every page."""
        _cells.forget(self)
        super().close()

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        """Close the widget, unless the interpreter ends: modules that closing needs may be gone by then."""
        if not is_finalizing():
            super().__del__()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        _cells.note_shown(self)
        return self._output()

    def _ipython_display_(self) -> None:
        """Show the widget in a notebook that a program executes; elsewhere IPython shows the mime bundle."""
        if not show_in_executed_notebook(self.model_id, weakly(self._open_output)):
            raise NotImplementedError
        _cells.note_shown(self)

    def _output(self) -> OutputData:
        plain = super()._repr_mimebundle_()
        return output_data(plain, self._view_metadata(), self._static_view)

    def _open_output(self) -> OutputData | None:
        return None if self.comm is None else self._output()

    def _static_view(self) -> StaticView:
        """What the widget shows now, for readers without it."""
        return StaticView("", "")

    def _view_metadata(self) -> dict[str, Any]:
        """Metadata of the view that are not in ipywidgets' output."""
        return {}

    def _hold(self) -> None:
        """Keep the widget until it is closed: a host that is no notebook shows it."""
        _cells.note_shown(self, _ELSEWHERE)


@dataclass
class _WidgetCells:
    """Where a widget was made, and which cells show it."""

    heard_from_page: Callable[[], bool | None]
    made_in: Cell
    shown_in: set[Cell] = field(default_factory=set)

    def is_cleared_by(self, cell: Cell) -> bool:
        """Whether the output that shows the widget is surely gone when a cell is run again."""
        if cell not in self.shown_in:
            return False
        return cell[0] == "id" or (self.made_in == cell and not self.heard_from_page())

    def name_present(self, cell: Cell) -> None:
        """Name the cell that was not known when the widget was made, or shown, in it."""
        if self.made_in == _PRESENT:
            self.made_in = cell
        if _PRESENT in self.shown_in:
            self.shown_in = self.shown_in - {_PRESENT} | {cell}


class _NotebookCells:
    """Strong references to the widgets that the cells of a notebook show.

    When a cell is run again, the front end clears its output: the widgets that it showed are released, unless another
    cell shows them too. If the front end sends no cell ids, equal code counts as the same cell; then only widgets are
    released that this code made, and that no page has sent a message to.
    """

    def __init__(self) -> None:
        self._lock = fork_safety.rlock()
        self._shown: set[HeldWhileShown] = set()
        self._places: weakref.WeakKeyDictionary[HeldWhileShown, _WidgetCells] = (
            weakref.WeakKeyDictionary()
        )
        #: Made or shown in a cell whose beginning was not announced.
        self._unnamed: weakref.WeakSet[HeldWhileShown] = weakref.WeakSet()
        self._shells: weakref.WeakSet[Any] = weakref.WeakSet()
        #: For each thread, its running cells (which can be nested), each with the widgets that it showed before.
        self._local = threading.local()

    def note_made(self, widget: HeldWhileShown, heard_from_page: Callable[[], bool | None]) -> None:
        """Note that a widget was made, in the cell that runs now."""
        with self._lock:
            self._places[widget] = _WidgetCells(heard_from_page, self._now(widget))

    def note_shown(self, widget: HeldWhileShown, cell: Cell | None = None) -> None:
        """Note that a widget is shown, in the cell that runs now if none is given."""
        with self._lock:
            if widget.comm is None:  # closed
                return
            where = cell or (_ELSEWHERE if _is_captured() else self._now(widget))
            self._places[widget].shown_in.add(where)
            self._shown.add(widget)

    def forget(self, widget: HeldWhileShown) -> None:
        """Note that a widget is closed."""
        with self._lock:
            self._shown.discard(widget)
            self._places.pop(widget, None)

    # -- the cell that runs ----------------------------------------------------------------

    def _now(self, widget: HeldWhileShown) -> Cell:
        from IPython import get_ipython

        shell = get_ipython()
        if shell is None:
            return _ELSEWHERE
        if shell not in self._shells:
            self._shells.add(shell)
            shell.events.register("pre_run_cell", self._begun)
            shell.events.register("post_run_cell", self._ended)
        running = self._running()
        if running:
            return running[-1][0]
        # A kernel also runs handlers of a page's messages, outside of any cell.
        parent = getattr(shell.display_pub, "parent_header", None)
        if parent is not None and parent.get("msg_type") != "execute_request":
            return _ELSEWHERE
        self._unnamed.add(widget)
        return _PRESENT

    def _running(self) -> list[tuple[Cell, list[HeldWhileShown]]]:
        if not hasattr(self._local, "running"):
            self._local.running = []
        running: list[tuple[Cell, list[HeldWhileShown]]] = self._local.running
        return running

    def _begun(self, info: Any) -> None:
        cell = _cell_of(info)
        with self._lock:
            before = [w for w in self._shown if self._places[w].is_cleared_by(cell)]
            for widget in before:
                self._places[widget].shown_in.discard(cell)
            self._running().append((cell, before))

    def _ended(self, result: Any) -> None:
        cell = _cell_of(result.info)
        running = self._running()
        before = running.pop()[1] if running else []
        with self._lock:
            for widget in list(self._unnamed):
                place = self._places.get(widget)
                if place is not None:
                    place.name_present(cell)
            self._unnamed.clear()
            # The cell may have shown it again.
            gone = [w for w in before if w in self._shown and not self._places[w].shown_in]
            self._shown.difference_update(gone)
        for widget in gone:
            _forget_output(widget)


_cells = _NotebookCells()


def _cell_of(info: Any) -> Cell:
    number = getattr(info, "cell_id", None)
    return ("text", str(info.raw_cell)) if number is None else ("id", str(number))


def _is_captured() -> bool:
    """Whether output is captured by an Output widget, which may be shown in any cell."""
    return any(
        isinstance(widget, ipywidgets.Output) and widget.msg_id
        for widget in list(_compat.all_widgets().values())
    )


def _forget_output(widget: HeldWhileShown) -> None:
    """Remove a widget from IPython's output history (``_``, ``Out``): its output is cleared."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return
    names, hidden = shell.user_ns, shell.user_ns_hidden
    for name in ("_", "__", "___"):
        if getattr(shell.displayhook, name, None) is widget:
            setattr(shell.displayhook, name, "")
            for scope in (names, hidden):
                if scope.get(name) is widget:
                    scope[name] = ""
    outputs = names.get("_oh", {})
    for number in [n for n, value in list(outputs.items()) if value is widget]:
        del outputs[number]
    for scope in (names, hidden):
        numbered = [
            n for n, value in list(scope.items()) if value is widget and re.fullmatch(r"_\d+", n)
        ]
        for name in numbered:
            del scope[name]


def close_parts(widget: Widget) -> None:
    """Close all widgets that a widget refers to by synced traits, such as layouts, marks and children, recursively."""
    for part in _found(widget, {}).values():
        if part is not widget:
            part.close()


def _found(value: Any, found: dict[int, Widget]) -> dict[int, Widget]:
    if isinstance(value, Widget):
        if id(value) not in found:
            found[id(value)] = value
            for name in value.keys:
                # Not private traits: all canvases of ipycanvas share the manager in one.
                if not name.startswith("_"):
                    _found(getattr(value, name), found)
    elif isinstance(value, dict):
        for item in value.values():
            _found(item, found)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _found(item, found)
    return found
