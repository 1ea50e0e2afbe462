"""``Panels``: the accordion below an explorer, whose panels are built when they are first opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import ipywidgets

from ...attribution.attention_layers import attention_layers
from ...errors import CamwidgetError
from ...models.vision_model import VisionModel
from ...runtime import fork_safety
from ..control.map_request import MapRequest
from ..control.pictures import PictureList
from ..control.prompt_control import PromptController
from ..control.view_events import ViewEvents
from ..control.worker import Worker
from ..host.lifetime import close_parts
from ..view.display import Display
from .attention import AttentionPanel
from .concept_pictures import concept_pictures
from .concepts import ConceptPanel
from .contact_sheet import ContactSheet
from .deepvis import DeepVisPanel
from .evaluate import EvaluatePanel
from .factorization import FactorizationPanel
from .where_did_you_look import WherePanel

__all__ = ["FIND_ATTENTION_JOB", "Panels"]

#: Name of the worker's job that finds out whether the model has attention.
FIND_ATTENTION_JOB = "find attention"

P = TypeVar("P")


class _Panel(Protocol):
    """A panel: a widget that follows the map that the explorer shows."""

    def follow_map(self, shown: MapRequest) -> None:
        """Follow the map that the explorer shows."""

    def close(self) -> None:
        """Stop computing, and remove the panel from every page."""


@dataclass
class _Fold:
    """One section of the accordion, with its panel once that is built."""

    title: str
    build: Callable[[], _Panel]
    of_model: bool = False  #: whether the panel is rebuilt for another model
    panel: _Panel | None = None
    place: ipywidgets.Box = field(default_factory=ipywidgets.Box)

    def open(self) -> _Panel:
        """Return the panel; it is built at the first call."""
        if self.panel is None:
            self.panel = self.build()
            self.place.children = (self.panel,)
        return self.panel

    def close(self) -> None:
        """Close the panel, if it was built."""
        if self.panel is not None:
            self.place.children = ()
            self.panel.close()
            self.panel = None


class Panels:
    """An accordion of panels, all closed at first. The open panel follows the map that is shown.

    The attention panel is added once the worker has found that the model has attention.

    Args:
        prompts: the model, and its caches.
        worker: the explorer's.
        display: has the methods and the listed classes.
        events: handles clicks in a panel.
        pictures: the explorer's, whose concepts may be known.
    """

    def __init__(
        self,
        prompts: PromptController,
        worker: Worker,
        display: Display,
        events: ViewEvents,
        pictures: PictureList,
    ) -> None:
        self._model = prompts.model
        self._worker = worker
        self._events = events
        self._shown: MapRequest | None = None
        # Called from the browser's thread and from the worker.
        self._lock = fork_safety.rlock()
        self._build_attention = lambda: AttentionPanel(prompts, worker, display.view)
        self._is_looked_for = False
        takes_clips = prompts.model.frames is not None
        # Clips are scored; the other panels draw or compare single pictures.
        self._folds: list[_Fold] = [
            _Fold(
                "DeepVis: a picture drawn for a class or a channel",
                lambda: DeepVisPanel(self._model, worker=worker),
                of_model=True,
            ),
            _Fold(
                "Evaluate: methods scored by metrics",
                lambda: EvaluatePanel(prompts, worker, display.view, events.pick_method),
            ),
            _Fold(
                "Contact sheet: quick methods × listed classes",
                lambda: ContactSheet(
                    prompts,
                    worker,
                    lambda: list(display.row_classes),
                    events.pick_map,
                    lambda: display.view.settings,
                ),
            ),
        ]
        labeled = None if takes_clips else concept_pictures(prompts.model, pictures.all)
        if labeled is not None:
            self._folds.append(
                _Fold(
                    "Concepts: the decision in the names of units",
                    lambda: ConceptPanel(prompts, worker, labeled),
                )
            )
        if not prompts.model.no_maps:
            self._folds.append(
                _Fold(
                    "Parts: what the layer sees, in colors that can be masked",
                    lambda: FactorizationPanel(prompts, worker, display.view, events.toggle_paint),
                )
            )
        self._folds.append(
            _Fold(
                "Where did you look? Your brush against every quick method",
                lambda: WherePanel(prompts, worker, display.view),
            )
        )
        if takes_clips:
            self._folds = [fold for fold in self._folds if fold.title.startswith("Evaluate")]
        self.box = ipywidgets.Accordion(
            [fold.place for fold in self._folds],
            titles=tuple(fold.title for fold in self._folds),
            selected_index=None,
        )
        self.box.add_class("camwidget-panels")
        self.box.observe(lambda change: self._opened(), "selected_index")

    def map_shown(self, shown: MapRequest, model: VisionModel) -> None:
        """Have the open panel follow the map; rebuild panels that depend on the model if that has changed."""
        if model is not self._model:
            self._model = model
            self._shown = None
            with self._lock:
                for fold in self._folds:
                    if fold.of_model and fold.panel is not None:
                        fold.close()
                        self._opened()
        self._shown = shown
        self._opened()
        if not self._is_looked_for:
            self._is_looked_for = True
            self._worker.submit(FIND_ATTENTION_JOB, self._find_attention)

    def map_restored(self) -> None:
        """Do nothing: the panels have followed the map that is shown again."""

    @property
    def deepvis(self) -> DeepVisPanel | None:
        """The feature visualization panel; None before it is opened."""
        return self._built(DeepVisPanel)

    @property
    def evaluate(self) -> EvaluatePanel | None:
        """The evaluation panel; None before it is opened."""
        return self._built(EvaluatePanel)

    @property
    def sheet(self) -> ContactSheet | None:
        """The contact sheet; None before it is opened."""
        return self._built(ContactSheet)

    @property
    def concepts(self) -> ConceptPanel | None:
        """The panel of named units; None before it is opened, and where no concepts are known."""
        return self._built(ConceptPanel)

    @property
    def factorization(self) -> FactorizationPanel | None:
        """The panel of parts; None before it is opened, and for a model without layers that are maps."""
        return self._built(FactorizationPanel)

    @property
    def where(self) -> WherePanel | None:
        """The panel that compares paint with maps; None before it is opened."""
        return self._built(WherePanel)

    @property
    def attention(self) -> AttentionPanel | None:
        """The attention panel; None before it is opened, and for a model without attention."""
        return self._built(AttentionPanel)

    def _find_attention(self) -> None:
        """Add the attention panel if the model has attention among tokens. Runs on the worker's thread."""
        try:
            layers = attention_layers(self._model)
        except CamwidgetError:
            return  # the list of methods says why there is no attention
        if not layers.numbers:
            return
        with self._lock, self.box.hold_sync():
            title = "Attention: what each head of each layer attends to"
            self._folds = [*self._folds, _Fold(title, self._build_attention)]
            self.box.children = tuple(fold.place for fold in self._folds)
            self.box.titles = tuple(fold.title for fold in self._folds)

    def _built(self, kind: type[P]) -> P | None:
        return next((f.panel for f in self._folds if isinstance(f.panel, kind)), None)

    def close(self) -> None:
        """Cancel the panels' computations, and close them."""
        for fold in self._folds:
            fold.close()
        close_parts(self.box)
        self.box.close()

    def _opened(self) -> None:
        # Runs on the worker's thread too: an error in a panel must not stop the map from being shown.
        with self._events.shown_errors(), self._lock:
            at = self.box.selected_index
            if at is not None:
                panel = self._folds[at].open()
                if self._shown is not None:
                    panel.follow_map(self._shown)
