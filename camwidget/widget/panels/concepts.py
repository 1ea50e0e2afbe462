"""``ConceptPanel``: explains a decision by the named units of a layer, with the pictures that each responds to."""

from __future__ import annotations

import html
import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np
from PIL import Image

from ...analysis.decision_description import TextualExplanation, UnitReason, describe_decision
from ...analysis.dissecting import dissection_steps
from ...analysis.dissection import Dissection, Unit, UnitExample, unit_examples
from ...attribution.stance import stance_target
from ...execution.module_state import ModuleState
from ...models.model_state import model_state
from ...models.vision_model import VisionModel
from ...runtime import fork_safety
from ...runtime.error_reports import error_text
from ..control.map_request import MapRequest
from ..control.prompt_control import PromptController
from ..control.worker import Worker
from ..host.interrupts import interrupts
from ..host.lifetime import close_parts
from .choice_setter import ChoiceSetter
from .concept_pictures import ConceptPictures

__all__ = ["CONCEPT_JOBS", "ConceptPanel"]

#: Names of the worker's jobs, the most urgent first: the sentence, the pictures of a unit, and the dissection.
CONCEPT_JOBS = ("decision", "unit pictures", "dissection")

#: Units named for and against; pictures of a unit, their side in CSS pixels, and image pixels for each of them.
REASONS, PICTURES, SIDE, SHARP = 5, 6, 104, 2

#: Pictures in one step of the worker, after which a waiting request of the slider runs.
BATCH = 4

#: How many layers' units are remembered.
MOST_LAYERS = 8

#: Seconds between two updates of the progress bar.
PACE = 0.1


@dataclass(frozen=True)
class _Named:
    """A layer's dissection, and the state of the model that it holds for."""

    state: ModuleState
    dissection: Dissection


class ConceptPanel(ipywidgets.VBox):
    """Network dissection of the layer shown, and the textual explanation of the decision shown.

    Start names the units of the layer, once for each layer. Then a sentence says which units speak for and against
    the class, and follows picture, class and stance; a click on a unit shows the pictures that raise it most.

    Args:
        prompts: the model, and its caches.
        worker: the explorer's, with ``CONCEPT_JOBS``.
        pictures: the pictures with known concepts.

    Attributes:
        decision: the explanation shown; None before the units are named.
    """

    def __init__(
        self, prompts: PromptController, worker: Worker, pictures: ConceptPictures
    ) -> None:
        self._prompts = prompts
        self._worker = worker
        self._pictures = pictures
        # Methods are called from the browser's thread, the worker and the explorer.
        self._lock = fork_safety.rlock()
        self._shown: MapRequest | None = None
        self._requested: object | None = None  # the dissection that is running
        self._named: dict[tuple[str | None, str], _Named] = {}  # by text and layer, oldest first
        self._dissection: Dissection | None = None  # of the layer shown
        self._choice_setter = ChoiceSetter(self._lock)
        self._has_chosen = False  # whether a person has chosen the unit
        self.decision: TextualExplanation | None = None
        self._build()
        super().__init__([self._start_row, self.bar, self.message, self.found])
        self.add_class("camwidget-concepts")

    # -- for scripts -----------------------------------------------------------------------

    def follow_map(self, shown: MapRequest) -> None:
        """Explain the decision of the map that the explorer shows, if the units of its layer are named."""
        with self._lock:
            self._shown = shown
            self._worker.submit("decision", lambda: self._decide(shown))

    def start(self) -> None:
        """Start to name the units of the layer shown, and cancel a running dissection. Returns at once."""
        with self._lock:
            shown = self._shown
            if shown is None:
                return
            self._requested = request = object()
            self.bar.value = 0
            self._show_running(True)
            self._say(f"Naming the units of {shown.layer} …")
            # Under the lock: of two at once the last one is computed.
            self._worker.submit(
                "dissection",
                lambda: interrupts.canceling(self.cancel, self._dissect(request, shown)),
            )

    def cancel(self) -> None:
        """Cancel the dissection. Units of other layers keep their names."""
        with self._lock:
            if self._requested is None:
                return
            self._requested = None
            self._worker.drop("dissection")
            self._show_running(False)
            self._say("Canceled.")
            if self._shown is not None:
                self.follow_map(self._shown)

    def close(self) -> None:
        """Stop computing, and remove the panel and all its parts from every page."""
        if self.comm is None:
            return  # closed already
        with self._lock:
            self._requested = self._shown = None
        self._worker.drop(*CONCEPT_JOBS)
        close_parts(self)
        super().close()

    # -- what it is made of ----------------------------------------------------------------

    def _build(self) -> None:
        layout = ipywidgets.Layout
        self.button = ipywidgets.Button(description="Start", layout=layout(width="96px"))
        self.button.on_click(lambda button: self._react(self._pressed))
        self.about = ipywidgets.HTML()
        self._start_row = ipywidgets.HBox(
            [self.button, self.about], layout=layout(align_items="center")
        )
        # Hidden but still taking space, so that the layout does not jump when it appears.
        self.bar = ipywidgets.IntProgress(
            min=0, max=1, layout=layout(width="100%", height="12px", visibility="hidden")
        )
        # A Label would cut what is longer than the line. All that is put in is escaped.
        self.message = ipywidgets.HTML(layout=layout(min_height="3em"))
        self.reasons = {sign: self._reason_list(sign) for sign in ("for", "against")}
        self.unit_choice = ipywidgets.Dropdown(
            description="unit",
            style={"description_width": "auto"},
            tooltip="The unit whose pictures are shown",
            layout=layout(width="300px"),
        )
        self.unit_choice.observe(lambda change: self._react(self._unit_chosen), "value")
        self.caption = ipywidgets.HTML()
        self.image = ipywidgets.Image(
            value=_strip([], (1, 1)),
            format="png",
            layout=layout(
                height=f"{SIDE}px", max_width="100%", object_fit="contain", object_position="left"
            ),
        )
        lists = [ipywidgets.VBox([head, *rows]) for head, rows in self.reasons.values()]
        for each in lists:
            each.layout = layout(flex="1 1 240px", max_width="340px")
        self.found = ipywidgets.VBox(
            [
                ipywidgets.HBox(lists, layout=layout(flex_flow="row wrap")),
                self.unit_choice,
                self.caption,
                self.image,
            ],
            layout=layout(display="none"),
        )

    def _reason_list(self, sign: str) -> tuple[ipywidgets.HTML, list[ipywidgets.Button]]:
        """A heading, and buttons for units, which stay the same while their texts change."""

        def pressed(button: ipywidgets.Button) -> None:
            self._react(lambda: self._reason_pressed(sign, rows.index(button)))

        rows = [ipywidgets.Button(layout={"width": "100%"}) for _ in range(REASONS)]
        for row in rows:
            row.add_class("camwidget-unit")
            row.on_click(pressed)
        return ipywidgets.HTML(), rows

    # -- what a person does ----------------------------------------------------------------

    def _react(self, react: Any) -> None:
        """Call a handler of the page's controls; its errors are shown in the panel."""
        try:
            react()
        except Exception as error:
            self._say(error_text(error, self), wrong=True)

    def _pressed(self) -> None:
        if self._requested is None:
            self.start()
        else:
            self.cancel()

    def _reason_pressed(self, sign: str, row: int) -> None:
        with self._lock:
            told = self.decision
            reasons: Sequence[UnitReason] = () if told is None else _reasons(told, sign)
            if row < len(reasons):
                self._has_chosen = True
                self.unit_choice.value = reasons[row].unit

    def _unit_chosen(self) -> None:
        with self._lock:
            dissection, unit = self._dissection, self.unit_choice.value
            if dissection is None or unit is None:
                return
            if not self._choice_setter.is_setting:
                self._has_chosen = True
            self._worker.submit("unit pictures", lambda: self._show_unit(dissection, unit))

    # -- what it shows ---------------------------------------------------------------------

    def _show_running(self, running: bool) -> None:
        self.button.description = "Cancel" if running else "Start"
        self.bar.layout.visibility = "visible" if running else "hidden"

    def _say(self, text: str, *, wrong: bool = False) -> None:
        # Names of classes and concepts, and errors that quote them, may contain HTML written by others.
        said = html.escape(text)
        self.message.value = f"<b>{said}</b>" if wrong else said

    def _show_invitation(self, layer: str) -> None:
        self.decision = self._dissection = None
        self.button.layout.display = None
        self.about.value = html.escape(f"names the units of {layer} by {self._pictures.origin}")
        self.found.layout.display = "none"
        if self._requested is None:
            self._say(
                "A unit is a channel of a layer. It is named after the concept that its strongest activations cover; "
                "then the decision can be told in these names."
            )

    def _show_decision(self, told: TextualExplanation, dissection: Dissection) -> None:
        is_new = dissection is not self._dissection
        self.decision, self._dissection = told, dissection
        named = len(dissection.named)
        self.about.value = html.escape(
            f"{named} of the {len(dissection.units)} units of {dissection.layer} are named, "
            f"by {self._pictures.origin}"
        )
        if self._requested is None:
            self.button.layout.display = "none"  # there is nothing left to start
            self._say(told.text)
        for sign, (head, rows) in self.reasons.items():
            head.value = f"Units {sign} {html.escape(told.label)}, by the gradient of its score"
            reasons = _reasons(told, sign)
            for number, row in enumerate(rows):
                is_used = number < len(reasons)
                row.layout.visibility = "visible" if is_used else "hidden"
                if is_used:
                    row.description, row.tooltip = _row(reasons[number])
        self.found.layout.display = None
        with self._choice_setter.setting():
            if is_new:
                self._has_chosen = False
                self.unit_choice.options = _choices(dissection)
            if not self._has_chosen:
                reasons = _reasons(told, "for") or _reasons(told, "against")
                first = reasons[0].unit if reasons else 0
                if is_new and self.unit_choice.value == first:
                    self._unit_chosen()
                self.unit_choice.value = first

    # -- on the worker's thread ------------------------------------------------------------

    def _decide(self, shown: MapRequest) -> None:
        try:
            cache = self._prompts.cache(shown.picture, shown.text)
            known = self._known(cache.model, shown)
            told = None
            if known is not None:
                index = cache.predicted(shown.picture) if shown.target is None else shown.target
                target = stance_target(cache.model, index, shown.stance)
                pixels = cache.pixels(shown.picture)
                told = describe_decision(cache.model, pixels, known, target, REASONS)
            with self._lock:
                if self._shown is not shown:
                    return
                if known is None or told is None:
                    self._show_invitation(shown.layer)
                else:
                    self._show_decision(told, known)
        except Exception as error:
            self._say(error_text(error, self), wrong=True)

    def _known(self, model: VisionModel, shown: MapRequest) -> Dissection | None:
        """The dissection of the layer shown, by the model as it is now."""
        with self._lock:
            named = self._named.get((model.text, shown.layer))
        if named is None or named.state != model_state(model):
            return None
        return named.dissection

    def _dissect(self, request: object, shown: MapRequest) -> Iterator[None]:
        try:
            model = self._prompts.cache(shown.picture, shown.text).model
            state = model_state(model)
            pictures, published = self._pictures, 0.0
            total = 3 * pictures.count  # each is made, and then run twice
            for done in pictures.steps():
                if time.monotonic() - published > PACE:
                    self._show_progress(request, done, total)
                    published = time.monotonic()
                yield
            for step in dissection_steps(
                model,
                pictures.samples,
                shown.layer,
                concept_categories=pictures.categories,
                max_batch=BATCH,
            ):
                self._show_progress(request, pictures.count + step.done, total)
                if (dissection := step.dissection) is not None:
                    self._end(request, (model.text, shown.layer), _Named(state, dissection))
                    return
                yield
        except Exception as error:
            with self._lock:
                if self._requested is request:
                    self._requested = None
                    self._show_running(False)
                    self._say(error_text(error, self), wrong=True)

    def _show_progress(self, request: object, done: int, total: int) -> None:
        with self._lock:
            if self._requested is request:
                self.bar.max, self.bar.value = total, done

    def _end(self, request: object, key: tuple[str | None, str], named: _Named) -> None:
        with self._lock:
            if self._requested is not request:
                return
            self._named.pop(key, None)
            self._named[key] = named
            while len(self._named) > MOST_LAYERS:
                del self._named[next(iter(self._named))]
            self._requested = None
            self._show_running(False)
            if self._shown is not None:
                self.follow_map(self._shown)

    def _show_unit(self, dissection: Dissection, unit: int) -> None:
        try:
            examples = unit_examples(dissection, unit, PICTURES)
            picture = _strip(examples, dissection.subject.preprocess.size)
            text = _unit_sentence(dissection.units[unit])
            with self._lock:
                if self._dissection is dissection and self.unit_choice.value == unit:
                    self.caption.value, self.image.value = html.escape(text), picture
        except Exception as error:
            self._say(error_text(error, self), wrong=True)


def _reasons(told: TextualExplanation, sign: str) -> Sequence[UnitReason]:
    return told.reasons if sign == "for" else told.counter_reasons


def _unit_sentence(unit: Unit) -> str:
    """What is shown of a unit, and how well its name fits."""
    name = (
        f"overlaps with {unit.concept} best, IoU {unit.iou:.2f}"
        if unit.concept
        else f"fits no concept well, IoU at most {unit.iou:.2f}"
    )
    return (
        f"Unit {unit.unit} {name}. Below are the pictures that raise it most, with the region in which it is active "
        "outlined."
    )


def _row(reason: UnitReason) -> tuple[str, str]:
    """The text and the tooltip of a unit's button."""
    quiet = "" if reason.is_active else ", inactive here"
    gradient = f"{reason.importance:+.2g}".replace("-", "−")
    name = f"{reason.concept or 'no name'} · unit {reason.unit} · {gradient}{quiet}"
    where = "active" if reason.is_active else "active nowhere"
    return name, (
        f"Mean gradient of the score over the unit's map: {reason.importance:+.3g}; {where} in this picture. "
        "Click for the pictures that raise the unit most."
    )


def _choices(dissection: Dissection) -> list[tuple[str, int]]:
    """All units for the dropdown: those with a name by concept, then the others."""
    by_concept = [unit for units in dissection.detectors.values() for unit in units]
    nameless = [each.unit for each in dissection.units if each.concept is None]
    return [
        (f"{dissection.units[n].concept or 'no name'} · unit {n}", n)
        for n in (*by_concept, *nameless)
    ]


def _strip(examples: Sequence[UnitExample], size: Sequence[int]) -> bytes:
    """Encode pictures side by side as PNG, with outlined regions, on a transparent ground."""
    from scipy import ndimage  # not at the top: it takes longer to import than all panels

    side, gap = SIDE * SHARP, 6 * SHARP
    height, width = (max(1, round(side * each / max(size))) for each in size)
    strip = np.zeros((side, PICTURES * (side + gap) - gap, 4), np.uint8)
    for number, example in enumerate(examples):
        picture = Image.fromarray(example.pixels).resize((width, height), Image.Resampling.BILINEAR)
        tile = np.asarray(picture.convert("RGB")).copy()
        mask = Image.fromarray(example.region).resize((width, height), Image.Resampling.NEAREST)
        region = np.asarray(mask, dtype=bool)
        # A dark line beside a bright one is seen on any picture.
        tile[ndimage.binary_dilation(region, iterations=SHARP) & ~region] = (20, 20, 20)
        tile[region & ~ndimage.binary_erosion(region, iterations=SHARP)] = (255, 221, 51)
        left = number * (side + gap)
        strip[:height, left : left + width, :3] = tile
        strip[:height, left : left + width, 3] = 255
    file = io.BytesIO()
    Image.fromarray(strip, "RGBA").save(file, "png", compress_level=1)
    return file.getvalue()
