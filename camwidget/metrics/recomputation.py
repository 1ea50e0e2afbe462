"""Maps computed again for changed pixels or a changed model; those of the same pixels share their passes."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch

from ..attribution.batched_inference import batch_size, in_batches
from ..attribution.explaining import saliency_maps
from ..attribution.methods import Method, Step
from ..attribution.targets import resolve_target
from ..attribution.trace import Trace
from ..execution.isolated_pass import autocast_off
from ..models.vision_model import VisionModel
from .cases import Case, Recomputation

__all__ = ["RecomputedMaps", "alike", "recompute_maps"]

#: What a map depends on beside pixels and model: the method, the layer and the target's class.
_Wish: TypeAlias = "tuple[Method, str, int]"


@dataclass(frozen=True)
class RecomputedMaps:
    """How far the making of maps has come.

    Attributes:
        done, total: passes of the model.
        maps: for each request saliency (n, H, W), when all are made; empty until then.
    """

    done: int
    total: int
    maps: tuple[torch.Tensor, ...] = ()


def alike(case: Case, request: Recomputation) -> Hashable:
    """Equal for requests that ``recompute_maps`` takes together: of one picture, the same pixels and model."""
    return case.subject, request.key


def recompute_maps(requests: Sequence[tuple[Case, Recomputation]]) -> Iterator[RecomputedMaps]:
    """Make maps anew for requests that are alike; what several of them ask for is made once.

    Pictures go through the model in batches that suit its memory, each with one pass for all quick methods and layers.
    """
    case, request = requests[0]
    subject = case.subject
    model, pixels = request.model or subject.model, request.pixels()
    wishes = [_wish(c, r) for c, r in requests]
    quick = [w for w in dict.fromkeys(wishes) if not w[0].slow]
    slow = [w for w in dict.fromkeys(wishes) if w[0].slow]
    raw: dict[_Wish, list[torch.Tensor]] = {w: [] for w in (*quick, *slow)}
    count, done = len(pixels), 0

    def trace(begin: int, end: int, asked: list[_Wish]) -> Trace:
        methods = [method for method, _, _ in asked]
        return Trace(
            model,
            pixels[begin:end],
            dict.fromkeys(layer for method, layer, _ in asked if not method.at_input),
            precision=subject.bench.precision,
            with_input=any(m.needs_input for m in methods),
        )

    def make(begin: int, end: int) -> list[torch.Tensor]:
        shared = trace(begin, end, quick)
        with torch.no_grad(), autocast_off(pixels.device):
            return [m.compute(shared, resolve_target(model, t), name) for m, name, t in quick]

    if quick:
        size = batch_size(model, *pixels.shape[-2:])
        for end, maps in in_batches(model, 0, count, size, make):
            for wish, part in zip(quick, maps, strict=True):
                raw[wish].append(part)
            done = end
            yield RecomputedMaps(done, count * (1 + len(slow)))
    for number in range(count if slow else 0):
        # Slow methods take one picture at a time, and remember in its trace what other targets need too.
        shared = trace(number, number + 1, slow)
        for place, wish in enumerate(slow, 1):
            method, layer, target = wish
            left = (count - number) * len(slow) - place
            for step in _unrecorded(
                method.steps(shared, resolve_target(model, target), layer), pixels.device
            ):
                yield RecomputedMaps(done + step.done, done + step.total + left)
            raw[wish].append(step.maps)
            done += step.total
    shape = case.saliency.shape
    made = {w: saliency_maps(torch.cat(parts), shape, w[0].scale) for w, parts in raw.items()}
    yield RecomputedMaps(done, done, tuple(made[w] for w in wishes))


def _wish(case: Case, request: Recomputation) -> _Wish:
    method = request.method or case.method
    assert method is not None, "checked before"
    # What is explained at the picture itself is the same for every layer.
    model: VisionModel = case.subject.model
    layer = model.default_layer if method.at_input or case.layer is None else case.layer
    return method, layer, case.target if request.target is None else request.target


def _unrecorded(steps: Iterator[Step], device: torch.device) -> Iterator[Step]:
    """The steps, computed without a graph; between them the caller's own modes hold."""
    while True:
        with torch.no_grad(), autocast_off(device):
            step = next(steps, None)
        if step is None:
            return
        yield step
