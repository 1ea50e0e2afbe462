"""Data of a saved page: maps, predictions and picture, in the format of the page's script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from .._validation import encodable_text
from ..analysis.localizing import THRESHOLD, localize
from ..attribution.explaining import explain
from ..attribution.explanation import Explanation
from ..attribution.methods import Method
from ..attribution.stance import FOR, explained_class, stance_of, stance_payload, stance_target
from ..attribution.targets import Target
from ..attribution.tone_mapping import tone_note
from ..errors import MethodError
from ..images.array_pictures import channels_shown
from ..images.conversion import shades
from ..masking.parts import SUPERPIXELS, Parts, superpixels
from ..models.detection_model import DetectionModel
from ..models.findings import FindsInPicture
from ..models.vision_model import VisionModel
from ..plotting import lookup_tables
from ..progress import Progress
from .binary_bundle import BinaryBundle
from .curves import curves
from .findings_payload import drawn_findings
from .live_payload import detections_payload, live_payload
from .method_payload import method_payload
from .onnx_model import ExportedModel
from .picture_payload import fill_of, part_values_payload, parts_payload
from .quantized_maps import QuantizedMap, quantize_map
from .selection import Selection, quantity_of

__all__ = ["MaskOptions", "Payload", "build_payload"]

#: Version of the data format; the script refuses others.
_FORMAT = 2


@dataclass(frozen=True)
class MaskOptions:
    """The modes and baselines of a page, and its number of fractions per map."""

    modes: Sequence[str]
    baselines: Sequence[str]
    steps: int
    has_curves: bool = True  #: False for a page that runs the model


@dataclass(frozen=True)
class Payload:
    """The data of a page, with the map that is shown first."""

    data: dict[str, Any] = field(repr=False)
    start: Explanation  #: the map shown first
    is_rounded: bool  #: whether any map is


def build_payload(
    model: VisionModel,
    pixels: torch.Tensor,
    unmasked: np.ndarray,
    chosen: Selection,
    masks: MaskOptions,
    label: str,
    *,
    methods_are_explicit: bool,
    box_threshold: float = THRESHOLD,
    exported: ExportedModel | None = None,
    has_own_detections: bool = True,
    progress: Progress | None = None,
) -> Payload:
    """Compute the data of a page.

    Args:
        model: the model, with its text.
        pixels: (C, H, W) in [0, 1].
        unmasked: probabilities (classes,) of the unmasked picture.
        chosen: classes, methods and layers of the page.
        masks: modes and baselines of the page.
        label: label of the progress bar.
        methods_are_explicit: whether the user named the methods; then a method that fails is an error.
        box_threshold: the share of a map's maximum from which on a pixel counts for its box.
        exported: the model's graph, for the first picture of a page that runs the model.
        has_own_detections: whether a detector's classes are each picture's own; else those that were chosen.
        progress: called with (done, total); a bar appears after a second if None.

    Raises:
        MethodError: if an explicit method fails.
    """
    grids, maps, start, places = _quantize_maps(
        model, pixels, chosen, methods_are_explicit=methods_are_explicit, progress=progress
    )
    curves_of_maps: list[dict[str, np.ndarray]] = [{} for _ in grids]
    if masks.has_curves:
        curves_of_maps = curves(
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
    bundle = BinaryBundle()
    divisions = _divisions(grids, pixels, is_live=not masks.has_curves)
    live = None
    if exported is not None:
        methods = [m for m in chosen.methods if places[m.name]]
        live = live_payload(
            model,
            pixels,
            exported,
            methods,
            chosen.layers,
            chosen.classes,
            bundle,
            has_own_detections=has_own_detections,
        )
    data = {
        "format": _FORMAT,
        "model": encodable_text(model.name),
        "scene": _scene(pixels, masks.baselines, bundle, model.frames),
        "channels": channels_shown(model.preprocess.channels),
        "found": _found(model, pixels, bundle),
        **({} if masks.has_curves else detections_payload(model)),
        "classes": [
            {"index": i, "name": encodable_text(model.classes[i]), "unmasked": float(unmasked[i])}
            for i in chosen.classes
        ],
        "contrasts": [
            {"target": index, **stance_payload(stance)} for index, stance in chosen.contrasts
        ],
        "methods": [method_payload(m) for m in chosen.methods if places[m.name]],
        "layers": [
            {"name": x.name, "shape": list(x.shape), "frames": x.frames or 1}
            for x in map(model.layer, chosen.layers)
        ],
        "missing": _missing(model, chosen, places),
        "maps": maps,
        "divisions": [
            {**encoded, "labels": bundle.numbers(np.frombuffer(encoded["labels"], "<u2"))}
            for encoded in map(parts_payload, divisions)
        ],
        "grids": [
            {
                **_grid(
                    grid,
                    own,
                    (pixels.shape[-2], pixels.shape[-1]),
                    bundle,
                    model.scores,
                    box_threshold,
                ),
                **_parts(grid, divisions),
            }
            for grid, own in zip(grids, curves_of_maps, strict=True)
        ],
        "quantity": {k: encodable_text(v) for k, v in quantity_of(model).items()},
        "steps": masks.steps,
        "modes": list(masks.modes),
        "baselines": list(masks.baselines),
        "colormaps": {k: bundle.add(v) for k, v in lookup_tables().items()},
        **({} if live is None else {"live": live}),
        "archive": bundle.text(),
    }
    return Payload(data, start, any(g.is_rounded for g in grids))


def _quantize_maps(
    model: VisionModel,
    pixels: torch.Tensor,
    chosen: Selection,
    *,
    methods_are_explicit: bool,
    progress: Progress | None,
) -> tuple[list[QuantizedMap], list[list[int]], Explanation, dict[str, tuple[str, ...]]]:
    """Compute and quantize the maps.

    Returns:
        The distinct maps; [class, method, layer, map] for each map, as indices into the lists of the page, with layer
        −1 for a map at the input, and with the contrasts after the classes; the explanation that is shown first; and by
        method the layers of its maps.
    """
    grids: list[QuantizedMap] = []
    known: dict[tuple[bytes, tuple[int, ...], bool, bytes], int] = {}
    maps: list[list[int]] = []
    start: Explanation | None = None
    places: dict[str, tuple[str, ...]] = {}
    column_of_method = 0
    for m in chosen.methods:
        at = (chosen.layer,) if m.at_input else chosen.places(model, m)
        try:
            targets = _targets(model, chosen, m)
            found = explain(
                model, pixels, [target for _, target in targets], m, list(at), progress=progress
            )
        except MethodError:
            # A default method may fail, for instance for lack of a finite gradient; it is left out.
            if methods_are_explicit or m is chosen.method:
                raise
            places[m.name] = ()
            continue
        places[m.name] = at
        for number, explanation in enumerate(found):
            place_of_target, column = divmod(number, len(at))
            row = targets[place_of_target][0]
            grid = quantize_map(explanation, m)
            # Maps with equal positive cells may differ in the negative values of their parts.
            values = b"" if grid.parts is None else grid.parts.values.tobytes()
            key = (grid.cells.tobytes(), grid.cells.shape, grid.is_tone_mapped, values)
            if key not in known:
                known[key] = len(grids)
                grids.append(grid)
            place = -1 if m.at_input else chosen.layers.index(at[column])
            maps.append([row, column_of_method, place, known[key]])
            target = explanation.target
            is_first = (
                explained_class(target) == chosen.target and stance_of(target) == chosen.stance
            )
            if m is chosen.method and is_first and at[column] == chosen.layer:
                start = explanation
        column_of_method += 1
    assert start is not None
    return grids, maps, start, places


def _targets(model: VisionModel, chosen: Selection, method: Method) -> list[tuple[int, Target]]:
    """The targets of a method's maps, each with its place: the classes, and after them the contrasts."""
    pairs = [*((index, FOR) for index in chosen.classes), *chosen.contrasts]
    targets = [stance_target(model, index, stance) for index, stance in pairs]
    return [
        (place, target)
        for place, target in enumerate(targets)
        if pairs[place][1] == FOR or method.target_reason(target) is None
    ]


def _missing(
    model: VisionModel, chosen: Selection, places: dict[str, tuple[str, ...]]
) -> dict[str, dict[str, str]]:
    """The reasons why methods have no map at layers of the page."""
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


def _scene(
    pixels: torch.Tensor, baselines: Sequence[str], bundle: BinaryBundle, frames: int | None
) -> dict[str, Any]:
    shown = shades(pixels)
    height, width = shown.shape[:2]
    fills: dict[str, Any] = {}
    for name in baselines:
        fill = fill_of(pixels, name, frames)
        is_full_image = len(fill) == shown.size
        fills[name] = (
            bundle.picture(np.frombuffer(fill, np.uint8).reshape(shown.shape))
            if is_full_image
            else bundle.add(fill)
        )
    return {
        "width": width,
        "height": height,
        "frames": frames or 1,
        "picture": bundle.picture(shown),
        "fills": fills,
    }


def _found(model: VisionModel, pixels: torch.Tensor, bundle: BinaryBundle) -> dict[str, Any]:
    """Encode the boxes or areas that the model finds in the picture; empty for a model that finds none."""
    if not isinstance(model, FindsInPicture):
        return {}
    names = [encodable_text(name) for name in model.classes]
    height, width = pixels.shape[-2:]
    found = drawn_findings(model.findings(pixels[None]), names, (height, width))
    if isinstance(model, DetectionModel):
        found["questions"] = [model.about]
    areas = found["areas"]
    if areas:
        found["areas"] = {**areas, "classes": bundle.add(areas["classes"])}
    return found


def _divisions(
    grids: Sequence[QuantizedMap], pixels: torch.Tensor, *, is_live: bool
) -> list[Parts]:
    """The divisions of the picture into parts: those of the maps, or superpixels for a page that runs the model."""
    found = list(dict.fromkeys(grid.parts.parts for grid in grids if grid.parts is not None))
    return found or ([superpixels(shades(pixels), SUPERPIXELS)] if is_live else [])


def _parts(grid: QuantizedMap, divisions: Sequence[Parts]) -> dict[str, Any]:
    """The values of a map's parts; nothing of a map without parts."""
    if grid.parts is None:
        return {}
    division = divisions.index(grid.parts.parts)
    return {"parts": {"division": division, **part_values_payload(grid.parts)}}


def _grid(
    grid: QuantizedMap,
    own_curves: dict[str, np.ndarray],
    size: tuple[int, int],
    bundle: BinaryBundle,
    scores: str,
    box_threshold: float,
) -> dict[str, Any]:
    def packed(values: np.ndarray) -> np.ndarray:
        """Regression outputs in float32, probabilities as integers in units of 1/10000."""
        if scores == "value":
            return values.astype(np.float32)
        return np.round(values * 10_000).astype(np.uint16)

    # A box is of one picture.
    found = None if grid.frames is not None else localize(grid.saliency(size), box_threshold)
    knee = grid.knee(size)
    return {
        "rows": grid.cells.shape[0],
        "columns": grid.cells.shape[1],
        "rounded": grid.is_rounded,
        "peak": grid.peak,
        "knee": knee,
        "scale_note": tone_note(knee),
        "cells": bundle.numbers(grid.cells),
        "box": None if found is None else [*map(int, found.box)],
        "at": None if found is None else [int(found.peak[1]), int(found.peak[0])],
        "curves": {key: bundle.numbers(packed(values)) for key, values in own_curves.items()},
    }
