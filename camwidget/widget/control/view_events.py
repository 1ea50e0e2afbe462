"""Apply the events of the browser view to the explorer, and show errors there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...errors import CamwidgetError, PictureError
from ...runtime.error_reports import error_text
from ..view.comm import KNOWN
from ..view.synced_traits import names_tagged

if TYPE_CHECKING:
    from ..explorer import Explorer

__all__ = ["TWO_WAY_TRAITS", "ViewEvents"]

#: Traits that the browser and Python both set; the view has them under the same names.
TWO_WAY_TRAITS = names_tagged("shared")


class ViewEvents:
    """Listens to an explorer's view, charts and strip.

    Args:
        explorer: whose.
    """

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer

    def connect(self) -> None:
        """Begin to listen, once there is a view."""
        view = self._explorer._view
        view.observe(self._from_view, list(TWO_WAY_TRAITS))
        view.observe(self._target_from_view, "target")
        view.observe(self._compare_from_view, "compare")
        view.on_msg(self._message)

    def pick_row(self, row: int) -> None:
        """A row of the class list was clicked."""
        with self.shown_errors():
            classes = self._explorer._screen.row_classes
            if 0 <= row < len(classes):
                self._pick_class(classes[row])

    def pick_picture(self, number: int) -> None:
        """A thumbnail was clicked."""
        with self.shown_errors():
            self._explorer.picture = number

    def pick_method(self, name: str) -> None:
        """A row of the table of scores was clicked."""
        with self.shown_errors():
            self._explorer.method = name

    def pick_map(self, method: str, target: int) -> None:
        """A map of the contact sheet was clicked."""
        with self.shown_errors(), self._explorer._history.one():
            self.pick_method(method)
            self._pick_class(target)

    def upload(self, name: str, content: bytes) -> None:
        """A file was chosen."""
        with self.shown_errors():
            try:
                self._explorer.add(content, name)
            except PictureError as error:
                raise PictureError(f"{name}: {error}") from error

    def _from_view(self, change: dict[str, Any]) -> None:
        explorer, name, value = self._explorer, change["name"], change["new"]
        if explorer._screen.is_telling or value == getattr(explorer, name):
            return
        with self.shown_errors():
            setattr(explorer, name, value)
        if getattr(explorer, name) != value:
            explorer._screen.tell(**{name: getattr(explorer, name)})

    def _target_from_view(self, change: dict[str, Any]) -> None:
        explorer, index = self._explorer, change["new"]
        if explorer._screen.is_telling:
            return
        self._pick_class(index)
        if explorer.target is not None and explorer._shows_asked():
            held = explorer.model.class_index(explorer.target)
            if held != index:  # refused: the page must not mark it
                explorer._screen.tell(target=held)

    def _compare_from_view(self, change: dict[str, Any]) -> None:
        explorer, value = self._explorer, change["new"] or None
        if explorer._screen.is_telling or value == explorer.compare:
            return
        with self.shown_errors():
            explorer.compare = value
        explorer._screen.tell(compare=explorer.compare or {})

    def _pick_class(self, index: int) -> None:
        """A class was clicked; of a list that belongs to another text than is asked for by now, none is."""
        with self.shown_errors():
            if index >= 0 and self._explorer._shows_asked():
                self._explorer.target = index

    def _message(self, _view: Any, content: Any, _buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        with self.shown_errors():
            self._do(content.get("type"), content)

    def _do(self, kind: object, content: dict[str, Any]) -> None:
        """What a message of the view asks for."""
        if kind == "cancel":
            self._explorer.cancel()
        elif kind == "undo":
            self._explorer.undo()
        elif kind == "redo":
            self._explorer.redo()
        elif kind in ("text", "propose"):
            self._prompt(content.get("text") if kind == "text" else None)
        elif kind == "pick":
            x, y = content.get("x"), content.get("y")
            if type(x) is int and type(y) is int:  # True is an int, and no place
                self._explorer._session.submit("pick", lambda: self._find_here(x, y))
        elif kind == "strip":
            first, last = content.get("first"), content.get("last")
            explorer = self._explorer
            if type(first) is int and type(last) is int and explorer._screen.strip.see(first, last):
                explorer._ask_strip()

    def _prompt(self, text: object) -> None:
        """A text was written; None: back to the model's own."""
        try:
            if text is None:
                self._explorer.propose()
            else:
                self._explorer._write(str(text))
        except CamwidgetError as error:
            self._explorer._screen.tell(text_error=str(error))

    def _find_here(self, x: int, y: int) -> None:
        """On the worker's thread: what has the strongest map at a pixel. Name it, and choose it."""
        explorer = self._explorer
        shown = explorer._desk.shown
        if shown is None:
            return
        bench = explorer._texts.bench(shown.picture, shown.text)
        height, width = bench.pixels(shown.picture).shape[-2:]
        x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
        classes = explorer._screen.likely(20)
        found = bench.strongest(shown.picture, classes, shown.method, shown.layer, x, y)
        with explorer._desk.lock:
            if explorer._session.dropped():
                return
            explorer._screen.show_here(shown.picture.id, x, y, found, len(classes))
        if found:
            explorer._announce("target", bench.model.classes[found[0][0]])

    @contextlib.contextmanager
    def shown_errors(self) -> Iterator[None]:
        """What goes wrong within is said in the view."""
        try:
            yield
        except Exception as error:
            self._explorer._screen.tell(error=error_text(error, self._explorer, known=KNOWN))
