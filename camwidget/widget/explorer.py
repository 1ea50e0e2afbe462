"""``Explorer``: picture, classes, methods, masking and the model's answers in one widget."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import ipywidgets
import numpy as np
import traitlets as t

from .. import loading, zoo
from ..errors import CamwidgetError, PictureError
from ..explanation import Explanation
from ..methods import get_method
from ..models import VisionModel
from ..perturb import BASELINES, MaskCurve, threshold
from .maps import MapDesk, Request
from .masking import MODES, is_whole, masked_probabilities, refine_curve
from .panels import Panels
from .pictures import list_pictures, named_picture
from .screen import Screen
from .session import Session
from .workbench import Workbench

__all__ = ["Explorer"]

#: Traits that the browser and Python both set; the view has them under the same names.
_SHARED = ("method", "layer", "mode", "baseline", "fraction", "picture")

#: What the worker does, from the most to the least urgent.
_KINDS = ("map", "pick", "mask", "methods", "strip", "grow", "curve", "stages")


class Explorer(ipywidgets.Box):
    """Explore what a model has evidence for: click a class, choose a method, drag the mask.

    Args:
        model: from ``load`` or ``wrap``; the embedded model if None.
        images: a picture, a list of them, a mapping from names to pictures, a folder, or a tensor
            (N, C, H, W); for an embedded model its own samples if None.
        top: how many classes to list, at most 9.
        kwargs: first values of the traits below.

    Everything is a trait, to be set or observed. Setting one returns at once; the work is done on another
    thread, and ``wait()`` blocks until it is finished.

    Attributes:
        picture: number of the picture shown.
        target: name of the class explained. Set it to a name, an index, or None (the predicted class).
        method: a name of ``list_methods()``.
        layer: a module name of ``model.layers``, or any other layer with a map.
        fraction: the masked part of the picture, from 0 to 1.
        mode: "remove", "keep" or "multiply" (the picture times its map).
        baseline: what removed pixels become: "blur", "mean" or "black".
        explanation: the map shown, an ``Explanation``; read-only.
        curve: confidence against fraction, a ``MaskCurve``; None until it is complete; read-only.
    """

    picture = t.Int(0)
    target = t.Any(None, allow_none=True)
    method = t.Unicode("gradcam")
    layer = t.Unicode("")
    fraction = t.Float(0.0)
    mode = t.Enum(MODES, "remove")
    baseline = t.Enum(tuple(BASELINES), "blur")
    explanation = t.Instance(Explanation, allow_none=True, read_only=True)
    curve = t.Instance(MaskCurve, allow_none=True, read_only=True)

    def __init__(
        self, model: VisionModel | None = None, images: Any = None, *, top: int = 6, **kwargs: Any
    ) -> None:
        if model is None:
            model = loading.load()
        if not isinstance(model, VisionModel):
            raise CamwidgetError(
                f"Explorer takes a model first, and pictures second; not {type(model).__name__}. "
                "camwidget.load('resnet50') or camwidget.wrap(module, …) makes a model."
            )
        if not model.classes:
            raise CamwidgetError(
                f"The output of {model.name} has no classes to choose from: use camwidget.explain(…, target=callable)."
            )
        if images is None:
            images = zoo.samples(model.name) if model.name in zoo.available() else []
        unknown = set(kwargs) - set(self.trait_names())
        if unknown:
            raise CamwidgetError(
                f"Explorer has no trait {', '.join(sorted(unknown))}. Its own: "
                f"{', '.join((*_SHARED, 'target'))}."
            )
        self.model = model
        self.pictures = list_pictures(images)
        self._bench = Workbench(model)
        self._session = Session(_KINDS, self._failed, self._rested)
        self._restoring = False
        listed = max(1, min(int(top), len(model.classes), 9))
        self._screen = Screen(model, listed, self._pick_row, self._pick_picture, self._uploaded)
        self._desk = MapDesk(
            model, self._bench, self._session, self._screen, self._map_shown, self._map_back
        )
        self._panels = Panels(model)
        kwargs.setdefault("layer", model.default_layer)
        super().__init__([*self._screen.parts, self._panels.box], **kwargs)
        self.add_class("camwidget-explorer")
        self._screen.tell(
            pictures=[p.name for p in self.pictures],
            **{name: getattr(self, name) for name in _SHARED},
        )
        self._screen.show_methods(self.layer, wait=False)
        self._connect()
        self._session.submit("methods", lambda: self._screen.show_methods(self.layer))
        self._session.submit("strip", self._draw_strip)
        self._ask(self.target)

    # -- for scripts -----------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> Explorer:
        """Block until everything asked for is computed and shown. In an observer it returns at once.

        Raises:
            TimeoutError: if that takes longer than ``timeout`` seconds.
        """
        if not self._session.wait(timeout) and not self._session.in_worker:
            raise TimeoutError(f"Still computing after {timeout} s.")
        return self

    def add(self, image: Any, name: str | None = None) -> None:
        """Add a picture, and show it.

        Raises:
            PictureError: if it cannot be read; nothing is added then.
        """
        picture = named_picture(image, len(self.pictures))
        if name is not None:
            picture.name = name
        self._bench.pixels(picture)  # refused before it is listed
        self.pictures = [*self.pictures, picture]
        self._screen.tell(pictures=[p.name for p in self.pictures])
        self._session.submit("strip", self._draw_strip)
        self.picture = len(self.pictures) - 1
        if len(self.pictures) == 1:  # the number has not changed, but what it stands for has
            self._ask(None)

    def close(self) -> None:
        """Stop computing and remove the widget from every page."""
        if "_session" in self.__dict__:  # else the arguments were refused
            self._session.close()
            self._panels.close()
            for part in self._screen.parts:
                part.close()
        super().close()

    def __repr__(self) -> str:
        count = len(self.pictures)
        return f"Explorer({self.model.name!r}, {count} picture{'s' * (count != 1)})"

    # -- what may be set -------------------------------------------------------------------

    @t.validate("target")
    def _valid_target(self, proposal: Any) -> str | None:
        value = proposal["value"]
        return None if value is None else self.model.classes[self.model.class_index(value)]

    @t.validate("method")
    def _valid_method(self, proposal: Any) -> str:
        chosen = get_method(proposal["value"])
        if not self._restoring:
            chosen.check(self.model, self.layer or self.model.default_layer)
        return proposal["value"]

    @t.validate("layer")
    def _valid_layer(self, proposal: Any) -> str:
        name = self.model.layer(proposal["value"]).name
        if not self._restoring:
            get_method(self.method).check(self.model, name)
        return name

    @t.validate("fraction")
    def _valid_fraction(self, proposal: Any) -> float:
        threshold(proposal["value"])  # refuses what is not in [0, 1]
        return proposal["value"]

    @t.validate("picture")
    def _valid_picture(self, proposal: Any) -> int:
        number = proposal["value"]
        if number != 0 and not 0 <= number < len(self.pictures):
            raise PictureError(
                f"There is no picture {number}: there are {len(self.pictures)}, from 0."
            )
        return number

    # -- between browser and Python --------------------------------------------------------

    @property
    def _view(self) -> Any:
        return self._screen.view

    def _connect(self) -> None:
        self._view.observe(self._from_view, list(_SHARED))
        self._view.observe(self._target_from_view, "target")
        self._view.on_msg(self._message_from_view)
        self.observe(self._to_view, list(_SHARED))
        # Another picture is explained for its own predicted class.
        self.observe(lambda change: self._ask(None), "picture")
        self.observe(lambda change: self._ask(change["new"]), "target")
        self.observe(lambda change: self._ask_again(), ["method", "layer"])
        self.observe(lambda change: self._ask_mask(), "fraction")
        self.observe(lambda change: self._ask_curve(), ["mode", "baseline"])

    def _to_view(self, change: dict[str, Any]) -> None:
        self._screen.tell(**{change["name"]: change["new"]})
        if change["name"] == "layer":
            self._screen.show_methods(self.layer)
        if change["name"] == "picture":
            self._screen.strip.select(self.picture)

    def _from_view(self, change: dict[str, Any]) -> None:
        name = change["name"]
        if self._screen.is_telling or change["new"] == getattr(self, name):
            return
        with self._shown_errors():
            setattr(self, name, change["new"])
        if getattr(self, name) != change["new"]:
            self._screen.tell(**{name: getattr(self, name)})

    def _target_from_view(self, change: dict[str, Any]) -> None:
        if self._screen.is_telling or change["new"] < 0:
            return
        with self._shown_errors():
            self.target = change["new"]

    def _message_from_view(self, _view: Any, content: Any, _buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        if content.get("type") == "cancel":
            self._desk.cancel()
        if content.get("type") != "pick":
            return
        x, y = content.get("x"), content.get("y")
        if isinstance(x, int) and isinstance(y, int):
            self._session.submit("pick", lambda: self._find_here(x, y))

    def _pick_row(self, row: int) -> None:
        with self._shown_errors():
            if 0 <= row < len(self._screen.row_classes):
                self.target = self._screen.row_classes[row]

    def _pick_picture(self, number: int) -> None:
        with self._shown_errors():
            self.picture = number

    def _uploaded(self, name: str, content: bytes) -> None:
        with self._shown_errors():
            try:
                self.add(content, name)
            except PictureError as error:
                raise PictureError(f"{name}: {error}") from error

    @contextlib.contextmanager
    def _shown_errors(self) -> Iterator[None]:
        """What goes wrong on behalf of the browser is said in the browser."""
        try:
            yield
        except (CamwidgetError, t.TraitError) as error:
            self._screen.tell(error=str(error))

    # -- on the worker's thread ------------------------------------------------------------

    def _failed(self, kind: str, error: BaseException) -> None:
        known = isinstance(error, CamwidgetError)
        text = str(error) if known else f"{type(error).__name__}: {error}"
        if kind == "mask":
            self._screen.show_no_answer()
        if kind in ("map", "grow") and not self._session.superseded(kind):
            self._desk.back()
        self._screen.tell(error=text)

    def _rested(self) -> None:
        if self._view.busy:
            self._screen.tell(busy=False)

    def _draw_strip(self) -> Iterator[None]:
        tiles: list[np.ndarray | None] = [None] * len(self.pictures)
        drawn = time.monotonic()
        for number, picture in enumerate(self.pictures):
            tiles[number] = self._bench.tile(picture)
            if time.monotonic() - drawn > 0.5:  # many or large ones: show what there is
                self._screen.strip.show(tiles, self.picture)
                drawn = time.monotonic()
            yield
        self._screen.strip.show(tiles, self.picture)

    # -- the map ---------------------------------------------------------------------------

    def cancel(self) -> None:
        """Stop the slow map that is being made, if there is one; the map before comes back."""
        self._desk.cancel()

    def _ask(self, target: str | None) -> None:
        """Ask for the map of the present picture, method and layer."""
        if self.pictures and not self._restoring:
            index = None if target is None else self.model.class_index(target)
            self._desk.ask(Request(self.pictures[self.picture], index, self.method, self.layer))

    def _ask_again(self) -> None:
        """Ask for the same class by another method, or at another layer."""
        # Of what was asked last, which need not be on the screen yet.
        last = self._desk.requested
        if last is not None and not self._restoring:
            self._desk.ask(last._replace(method=self.method, layer=self.layer))

    def _map_shown(self, explanation: Explanation, index: int) -> None:
        self._announce("explanation", explanation)
        self._announce("target", self.model.classes[index])
        self._panels.follow(index, self.layer)
        self._ask_curve()

    def _map_back(self, shown: Request) -> None:
        assert shown.target is not None
        self._restoring = True
        try:
            self._announce("picture", self.pictures.index(shown.picture))
            self._announce("method", shown.method)
            self._announce("layer", shown.layer)
            self._announce("target", self.model.classes[shown.target])
        finally:
            self._restoring = False
        # Also where a trait has not changed, the browser's may have.
        self._screen.tell(target=shown.target, **{n: getattr(self, n) for n in _SHARED})
        self._ask_curve()

    def _announce(self, name: str, value: Any) -> None:
        """Set a trait; what someone's observer raises is shown, and stops nothing else."""
        try:
            self.set_trait(name, value)
        except Exception as error:
            self._screen.tell(
                error=f"An observer of {name!r} raised {type(error).__name__}: {error}"
            )

    def _find_here(self, x: int, y: int) -> None:
        """What has the strongest map at a pixel: name it, and choose it."""
        shown = self._desk.shown
        if shown is None:
            return
        height, width = self._bench.pixels(shown.picture).shape[-2:]
        x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
        classes = self._screen.likely(20)
        found = self._bench.strongest(shown.picture, classes, shown.method, shown.layer, x, y)
        self._screen.show_here(shown.picture.id, x, y, found, len(classes))
        if found:
            self._announce("target", self.model.classes[found[0][0]])

    # -- masking ---------------------------------------------------------------------------

    def _ask_mask(self) -> None:
        """Ask what the model says at the slider's present position."""
        explanation, shown = self.explanation, self._desk.shown
        if explanation is None or shown is None or shown.target is None or self._desk.is_growing:
            return
        if explanation.is_empty or is_whole(self.mode, self.fraction):
            with self._desk.lock:
                self._session.drop("mask")
                self._screen.show_answer(explanation, shown.target, None, self.mode, self.fraction)
            return
        self._screen.tell(pending=True)
        self._session.submit("mask", lambda: self._run_mask(shown, explanation))

    def _run_mask(self, shown: Request, explanation: Explanation) -> None:
        assert shown.target is not None
        mode, fraction = self.mode, self.fraction
        values = masked_probabilities(
            self.model,
            self._bench.pixels(shown.picture),
            explanation,
            self._bench.levels(explanation),
            mode,
            self.baseline,
            fraction,
        )
        with self._desk.lock:
            # While the slider moves on, an answer for where it was is shown; not once it is back at nothing.
            if self.explanation is explanation and not self._session.dropped():
                self._screen.show_answer(explanation, shown.target, values, mode, fraction)
                if self._session.superseded("mask"):
                    self._screen.tell(pending=True)

    def _ask_curve(self) -> None:
        """Ask for the slider's position anew, and then for the whole way."""
        self._ask_mask()
        self._announce("curve", None)
        explanation, shown = self.explanation, self._desk.shown
        if explanation is None or shown is None or self._desk.is_growing:
            return
        if explanation.is_empty or self.mode == "multiply":
            self._session.drop("curve")
            self._screen.show_curve(None)
            return
        self._session.submit("curve", lambda: self._run_curve(shown, explanation))

    def _run_curve(self, shown: Request, explanation: Explanation) -> Iterator[None]:
        curves = refine_curve(
            self.model,
            self._bench.pixels(shown.picture),
            explanation,
            self._bench.levels(explanation),
            self.mode,
            self.baseline,
        )
        whole: MaskCurve | None = None
        for curve in curves:
            stale = self._session.dropped() or self._session.superseded("curve")
            if stale or self.explanation is not explanation:
                return
            if curve is not None:
                whole = curve
                self._screen.show_curve(curve)
            yield
        self._announce("curve", whole)
