"""Public methods of ``Explorer`` for its state, history, code, figure and page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..control.traits import ExplorerTraits
from .history import History
from .python_code import CodeWriter
from .state import State, read

if TYPE_CHECKING:
    from .figure_export import PaperFigure

__all__ = ["ExportMixin"]


class ExportMixin(ExplorerTraits):
    """Thin: each method calls the module that knows how."""

    _history: History
    _writer: CodeWriter

    @property
    def state(self) -> State:
        """What is asked for and how it is drawn, as a small dict of JSON.

        Set it to show the same again, here or in another explorer; what it does not name stays. It is checked as a
        whole first, and then one map is asked for.

        Raises:
            StateError: if a key is unknown, or a value cannot be; nothing has changed then.
        """
        return read(self)

    @state.setter
    def state(self, wanted: State) -> None:
        self._history.restore(wanted)

    def undo(self) -> None:
        """Back to the state before, if there is one (``can_undo``); a slow map that is being made is given up."""
        self._history.undo()

    def redo(self) -> None:
        """Forth again, if something was undone (``can_redo``)."""
        self._history.redo()

    @property
    def code(self) -> str:
        """The Python that shows the present view again, and computes the same without the widget.

        What only you have, a module or an array, is ``...`` there, with a comment.
        """
        return self._writer.code()

    def figure(
        self,
        *,
        width: float = 7.16,
        panels: Sequence[str] = ("picture", "map", "curve", "classes"),
    ) -> PaperFigure:
        """The present view as a figure for a paper (matplotlib), once all of it is computed.

        Its ``savefig`` writes text as text into SVG and PDF, so that it can be searched and edited.

        Args:
            width: in inches; 7.16 spans two columns of a paper, 3.5 one, where the panels stand in two rows.
            panels: "picture", as the model gets it, masked; "map", over the whole picture, with the colours' scale;
                "curve", with the slider's place; "classes", whole → masked. There is no curve of an empty map, nor
                of the picture times its map.

        Raises:
            CamwidgetError: if there is no such panel, or nothing to draw.
        """
        from .figure_export import explorer_figure

        return explorer_figure(self, width, panels)

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write what is shown as a page for any browser, without network or kernel.

        Paint and comparisons are not in it, and of the baselines none that inpaints: the page has the blur then.

        Args:
            path: the file; ``.html`` is appended to a name without a suffix.
            options: as of ``camwidget.save_page``, such as ``methods``, ``layers``, ``modes``, ``overwrite``.

        Returns:
            The file.

        Raises:
            FileExistsError: if there is such a file, unless ``overwrite=True``.
            PictureError: if there is no picture.
        """
        from .page_export import explorer_page

        return explorer_page(self, path, options)
