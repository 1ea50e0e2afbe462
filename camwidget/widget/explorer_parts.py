"""``ExplorerParts``: builds the parts of an explorer, connects them, and closes them."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import traitlets as t

from .. import zoo
from .._validation import is_integer
from ..errors import CamwidgetError
from ..loading import loader
from ..models.vision_model import VisionModel
from .control.cache import Picture
from .control.comparison import as_models, model_names
from .control.context import TWO_WAY_TRAITS, ExplorerContext
from .control.detection_questions import DetectionQuestions
from .control.failures import FailureHandler
from .control.finding_control import DetectionController
from .control.map_request import COMPARED_JOBS, MAIN_JOBS
from .control.paint import PaintController
from .control.picture_parts import PARTS_JOB
from .control.pictures import PictureList, list_pictures
from .control.reference_control import prompt_controller
from .control.trait_checks import TraitChecks
from .control.trait_publisher import TraitPublisher
from .control.trait_requests import TraitRequests
from .control.view_events import ViewEvents
from .control.worker import Worker
from .panels.accordion import FIND_ATTENTION_JOB, Panels
from .panels.attention import ATTENTION_JOB
from .panels.concepts import CONCEPT_JOBS
from .panels.deepvis import DEEPVIS_JOB
from .panels.factorization import FACTORIZATION_JOB
from .panels.where_did_you_look import WHERE_JOB
from .state.explorer_state import StateContext
from .state.history import History
from .state.python_code import CodeWriter
from .view.display import Display
from .view.synced_traits import View

__all__ = ["ExplorerParts"]

#: Jobs of the worker, from the most to the least urgent.
_JOBS = (
    MAIN_JOBS.quick,
    "pick",
    MAIN_JOBS.prediction,
    "code",
    PARTS_JOB,
    "methods",
    COMPARED_JOBS.quick,
    COMPARED_JOBS.prediction,
    "thumbnails",
    FIND_ATTENTION_JOB,
    ATTENTION_JOB,
    FACTORIZATION_JOB,
    MAIN_JOBS.slow,
    MAIN_JOBS.curve,
    COMPARED_JOBS.curve,
    "class maps",
    "layer maps",
    COMPARED_JOBS.slow,
    WHERE_JOB,
    "sheet",
    *CONCEPT_JOBS,
    "evaluate",
    DEEPVIS_JOB,
)

#: Classes that can be listed: as many as there is room for beside the picture.
_MOST_LISTED = 9


def check_arguments(
    model: VisionModel | Sequence[VisionModel] | None, images: Any, top: int
) -> tuple[tuple[VisionModel, ...], list[Picture], int]:
    """Check the arguments of ``Explorer``; return the models, the pictures, and the number of classes to list.

    Raises:
        CamwidgetError: if an argument cannot be.
    """
    if not is_integer(top, 1, _MOST_LISTED):
        raise CamwidgetError(
            f"top is how many classes are listed, a whole number from 1 to {_MOST_LISTED}, not {top!r}. "
            "All others are found by their names, in the field above them."
        )
    models = as_models(loader.load() if model is None else model)
    main = models[0]
    if images is None:
        images = zoo.samples(main.name) if main.name in zoo.available() else []
    # The classes of a model that takes a text, or references, are not known before there is one; nor are detections.
    is_open = prompt_controller(main, list).is_open
    listed = int(top) if is_open else min(int(top), len(main.classes))
    return models, list_pictures(images, main), listed


@dataclass(frozen=True, eq=False)
class ExplorerParts:
    """Parts of one explorer. They refer to it weakly, so that it is closed with its last user (see ``lifetime``)."""

    context: ExplorerContext
    paint: PaintController
    requests: TraitRequests
    checks: TraitChecks
    events: ViewEvents
    panels: Panels
    state: StateContext
    history: History
    writer: CodeWriter
    failures: FailureHandler

    @classmethod
    def of(
        cls,
        explorer: t.HasTraits,
        models: Sequence[VisionModel],
        pictures: list[Picture],
        listed: int,
    ) -> ExplorerParts:
        """Build the parts of an explorer, before it has any traits.

        Args:
            explorer: the explorer.
            models: from ``as_models``.
            pictures: from ``list_pictures``.
            listed: how many classes to list.
        """
        proxy: Any = weakref.proxy(explorer)
        # These functions are called later, when all parts exist.
        worker = Worker(
            _JOBS,
            lambda job, error: failures.job_failed(job, error),
            lambda: failures.worker_idle(),
        )
        display = Display(
            models[0],
            listed,
            lambda row: events.pick_row(row),
            lambda number: events.pick_picture(number),
            lambda name, content: events.upload(name, content),
        )
        traits = TraitPublisher(explorer, lambda text: display.publish(error=text))
        listed_pictures = PictureList(pictures)
        prompts = tuple(prompt_controller(model, lambda: listed_pictures.all) for model in models)
        context = ExplorerContext(proxy, traits, listed_pictures, prompts, worker, display)
        paint = PaintController(context)
        requests = TraitRequests(context, paint)
        failures = FailureHandler(context, requests)
        events = ViewEvents(context, requests, proxy)
        panels = Panels(context.prompt, worker, display, events, context.pictures)
        state = StateContext(context, requests, paint)
        writer = CodeWriter(state)
        history = History(state, lambda: writer.code())
        failures.keep_weights()
        requests.follow(panels)
        requests.follow(history)
        return cls(
            context,
            paint,
            requests,
            TraitChecks(context, paint),
            events,
            panels,
            state,
            history,
            writer,
            failures,
        )

    def first_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Complete the given values of the explorer's traits by defaults that depend on the models.

        Raises:
            PromptError: if the text cannot be read.
            TargetError: if a detector is asked about what no detection has.
        """
        context, main = self.context, self.context.prompt.model
        first: dict[str, Any] = {"layer": main.default_layer}
        if main.no_maps:
            first["method"] = "saliency"
        if len(context.models) > 1:
            first["compare"] = {"model": 1}
        prompt = context.prompt
        if isinstance(prompt, DetectionController):
            first |= {"about": prompt.about, "least_score": prompt.least_score}
        first |= values
        if isinstance(prompt, DetectionController):  # before the target, which is a detection
            checks = self.checks
            prompt.ask(checks.about(first["about"]), checks.least_score(first["least_score"]))
        if prompt.trait == "references":  # before the target, which is one of them
            given = first.get("references")
            first["references"] = prompt.first if given is None else prompt.readable(given)
            prompt.write(None, first["references"])
        elif first.get("region") is not None and prompt.trait == "region":
            pictures, number = context.pictures.all, first.get("picture", 0)
            picture = pictures[number] if 0 <= number < len(pictures) else None
            prompt.write(picture, prompt.readable(first["region"]))
        elif "text" in first:  # before the target, whose classes depend on it
            first["text"] = context.prompt.readable(first["text"])
            pictures, number = context.pictures.all, first.get("picture", 0)
            picture = pictures[number] if 0 <= number < len(pictures) else None
            context.prompt.write(picture, first["text"])
        return first

    @property
    def view(self) -> View:
        """The picture view, with all synced traits."""
        return self.context.display.view

    @property
    def widgets(self) -> list[Any]:
        """The widgets of the explorer's box, which has the CSS class ``camwidget-explorer``."""
        return [*self.context.display.parts, self.panels.box]

    def start(self) -> None:
        """Show the first values of the traits, start to observe them, and request the first map."""
        context, values = self.context, self.context.values
        context.display.publish(
            pictures=context.pictures.names,
            **context.prompt.panels(context.picture),
            models=list(model_names(context.models)),
            compare=values.compare or {},
            has_ground_truth=context.pictures.has_truth,
            **{name: getattr(values, name) for name in TWO_WAY_TRAITS},
        )
        context.display.show_methods(values.layer, wait=False)
        self.events.connect()
        self.requests.connect()
        DetectionQuestions(context, self.requests).connect()
        self.history.connect()
        self.requests.request_methods()
        self.context.request_thumbnails()
        self.requests.request(values.target)

    def close(self) -> None:
        """Release all maps and pictures: a closed explorer may still be referred to."""
        self.requests.forget()
        self.context.display.forget()
        for prompt in self.context.prompts:
            prompt.forget_all()
