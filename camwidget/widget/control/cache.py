"""``ModelCache``: pixels, forward passes and maps of recent pictures; and ``Picture``, one to choose from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ...analysis.dissection import LabeledPicture
from ...attribution.explaining import PictureFacts, build_explanation, part_values, scale_saliency
from ...attribution.explanation import Explanation
from ...attribution.methods import Method, get_method
from ...attribution.partial.stroke_passes import StrokePasses
from ...attribution.stance import FOR, Stance, stance_target
from ...attribution.targets import resolve_target
from ...attribution.tone_mapping import tone_mapped, tone_note
from ...attribution.trace import LargeGraphError, Trace
from ...errors import CamwidgetError
from ...execution.module_state import ModuleState
from ...export.picture_payload import part_values_payload, scene_of
from ...images.array_pictures import channels_shown
from ...images.conversion import PictureLike, is_prepared, shades
from ...images.film_strip import as_clip, frame_numbers
from ...images.ground_truth import GroundTruth
from ...masking.parts import SUPERPIXELS, Parts, superpixels
from ...masking.rank_rule import rank_levels
from ...models.findings import Findings, FindsInPicture
from ...models.layer_table import AT_INPUT
from ...models.model_state import model_state
from ...models.vision_model import VisionModel
from ...runtime.caches import (
    BoundedCache,
    cache_limit,
    is_large,
    limit_during_pass,
    make_room,
    size_of,
)
from ..view.thumbnails import TILE, thumbnail

__all__ = ["ModelCache", "Picture"]

_numbers = itertools.count()


@dataclass(eq=False)
class Picture:
    """A picture of an explorer. Its pixels are computed when it is first shown."""

    source: PictureLike = field(repr=False)
    name: str
    truth: GroundTruth | None = field(default=None, repr=False)
    label: Any = field(
        default=None, repr=False
    )  #: its true class as the data have it; None if they do not
    #: The picture with the masks of its concepts; None without.
    labeled: LabeledPicture | None = field(default=None, repr=False)
    id: str = field(default_factory=lambda: f"picture-{next(_numbers)}")


class ModelCache:
    """Pixels, passes and maps of one model, each computed once while it is recent.

    Args:
        model: whose pictures and maps these are; with its text, if it takes one.
    """

    def __init__(self, model: VisionModel) -> None:
        self.model = model
        self._pixels: BoundedCache[torch.Tensor] = BoundedCache(32, size_of)
        #: The same pixels as uint8, which all maps of a picture share.
        self._shown: BoundedCache[np.ndarray] = BoundedCache(32, size_of)
        self._probabilities_of: BoundedCache[np.ndarray] = BoundedCache(256, size_of)
        self._findings: BoundedCache[Findings] = BoundedCache(32, _size_of_findings)
        self._traces: BoundedCache[Trace] = BoundedCache(4, size_of, grows=True)
        #: Copies of passes whose gradients of several classes are remembered together.
        self._shared: BoundedCache[Trace] = BoundedCache(2, size_of, grows=True)
        #: One pass cut at every layer, whose graph is large.
        self._every: BoundedCache[Trace] = BoundedCache(1, size_of, grows=True)
        #: Graphs that are too large, by a picture's shape and the layer (None for all), with the limit exceeded.
        self._too_large: dict[tuple[torch.Size, str | None], int] = {}
        self._explanations: BoundedCache[Explanation] = BoundedCache(96, _size_of_map)
        self._levels: BoundedCache[np.ndarray] = BoundedCache(16, size_of)
        self._superpixels: BoundedCache[Parts] = BoundedCache(8, lambda parts: parts.labels.nbytes)
        self._state: ModuleState | None = None
        #: Predictions under a brush, which start from the last picture's activations.
        self.strokes = StrokePasses(model)

    def _follow_state(self) -> ModuleState:
        """Clear results of another state of the model than the present one, and return this."""
        state = model_state(self.model)
        if state != self._state:
            self._state = state
            self._forget_passes()
        return state

    def _forget_passes(self) -> None:
        for cache in (
            self._probabilities_of,
            self._findings,
            self._traces,
            self._shared,
            self._every,
            self._explanations,
        ):
            cache.clear()
        self.strokes.forget()

    def forget(self) -> None:
        """Clear all caches."""
        self._forget_passes()
        for cache in (self._pixels, self._shown, self._levels, self._superpixels):
            cache.clear()

    def under(self, model: VisionModel) -> ModelCache:
        """Make a cache for the model under another text, or around a copy of its module. It shares only the pixels."""
        other = ModelCache(model)
        other._pixels, other._shown = self._pixels, self._shown
        return other

    def pixels(self, picture: Picture) -> torch.Tensor:
        """Return a picture's pixels (C, H, W) at the model's input size."""
        return self._pixels.get(picture, lambda: self.model.preprocess.pixels(picture.source))

    def tile(self, picture: Picture) -> np.ndarray | None:
        """Make a picture's thumbnail, uint8 (side, side, 3); None if the picture cannot be read."""
        try:
            return thumbnail(shades(self._small(picture)))
        except CamwidgetError:
            return None

    def _small(self, picture: Picture) -> torch.Tensor:
        """Return pixels for a thumbnail. They are not cached: many thumbnails would displace the pixels in use."""
        pixels = self._pixels.peek(picture)
        preprocess = self.model.preprocess
        if pixels is None and is_prepared(
            picture.source
        ):  # pixels already, which nothing makes smaller
            pixels = preprocess.pixels(picture.source)
        if pixels is None:
            pixels = preprocess.smaller(2 * TILE).pixels(picture.source)
        frames = self.model.frames
        # Of a clip, the frame in the middle.
        return pixels if frames is None else as_clip(pixels, frames)[:, frames // 2]

    def trace(
        self,
        picture: Picture,
        layer: str | None = None,
        *,
        with_input: bool = False,
        with_graph: bool = True,
    ) -> Trace:
        """Return the cached forward pass of a picture, cut at a layer, or with a graph from the input.

        Args:
            picture: the picture.
            layer: the layer; None for a pass of which no layer is needed.
            with_input: whether the graph begins at the input.
            with_graph: whether a graph is needed; without one, a large picture's pass is of half the size.
        """
        self._follow_state()
        layers = [] if layer is None else [layer]
        with_graph = with_graph or not is_large(self.pixels(picture))
        return self._traces.get(
            (picture, layer, with_input, with_graph),
            lambda: self._run(picture, layers, with_input=with_input, with_graph=with_graph),
        )

    def _run(
        self,
        picture: Picture,
        layers: list[str],
        *,
        with_input: bool = False,
        with_graph: bool = True,
        most_bytes: int | None = None,
    ) -> Trace:
        pixels = self.pixels(picture)
        make_room(pixels)
        trace = Trace(
            self.model,
            pixels[None],
            layers,
            with_input=with_input,
            most_bytes=most_bytes,
            trims=is_large(pixels),
            with_graph=with_graph,
        )
        if trace.nbytes > (limit := cache_limit()):  # not cached, and used for one map
            trace.free_graph_early()
            cut = layers if len(layers) == 1 else [None]
            self._too_large.update({(pixels.shape, layer): limit for layer in cut})
        self._probabilities_of.get(picture, lambda: self._probabilities(trace.logits[0]))
        return trace

    def _trace_for(self, picture: Picture, method: Method, layer: str) -> Trace:
        """Return the forward pass that a method needs."""
        return self.trace(
            picture,
            None if method.at_input else layer,
            with_input=method.needs_input,
            with_graph=method.needs_gradients or method.needs_input,
        )

    def _shared_trace(self, picture: Picture, method: Method, layer: str) -> Trace:
        """Return the forward pass that a method needs for several classes at once, with gradients of its own."""
        trace = self._trace_for(picture, method, layer)
        return self._shared.get(trace, trace.with_own_gradients)

    def explanation(
        self,
        picture: Picture,
        target: int | None,
        method: str | Method,
        layer: str,
        stance: Stance = FOR,
        *,
        spare: bool = False,
    ) -> Explanation:
        """Compute a map; see ``growing``."""
        *_, (_, explanation) = self.growing(picture, target, method, layer, stance, spare=spare)
        return explanation

    def growing(
        self,
        picture: Picture,
        target: int | None,
        method: str | Method,
        layer: str,
        stance: Stance = FOR,
        *,
        spare: bool = False,
    ) -> Iterator[tuple[float, Explanation]]:
        """Compute a map, and yield (share of the work done, partial map) on the way; the last share is 1.

        Args:
            picture: the picture.
            target: index of the class; None for the predicted one.
            method: the method, or its name.
            layer: name of the layer.
            stance: whether the map is for the class, against it, or for it rather than another.
            spare: whether the map may be dropped from the cache before others.
        """
        chosen = get_method(method)
        chosen.check(self.model, layer)
        state = self._follow_state()
        if target is None:
            self._trace_for(picture, chosen, layer)  # which gives the prediction too
            index = self.predicted(picture)
        else:
            index = target
        # A map of the picture itself is the same whatever layer is chosen.
        layer_key = None if chosen.at_input else layer
        key = (picture, index, stance, chosen.name, chosen.options, layer_key)
        known = self._explanations.peek(key)
        if known is not None:
            yield 1.0, known
            return
        resolved = stance_target(self.model, index, stance)
        if stance != FOR:
            chosen.check_target(resolved)
        trace = self._every.peek(picture)
        if trace is None or not (chosen.is_quick_at_layers and trace.has_gradient(resolved, layer)):
            trace = self._trace_for(picture, chosen, layer)
        make_room(trace.pixels)  # a method's own tensors are as large as a layer's
        facts = self._facts(picture, trace)
        for step in chosen.steps(trace, resolved, layer):
            size = trace.pixels.shape[-2:]
            frames = trace.model.map_frames(layer, step.maps.shape[-2:], size)
            scaled = scale_saliency(step.maps, size, chosen.scale, frames)[0]
            raw = step.maps[0].float().cpu().numpy()
            parts = part_values(trace, chosen, resolved, 0)
            explanation = build_explanation(facts, resolved, chosen, layer, raw, scaled, parts)
            if step.done == step.total and state == self._state:
                self._explanations.put(key, explanation, low_priority=spare)
            yield step.done / step.total, explanation

    def _facts(self, picture: Picture, trace: Trace) -> PictureFacts:
        """Collect what all maps of a forward pass share. The pixels are shared with other passes of the picture."""

        def make() -> np.ndarray:
            shown = shades(trace.pixels[0])
            shown.flags.writeable = False
            return shown

        model = trace.model
        pixels = self._shown.get(picture, make)
        return PictureFacts(0, pixels, model.prediction(trace.logits[0]), model.name, model.text)

    def _trace_of_every_layer(self, picture: Picture, names: list[str]) -> Trace | None:
        """Return a forward pass cut at all layers; None if it would take most of the cache."""
        pixels = self.pixels(picture)
        limit, shape = cache_limit(), pixels.shape
        most = limit_during_pass(pixels) * 3 // 4
        if self._too_large.get((shape, None), -1) >= limit:
            return None
        try:
            return self._every.get(picture, lambda: self._run(picture, names, most_bytes=most))
        except LargeGraphError:
            self._too_large[shape, None] = limit
            return None

    def layer_maps(
        self, picture: Picture, target: int, method: str | Method, stance: Stance = FOR
    ) -> Iterator[dict[str, Any]]:
        """Encode the class's map at each layer where the method applies, all from one forward pass.

        Nothing is yielded for a method that has no maps at layers or reruns the model for each, nor for a picture so
        large that the pass would exceed the cache (see ``caches.set_cache_limit``).
        """
        chosen = get_method(method)
        # The browser enlarges these maps itself, and knows no time.
        if not chosen.is_quick_at_layers or self.model.frames is not None:
            return
        every = [x.name for x in self.model.layers]
        names = [name for name in every if chosen.reason(self.model, name) is None]
        if len(names) < 2:
            return
        self._follow_state()
        trace = self._trace_of_every_layer(picture, every)
        if trace is None:
            return
        resolved = stance_target(self.model, target, stance)
        for name in names:
            cells = chosen.compute(trace, resolved, name)[0].relu().float().cpu().numpy()
            if np.isfinite(cells).all():
                rows, columns = cells.shape
                content = cells.astype("<f4").tobytes()
                yield {"name": name, "rows": rows, "columns": columns, "cells": content}

    def cells(
        self, picture: Picture, classes: Sequence[int], method: str | Method, layer: str
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (class, its map at the layer's resolution (h, w), rectified), without classes whose map is not finite.

        Nothing is yielded for a method that has no maps at layers, or reruns the model for each, nor for clips, nor
        where a pass exceeds the cache, so that each class would need one.
        """
        chosen = get_method(method)
        if not chosen.is_quick_at_layers or self.model.frames is not None:
            return
        self._follow_state()
        if self._too_large.get((self.pixels(picture).shape, layer), -1) >= cache_limit():
            return
        trace = self._every.peek(picture)
        if trace is None or layer not in trace.layers:
            trace = self._trace_for(picture, chosen, layer)
        make_room(trace.pixels)
        # For a large picture the gradients of all these classes would exceed the cache.
        large = is_large(trace.pixels)
        for index in classes:
            if not bool(trace.logits[0, index].isfinite()):  # masked out: there is no evidence
                continue
            target = resolve_target(self.model, index)
            if chosen.reads_slope and not trace.has_slope(target):
                continue
            one = trace.with_own_gradients() if large else trace
            if chosen.needs_gradients:
                # One class at a time: for all at once, a shallow layer would take too long.
                one.store_gradients([target], [layer])
            cells = chosen.compute(one, target, layer)[0].relu().float().cpu().numpy()
            if np.isfinite(cells).all():
                yield index, cells

    def probabilities(self, picture: Picture) -> np.ndarray:
        """Return the probabilities, or quantities, of the unmasked picture, float64 (classes,)."""

        def run() -> np.ndarray:
            pixels = self.pixels(picture)
            make_room(pixels)
            return self._probabilities(self.model.logits(pixels[None])[0])

        self._follow_state()
        return self._probabilities_of.get(picture, run)

    def findings(self, picture: Picture) -> Findings | None:
        """Return where the classes are in the unmasked picture; None if the model does not say."""
        model = self.model
        if not isinstance(model, FindsInPicture):
            return None
        self._follow_state()
        return self._findings.get(picture, lambda: model.findings(self.pixels(picture)[None]))

    def superpixels(self, picture: Picture) -> Parts:
        """Return the superpixels of a picture, as methods of parts have them by default."""
        return self._superpixels.get(
            picture, lambda: superpixels(shades(self.pixels(picture)), SUPERPIXELS)
        )

    def predicted(self, picture: Picture) -> int:
        """Return the class that is explained unless another is requested: the most probable one."""
        return self.model.most_probable(torch.from_numpy(self.probabilities(picture))[None])[0]

    def _probabilities(self, logits: torch.Tensor) -> np.ndarray:
        return self.model.probabilities(logits.float()).double().cpu().numpy()

    def levels(self, explanation: Explanation) -> np.ndarray:
        """Return the rank levels of a map, uint16 (H, W)."""
        return self._levels.get(explanation, lambda: rank_levels(explanation.saliency))

    def strongest(
        self, picture: Picture, classes: list[int], method: str | Method, layer: str, x: int, y: int
    ) -> list[tuple[int, float]]:
        """Return (class, value) of those classes whose maps are positive at a pixel, strongest first.

        Values are in (0, 1], on a common scale of all the maps.
        """
        chosen = get_method(method)
        chosen.check(self.model, layer)
        trace = self._shared_trace(picture, chosen, layer)
        targets = [resolve_target(self.model, i) for i in classes]
        if chosen.reads_slope:
            known = [(i, t) for i, t in zip(classes, targets, strict=True) if trace.has_slope(t)]
            classes, targets = [i for i, _ in known], [t for _, t in known]
        if not targets:
            return []
        if trace.frees_graph:  # so large that one class's gradients at a time are in memory
            maps = torch.cat(
                [chosen.compute(trace.with_own_gradients(), t, layer) for t in targets]
            )
        else:
            if chosen.needs_gradients:
                trace.store_gradients(targets)
            maps = torch.cat([chosen.compute(trace, t, layer) for t in targets])
        # Not each map's own maximum: classes are compared here.
        maps = trace.enlarged(maps.relu().float(), layer)
        values = (maps[:, y, x] / maps.max().clamp(min=torch.finfo(maps.dtype).tiny)).tolist()
        pairs = [(i, v) for i, v in zip(classes, values, strict=True) if v >= 0.005]
        return sorted(pairs, key=lambda pair: -pair[1])

    def scene(self, picture: Picture) -> dict[str, Any]:
        """Encode a picture and its baselines for the browser."""
        return scene_of(picture.id, self.pixels(picture), self.model.frames)

    def payload(self, picture: Picture, explanation: Explanation) -> dict[str, Any]:
        """Encode a map for the browser: 8-bit saliency, rank levels, and the layer's own cells.

        For a tone-mapped map, "drawn" replaces the saliency in drawing, and the cells are tone-mapped too.
        """
        note = channels_shown(self.model.preprocess.channels)
        raw = np.maximum(explanation.raw, 0)
        frames = self.model.map_frames(explanation.layer, raw.shape, explanation.saliency.shape)
        if frames is not None:  # each frame of the clip with the cells nearest to it in time
            few, many = frames
            in_time = raw.reshape(few, -1, raw.shape[1])
            raw = in_time[frame_numbers(few, many)].reshape(-1, raw.shape[1])
        knee = explanation.knee
        cells = tone_mapped(raw / raw.max() if raw.max() > 0 else raw, knee)
        return {
            "scene": picture.id,
            "saliency": _bytes(explanation.saliency),
            "drawn": None if knee is None else _bytes(tone_mapped(explanation.saliency, knee)),
            "knee": knee,
            "scale_note": tone_note(knee),
            "levels": self.levels(explanation).astype("<u2").tobytes(),
            "cells": _bytes(cells),
            "cells_shape": list(cells.shape),
            "layer": explanation.layer,
            "at_input": explanation.layer == AT_INPUT,
            "title": f"{explanation.title} · {note}" if note else explanation.title,
            "empty": explanation.is_empty,
            "note": explanation.note,
            "parts": part_values_payload(explanation.parts),
        }


def _size_of_map(explanation: Explanation) -> int:
    """Return the bytes of a map without its picture's pixels, which all maps of the picture share."""
    return size_of([explanation.saliency, explanation.raw])


def _size_of_findings(findings: Findings) -> int:
    return 4096 if findings.areas is None else size_of(findings.areas)


def _bytes(values: np.ndarray) -> bytes:
    """Encode values in [0, 1] as bytes."""
    return np.round(values * 255).astype(np.uint8).tobytes()
