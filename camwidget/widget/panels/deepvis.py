"""``DeepVisPanel``: feature visualization of a class or a channel, drawn while it is computed."""

from __future__ import annotations

import html
import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import SupportsIndex

import ipywidgets
import numpy as np
from PIL import Image

from ...analysis.feature_visualization.objective import Objective
from ...analysis.feature_visualization.visualizing import Visualization, visualization_steps
from ...errors import CamwidgetError, TargetError
from ...models.vision_model import VisionModel
from ...runtime import fork_safety
from ...runtime.error_reports import error_text
from ..control.map_controller import Request
from ..control.worker import Worker
from ..host.interrupts import interrupts
from ..host.lifetime import close_parts

__all__ = ["DREAM", "DeepVisPanel"]

#: The kind of a session's job that draws.
DREAM = "dream"

#: The longest side that the picture is shown with, in CSS pixels, and canvas pixels to each.
SIDE, SHARP = 384, 2

#: Seconds between two intermediate pictures: often enough to see it grow, seldom enough for a slow line.
PAUSE = 0.2

CAVEAT = "It is no photograph, and the net may also answer to what it does not show."


class DeepVisPanel(ipywidgets.VBox):
    """Draws, off the main thread, a picture that raises the score of a class or of a channel.

    Args:
        model: from ``load`` or ``wrap``.
        steps: of the drawing; see ``visualize``.
        session: the worker that draws, as its job ``DREAM``; one of the panel's own if None.

    Attributes:
        visualization: the last picture that was finished, None before.
    """

    def __init__(
        self, model: VisionModel, *, steps: int = 128, session: Worker | None = None
    ) -> None:
        if not isinstance(model, VisionModel):
            raise CamwidgetError(
                f"DeepVisPanel takes a model, not {type(model).__name__}. camwidget.load() makes one."
            )
        self.model = model
        self.steps = steps
        self.visualization: Visualization | None = None
        self._is_guest = session is not None
        self._session = session or Worker((DREAM,), lambda kind, error: self._failed(error))
        # The browser, the worker and an explorer to follow may come at once.
        self._lock = fork_safety.rlock()
        self._asked: object | None = None  # what is to be drawn
        self._is_closed = False
        self._setting: int | None = None
        self._chosen: set[str] = set()
        self._build()
        super().__init__([self._choices, self._bar, self._image, self._message])
        self.add_class("camwidget-deepvis")
        self._connect()

    # -- for scripts -----------------------------------------------------------------------

    def follow(self, target: str | SupportsIndex | None = None, layer: str | None = None) -> None:
        """Take over what an explorer shows, as far as nobody has chosen for themselves here."""
        with self._by_itself():
            if target is not None and "class" not in self._chosen:
                self._class.value = self.model.classes[self.model.class_index(target)]
            if layer is not None and "layer" not in self._chosen:
                place = self.model.layer(layer)
                if place.name not in [name for _, name in self._layer.options]:
                    self._layer.options = (*self._layer.options, (str(place), place.name))
                self._layer.value = place.name

    def follow_map(self, shown: Request) -> None:
        """The explorer shows this map."""
        self.follow(shown.target, shown.layer)

    def start(self) -> None:
        """Draw what is chosen, in place of what is being drawn. Returns at once."""
        try:
            aim = self._aim()
        except CamwidgetError as error:
            self.cancel()
            self._say(str(error), wrong=True)
            return
        seed, steps = self._seed.value, self.steps
        request = object()
        with self._lock:
            if self._is_closed:
                return
            self._asked = request
            self._bar.value = 0
            self._show_running(True)
            self._say(f"Drawing {aim.label} …")
            # Under the lock: of two requests at once the last one is drawn.
            self._session.submit(
                DREAM, lambda: interrupts.heard(self.cancel, self._draw(request, aim, seed, steps))
            )

    def cancel(self) -> None:
        """Stop drawing, at the next step; the unfinished picture stays."""
        with self._lock:
            if self._asked is None:
                return
            self._asked = None
            self._session.drop(DREAM)
            self._show_running(False)
            self._say("Cancelled: the picture is not finished.")

    def wait(self, timeout: float | None = None) -> DeepVisPanel:
        """Block until the picture is finished.

        Raises:
            TimeoutError: if that takes longer than ``timeout`` seconds.
        """
        if not self._session.wait(timeout) and not self._session.in_worker:
            raise TimeoutError(f"Still drawing after {timeout} s.")
        return self

    def close(self) -> None:
        """Stop drawing, and remove the panel and all its parts from every page."""
        if "_session" in self.__dict__:  # else the arguments were refused
            with self._lock:
                self._asked = None
                self._is_closed = True
                self._session.drop(DREAM)
            if not self._is_guest:
                self._session.close()
            close_parts(self)
        super().close()

    # -- what it is made of ----------------------------------------------------------------

    def _build(self) -> None:
        model = self.model
        wide = ipywidgets.Layout
        default = model.layer()
        self._kind = ipywidgets.ToggleButtons(
            options=[("Class", "class"), ("Channel", "channel")],
            tooltips=["The whole net's answer", "What one channel of a layer answers to"],
            style={"button_width": "84px"},
            layout=wide(width="auto"),
        )
        self._class = ipywidgets.Combobox(
            value=model.classes[0],
            options=list(model.classes),
            placeholder="find a class…",
            description="class",
            style={"description_width": "auto"},
            tooltip="The class whose score the picture is to raise",
            layout=wide(width="270px"),
        )
        self._layer = ipywidgets.Dropdown(
            options=[(str(layer), layer.name) for layer in model.layers],
            value=default.name,
            description="layer",
            style={"description_width": "auto"},
            tooltip="The layer of the channel, and the size of its map",
            layout=wide(width="230px", display="none"),
        )
        self._channel = ipywidgets.BoundedIntText(
            value=0,
            min=0,
            max=default.shape[0] - 1,
            description="channel",
            style={"description_width": "auto"},
            layout=wide(width="130px", display="none"),
        )
        self._seed = ipywidgets.BoundedIntText(
            value=0,
            min=0,
            max=2**31 - 1,
            description="seed",
            tooltip="Another number begins with other noise, and draws another picture",
            style={"description_width": "auto"},
            layout=wide(width="110px"),
        )
        self._button = ipywidgets.Button(
            description="Start",
            tooltip="Draw a picture that raises the score",
            layout=wide(width="96px"),
        )
        self._choices = ipywidgets.HBox(
            [self._kind, self._class, self._layer, self._channel, self._seed, self._button],
            layout=wide(flex_flow="row wrap", align_items="center"),
        )
        # Hidden, not taken away: nothing jumps when it appears. Of the height, 8 px are ipywidgets' own margins.
        self._bar = ipywidgets.IntProgress(
            min=0, max=self.steps, layout=wide(width="100%", height="12px", visibility="hidden")
        )
        height, width = model.preprocess.size
        factor = max(1, SIDE // max(height, width))
        shrink = min(1.0, SIDE / (factor * max(height, width)))
        self._image = ipywidgets.Image(
            value=_png(np.full((height, width, 3), 128, np.uint8)),
            format="png",
            layout=wide(
                width=f"{round(shrink * factor * width)}px",
                height=f"{round(shrink * factor * height)}px",
                object_fit="contain",
                flex="0 0 auto",
            ),
        )
        # A Label would cut what is longer than the line. All that is put in is escaped.
        self._message = ipywidgets.HTML(layout=wide(min_height="4.5em"))
        self._say("A picture is drawn, from noise, that raises the score of what is chosen.")

    def _connect(self) -> None:
        self._button.on_click(lambda button: self._react(self._pressed))
        for part, name, react in (
            (self._kind, "kind", self._show_kind),
            (self._class, "class", None),
            (self._layer, "layer", self._limit_channels),
            (self._channel, "layer", None),  # a channel's number means nothing at another layer
        ):
            if react is not None:
                part.observe(lambda change, react=react: self._react(react), "value")
            part.observe(lambda change, name=name: self._note_choice(name), "value")

    def _react(self, react: Callable[[], None]) -> None:
        """Do what a person has asked for in a page; what goes wrong is said."""
        try:
            react()
        except Exception as error:
            self._say(error_text(error, self), wrong=True)

    @contextmanager
    def _by_itself(self) -> Iterator[None]:
        """What this thread sets is no person's choice."""
        with self._lock:
            before, self._setting = self._setting, threading.get_ident()
            try:
                yield
            finally:
                self._setting = before

    def _note_choice(self, name: str) -> None:
        if self._setting != threading.get_ident():
            self._chosen.add(name)
        if self._asked is None and self._is_wrong:
            self._say("")  # what was wrong has been changed

    def _limit_channels(self) -> None:
        with self._by_itself():
            self._channel.max = self.model.layer(self._layer.value).shape[0] - 1

    def _show_kind(self) -> None:
        is_class = self._kind.value == "class"
        self._class.layout.display = None if is_class else "none"
        self._layer.layout.display = self._channel.layout.display = "none" if is_class else None

    def _pressed(self) -> None:
        if self._asked is None:
            self.start()
        else:
            self.cancel()

    def _aim(self) -> Objective:
        if self._kind.value == "channel":
            return Objective.of(self.model, layer=self._layer.value, channel=self._channel.value)
        if not self._class.value.strip():
            raise TargetError("Choose a class first: type a part of its name.")
        return Objective.of(self.model, self._class.value)

    # -- what it shows ---------------------------------------------------------------------

    def _show_running(self, running: bool) -> None:
        self._button.description = "Cancel" if running else "Start"
        self._button.tooltip = "Stop drawing" if running else "Draw a picture that raises the score"
        self._bar.layout.visibility = "visible" if running else "hidden"

    def _say(self, text: str, *, wrong: bool = False) -> None:
        self._is_wrong = wrong
        # Class names are anybody's text; so are the messages that quote them.
        self._message.value = html.escape(text)

    # -- on the worker's thread ------------------------------------------------------------

    def _draw(self, request: object, aim: Objective, seed: int, steps: int) -> Iterator[None]:
        try:
            yield from self._steps(request, aim, seed, steps)
        except GeneratorExit:  # dropped
            raise
        except BaseException as error:  # not the session's: that may be an explorer's
            self._failed(error, request)

    def _steps(self, request: object, aim: Objective, seed: int, steps: int) -> Iterator[None]:
        shown = 0.0
        pieces = visualization_steps(self.model, aim, steps=steps, seed=seed, every=4)
        for done, piece in enumerate(pieces, 1):
            with self._lock:
                if self._asked is not request:
                    return
                self._bar.value = min(done, steps)
                if piece is not None and (done > steps or time.monotonic() - shown > PAUSE):
                    self._image.value = _png(piece.pixels)
                    shown = time.monotonic()
                if done > steps:
                    assert piece is not None
                    self.visualization = piece
                    self._asked = None
                    self._show_running(False)
                    self._say(sentence(piece, is_class=aim.target is not None))
            yield

    def _failed(self, error: BaseException, request: object | None = None) -> None:
        text = error_text(error, self)
        with self._lock:
            if request is not None and self._asked is not request:
                return  # of another drawing, which goes on
            self._asked = None
            self._show_running(False)
            self._say(text, wrong=True)


def sentence(drawn: Visualization, is_class: bool) -> str:
    """What was raised, how far, and what that does not mean."""
    what = f"the score of {drawn.label}" if is_class else f"the mean of {drawn.label}"
    sure = "" if drawn.probability is None else f" (probability {drawn.probability:.2f})"
    return (
        f"A picture drawn to raise {what}: {_brief(drawn.before)} → {_brief(drawn.score)}{sure}. "
        f"{CAVEAT}"
    )


def _brief(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def _png(pixels: np.ndarray) -> bytes:
    """A PNG of uint8 (H, W, 3), each pixel several times: browsers blur what they enlarge."""
    height, width = pixels.shape[:2]
    factor = max(1, SHARP * SIDE // max(height, width))
    image = Image.fromarray(pixels).resize(
        (width * factor, height * factor), Image.Resampling.NEAREST
    )
    file = io.BytesIO()
    image.save(file, "png", compress_level=1)
    return file.getvalue()
