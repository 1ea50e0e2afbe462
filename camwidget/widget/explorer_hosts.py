"""``HostedExplorer``: an explorer as applications other than JupyterLab show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .explorer_traits import ExplorerTraits
from .host.marimo import MISSING_IN_MARIMO, marimo_elements

if TYPE_CHECKING:
    from .host.static_outputs import StaticView

__all__ = ["HostedExplorer"]


class HostedExplorer(ExplorerTraits):
    """An explorer with a static view for executed notebooks, metadata for Colab, and elements for marimo."""

    #: Seconds that the output of a cell waits for the first map, without which there is no static view.
    _PATIENCE = 0.5

    def _static_view(self) -> StaticView:
        from .state.static_view import explorer_static_view

        parts = self._parts
        parts.requests.main.wait_for_result(self._PATIENCE)
        return explorer_static_view(parts.context, parts.requests)

    def _view_metadata(self) -> dict[str, Any]:
        # An explorer is a box of ipywidgets; the view in it is anywidget's, which knows about Colab.
        shown = self._parts.view._repr_mimebundle_()
        return shown[1] if isinstance(shown, tuple) else {}

    def _heard_from_page(self) -> bool:
        return bool(self._parts.context.display.view.is_heard)

    def _display_(self) -> Any:
        """What marimo shows: it asks for this, and no other host does."""
        self._hold()
        self._parts.context.display.publish(fallback_note=MISSING_IN_MARIMO)
        shown, self._elements = marimo_elements(self._parts.view, self._parts.events.upload)
        return shown

    def __repr__(self) -> str:
        count = len(self.pictures)
        return f"Explorer({self.model.name!r}, {count} picture{'s' * (count != 1)})"
