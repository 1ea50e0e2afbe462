"""Map B of a comparison: its map, numbers and curve, computed on the explorer's worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...analysis.mask_curve import MaskCurve
from ...attribution.explanation import Explanation
from ...attribution.methods import get_method
from ...execution.device import is_device_lost
from ...export.selection import quantity_of
from ...runtime.error_reports import error_text
from ..view import messages
from ..view.display import Display
from .cache import Picture
from .comparison import ComparedRequest, class_of, difference, model_names, resolve, why_apart
from .map_controller import COMPARED_KINDS, MapController, Request
from .masked_prediction import (
    MaskSettings,
    filled,
    is_unmasked,
    masked,
    predict_masked,
    refine_curve,
    replaced,
)
from .prompt_control import PromptController
from .worker import Worker

__all__ = ["ComparedMapController"]


@dataclass(frozen=True, eq=False)
class _ComparedMap:
    """B as it is shown."""

    other: ComparedRequest
    a: Explanation
    b: Explanation
    apart: str  #: why there is no difference
    whole: np.ndarray  #: what its model says of the whole picture, by class
    rows: tuple[tuple[int, int | None], ...]  #: the listed classes, A's number and B's
    has_paint: (
        bool  #: whether it is of the very pixels that A's is of, and so has what is painted on them
    )

    @property
    def target(self) -> int:
        assert self.b.target.index is not None  # the widget explains classes
        return self.b.target.index


class ComparedMapController:
    """Follows the map shown with another, whenever it, or that in which B differs, is another.

    What goes wrong with B is said in B's place; A goes on.

    Args:
        texts: the pictures, and each model under the text of each.
        pictures: gives those to choose from.
        session: the worker.
        screen: shows B.
        desk: knows which map is shown.
        compare: gives in what B differs; None if nothing is compared.
        mask: gives a picture's present mask, which is A's too.
        shown: the explanation shown.
        on_other: called with each finished map, and with None when there is none.
    """

    #: Seconds between two words on how far a slow map is.
    PACE = 0.2

    def __init__(
        self,
        texts: Sequence[PromptController],
        pictures: Callable[[], Sequence[Picture]],
        session: Worker,
        screen: Display,
        desk: MapController,
        compare: Callable[[], Mapping[str, Any] | None],
        mask: Callable[[Picture], MaskSettings],
        shown: Callable[[], Explanation | None],
        on_other: Callable[[Explanation | None], None],
    ) -> None:
        self._texts = texts
        self._names = model_names([t.model for t in texts])
        self._pictures = pictures
        self._session = session
        self._screen = screen
        self._desk = desk
        self._compare = compare
        self._mask = mask
        self._shown = shown
        self._on_other = on_other
        self._made: _ComparedMap | None = None
        self._asked: object = None

    @property
    def difference(self) -> np.ndarray | None:
        """A's saliency minus B's; None where there is no B, or the two are not of the same pixels."""
        made = self._made
        if made is None or made.apart or made.a is not self._shown():
            return None
        return difference(made.a, made.b)

    def ask(self) -> None:
        """Ask for B anew."""
        asked = object()
        with self._desk.lock:
            self._session.drop(*COMPARED_KINDS)
            self._made, self._asked = None, asked
            compare, explanation, shown = self._compare(), self._shown(), self._desk.shown
            self._screen.chart.show_other(None)
            if compare is None:
                self._screen.tell(other={}, other_scene={}, other_state={}, other_answer={})
            else:
                # What was shown stays, dimmed, until there is another.
                self._screen.tell(other_state={"busy": True})
        self._on_other(None)
        if compare is None or explanation is None or shown is None or self._desk.is_growing:
            return
        method = get_method(compare.get("method", shown.method))
        kind = "other grow" if method.slow else "other"
        with self._desk.lock:
            if self._asked is asked:  # else someone has asked anew
                self._session.submit(kind, lambda: self._make(compare, shown, explanation))

    def ask_mask(self) -> None:
        """Ask what B's model says at the slider's present position."""
        made = self._made
        if made is None:
            return
        whole = is_unmasked(self._mask_of(made), made.b)
        with self._desk.lock:
            # Of another B by now, an answer may be on its way, which must not be replaced.
            if self._made is not made:
                return
            if whole:
                self._session.drop("other mask")
                self._say(made, None)
            else:
                self._session.submit("other mask", lambda: self._run(made))

    def ask_curve(self) -> None:
        """Ask for the slider's position anew, and then for the whole way."""
        self.ask_mask()
        with self._desk.lock:
            made = self._made
            self._session.drop("other curve")
            self._screen.chart.show_other(None)
            if made is None or made.b.is_empty or self._mask_of(made).mode == "multiply":
                return
            self._session.submit("other curve", lambda: self._run_curve(made))

    # -- on the worker's thread ------------------------------------------------------------

    def _make(
        self, compare: Mapping[str, Any], shown: Request, explanation: Explanation
    ) -> Iterator[None]:
        try:
            yield from self._steps(compare, shown, explanation)
        except Exception as error:  # B's failure is no failure of A's
            if is_device_lost(error):  # a device is everybody's
                raise
            text = error_text(error, self)
            with self._desk.lock:
                if not self._session.dropped():
                    self._screen.tell(other={}, other_answer={}, other_state={"error": text})

    def _steps(self, compare: Mapping[str, Any], shown: Request, a: Explanation) -> Iterator[None]:
        other = resolve(compare, shown, a.target.label, self._texts, self._pictures())
        bench, picture = other.bench, other.picture
        told = time.perf_counter()
        steps = bench.growing(picture, other.target, other.method, other.layer)
        for share, explanation in steps:
            b = explanation
            if self._session.dropped():
                return
            if share < 1:
                if time.perf_counter() - told > self.PACE:
                    said = messages.growing(b.method_label, b.target.label, share)
                    self._screen.tell(other_state={"busy": True, "progress": share, "said": said})
                    told = time.perf_counter()
                yield
        scene = self._scene(shown.picture, other)
        apart = why_apart(shown.picture, self._texts[0].base, other)
        classes = self._screen.model.classes
        made = _ComparedMap(
            other,
            a,
            b,
            apart,
            bench.probabilities(picture),
            tuple((i, class_of(bench.model, classes[i])) for i in self._screen.row_classes),
            has_paint=not scene,
        )
        with self._desk.lock:
            if self._session.dropped():
                return
            self._made = made
            self._show(made, scene)
        self._on_other(b)
        if self._made is not made:  # another was asked for meanwhile
            self._on_other(None)
        self.ask_curve()

    def _scene(self, shown: Picture, other: ComparedRequest) -> dict[str, Any]:
        """The picture as B's model gets it; empty where that is what A's gets."""
        bench, picture = other.bench, other.picture
        one, two = self._texts[0].base.pixels(shown), bench.pixels(picture)
        if picture is shown and one.shape == two.shape and bool((one == two).all()):
            return {}
        # Of the same picture there may be two scenes now.
        name = f"{picture.id} of model {other.number}"
        if self._screen.view.other_scene.get("id") == name:
            return self._screen.view.other_scene
        return {**bench.scene(picture), "id": name}

    def _show(self, made: _ComparedMap, scene: dict[str, Any]) -> None:
        other, b = made.other, made.b
        wire = other.bench.wire(other.picture, b)
        self._screen.tell(
            other_scene=scene,
            other={
                **wire,
                "scene": scene.get("id", other.picture.id),
                "label": {
                    "model": self._names[other.number],
                    "picture": other.picture.name,
                    "target": b.target.label,
                    "method": b.method_label,
                    "layer": b.layer,
                },
                "said": other.said,
                "apart": made.apart,
            },
            other_state={},
            other_answer=self._answer(made, None),
        )

    def _answer(self, made: _ComparedMap, masked: np.ndarray | None) -> dict[str, Any]:
        """B's probabilities of its own class, and of A's listed ones; None where it has no such class."""

        def of(values: np.ndarray | None, index: int | None) -> float | None:
            return None if values is None or index is None else float(values[index])

        return {
            "quantity": quantity_of(made.other.bench.model),
            "target": {"whole": of(made.whole, made.target), "masked": of(masked, made.target)},
            "rows": [
                {"index": a, "whole": of(made.whole, b), "masked": of(masked, b)}
                for a, b in made.rows
            ],
        }

    def _say(self, made: _ComparedMap, masked: np.ndarray | None) -> None:
        self._screen.tell(other_answer=self._answer(made, masked), other_state={})

    def _run(self, made: _ComparedMap) -> None:
        try:
            values, fill = self._masked(made)
        except Exception as error:
            if is_device_lost(error):
                raise
            text = error_text(error, self)
            with self._desk.lock:
                if self._made is made:
                    self._say(made, None)
                    self._screen.tell(other_state={"error": text})
            return
        with self._desk.lock:
            # An answer for where the slider was is shown; not once it is back at nothing.
            if self._made is made and not self._session.dropped():
                self._screen.tell(other_filled=fill)
                self._say(made, values)

    def _mask_of(self, made: _ComparedMap) -> MaskSettings:
        mask = self._mask(made.other.picture)
        return mask if made.has_paint else mask._replace(paint=None)

    def _masked(self, made: _ComparedMap) -> tuple[np.ndarray, dict[str, Any]]:
        """What B's model says of B's picture, masked as A's is but by B's own map; and what fills an inpainted hole."""
        bench, mask = made.other.bench, self._mask_of(made)
        levels = bench.levels(made.b)
        changed = masked(bench.pixels(made.other.picture), made.b, levels, mask)
        hidden = replaced(mask, made.b, levels)
        fill = filled(self._screen.view.other["scene"], changed, hidden, mask.baseline)
        return predict_masked(bench.model, changed), fill

    def _run_curve(self, made: _ComparedMap) -> Iterator[None]:
        bench = made.other.bench
        try:
            curves: Iterator[MaskCurve | None] = refine_curve(
                bench.model,
                bench.pixels(made.other.picture),
                made.b,
                bench.levels(made.b),
                self._mask_of(made),
                made.whole,
            )
            for curve in curves:
                if self._made is not made or self._session.dropped():
                    return
                if curve is not None:
                    self._screen.chart.show_other(curve)
                yield
        except Exception as error:
            if is_device_lost(error):
                raise
            text = error_text(error, self)
            with self._desk.lock:
                if self._made is made:
                    self._screen.tell(other_state={"error": text})
