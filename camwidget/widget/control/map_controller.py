"""Schedule a map, its masked prediction and its curve on the worker, and publish the results.

One class serves both maps: the main map (A) and the map compared with it (B). What differs is in their ``MapRole``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import RLock
from typing import Any, Generic, Protocol, TypeGuard, TypeVar

import numpy as np

from ...analysis.mask_curve import MaskCurve
from ...attribution.explanation import Explanation
from ...execution.device import is_device_lost
from ..host.interrupts import interrupts
from ..view.mask_settings import MaskSettings, is_unmasked
from .cache import Picture
from .map_request import MapInputs, MapJobs, MapResult
from .masked_prediction import (
    inpainted_payload,
    mask_shown_picture,
    predict_masked,
    refine_curve,
    replaced_pixels,
)
from .worker import Worker

__all__ = ["MapController", "MapRole"]

R = TypeVar("R")
M = TypeVar("M", bound=MapInputs)


class MapRole(Protocol[R, M]):
    """Differences between the main map and the compared map: what is computed, and where it is shown.

    Methods that show something are called with the controller's lock held.
    """

    jobs: MapJobs
    #: Jobs that lose their meaning with each new request.
    dependent_jobs: tuple[str, ...]
    #: Whether the map before stays in force while another is computed, and comes back if that one fails or is
    #: canceled. Otherwise it is dropped at once, and errors are shown in its place.
    goes_back: bool

    def is_slow(self, request: R) -> bool:
        """Whether the map takes many passes."""

    def weights(self) -> tuple[int, ...]:
        """Version numbers of the model's weights: they change when the weights do."""

    def resolve(self, request: R) -> M:
        """Look up what is to be computed. Called on the worker, where the model may run."""

    def completed(self, request: R, result: MapResult[M]) -> R:
        """The request with the class and the text that only the result has made known."""

    def show_requested(self, request: R, before: R | None) -> None:
        """A map is being computed, in place of what was requested before."""

    def prepare_growing(self, inputs: M) -> Callable[[], None]:
        """Compute, without the lock, what is shown as soon as a slow map begins; the function returned shows it."""

    def show_progress(
        self, inputs: M, explanation: Explanation, share: float, *, is_due: bool
    ) -> None:
        """A slow map has come so far, from 0 to 1. ``is_due`` says whether it is time for what is expensive to show."""

    def prepare(self, result: MapResult[M], milliseconds: float) -> Callable[[], None]:
        """Compute, without the lock, everything to be shown of a map; the function returned shows it."""

    def show_canceled(self, request: R, share: float) -> None:
        """A slow map was canceled at this share of the work."""

    def show_restored(self, request: R | None, *, was_growing: bool) -> bool:
        """The map before is in force again; whether there is one."""

    def show_error(self, error: Exception, result: MapResult[M] | None) -> None:
        """Show an error in the map's place: of a map, or of the predictions for a result."""

    def show_pending(self) -> None:
        """A prediction is being computed."""

    def show_prediction(
        self,
        result: MapResult[M],
        values: np.ndarray | None,
        mask: MaskSettings,
        inpainted: dict[str, Any],
    ) -> None:
        """Show the prediction for the masked picture (classes,); None where nothing is masked."""

    def show_stale_curve(self, mask: MaskSettings) -> None:
        """Another curve is about to be computed, for this mask."""

    def show_curve(self, curve: MaskCurve | None) -> None:
        """Show a curve, complete or not; None takes it away."""

    def publish_curve(self, curve: MaskCurve | None) -> None:
        """Publish a complete curve, or that there is none yet. Called without the lock."""


class MapController(Generic[R, M]):
    """Takes requests for a map, has everything computed off the main thread, and shows it by its role.

    The newest request wins: what was requested before is dropped, and a result that comes late is not shown.

    Args:
        role: the main map's, or the compared map's.
        worker: computes.
        lock: held while what is requested or shown changes; never while observers are called. Both maps share it.
        mask: gives the present mask of a picture.
        on_result: called with each finished map once it is shown.
        on_dropped: called when the map before is dropped (see ``MapRole.goes_back``).
        on_restored: called with the request whose map is shown, when another has come to nothing.
    """

    #: Seconds between two partial maps: each is ranked, sent and painted.
    PACE = 0.2

    def __init__(
        self,
        role: MapRole[R, M],
        worker: Worker,
        lock: RLock,
        mask: Callable[[Picture], MaskSettings],
        on_result: Callable[[MapResult[M]], None],
        on_dropped: Callable[[], None] = lambda: None,
        on_restored: Callable[[R], None] = lambda request: None,
    ) -> None:
        self._role = role
        self.jobs = role.jobs
        self._worker = worker
        self._mask = mask
        self._on_result, self._on_dropped, self._on_restored = on_result, on_dropped, on_restored
        self.lock = lock
        self.requested: R | None = None
        self.shown: R | None = None
        self.result: MapResult[M] | None = None  #: of what is shown
        #: Identifies the newest request; one that was canceled, or has failed, leaves None.
        self._ticket: object = None
        self._failed: object = None  # the ticket of the job that raised last
        self._growing = False
        self._share = 0.0
        self._weights: tuple[int, ...] = ()  # those that the map was requested of

    @property
    def is_growing(self) -> bool:
        """Whether a slow map is being computed, which has no predictions yet."""
        return self._growing

    @property
    def is_settled(self) -> bool:
        """Whether what was requested is what is shown."""
        return self.requested == self.shown

    # -- the map ---------------------------------------------------------------------------

    def request(self, request: R) -> None:
        """Request a map, in place of any other that is not finished."""
        slow = self._role.is_slow(request)
        weights = self._role.weights()
        ticket = object()
        with self.lock:
            before, self.requested = self.requested, request
            known, self._weights = self._weights, weights
            if request == before and weights == known:
                return
            self._ticket, self._growing, self._share = ticket, slow, 0.0
            self._worker.drop(*self.jobs, *self._role.dependent_jobs)
            if not self._role.goes_back:
                self.result = None
            self._role.show_requested(request, before)
        if self._ticket is ticket:  # else whoever has requested something newer announces it
            self._on_dropped()
        with self.lock:
            # Submitted under the lock: of two requests at once the last one's job is the last one too.
            if self._ticket is ticket:
                job = self.jobs.slow if slow else self.jobs.quick
                self._worker.submit(job, lambda: self._compute(ticket, request, slow))

    def renew(self) -> bool:
        """Request a quick map once more if the model has other weights by now; whether it has."""
        request = self.requested
        if request is None or self._role.is_slow(request) or self._role.weights() == self._weights:
            return False
        self.request(request)
        return True

    def request_again(self) -> None:
        """Request once more what was requested last."""
        with self.lock:
            request, self.requested = self.requested, None
        if request is not None:
            self.request(request)

    def cancel(self) -> None:
        """Stop the slow map that is being computed; what was shown before comes back."""
        with self.lock:
            canceled, share = self.requested, self._share
            if not self._growing or canceled is None:
                return
            self._worker.drop(self.jobs.slow)
            restored = self._restore()
            self._role.show_canceled(canceled, share)
        self._announce_restored(restored)

    def restore_after_failure(self) -> None:
        """Bring the map before back after a job has raised, unless another was requested since."""
        with self.lock:
            if self._failed is None or self._failed is not self._ticket:
                return
            self._failed = None
            restored = self._restore()
        self._announce_restored(restored)

    def drop(self) -> None:
        """Drop the map and everything that is being computed of it."""
        with self.lock:
            self._worker.drop(*self.jobs, *self._role.dependent_jobs)
            self._ticket = self.requested = self.shown = self.result = None
            self._growing = False

    def _restore(self) -> R | None:
        """Put what is shown in place of what was requested, under the lock. None where nothing is shown."""
        was_growing, self._growing = self._growing, False
        self._ticket = None
        shown = self.requested = self.shown
        return shown if self._role.show_restored(shown, was_growing=was_growing) else None

    def _announce_restored(self, restored: R | None) -> None:
        """Have the controls show what the map shows. Observers are called, which may wait for the worker."""
        if restored is not None and self.requested == restored:
            self._on_restored(restored)

    # -- the masked prediction and the curve -----------------------------------------------

    def request_prediction(self) -> None:
        """Request the prediction at the slider's present position."""
        result = self.result
        if result is None or self._growing:
            return
        mask = self._mask_of(result)
        unmasked = is_unmasked(mask, result.explanation)
        with self.lock:
            # A prediction for a newer map may be on its way, which must not be replaced.
            if self.result is not result:
                return
            if unmasked:
                self._worker.drop(self.jobs.prediction)
                self._role.show_prediction(result, None, mask, {})
            else:
                self._role.show_pending()
                self._worker.submit(self.jobs.prediction, lambda: self._predict(result))

    def request_curve(self) -> None:
        """Request the prediction at the slider's position anew, and then the complete curve."""
        self.request_prediction()
        self._role.publish_curve(None)
        result = self.result
        if result is None or self._growing:
            return
        mask = self._mask_of(result)
        has_curve = not result.explanation.is_empty and mask.mode != "multiply"
        with self.lock:
            if self.result is not result:
                return
            if has_curve:
                self._role.show_stale_curve(mask)
                self._worker.submit(self.jobs.curve, lambda: self._compute_curve(result))
            else:
                self._worker.drop(self.jobs.curve)
                self._role.show_curve(None)

    def follow_paint(self, is_new: bool, is_painting: bool) -> None:
        """Request new predictions after a movement of the brush; the complete curve once the stroke has ended.

        Args:
            is_new: whether a pixel has changed.
            is_painting: whether the brush is still down.
        """
        if is_new:
            self._worker.drop(self.jobs.curve)
            self._role.show_curve(None)  # which is that of another picture now
        if not is_painting:
            self.request_curve()
        elif is_new:
            self._role.publish_curve(None)
            self.request_prediction()

    def _mask_of(self, result: MapResult[M]) -> MaskSettings:
        mask = self._mask(result.inputs.picture)
        return mask if result.inputs.has_paint else mask._replace(paint=None)

    # -- on the worker's thread ------------------------------------------------------------

    def _is_current(self, ticket: object) -> bool:
        return self._ticket is ticket and not self._worker.dropped()

    def _compute(self, ticket: object, request: R, slow: bool) -> Iterator[object]:
        steps = self._steps(ticket, request, slow)
        try:
            if slow and self._role.goes_back:
                yield from interrupts.canceling(self.cancel, steps)
            else:
                yield from steps
        except GeneratorExit:  # dropped, on whichever thread
            raise
        except BaseException as error:
            if self._is_shown_in_place(error):
                with self.lock:
                    if self._is_current(ticket):
                        self._role.show_error(error, None)
                return
            with self.lock:
                self._failed = ticket
            raise

    def _steps(self, ticket: object, request: R, slow: bool) -> Iterator[None]:
        start = published = time.perf_counter()
        inputs = self._role.resolve(request)
        if slow:
            show = self._role.prepare_growing(inputs)
            with self.lock:
                if not self._is_current(ticket):
                    return
                show()
        cache, picture = inputs.cache, inputs.picture
        for done, growing in cache.growing(
            picture, inputs.target, inputs.configured, inputs.layer, inputs.stance
        ):
            explanation = growing
            if not slow:
                if done < 1:
                    yield
                continue
            with self.lock:
                if not self._is_current(ticket):
                    return
                self._share = done
                is_due = done < 1 and time.perf_counter() - published > self.PACE
                self._role.show_progress(inputs, explanation, done, is_due=is_due)
                if is_due:
                    published = time.perf_counter()
            if done < 1:
                yield
        result = MapResult(inputs, explanation, cache.probabilities(picture))
        show = self._role.prepare(result, 1000 * (time.perf_counter() - start))
        with self.lock:
            if not self._is_current(ticket):
                return
            self._growing, self.result = False, result
            self.requested = self.shown = self._role.completed(request, result)
            show()
        self._on_result(result)

    def _predict(self, result: MapResult[M]) -> None:
        if self.result is not result:
            return
        mask = self._mask_of(result)
        try:
            values, inpainted = self._masked_values(result, mask)
        except Exception as error:
            self._show_failed_prediction(error, result)
            return
        with self.lock:
            # While the slider moves on, the prediction for where it was is shown; not once it is back at nothing.
            if self.result is result and not self._worker.dropped():
                self._role.show_prediction(result, values, mask, inpainted)
                if self._worker.superseded(self.jobs.prediction):
                    self._role.show_pending()

    def _masked_values(
        self, result: MapResult[M], mask: MaskSettings
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """The prediction for the masked picture, and the pixels that the browser cannot make itself."""
        cache, picture = result.inputs.cache, result.inputs.picture
        levels = cache.levels(result.explanation)
        masked = mask_shown_picture(cache.pixels(picture), result.explanation, levels, mask)
        replaced = replaced_pixels(mask, result.explanation, levels)
        return predict_masked(cache.model, masked), inpainted_payload(
            masked, replaced, mask.baseline
        )

    def _compute_curve(self, result: MapResult[M]) -> Iterator[None]:
        if self.result is not result:
            return
        complete: MaskCurve | None = None
        cache = result.inputs.cache
        try:
            for curve in refine_curve(
                cache.model,
                cache.pixels(result.inputs.picture),
                result.explanation,
                cache.levels(result.explanation),
                self._mask_of(result),
                result.unmasked,
            ):
                is_stale = self._worker.dropped() or self._worker.superseded(self.jobs.curve)
                if is_stale or self.result is not result:
                    return
                if curve is not None:
                    complete = curve
                    self._role.show_curve(curve)
                yield
        except Exception as error:
            self._show_failed_prediction(error, result)
            return
        self._role.publish_curve(complete)

    def _show_failed_prediction(self, error: Exception, result: MapResult[M]) -> None:
        """Show an error in the map's place, or raise it again for the worker to report."""
        if not self._is_shown_in_place(error):
            raise error
        with self.lock:
            if self.result is result:
                self._role.show_error(error, result)

    def _is_shown_in_place(self, error: BaseException) -> TypeGuard[Exception]:
        """Whether an error is the compared map's own. A lost device is not: it is every map's."""
        return (
            not self._role.goes_back and isinstance(error, Exception) and not is_device_lost(error)
        )
