"""Schedule the predictions for the masked picture: at the slider's position, and along the whole curve."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...analysis.mask_curve import MaskCurve
from ...attribution.explanation import Explanation
from ...masking.inpainting import INPAINTINGS
from ..view.display import Display
from .cache import Picture
from .map_controller import MapController, Request
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

__all__ = ["PredictionController"]


class PredictionController:
    """Asks the model about the masked picture whenever the mask, or the map that ranks it, is another.

    Args:
        texts: the pictures, and the model under the text of each.
        session: the worker.
        screen: shows the answers.
        desk: knows which map is shown.
        mask: the present mask, of a picture.
        shown: the explanation shown; an answer about another is not shown any more.
        on_curve: called with each complete curve, and with None when there is none yet.
    """

    def __init__(
        self,
        texts: PromptController,
        session: Worker,
        screen: Display,
        desk: MapController,
        mask: Callable[[Picture], MaskSettings],
        shown: Callable[[], Explanation | None],
        on_curve: Callable[[MaskCurve | None], None],
    ) -> None:
        self._texts = texts
        self._session = session
        self._screen = screen
        self._desk = desk
        self._mask = mask
        self._shown = shown
        self._on_curve = on_curve

    def ask(self) -> None:
        """Ask what the model says at the slider's present position."""
        explanation, shown = self._shown(), self._desk.shown
        if explanation is None or shown is None or shown.target is None or self._desk.is_growing:
            return
        mask = self._mask(shown.picture)
        whole = is_unmasked(mask, explanation)
        with self._desk.lock:
            # Of another map by now, an answer may be on its way, which must not be replaced.
            if self._shown() is not explanation:
                return
            if whole:
                self._session.drop("mask")
                self._screen.show_answer(explanation, shown.target, None, mask)
            else:
                self._screen.tell(pending=True)
                self._session.submit("mask", lambda: self._run(shown, explanation))

    def paint(self, is_new: bool, painting: bool) -> None:
        """Ask anew after a movement of the brush; for the whole way once the stroke has ended.

        Args:
            is_new: whether a pixel has changed.
            painting: whether the brush is still down.
        """
        if is_new:
            self._session.drop("curve")
            self._screen.show_curve(None)  # which is that of another picture now
        if not painting:
            self.ask_curve()
        elif is_new:
            self._on_curve(None)
            self.ask()

    def ask_curve(self) -> None:
        """Ask for the slider's position anew, and then for the whole way."""
        self.ask()
        self._on_curve(None)
        explanation, shown = self._shown(), self._desk.shown
        if explanation is None or shown is None or self._desk.is_growing:
            return
        mask = self._mask(shown.picture)
        if explanation.is_empty or mask.mode == "multiply":
            self._session.drop("curve")
            self._screen.show_curve(None)
            return
        if mask.baseline in INPAINTINGS:
            # It will be a while until there is another than the one on the screen, on which the answer does not lie.
            self._screen.show_curve(None)
        with self._desk.lock:
            if self._shown() is explanation:
                self._session.submit("curve", lambda: self._run_curve(shown, explanation))

    # -- on the worker's thread ------------------------------------------------------------

    def _run(self, shown: Request, explanation: Explanation) -> None:
        assert shown.target is not None
        if self._shown() is not explanation:
            return
        mask = self._mask(shown.picture)
        bench = self._texts.bench(shown.picture, shown.text)
        levels = bench.levels(explanation)
        changed = masked(bench.pixels(shown.picture), explanation, levels, mask)
        hidden = replaced(mask, explanation, levels)
        fill = filled(shown.picture.id, changed, hidden, mask.baseline)
        values = predict_masked(bench.model, changed)
        with self._desk.lock:
            # While the slider moves on, an answer for where it was is shown; not once it is back at nothing.
            if self._shown() is explanation and not self._session.dropped():
                self._screen.show_answer(explanation, shown.target, values, mask, fill)
                if self._session.superseded("mask"):
                    self._screen.tell(pending=True)

    def _run_curve(self, shown: Request, explanation: Explanation) -> Iterator[None]:
        if self._shown() is not explanation:
            return
        bench = self._texts.bench(shown.picture, shown.text)
        curves = refine_curve(
            bench.model,
            bench.pixels(shown.picture),
            explanation,
            bench.levels(explanation),
            self._mask(shown.picture),
            bench.probabilities(shown.picture),
        )
        whole: MaskCurve | None = None
        for curve in curves:
            stale = self._session.dropped() or self._session.superseded("curve")
            if stale or self._shown() is not explanation:
                return
            if curve is not None:
                whole = curve
                self._screen.show_curve(curve)
            yield
        self._on_curve(whole)
