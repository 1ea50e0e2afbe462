"""``save_page``: explanations as one HTML file, which with ``live=True`` contains the model and runs it."""

from __future__ import annotations

import base64
import datetime
import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from .._validation import as_name_list, encodable_text, is_integer
from .._version import __version__
from ..analysis.localizing import THRESHOLD, check_share
from ..attribution.explanation import Explanation
from ..attribution.methods import Method
from ..attribution.stance import FOR, stance_payload, stance_target
from ..errors import CamwidgetError
from ..images.clips import Clip, as_clips
from ..images.conversion import PictureLike
from ..images.pixel_batches import is_tensor_batch
from ..masking.baselines import BASELINES
from ..masking.masked_pixels import MODES
from ..masking.rank_rule import threshold
from ..models.argument_checks import require_model
from ..models.detection_model import DetectionModel
from ..models.findings import FindsInPicture
from ..models.segmentation_model import SegmentationModel
from ..models.vision_model import VisionModel
from ..progress import Progress
from ..runtime.atomic_files import write_file
from .html_document import escape_html, html_document, page_path, read_static
from .lesson import Lesson, PageQuiz
from .live_payload import (
    RUNTIME_NAME,
    announce_size,
    check_live,
    check_sizes,
    check_written_size,
    encoded,
    rounded_pixels,
    runtime,
)
from .onnx_model import ExportedModel, export_model
from .payload import MaskOptions, Payload, build_payload
from .quantized_maps import STEPS
from .selection import (
    Selection,
    Targets,
    choose_classes,
    choose_layers,
    choose_methods,
    split_targets,
)

__all__ = ["Page", "save_page"]


@dataclass(frozen=True)
class Page:
    """A saved page.

    Attributes:
        path: the HTML file.
        name: the picture's name.
        title: the page's title.
        explanation: the map that is shown first.
        probability: probability of its class for the unmasked picture, in [0, 1]; for a regression output, its value.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> picture = cw.zoo.samples("zoo/textures")[0].image
        >>> page = cw.save_page(model, picture, "page.html", classes=1, methods=["gradcam"], layers=["stage4"], steps=2)
        >>> page.path.name, page.title
        ('page.html', 'picture · zoo/textures')
    """

    path: Path
    name: str
    title: str
    explanation: Explanation = field(repr=False)
    probability: float


def save_page(
    model: VisionModel,
    image: PictureLike | Sequence[PictureLike],
    path: str | os.PathLike[str],
    target: Targets = None,
    method: str | Method | None = None,
    layer: str | None = None,
    *,
    mode: str = "remove",
    baseline: str = "blur",
    fraction: float = 0.0,
    frame: int = 0,
    classes: int | Iterable[str | int] = 5,
    methods: Sequence[str | Method] | None = None,
    layers: str | Sequence[str] | None = None,
    modes: Sequence[str] = (),
    baselines: Sequence[str] = (),
    steps: int = 21,
    box_threshold: float = THRESHOLD,
    name: str | Sequence[str] | None = None,
    title: str | None = None,
    live: bool = False,
    tasks: str | Sequence[str] = (),
    quiz: PageQuiz | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Page:
    """Write a picture's explanations as one interactive HTML file that needs neither a network nor a kernel.

    ``target``, ``method``, ``layer``, ``mode``, ``baseline``, ``fraction`` and ``frame`` choose what is shown first;
    the plural arguments choose what else the page contains. For every map, the model runs on the masked picture at
    ``steps`` fractions, and the page interpolates linearly between them. Maps of more than 1024 cells are quantized to
    4096 levels before anything is masked. With ``live``, the page runs the model instead.

    With several pictures, ``tasks`` and a ``quiz``, the page is a lesson: students answer in it, and save their answers
    as a JSON file, which ``Quiz.pool`` reads.

    Args:
        model: from ``load`` or ``wrap``.
        image: a path, PIL image, array or tensor; or a list of several, of which the first is shown first. The page
            has precomputed maps of each. For a model of clips, one clip or several as in ``explain``.
        path: the file; ``.html`` is appended to a name without a suffix.
        target: class name or index, ``Counterfactual`` of one, or ``Contrast`` of two; or several of these: their
            classes are listed and the first is shown. The predicted class if None.
        method: a name from ``list_methods``; Grad-CAM if None.
        layer: a module name. If None, the first of ``layers``, or else the model's default layer.
        mode: "remove", "keep" or "multiply".
        baseline: replacement of masked pixels: "blur", "mean" or "black".
        fraction: the fraction that is masked at first, in [0, 1].
        frame: of a clip, the frame that is shown first, from 0.
        classes: the number of most probable classes, or the classes by name or index.
        methods: methods of the page; up to four fast ones that apply if None. A method that runs the model many times
            has its map only at the layer that is shown first.
        layers: layers of the page; up to six of ``model.layers`` if None; "all" for every one.
        modes: modes besides ``mode``.
        baselines: baselines besides ``baseline``.
        box_threshold: the share of a map's maximum from which on a pixel counts for its box, in (0, 1].
        steps: number of fractions, from 0 to 1, the squares of evenly spaced numbers, at least 2.
        name: name of the picture, or one for each of several; the names of their files if None.
        title: title of the page; picture and model if None.
        live: whether the page contains the model and runs it: every mode and baseline, paint, any class, and pictures
            of one's own. Needs ``pip install "camwidget[live]"``. Anyone who has the page has the model's weights.
        tasks: tasks for students, in Markdown: headings, lists, quotes, code, emphasis and links to the web. HTML is
            shown as text. Each has a field for the answer.
        quiz: a ``camwidget.Quiz`` that the page has too; anyone who has the page has its right answers.
        overwrite: whether an existing file is replaced.
        progress: called with (done, total); may raise to cancel. If None, a bar appears after a second.

    Returns:
        The file and what it shows first.

    Raises:
        FileExistsError: if the file exists, before anything is computed.
        PermissionError: if the folder is not writable, before anything is computed.
        CamwidgetError: if a mode, baseline or number is unknown or out of its range; with ``live``, if pictures differ
            in size, or are clips.
        PictureError: if the picture cannot be read.
        TargetError: if there is no such class.
        MethodError: if a method is unknown, or does not apply at the layer or to the target that is shown first.
        LayerError: if there is no such layer.
        ModelError: if ``model`` is not from ``load`` or ``wrap``; with ``live``, if it cannot be exported, or its
            export gives other numbers.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> picture = cw.zoo.samples("zoo/textures")[0].image
        >>> page = cw.save_page(model, picture, "page", classes=2, methods=["gradcam"], layers=["stage4"], steps=2)
        >>> page.path.name, page.explanation.target.label
        ('page.html', 'polka-dotted')
    """
    require_model(model, "save_page", image)
    file = page_path(path, overwrite=overwrite)
    if not is_integer(steps, 2):
        raise CamwidgetError(f"A curve has at least 2 steps, not {steps!r}.")
    steps = operator.index(steps)  # NumPy integers are not JSON serializable
    box_threshold = check_share("box_threshold", box_threshold)
    threshold(fraction)  # raises for a value outside [0, 1]
    all_modes = _selected_names("mode", mode, modes, (*MODES, "multiply"))
    all_baselines = _selected_names("baseline", baseline, baselines, tuple(BASELINES))
    if not is_integer(frame, 0) or frame >= (model.frames or 1):
        raise CamwidgetError(
            f"The frame shown first is a number from 0 to {(model.frames or 1) - 1}, not {frame!r}."
        )
    images = _listed(model, image)
    names = _names(images, name)
    name = names[0]
    label = name if len(names) == 1 else f"{len(names)} pictures"
    title = encodable_text(title) if title is not None else f"{label} · {model.name}"
    lesson = Lesson.of(tasks, quiz)

    if live:
        all_modes, all_baselines = [*MODES, "multiply"], list(BASELINES)
        check_live(model)
        announce_size(model, file.name)
    every = [model.preprocess.pixels(one) for one in images]  # refused before anything is computed
    if live:
        check_sizes(names, every)
        every = [rounded_pixels(pixels) for pixels in every]
    exported: ExportedModel | None = None
    masks = MaskOptions(all_modes, all_baselines, steps, has_curves=not live)
    found: list[tuple[Payload, float, VisionModel]] = []
    for one, pixels in zip(names, every, strict=True):
        # The graph has the text of the first picture; detections are no part of it.
        is_same = found and live and not isinstance(model, DetectionModel)
        prompted = found[0][2] if is_same else model.with_text_for(pixels)
        unmasked = (
            prompted.probabilities(prompted.logits(pixels[None]).float())[0].double().cpu().numpy()
        )
        listed, shown = choose_classes(prompted, unmasked, target, classes)
        layer_names, first = choose_layers(prompted, layer, layers)
        split = split_targets(prompted, target)
        stance = split[0][1] if split else FOR
        contrasts = tuple(dict.fromkeys(each for each in split if each[1] != FOR))
        selected = choose_methods(prompted, first, method, methods)
        selected[1].check_target(stance_target(prompted, shown, stance))
        chosen = Selection(listed, shown, *selected, layer_names, first, stance, contrasts)
        if live and exported is None:
            exported = export_model(prompted, pixels)
        payload = build_payload(
            prompted,
            pixels,
            unmasked,
            chosen,
            masks,
            f"{one}: masks",
            methods_are_explicit=methods is not None,
            box_threshold=box_threshold,
            exported=None if found else exported,
            has_own_detections=prompted is not model,
            progress=progress,
        )
        payload.data["name"] = one
        payload.data["first"] = {
            "target": shown,
            "stance": stance_payload(stance),
            "method": chosen.method.name,
            "layer": first,
            "mode": mode,
            "baseline": baseline,
            "fraction": fraction,
            "frame": operator.index(frame),
            "box_threshold": box_threshold,
            "about": prompted.about if isinstance(prompted, DetectionModel) else "score",
        }
        found.append((payload, float(unmasked[shown]), prompted))
    payload, probability, prompted = found[0]
    payload.data["others"] = [other.data for other, _, _ in found[1:]]
    is_rounded = any(each.is_rounded for each, _, _ in found)
    texts = {} if exported is None else _model_texts(exported)
    kind = "page" if exported is None else "live"
    style, script = read_static(f"{kind}.css"), read_static(f"{kind}.js")
    if lesson is not None:
        texts |= lesson.texts(title)
        style, script = f"{style}\n{lesson.style}", f"{script}\n{lesson.script}"
    footer = _footer(prompted, steps, is_rounded, exported)
    html = html_document(
        title=title,
        style=style,
        body=_body(title, prompted, names, footer, has_lesson=lesson is not None),
        script=script,
        data=payload.data,
        texts=texts,
        runs_wasm=live,
        has_blobs=lesson is not None,
    )
    content = html.encode("utf-8")
    if live:
        check_written_size(model, file.name, len(content))
    write_file(file, content, overwrite=overwrite)
    return Page(file, name, title, payload.start, probability)


def _listed(model: VisionModel, image: PictureLike | Sequence[PictureLike]) -> list[Any]:
    """The pictures of a page, or its clips."""
    found: Any = image if model.frames is None else as_clips(image)
    if isinstance(found, Mapping):
        return list(found.values())
    several = model.frames is not None and is_tensor_batch(model.preprocess, found)
    return list(found) if several or isinstance(found, (list, tuple)) else [found]


def _names(images: Sequence[Any], name: str | Sequence[str] | None) -> list[str]:
    """The names of a page's pictures.

    Raises:
        CamwidgetError: if there is no picture, or another number of names.
    """
    if not images:
        raise CamwidgetError("A page has at least one picture: the list is empty.")
    if name is None:
        several = len(images) > 1
        sources = [image.source if isinstance(image, Clip) else image for image in images]
        return [
            encodable_text(Path(source).name)
            if isinstance(source, (str, os.PathLike))
            else f"picture {number}"
            if several
            else "picture"
            for number, source in enumerate(sources, 1)
        ]
    names = [encodable_text(one) for one in as_name_list(name, "name")]
    if len(names) != len(images):
        raise CamwidgetError(f"There are {len(images)} pictures, and {len(names)} names.")
    return names


def _selected_names(
    what: str, first: str, others: Sequence[str], known: Sequence[str]
) -> list[str]:
    """The selected names, in the order of the known ones.

    Args:
        what: the kind of name, for the message ("mode").
        first: the name that is shown first.
        others: further names.
        known: all known names.

    Raises:
        CamwidgetError: if a name is unknown.
    """
    selected = [first, *as_name_list(others, f"{what}s")]
    for name in selected:
        if name not in known:
            raise CamwidgetError(f"There is no {what} {name!r}: use {', '.join(map(repr, known))}.")
    return [name for name in known if name in selected]


def _model_texts(exported: ExportedModel) -> dict[str, str]:
    """What the page runs: the worker's script, the runtime, and the model."""
    return {
        "camwidget-worker": read_static("worker.js"),
        "camwidget-runtime": base64.b64encode(runtime()).decode("ascii"),
        "camwidget-model": encoded(exported.graph),
    }


_LESSON_BEFORE = (
    '\n<section id="camwidget-tasks" class="camwidget-lesson" aria-label="Tasks"></section>'
)

_LESSON_AFTER = """
<section id="camwidget-quiz" class="camwidget-lesson" aria-label="Quiz"></section>
<section id="camwidget-answers" class="camwidget-lesson camwidget-quiz" aria-label="Your answers"></section>"""


def _body(
    title: str, model: VisionModel, names: Sequence[str], footer: str, *, has_lesson: bool
) -> str:
    facts = {
        "Model": model.name,
        "Picture" if len(names) == 1 else "Pictures": ", ".join(names),
        **({} if model.prompt is None else {model.prompt.name.capitalize(): model.text}),
        "Saved": datetime.date.today().isoformat(),
        "With": f"camwidget {__version__}, torch {torch.__version__}",
    }
    terms = "".join(
        f"<div><dt>{escape_html(key)}</dt><dd><bdi>{escape_html(value)}</bdi></dd></div>"
        for key, value in facts.items()
    )
    before, after = (_LESSON_BEFORE, _LESSON_AFTER) if has_lesson else ("", "")
    return f"""<header class="camwidget-page-head">
<h1><bdi>{escape_html(title)}</bdi></h1>
<dl>{terms}</dl>
</header>{before}
<main id="camwidget-page" class="camwidget-page-main">
<p>The page is being opened. If this stays, the file is not complete: copy or download it again.</p>
<noscript><p>This page draws the picture and its maps by its own script, which is switched off here.</p></noscript>
</main>{after}
<footer class="camwidget-page-foot">
<p>A map shows where there is evidence for a class, by one method and at one layer. It does not prove that the model
relies on that region: move the mask, and see how the prediction changes.</p>
{footer}
</footer>"""


def _footer(
    model: VisionModel, steps: int, is_rounded: bool, exported: ExportedModel | None
) -> str:
    """What the page computes and what was computed before, in HTML."""
    finds = (
        " Boxes and areas are those of the unmasked picture: to find them in a masked one needs the notebook."
        if isinstance(model, FindsInPicture)
        else ""
    )
    rounding = (
        f" Maps of large layers are rounded to {STEPS + 1} steps of their maximum, here and for the model alike."
        if is_rounded
        else ""
    )
    if exported is None:
        return f"""<p>The model was run on the masked picture at {steps} fractions of every map; in between, numbers are
interpolated.{rounding} Other classes, methods and pictures need the notebook.{finds} This file makes no network
requests.</p>"""
    region = ", a region of your own to ask about" if isinstance(model, SegmentationModel) else ""
    return f"""<p>This file contains the model and runs it in your browser; it makes no network requests, and your own
pictures stay on your computer. When it was saved, its probabilities and those of PyTorch differed by at most
{exported.difference:.0e} on {exported.pictures} pictures.{rounding} What needs the notebook: fills by
inpainting{region}; and for other classes and pictures, methods and layers that need gradients.</p>
<p>The model is run by {RUNTIME_NAME}, © Microsoft Corporation, MIT License.</p>"""
