"""``save_page``: one picture explained, as one file for any browser."""

from __future__ import annotations

import datetime
import operator
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from .._validation import is_integer, listed_names
from .._version import __version__
from ..analysis.mask_curve import BASELINES, MODES
from ..attribution.explanation import Explanation
from ..attribution.methods import Method
from ..errors import CamwidgetError
from ..images.conversion import PictureLike
from ..masking.ranks import threshold
from ..models.argument_checks import require_model
from ..models.vision_model import VisionModel
from ..progress import Progress
from ..runtime.atomic_files import write_file
from .html import as_html, as_text, document, page_path, static
from .payload import MaskOptions, gather
from .quantized_maps import STEPS
from .selection import Selection, Targets, choose_classes, choose_layers, choose_methods

__all__ = ["Page", "save_page"]


@dataclass(frozen=True)
class Page:
    """A page that was written.

    Attributes:
        path: where.
        name: the picture's name.
        title: the page's.
        explanation: the map shown first.
        probability: of its class, for the whole picture; of a quantity its value.
    """

    path: Path
    name: str
    title: str
    explanation: Explanation = field(repr=False)
    probability: float


def save_page(
    model: VisionModel,
    image: PictureLike,
    path: str | os.PathLike[str],
    target: Targets = None,
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
) -> Page:
    """Write what a model says of a picture as one HTML file: no network, no kernel, still to be played with.

    What ``target``, ``method``, ``layer``, ``mode``, ``baseline`` and ``fraction`` name is shown first; the plurals
    are what else is in the page. For every map the model is run on the masked picture at ``steps`` fractions, and in
    between the page draws straight lines. Maps of more than 1024 cells are rounded to 4096 steps, before anything is
    masked.

    Args:
        model: from ``load`` or ``wrap``.
        image: the picture (see ``open_picture``).
        path: the file; ``.html`` is appended to a name without a suffix.
        target: class name or index; of several the first is shown, and all are listed; the predicted class if None.
        method: a name of ``list_methods()``; Grad-CAM if None.
        layer: a module name; if None the first of those that ``layers`` names, else the model's default layer.
        mode: "remove", "keep" or "multiply".
        baseline: what the other pixels become: "blur", "mean" or "black".
        fraction: how much is masked at first, from 0 to 1.
        classes: how many of the most probable ones, or which.
        methods: up to four quick ones that apply if None. Methods that run the model anew have their map at the layer
            shown first only.
        layers: up to six of ``model.layers`` if None; "all" for every one.
        modes: beside the one shown.
        baselines: beside the one shown.
        steps: how many fractions, from 0 to 1, at least 2.
        name: what the picture is called; its file's name if None.
        title: of the page; the picture and the model if None.
        overwrite: whether a file of that name may be replaced.
        progress: called with (done, total), and may raise to cancel; a bar appears after a second if None.

    Raises:
        FileExistsError: if there is such a file; nothing is computed then.
        PermissionError: if nothing can be written there; nothing is computed then either.
        PictureError, TargetError, MethodError, LayerError, ModelError: each names its remedy.
    """
    require_model(model, "save_page", image)
    file = page_path(path, overwrite=overwrite)
    if not is_integer(steps, 2):
        raise CamwidgetError(f"A curve has at least 2 steps, not {steps!r}.")
    steps = operator.index(steps)  # NumPy's are no JSON
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
    chosen = Selection(listed, shown, *choose_methods(told, first, method, methods), names, first)
    contents = gather(
        told,
        pixels,
        whole,
        chosen,
        MaskOptions(all_modes, all_baselines, steps),
        f"{name}: masks",
        asked=methods is not None,
        progress=progress,
    )
    start = {
        "target": shown,
        "method": chosen.method.name,
        "layer": first,
        "mode": mode,
        "baseline": baseline,
        "fraction": fraction,
    }
    html = document(
        title=title,
        style=static("page.css"),
        body=_body(title, told, name, steps, contents.is_rounded),
        script=static("page.js"),
        data={**contents.data, "first": start},
    )
    write_file(file, html.encode("utf-8"), overwrite=overwrite)
    return Page(file, name, title, contents.start, float(whole[shown]))


def _known(what: str, first: str, others: Sequence[str], known: Sequence[str]) -> list[str]:
    """The names asked for, in the order of the known ones."""
    asked = [first, *listed_names(others, f"{what}s")]
    for name in asked:
        if name not in known:
            raise CamwidgetError(f"There is no {what} {name!r}: use {', '.join(map(repr, known))}.")
    return [name for name in known if name in asked]


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
<noscript><p>This page draws the picture and its maps by its own script, which is switched off here.</p></noscript>
</main>
<footer class="camwidget-page-foot">
<p>A map shows where there is evidence for a class, by one method and at one layer. It is no proof that the model goes
by what is there: move the mask, and see what the model says.</p>
<p>The model was run on the masked picture at {steps} fractions of every map; in between, numbers are
interpolated.{rounding} Other classes, methods and pictures need the notebook. This file asks nothing of any
network.</p>
</footer>"""
