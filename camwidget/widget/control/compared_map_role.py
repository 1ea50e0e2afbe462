"""What the map controller does for the compared map (B) only: derive its request from A's, and show it next to A."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...analysis.mask_curve import MaskCurve
from ...attribution.explanation import Explanation
from ...attribution.methods import get_method
from ...attribution.stance import explained_class
from ...execution.module_state import ModuleState
from ...export.selection import quantity_of
from ...models.findings import Findings
from ...runtime.error_reports import error_text
from ..view import sentences
from ..view.display import Display
from ..view.mask_settings import MaskSettings
from .cache import Picture
from .comparison import (
    ComparedInputs,
    difference,
    index_of_class,
    model_names,
    resolve,
    why_no_difference,
)
from .map_request import COMPARED_JOBS, MapRequest, MapResult
from .prompt_control import PromptController

__all__ = ["ComparedMapRole", "ComparedRequest"]


@dataclass(frozen=True, eq=False)
class ComparedRequest:
    """A request for the compared map. No two are equal: each finished main map makes a new one.

    Attributes:
        compare: how B differs from A (see ``Explorer.compare``).
        shown: the request of the main map.
        main: the main map.
        settings: settings of methods, which both maps have.
    """

    compare: Mapping[str, Any]
    shown: MapRequest
    main: Explanation
    settings: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _ComparedPair:
    """Maps A and B while B is shown."""

    main: Explanation
    other: Explanation
    no_difference: str  #: why there is no difference; empty if there is one
    rows: tuple[tuple[int, int | None], ...]  #: the listed classes, by A's index and by B's


class ComparedMapRole:
    """Role of the compared map (see ``MapRole``). Its errors are shown where B would be.

    Args:
        prompts: of each model.
        pictures: gives the pictures to choose from.
        display: shows everything.
    """

    jobs = COMPARED_JOBS
    dependent_jobs: tuple[str, ...] = ()
    goes_back = False

    def __init__(
        self,
        prompts: Sequence[PromptController],
        pictures: Callable[[], Sequence[Picture]],
        display: Display,
    ) -> None:
        self._prompts = prompts
        self._names = model_names([one.model for one in prompts])
        self._pictures = pictures
        self._display = display
        self._comparison: _ComparedPair | None = None

    def difference(self, main: Explanation, frames: int | None) -> np.ndarray | None:
        """The main map's saliency minus B's; None where there is no B, or the two are not of the same pixels.

        Of a clip of ``frames`` frames it has a time axis.
        """
        shown = self._comparison
        if shown is None or shown.no_difference or shown.main is not main:
            return None
        found = difference(shown.main, shown.other)
        return found if frames is None else found.reshape(frames, -1, found.shape[-1])

    # -- what is computed ------------------------------------------------------------------

    def is_slow(self, request: ComparedRequest) -> bool:
        """Whether B's method runs the model many times."""
        return get_method(request.compare.get("method", request.shown.method)).slow

    def state(self) -> ModuleState | None:
        """Return nothing: the main map, which B follows, notices a changed model."""
        return None

    def resolve(self, request: ComparedRequest) -> ComparedInputs:
        """Look up B's model, picture, class, method and layer; the model may run to propose a text."""
        return resolve(
            request.compare,
            request.shown,
            request.main,
            self._prompts,
            self._pictures(),
            request.settings,
        )

    def completed(
        self, request: ComparedRequest, result: MapResult[ComparedInputs]
    ) -> ComparedRequest:
        """Return the request as it is."""
        return request

    # -- what is shown ---------------------------------------------------------------------

    def show_nothing(self) -> None:
        """Remove B: nothing is compared."""
        self._clear()
        self._display.publish(
            compared_explanation={}, compared_scene={}, compared_status={}, compared_prediction={}
        )

    def show_waiting(self) -> None:
        """Dim the previous B until the main map, and then the next B, are computed."""
        self._clear()
        self._display.publish(compared_status={"busy": True})

    def show_requested(self, request: ComparedRequest, before: ComparedRequest | None) -> None:
        """Dim the previous B."""
        self.show_waiting()

    def _clear(self) -> None:
        self._comparison = None
        self._display.chart.show_other(None)

    def prepare_growing(self, inputs: ComparedInputs) -> Callable[[], None]:
        """Prepare nothing: a slow B shows only its progress."""
        return lambda: None

    def show_progress(
        self, inputs: ComparedInputs, explanation: Explanation, share: float, *, is_due: bool
    ) -> None:
        """Show the progress of a slow B, if ``is_due``."""
        if is_due:
            text = sentences.growing(explanation.method_label, explanation.target.label, share)
            self._display.publish(compared_status={"busy": True, "progress": share, "note": text})

    def prepare(self, result: MapResult[ComparedInputs], milliseconds: float) -> Callable[[], None]:
        """Encode a finished B for the browser; the function returned shows it."""
        inputs, explanation = result.inputs, result.explanation
        scene = self._scene(inputs)
        classes = self._display.model.classes
        comparison = _ComparedPair(
            inputs.main,
            explanation,
            why_no_difference(self._prompts[0].base, inputs),
            tuple((i, self._class_in(result, i, classes[i])) for i in self._display.row_classes),
        )
        other = {
            **inputs.cache.payload(inputs.picture, explanation),
            "scene": scene.get("id", inputs.picture.id),
            "label": {
                "model": self._names[inputs.number],
                "picture": inputs.picture.name,
                "target": explanation.target.label,
                "method": explanation.method_label,
                "layer": explanation.layer,
            },
            "substitutions": inputs.note,
            "no_difference": comparison.no_difference,
        }

        def show() -> None:
            self._comparison = comparison
            self._display.publish(
                compared_scene=scene,
                compared_explanation=other,
                compared_status={},
                compared_prediction=self._numbers(result, None),
            )

        return show

    def _scene(self, inputs: ComparedInputs) -> dict[str, Any]:
        """Encode the picture as B's model gets it; empty where the main map's model gets the same pixels."""
        if inputs.has_paint:
            return {}
        # Two models may get the same picture at different sizes: each is a scene of its own.
        name = f"{inputs.picture.id} of model {inputs.number}"
        if self._display.view.compared_scene.get("id") == name:
            return self._display.view.compared_scene
        return {**inputs.cache.scene(inputs.picture), "id": name}

    def show_canceled(self, request: ComparedRequest, share: float) -> None:
        """Show nothing: B is dropped, not canceled."""

    def show_restored(self, request: ComparedRequest | None, *, was_growing: bool) -> bool:
        """Return False: the previous B is not kept."""
        return False

    def show_error(self, error: Exception, result: MapResult[ComparedInputs] | None) -> None:
        """Show an error where B would be; B itself stays if only its prediction failed."""
        text = error_text(error, self)
        if result is None:
            self._display.publish(
                compared_explanation={}, compared_prediction={}, compared_status={"error": text}
            )
        else:
            self._display.publish(
                compared_prediction=self._numbers(result, None), compared_status={"error": text}
            )

    def show_pending(self) -> None:
        """Show nothing: the previous numbers stay until the next prediction."""

    def show_prediction(
        self,
        result: MapResult[ComparedInputs],
        values: np.ndarray | None,
        mask: MaskSettings,
        inpainted: dict[str, Any],
        found: Findings | None,
    ) -> None:
        """Show B's prediction for the masked picture, and the pixels of an inpainted fill."""
        if values is not None:
            scene = self._display.view.compared_explanation["scene"]
            filled = {"scene": scene, **inpainted} if inpainted else {}
            self._display.publish(compared_baseline_fill=filled)
        self._display.publish(compared_prediction=self._numbers(result, values), compared_status={})

    def _numbers(
        self, result: MapResult[ComparedInputs], masked: np.ndarray | None
    ) -> dict[str, Any]:
        """Encode B's numbers for its class and for A's listed classes; None where B's model lacks the class."""

        def value(values: np.ndarray | None, index: int | None) -> float | None:
            is_known = values is not None and index is not None and not np.isnan(values[index])
            return float(values[index]) if is_known else None  # type: ignore[index]

        def pair(index: int | None) -> dict[str, float | None]:
            return {"unmasked": value(result.unmasked, index), "masked": value(masked, index)}

        rows = () if self._comparison is None else self._comparison.rows
        return {
            "quantity": quantity_of(result.model),
            "target": pair(result.target),
            "rows": [{"index": main, **pair(other)} for main, other in rows],
        }

    @staticmethod
    def _class_in(result: MapResult[ComparedInputs], index: int, name: str) -> int | None:
        """Return the class of B that stands in the row of a class of A; None if there is none."""
        if result.inputs.is_mirrored:  # the two cosines are the same number
            return result.target if index == explained_class(result.inputs.main.target) else None
        return index_of_class(result.model, name)

    def show_stale_curve(self, mask: MaskSettings) -> None:
        """Remove B's old curve."""
        self._display.chart.show_other(None)

    def show_curve(self, curve: MaskCurve | None) -> None:
        """Draw B's curve, complete or not; None removes it."""
        self._display.chart.show_other(curve)

    def publish_curve(self, curve: MaskCurve | None) -> None:
        """Publish nothing: the explorer has no trait for B's curve."""
