"""Maps recomputed for changed pixels or a changed model, with shared forward passes."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch

from ..attribution.batched_inference import batch_series, in_batches, limit_graph
from ..attribution.explaining import saliency_maps
from ..attribution.methods import Method, Step
from ..attribution.targets import resolve_target
from ..attribution.trace import Trace
from ..execution.isolated_pass import autocast_off
from ..models.vision_model import VisionModel
from .cases import Case, Recomputation

__all__ = ["RecomputedMaps", "recompute_maps", "sharing_key"]

#: Identifies a map of given pixels and model: method, layer and class index.
_MapKey: TypeAlias = "tuple[Method, str, int]"


@dataclass(frozen=True)
class RecomputedMaps:
    """Progress and result of a recomputation.

    Attributes:
        done: finished forward passes.
        total: all forward passes.
        maps: for each request saliency (n, H, W); empty until all are finished.
    """

    done: int
    total: int
    maps: tuple[torch.Tensor, ...] = ()


def sharing_key(case: Case, request: Recomputation) -> Hashable:
    """A key that is equal for requests of the same picture, pixels and model, which share their passes."""
    return case.subject, request.key


def recompute_maps(requests: Sequence[tuple[Case, Recomputation]]) -> Iterator[RecomputedMaps]:
    """Recompute the maps of requests with equal ``sharing_key``; each distinct map is computed once.

    Pictures are processed in batches that fit the memory, with one forward pass for all fast methods and layers.

    Args:
        requests: the requests, each with its case.

    Yields:
        The progress; the last one has the maps.
    """
    case, request = requests[0]
    subject = case.subject
    model, pixels = request.model or subject.model, request.pixels()
    keys = [_map_key(c, r) for c, r in requests]
    quick = [w for w in dict.fromkeys(keys) if not w[0].slow]
    slow = [w for w in dict.fromkeys(keys) if w[0].slow]
    raw: dict[_MapKey, list[torch.Tensor]] = {w: [] for w in (*quick, *slow)}
    count, done = len(pixels), 0

    def trace(begin: int, end: int, group: list[_MapKey]) -> Trace:
        methods = [method for method, _, _ in group]
        return Trace(
            model,
            pixels[begin:end],
            dict.fromkeys(layer for method, layer, _ in group if not method.at_input),
            precision=subject.context.precision,
            with_input=any(m.needs_input for m in methods),
        )

    def make(begin: int, end: int) -> list[torch.Tensor]:
        shared = trace(begin, end, quick)
        with torch.no_grad(), autocast_off(pixels.device):
            maps = [m.compute(shared, resolve_target(model, t), name) for m, name, t in quick]
        limit_graph(model, series, shared.nbytes, end - begin)
        return maps

    if quick:
        names = ", ".join(sorted({f"{method.name} at {layer}" for method, layer, _ in quick}))
        series = batch_series(model, f"maps by {names}", count, *pixels.shape[-2:])
        for end, maps in in_batches(model, 0, count, series, make):
            for key, part in zip(quick, maps, strict=True):
                raw[key].append(part)
            done = end
            yield RecomputedMaps(done, count * (1 + len(slow)))
    for number in range(count if slow else 0):
        # Slow methods take one picture at a time, and cache in its trace what other targets need too.
        shared = trace(number, number + 1, slow)
        for place, key in enumerate(slow, 1):
            method, layer, target = key
            left = (count - number) * len(slow) - place
            for step in _unrecorded(
                method.steps(shared, resolve_target(model, target), layer), pixels.device
            ):
                yield RecomputedMaps(done + step.done, done + step.total + left)
            raw[key].append(step.maps)
            done += step.total
    shape = case.saliency.shape
    maps_of = {}
    for wanted, pieces in raw.items():
        joined = torch.cat(pieces)
        frames = model.map_frames(wanted[1], joined.shape[-2:], shape)
        maps_of[wanted] = saliency_maps(joined, shape, wanted[0].scale, frames)
    yield RecomputedMaps(done, done, tuple(maps_of[w] for w in keys))


def _map_key(case: Case, request: Recomputation) -> _MapKey:
    method = request.method or case.method
    assert method is not None, "checked by missing_requirement"
    # The map of a method that explains at the input does not depend on the layer.
    model: VisionModel = case.subject.model
    layer = model.default_layer if method.at_input or case.layer is None else case.layer
    return method, layer, case.target if request.target is None else request.target


def _unrecorded(steps: Iterator[Step], device: torch.device) -> Iterator[Step]:
    """Iterate over the steps without recording a graph; the caller's modes hold between them."""
    while True:
        with torch.no_grad(), autocast_off(device):
            step = next(steps, None)
        if step is None:
            return
        yield step
