"""What the map controller does for the main map (A) only: find its inputs, show map, prediction and curve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import RLock
from typing import Any

import numpy as np

from ...analysis.mask_curve import MaskCurve
from ...attribution.explanation import Explanation
from ...attribution.methods import get_method
from ...execution.module_state import ModuleState
from ...masking.inpainting import INPAINTINGS
from ...models.findings import Findings
from ...models.model_state import model_state
from ..view import sentences
from ..view.display import Display, DrawnMap
from ..view.mask_settings import MaskSettings
from .cache import ModelCache, Picture
from .class_maps import ClassMaps
from .ground_truth_overlay import GroundTruthOverlay
from .map_location import MapLocation
from .map_request import COMPARED_JOBS, MAIN_JOBS, MapInputs, MapRequest, MapResult
from .method_settings import configured
from .picture_parts import PictureParts
from .prompt_control import PromptController
from .worker import Worker

__all__ = ["MainMapRole"]


class MainMapRole:
    """Role of the main map, which is shown over the large picture (see ``MapRole``).

    Args:
        prompts: give the model's cache under the text of each picture.
        worker: runs the jobs that follow a map: the maps of the listed classes, and the map at every layer.
        display: shows everything.
        lock: the map controllers', held while what is requested or shown changes.
        on_curve: called with each complete curve, and with None when there is none yet.
    """

    jobs = MAIN_JOBS
    dependent_jobs: tuple[str, ...] = ("layer maps", "class maps", "pick", *COMPARED_JOBS)
    goes_back = True

    def __init__(
        self,
        prompts: PromptController,
        worker: Worker,
        display: Display,
        lock: RLock,
        on_curve: Callable[[MaskCurve | None], None],
    ) -> None:
        self._prompts = prompts
        self._lock = lock
        self._worker = worker
        self._display = display
        self._on_curve = on_curve
        self._ground_truth = GroundTruthOverlay(prompts.model)
        self._locations = MapLocation()
        self._class_maps = ClassMaps(prompts, worker, display)
        #: Sends the parts of the picture shown.
        self.parts = PictureParts(prompts, worker, display)
        #: The last finished map as it was shown, so that it can be shown again without computing anything.
        self._drawn: DrawnMap | None = None
        #: Encodes its box by the present threshold.
        self._drawn_box: Callable[[], dict[str, Any]] | None = None

    # -- what is computed ------------------------------------------------------------------

    def is_slow(self, request: MapRequest) -> bool:
        """Whether the method runs the model many times."""
        return get_method(request.method).slow

    def state(self) -> ModuleState | None:
        """The state of the model's module, which differs when its weights, submodules, hooks or attributes do."""
        return model_state(self._prompts.model)

    def resolve(self, request: MapRequest) -> MapInputs:
        """Show the picture, and look up the cache for its text; the model may run to propose the text."""
        picture = request.picture
        if self._display.view.scene.get("id") != picture.id:
            self._display.publish(scene=self._prompts.base.scene(picture))
        return MapInputs(
            self._prompts.cache(picture, request.text),
            picture,
            request.target,
            request.method,
            request.layer,
            request.stance,
            request.options,
        )

    def completed(self, request: MapRequest, result: MapResult[MapInputs]) -> MapRequest:
        """Return the request with the class and the text of its result."""
        given = self._prompts.given_in(result.model)
        return request._replace(target=result.target, text=given)

    # -- what is shown ---------------------------------------------------------------------

    def show_requested(self, request: MapRequest, before: MapRequest | None) -> None:
        """Show that a map is being computed, and clear what belongs to the previous picture or text."""
        self._display.publish(
            busy=True,
            progress=-1.0,
            error="",
            partial=False,
            can_cancel=self.is_slow(request),
        )
        self._display.publish(compared_status={"busy": True})
        if before is None or before[:2] != request[:2] or before[4:6] != request[4:6]:
            self._display.publish(
                awaits_rival=False
            )  # the rival, or another picture, has been chosen
        if (
            before is None
            or before._replace(target=request.target, stance=request.stance) != request
        ):
            # The result of a click holds for its picture, method and layer, whichever class is chosen.
            self._display.publish(class_probe={})
        if before is not None and before[4:] != request[4:]:
            # They do not carry the text, stance and settings of their maps.
            self._display.publish(layer_maps={})

    def prepare_growing(self, inputs: MapInputs) -> Callable[[], None]:
        """Compute the prediction for the unmasked picture, so that the class list does not wait for a slow map."""
        cache, picture = inputs.cache, inputs.picture
        unmasked = cache.probabilities(picture)
        target = cache.predicted(picture) if inputs.target is None else inputs.target
        label = get_method(inputs.method).label
        overlays = self._overlays(picture, cache, target, None)
        return lambda: self._display.show_growing(
            cache.model, label, target, inputs.stance, unmasked, **overlays
        )

    def show_progress(
        self, inputs: MapInputs, explanation: Explanation, share: float, *, is_due: bool
    ) -> None:
        """Show the progress of a slow map, and if ``is_due`` also the partial map."""
        label, name = get_method(inputs.method).label, explanation.target.label
        self._display.publish(progress=share, status=sentences.growing(label, name, share))
        if is_due:
            payload = inputs.cache.payload(inputs.picture, explanation)
            parts = self.parts.payload(inputs.picture, explanation)
            self._display.publish(explanation=payload, picture_parts=parts, partial=True)

    def prepare(self, result: MapResult[MapInputs], milliseconds: float) -> Callable[[], None]:
        """Encode a finished map for the browser; the function returned shows it."""
        picture, cache, explanation = result.inputs.picture, result.inputs.cache, result.explanation
        threshold = self._display.view.box_threshold
        drawn = DrawnMap(
            scene=self._display.view.scene,
            model=result.model,
            explanation=explanation,
            target=result.target,
            payload=cache.payload(picture, explanation),
            unmasked=result.unmasked,
            status=sentences.status(result.model, explanation, milliseconds),
            overlays=self._overlays(picture, cache, result.target, explanation),
            found=cache.findings(picture),
        )

        def box() -> dict[str, Any]:
            return self._box(picture, cache, result.target, explanation)

        def show() -> None:
            with self._lock:
                self._drawn, self._drawn_box = drawn, box
            self._display.show_map(drawn)
            if self._display.view.box_threshold != threshold:
                self.show_box()  # which was set while the map was encoded

        return show

    def show_box(self) -> None:
        """Show the box of the map shown by another threshold."""
        with self._lock:
            drawn, box = self._drawn, self._drawn_box
            if drawn is None or box is None:
                return
            self._drawn = replace(drawn, overlays={**drawn.overlays, "box": (now := box())})
            self._display.publish(box=now)

    def show_canceled(self, request: MapRequest, share: float) -> None:
        """Show at which share of its work a slow map was canceled."""
        label = get_method(request.method).label
        self._display.publish(status=f"{label} canceled at {100 * share:.0f} %")

    def show_restored(self, request: MapRequest | None, *, was_growing: bool) -> bool:
        """Show the previous map again after a newer one failed or was canceled; return whether there is one."""
        self._display.publish(busy=False, partial=False, can_cancel=False)
        drawn = self._drawn
        if request is None or drawn is None:
            return False
        # The picture may have changed before its map failed, or was canceled.
        was_elsewhere = self._display.view.scene.get("id") != drawn.scene["id"]
        if was_elsewhere:
            self._display.publish(scene=drawn.scene)
        if was_growing or was_elsewhere:
            self._display.show_map(drawn)
        self._class_maps.follow(request)
        self.parts.follow(request)
        return True

    def show_error(self, error: Exception, result: MapResult[MapInputs] | None) -> None:
        """Raise the error: the worker reports it."""
        raise error

    def show_pending(self) -> None:
        """Dim the numbers of the masked picture until the next prediction."""
        self._display.publish(pending=True)

    def show_prediction(
        self,
        result: MapResult[MapInputs],
        values: np.ndarray | None,
        mask: MaskSettings,
        inpainted: dict[str, Any],
        found: Findings | None,
    ) -> None:
        """Show the prediction for the masked picture, where its classes are, and the pixels of an inpainted fill."""
        scene = result.inputs.picture.id
        filled = {"scene": scene, **inpainted} if inpainted else None
        self._display.show_prediction(result.explanation, values, mask, filled, found)

    def show_stale_curve(self, mask: MaskSettings) -> None:
        """Remove the old curve where computing the new one takes long; otherwise keep it until it is replaced."""
        if mask.baseline in INPAINTINGS:
            self._display.show_curve(None)

    def show_curve(self, curve: MaskCurve | None) -> None:
        """Draw a curve, complete or not; None removes it."""
        self._display.show_curve(curve)

    def publish_curve(self, curve: MaskCurve | None) -> None:
        """Set the explorer's ``curve`` trait."""
        self._on_curve(curve)

    def forget(self) -> None:
        """Release the map and the ground truth: the explorer is closed."""
        self._drawn = self._drawn_box = None
        self._ground_truth.forget()
        self._locations.forget()
        self.parts.forget()

    # -- what is computed after a map ----------------------------------------------------------------

    def follow(self, shown: MapRequest) -> None:
        """Submit the jobs that add to a map that is shown: the maps of the listed classes, and of the other layers."""
        self._class_maps.follow(shown)
        self.parts.follow(shown)
        self._worker.submit("layer maps", lambda: self._compute_layer_maps(shown))

    def _overlays(
        self, picture: Picture, cache: ModelCache, target: int, explanation: Explanation | None
    ) -> dict[str, Any]:
        """Encode the view's traits that change with a map: prompt panel, ground truth, box and parts."""
        return {
            **self._prompts.panels(picture, cache.model),
            "ground_truth": self._ground_truth.payload(picture, cache.model, target, explanation),
            "box": self._box(picture, cache, target, explanation),
            "picture_parts": self.parts.payload(picture, explanation),
        }

    def _box(
        self, picture: Picture, cache: ModelCache, target: int, explanation: Explanation | None
    ) -> dict[str, Any]:
        threshold = self._display.view.box_threshold
        return self._locations.payload(picture, cache.model, target, explanation, threshold)

    def _compute_layer_maps(self, shown: MapRequest) -> Iterator[None]:
        """Send the class's map at every layer, which the layer slider previews without the kernel."""
        picture, target, method, _, text, stance, options = shown
        assert target is not None
        layers = []
        for layer in self._prompts.cache(picture, text).layer_maps(
            picture, target, configured(method, options), stance
        ):
            layers.append(layer)
            yield  # a more urgent request goes first
            if self._worker.dropped():
                return
        layer_maps = {"scene": picture.id, "target": target, "method": method, "layers": layers}
        with self._lock:
            if not self._worker.dropped():
                self._display.publish(layer_maps=layer_maps if layers else {})
