"""What the model says of the masked picture: at the slider's place, and along the whole way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..explanation import Explanation
from ..perturb import MaskCurve
from .maps import MapDesk, Request
from .masking import is_whole, masked_probabilities, refine_curve
from .screen import Screen
from .session import Session
from .texts import Texts

__all__ = ["Mask", "MaskDesk"]


class Mask(NamedTuple):
    """How the picture is masked."""

    mode: str
    baseline: str
    fraction: float


class MaskDesk:
    """Asks the model about the masked picture whenever the mask, or the map that ranks it, is another.

    Args:
        texts: the pictures, and the model under the text of each.
        session: the worker.
        screen: shows the answers.
        desk: knows which map is shown.
        mask: the present mask.
        shown: the explanation shown; an answer about another is not shown any more.
        on_curve: called with each complete curve, and with None when there is none yet.
    """

    def __init__(
        self,
        texts: Texts,
        session: Session,
        screen: Screen,
        desk: MapDesk,
        mask: Callable[[], Mask],
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
        mode, _, fraction = self._mask()
        if explanation.is_empty or is_whole(mode, fraction):
            with self._desk.lock:
                self._session.drop("mask")
                self._screen.show_answer(explanation, shown.target, None, mode, fraction)
            return
        self._screen.tell(pending=True)
        self._session.submit("mask", lambda: self._run(shown, explanation))

    def ask_curve(self) -> None:
        """Ask for the slider's position anew, and then for the whole way."""
        self.ask()
        self._on_curve(None)
        explanation, shown = self._shown(), self._desk.shown
        if explanation is None or shown is None or self._desk.is_growing:
            return
        if explanation.is_empty or self._mask().mode == "multiply":
            self._session.drop("curve")
            self._screen.show_curve(None)
            return
        self._session.submit("curve", lambda: self._run_curve(shown, explanation))

    # -- on the worker's thread ------------------------------------------------------------

    def _run(self, shown: Request, explanation: Explanation) -> None:
        assert shown.target is not None
        mode, baseline, fraction = self._mask()
        bench = self._texts.bench(shown.picture, shown.text)
        values = masked_probabilities(
            bench.model,
            bench.pixels(shown.picture),
            explanation,
            bench.levels(explanation),
            mode,
            baseline,
            fraction,
        )
        with self._desk.lock:
            # While the slider moves on, an answer for where it was is shown; not once it is back at nothing.
            if self._shown() is explanation and not self._session.dropped():
                self._screen.show_answer(explanation, shown.target, values, mode, fraction)
                if self._session.superseded("mask"):
                    self._screen.tell(pending=True)

    def _run_curve(self, shown: Request, explanation: Explanation) -> Iterator[None]:
        mode, baseline, _ = self._mask()
        bench = self._texts.bench(shown.picture, shown.text)
        curves = refine_curve(
            bench.model,
            bench.pixels(shown.picture),
            explanation,
            bench.levels(explanation),
            mode,
            baseline,
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
