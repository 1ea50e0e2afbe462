"""The data of a saved page: maps, predictions and picture, as its script reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ..analysis.localizing import localize
from ..attribution.explaining import explain
from ..attribution.explanation import Explanation
from ..attribution.tone_mapping import tone_note
from ..errors import MethodError
from ..images.conversion import shades
from ..models.vision_model import VisionModel
from ..plotting import lookup_tables
from ..progress import Progress
from .binary_bundle import BinaryBundle
from .curves import curves
from .html import as_text
from .image_payload import fill_of
from .quantized_maps import QuantizedMap, quantize_map
from .selection import Selection, quantity_of

__all__ = ["MaskOptions", "Payload", "gather"]

#: Of the data: the script refuses another.
_FORMAT = 1


@dataclass(frozen=True)
class MaskOptions:
    """How the picture is masked: what is in the page, and how many fractions of a map."""

    modes: Sequence[str]
    baselines: Sequence[str]
    steps: int


@dataclass(frozen=True)
class Payload:
    """What is in a page."""

    data: dict[str, Any] = field(repr=False)
    start: Explanation  #: the map shown first
    is_rounded: bool  #: whether any map is


def gather(
    model: VisionModel,
    pixels: torch.Tensor,
    whole: np.ndarray,
    chosen: Selection,
    masks: MaskOptions,
    label: str,
    *,
    asked: bool,
    progress: Progress | None = None,
) -> Payload:
    """Compute everything.

    Args:
        model: under its text.
        pixels: (C, H, W) in [0, 1].
        whole: probabilities (classes,) of the whole picture.
        chosen: classes, methods, layers.
        masks: how it is masked.
        label: for the bar.
        asked: whether a person named the methods, and is to know of one that fails.
        progress: called with (done, total); a bar appears after a second if None.
    """
    grids, maps, start, places = _maps(model, pixels, chosen, asked=asked, progress=progress)
    answers = curves(
        model,
        pixels,
        grids,
        chosen.classes,
        masks.modes,
        masks.baselines,
        masks.steps,
        label,
        progress,
    )
    archive = BinaryBundle()
    data = {
        "format": _FORMAT,
        "model": as_text(model.name),
        "scene": _scene(pixels, masks.baselines, archive),
        "classes": [
            {"index": i, "name": as_text(model.classes[i]), "whole": float(whole[i])}
            for i in chosen.classes
        ],
        "methods": [
            {
                "name": m.name,
                "label": m.label,
                "group": m.group,
                "tip": f"{m.summary} ({m.citation})",
                "everywhere": m.at_input,
            }
            for m in chosen.methods
            if places[m.name]
        ],
        "layers": [{"name": n, "shape": list(model.layer(n).shape)} for n in chosen.layers],
        "missing": _missing(model, chosen, places),
        "maps": maps,
        "grids": [
            _grid(grid, own, (pixels.shape[-2], pixels.shape[-1]), archive, model.scores)
            for grid, own in zip(grids, answers, strict=True)
        ],
        "quantity": {k: as_text(v) for k, v in quantity_of(model).items()},
        "steps": masks.steps,
        "modes": list(masks.modes),
        "baselines": list(masks.baselines),
        "colormaps": {k: archive.add(v) for k, v in lookup_tables().items()},
        "archive": archive.text(),
    }
    return Payload(data, start, any(g.is_rounded for g in grids))


def _maps(
    model: VisionModel,
    pixels: torch.Tensor,
    chosen: Selection,
    *,
    asked: bool,
    progress: Progress | None,
) -> tuple[list[QuantizedMap], list[list[int]], Explanation, dict[str, tuple[str, ...]]]:
    """The maps, equal ones once; [class, method, layer, map] for each, by their places in the lists of the page.

    A layer of −1 is any: the map is the picture's own. The map shown first comes as it is explained, and then at which
    layers each method has its maps.
    """
    grids: list[QuantizedMap] = []
    known: dict[tuple[bytes, tuple[int, ...], bool], int] = {}
    maps: list[list[int]] = []
    start: Explanation | None = None
    places: dict[str, tuple[str, ...]] = {}
    kept = 0
    for m in chosen.methods:
        at = (chosen.layer,) if m.at_input else chosen.places(model, m)
        try:
            found = explain(model, pixels, list(chosen.classes), m, list(at), progress=progress)
        except MethodError:
            # Of those that nobody asked for, such as one that has no finite gradient here.
            if asked or m is chosen.method:
                raise
            places[m.name] = ()
            continue
        places[m.name] = at
        for number, explanation in enumerate(found):
            row, column = divmod(number, len(at))
            grid = quantize_map(explanation, m)
            key = (grid.cells.tobytes(), grid.cells.shape, grid.is_tone_mapped)
            if key not in known:
                known[key] = len(grids)
                grids.append(grid)
            place = -1 if m.at_input else chosen.layers.index(at[column])
            maps.append([row, kept, place, known[key]])
            is_first = m is chosen.method and chosen.classes[row] == chosen.target
            if is_first and at[column] == chosen.layer:
                start = explanation
        kept += 1
    assert start is not None
    return grids, maps, start, places


def _missing(
    model: VisionModel, chosen: Selection, places: dict[str, tuple[str, ...]]
) -> dict[str, dict[str, str]]:
    """Why a method has no map at a layer of the page."""
    reasons: dict[str, dict[str, str]] = {}
    for m in chosen.methods:
        if m.at_input or not places[m.name]:
            continue
        reasons[m.name] = {
            name: m.reason(model, name) or f"this page has its map at {chosen.layer} only"
            for name in chosen.layers
            if name not in places[m.name]
        }
    return reasons


def _scene(pixels: torch.Tensor, baselines: Sequence[str], archive: BinaryBundle) -> dict[str, Any]:
    shown = shades(pixels)
    height, width = shown.shape[:2]
    fills: dict[str, Any] = {}
    for name in baselines:
        fill = fill_of(pixels, name)
        whole = len(fill) == shown.size
        fills[name] = (
            archive.picture(np.frombuffer(fill, np.uint8).reshape(shown.shape))
            if whole
            else archive.add(fill)
        )
    return {"width": width, "height": height, "picture": archive.picture(shown), "fills": fills}


def _grid(
    grid: QuantizedMap,
    answers: dict[str, np.ndarray],
    size: tuple[int, int],
    archive: BinaryBundle,
    scores: str,
) -> dict[str, Any]:
    def packed(values: np.ndarray) -> np.ndarray:
        """Quantities as they are, probabilities in ten-thousandths."""
        if scores == "value":
            return values.astype(np.float32)
        return np.round(values * 10_000).astype(np.uint16)

    found = localize(grid.saliency(size))
    knee = grid.knee(size)
    return {
        "rows": grid.cells.shape[0],
        "columns": grid.cells.shape[1],
        "rounded": grid.is_rounded,
        "peak": grid.peak,
        "knee": knee,
        "scale_note": tone_note(knee),
        "cells": archive.numbers(grid.cells),
        "box": None if found is None else [*map(int, found.box)],
        "at": None if found is None else [int(found.peak[1]), int(found.peak[0])],
        "curves": {key: archive.numbers(packed(values)) for key, values in answers.items()},
    }
