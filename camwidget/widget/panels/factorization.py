"""``FactorizationPanel``: the parts that a layer sees in the picture, in colors; a click on a color masks the part."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import ipywidgets
import numpy as np

from ...attribution.factorization import MOST_PARTS, Factorization, factorize
from ...attribution.stance import Stance, stance_target
from ...errors import CamwidgetError
from ...execution.module_state import ModuleState
from ...masking.user_mask import HIDDEN, decode
from ...models.model_state import model_state
from ...plotting import SERIES
from ...runtime import fork_safety
from ...runtime.error_reports import error_text
from ..control.cache import Picture
from ..control.map_request import Given, MapRequest
from ..control.prompt_control import PromptController
from ..control.worker import Worker
from ..host.lifetime import close_parts
from ..view.canvas import SharpCanvas
from ..view.synced_traits import View

__all__ = ["FACTORIZATION_JOB", "FactorizationPanel", "colored_parts"]

#: Name of the worker's job.
FACTORIZATION_JOB = "factorization"

#: Length of the picture's longer side in CSS pixels.
_SIDE = 300
#: Number of parts at first.
_PARTS = 4
#: Brightness of masked pixels, and width of the stripes on them in picture pixels.
_MASKED, _STRIPE = 0.5, 4

#: By arrow key, the step to another part; and the keys that mask the chosen one.
_STEPS = {"ArrowUp": -1, "ArrowLeft": -1, "ArrowDown": 1, "ArrowRight": 1}
_TOGGLING = ("Enter", " ")

_COLORS = np.array([list(bytes.fromhex(color[1:])) for color in SERIES[:MOST_PARTS]]) / 255


@dataclass(frozen=True)
class _About:
    """What is factorized, and what the evidence is for."""

    picture: Picture
    text: Given | None
    layer: str
    target: int | None
    stance: Stance
    parts: int
    state: ModuleState


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Parts that are shown, and the picture that they are of."""

    found: Factorization
    picture: Picture


class FactorizationPanel(ipywidgets.VBox):
    """The parts that the layer shown sees in the picture, with their evidence for the class shown.

    A click on a color in the picture, or on a part's button, hides that part by paint, as the brush does; a second
    click shows it again. With the focus on the picture, arrow keys choose a part, and Enter hides it.

    Args:
        prompts: the model and its caches.
        worker: the explorer's, which computes as its job ``FACTORIZATION_JOB``.
        view: the explorer's, whose paint is shown.
        toggle: hides a region, bool (H, W), of a picture by paint, or shows it again if all of it is hidden.
    """

    def __init__(
        self,
        prompts: PromptController,
        worker: Worker,
        view: View,
        toggle: Callable[[Picture, np.ndarray], None],
    ) -> None:
        self._prompts = prompts
        self._worker = worker
        self._view = view
        self._toggle = toggle
        # Methods are called from the browser's thread, the worker and the explorer. Not held while drawing: that takes
        # the canvases' lock, which a new page takes first.
        self._lock = fork_safety.rlock()
        self._shown: MapRequest | None = None
        self._about: _About | None = None
        self._drawn: _Drawn | None = None
        #: The part that arrow keys have chosen.
        self._chosen: int | None = None
        self._build()
        super().__init__([self.count_choice, self.message, self._found])
        self.add_class("camwidget-factorization")
        self.count_choice.observe(lambda change: self._counted(), "value")
        view.observe(self._repaint, "paint")

    # -- for scripts -----------------------------------------------------------------------

    @property
    def found(self) -> Factorization | None:
        """The parts that are shown; None before there are any."""
        drawn = self._drawn
        return None if drawn is None else drawn.found

    def follow_map(self, shown: MapRequest) -> None:
        """Factorize the picture that the explorer shows at its layer, unless that is done."""
        state = model_state(self._prompts.model)
        about = _About(
            *(shown.picture, shown.text, shown.layer, shown.target, shown.stance),
            self.count_choice.value,
            state,
        )
        with self._lock:
            self._shown = shown
            if about == self._about:
                return
            self._about = about
            self._worker.submit(FACTORIZATION_JOB, lambda: self._compute(about))

    def toggle(self, part: int) -> None:
        """Hide a part of the picture by paint, or show it again if all of it is hidden.

        Args:
            part: number of the part, from 0; of others nothing happens.
        """
        drawn = self._drawn
        if drawn is not None and 0 <= part < len(drawn.found.concepts):
            region = drawn.found.areas[0] == part
            if region.any():
                self._toggle(drawn.picture, region)

    def close(self) -> None:
        """Stop computing, and remove the panel and all its parts from every page."""
        if self.comm is None:
            return  # closed already
        with self._lock:
            self._shown = self._about = self._drawn = None
        self._worker.drop(FACTORIZATION_JOB)
        self._view.unobserve(self._repaint, "paint")
        close_parts(self)
        super().close()

    # -- what it is made of ----------------------------------------------------------------

    def _build(self) -> None:
        self.count_choice = ipywidgets.Dropdown(
            options=list(range(1, MOST_PARTS + 1)),
            value=_PARTS,
            description="parts",
            tooltip="How many parts the picture is divided into",
            style={"description_width": "auto"},
            layout={"width": "120px"},
        )
        # Its text is always escaped.
        self.message = ipywidgets.HTML()
        self.canvas = SharpCanvas(
            self._draw, self._clicked, self._show_message, on_key=self._pressed
        )
        self.canvas.canvas.add_class("camwidget-parts-canvas")
        self.chosen_text = ipywidgets.HTML()
        self.chosen_text.add_class("camwidget-parts-text")
        self.buttons = [self._part_button(number) for number in range(MOST_PARTS)]
        side = ipywidgets.VBox([*self.buttons, self.chosen_text], layout={"margin": "0 0 0 8px"})
        self._found = ipywidgets.HBox(
            [self.canvas.canvas, side],
            layout={"display": "none", "flex_flow": "row wrap", "align_items": "flex-start"},
        )

    def _part_button(self, number: int) -> ipywidgets.Button:
        button = ipywidgets.Button(
            layout={
                "width": "400px",
                "max_width": "100%",
                "border_left": f"14px solid {SERIES[number]}",
                "display": "none",
            },
            style={"text_align": "left"},
        )
        button.on_click(lambda _: self._react(partial(self.toggle, number)))
        return button

    def _react(self, react: Callable[[], None]) -> None:
        """Call a handler of the page's controls; its errors are shown in the panel."""
        try:
            react()
        except Exception as error:
            self._show_message(error_text(error, self))

    def _counted(self) -> None:
        with self._lock:
            shown = self._shown
        if shown is not None:
            self._react(lambda: self.follow_map(shown))

    def _clicked(self, x: float, y: float) -> None:
        drawn = self._drawn
        if drawn is None:
            return
        area = drawn.found.areas[0]
        row, column = int(y / _scale(area.shape)), int(x / _scale(area.shape))
        if 0 <= row < area.shape[0] and 0 <= column < area.shape[1]:
            self.toggle(int(area[row, column]))

    def _pressed(self, key: str) -> None:
        """Choose the next or previous part that covers pixels, or mask the chosen one."""
        drawn = self._drawn
        if drawn is None:
            return
        if key in _TOGGLING:
            if self._chosen is not None:
                self.toggle(self._chosen)
        elif key in _STEPS:
            parts = [int(part) for part in np.unique(drawn.found.areas[0]) if part >= 0]
            at = parts.index(self._chosen) if self._chosen in parts else -1
            step = _STEPS[key] if at >= 0 else max(_STEPS[key], 0)
            self._chosen = parts[(at + step) % len(parts)] if parts else None
            self._show_chosen()
            self.canvas.draw()

    # -- what it shows ---------------------------------------------------------------------

    def _show_chosen(self) -> None:
        """Say which part is chosen, as its button does."""
        chosen = self._chosen
        if chosen is None:
            self.chosen_text.value = ""
            return
        button = self.buttons[chosen]
        self.chosen_text.value = html.escape(f"{button.description}. Enter: {button.tooltip}.")

    def _show_message(self, text: str) -> None:
        # Names of models and layers may contain HTML written by others.
        self.message.value = html.escape(text)

    def _repaint(self, change: dict[str, Any]) -> None:
        if self._drawn is not None:
            self._show_buttons()
            self._show_chosen()
            self.canvas.draw()

    def _masked(self, drawn: _Drawn) -> np.ndarray:
        """Return which pixels of the picture are hidden by paint, bool (H, W)."""
        payload, shape = self._view.paint, drawn.found.areas.shape[1:]
        if payload.get("scene") != drawn.picture.id:
            return np.zeros(shape, bool)
        try:
            paint = decode(payload.get("runs", []), shape)
        except CamwidgetError:  # paint of another size, which the explorer rejects too
            return np.zeros(shape, bool)
        return np.zeros(shape, bool) if paint is None else paint == HIDDEN

    def _show_buttons(self) -> None:
        drawn = self._drawn
        if drawn is None:
            return
        found, masked = drawn.found, self._masked(drawn)
        area = found.areas[0]
        for number, button in enumerate(self.buttons):
            is_used = number < len(found.concepts)
            button.layout.display = None if is_used else "none"
            if not is_used:
                continue
            region = area == number
            is_hidden = bool(region.any()) and bool(masked[region].all())
            evidence = f"{found.evidence[0, 0, number]:+.2f}".replace("-", "−")
            button.description = (
                f"part {number + 1} · evidence {evidence} · {region.mean():.0%} of the picture"
                + (" · masked" if is_hidden else "")
            )
            button.disabled = not region.any()
            button.tooltip = (
                f"Show part {number + 1} again" if is_hidden else f"Mask part {number + 1}"
            )

    def _draw(self) -> None:
        canvas, drawn = self.canvas.canvas, self._drawn
        canvas.clear()
        if drawn is None:
            return
        scale = SharpCanvas.SHARP * _scale(drawn.found.areas.shape[1:])
        canvas.save()
        canvas.scale(scale, scale)
        colored = colored_parts(drawn.found, self._masked(drawn), self._chosen)
        canvas.put_image_data(colored, 0, 0)
        canvas.restore()

    # -- on the worker's thread ------------------------------------------------------------

    def _compute(self, about: _About) -> None:
        drawn, text = None, ""
        try:
            cache = self._prompts.cache(about.picture, about.text)
            index = cache.predicted(about.picture) if about.target is None else about.target
            target = stance_target(cache.model, index, about.stance)
            found = factorize(
                cache.model, cache.pixels(about.picture), about.parts, target, about.layer
            )
            drawn = _Drawn(found, about.picture)
            text = (
                f"What {found.layer} sees: its activations as a sum of parts (deep feature factorization), which "
                f"explain {found.explained:.0%} of them. Evidence is what a part adds to the score of "
                f"{found.targets[0][0]}. Click a color, or a button, to mask the part; on the picture, arrow keys "
                "choose one and Enter masks it."
            )
        except Exception as error:
            text = error_text(error, self)
        with self._lock:
            if self._about is not about:
                return
            self._drawn, self._chosen = drawn, None
        self._show_message(text)
        self._found.layout.display = None if drawn is not None else "none"
        if drawn is not None:
            height, width = drawn.found.areas.shape[1:]
            scale = _scale((height, width))
            self._show_buttons()
            self._show_chosen()
            self.canvas.resize(round(width * scale), round(height * scale))
            self.canvas.draw()


def colored_parts(
    found: Factorization, masked: np.ndarray, chosen: int | None = None
) -> np.ndarray:
    """Draw the first picture of a factorization in gray with its parts in colors, and stripes where it is masked.

    Args:
        found: the parts.
        masked: which pixels are hidden, bool (H, W).
        chosen: number of the part with a white edge; none if None.

    Returns:
        uint8 (H, W, 3).
    """
    area, strength = found.areas[0], found.maps[0].max(0)
    gray = found.pixels[0].mean(-1, keepdims=True) / 255
    opacity = np.where(area < 0, 0, 0.75 * strength)[..., None]
    colors = _COLORS[area]
    mixed = (1 - opacity) * gray + opacity * colors
    rows, columns = np.indices(area.shape)
    stripes = ((rows + columns) // _STRIPE % 2 == 0) & (area >= 0)
    hidden = np.where(stripes[..., None], colors, _MASKED)
    drawn: np.ndarray = np.round(255 * np.where(masked[..., None], hidden, mixed)).astype(np.uint8)
    if chosen is not None:
        region = np.pad(area == chosen, 1)
        inside = region[:-2, 1:-1] & region[2:, 1:-1] & region[1:-1, :-2] & region[1:-1, 2:]
        drawn[(area == chosen) & ~inside] = 255
    return drawn


def _scale(shape: tuple[int, ...]) -> float:
    """Return the CSS pixels of a picture pixel."""
    return _SIDE / max(shape)
