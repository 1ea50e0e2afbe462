"""Numeric precisions of a forward pass: their names, autocast, and a warning where a lower one is slower.

Processors without units for bfloat16 emulate it, several times more slowly than they compute in float32. The answer
goes into words only: what is computed must not depend on a clock.
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

#: Pictures in the batch: a single one would measure what goes before and after the computing.
_PICTURES = 4

#: How often each precision is timed at most, in turns; the least time of each counts.
_ROUNDS = 3

#: Seconds after which no more rounds are begun.
_ENOUGH = 1.0

#: From which ratio of times on a precision is called slower; below, it may be noise.
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
    """Give a ``CamwidgetWarning``, once, if a precision is slower than "fp32" for a model on its device.

    Args:
        model: left as it is.
        inputs: the module's input (N, C, H, W), of which the first is timed.
        precision: as in ``Trace``; of "fp32" nothing is timed.
    """
    if precision == "fp32":
        return
    key = str(model.device), precision
    with _lock:
        known = _ratios.setdefault(model.module, {})
        if key in known:
            return
        known[key] = ratio = _ratio(model, inputs[:1], precision)
    if ratio > _SLOWER:
        place = "processor" if model.device.type == "cpu" else "device"
        warn(
            f"On this {place}, {model.name} takes {ratio:.1f} times as long with precision={precision!r} as with "
            "'fp32' (one small batch was timed). It is run as asked; without precision= it is faster, and exact."
        )


def _ratio(model: VisionModel, inputs: torch.Tensor, precision: str) -> float:
    """The time of a batch in a precision by that in "fp32"; 1 if it cannot be run."""
    one = model.given_of(0)
    batch = inputs if model.mixes_pictures else inputs.repeat(_PICTURES, 1, 1, 1)

    def run(wanted: str) -> None:
        with one.undisturbed() as held, torch.no_grad(), in_precision(wanted, batch.device):
            held.run(batch.clone())
        if batch.is_cuda:
            torch.cuda.synchronize(batch.device)

    try:
        return compare_times(lambda: run("fp32"), lambda: run(precision))
    except (CamwidgetError, MemoryError, RuntimeError):
        return 1.0  # it fails again where it is asked for, and is said there


def compare_times(
    usual: Callable[[], None],
    other: Callable[[], None],
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """The least time that ``other`` takes by the least that ``usual`` does; they take turns."""
    least = {usual: float("inf"), other: float("inf")}
    begin = clock()
    for _ in range(_ROUNDS):
        for call in least:
            before = clock()
            call()
            least[call] = min(least[call], clock() - before)
        if clock() - begin > _ENOUGH:
            break
    return least[other] / max(least[usual], 1e-9)
