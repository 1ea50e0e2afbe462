"""Passes of a picture that changes a little at a time, as while painting: only the affected area is recomputed."""

from __future__ import annotations

import torch

from ...errors import CamwidgetError
from ...execution.batch_search import are_batches_given
from ...execution.isolated_pass import autocast_off
from ...execution.module_state import ModuleState
from ...models.model_state import model_state
from ...models.scores import are_close
from ...models.vision_model import VisionModel
from ...runtime import fork_safety
from ...runtime.caches import BoundedCache, cache_limit, is_large, size_of
from .geometry import ChangedRegion, Span
from .recording import UnrecordableError
from .replay import RecordedPass
from .windows import TOLERANCE, WORTH, can_record, record_pass

__all__ = ["StrokePasses"]

#: Largest part of a picture that a stroke changes, for which the pass is recorded. The plan decides for the next one.
_SMALL = 1 / 8


class StrokePasses:
    """Logits of one picture after another, each of which may differ from the one before in a small part.

    After the first small change, the activations of the last picture are kept, within the limit of all caches, with
    prepared convolutions where both fit; those of a large picture would exceed it, so that all its passes are whole. A
    small change behind a large one is answered by a replay of everything. The first partial pass is checked by a whole
    one. Where the user has set the batches (``CAMWIDGET_BATCHES``), all passes are whole ones: the last bits of a
    partial one depend on the pictures before it, and so on the clock.

    Args:
        model: left unchanged. Other weights, submodules, hooks and attributes are noticed
            (``ModuleState`` says which are not).
    """

    def __init__(self, model: VisionModel) -> None:
        self.model = model
        self._lock = fork_safety.rlock()
        self._passes: BoundedCache[RecordedPass] = BoundedCache(1, size_of)
        self._last: torch.Tensor | None = None
        self._state: ModuleState | None = None
        self._is_checked = False
        self._is_refused = False

    def logits(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits (1, classes), float32, of pixels (C, H, W) in [0, 1].

        Raises:
            ModelError: if the module fails, or the logits are not finite.
        """
        refuses = self._is_refused or are_batches_given() or not can_record(self.model)
        # The activations of a large picture would take more than the caches together.
        if refuses or is_large(pixels):
            return self.model.logits(pixels[None])
        with self._lock, torch.inference_mode(False), torch.no_grad():
            inputs = self.model.inputs(pixels[None].clone())
            self._follow_state()
            found = self._partial(inputs, pixels)
            if found is None:
                found = self._whole(inputs, pixels)
            self._last = inputs
        return found

    def forget(self) -> None:
        """Drop the activations and the last picture. It waits for no pass: an explorer closes at any time."""
        self._passes.clear()
        self._last = None

    def _follow_state(self) -> None:
        state = model_state(self.model)
        if state != self._state:
            self._state = state
            self.forget()

    def _partial(self, inputs: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor | None:
        """Return logits by a replay; None if there is nothing to start from, or it would not pay."""
        recorded = self._passes.peek("last")
        if recorded is None or recorded.inputs.shape != inputs.shape:
            return None
        region = _changed(recorded.inputs, inputs)
        if region is None:
            return recorded.logits.to(torch.float32)
        plan = recorded.plan(region)
        if recorded.cost < WORTH * plan.cost and not self._is_near_last(inputs):
            return None
        y, x = region.rows.starts[0], region.columns.starts[0]
        patch = inputs[:, :, y : y + region.rows.length, x : x + region.columns.length]
        try:
            with autocast_off(inputs.device):
                logits = recorded.update(patch.contiguous(), plan).to(torch.float32)
        except (RuntimeError, AssertionError):  # a whole pass reports the model's own errors
            self._refuse()
            return None
        if not self._is_checked:
            expected = self.model.logits(pixels[None])
            if not are_close(logits, expected, TOLERANCE, torch.finfo(expected.dtype).tiny):
                self._refuse()
                return expected
            self._is_checked = True
        self.model.check_finite(logits)
        return logits

    def _whole(self, inputs: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
        """Return logits by a whole pass, which is recorded if the picture is near the last one."""
        if self._is_near_last(inputs):
            try:
                # Of a single picture, this memory format is the faster one.
                recorded = record_pass(
                    self.model, inputs.contiguous(), prepare_within=cache_limit()
                )
            except (UnrecordableError, CamwidgetError):
                self._refuse()
            else:
                self.model.check_finite(recorded.logits)
                self._passes.put("last", recorded)
                return recorded.logits.to(torch.float32)
        return self.model.logits(pixels[None])

    def _is_near_last(self, inputs: torch.Tensor) -> bool:
        """Return whether inputs differ from the last ones in a small part, so that more strokes are to be expected."""
        if self._last is None or self._last.shape != inputs.shape:
            return False
        region = _changed(self._last, inputs)
        return region is not None and region.area <= _SMALL * inputs.shape[2] * inputs.shape[3]

    def _refuse(self) -> None:
        self._is_refused = True
        self.forget()


def _changed(before: torch.Tensor, after: torch.Tensor) -> ChangedRegion | None:
    """Return the smallest region that has all differences of two inputs (1, C, H, W); None if they are equal."""
    differs = (before != after).any(1)[0]
    rows, columns = differs.any(1).nonzero()[:, 0].tolist(), differs.any(0).nonzero()[:, 0].tolist()
    if not rows:
        return None
    return ChangedRegion(
        Span((rows[0],), rows[-1] - rows[0] + 1), Span((columns[0],), columns[-1] - columns[0] + 1)
    )
