"""``Explorer``: picture, classes, methods, masking and the model's predictions in one widget."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .. import zoo
from .._validation import is_integer
from ..attribution.explanation import Explanation
from ..errors import CamwidgetError, PromptError
from ..execution.device import by_name, faults_named, is_lost, responds
from ..loading import loader
from ..models.vision_model import VisionModel
from ..models.weights_backup import backup_of
from ..runtime import fork_safety
from ..runtime.error_reports import error_text, log_error
from .control.cache import Picture
from .control.compared_map import ComparedMapController
from .control.comparison import list_models, model_names
from .control.map_controller import MapController, Request
from .control.masked_prediction import MaskSettings
from .control.paint import Brush
from .control.pictures import list_pictures, named_picture
from .control.prediction_controller import PredictionController
from .control.prompt_control import PromptController
from .control.view_events import TWO_WAY_TRAITS, ViewEvents
from .control.worker import Worker
from .host.host_differences import marimo_element
from .host.lifetime import close_parts, weakly
from .panels.deepvis import DREAM
from .panels.panels import Panels
from .state.export_mixin import ExportMixin
from .state.history import History
from .state.python_code import CodeWriter
from .view.display import Display

__all__ = ["Explorer"]

#: Classes that can be listed: as many as there is room for beside the picture.
_MOST_LISTED = 9

#: What the worker does, from the most to the least urgent.
_KINDS = (
    "map",
    "pick",
    "mask",
    "code",
    "methods",
    "other",
    "other mask",
    "strip",
    "grow",
    "curve",
    "other curve",
    "evidence",
    "stages",
    "other grow",
    "sheet",
    "evaluate",
    DREAM,
)


class Explorer(ExportMixin):
    """Explore what a model has evidence for: click a class, choose a method, drag the mask.

    Args:
        model: from ``load`` or ``wrap``, or a list of several, of which the first two are compared; the embedded
            model if None.
        images: a picture, or several in a list, a mapping from names, a folder with the folders below it, a generator
            (such as of ``Path.glob``), a pandas Series, an array (N, H, W, C) or (N, C, H, W), a tensor (N, C, H, W), a
            data set, or a DataLoader. Classes that come with them are left out. For an embedded model its own samples
            if None.
        top: how many classes to list, from 1 to 9.
        kwargs: first values of the traits below.

    Everything is a trait, to be set or observed. Setting one returns at once; the work is done on another
    thread, and ``wait()`` blocks until it is finished. ``state`` is all of it as a dict, ``undo()`` and ``redo()`` go
    through the states before, ``code`` is the Python for the present view, and ``figure()`` draws it for a paper.

    Attributes:
        picture: number of the picture shown.
        target: name of the class explained. Set it to a name, an index, or None (the predicted class).
        method: a name of ``list_methods()``.
        layer: a module name of ``model.layers``, or any other layer with a map.
        fraction: the masked part of the picture, from 0 to 1.
        mode: "remove", "keep" or "multiply" (the picture times its map).
        baseline: what removed pixels become: "blur", "mean" or "black"; or made of what is around them, "inpaint", and
            "telea" where OpenCV is installed.
        mask: what is painted on the picture shown, int8 (H, W) at the model's input size: 1 is hidden and -1 kept
            whatever the slider says, 0 left to it; None where nothing is painted. Set it to such an array, or to a bool
            one (True hides), or to None. Each picture keeps its own. The array cannot be written into: set another.
        masked: which pixels are replaced now, by the slider and by paint, bool (H, W); read-only. The picture times its
            map has no replaced pixels but painted ones.
        text: for a model that takes one, the question or caption; "" until there is one. A model that proposes texts
            has its own for each picture (``propose()`` goes back to it); a question stays.
        outlines: whether the true outlines are drawn, of pictures that carry their truth.
        boxes: whether the map's box (``localize``) and its peak are drawn.
        compare: in what another map shown beside this one differs: a dictionary with any of "model" (a number),
            "picture" (a number), "target" (a class, or None for its own prediction), "method" and "layer"; in all
            else it follows. None: nothing is compared.
        arrangement: how the two are shown: "side" by side, "split" by a divider, or their "difference".
        other: the map compared, an ``Explanation``; None until it is there; read-only.
        models: all models, a tuple; read-only.
        model: the model whose classes are shown, under the text in force once a map under it is shown; read-only.
        explanation: the map shown, an ``Explanation``; read-only.
        curve: confidence against fraction, a ``MaskCurve``; None until it is complete; read-only.
        can_undo, can_redo: whether there is a state to go back to, or forth again; read-only.
    """

    def __init__(
        self,
        model: VisionModel | Sequence[VisionModel] | None = None,
        images: Any = None,
        *,
        top: int = 6,
        **kwargs: Any,
    ) -> None:
        if not is_integer(top, 1, _MOST_LISTED):
            raise CamwidgetError(
                f"top is how many classes are listed, a whole number from 1 to {_MOST_LISTED}, not {top!r}. "
                "All others are found by their names, in the field above them."
            )
        self.models = list_models(loader.load() if model is None else model)
        model = self.models[0]
        if images is None:
            images = zoo.samples(model.name) if model.name in zoo.available() else []
        unknown = set(kwargs) - set(self.trait_names())
        if unknown:
            raise CamwidgetError(
                f"Explorer has no trait {', '.join(sorted(unknown))}. Its own: "
                f"{', '.join((*TWO_WAY_TRAITS, 'target', 'text', 'mask', 'compare'))}."
            )
        self.pictures = list_pictures(images)
        self._every = tuple(PromptController(one) for one in self.models)
        self._texts = self._every[0]
        self._keep_weights()
        # What the explorer is made of does not hold it: it goes with its last user (see ``lifetime``).
        me: Any = weakref.proxy(self)
        self._session = Worker(_KINDS, weakly(self._failed), weakly(self._rested))
        self._elements: tuple[Any, ...] = ()
        self._stated = threading.local()
        #: Held while a picture is added; observers are called without it.
        self._adding = fork_safety.lock()
        self._history, self._writer = History(me), CodeWriter(me)
        # Of a model with a text nobody knows yet how many there are.
        listed = int(top) if model.prompt is not None else min(int(top), len(model.classes))
        self._hands = ViewEvents(me)
        self._brush = Brush(me)
        self._screen = Display(
            model, listed, self._hands.pick_row, self._hands.pick_picture, self._hands.upload
        )
        self._desk = MapController(
            self._texts,
            self._session,
            self._screen,
            weakly(self._map_shown),
            weakly(self._map_back),
        )
        self._answers = PredictionController(
            self._texts,
            self._session,
            self._screen,
            self._desk,
            lambda picture: me._masking(picture),
            lambda: me.explanation,
            lambda curve: me._announce("curve", curve),
        )
        self._other = ComparedMapController(
            self._every,
            lambda: me.pictures,
            self._session,
            self._screen,
            self._desk,
            lambda: me.compare,
            lambda picture: me._masking(picture),
            lambda: me.explanation,
            lambda other: me._announce("other", other),
        )
        self._panels = Panels(self._texts, self._session, self._screen, self._hands)
        kwargs.setdefault("layer", model.default_layer)
        if model.no_maps:
            kwargs.setdefault("method", "saliency")
        if len(self.models) > 1:
            kwargs.setdefault("compare", {"model": 1})
        if "text" in kwargs:  # before a target is looked for among its classes
            first = kwargs.get("picture", 0)
            here = self.pictures[first] if 0 <= first < len(self.pictures) else None
            kwargs["text"] = self._readable(kwargs["text"])
            self._texts.write(here, kwargs["text"])
        super().__init__([*self._screen.parts, self._panels.box], **kwargs)
        self.add_class("camwidget-explorer")
        self._screen.tell(
            pictures=[p.name for p in self.pictures],
            prompt=self._texts.panel(),
            models=list(model_names(self.models)),
            compare=self.compare or {},
            truthful=any(p.truth is not None for p in self.pictures),
            **{name: getattr(self, name) for name in TWO_WAY_TRAITS},
        )
        self._screen.show_methods(self.layer, wait=False)
        self._connect()
        self._history.connect()
        self._ask_methods()
        self._ask_strip()
        self._ask(self.target)

    # -- for scripts -----------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> Explorer:
        """Block until everything asked for is computed and shown. In an observer it returns at once.

        Raises:
            TimeoutError: if that takes longer than ``timeout`` seconds.
            KeyboardInterrupt: if it is interrupted; a slow map is cancelled then.
        """
        try:
            done = self._session.wait(timeout)
        except KeyboardInterrupt:
            self.cancel()
            raise
        if not done and not self._session.in_worker:
            raise TimeoutError(f"Still computing after {timeout} s.")
        return self

    def add(self, image: Any, name: str | None = None) -> None:
        """Add a picture, and show it.

        Raises:
            PictureError: if it cannot be read; nothing is added then.
        """
        if self.comm is None:
            raise CamwidgetError("This explorer is closed: make another one for the picture.")
        picture = named_picture(image, 0)
        self._texts.base.pixels(picture)  # refused before it is listed
        with self._adding:
            number = len(self.pictures)
            picture.name = name if name is not None else named_picture(image, number).name
            self.pictures = [*self.pictures, picture]
            self._screen.tell(
                pictures=[p.name for p in self.pictures],
                truthful=any(p.truth is not None for p in self.pictures),
            )
        self._ask_strip()
        self.picture = number
        if number == 0:  # the number has not changed, but what it stands for has
            self._ask(None)

    def propose(self) -> None:
        """Explain the picture under the model's own text for it again.

        Raises:
            PromptError: if the model takes no text, or the text has to come from a person.
        """
        if not self.pictures:
            raise PromptError("There is no picture to propose a text for: add(…) one.")
        picture = self.pictures[self.picture]
        self._texts.model.propose(picture.source)
        with self._history.one("text"):
            self._texts.forget(picture)
            self._screen.tell(text_error="")
            self._ask(None)

    @property
    def sentence(self) -> str:
        """What masking the picture does to the class, in words, as it stands below the slider."""
        said: str = self._view.sentence
        return said

    @property
    def difference(self) -> np.ndarray | None:
        """The map shown minus the one compared, each scaled to its own maximum: float32 (H, W) in [-1, 1].

        None while there is no other map, and where the two are not of the same pixels.
        """
        return self._other.difference

    @property
    def masked(self) -> np.ndarray:
        """Which pixels of the picture shown are replaced now, bool (H, W)."""
        return self._brush.masked()

    def close(self) -> None:
        """Stop computing and remove the widget from every page."""
        if "_session" in self.__dict__:  # else the arguments were refused
            self._session.close()
        if "_panels" in self.__dict__:
            self._panels.close()
            close_parts(self)
        super().close()
        if "_panels" in self.__dict__:
            # Whoever holds it still need not hold what it remembered, nor what was on the screen.
            self._desk.forget()
            self._screen.forget()
            for texts in self._every:
                texts.forget_all()

    def _display_(self) -> Any:
        """What marimo shows: it asks for this, and no other host does."""
        self._hold()
        return marimo_element(self)

    def __repr__(self) -> str:
        count = len(self.pictures)
        return f"Explorer({self.model.name!r}, {count} picture{'s' * (count != 1)})"

    def _shows_asked(self) -> bool:
        """Whether the classes on the screen are those under the text that is asked for by now."""
        here = self.pictures[self.picture] if self.pictures else None
        return self.model.text == (None if here is None else self._texts.known(here))

    @property
    def _view(self) -> Any:
        return self._screen.view

    @property
    def _is_heard(self) -> bool:
        return bool(self._view.is_heard)

    def _ask_methods(self) -> None:
        """Ask which methods apply, also of those that have to run the model to know."""
        me: Any = weakref.proxy(self)
        self._session.submit("methods", lambda: me._screen.show_methods(me.layer))

    def _ask_strip(self) -> None:
        """Ask for the thumbnails that are seen and not there yet."""
        self._session.submit("strip", weakly(self._draw_strip))

    def _connect(self) -> None:
        self._hands.connect()
        self._brush.connect()
        me: Any = weakref.proxy(self)
        self.observe(weakly(self._to_view), list(TWO_WAY_TRAITS))
        self.observe(lambda change: me._picture_set(), "picture")
        self.observe(weakly(self._target_set), "target")
        self.observe(weakly(self._text_set), "text")
        self.observe(lambda change: me._ask_again(), ["method", "layer"])
        self.observe(weakly(self._mask_set), ["fraction", "mode", "baseline"])
        self.observe(lambda change: me._compare_set(), "compare")

    def _to_view(self, change: dict[str, Any]) -> None:
        if not self._restoring:  # else all is told together
            self._screen.tell(**{change["name"]: change["new"]})
        if change["name"] == "layer":
            self._screen.show_methods(self.layer)
        if change["name"] == "picture" and self._screen.strip.select(self.picture):
            self._ask_strip()

    # -- on the worker's thread ------------------------------------------------------------

    def _failed(self, kind: str, error: BaseException) -> None:
        # Each of them, also after the first.
        if is_lost(error) and (taken_over := self._take_over()):
            self._desk.again()
            log_error(error, "The GPU was lost.", self)
            self._screen.tell(error=taken_over)
            return
        text = error_text(by_name(error, self.model.name, self.model.device), self)
        if kind == "mask":
            self._screen.show_no_answer()
        if kind in ("map", "grow"):
            self._desk.back_after_failure()
        self._screen.tell(error=text)

    def _rested(self) -> None:
        if self._view.busy:
            self._screen.tell(busy=False)
        self._keep_weights()

    def _keep_weights(self) -> None:
        """Keep the weights as they are now, for when a device is lost; of a model on the CPU nothing."""
        for model in self.models:
            with faults_named(model.name, model.device):
                backup_of(model.module).refresh()

    def _take_over(self) -> str:
        """Go on with copies on the CPU of models whose device does not respond; what happened, "" if nothing."""
        said = ""
        for texts in self._every:
            lost = texts.model
            if responds(lost.device):
                continue
            spare = backup_of(lost.module)
            model = spare.model(lost)
            if model is None:
                continue
            texts.move(model)
            said = "The GPU was lost: the model is on the CPU now" + (
                "." if spare.is_current else ", as it was before it was last trained."
            )
        self.models = tuple(texts.model for texts in self._every)
        return said

    def _draw_strip(self) -> Iterator[None]:
        pictures, base, me = self.pictures, self._texts.base, weakref.proxy(self)
        return self._screen.strip.fill(
            lambda number: base.tile(pictures[number]), len(pictures), lambda: me.picture
        )

    # -- the map ---------------------------------------------------------------------------

    def cancel(self) -> None:
        """Stop the slow map that is being made, if there is one; the map before comes back."""
        self._desk.cancel()

    def _picture_set(self) -> None:
        self._brush.bring()
        if self.pictures and not self._restoring:
            # Until its map is shown, nobody knows the text of a picture that the model has to find one for.
            self._state("text", self._texts.known(self.pictures[self.picture]) or "")
        self._ask(None)

    def _mask_set(self, change: dict[str, Any]) -> None:
        if not self._restoring:
            self._ask_masked(curve=change["name"] != "fraction")

    def _masking(self, picture: Picture) -> MaskSettings:
        """How a picture is masked now."""
        return MaskSettings(self.mode, self.baseline, self.fraction, self._brush.of(picture))

    def _painted(self, is_new: bool, painting: bool) -> None:
        """The brush has moved, or was lifted (see ``PredictionController.paint``)."""
        if self._restoring:
            return
        self._answers.paint(is_new, painting)
        if not painting:
            self._other.ask_curve()
        elif is_new:
            self._other.ask_mask()

    def _ask_masked(self, *, curve: bool) -> None:
        """Ask what the model says of the masked pictures; also along the whole way, where that is another."""
        if self._desk.renew():
            return  # the map is of other weights: once there is another, all this is asked
        if curve:
            self._answers.ask_curve()
            self._other.ask_curve()
        else:
            self._answers.ask()
            self._other.ask_mask()

    def _compare_set(self) -> None:
        self._screen.tell(compare=self.compare or {})
        if not self._restoring:
            self._other.ask()

    def _target_set(self, change: dict[str, Any]) -> None:
        if not self._is_stated("target", change["new"]):
            self._ask(change["new"])

    def _text_set(self, change: dict[str, Any]) -> None:
        if not self._is_stated("text", change["new"]):
            self._write(change["new"])

    def _write(self, text: str) -> None:
        """Explain the present picture under a text; also under the same again, of another picture's caption."""
        text = self._readable(text)
        with self._history.one("text"):
            self._texts.write(self.pictures[self.picture] if self.pictures else None, text)
            self._state("text", text)
            self._screen.tell(text_error="")
            self._ask(None)

    def _ask(self, target: str | None) -> None:
        """Ask for the map of the present picture, method and layer."""
        if not self.pictures or self._restoring:
            return
        picture = self.pictures[self.picture]
        if target is None:
            text, index = self._texts.known(picture), None
        else:
            text, model = self._asked()
            index = model.class_index(target)
        self._desk.ask(Request(picture, index, self.method, self.layer, text))

    def _ask_again(self) -> None:
        """Ask for the same class by another method, or at another layer."""
        # Of what was asked last, which need not be on the screen yet.
        last = self._desk.requested
        if last is not None and not self._restoring:
            self._desk.ask(last._replace(method=self.method, layer=self.layer))

    def _map_shown(self, explanation: Explanation, shown: Request) -> None:
        model = self._texts.bench(shown.picture, shown.text).model
        assert shown.target is not None
        if self._panels.bind(model):
            # Another number of classes may be another reason.
            self._ask_methods()
        if model.text is not None and self._desk.requested == shown:
            self._state("text", model.text)
        self._announce("explanation", explanation)
        if self._desk.requested == shown:
            self._state("target", model.classes[shown.target])
        self._panels.follow(shown)
        self._answers.ask_curve()
        self._other.ask()
        self._history.settle()

    def _map_back(self, shown: Request) -> None:
        assert shown.target is not None
        model = self._texts.bench(shown.picture, shown.text).model
        self._restoring = True
        try:
            self._announce("picture", self.pictures.index(shown.picture))
            self._announce("method", shown.method)
            self._announce("layer", shown.layer)
            if shown.text is not None:
                self._texts.restore(shown.picture, shown.text)
                self._state("text", shown.text)
            self._state("target", model.classes[shown.target])
        finally:
            self._restoring = False
        # Also where a trait has not changed, the browser's may have.
        self._screen.tell(target=shown.target, **{n: getattr(self, n) for n in TWO_WAY_TRAITS})
        self._answers.ask_curve()
        self._other.ask()
        self._history.back()
