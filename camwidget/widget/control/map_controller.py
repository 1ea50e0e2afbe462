"""Schedule requests for saliency maps, and publish their results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ...attribution.explanation import Explanation
from ...attribution.methods import get_method
from ...execution.structure_copy import weight_versions
from ...models.vision_model import VisionModel
from ...runtime import fork_safety
from ..host.interrupts import interrupts
from ..view import messages
from ..view.display import Display
from .cache import ModelCache, Picture
from .class_probe import ClassProbe
from .map_location import MapLocation
from .prompt_control import PromptController
from .truth_overlay import TruthOverlay
from .worker import Worker

__all__ = ["COMPARED_KINDS", "MapController", "Request"]

#: Work for a map beside this one, which goes when this one does: a quick map, the slider's place, the way, a slow map.
COMPARED_KINDS = ("other", "other mask", "other curve", "other grow")


class Request(NamedTuple):
    """What a map is asked of.

    ``target`` None stands for the predicted class; ``text`` None for the picture's, which the model may have still to
    propose. A target is one of the classes under the text: where it is given, so is the text.
    """

    picture: Picture
    target: int | None
    method: str
    layer: str
    text: str | None = None


class _Drawing(NamedTuple):
    """All that the screen was given for a finished map, so that it comes back without computing anything."""

    scene: dict[str, Any]
    model: VisionModel
    explanation: Explanation
    target: int
    wire: dict[str, Any]
    whole: np.ndarray
    status: str
    also: dict[str, Any]


class MapController:
    """Takes requests for maps, has them made off the main thread, and shows them.

    Args:
        texts: makes them, under the text of each picture.
        session: the worker.
        screen: shows them.
        on_shown: called with each finished map once it is shown, and what it was asked of.
        on_back: called with the request whose map is on the screen, when another came to nothing.
    """

    #: Seconds between two partial maps: each is ranked, sent and painted.
    PACE = 0.2

    def __init__(
        self,
        texts: PromptController,
        session: Worker,
        screen: Display,
        on_shown: Callable[[Explanation, Request], None],
        on_back: Callable[[Request], None],
    ) -> None:
        self._texts = texts
        self._truths = TruthOverlay(texts.model)
        self._boxes = MapLocation()
        self._evidence = ClassProbe(texts, session, screen)
        self._session = session
        self._screen = screen
        self._on_shown = on_shown
        self._on_back = on_back
        #: Held while what is asked for, or shown, changes; never while somebody else's observers are called.
        self.lock = fork_safety.rlock()
        self.requested: Request | None = None
        self.shown: Request | None = None
        self._drawing: _Drawing | None = None  # of what is shown
        self._failed: Request | None = None  # whose job raised last
        self._growing = False
        self._share = 0.0
        self._weights: tuple[int, ...] = ()  # those that the map was asked of

    @property
    def is_growing(self) -> bool:
        """Whether an unfinished map is on the screen, which has no numbers yet."""
        return self._growing

    def ask(self, request: Request) -> None:
        """Ask for a map, in place of any other that is not finished."""
        slow = get_method(request.method).slow
        # Its job is submitted under the lock: of two requests at once the last one's job is the last one too.
        weights = weight_versions(self._texts.model.module)
        with self.lock:
            before, self.requested = self.requested, request
            known, self._weights = self._weights, weights
            if request == before and weights == known:
                return
            self._growing, self._share = slow, 0.0
            self._session.drop(
                "map", "grow", "stages", "evidence", "mask", "curve", "pick", *COMPARED_KINDS
            )
            self._screen.tell(busy=True, progress=-1.0, error="", partial=False, cancellable=slow)
            self._screen.tell(other_state={"busy": True})
            if before is None or before._replace(target=request.target) != request:
                # What a click found holds for this picture, method and layer, whatever class is chosen.
                self._screen.tell(here={})
            if before is not None and before.text != request.text:
                self._screen.tell(stages={})  # they do not say of which text they are
            if slow:
                self._session.submit("grow", lambda: self._grow_heard(request))
            else:
                self._session.submit("map", lambda: self._make(request))

    def renew(self) -> bool:
        """Ask once more for a quick map that is of other weights than the model has by now; whether it is."""
        request = self.requested
        if request is None or get_method(request.method).slow:
            return False
        if weight_versions(self._texts.model.module) == self._weights:
            return False
        self.ask(request)
        return True

    def again(self) -> None:
        """Ask once more for what was asked last."""
        with self.lock:
            request, self.requested = self.requested, None
        if request is not None:
            self.ask(request)

    def cancel(self) -> None:
        """Stop the slow map that is being made; what was shown before comes back."""
        with self.lock:
            given_up = self.requested
            if not self._growing or given_up is None:
                return
            self._session.drop("grow")
            label = get_method(given_up.method).label
            status = f"{label} cancelled at {100 * self._share:.0f} %"
            shown = self._back()
            self._screen.tell(status=status)
        self._announce_back(shown)

    def back_after_failure(self) -> None:
        """The job that raised last has no map to show: back to the one before, unless another was asked for since."""
        with self.lock:
            if self._failed is None or self._failed != self.requested:
                return
            self._failed = None
            shown = self._back()
        self._announce_back(shown)

    def forget(self) -> None:
        """Nothing is shown any more: let go of what was."""
        with self.lock:
            self._drawing = None

    def _back(self) -> Request | None:
        """Put what is shown in place of what was asked for; under the lock. None where nothing is shown."""
        was_growing, self._growing = self._growing, False
        shown = self.requested = self.shown
        self._screen.tell(busy=False, partial=False, cancellable=False)
        drawing = self._drawing
        if shown is None or drawing is None:
            return None
        # The picture may have changed before its map failed, or was given up.
        was_elsewhere = self._screen.view.scene.get("id") != drawing.scene["id"]
        if was_elsewhere:
            self._screen.tell(scene=drawing.scene)
        if was_growing or was_elsewhere:
            self._draw(drawing)
        self._evidence.follow(shown)
        return shown

    def _announce_back(self, shown: Request | None) -> None:
        """Let the controls claim what the map shows; observers are called, who may wait for the worker."""
        if shown is not None and self.requested == shown:
            self._on_back(shown)

    # -- on the worker's thread ------------------------------------------------------------

    @contextmanager
    def _noting_failure(self, request: Request) -> Iterator[None]:
        try:
            yield
        except GeneratorExit:  # dropped, in whichever thread
            raise
        except BaseException:
            with self.lock:
                self._failed = request
            raise

    def _make(self, request: Request) -> None:
        with self._noting_failure(request):
            self._make_quick(request)

    def _grow_heard(self, request: Request) -> Iterator[object]:
        with self._noting_failure(request):
            yield from interrupts.heard(self.cancel, self._grow(request))

    def _make_quick(self, request: Request) -> None:
        start = time.perf_counter()
        self._set_scene(request)
        bench = self._texts.bench(request.picture, request.text)
        explanation = bench.explanation(*request[:4])
        self._finish(request, bench, explanation, 1000 * (time.perf_counter() - start))

    def _grow(self, request: Request) -> Iterator[None]:
        start = told = time.perf_counter()
        self._set_scene(request)
        bench = self._texts.bench(request.picture, request.text)
        # What the model says of the picture does not wait for the map.
        whole = bench.probabilities(request.picture)
        index = bench.predicted(request.picture) if request.target is None else request.target
        label = get_method(request.method).label
        name = bench.model.classes[index]
        with self.lock:
            if self.requested != request:
                return
            also = self._beside(request.picture, bench, index, None)
            self._screen.show_growing(bench.model, label, index, whole, **also)
        for share, explanation in bench.growing(*request[:4]):
            with self.lock:
                if self.requested != request:
                    return
                self._share = share
                self._screen.tell(progress=share, status=messages.growing(label, name, share))
                if share < 1 and time.perf_counter() - told > self.PACE:
                    wire = bench.wire(request.picture, explanation)
                    self._screen.tell(explanation=wire, partial=True)
                    told = time.perf_counter()
            if share < 1:
                yield
        self._finish(request, bench, explanation, 1000 * (time.perf_counter() - start))

    def _set_scene(self, request: Request) -> bool:
        """Show the request's picture; whether another was shown."""
        if self._screen.view.scene.get("id") == request.picture.id:
            return False
        self._screen.tell(scene=self._texts.base.scene(request.picture))
        return True

    def _finish(
        self, request: Request, bench: ModelCache, explanation: Explanation, milliseconds: float
    ) -> None:
        index = explanation.target.index
        assert index is not None  # the widget explains classes
        model = bench.model
        wire = bench.wire(request.picture, explanation)
        whole = bench.probabilities(request.picture)
        status = messages.status(model, explanation, milliseconds)
        also = self._beside(request.picture, bench, index, explanation)
        with self.lock:
            if self.requested != request:
                return
            self._growing = False
            self.requested = self.shown = shown = request._replace(target=index, text=model.text)
            scene = self._screen.view.scene
            drawing = _Drawing(scene, model, explanation, index, wire, whole, status, also)
            self._drawing = drawing
            self._draw(drawing)
        self._on_shown(explanation, shown)
        self._evidence.follow(shown)
        self._session.submit("stages", lambda: self._show_stages(shown))

    def _draw(self, drawing: _Drawing) -> None:
        _, model, explanation, target, wire, whole, status, also = drawing
        self._screen.show_map(model, explanation, target, wire, whole, status, **also)

    def _beside(
        self, picture: Picture, bench: ModelCache, target: int, explanation: Explanation | None
    ) -> dict[str, Any]:
        """What else changes with a map: the text's panel, the truth, and the map's box."""
        return {
            "prompt": self._texts.panel(picture, bench.model),
            "truth": self._truths.wire(picture, bench.model, target, explanation),
            "box": self._boxes.wire(picture, bench.model, target, explanation),
        }

    def _show_stages(self, shown: Request) -> Iterator[None]:
        """The same map at every layer, so that moving along them costs nothing."""
        picture, target, method, _, text = shown
        assert target is not None
        layers = []
        for layer in self._texts.bench(picture, text).stages(picture, target, method):
            layers.append(layer)
            yield  # whatever is asked meanwhile goes first
            if self._session.dropped():
                return
        stages = {"scene": picture.id, "target": target, "method": method, "layers": layers}
        with self.lock:
            if self.requested == shown:
                self._screen.tell(stages=stages if layers else {})
