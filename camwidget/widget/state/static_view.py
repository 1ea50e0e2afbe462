"""Static view of an explorer: pictures, classes and the sentence as plain HTML, and as text."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from PIL import Image

from ...attribution.explanation import Explanation
from ...images.conversion import shades
from ...images.film_strip import shown_frames
from ...models.scores import decimals, number_text
from ..control.context import ExplorerContext
from ..control.map_request import MapInputs, MapResult
from ..control.masked_prediction import mask_shown_picture
from ..control.trait_requests import TraitRequests
from ..host.static_outputs import StaticView
from ..view.mask_settings import MaskSettings, is_unmasked

__all__ = ["explorer_static_view", "picture_tag"]

#: The longest side of a picture, so that it adds little to a notebook; and the width at which it is shown.
_LONGEST, _WIDTH = 320, 280
_QUALITY = 85

_NOTE = "A still picture of a camwidget explorer. Run the cell to click, mask and compare."


@dataclass(frozen=True)
class _Content:
    """What an explorer shows, all of it of one moment."""

    result: MapResult[MapInputs] | None
    other: Explanation | None
    rows: Sequence[dict[str, Any]]
    masked: Sequence[float]
    most_probable: dict[str, Any]
    sentence: str
    error: str
    mask: MaskSettings | None


def explorer_static_view(context: ExplorerContext, requests: TraitRequests) -> StaticView:
    """Return what an explorer shows now, whether or not all of it is computed."""
    view = context.display.view
    with requests.main.lock:
        result = requests.main.result
        content = _Content(
            result,
            context.values.other,
            list(view.rows),
            list(view.masked),
            dict(view.most_probable),
            view.sentence,
            view.error,
            None if result is None else requests.mask_settings(result.inputs.picture),
        )
    if result is None:
        return StaticView(f"<p>{escape(content.error)}</p>" if content.error else "", content.error)
    heading, table = _heading(result), _class_rows(content)
    lines = [line for line in (content.sentence, content.error) if line]
    html = [
        f"<p><strong>{escape(result.explanation.target.label)}</strong> · {escape(heading)}</p>",
        _pictures_html(_pictures(content, view.opacity, view.colormap)),
        _table_html(table),
        *(f"<p>{escape(line)}</p>" for line in lines),
        f"<p><small>{_NOTE}</small></p>",
    ]
    text = [f"{result.explanation.target.label} · {heading}", *_table_text(table), *lines]
    return StaticView("<div>\n" + "\n".join(html) + "\n</div>", "\n".join(text))


def _heading(result: MapResult[MapInputs]) -> str:
    explanation = result.explanation
    parts = (
        explanation.method_label,
        explanation.layer,
        result.inputs.picture.name,
        explanation.model,
        explanation.text,
    )
    return " · ".join(part for part in parts if part)


def _pictures(content: _Content, opacity: float, colormap: str) -> list[tuple[np.ndarray, str]]:
    """The pictures, each with what it is."""
    result, mask = content.result, content.mask
    assert result is not None and mask is not None
    explanation, inputs = result.explanation, result.inputs

    frames = inputs.cache.model.frames

    def overlay(one: Explanation) -> np.ndarray:
        of_clip = one.of_clip(inputs.cache.model)
        return np.asarray(of_clip.overlay(opacity=opacity, colormap=colormap))

    found = [(overlay(explanation), f"evidence for {explanation.target.label}")]
    if content.other is not None:
        found.append((overlay(content.other), f"compared: {content.other.title}"))
    if not is_unmasked(mask, explanation):
        cache = inputs.cache
        levels = cache.levels(explanation)
        pixels = mask_shown_picture(cache.pixels(inputs.picture), explanation, levels, mask, frames)
        found.append((shown_frames(shades(pixels), frames), "what the model gets now"))
    return found


def _class_rows(content: _Content) -> list[tuple[str, list[str], bool]]:
    """The classes listed, and the one that is first now: name, numbers, and whether it is explained."""
    assert content.result is not None
    prediction, target = content.result.explanation.prediction, content.result.target
    rows = [dict(row) for row in content.rows]
    for row, value in zip(rows, content.masked, strict=False):
        row["masked"] = value
    first = content.most_probable
    if first and content.masked and all(row["index"] != first["index"] for row in rows):
        rows.append({**first, "name": f"now first: {first['name']}"})
    found = []
    for row in rows:
        values = [row["unmasked"], *([row["masked"]] if "masked" in row else [])]
        digits = decimals(*values, scores=prediction.scores)
        numbers = [
            number_text(v, prediction.scores, prediction.unit, digits=digits) for v in values
        ]
        found.append((str(row["name"]), numbers, row["index"] == target))
    return found


def _table_html(rows: Sequence[tuple[str, list[str], bool]]) -> str:
    heads = ["class", "whole picture", "now"][: 1 + max((len(n) for _, n, _ in rows), default=1)]
    html = ["<table>", "<tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"]
    for name, numbers, is_target in rows:
        cells = [escape(text) for text in (name, *numbers)]
        if is_target:
            cells = [f"<strong>{cell}</strong>" for cell in cells]
        html.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "\n".join([*html, "</table>"])


def _table_text(rows: Sequence[tuple[str, list[str], bool]]) -> list[str]:
    width = max((len(name) for name, _, _ in rows), default=0)
    return [f"  {name:{width}}  {' → '.join(numbers)}" for name, numbers, _ in rows]


def _pictures_html(pictures: Sequence[tuple[np.ndarray, str]]) -> str:
    tags = "".join(f"<td>{picture_tag(image, caption)}</td>" for image, caption in pictures)
    captions = "".join(f"<td>{escape(caption)}</td>" for _, caption in pictures)
    return f"<table>\n<tr>{tags}</tr>\n<tr>{captions}</tr>\n</table>"


def picture_tag(image: np.ndarray | Image.Image, caption: str) -> str:
    """An image as a tag with the image in it, as JPEG.

    Args:
        image: uint8 (H, W, 3), or of PIL.
        caption: the text for readers who do not see it.
    """
    small = image.convert("RGB") if isinstance(image, Image.Image) else Image.fromarray(image)
    small.thumbnail((_LONGEST, _LONGEST), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, "jpeg", quality=_QUALITY)
    content = base64.b64encode(stream.getvalue()).decode()
    width = _WIDTH if small.width >= small.height else round(_WIDTH * small.width / small.height)
    return f'<img src="data:image/jpeg;base64,{content}" width="{width}" alt="{escape(caption)}">'
