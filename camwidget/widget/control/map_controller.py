"""``MapController``: schedules a map, its masked prediction and its curve on the worker, and shows the results.

The main map (A) and the compared map (B) have a controller each; their differences are in two ``MapRole`` classes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import RLock
from typing import Any, Generic, Protocol, TypeGuard, TypeVar

import numpy as np

from ...analysis.mask_curve import MaskCurve
from ...attribution.explanation import Explanation
from ...execution.device_errors import is_device_lost
from ...execution.module_state import ModuleState
from ...models.findings import Findings
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
    """The part of a map controller that differs between the main and the compared map: inputs, and display.

    Methods named ``show…`` are called with the controller's lock held.
    """

    jobs: MapJobs
    #: Further jobs that a new request drops.
    dependent_jobs: tuple[str, ...]
    #: Whether the previous map is kept while another is computed, and shown again if that one fails or is canceled.
    #: Otherwise it is dropped at once, and errors are shown in its place.
    goes_back: bool

    def is_slow(self, request: R) -> bool:
        """Whether the map takes many forward passes."""

    def state(self) -> ModuleState | None:
        """Return the state of the model's module, which differs when predictions may; None if it does not matter."""

    def resolve(self, request: R) -> M:
        """Look up the inputs. Called on the worker, where the model may run."""

    def completed(self, request: R, result: MapResult[M]) -> R:
        """Return the request completed by the class and the text of the result."""

    def show_requested(self, request: R, before: R | None) -> None:
        """Show that a map is being computed; ``before`` is the previous request."""

    def prepare_growing(self, inputs: M) -> Callable[[], None]:
        """Compute what is shown at the start of a slow map; the function returned shows it. Called without the lock."""

    def show_progress(
        self, inputs: M, explanation: Explanation, share: float, *, is_due: bool
    ) -> None:
        """Show the progress of a slow map, a share in [0, 1], and if ``is_due`` also what takes long to show."""

    def prepare(self, result: MapResult[M], milliseconds: float) -> Callable[[], None]:
        """Encode a finished map; the function returned shows it. Called without the lock."""

    def show_canceled(self, request: R, share: float) -> None:
        """Show at which share of the work a slow map was canceled."""

    def show_restored(self, request: R | None, *, was_growing: bool) -> bool:
        """Show the previous map again; return whether there is one."""

    def show_error(self, error: Exception, result: MapResult[M] | None) -> None:
        """Show an error in the map's place; ``result`` is None if the map failed, and not only its predictions."""

    def show_pending(self) -> None:
        """Show that a prediction is being computed."""

    def show_prediction(
        self,
        result: MapResult[M],
        values: np.ndarray | None,
        mask: MaskSettings,
        inpainted: dict[str, Any],
        found: Findings | None,
    ) -> None:
        """Show the prediction (classes,) for the masked picture, and its classes' places; None if nothing is masked."""

    def show_stale_curve(self, mask: MaskSettings) -> None:
        """Show that the curve is out of date: the one for this mask is about to be computed."""

    def show_curve(self, curve: MaskCurve | None) -> None:
        """Show a curve, complete or not; None removes it."""

    def publish_curve(self, curve: MaskCurve | None) -> None:
        """Publish a complete curve; None while there is none. Called without the lock."""


class MapController(Generic[R, M]):
    """Takes requests for a map, computes it with its predictions on the worker, and shows it through its role.

    The newest request wins: earlier ones are dropped, and late results are not shown.

    Args:
        role: the main map's, or the compared map's.
        worker: runs the jobs.
        lock: held while what is requested or shown changes; never while observers are called. Both maps share it.
        mask: returns the present mask of a picture.
        on_result: called with each finished map once it is shown.
        on_dropped: called when the previous map is dropped (see ``MapRole.goes_back``).
        on_restored: called with the request of the map that is shown again after a newer one failed or was canceled.
    """

    #: Seconds between two partial maps: ranking, sending and drawing one takes time.
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
        #: Identifies the newest request; None after it was canceled or has failed.
        self._ticket: object = None
        self._failed: object = None  # the ticket of the job that raised last
        self._growing = False
        self._share = 0.0
        self._state: ModuleState | None = None  # that the map was requested of

    @property
    def is_growing(self) -> bool:
        """Whether a slow map is being computed, which has no predictions yet."""
        return self._growing

    @property
    def is_settled(self) -> bool:
        """Whether the map shown is the one requested last."""
        return self.requested == self.shown

    # -- the map ---------------------------------------------------------------------------

    def request(self, request: R) -> None:
        """Request a map, in place of any other that is not finished."""
        self.change(lambda last: request)

    def change(self, make: Callable[[R | None], R | None], *, again: bool = False) -> None:
        """Request a map that depends on what was requested last, in place of that.

        Args:
            make: gives the request from the last one, or None for none. It is called with the lock held, so that no
                request of another thread comes in between and is lost.
            again: whether an equal request is computed again.
        """
        state = self._role.state()
        ticket = object()
        with self.lock:
            before = self.requested
            request = make(before)
            if request is None:
                return
            self.requested = request
            known, self._state = self._state, state
            if request == before and state == known and not again:
                return
            slow = self._role.is_slow(request)
            self._ticket, self._growing, self._share = ticket, slow, 0.0
            self._worker.drop(*self.jobs, *self._role.dependent_jobs)
            if not self._role.goes_back:
                self.result = None
            self._role.show_requested(request, before)
        if self._ticket is ticket:  # otherwise a newer request calls it
            self._on_dropped()
        with self.lock:
            # Submitted under the lock: of two simultaneous requests, the later one's job comes later too.
            if self._ticket is ticket:
                job = self.jobs.slow if slow else self.jobs.quick
                self._worker.submit(job, lambda: self._compute(ticket, request, slow))

    def renew(self) -> bool:
        """Request a quick map again if the model has changed; return whether it has."""
        request = self.requested
        if request is None or self._role.is_slow(request) or self._role.state() == self._state:
            return False
        self.change(lambda last: last)
        return True

    def request_again(self) -> None:
        """Request once more what was requested last."""
        self.change(lambda last: last, again=True)

    def cancel(self) -> None:
        """Cancel the slow map that is being computed, and show the previous map again."""
        with self.lock:
            canceled, share = self.requested, self._share
            if not self._growing or canceled is None:
                return
            self._worker.drop(self.jobs.slow)
            restored = self._restore()
            self._role.show_canceled(canceled, share)
        self._announce_restored(restored)

    def restore_after_failure(self) -> None:
        """Show the previous map again after a job has failed, unless another map was requested since."""
        with self.lock:
            if self._failed is None or self._failed is not self._ticket:
                return
            self._failed = None
            restored = self._restore()
        self._announce_restored(restored)

    def wait_for_result(self, timeout: float) -> None:
        """Block until there is a map, or nothing left to do, for at most ``timeout`` seconds."""
        worker, deadline = self._worker, time.monotonic() + timeout
        while self.result is None and not worker.idle and not worker.in_worker:
            if (left := deadline - time.monotonic()) <= 0:
                return
            worker.wait(min(left, 0.02))

    def drop(self) -> None:
        """Drop the map and its jobs."""
        with self.lock:
            self._worker.drop(*self.jobs, *self._role.dependent_jobs)
            self._ticket = self.requested = self.shown = self.result = None
            self._growing = False

    def _restore(self) -> R | None:
        """Replace the request by that of the map shown; return it, or None if no map is shown. The lock is held."""
        was_growing, self._growing = self._growing, False
        self._ticket = None
        shown = self.requested = self.shown
        return shown if self._role.show_restored(shown, was_growing=was_growing) else None

    def _announce_restored(self, restored: R | None) -> None:
        """Set the traits back to the map shown. Called without the lock: observers may wait for the worker."""
        if restored is not None and self.requested == restored:
            self._on_restored(restored)

    # -- the masked prediction and the curve -----------------------------------------------

    def request_prediction(self) -> None:
        """Request the prediction at the slider's present position."""
        result = self.result
        if result is None or self._growing:
            return
        with self.lock:
            # A prediction for a newer map may be queued already, and must not be replaced.
            if self.result is not result:
                return
            # Read under the lock: of two threads that have moved the slider, the last one here sees both movements.
            mask = self._mask_of(result)
            if is_unmasked(mask, result.explanation):
                self._worker.drop(self.jobs.prediction)
                self._role.show_prediction(result, None, mask, {}, None)
            else:
                self._role.show_pending()
                self._worker.submit(self.jobs.prediction, lambda: self._predict(result))

    def request_curve(self) -> None:
        """Request the prediction at the slider's position again, and then the complete curve."""
        self.request_prediction()
        self._worker.drop(self.jobs.curve)
        self._role.publish_curve(None)
        result = self.result
        if result is None or self._growing:
            return
        with self.lock:
            if self.result is not result:
                return
            mask = self._mask_of(result)
            if result.explanation.is_empty or mask.mode == "multiply":
                self._worker.drop(self.jobs.curve)
                self._role.show_curve(None)
            else:
                self._role.show_stale_curve(mask)
                self._worker.submit(self.jobs.curve, lambda: self._compute_curve(result))

    def follow_paint(self, is_new: bool, is_painting: bool) -> None:
        """Request new predictions after a movement of the brush; the complete curve once the stroke has ended.

        Args:
            is_new: whether a pixel has changed.
            is_painting: whether the brush is still down.
        """
        if is_new:
            with self.lock:
                self._worker.drop(self.jobs.curve)
                self._role.show_curve(None)  # which is that of another picture now
        if not is_painting:
            self.request_curve()
        elif is_new:
            self._role.publish_curve(None)
            self.request_prediction()

    def _mask_of(self, result: MapResult[M]) -> MaskSettings:
        inputs = result.inputs
        mask = self._mask(inputs.picture)
        if inputs.fraction is not None:
            mask = mask._replace(fraction=inputs.fraction)
        return mask if inputs.has_paint else mask._replace(paint=None)

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
        except GeneratorExit:  # the job was dropped
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
                continue  # this was its only step
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
            values, found, inpainted = self._masked_values(result, mask)
        except Exception as error:
            self._show_failed_prediction(error, result)
            return
        with self.lock:
            # A prediction for an earlier position of the slider is shown, unless nothing is masked by now.
            if self.result is result and not self._worker.dropped():
                self._role.show_prediction(result, values, mask, inpainted, found)
                if self._worker.superseded(self.jobs.prediction):
                    self._role.show_pending()

    def _masked_values(
        self, result: MapResult[M], mask: MaskSettings
    ) -> tuple[np.ndarray, Findings | None, dict[str, Any]]:
        """Predict the masked picture; return also where its classes are, and what the browser cannot compute itself."""
        cache, picture = result.inputs.cache, result.inputs.picture
        levels = cache.levels(result.explanation)
        masked = mask_shown_picture(
            cache.pixels(picture), result.explanation, levels, mask, cache.model.frames
        )
        replaced = replaced_pixels(mask, result.explanation, levels)
        values, found = predict_masked(cache.strokes, masked)
        return values, found, inpainted_payload(masked, replaced, mask.baseline)

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
                with self.lock:
                    if self._is_stale(result):
                        return
                    if curve is not None:
                        complete = curve
                        self._role.show_curve(curve)
                yield
        except Exception as error:
            self._show_failed_prediction(error, result)
            return
        if self._is_stale(result):
            return
        self._role.publish_curve(complete)
        if self._is_stale(
            result
        ):  # whoever has requested another may have announced so before this curve
            self._role.publish_curve(None)

    def _is_stale(self, result: MapResult[M]) -> bool:
        """In a job for the curve of a map: whether another curve, or none, is wanted by now."""
        is_replaced = self._worker.dropped() or self._worker.superseded(self.jobs.curve)
        return is_replaced or self.result is not result

    def _show_failed_prediction(self, error: Exception, result: MapResult[M]) -> None:
        """Show an error in the map's place, or raise it again for the worker to report."""
        if not self._is_shown_in_place(error):
            raise error
        with self.lock:
            if self.result is result:
                self._role.show_error(error, result)

    def _is_shown_in_place(self, error: BaseException) -> TypeGuard[Exception]:
        """Whether an error is shown in the compared map's place. A lost device is not: it affects both maps."""
        return (
            not self._role.goes_back and isinstance(error, Exception) and not is_device_lost(error)
        )
