"""What lies folded under the explorer: each panel is built when it is first opened."""

from __future__ import annotations

import ipywidgets

from ..models import VisionModel
from .deepvis import DeepVisPanel

__all__ = ["Panels"]


class Panels:
    """A folded accordion. So far there is one panel, DeepVis.

    Args:
        model: whose panels.
    """

    def __init__(self, model: VisionModel) -> None:
        self._model = model
        self._deepvis: DeepVisPanel | None = None
        self._shown: tuple[int, str] | None = None
        self._place = ipywidgets.Box()
        self.box = ipywidgets.Accordion(
            [self._place],
            titles=("DeepVis: a picture drawn for a class or a channel",),
            selected_index=None,
        )
        self.box.add_class("camwidget-panels")
        self.box.observe(lambda change: self._opened(), "selected_index")

    def bind(self, model: VisionModel) -> bool:
        """The explorer may show the model under another text: what was drawn for its classes goes. Whether it does."""
        if model is self._model:
            return False
        self._model = model
        self._shown = None
        if self._deepvis is not None:
            self._place.children = ()
            self._deepvis.close()
            self._deepvis = None
            self._opened()
        return True

    @property
    def deepvis(self) -> DeepVisPanel | None:
        """The panel, once it has been opened."""
        return self._deepvis

    def follow(self, target: int, layer: str) -> None:
        """The explorer shows a map of this class at this layer: propose them."""
        self._shown = (target, layer)
        if self._deepvis is not None:
            self._deepvis.follow(target, layer)

    def close(self) -> None:
        """Stop what is being drawn, and close all panels."""
        if self._deepvis is not None:
            self._deepvis.close()
        self._place.close()
        self.box.close()

    def _opened(self) -> None:
        if self.box.selected_index is None or self._deepvis is not None:
            return
        self._deepvis = DeepVisPanel(self._model)
        if self._shown is not None:
            self._deepvis.follow(*self._shown)
        self._place.children = (self._deepvis,)
