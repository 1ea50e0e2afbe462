"""``DeepVisPanel``: feature visualization of a class or a channel, drawn while it is computed."""

from __future__ import annotations

import html
import io
import time
from collections.abc import Callable, Iterator
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
from ...runtime.process_exit import ProcessExit
from ..control.map_request import MapRequest
from ..control.worker import Worker
from ..host.interrupts import interrupts
from ..host.lifetime import close_parts
from .choice_setter import ChoiceSetter

__all__ = ["DEEPVIS_JOB", "DeepVisPanel"]

#: Name of the worker's job.
DEEPVIS_JOB = "deepvis"

#: The picture's longest side in CSS pixels, and image pixels for each of them.
SIDE, SHARP = 384, 2

#: Seconds between two intermediate pictures: a compromise between smooth progress and a slow connection.
PAUSE = 0.2

CAVEAT = (
    "It is not a photograph, and the network may also respond to features that it does not show."
)


class DeepVisPanel(ipywidgets.VBox):
    """Feature visualization: draws a picture, on the worker's thread, that raises the score of a class or a channel.

    Args:
        model: from ``load`` or ``wrap``.
        steps: optimization steps; see ``visualize``.
        worker: the worker that draws, as its job ``DEEPVIS_JOB``; one of the panel's own if None.

    Attributes:
        visualization: the last finished picture; None before there is one.
    """

    def __init__(
        self, model: VisionModel, *, steps: int = 128, worker: Worker | None = None
    ) -> None:
        if not isinstance(model, VisionModel):
            raise CamwidgetError(
                f"DeepVisPanel takes a model, not {type(model).__name__}. camwidget.load() makes one."
            )
        self.model = model
        self.steps = steps
        self.visualization: Visualization | None = None
        self._is_guest = worker is not None
        self._worker = worker or Worker((DEEPVIS_JOB,), lambda kind, error: self._failed(error))
        # Methods are called from the browser's thread, the worker and the explorer.
        self._lock = fork_safety.rlock()
        self._requested: object | None = None  # what is to be drawn
        self._is_closed = False
        self._choice_setter = ChoiceSetter(self._lock)
        self._chosen: set[str] = set()
        self._build()
        super().__init__([self._choices, self.bar, self.image, self.message])
        self.add_class("camwidget-deepvis")
        self._connect()

    # -- for scripts -----------------------------------------------------------------------

    def follow(self, target: str | SupportsIndex | None = None, layer: str | None = None) -> None:
        """Set class and layer to those that an explorer shows, unless a person has chosen them in this panel.

        Args:
            target: name or index of the class; None leaves it as it is.
            layer: name of the layer; None leaves it as it is.
        """
        with self._choice_setter.setting():
            if target is not None and "class" not in self._chosen:
                self.class_choice.value = self.model.classes[self.model.class_index(target)]
            if layer is not None and "layer" not in self._chosen:
                place = self.model.layer(layer)
                if place.name not in [name for _, name in self.layer_choice.options]:
                    self.layer_choice.options = (
                        *self.layer_choice.options,
                        (str(place), place.name),
                    )
                self.layer_choice.value = place.name

    def follow_map(self, shown: MapRequest) -> None:
        """Follow the map that the explorer shows."""
        self.follow(shown.target, shown.layer)

    def start(self) -> None:
        """Start to draw the chosen class or channel, and cancel a running drawing. Returns at once."""
        try:
            objective = self._objective()
        except CamwidgetError as error:
            self.cancel()
            self._show_message(str(error), wrong=True)
            return
        seed, steps = self.seed.value, self.steps
        request = object()
        with self._lock:
            if self._is_closed:
                return
            self._requested = request
            self.bar.value = 0
            self._show_running(True)
            self._show_message(f"Drawing {objective.label} …")
            # Under the lock: of two requests at once the last one is drawn.
            self._worker.submit(
                DEEPVIS_JOB,
                lambda: interrupts.canceling(
                    self.cancel, self._draw(request, objective, seed, steps)
                ),
            )

    def cancel(self) -> None:
        """Stop drawing, at the next step; the unfinished picture stays."""
        with self._lock:
            if self._requested is None:
                return
            self._requested = None
            self._worker.drop(DEEPVIS_JOB)
            self._show_running(False)
            self._show_message("Canceled: the picture is not finished.")

    def wait(self, timeout: float | None = None) -> DeepVisPanel:
        """Block until the picture is finished.

        Raises:
            TimeoutError: if that takes longer than ``timeout`` seconds.
        """
        if not self._worker.wait(timeout) and not self._worker.in_worker:
            raise TimeoutError(f"Still drawing after {timeout} s.")
        return self

    def close(self) -> None:
        """Stop drawing, and remove the panel and all its parts from every page."""
        if "_worker" in self.__dict__:  # else the arguments were refused
            with self._lock:
                self._requested = None
                self._is_closed = True
                self._worker.drop(DEEPVIS_JOB)
            if not self._is_guest:
                self._worker.close()
            close_parts(self)
        super().close()

    # -- what it is made of ----------------------------------------------------------------

    def _build(self) -> None:
        model = self.model
        wide = ipywidgets.Layout
        default = model.layer()
        self.kind_choice = ipywidgets.ToggleButtons(
            options=[("Class", "class"), ("Channel", "channel")],
            tooltips=["Raise the score of a class", "Raise the mean of one channel of a layer"],
            style={"button_width": "84px"},
            layout=wide(width="auto"),
        )
        self.class_choice = ipywidgets.Combobox(
            value=model.classes[0],
            options=list(model.classes),
            placeholder="find a class…",
            description="class",
            style={"description_width": "auto"},
            tooltip="The class whose score the picture is to raise",
            layout=wide(width="270px"),
        )
        self.layer_choice = ipywidgets.Dropdown(
            options=[(str(layer), layer.name) for layer in model.layers],
            value=default.name,
            description="layer",
            style={"description_width": "auto"},
            tooltip="The layer of the channel, and the size of its map",
            layout=wide(width="230px", display="none"),
        )
        self.channel_choice = ipywidgets.BoundedIntText(
            value=0,
            min=0,
            max=default.shape[0] - 1,
            description="channel",
            style={"description_width": "auto"},
            layout=wide(width="130px", display="none"),
        )
        self.seed = ipywidgets.BoundedIntText(
            value=0,
            min=0,
            max=2**31 - 1,
            description="seed",
            tooltip="Seed of the noise that the drawing starts from",
            style={"description_width": "auto"},
            layout=wide(width="110px"),
        )
        self.button = ipywidgets.Button(
            description="Start",
            tooltip="Draw a picture that raises the score",
            layout=wide(width="96px"),
        )
        self._choices = ipywidgets.HBox(
            [
                self.kind_choice,
                self.class_choice,
                self.layer_choice,
                self.channel_choice,
                self.seed,
                self.button,
            ],
            layout=wide(flex_flow="row wrap", align_items="center"),
        )
        # Hidden, not taken away: nothing jumps when it appears. Of the height, 8 px are ipywidgets' own margins.
        self.bar = ipywidgets.IntProgress(
            min=0, max=self.steps, layout=wide(width="100%", height="12px", visibility="hidden")
        )
        height, width = model.preprocess.size
        factor = max(1, SIDE // max(height, width))
        shrink = min(1.0, SIDE / (factor * max(height, width)))
        self.image = ipywidgets.Image(
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
        self.message = ipywidgets.HTML(layout=wide(min_height="4.5em"))
        self._show_message(
            "A picture is drawn, from noise, that raises the score of what is chosen."
        )

    def _connect(self) -> None:
        self.button.on_click(lambda button: self._react(self._pressed))
        for part, name, react in (
            (self.kind_choice, "kind", self._show_kind),
            (self.class_choice, "class", None),
            (self.layer_choice, "layer", self._limit_channels),
            (
                self.channel_choice,
                "layer",
                None,
            ),  # a channel's number means nothing at another layer
        ):
            if react is not None:
                part.observe(lambda change, react=react: self._react(react), "value")
            part.observe(lambda change, name=name: self._note_choice(name), "value")

    def _react(self, react: Callable[[], None]) -> None:
        """Call a handler of the page's controls; its errors are shown in the panel."""
        try:
            react()
        except Exception as error:
            self._show_message(error_text(error, self), wrong=True)

    def _note_choice(self, name: str) -> None:
        if not self._choice_setter.is_setting:
            self._chosen.add(name)
        if self._requested is None and self._is_wrong:
            self._show_message("")  # what was wrong has been changed

    def _limit_channels(self) -> None:
        with self._choice_setter.setting():
            self.channel_choice.max = self.model.layer(self.layer_choice.value).shape[0] - 1

    def _show_kind(self) -> None:
        is_class = self.kind_choice.value == "class"
        self.class_choice.layout.display = None if is_class else "none"
        self.layer_choice.layout.display = self.channel_choice.layout.display = (
            "none" if is_class else None
        )

    def _pressed(self) -> None:
        if self._requested is None:
            self.start()
        else:
            self.cancel()

    def _objective(self) -> Objective:
        if self.kind_choice.value == "channel":
            return Objective.of(
                self.model, layer=self.layer_choice.value, channel=self.channel_choice.value
            )
        if not self.class_choice.value.strip():
            raise TargetError("Choose a class first: type a part of its name.")
        return Objective.of(self.model, self.class_choice.value)

    # -- what it shows ---------------------------------------------------------------------

    def _show_running(self, running: bool) -> None:
        self.button.description = "Cancel" if running else "Start"
        self.button.tooltip = "Stop drawing" if running else "Draw a picture that raises the score"
        self.bar.layout.visibility = "visible" if running else "hidden"

    def _show_message(self, text: str, *, wrong: bool = False) -> None:
        self._is_wrong = wrong
        # Class names are anybody's text; so are the messages that quote them.
        self.message.value = html.escape(text)

    # -- on the worker's thread ------------------------------------------------------------

    def _draw(self, request: object, objective: Objective, seed: int, steps: int) -> Iterator[None]:
        try:
            yield from self._steps(request, objective, seed, steps)
        except (GeneratorExit, ProcessExit):  # dropped, or the process is about to end
            raise
        except BaseException as error:  # not the worker's to report: that may be an explorer's
            self._failed(error, request)

    def _steps(
        self, request: object, objective: Objective, seed: int, steps: int
    ) -> Iterator[None]:
        shown = 0.0
        pieces = visualization_steps(self.model, objective, steps=steps, seed=seed, every=4)
        for done, piece in enumerate(pieces, 1):
            with self._lock:
                if self._requested is not request:
                    return
                self.bar.value = min(done, steps)
                if piece is not None and (done > steps or time.monotonic() - shown > PAUSE):
                    self.image.value = _png(piece.pixels)
                    shown = time.monotonic()
                if done > steps:
                    assert piece is not None
                    self.visualization = piece
                    self._requested = None
                    self._show_running(False)
                    self._show_message(sentence(piece, is_class=objective.target is not None))
            yield

    def _failed(self, error: BaseException, request: object | None = None) -> None:
        text = error_text(error, self)
        with self._lock:
            if request is not None and self._requested is not request:
                return  # of another drawing, which goes on
            self._requested = None
            self._show_running(False)
            self._show_message(text, wrong=True)


def sentence(drawn: Visualization, is_class: bool) -> str:
    """Describe which score was raised, from where to where, and what the picture does not prove."""
    what = f"the score of {drawn.label}" if is_class else f"the mean of {drawn.label}"
    sure = "" if drawn.probability is None else f" (probability {drawn.probability:.2f})"
    return (
        f"A picture drawn to raise {what}: {_brief(drawn.before)} → {_brief(drawn.score)}{sure}. "
        f"{CAVEAT}"
    )


def _brief(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def _png(pixels: np.ndarray) -> bytes:
    """Encode uint8 (H, W, 3) as PNG, each pixel repeated: browsers blur pictures that they enlarge."""
    height, width = pixels.shape[:2]
    factor = max(1, SHARP * SIDE // max(height, width))
    image = Image.fromarray(pixels).resize(
        (width * factor, height * factor), Image.Resampling.NEAREST
    )
    file = io.BytesIO()
    image.save(file, "png", compress_level=1)
    return file.getvalue()
