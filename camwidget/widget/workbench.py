"""What has been computed already: pixels, forward passes and maps, the recent ones kept."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from ..engine import compute_explanations
from ..errors import CamwidgetError
from ..explanation import Explanation
from ..images import PictureLike
from ..methods import get_method
from ..models import VisionModel
from ..perturb import BASELINES, baseline_pixels, rank_levels
from ..targets import resolve_target
from ..trace import Trace
from .strip import thumbnail

__all__ = ["Picture", "Workbench"]

V = TypeVar("V")

_numbers = itertools.count()


class _Recent(Generic[V]):
    """The last few values by key, each made once also when several threads want it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            value = self._values[key] = make()
            while len(self._values) > self._size:
                self._values.popitem(last=False)
            return value


@dataclass(eq=False)
class Picture:
    """A picture to choose from. Its pixels are made when it is first looked at."""

    source: PictureLike = field(repr=False)
    name: str
    id: str = field(default_factory=lambda: f"picture-{next(_numbers)}")

    def shades(self, pixels: torch.Tensor) -> np.ndarray:
        """Pixels (C, H, W) in [0, 1] as uint8 (H, W, 3), for the screen."""
        array = (pixels * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        return np.ascontiguousarray(array.repeat(3, axis=-1) if array.shape[-1] == 1 else array)


class Workbench:
    """Computes what an explorer asks for, each thing once while it is recent.

    Args:
        model: whose pictures and maps these are.
    """

    def __init__(self, model: VisionModel) -> None:
        self.model = model
        self._pixels: _Recent[torch.Tensor] = _Recent(32)
        self._tiles: dict[Picture, np.ndarray | None] = {}
        self._traces: _Recent[Trace] = _Recent(4)
        self._explanations: _Recent[Explanation] = _Recent(96)
        self._levels: _Recent[np.ndarray] = _Recent(16)

    def pixels(self, picture: Picture) -> torch.Tensor:
        """The pixels (C, H, W) that the model gets of a picture."""
        return self._pixels.get(picture, lambda: self.model.preprocess.pixels(picture.source))

    def tile(self, picture: Picture) -> np.ndarray | None:
        """A picture's thumbnail, uint8 (side, side, 3); None if it cannot be read."""
        if picture not in self._tiles:
            try:
                self._tiles[picture] = thumbnail(picture.shades(self.pixels(picture)))
            except CamwidgetError:
                self._tiles[picture] = None
        return self._tiles[picture]

    def trace(self, picture: Picture, layer: str) -> Trace:
        """The remembered forward pass of a picture, cut at a layer."""
        return self._traces.get(
            (picture, layer),
            lambda: Trace(self.model, self.pixels(picture)[None], [layer]),
        )

    def explanation(
        self, picture: Picture, target: int | None, method: str, layer: str
    ) -> Explanation:
        """A map; the predicted class's if target is None."""
        trace = self.trace(picture, layer)
        index = int(trace.logits[0].argmax()) if target is None else target

        def compute() -> Explanation:
            chosen = get_method(method)
            chosen.check(self.model, layer)
            return compute_explanations(
                trace, [resolve_target(self.model, index)], [chosen], [layer]
            )[0]

        return self._explanations.get((picture, index, method, layer), compute)

    def probabilities(self, picture: Picture, layer: str) -> np.ndarray:
        """What the model says of the whole picture, float64 (classes,)."""
        logits = self.trace(picture, layer).logits[0]
        return self.model.probabilities(logits).double().cpu().numpy()

    def levels(self, explanation: Explanation) -> np.ndarray:
        """The rank levels of a map, uint16 (H, W)."""
        return self._levels.get(explanation, lambda: rank_levels(explanation.saliency))

    def strongest(
        self, picture: Picture, classes: list[int], method: str, layer: str, x: int, y: int
    ) -> list[tuple[int, float]]:
        """The classes whose maps are positive at a pixel, strongest first, on one common scale in (0, 1]."""
        trace = self.trace(picture, layer)
        targets = [resolve_target(self.model, i) for i in classes]
        chosen = get_method(method)
        chosen.check(self.model, layer)
        if chosen.needs_gradients:
            trace.remember_gradients(targets)
        maps = torch.cat([chosen.compute(trace, t, layer) for t in targets])
        # Not each map's own maximum: classes are compared here.
        maps = torch.nn.functional.interpolate(
            maps.relu()[:, None].float(),
            size=trace.pixels.shape[-2:],
            mode="bilinear",
            align_corners=False,
        )[:, 0]
        values = (maps[:, y, x] / maps.max().clamp(min=torch.finfo(maps.dtype).tiny)).tolist()
        pairs = [(i, v) for i, v in zip(classes, values, strict=True) if v >= 0.005]
        return sorted(pairs, key=lambda pair: -pair[1])

    def scene(self, picture: Picture) -> dict[str, Any]:
        """The picture and its baselines as the browser wants them."""
        pixels = self.pixels(picture)
        shades = picture.shades(pixels)
        fills: dict[str, bytes] = {}
        for name in BASELINES:
            fill = picture.shades(baseline_pixels(pixels, name))
            flat = bool((fill == fill[:1, :1]).all())
            fills[name] = fill[0, 0].tobytes() if flat else fill.tobytes()
        return {
            "id": picture.id,
            "width": shades.shape[1],
            "height": shades.shape[0],
            "picture": shades.tobytes(),
            "fills": fills,
        }

    def wire(self, picture: Picture, explanation: Explanation) -> dict[str, Any]:
        """A map as the browser wants it: 8-bit saliency, rank levels, and the layer's own cells."""
        raw = np.maximum(explanation.raw, 0)
        cells = raw / raw.max() if raw.max() > 0 else raw
        return {
            "scene": picture.id,
            "saliency": np.round(explanation.saliency * 255).astype(np.uint8).tobytes(),
            "levels": self.levels(explanation).astype("<u2").tobytes(),
            "cells": np.round(cells * 255).astype(np.uint8).tobytes(),
            "cells_shape": list(cells.shape),
            "title": explanation.title,
            "empty": explanation.is_empty,
            "note": explanation.note,
        }
