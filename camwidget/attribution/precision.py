"""Numeric precisions of a forward pass: their names, autocast, and a warning where a lower one is slower.

Processors without units for bfloat16 emulate it, several times slower than float32. The measured times only appear in
the warning: results must not depend on a clock.
"""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from ..errors import CamwidgetError, MethodError, warn
from ..execution.isolated_pass import autocast_off
from ..models.vision_model import VisionModel
from ..runtime import fork_safety

__all__ = ["PRECISIONS", "check_precision", "compare_times", "in_precision", "warn_if_slower"]

PRECISIONS: dict[str, torch.dtype | None] = {
    "fp32": None,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}

#: Most pictures in the timed batch; with a single one, overhead would dominate in a small model.
_PICTURES = 4

#: Seconds for the timed batch in float32, if one picture takes no longer.
_SHORT = 0.1

#: Largest number of rounds, each of which times both precisions; the minimum over the rounds counts.
_ROUNDS = 3

#: Seconds after which no further round starts, which takes as long as the one before.
_ENOUGH = 0.5

#: Ratio of times from which on a precision counts as slower; smaller ratios may be noise.
_SLOWER = 1.15

_lock = fork_safety.lock()
_ratios: weakref.WeakKeyDictionary[nn.Module, dict[tuple[str, str], float]] = (
    weakref.WeakKeyDictionary()
)


def check_precision(precision: Any) -> None:
    """Raise a MethodError if there is no such precision."""
    if not isinstance(precision, str) or precision not in PRECISIONS:
        raise MethodError(
            f"There is no precision {precision!r}: use {', '.join(map(repr, PRECISIONS))}."
        )


@contextlib.contextmanager
def in_precision(precision: str, device: torch.device) -> Iterator[None]:
    """Autocast as a name of ``PRECISIONS`` wants it; "fp32" switches it off."""
    dtype = PRECISIONS[precision]
    if dtype is None:
        with autocast_off(device):
            yield
        return
    # The cache of casts is one for all threads, and emptied where the outermost autocast of any of them ends
    # (see ``autocast_off``): this one is none.
    torch.autocast_increment_nesting()
    try:
        with torch.autocast(device.type, dtype=dtype, cache_enabled=False):
            yield
    finally:
        torch.autocast_decrement_nesting()


def warn_if_slower(model: VisionModel, inputs: torch.Tensor, precision: str) -> None:
    """Warn once if a precision is slower than "fp32" for a model on its device.

    Args:
        model: left unchanged.
        inputs: input of the module (N, C, H, W), of which the first picture is timed.
        precision: "fp32" (nothing is timed), "bf16" or "fp16".
    """
    if precision == "fp32":
        return
    key = str(model.device), precision
    with _lock:
        if key in _ratios.get(model.module, {}):
            return
    # Not under the lock: this waits for the model's lock, whose holder may be waiting for this one.
    ratio = _ratio(model, inputs[:1], precision)
    with _lock:
        known = _ratios.setdefault(model.module, {})
        if key in known:  # another thread has timed it meanwhile
            return
        known[key] = ratio
    if ratio > _SLOWER:
        hardware = "processor" if model.device.type == "cpu" else "device"
        warn(
            f"On this {hardware}, {model.name} takes {ratio:.1f} times as long with precision={precision!r} as with "
            "'fp32' (one small batch was timed). It runs in this precision anyway; without precision= it is faster, "
            "and exact."
        )


def _ratio(model: VisionModel, inputs: torch.Tensor, precision: str) -> float:
    """Return the time of a batch in a precision divided by that in "fp32"; 1 if the batch fails."""
    single = model.with_inputs_of(0)

    def run(name: str, batch: torch.Tensor) -> None:
        with single.isolated() as isolated, torch.no_grad(), in_precision(name, batch.device):
            isolated.run(batch.clone())
        if batch.is_cuda:
            torch.cuda.synchronize(batch.device)

    try:
        begin = time.perf_counter()
        run("fp32", inputs)
        fitting = int(_SHORT / max(time.perf_counter() - begin, 1e-9))
        pictures = 1 if model.mixes_pictures else max(1, min(fitting, _PICTURES))
        batch = inputs.repeat(pictures, 1, 1, 1)
        return compare_times(lambda: run("fp32", batch), lambda: run(precision, batch))
    except (CamwidgetError, MemoryError, RuntimeError):
        return 1.0  # the caller's own pass fails too, and reports the error


def compare_times(
    usual: Callable[[], None],
    other: Callable[[], None],
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the minimum time of ``other`` divided by that of ``usual``, timed alternately."""
    shortest = {usual: float("inf"), other: float("inf")}
    begin = clock()
    for _ in range(_ROUNDS):
        for call in shortest:
            before = clock()
            call()
            shortest[call] = min(shortest[call], clock() - before)
        if clock() - begin > _ENOUGH:
            break
    return shortest[other] / max(shortest[usual], 1e-9)
