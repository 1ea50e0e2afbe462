"""``save_page``: one picture explained, as one file that is opened in any browser."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .._version import __version__
from ..colors import lookup_tables
from ..engine import explain
from ..errors import CamwidgetError, MethodError, ModelError
from ..explanation import Explanation
from ..images import PictureLike, shades
from ..localization import localize
from ..methods import Method
from ..models import VisionModel
from ..perturb import BASELINES, MODES
from ..progress import Progress
from ..ranks import threshold
from ..scene import fill_of
from .archive import Archive
from .choose import Choice, choose_classes, choose_layers, choose_methods
from .curves import curves
from .document import as_html, as_text, document, page_path, static, written
from .grids import STEPS, Grid, grid_of

__all__ = ["Saved", "save_page"]

#: Of the page's data: the script refuses another.
_FORMAT = 1


@dataclass(frozen=True)
class Saved:
    """A page that was written.

    Attributes:
        path: where.
        name: the picture's name.
        explanation: the map shown first.
        probability: of its class, for the whole picture.
        title: the page's.
    """

    path: Path
    name: str
    explanation: Explanation = field(repr=False)
    probability: float
    title: str


def save_page(
    model: VisionModel,
    image: PictureLike,
    path: str | os.PathLike[str],
    target: str | int | None = None,
    method: str | Method | None = None,
    layer: str | None = None,
    *,
    mode: str = "remove",
    baseline: str = "blur",
    fraction: float = 0.0,
    classes: int | Iterable[str | int] = 5,
    methods: Sequence[str | Method] | None = None,
    layers: str | Sequence[str] | None = None,
    modes: Sequence[str] = (),
    baselines: Sequence[str] = (),
    steps: int = 21,
    name: str | None = None,
    title: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Saved:
    """Write what a model says of a picture as one HTML file: no network, no kernel, still to be played with.

    What ``target``, ``method``, ``layer``, ``mode``, ``baseline`` and ``fraction`` name is shown first; the plurals are
    what else is in the page. For every map the model is run on the masked picture at ``steps`` fractions, and in between
    the page draws straight lines. Maps of more than 1024 cells are rounded to 4096 steps, before anything is masked.

    Args:
        model: from ``load`` or ``wrap``.
        image: the picture (see ``open_picture``).
        path: the file; ``.html`` is appended to a name without a suffix.
        target: class name or index; the predicted class if None.
        method: a name of ``list_methods()``; Grad-CAM if None.
        layer: a module name; the model's default layer if None.
        mode: "remove", "keep" or "multiply".
        baseline: what the other pixels become: "blur", "mean" or "black".
        fraction: how much is masked at first, from 0 to 1.
        classes: how many of the most probable ones, or which.
        methods: up to four quick ones that apply if None. Methods that run the model anew have their map at the layer
            shown first only.
        layers: up to six of ``model.layers`` if None; "all" for every one.
        modes, baselines: beside the ones shown.
        steps: how many fractions, from 0 to 1, at least 2.
        name: what the picture is called; its file's name if None.
        title: of the page; the picture and the model if None.
        overwrite: whether a file of that name may be replaced.
        progress: called with (done, total), and may raise to cancel; a bar appears after a second if None.

    Raises:
        FileExistsError: if there is such a file; nothing is computed then.
        PictureError, TargetError, MethodError, LayerError, ModelError: each names its remedy.
    """
    if not isinstance(model, VisionModel):
        raise ModelError(
            f"save_page takes a model from camwidget.load or camwidget.wrap, not {type(model).__name__}."
        )
    file = page_path(path, overwrite=overwrite)
    if not hasattr(steps, "__index__") or steps < 2:
        raise CamwidgetError(f"A curve has at least 2 steps, not {steps!r}.")
    threshold(fraction)  # refuses what is not in [0, 1]
    all_modes = _known("mode", mode, modes, (*MODES, "multiply"))
    all_baselines = _known("baseline", baseline, baselines, tuple(BASELINES))
    if name is None:
        name = Path(image).name if isinstance(image, (str, os.PathLike)) else "picture"
    name = as_text(name)
    title = as_text(title) if title is not None else f"{name} · {model.name}"

    pixels = model.preprocess.pixels(image)
    told = model.told(pixels)
    whole = told.probabilities(told.logits(pixels[None]).float())[0].double().cpu().numpy()
    listed, shown = choose_classes(told, whole, target, classes)
    names, first = choose_layers(told, layer, layers)
    chosen = Choice(listed, shown, *choose_methods(told, first, method, methods), names, first)
    grids, maps, start, places = _maps(
        told, pixels, chosen, asked=methods is not None, progress=progress
    )
    answers = curves(
        told, pixels, grids, listed, all_modes, all_baselines, steps, f"{name}: masks", progress
    )

    archive = Archive()
    data: dict[str, Any] = {
        "format": _FORMAT,
        "model": as_text(told.name),
        "scene": _scene(pixels, all_baselines, archive),
        "classes": [
            {"index": i, "name": as_text(told.classes[i]), "whole": float(whole[i])} for i in listed
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
        "layers": [{"name": n, "shape": list(told.layer(n).shape)} for n in names],
        "missing": _missing(told, chosen, places),
        "maps": maps,
        "grids": [
            _grid(grid, own, pixels.shape[-2:], archive)
            for grid, own in zip(grids, answers, strict=True)
        ],
        "steps": steps,
        "modes": all_modes,
        "baselines": all_baselines,
        "colormaps": {k: archive.add(v) for k, v in lookup_tables().items()},
        "first": {
            "target": shown,
            "method": chosen.method.name,
            "layer": first,
            "mode": mode,
            "baseline": baseline,
            "fraction": fraction,
        },
    }
    data["archive"] = archive.text()
    html = document(
        title=title,
        style=static("page.css"),
        body=_body(title, told, name, steps, any(g.cells.dtype == np.uint16 for g in grids)),
        script=static("page.js"),
        data=data,
    )
    with written(file, overwrite=overwrite) as beside:
        beside.write_bytes(html.encode("utf-8"))
    return Saved(file, name, start, float(whole[shown]), title)


def _known(what: str, first: str, others: Sequence[str], known: Sequence[str]) -> list[str]:
    """The names asked for, in the order of the known ones."""
    asked = {first, *([others] if isinstance(others, str) else others)}
    for name in asked:
        if name not in known:
            raise CamwidgetError(f"There is no {what} {name!r}: use {', '.join(map(repr, known))}.")
    return [name for name in known if name in asked]


def _maps(
    model: VisionModel,
    pixels: torch.Tensor,
    chosen: Choice,
    *,
    asked: bool,
    progress: Progress | None,
) -> tuple[list[Grid], list[list[int]], Explanation, dict[str, tuple[str, ...]]]:
    """The maps, equal ones once; [class, method, layer, map] for each, by their places in the lists of the page.

    A layer of −1 is any: the map is the picture's own. The map shown first comes as it is explained, and then at which
    layers each method has its maps.
    """
    grids: list[Grid] = []
    known: dict[tuple[bytes, tuple[int, ...]], int] = {}
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
        for number, explanation in enumerate(found):  # type: ignore[arg-type]
            row, column = divmod(number, len(at))
            grid = grid_of(explanation, m)
            key = (grid.cells.tobytes(), grid.cells.shape)
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
    model: VisionModel, chosen: Choice, places: dict[str, tuple[str, ...]]
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


def _scene(pixels: torch.Tensor, baselines: Sequence[str], archive: Archive) -> dict[str, Any]:
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
    grid: Grid, answers: dict[str, np.ndarray], size: Sequence[int], archive: Archive
) -> dict[str, Any]:
    found = localize(grid.saliency((size[0], size[1])))
    return {
        "rows": grid.cells.shape[0],
        "columns": grid.cells.shape[1],
        "rounded": grid.cells.dtype == np.uint16,
        "peak": grid.peak,
        "cells": archive.numbers(grid.cells),
        "box": None if found is None else [*map(int, found.box)],
        "at": None if found is None else [int(found.peak[1]), int(found.peak[0])],
        "curves": {
            key: archive.numbers(np.round(values * 10_000).astype(np.uint16))
            for key, values in answers.items()
        },
    }


def _body(title: str, model: VisionModel, name: str, steps: int, rounded: bool) -> str:
    facts = {
        "Model": model.name,
        "Picture": name,
        **({} if model.prompt is None else {model.prompt.name.capitalize(): model.text}),
        "Saved": datetime.date.today().isoformat(),
        "With": f"camwidget {__version__}, torch {torch.__version__}",
    }
    terms = "".join(
        f"<div><dt>{as_html(key)}</dt><dd><bdi>{as_html(value)}</bdi></dd></div>"
        for key, value in facts.items()
    )
    rounding = (
        f" Maps of large layers are rounded to {STEPS + 1} steps of their maximum, here and for the model alike."
        if rounded
        else ""
    )
    return f"""<header class="camwidget-page-head">
<h1><bdi>{as_html(title)}</bdi></h1>
<dl>{terms}</dl>
</header>
<main id="camwidget-page" class="camwidget-page-main">
<noscript><p>The picture and its maps are drawn by this page's own script, which this browser does not run.</p></noscript>
</main>
<footer class="camwidget-page-foot">
<p>A map shows where there is evidence for a class, by one method and at one layer. It is no proof that the model goes by
what is there: move the mask, and see what the model says.</p>
<p>The model was run on the masked picture at {steps} fractions of every map; in between, numbers are
interpolated.{rounding} Other classes, methods and pictures need the notebook. This file asks nothing of any network.</p>
</footer>"""
